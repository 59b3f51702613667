//! From numbers that people paste to what they mean.

pub mod consistency;
pub mod derive;
pub mod meminfo;
