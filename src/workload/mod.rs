//! Workloads: what a step does. One file each, behind one small trait.
//!
//! To add one: its parameters in `spec.rs` with an arm in [`Workload`], a file here that implements
//! [`Work`] for them, and an arm in [`Workload::work`].
//!
//! Measured memory never comes from the allocator; see [`crate::sys::memory::Anon`].

mod anon;
mod clock;
mod context;
mod dist;
mod files;
mod log_lines;
mod log_rotate;
mod log_write;
mod pace;
mod reached;
mod region;
mod sleep;
mod spec;
mod unlink;

pub use context::Context;
pub use reached::{Reached, Unit, WorkError};
pub use spec::*;

/// What a step does.
pub trait Work {
    /// Does it, keeps the truth page right all along, and says how far it came. What later steps
    /// of the actor need (regions, open files) is left in the context.
    ///
    /// # Errors
    /// [`WorkError::Failed`] with how far it came, [`WorkError::Skipped`] where the kernel can't.
    fn run(&self, context: &mut Context) -> Result<Reached, WorkError>;
}

impl Workload {
    /// The parameters as what they do.
    pub fn work(&self) -> &dyn Work {
        match self {
            Workload::LogWrite(work) => work,
            Workload::Unlink(work) => work,
            Workload::Anon(work) => work,
            Workload::Sleep(work) => work,
            _ => &Missing,
        }
    }
}

/// Stands in for a workload that is not there yet: fails, never silent.
struct Missing;

impl Work for Missing {
    fn run(&self, _: &mut Context) -> Result<Reached, WorkError> {
        Err(Reached::new(1, 0, Unit::Ops).failed("this workload is not built yet"))
    }
}
