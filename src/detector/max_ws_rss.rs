//! `max-ws-rss`: the larger of working_set and rss, so that lazily freed memory that is in use
//! again is not overlooked.

use super::BuiltIn;
use super::threshold::Threshold;
use crate::export::Metric;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "max-ws-rss",
    summary: "the larger of working_set and rss above 80 % of the limit for 5 minutes",
    reads: &[Metric::WorkingSet, Metric::Rss, Metric::SpecLimit],
    new: || Box::new(Threshold::new(&[Metric::WorkingSet, Metric::Rss])),
};
