//! Kubernetes: which scenarios go into which Job, and what became of them.
//!
//! Nothing here schedules: Kubernetes spreads the work. [`Api`] is what a collection asks of a
//! cluster and [`Kubectl`] asks it by that program; [`Collection`] waits and keeps every answer in
//! [`Kept`]; [`evaluate`] judges what is kept, with or without a cluster. Decisions are made on the
//! API's objects: the Job's UID, its `completedIndexes` and `failedIndexes`, the pods' status.

mod api;
mod collection;
mod counts;
mod evaluate;
mod events;
mod fate;
mod job;
pub mod jobs;
mod kept;
mod kubectl;
mod log;
mod object;
mod pods;
mod progress;
mod publish;
mod shard;
mod summary;

pub use api::{Api, Following, Refusal, RefusalKind, Source};
pub use collection::{CollectError, Collection, Ended, Pace};
pub use evaluate::{Collected, PodLog, as_expected, evaluate};
pub use fate::Fate;
pub use job::{Identity, Indexes, Job, parse_job};
pub use kept::{Kept, KeptError, Snapshot};
pub use kubectl::Kubectl;
pub use log::{Extract, extract};
pub use object::{CONTAINER, ObjectError};
pub use pods::{Pod, parse_pods};
pub use progress::progress_line;
pub use publish::{NODE_KIND, config_map, events as verdict_events, node_kinds};
pub use shard::fleets;
pub use summary::{markdown, text};
