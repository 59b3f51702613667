//! How a run ended: evidence of each container in, the outcome of each and of the run out.
//!
//! Pure: what is seen is put into [`Evidence`] as it comes, never taken back, and never mixed with
//! another container's; nothing is decided before the end.
//!
//! | evidence of a container | its outcome |
//! |---|---|
//! | its cgroup's `oom_kill` counter rose, whoever was killed and whoever waited for it | `oom_killed` |
//! | a kernel without that counter (before 4.13): a SIGKILL that memtide did not send (or a shell's code 137 for one), and charges that failed | `oom_killed` |
//! | a SIGKILL that memtide did not send, and no counter explains it | `killed` |
//! | at the deadline: waiting at memory.high, else steps still open | `throttled`, `timed_out` |
//! | a step that missed its target, or a process that ended before its steps | `failed` |
//! | none of these | `survived` |

use crate::scenario::Outcome;
pub use crate::workload::End;

/// The reason of a run that its user ended.
pub const INTERRUPTED: &str = "interrupted";

/// SIGKILL's number, the same on every architecture of Linux.
const SIGKILL: i32 = 9;

/// A shell's exit code where SIGKILL ended what it ran.
const PASSED_ON: i32 = 128 + SIGKILL;

/// Whether SIGKILL ended it, or one of its own whose end it passes on as shells do (128 + 9).
fn tells_of_a_kill(end: End) -> bool {
    matches!(end, End::Signal(SIGKILL) | End::Code(PASSED_ON))
}

/// What is known of one container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The container.
    pub name: String,
    /// Processes that its own cgroup's `oom_kill` counter has counted since the run began, restarts
    /// of the container included; none where this kernel has no such counter.
    oom_kills: Option<u64>,
    /// Those of them that an exit was put down to.
    explained: u64,
    /// Charges that failed since the run began (`memory.failcnt`).
    failed_charges: u64,
    /// SIGKILLs that memtide did not send and no counter explains: whom they ended.
    kills: Vec<String>,
    /// The deadline came while its processes were being made to wait at memory.high.
    stalled: bool,
    /// The deadline came while steps were open.
    unfinished: bool,
    /// Steps that missed their target, and processes that ended before their steps, in words.
    failed: Vec<String>,
}

impl Evidence {
    /// Nothing known yet.
    pub fn new(name: &str) -> Self {
        Evidence {
            name: name.into(),
            ..Evidence::default()
        }
    }

    /// The kernel has the counter `oom_kill` here, and it rose by `kills`, which may be 0.
    pub fn oom_kills(&mut self, kills: u64) {
        let before = self.oom_kills.unwrap_or(0);
        self.oom_kills = Some(before.saturating_add(kills));
    }

    /// `count` charges failed at the limit.
    pub fn failed_charges(&mut self, count: u64) {
        self.failed_charges = self.failed_charges.saturating_add(count);
    }

    /// A process of an actor, a worker or what its step had started, ended without memtide's doing. Says whether the OOM killer did it; the
    /// counters of its container must have been read since.
    pub fn exit(&mut self, who: &str, end: End) -> bool {
        if !tells_of_a_kill(end) {
            return false;
        }
        let by_oom_killer = match self.oom_kills {
            Some(kills) if kills > self.explained => {
                self.explained += 1;
                true
            }
            Some(_) => false,
            None => self.failed_charges > 0,
        };
        match (by_oom_killer, end) {
            (true, _) => self.oom_kills = Some(self.oom_kills.unwrap_or(0).max(1)),
            // An exit code of 137 may mean anything where nothing else speaks of a kill.
            (false, End::Code(_)) => {}
            (false, End::Signal(_)) => self.kills.push(who.into()),
        }
        // The process itself: a shell that passes on a child's end was not killed.
        by_oom_killer && matches!(end, End::Signal(_))
    }

    /// A step missed its target, or a process ended before its steps did.
    pub fn failed(&mut self, what: String) {
        self.failed.push(what);
    }

    /// The deadline passed with steps open; `stalled` at memory.high or not.
    pub fn deadline(&mut self, stalled: bool) {
        self.stalled |= stalled;
        self.unfinished = true;
    }

