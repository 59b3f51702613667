//! The domain types of a scenario.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::workload::Workload;

/// A scenario: containers with actors that do steps, the truth about it, and expectations.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The file's name without `.toml`.
    pub name: String,
    /// One line: what the reader will learn.
    pub title: String,
    /// The lesson, in paragraphs.
    pub story: String,
    /// For filters: `article`, `fast`, `slow`, ...
    pub tags: Vec<String>,
    /// Draws every random number.
    pub seed: u64,
    /// Between samples.
    pub interval: Duration,
    /// Seconds of a detector's time that one recorded second represents.
    pub time_scale: f64,
    /// After this the run ends as `timed_out`; scaled by the machine's measured speed.
    pub deadline: Duration,
    /// Memory limit of the pod, bytes; none leaves the pod unlimited (its containers never are).
    pub pod_limit: Option<u64>,
    /// What runs.
    pub containers: Vec<Container>,
    /// What a detector should have said.
    pub truth: Truth,
    /// What to check.
    pub expectations: Vec<Expectation>,
    /// How it may end, by kernel.
    pub outcomes: Vec<AllowedOutcomes>,
    /// The conditions under which it can run at all, with the reason shown when it can't.
    pub requires: Vec<Requirement>,
    /// The TOML text it came from.
    pub text: String,
}

/// A cgroup with limits, and who works in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// Unique in the scenario.
    pub name: String,
    /// memory.max or memory.limit_in_bytes, bytes.
    pub limit: u64,
    /// memory.high, bytes (v2 only).
    pub high: Option<u64>,
    /// A controller that restarts it, as people's scripts do.
    pub restart: Option<Restart>,
    /// Worker processes.
    pub actors: Vec<Actor>,
}

/// Restarts a container when cadvisor_working_set is above a threshold: its actors begin again with
/// their first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    /// The threshold, bytes.
    pub above: u64,
    /// How many times at the most.
    pub times: u64,
    /// Whether the run's files go, too, as they do when a pod is replaced.
    pub delete_files: bool,
}

/// One worker process and its steps in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Actor {
    /// Unique in the container.
    pub name: String,
    /// Whether it works outside of the container's cgroup, as a client on another machine would:
    /// what it holds and what it reads and writes is not charged to the container.
    pub outside: bool,
    /// The one CPU it runs on, as an index into those that memtide may use; none is any of them.
    pub cpu: Option<usize>,
    /// What it does.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// All actors, container by container.
    pub fn actors(&self) -> impl DoubleEndedIterator<Item = &Actor> {
        self.containers.iter().flat_map(|c| &c.actors)
    }

    /// All steps, actor by actor.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.actors().flat_map(|actor| &actor.steps)
    }

    /// The names of a step's container, of its actor and its own.
    pub fn names(&self, at: StepRef) -> [&str; 3] {
        let container = &self.containers[at.container];
        let actor = &container.actors[at.actor];
        [&container.name, &actor.name, &actor.steps[at.step].name]
    }
}

/// One thing an actor does.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Unique in the actor; expectations refer to it.
    pub name: String,
    /// Told to the audience while it runs.
    pub say: String,
    /// Steps that must have ended before: `step`, `actor/step` or `container/actor/step`,
    /// resolved to (container, actor, step index).
    pub after: Vec<StepRef>,
    /// What it does.
    pub workload: Workload,
    /// Conditions under which it is done; else it is skipped with the reason.
    pub when: Condition,
    /// For a step that serves: how it becomes ready, what it says of itself, when it ends.
    pub serving: Option<Serving>,
}

/// What the harness does about a step that serves. In its texts `{port}`, `{port2}` and `{workdir}`
/// stand for two free ports and the run's work directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Serving {
    /// It ends when all these steps have ended; without any, when all other actors are done.
    pub until: Vec<StepRef>,
    /// All the rest of the run is there for it: when it fails, the run ends.
    pub alone: bool,
    /// It is ready when something listens on this port of 127.0.0.1.
    pub port: Option<String>,
    /// It is ready when this command succeeds, run outside of the container.
    pub command: Vec<String>,
    /// The longest it may take to become ready.
    pub within: Duration,
    /// What is asked of it while it serves.
    pub says: Vec<Says>,
}

/// A number that a service says of its own memory: the column `truth:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Says {
    /// The column's name without `truth:`.
    pub name: String,
    /// Where it stands.
    pub source: Source,
    /// It follows this text; empty takes the first number.
    pub after: String,
    /// Bytes of one of its units.
    pub unit: u64,
    /// Between two questions.
    pub every: Duration,
}

/// Where a service says its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In the output of a command, run outside of the container.
    Command(Vec<String>),
    /// In a file, such as one of `/proc`.
    File(String),
    /// On a page: `127.0.0.1:9090/metrics`.
    Http(String),
    /// In this file of `/proc/PID`, summed over all processes of the service.
    Process(String),
}

/// A step by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StepRef {
    /// Index into `containers`.
    pub container: usize,
    /// Index into `actors`.
    pub actor: usize,
    /// Index into `steps`.
    pub step: usize,
}

/// A moment of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Onset {
    /// The start of a step.
    Step(StepRef),
    /// The first mark with this text, or the first of all.
    Mark(Option<String>),
}

impl Onset {
    /// `mark`, or `mark:TEXT`; none for any other text.
    pub fn mark(text: &str) -> Option<Onset> {
        let rest = text.strip_prefix("mark")?;
        match rest.strip_prefix(':') {
            Some(text) if !text.is_empty() => Some(Onset::Mark(Some(text.into()))),
            None if rest.is_empty() => Some(Onset::Mark(None)),
            _ => None,
        }
    }

