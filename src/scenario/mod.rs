//! Scenarios: what runs, what is true of it, and what to expect.
//!
//! These are the domain types, sizes resolved and checked. The TOML a person writes is in `wire`
//! and becomes these in one place, where the spans for error messages are at hand.

mod spec;

pub use spec::*;
