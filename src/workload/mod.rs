//! Workloads: what a step does. One file each, behind one small trait.
//!
//! To add one: a file here with its parameters and [`Work`] for them (what it does, what it does to
//! the truth, what it needs on disk), its name in the list of [`Workload`].
//!
//! Measured memory never comes from the allocator; see [`crate::sys::memory::Anon`].

mod anon;
mod arena;
mod clock;
mod context;
mod dentries;
mod dist;
mod exec;
mod exec_output;
mod fadvise;
mod file_read;
mod files;
mod from_outside;
mod heap_churn;
mod log_lines;
mod log_rotate;
mod log_write;
mod mmap_scan;
mod pace;
mod reached;
mod reclaim;
mod region;
mod release;
mod rewrite;
mod serve;
mod sleep;
mod spec;
mod thp_release;
mod tmpfs;
mod unlink;

pub use anon::{Anon, Huge};
pub use context::Context;
pub use dentries::Dentries;
pub use dist::Dist;
pub use fadvise::{Fadvise, FileAdvice};
pub use file_read::FileRead;
pub use from_outside::{CgroupChurn, RestartContainer};
pub use heap_churn::HeapChurn;
pub use log_rotate::{Rotate, RotateMode};
pub use log_write::{Fsync, LogWrite};
pub use mmap_scan::MmapScan;
pub use reached::{End, Reached, Unit, WorkError};
pub use reclaim::Reclaim;
pub use release::{Advice, Release};
pub use rewrite::Rewrite;
pub use spec::*;
pub use thp_release::ThpRelease;
pub use tmpfs::{SHM, folder as tmpfs_folder};
pub use unlink::Unlink;

/// What a step does.
pub trait Work {
    /// Does it, keeps the truth page right all along, and says how far it came. What later steps
    /// of the actor need (regions, open files) is left in the context.
    ///
    /// # Errors
    /// [`WorkError::Failed`] with how far it came, [`WorkError::Skipped`] where the kernel can't.
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError>;

    /// What must be free before the run begins. No default: the compiler asks a new workload for it.
    fn needs(&self) -> Needs;
}

/// What a step can fill up at the most, as if nothing were deleted: bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// In files of the work directory.
    pub disk: u64,
    /// In files on the tmpfs.
    pub tmpfs: u64,
}

impl Needs {
    /// It writes no files.
    pub const NOTHING: Needs = Needs { disk: 0, tmpfs: 0 };

    /// So much in the work directory.
    pub fn disk(disk: u64) -> Needs {
        Needs {
            disk,
            ..Needs::NOTHING
        }
    }

    /// What both steps need together.
    pub fn and(self, other: Needs) -> Needs {
        Needs {
            disk: self.disk.saturating_add(other.disk),
            tmpfs: self.tmpfs.saturating_add(other.tmpfs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_writes_says_how_much() {
        let churn = CgroupChurn {
            count: 1000,
            file: 1 << 20,
        };
        let fill = TmpfsFill {
            file: "data".into(),
            size: 3 << 20,
            rate: None,
        };
        let log = |rotate| LogWrite {
            file: "app.log".into(),
            line: Dist::Fixed(128),
            buffer: 0,
            rate: Some(1 << 20),
            total: None,
            duration_ms: Some(10_000),
            fsync: Fsync::Never,
            rotate,
            keep_open: false,
        };
        let rotated = Rotate {
            size: 1 << 20,
            mode: RotateMode::Rename,
            keep: 2,
        };
        let steps = [
            Workload::CgroupChurn(churn),
            Workload::TmpfsFill(fill),
            Workload::LogWrite(log(None)),
            Workload::LogWrite(log(Some(rotated))),
        ];
        let needs = steps.map(|step| step.work().needs());
        assert_eq!(needs.map(|n| n.disk >> 20), [1000, 0, 10, 4]);
        assert_eq!(needs.map(|n| n.tmpfs >> 20), [0, 3, 0, 0]);
    }
}