    /// The mark that it is, for a sentence; none for a step.
    pub fn mark_in_words(&self) -> Option<String> {
        match self {
            Onset::Mark(Some(text)) => Some(format!("the mark {text:?}")),
            Onset::Mark(None) => Some("a mark".into()),
            Onset::Step(_) => None,
        }
    }

    /// Whether a mark with this text is it, if it is the first.
    pub fn is_mark(&self, told: &str) -> bool {
        matches!(self, Onset::Mark(text) if text.as_ref().is_none_or(|text| text == told))
    }
}

/// What is true of a scenario, and what a detector should make of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// What the memory is.
    pub class: Class,
    /// Whether a leak or OOM detector should fire.
    pub fire: bool,
    /// From this moment on, firing is right; before, it is early.
    pub onset: Option<Onset>,
    /// The smallest limit under which it does its work, bytes, where that is known by construction.
    pub need: Option<u64>,
    /// Why, in a sentence.
    pub why: String,
}

named! {
    /// What memory growth is made of. The names are API: detectors answer with them.
    #[derive(Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "snake_case")]
    Class, as_str {
        /// Nothing is wrong.
        Healthy = "healthy",
        /// Page cache: given back under pressure.
        PageCache = "page_cache",
        /// MADV_FREE memory: given back under pressure, counted in rss until then.
        LazyFree = "lazy_free",
        /// Memory that is never used nor released again.
        Leak = "leak",
        /// In use, and more than the limit allows is on its way.
        OomAhead = "oom_ahead",
        /// Files in memory: only deleting them gives it back.
        Tmpfs = "tmpfs",
        /// Huge pages of which most was released.
        Thp = "thp",
        /// Kernel memory (dentries, inodes, sockets).
        KernelSlab = "kernel_slab",
        /// Stalled by memory.high.
        Throttled = "throttled",
    }
}

named! {
    /// How a run ended.
    #[derive(Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "snake_case")]
    Outcome, as_str {
        /// All actors ended by themselves.
        Survived = "survived",
        /// The kernel's OOM killer ended an actor.
        OomKilled = "oom_killed",
        /// The actors stalled at memory.high until the run ended.
        Throttled = "throttled",
        /// The deadline passed.
        TimedOut = "timed_out",
        /// A SIGKILL that memtide did not send and no counter of OOM kills explains ended an actor.
        Killed = "killed",
        /// A step did not reach its target, or the harness failed.
        Failed = "failed",
    }
}

/// Facts of the host that must hold. All given ones must.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Condition {
    /// The cgroup version.
    pub cgroup: Option<crate::rows::CgroupVersion>,
    /// The reclaim order.
    pub lru: Option<crate::host::Lru>,
    /// Kernel versions, all of which must hold: `>= 4.7`, `< 6.12`.
    pub kernel: Vec<KernelBound>,
    /// Whether there is swap.
    pub swap: Option<bool>,
    /// `managed` or `ambient`.
    pub placement: Option<String>,
    /// One of these must be the THP setting.
    pub thp: Vec<String>,
    /// Whether MADV_FREE must work.
    pub madv_free: Option<bool>,
    /// Programs that must be on PATH.
    pub programs: Vec<String>,
    /// One of these must be the work directory's file system.
    pub filesystem: Vec<String>,
}

/// One bound on the kernel version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelBound {
    /// How to compare.
    pub op: BoundOp,
    /// Major and minor.
    pub version: (u32, u32),
}

named! {
    /// How to compare versions; the longer signs first, since `<` is the start of `<=`.
    BoundOp, sign {
        /// Or the same.
        LessEqual = "<=",
        /// Or the same.
        GreaterEqual = ">=",
        /// Below.
        Less = "<",
        /// Above.
        Greater = ">",
    }
}

/// The outcomes that are right under a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct AllowedOutcomes {
    /// Any of these.
    pub is: Vec<Outcome>,
    /// The condition that it is written beside.
    pub when: Condition,
    /// Why there.
    pub why: String,
}

/// A condition without which the scenario is skipped.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// What must hold.
    pub when: Condition,
    /// The reason shown where it doesn't.
    pub reason: String,
}

/// A claim about the numbers, checked on every run.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// Which group: a container's name or `pod`; the first container if none is given.
    pub group: Option<String>,
    /// A formula, a row, or `truth:...`.
    pub value: String,
    /// When it is looked at.
    pub moment: Moment,
    /// Subtract the value at this step's end.
    pub since: Option<StepRef>,
    /// What it is compared with.
    pub check: Check,
    /// Where it holds.
    pub when: Condition,
    /// Why it holds there.
    pub why: String,
}

/// When a value is looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Moment {
    /// Settled, after a step's end.
    At(StepRef),
    /// Over the samples from the start of one step to the end of another.
    During {
        /// First step.
        from: StepRef,
        /// Last step.
        to: StepRef,
        /// Which of the values.
        pick: Pick,
    },
    /// At the last sample of the recording.
    End,
}

/// Which of a span's values is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// The median.
    Median,
    /// The last.
    Last,
    /// Largest less smallest.
    Range,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// Within a tolerance.
    Near {
        /// The right value.
        of: Operand,
        /// How far off it may be.
        tolerance: Operand,
    },
    /// Not below.
    AtLeast(Operand),
    /// Not above.
    AtMost(Operand),
    /// The kernel does not give this row (or the formula has no value).
    Absent,
}

/// A number to compare with: a size, a share of the limit, or another value times a factor.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// Bytes or a share of the limit.
    Size(crate::units::Size),
    /// Another value of the same group, `factor * name @ step`.
    Value {
        /// Times this.
        factor: f64,
        /// A formula, a row, or `truth:...`.
        name: String,
        /// At another step's end than the expectation's own moment.
        at: Option<StepRef>,
    },
}
