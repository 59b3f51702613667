//! `restart_container` and `cgroup_churn`: steps that the harness does from outside the container; a
//! worker would not outlive them.

use serde::{Deserialize, Serialize};

use super::{Context, Needs, Reached, Unit, Work, WorkError};

/// See [`Workload::RestartContainer`](super::Workload::RestartContainer).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestartContainer {
    /// Whether the run's files go, too, as they do when a pod (not only its container) is replaced.
    pub delete_files: bool,
}

/// See [`Workload::CgroupChurn`](super::Workload::CgroupChurn).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CgroupChurn {
    /// How many cgroups come and go.
    pub count: u64,
    /// Bytes of a file that each writes and leaves behind.
    pub file: u64,
}

fn not_here() -> Result<Reached, WorkError> {
    Err(Reached::new(1, 0, Unit::Ops).failed("only the harness can do this step"))
}

impl Work for RestartContainer {
    fn run(&self, _: &mut Context) -> Result<Reached, WorkError> {
        not_here()
    }

    fn needs(&self) -> Needs {
        Needs::NOTHING
    }
}

impl Work for CgroupChurn {
    fn run(&self, _: &mut Context) -> Result<Reached, WorkError> {
        not_here()
    }

    fn needs(&self) -> Needs {
        Needs::disk(self.count.saturating_mul(self.file))
    }
}
