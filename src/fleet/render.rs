//! A fleet's results for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::stats::{mean_interval, median_interval, quantile, share_interval};
use super::tally::{Cell, Tallies, Tally};

/// The scorecard: by detector, then by kind of pod, card and service.
pub fn human(all: &Tallies) -> String {
    let fleet = &all.fleet;
    let mut out = String::new();
    let part = match all.shard.of {
        1 => String::new(),
        of => format!(", shard {} of {of}", all.shard.index),
    };
    // Writing to a String can't fail.
    let _ = writeln!(
        out,
        "{}: a model's fleet, no kernel's. {} pods for {} days, a scrape every {} s, seed {}{part}\ncards {}\n",
        fleet.title,
        fleet.pods,
        fleet.days,
        fleet.scrape_s,
        fleet.seed,
        fleet.cards.join(", ")
    );
    section(&mut out, all, "all pods", |_| String::new());
    section(&mut out, all, "by kind of pod", |cell| {
        cell.key.kind.clone()
    });
    section(&mut out, all, "by card", |cell| cell.key.card.clone());
    section(&mut out, all, "by service", |cell| cell.key.service.clone());
    let worst: Vec<String> = all.worst.iter().map(|w| w.pod.to_string()).collect();
    let _ = writeln!(
        out,
        "The pods that detectors did worst on: {}. --keep writes them as recordings.\n\
         Intervals are 95 %: of rates a bootstrap over pods (1000 resamples; without an alarm the exact \
         Poisson bound), of recall Wilson's, of the medians of detect and lead the order statistics (from six values on).",
        if worst.is_empty() {
            "none".to_owned()
        } else {
            worst.join(", ")
        }
    );
    out
}

fn section(out: &mut String, all: &Tallies, title: &str, group: impl Fn(&Cell) -> String) {
    let mut rows: BTreeMap<(String, usize), Tally> = BTreeMap::new();
    let place = |name: &str| all.fleet.detectors.iter().position(|d| d == name);
    for cell in &all.cells {
        let detector = place(&cell.key.detector).unwrap_or(usize::MAX);
        rows.entry((group(cell), detector))
            .or_default()
            .add(&cell.tally);
    }
    let _ = writeln!(
        out,
        "{title}\n  {:<28} {:>7} {:>26} {:>10} {:>24} {:>8} {:>16} {:>16}",
        "",
        "pods",
        "false alarms a pod-week",
        "100 pods/d",
        "recall",
        "masked",
        "detect, min",
        "lead, min"
    );
    for ((group, detector), tally) in &rows {
        let detector = all
            .fleet
            .detectors
            .get(*detector)
            .map_or("", String::as_str);
        let name = format!("{group} {detector}");
        let _ = writeln!(
            out,
            "  {:<28} {}",
            name.trim(),
            row(tally, all, name.trim())
        );
    }
    out.push('\n');
}

fn row(tally: &Tally, all: &Tallies, name: &str) -> String {
    let weeks = all.fleet.days / 7.0;
    let pods = tally.pods();
    let (low, high) = mean_interval(&tally.pods_by_false_alarms, name);
    let a_pod = tally.false_alarms() as f64 / pods.max(1) as f64;
    let recall = match tally.faults {
        0 => "-".to_owned(),
        faults => {
            let (low, high) = share_interval(tally.hits, faults);
            format!(
                "{}/{faults} ({:.0}-{:.0} %)",
                tally.hits,
                low * 100.0,
                high * 100.0
            )
        }
    };
    let in_minutes = |scrapes: u64| scrapes as f64 * all.fleet.scrape_s / 60.0;
    let minutes = |counted: &BTreeMap<u64, u64>| {
        let Some(median) = quantile(counted, 0.5).map(in_minutes) else {
            return "-".to_owned();
        };
        let interval = median_interval(counted).map_or_else(String::new, |(low, high)| {
            format!(" ({:.0}-{:.0})", in_minutes(low), in_minutes(high))
        });
        format!("{median:.0}{interval}")
    };
    let rate = format!(
        "{:.3} ({:.3}-{:.3})",
        a_pod / weeks,
        low / weeks,
        high / weeks
    );
    format!(
        "{pods:>7} {rate:>26} {:>10.1} {recall:>24} {:>8} {:>16} {:>16}",
        a_pod / all.fleet.days * 100.0,
        tally.masked,
        minutes(&tally.detect),
        minutes(&tally.lead),
    )
}
