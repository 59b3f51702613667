//! What harness and worker say to each other: JSON, one message a line.
//!
//! The harness starts `memtide __worker` with stdin and stdout as pipes and the truth page as a file
//! descriptor whose number is the second argument. It writes the [`Plan`] as the first line, then a line `{"go": N}` for each step N
//! that may start. The worker answers `{"ready": ..}` once its own start-up memory is in place,
//! and one [`Report`] a step. When its stdin closes, the worker ends.

use serde::{Deserialize, Serialize};

use crate::workload::{End, Unit, Workload};

/// What one worker is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The actor's name, for messages.
    pub actor: String,
    /// The actor's own seed, derived from the scenario's by name.
    pub seed: u64,
    /// The pod's work directory: every file lives below it.
    pub workdir: std::path::PathBuf,
    /// The one CPU it runs on, as an index into those that it may use; none is any of them.
    pub cpu: Option<usize>,
    /// It works outside of all containers: no cgroup takes along what its commands leave, so it does.
    #[serde(default)]
    pub outside: bool,
    /// The steps in order.
    pub steps: Vec<PlannedStep>,
}

/// One step of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Unique in the actor; the step's seed is derived from it.
    pub name: String,
    /// What it does.
    pub workload: Workload,
}

/// From the harness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Do step N now.
    Go(usize),
    /// The service of step N shall stop; to a step that has ended it says nothing.
    Stop(usize),
}

/// From the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The plan was read; the worker waits for its first order.
    Ready {
        /// The worker's process id.
        pid: i32,
    },
    /// The service of this step runs, and has printed the line that was awaited.
    Serving(usize),
    /// A step ended.
    Report(Report),
}

/// How one step went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The step's index in the plan, from 0.
    pub step: usize,
    /// What was asked for.
    pub target: u64,
    /// What was reached.
    pub achieved: u64,
    /// `bytes`, `passes`, `ms` or `ops`.
    pub unit: String,
    /// How it went.
    pub status: Status,
    /// The end of what a service printed that was told to stop, as the end of a message; else empty.
    pub said: String,
}

impl Report {
    /// Of a step that was done as a whole or not at all.
    pub fn whole(step: usize, target: u64, status: Status) -> Self {
        Report {
            step,
            target,
            achieved: if status == Status::Done { target } else { 0 },
            unit: Unit::Ops.name().into(),
            status,
            said: String::new(),
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The target was reached.
    Done,
    /// It was not, because of this.
    Failed(String),
    /// The command that was to do it ended like this, and neither worker nor harness had told it to.
    Ended {
        /// How.
        end: End,
        /// In words.
        why: String,
    },
    /// The kernel can't do it, because of this.
    Skipped(String),
}
