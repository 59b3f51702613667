//! From numbers that people paste to what they mean.
//!
//! [`input`] turns any of the known kinds of text into [`Reading`]s; [`parts`] splits one into
//! what it is made of; [`findings`] says in sentences what follows and [`unknown`] what does not.
//! Nothing here prints, and nothing needs a cgroup except reading a live directory.

pub mod account;
pub mod answer;
pub mod clean;
pub mod consistency;
pub mod derive;
pub mod error;
pub mod explanation;
pub mod findings;
pub mod forms;
pub mod hint;
pub mod input;
pub mod kinds;
pub mod meminfo;
pub mod names;
pub mod number;
pub mod owner;
pub mod pairs;
pub mod parts;
pub mod reading;
mod said;
pub mod unknown;
pub mod wire;

pub use answer::Answer;
pub use error::ExplainError;
pub use explanation::{Explanation, explain};
pub use input::{Readings, Select};
pub use kinds::{Killed, What};
pub use reading::{Reading, Scope};