    /// The outcome of this container and a sentence.
    pub fn outcome(&self) -> (Outcome, String) {
        let name = &self.name;
        if let Some(kills @ 1..) = self.oom_kills {
            let whom = match kills {
                1 => "a process".to_string(),
                _ => format!("{kills} processes"),
            };
            let text = format!("the kernel's OOM killer ended {whom} of {name}");
            return (Outcome::OomKilled, text);
        }
        if let Some(who) = self.kills.first() {
            let text = format!(
                "{who} of {name} got a SIGKILL that memtide did not send and the kernel does not \
                 count as an OOM kill of this container"
            );
            return (Outcome::Killed, text);
        }
        if self.stalled {
            let text = format!("{name} stalled at memory.high until the end");
            return (Outcome::Throttled, text);
        }
        if self.unfinished {
            return (Outcome::TimedOut, "the deadline passed".into());
        }
        match self.failed.first() {
            Some(first) => (Outcome::Failed, first.clone()),
            None => (Outcome::Survived, "all steps were done".into()),
        }
    }
}

/// What the run as a whole has beside its containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OfRun {
    /// Ctrl-C, TERM, or the reader's wish.
    pub interrupted: bool,
    /// The pod's counter of OOM kills rose by this much: on v2 with those of its containers.
    pub pod_oom_kills: u64,
}

/// The outcome of the run and a sentence: the gravest of its containers', the first where several
/// share it.
pub fn of_run(run: OfRun, containers: &[Evidence]) -> (Outcome, String) {
    if run.interrupted {
        return (Outcome::Failed, INTERRUPTED.into());
    }
    let gravest = containers
        .iter()
        .map(Evidence::outcome)
        .reduce(|a, b| if grave(b.0) > grave(a.0) { b } else { a });
    let (outcome, reason) =
        gravest.unwrap_or_else(|| (Outcome::Survived, "all steps were done".into()));
    if outcome != Outcome::OomKilled && run.pod_oom_kills > 0 {
        let text = "the kernel's OOM killer ended a process in the pod, outside of its containers";
        return (Outcome::OomKilled, text.into());
    }
    (outcome, reason)
}

