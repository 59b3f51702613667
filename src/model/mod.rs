//! What a kernel would count, without a kernel: a scenario and a kernel card in, a recording out.
//!
//! [`card::find`] reads a [`Card`]; [`predict`] runs a scenario on it. [`Memcg`] is one cgroup's
//! mechanics alone, for who has operations of his own and no scenario. Pages are kept as runs in list
//! order, so that a cost follows the number of changes and not the amount of memory. Nothing here
//! makes a call of the system.
//!
//! Left out, because it is chance or needs a disk: see [`run::UNKNOWN`], which every recording of the
//! model repeats in its header.

pub mod card;
mod follow;
mod lists;
mod memcg;
mod process;
mod regions;
mod rows;
mod run;
mod task;
#[cfg(test)]
mod tests;
mod tmpfs;
mod world;

pub use card::{Card, CardError, Rules, Speed};
pub use follow::follow;
pub use memcg::{By, Counts, Full, Memcg, PAGE};
pub use run::{CannotModel, UNKNOWN, check, predict};
