//! Facts about the machine that decide how memory numbers behave; kept in every recording.

mod detect;
mod doctor;
mod facts;
mod meminfo;
mod speed;
#[cfg(test)]
pub(crate) mod testing;

pub use detect::{detect, filesystem_of, free_space, uname};
pub use doctor::Doctor;
pub use facts::{HostFacts, Lru, parse_kernel_version};
pub use meminfo::Meminfo;
pub use speed::slowness;