/// How much an outcome says about a run beside other containers' outcomes.
fn grave(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Survived => 0,
        Outcome::Failed => 1,
        Outcome::TimedOut => 2,
        Outcome::Throttled => 3,
        Outcome::Killed => 4,
        Outcome::OomKilled => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A container whose kernel counts kills.
    fn counted(kills: u64) -> Evidence {
        let mut evidence = Evidence::new("app");
        evidence.oom_kills(0);
        evidence.oom_kills(kills);
        evidence
    }

    fn outcome(evidence: &Evidence) -> Outcome {
        evidence.outcome().0
    }

    #[test]
    fn a_kill_that_the_cgroup_counts_is_an_oom_kill_whoever_outlives_it() {
        for end in [
            End::Code(0),
            End::Code(3),
            End::Code(137),
            End::Signal(9),
            End::Signal(15),
        ] {
            let mut evidence = counted(1);
            let itself = evidence.exit("sh", end);
            assert_eq!(itself, end == End::Signal(9), "{end:?}");
            if end == End::Code(3) {
                evidence.failed("run: exit code 3".into());
            }
            assert_eq!(outcome(&evidence), Outcome::OomKilled, "{end:?}");
        }
        // A child that nobody waits for: no exit is ever seen.
        assert_eq!(outcome(&counted(1)), Outcome::OomKilled);
    }

    #[test]
    fn a_sigkill_that_no_counter_explains_is_killed_and_no_oom_kill() {
        let mut evidence = counted(0);
        assert!(!evidence.exit("worker", End::Signal(9)));
        evidence.failed("worker ended during step a".into());
        let (outcome, reason) = evidence.outcome();
        assert_eq!(outcome, Outcome::Killed);
        assert!(reason.contains("worker of app"), "{reason}");
        // One counted kill explains one of two, not both.
        let mut evidence = counted(1);
        assert!(evidence.exit("a", End::Signal(9)));
        assert!(!evidence.exit("b", End::Signal(9)));
        assert_eq!(evidence.outcome().0, Outcome::OomKilled);
    }

    #[test]
    fn without_a_counter_failed_charges_and_a_sigkill_tell() {
        let old = |charges, end| {
            let mut evidence = Evidence::new("app");
            evidence.failed_charges(charges);
            let itself = evidence.exit("app", end);
            (evidence.outcome().0, itself)
        };
        assert_eq!(old(7, End::Signal(9)), (Outcome::OomKilled, true));
        assert_eq!(old(7, End::Code(137)), (Outcome::OomKilled, false));
        assert_eq!(old(0, End::Signal(9)), (Outcome::Killed, false));
        assert_eq!(old(0, End::Code(137)), (Outcome::Survived, false));
        assert_eq!(old(7, End::Code(0)), (Outcome::Survived, false));
        assert_eq!(old(7, End::Signal(11)), (Outcome::Survived, false));
    }

    #[test]
    fn other_signals_and_codes_are_failures_if_a_step_says_so() {
        for end in [
            End::Signal(11),
            End::Signal(6),
            End::Signal(15),
            End::Code(1),
        ] {
            let mut evidence = counted(0);
            assert!(!evidence.exit("app", end));
            assert_eq!(outcome(&evidence), Outcome::Survived, "{end:?}");
            evidence.failed("a step".into());
            assert_eq!(evidence.outcome(), (Outcome::Failed, "a step".to_string()));
        }
    }

    #[test]
    fn a_deadline_is_throttled_only_where_memory_high_made_somebody_wait() {
        for (stalled, want) in [(true, Outcome::Throttled), (false, Outcome::TimedOut)] {
            let mut evidence = counted(0);
            evidence.deadline(stalled);
            assert_eq!(outcome(&evidence), want);
        }
        let mut evidence = counted(1);
        evidence.deadline(true);
        assert_eq!(outcome(&evidence), Outcome::OomKilled);
    }

    #[test]
    fn each_container_has_its_own_and_the_run_the_gravest() {
        let healthy = counted(0);
        let mut killed = counted(2);
        killed.name = "side".into();
        let run = OfRun::default();
        let both = [healthy.clone(), killed];
        assert_eq!(outcome(&both[0]), Outcome::Survived);
        let (of_run_, reason) = of_run(run, &both);
        assert_eq!(of_run_, Outcome::OomKilled);
        assert!(reason.contains("2 processes of side"), "{reason}");
        // The kill of one is no excuse for the SIGKILL of the other.
        let mut other = healthy.clone();
        assert!(!other.exit("app", End::Signal(9)));
        assert_eq!(outcome(&other), Outcome::Killed);
        assert_eq!(
            of_run(run, std::slice::from_ref(&healthy)).0,
            Outcome::Survived
        );
        assert_eq!(of_run(run, &[]).0, Outcome::Survived);
        let in_pod = OfRun {
            pod_oom_kills: 1,
            ..run
        };
        assert_eq!(of_run(in_pod, &[healthy]).0, Outcome::OomKilled);
        let interrupted = OfRun {
            interrupted: true,
            ..run
        };
        assert_eq!(
            of_run(interrupted, &both),
            (Outcome::Failed, "interrupted".into())
        );
    }

    #[test]
    fn a_container_made_anew_keeps_what_happened_before() {
        let mut evidence = counted(1);
        // The new cgroup's counter begins at 0 and has not risen.
        evidence.oom_kills(0);
        assert_eq!(outcome(&evidence), Outcome::OomKilled);
    }

    #[test]
    fn the_gravest_of_several_is_told_and_of_equal_ones_the_first() {
        let ways: [fn(&mut Evidence); 6] = [
            |_| {},
            |e| e.failed("missed".into()),
            |e| e.deadline(false),
            |e| e.deadline(true),
            |e| {
                let _ = e.exit("w", End::Signal(9));
            },
            |e| e.oom_kills(1),
        ];
        let of = |name: &str, way: fn(&mut Evidence)| {
            let mut evidence = counted(0);
            evidence.name = name.into();
            way(&mut evidence);
            evidence
        };
        for (less, way) in ways.iter().enumerate() {
            for graver in &ways[less + 1..] {
                let (a, b) = (of("a", *way), of("b", *graver));
                let want = b.outcome();
                assert_ne!(a.outcome().0, want.0);
                assert_eq!(of_run(OfRun::default(), &[a.clone(), b.clone()]), want);
                assert_eq!(of_run(OfRun::default(), &[b, a]), want);
                // The same where one container has seen both.
                let mut both = of("b", *graver);
                way(&mut both);
                assert_eq!(both.outcome().0, want.0);
            }
            let same = [of("a", *way), of("b", *way)];
            assert_eq!(of_run(OfRun::default(), &same), same[0].outcome());
        }
        let mut twice = counted(0);
        twice.failed("first".into());
        twice.failed("second".into());
        assert_eq!(twice.outcome().1, "first");
    }
}
