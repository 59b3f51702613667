//! `precog-mf`: Precog after a maximum filter, the best of the variants of *Memory Leak Detection
//! Algorithms in the Cloud-based Infrastructure* (Jindal et al., arXiv 2106.08938): 85 % accuracy are
//! reported on sixty virtual machines whose data is not public.
//!
//! Taken from there: the filter before everything else, so that what is given back for a moment does not
//! hide a rise. Chosen here: its width of three points (a quarter of an hour), and what `precog` chooses.

use super::BuiltIn;
use super::leak::OfFives;
use super::precog::Precog;
use crate::export::Metric;

/// The filter's width in points.
const WIDTH: usize = 3;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "precog-mf",
    summary: "precog after a maximum filter (arXiv 2106.08938)",
    reads: &[Metric::WorkingSet, Metric::SpecLimit],
    new: || Box::new(OfFives::new(Precog::new(WIDTH))),
};
