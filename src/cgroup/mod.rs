//! cgroups: finding one's own, the limit that really holds, making, limiting, emptying and
//! removing pods and containers, on v1, v2 and hybrid set-ups.
//!
//! Knows nothing of scenarios. Writes only below directories that carry a [`crate::run_id::RunId`]
//! as their name, with one exception: on v2 it can be needed to switch the memory controller on in
//! the parent, and to move the parent's processes into a child first (see [`leaf`]). The move is
//! undone at the end. At the real root, where nothing has to move, the controller stays on: others
//! may have come to use it meanwhile.

mod below;
pub mod churn;
mod discover;
mod error;
mod files;
mod follow;
mod give_back;
mod hierarchy;
mod image;
pub mod leaf;
mod limit;
mod managed;
pub mod mountinfo;
mod place;
mod placement;
mod refused;
mod remove;
mod sweep;
pub mod v1;
pub mod v2;

pub use below::{container_id, is_only_a_parent, kubelet_name, on_the_node};
pub use discover::{Located, Own, discover_in};
pub use error::CgroupError;
pub use files::{Pids, pids};
pub use follow::{Change, Follower};
pub use give_back::{ALL, give_back, reclaim_file};
pub use hierarchy::Hierarchy;
pub use image::image_of;
pub use limit::{Limit, SetBy, SwapRule, parse_limit};
pub use managed::{Limits, LimitsTaken, Managed, ManagedPod};
pub use place::{Needs, Parent};
pub use placement::{Choice, Chosen, NoPlacement, Placement, systemd_user_manager};
pub use refused::{Attempt, CannotManage};
pub use sweep::{Swept, sweep, sweep_workdir};
