//! memtide: a gauge for container memory.
//!
//! It puts a real workload inside a memory-limited cgroup, knows exactly what that workload
//! holds (the *truth*), records every memory number the kernel exposes, and shows what cAdvisor's
//! `working_set` and the other formulas in use made of it.
//!
//! The way of the data is the order of the modules: [`scenario`] describes, [`harness`] runs,
//! [`sampler`] reads, [`recording`] keeps, [`formula`] derives, [`expect`] checks. Everything from
//! `recording` on works without root, cgroups or Linux-only calls.

pub mod cgroup;
pub mod cli;
pub mod cluster;
pub mod compare;
pub mod composition;
mod container_id;
pub mod demo;
pub mod descendants;
pub mod detector;
pub mod expect;
pub mod explain;
pub mod export;
pub mod fleet;
pub mod formula;
pub mod harness;
pub mod host;
pub mod judge;
pub mod lesson;
mod markup;
pub mod metrics;
pub mod model;
mod named;
pub mod need;
pub mod outcome;
pub mod plot;
pub mod recording;
pub mod report;
pub mod rows;
pub mod run_id;
pub mod sampler;
pub mod scenario;
pub mod seed;
pub mod shipped;
pub mod sys;
pub mod truth;
pub mod units;
pub mod user;
pub mod worker;
pub mod workload;
