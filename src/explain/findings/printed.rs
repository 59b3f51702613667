//! Numbers a tool printed, in place of the kernel's.

use super::Facts;
use crate::explain::number::percent;
use crate::units;

/// Tools whose tables are read.
pub const TOOLS: [&str; 8] = [
    "docker stats",
    "podman stats",
    "crictl stats",
    "kubectl top",
    "systemctl status",
    "systemd-cgtop",
    "free",
    "top",
];

/// Only what a tool made of the kernel's numbers.
pub fn printed_only(facts: &Facts) -> Option<String> {
    let reading = facts.reading;
    TOOLS.contains(&reading.source).then(|| {
        let of = reading.value().zip(facts.limit.filter(|limit| *limit > 0));
        let share = of.map_or(String::new(), |(value, limit)| {
            let (percent, limit) = (percent(value, limit), units::bytes(limit));
            format!(
                " It is {percent:.0} % of the limit of {limit}; whether that is near an OOM kill depends on how much \
                 of it is page cache."
            )
        });
        format!(
                "This is what {} made of the kernel's numbers, not the numbers: what the memory consists of (heap, \
                 page cache, tmpfs, kernel) can't be known from it.{share}",
                reading.source
            )
    })
}
