//! The harness: runs a scenario's workers in real cgroups and records what the kernel says.
//!
//! It stays outside the containers it makes (managed placement), so an OOM kill never touches it,
//! or runs inside the one it was given (ambient) and keeps itself small. One thread, one `poll`
//! over the clock, signals and the workers' pipes: nothing is sampled by a thread that could be
//! late because another one works.

mod actor;
mod ad_hoc;
mod background;
mod closing;
mod cold;
mod disk_waits;
mod environment;
mod error;
mod evidence;
pub mod keeper;
mod live;
mod marks;
mod node_watch;
mod observer;
mod opens;
mod outside;
pub mod ready;
mod restart;
mod said;

mod serving;
mod site;
mod stage;
mod verdicts;
mod workdir;

pub use ad_hoc::{LOAD, Service, command as command_scenario, service as service_scenario};
pub use cold::{ColdFiles, Warm};
pub use disk_waits::DiskWaits;
pub use environment::{Command, Environment, Sink, can_run, watch};
pub use error::{HarnessError, doing};
pub use live::Finished;
pub use marks::{MarkError, mark};
pub use node_watch::{NodeWatch, watch_all};
pub use observer::{Both, Nobody, Observer};
pub use site::fits_ambient;
pub use workdir::existing;
