//! Workloads: what a step does. One file each, behind one small trait.
//!
//! To add one: its parameters in `spec.rs` with an arm in [`Workload`], a file here that implements
//! [`Work`] for them, and an arm in [`Workload::work`].
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
mod sleep;
mod spec;
mod thp_release;
mod tmpfs;
mod unlink;

pub use context::Context;
pub use reached::{Reached, Unit, WorkError};
pub use spec::*;
pub use tmpfs::{SHM, folder as tmpfs_folder};

/// What a step does.
pub trait Work {
    /// Does it, keeps the truth page right all along, and says how far it came. What later steps
    /// of the actor need (regions, open files) is left in the context.
    ///
    /// # Errors
    /// [`WorkError::Failed`] with how far it came, [`WorkError::Skipped`] where the kernel can't.
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError>;
}

/// Steps that only the harness can do; a worker is never ordered to.
struct NotHere;

impl Work for NotHere {
    fn run(&self, _: &mut Context) -> Result<Reached, WorkError> {
        Err(Reached::new(1, 0, Unit::Ops).failed("only the harness can do this step"))
    }
}

impl Workload {
    /// The parameters as what they do.
    pub fn work(&self) -> &dyn Work {
        match self {
            Workload::LogWrite(work) => work,
            Workload::Unlink(work) => work,
            Workload::Anon(work) => work,
            Workload::Release(work) => work,
            Workload::Rewrite(work) => work,
            Workload::Sleep(work) => work,
            Workload::FileRead(work) => work,
            Workload::Exec(work) => work,
            Workload::HeapChurn(work) => work,
            Workload::TmpfsFill(work) => work,
            Workload::TmpfsRemove(work) => work,
            Workload::MmapScan(work) => work,
            Workload::Dentries(work) => work,
            Workload::ThpRelease(work) => work,
            Workload::Reclaim(work) => work,
            Workload::Fadvise(work) => work,
            Workload::RestartContainer(_) | Workload::CgroupChurn(_) => &NotHere,
        }
    }
}
