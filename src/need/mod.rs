//! What a program needs: the smallest limit under which it still does its work as fast, within a
//! stated loss. Found by running it under limits chosen by bisection.
//!
//! `search` is pure: which limit to try next, and between which limits the need lies. [`measure()`]
//! knows trials only as limit in, outcome out. [`trial`] makes one of a recording.

mod advice;
pub mod live;
mod measure;
mod search;
mod sidecar;
pub mod trial;

pub use advice::{Advice, FormulaError, advice, formula_errors};
pub use measure::{By, Measured, Stop, Tried, Wanted, measure};
pub use search::{Search, Verdict};
pub use sidecar::{Recorded, SidecarError, Where};
pub use trial::Trial;
