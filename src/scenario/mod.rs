//! Scenarios: what runs, what is true of it, and what to expect.
//!
//! These are the domain types, sizes resolved and checked. The TOML a person writes is in `wire`
//! and becomes these in one place, `lower`, where the spans for error messages are at hand.

mod across;
mod catalogue;
mod condition;
mod diagnostic;
mod lower;
mod parse;
mod programs;
mod schedule;
mod schema;
mod shape;
mod spec;
mod suggest;
mod wire;

pub use across::Across;
pub use catalogue::{ARTICLE, CatalogueEntry, catalogue, find};
pub(crate) use condition::{is_executable, on_path};
pub use diagnostic::{Diagnostic, Diagnostics, Span};
pub(crate) use lower::is_of_proc;
pub use lower::values;
pub use parse::{MAX_BYTES, Overrides, load, parse, parse_with};
pub use schedule::Schedule;
pub use schema::json_schema;
pub use spec::*;
pub use suggest::{did_you_mean, nearest};
