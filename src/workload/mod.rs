//! Workloads: what a step does. One file each, behind one small trait.

mod spec;

pub use spec::*;
