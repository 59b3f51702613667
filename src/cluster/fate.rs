//! What became of a pod, in words that say what to do.

use std::fmt;

use super::pods::Pod;

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
    /// The node went, was drained, or the pod was deleted.
    Disrupted(String),
    /// The image can't be pulled.
    ImageMissing(String),
    /// The container can't be made.
    CannotStart(String),
    /// No node takes it.
    Unschedulable(String),
    /// Not started yet.
    Pending,
    /// It runs.
    Running,
    /// It failed in a way that has no name here.
    Failed(String),
}

/// The exit code of a process that SIGKILL ended.
const KILLED: i32 = 137;

impl Fate {
    /// Reads it from a pod's status.
    pub fn of(pod: &Pod) -> Fate {
        let disruption = pod.condition("DisruptionTarget", "True");
        let over = matches!(pod.phase.as_str(), "Succeeded" | "Failed");
        if pod.phase == "Succeeded" {
            return Fate::Succeeded;
        }
        if pod.reason == "Evicted" {
            return Fate::Evicted(pod.message.clone());
        }
        if let Some((reason, message)) = disruption.filter(|_| over) {
            return match reason {
                "PreemptionByScheduler" => Fate::Preempted(message.into()),
                "TerminationByKubelet" => Fate::Evicted(message.into()),
                _ => Fate::Disrupted(format!("{reason}: {message}")),
            };
        }
        if let Some((code, reason)) = &pod.terminated {
            return match (code, reason.as_str()) {
                // Runtimes say OOMKilled of every failed container in which the kernel killed any
                // process: with one of memtide's own codes it was a worker, and memtide lived on.
                (1..=3, "OOMKilled") => Fate::Exited(*code),
                (code, "OOMKilled") => Fate::OomKilled(*code),
                (0, _) => Fate::Succeeded,
                (&KILLED, _) => Fate::Killed,
                (code, _) => Fate::Exited(*code),
            };
        }
        if let Some((reason, message)) = &pod.waiting {
            let text = format!("{reason}: {message}");
            match reason.as_str() {
                "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => {
                    return Fate::ImageMissing(text);
                }
                "CreateContainerConfigError"
                | "CreateContainerError"
                | "RunContainerError"
                | "CrashLoopBackOff" => return Fate::CannotStart(text),
                _ => {}
            }
        }
        match pod.condition("PodScheduled", "False") {
            Some((_, message)) if pod.phase == "Pending" => Fate::Unschedulable(message.into()),
            _ if pod.phase == "Pending" => Fate::Pending,
            _ if pod.phase == "Running" => Fate::Running,
            _ => Fate::Failed(format!("{} {} {}", pod.phase, pod.reason, pod.message)),
        }
    }

    /// Whether nothing more will come of the pod.
    pub fn is_over(&self) -> bool {
        !matches!(self, Fate::Pending | Fate::Running) && !self.is_stuck()
    }

    /// Whether it waits for something that only a person can change.
    pub fn is_stuck(&self) -> bool {
        matches!(
            self,
            Fate::ImageMissing(_) | Fate::CannotStart(_) | Fate::Unschedulable(_)
        )
    }

    /// Whether the cluster, not the scenario, ended it: another pod takes its index.
    pub fn is_disruption(&self) -> bool {
        matches!(
            self,
            Fate::Evicted(_) | Fate::Preempted(_) | Fate::Disrupted(_)
        )
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fate::Succeeded => write!(f, "succeeded"),
            Fate::Exited(1) => write!(f, "exit 1: an expectation was not met"),
            Fate::Exited(2) => write!(f, "exit 2: the command or a file was wrong; see its log"),
            Fate::Exited(3) => write!(f, "exit 3: the node can't run it; see its log"),
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
            Fate::ImageMissing(why) => write!(
                f,
                "the image is missing ({why}); load it into the nodes or set another one"
            ),
            Fate::CannotStart(why) => write!(f, "the container can't be started: {why}"),
            Fate::Unschedulable(why) => write!(f, "pending, no node takes it: {why}"),
            Fate::Pending => write!(f, "pending"),
            Fate::Running => write!(f, "still running"),
            Fate::Failed(why) => write!(f, "failed: {}", why.trim()),
        }
    }
}
