//! Everything `unsafe`, one small file a subject, each behind a safe interface.

pub mod fd;
pub mod file_map;
pub mod memory;
pub mod probe;
pub mod process;
pub mod wide;
