//! What became of a pod, in words that say what to do.

use std::fmt;

use super::pods::{Pod, Terminated};

/// The fate of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It ended with exit code 0.
    Succeeded,
    /// memtide ended with this code.
    Exited(i32),
    /// The kernel killed the whole container, and Kubernetes says so.
    OomKilled(i32),
    /// SIGKILL, and Kubernetes names no reason: the node's own OOM killer, a hang-up, a person.
    Killed,
    /// The kubelet evicted it.
    Evicted(String),
    /// The scheduler took its place away for a more important pod.
    Preempted(String),
    /// The node went, was drained, or the kubelet would not have it.
    Disrupted(String),
    /// Somebody deleted it before its end.
    Deleted(String),
    /// The image can't be pulled.
    ImageMissing(String),
    /// The container can't be made.
    CannotStart(String),
    /// No node takes it.
    Unschedulable(String),
    /// It does not start, and its events say why.
    Hindered(String),
    /// Not started yet.
    Pending,
    /// It runs.
    Running,
    /// It is being deleted, or its node does not answer: it has not ended yet.
    Ending(String),
    /// It failed in a way that has no name here.
    Failed(String),
}

/// The exit code of a process that SIGKILL ended.
const KILLED: i32 = 137;
/// memtide's own code, and a shell's, of a process that was asked to end.
const ASKED_TO_END: [i32; 2] = [130, 143];
/// What a runtime gives a container whose program it could not start.
const NEVER_STARTED: [&str; 3] = ["StartError", "ContainerCannotRun", "CreateError"];
/// What the kubelet gives a container of which it lost sight.
const UNKNOWN: &str = "ContainerStatusUnknown";

impl Fate {
    /// Reads it from a pod's status.
    pub fn of(pod: &Pod) -> Fate {
        match pod.phase.as_str() {
            "Succeeded" => Fate::Succeeded,
            "Failed" => Fate::of_failed(pod),
            _ if pod.gone => Fate::Deleted(format!(
                "it was {} when it was last seen",
                match pod.phase.as_str() {
                    "" => "of no phase",
                    phase => phase,
                }
                .to_lowercase()
            )),
            _ => Fate::of_open(pod),
        }
    }

    fn of_failed(pod: &Pod) -> Fate {
        if pod.reason == "Evicted" {
            return Fate::Evicted(pod.message.clone());
        }
        if let Some((reason, message)) = pod.condition("DisruptionTarget", "True") {
            return match reason {
                "PreemptionByScheduler" => Fate::Preempted(message.into()),
                "TerminationByKubelet" => Fate::Evicted(message.into()),
                _ => Fate::Disrupted(format!("{reason}: {message}")),
            };
        }
        match &pod.terminated {
            Some(ended) => Fate::of_container(pod, ended),
            // Refused by the kubelet, or taken down with its node (OutOfmemory, NodeAffinity,
            // Terminated, NodeLost): it never had a container's end of its own.
            None if !pod.reason.is_empty() => {
                Fate::Disrupted(format!("{}: {}", pod.reason, pod.message))
            }
            None if pod.deleting => Fate::Deleted("before its container was made".into()),
            None => match pod
                .init
                .as_ref()
                .and_then(|i| Some((i, i.terminated.as_ref()?)))
            {
                Some((init, ended)) => Fate::Failed(format!(
                    "init container {} ended with exit {} {} {}",
                    init.name, ended.code, ended.reason, ended.message
                )),
                None => Fate::Failed(pod.message.clone()),
            },
        }
    }

    fn of_container(pod: &Pod, ended: &Terminated) -> Fate {
        match (ended.code, ended.reason.as_str()) {
            // Runtimes say OOMKilled of every failed container in which the kernel killed any
            // process: with one of memtide's own codes it was a worker, and memtide lived on.
            (1..=3, "OOMKilled") => Fate::Exited(ended.code),
            (code, "OOMKilled") => Fate::OomKilled(code),
            (0, _) => Fate::Succeeded,
            (code @ 1..=3, _) => Fate::Exited(code),
            (_, reason) if NEVER_STARTED.contains(&reason) => {
                Fate::Failed(format!("never started: {reason}: {}", ended.message))
            }
            (code, _) if pod.deleting => Fate::Deleted(format!("exit {code}")),
            // Graceful shutdown of the node, and whatever else the kubelet ends a pod for.
            (_, _) if !pod.reason.is_empty() => {
                Fate::Disrupted(format!("{}: {}", pod.reason, pod.message))
            }
            (_, UNKNOWN) => Fate::Disrupted(format!("{UNKNOWN}: {}", ended.message)),
            (KILLED, _) => Fate::Killed,
            (code, _) => Fate::Exited(code),
        }
    }

    fn of_open(pod: &Pod) -> Fate {
        if pod.deleting {
            return Fate::Ending("the pod is being deleted".into());
        }
        if let Some((reason, message)) = pod.condition("DisruptionTarget", "True") {
            return Fate::Ending(format!("{reason}: {message}"));
        }
        if let Some(ended) = &pod.terminated {
            return Fate::of_container(pod, ended);
        }
        if let Some(fate) = Fate::of_waiting(pod) {
            return fate;
        }
        match pod.condition("PodScheduled", "False") {
            Some((_, message)) if pod.phase == "Pending" => Fate::Unschedulable(message.into()),
            _ if pod.phase == "Pending" => match &pod.hindrance {
                Some(why) => Fate::Hindered(why.clone()),
                None => Fate::Pending,
            },
            _ if pod.phase == "Running" => Fate::Running,
            _ if pod.phase == "Unknown" => Fate::Ending("its node does not answer".into()),
            _ => Fate::Failed(format!("{} {} {}", pod.phase, pod.reason, pod.message)),
        }
    }

