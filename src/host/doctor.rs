//! Everything `memtide doctor` tells of a machine beyond the facts that recordings keep.

use std::path::{Path, PathBuf};

use super::{HostFacts, detect, free_space};
use crate::cgroup::{CannotManage, Hierarchy, Limit, Needs, Parent, systemd_user_manager, v2};
use crate::rows::CgroupVersion;

/// What was found.
#[derive(Debug, Clone)]
pub struct Doctor {
    /// The facts that recordings keep.
    pub facts: HostFacts,
    /// The memory controller's hierarchy and the own cgroup in it.
    pub hierarchy: Hierarchy,
    /// v1: the controllers mounted with memory; v2: those handed down to the own cgroup.
    pub controllers: Vec<String>,
    /// The smallest limit of the own cgroup and all above it, and who sets it.
    pub limit: Limit,
    /// Where a pod can be made, or why nowhere.
    pub managed: Result<Parent, CannotManage>,
    /// How eagerly the kernel swaps: the own cgroup's on v1, the machine's on v2.
    pub swappiness: Option<u64>,
    /// Bytes free on the work directory's file system.
    pub free_space: Option<u64>,
    /// The systemd user manager's socket, if there is one.
    pub systemd_user: Option<PathBuf>,
}

impl Doctor {
    /// Looks at everything. Changes nothing but for a probe directory that is removed at once.
    pub fn examine(hierarchy: Hierarchy, workdir: &Path) -> Doctor {
        let managed = hierarchy.plan_parent();
        let placement = if managed.is_ok() {
            "managed"
        } else {
            "ambient"
        };
        Doctor {
            facts: detect(&hierarchy, workdir, placement),
            controllers: controllers(&hierarchy),
            limit: hierarchy.effective_limit(&hierarchy.own),
            swappiness: swappiness(&hierarchy),
            free_space: free_space(workdir),
            systemd_user: systemd_user_manager(),
            managed,
            hierarchy,
        }
    }

    /// What would be done to the parent of a pod first, in words; none if nothing.
    pub fn preparation(&self) -> Option<String> {
        let parent = self.managed.as_ref().ok()?;
        match parent.needs {
            Needs::Nothing => None,
            Needs::EnableMemory => Some(format!(
                "the memory controller will be switched on in {}",
                parent.path.display()
            )),
            Needs::Leaf { processes } => Some(format!(
                "{processes} processes will move into a child of {} for the time of a run, so that \
                 the memory controller can be switched on there",
                parent.path.display()
            )),
        }
    }
}

fn controllers(hierarchy: &Hierarchy) -> Vec<String> {
    let (file, separator) = match hierarchy.version {
        CgroupVersion::V2 => (hierarchy.own.join(v2::CONTROLLERS), ' '),
        CgroupVersion::V1 => (PathBuf::from("/proc/self/cgroup"), ','),
    };
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let list = match hierarchy.version {
        CgroupVersion::V2 => text.trim(),
        CgroupVersion::V1 => text
            .lines()
            .filter_map(|line| line.split(':').nth(1))
            .find(|list| list.split(',').any(|c| c == "memory"))
            .unwrap_or(""),
    };
    list.split(separator)
        .filter(|c| !c.is_empty())
        .map(str::to_string)
        .collect()
}

fn swappiness(hierarchy: &Hierarchy) -> Option<u64> {
    let file = match hierarchy.version {
        CgroupVersion::V1 => hierarchy.own.join("memory.swappiness"),
        CgroupVersion::V2 => PathBuf::from("/proc/sys/vm/swappiness"),
    };
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}
