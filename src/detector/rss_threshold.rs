//! `rss-threshold`: the same as `threshold` on rss, which page cache can't move.

use super::BuiltIn;
use super::threshold::Threshold;
use crate::export::Metric;

pub(super) const BUILT_IN: BuiltIn = BuiltIn {
    name: "rss-threshold",
    summary: "rss above 80 % of the limit for 5 minutes",
    reads: &[Metric::Rss, Metric::SpecLimit],
    new: || Box::new(Threshold::new(&[Metric::Rss])),
};