    /// Of a container, or an init container before it, that waits for more than its turn.
    fn of_waiting(pod: &Pod) -> Option<Fate> {
        let init = pod.init.as_ref().and_then(|init| {
            let (reason, message) = init.waiting.as_ref()?;
            let name = format!("init container {}: ", init.name);
            Some((name, reason, message, &init.terminated))
        });
        let own = pod.waiting.as_ref();
        let own = own.map(|(reason, message)| (String::new(), reason, message, &pod.before));
        let (name, reason, message, before) = init.or(own)?;
        let mut text = match message.is_empty() {
            true => format!("{name}{reason}"),
            false => format!("{name}{reason}: {message}"),
        };
        if let Some(before) = before {
            text.push_str(&format!(
                "; before that it ended with exit {} {}",
                before.code, before.reason
            ));
        }
        match reason.as_str() {
            "" | "ContainerCreating" | "PodInitializing" => None,
            "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed"
            | "InvalidImageName" => Some(Fate::ImageMissing(text)),
            image if image.starts_with("ErrImage") || image.starts_with("ImagePull") => {
                Some(Fate::ImageMissing(text))
            }
            _ => Some(Fate::CannotStart(text.trim_end().into())),
        }
    }

    /// Whether nothing more will come of the pod.
    pub fn is_over(&self) -> bool {
        !matches!(self, Fate::Pending | Fate::Running | Fate::Ending(_)) && !self.is_stuck()
    }

    /// Whether it waits for something that only a person can change.
    pub fn is_stuck(&self) -> bool {
        matches!(
            self,
            Fate::ImageMissing(_)
                | Fate::CannotStart(_)
                | Fate::Unschedulable(_)
                | Fate::Hindered(_)
        )
    }

    /// Whether the cluster or a person, not the scenario, ended it: another pod takes its index.
    pub fn is_disruption(&self) -> bool {
        match self {
            Fate::Evicted(_) | Fate::Preempted(_) | Fate::Disrupted(_) | Fate::Deleted(_) => true,
            Fate::Exited(code) => ASKED_TO_END.contains(code),
            _ => false,
        }
    }

    /// Its kind, without the words that change from look to look.
    pub fn kind(&self) -> &'static str {
        match self {
            Fate::Succeeded => "succeeded",
            Fate::Exited(_) => "exited",
            Fate::OomKilled(_) => "oom-killed",
            Fate::Killed => "killed",
            Fate::Evicted(_) => "evicted",
            Fate::Preempted(_) => "preempted",
            Fate::Disrupted(_) => "disrupted",
            Fate::Deleted(_) => "deleted",
            Fate::ImageMissing(_) => "image-missing",
            Fate::CannotStart(_) => "cannot-start",
            Fate::Unschedulable(_) => "unschedulable",
            Fate::Hindered(_) => "hindered",
            Fate::Pending => "pending",
            Fate::Running => "running",
            Fate::Ending(_) => "ending",
            Fate::Failed(_) => "failed",
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fate::Succeeded => write!(f, "succeeded"),
            Fate::Exited(1) => write!(f, "exit 1: an expectation was not met"),
            Fate::Exited(2) => write!(f, "exit 2: the command or a file was wrong; see its log"),
            Fate::Exited(3) => write!(f, "exit 3: the node can't run it; see its log"),
            Fate::Exited(code) if ASKED_TO_END.contains(code) => {
                write!(f, "exit {code}: asked to end (SIGTERM or SIGINT)")
            }
            Fate::Exited(code) => write!(f, "exit {code}"),
            Fate::OomKilled(code) => write!(
                f,
                "OOMKilled (exit {code}): the kernel killed the whole container, memtide included"
            ),
            Fate::Killed => write!(
                f,
                "exit 137: killed, and Kubernetes does not say by what (the node's OOM killer, a \
                 runtime that went away, a person); see `kubectl describe pod`"
            ),
            Fate::Evicted(why) => write!(f, "evicted by the kubelet: {why}"),
            Fate::Preempted(why) => write!(f, "preempted for a more important pod: {why}"),
            Fate::Disrupted(why) => write!(f, "disrupted: {why}"),
            Fate::Deleted(why) => write!(f, "the pod was deleted: {why}"),
            Fate::ImageMissing(why) => write!(
                f,
                "the image is missing ({why}); load it into the nodes or set another one"
            ),
            Fate::CannotStart(why) => write!(f, "the container can't be started: {why}"),
            Fate::Unschedulable(why) => write!(f, "pending, no node takes it: {why}"),
            Fate::Hindered(why) => write!(f, "pending: {why}"),
            Fate::Pending => write!(f, "pending"),
            Fate::Running => write!(f, "still running"),
            Fate::Ending(why) => write!(f, "ending: {why}"),
            Fate::Failed(why) => write!(f, "failed: {}", why.trim()),
        }
    }
}
