//! Intervals of what is counted, at 95 %.

use std::collections::BTreeMap;

use rand_distr::{Distribution, Poisson};

use crate::seed;

/// Resamples of the bootstrap.
const RESAMPLES: usize = 1000;
/// The normal quantile of 97.5 %.
const Z: f64 = 1.959_964;

/// The interval of the mean number of events a pod, from how many pods had how many: a Poisson
/// bootstrap over pods, since alarms of one pod come in bunches; without any event the exact Poisson
/// bound, `-ln(0.025)` events in all.
pub fn mean_interval(pods_by_events: &BTreeMap<u32, u64>, name: &str) -> (f64, f64) {
    let pods: u64 = pods_by_events.values().sum();
    if pods == 0 {
        return (0.0, f64::INFINITY);
    }
    if pods_by_events.keys().all(|events| *events == 0) {
        return (0.0, -(0.025_f64).ln() / pods as f64);
    }
    let mut rng = seed::rng(seed::derive(0, name));
    let mut means: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let (mut events, mut n) = (0.0, 0.0);
            for (count, pods) in pods_by_events {
                let drawn = Poisson::new(*pods as f64).ok()?.sample(&mut rng);
                events += f64::from(*count) * drawn;
                n += drawn;
            }
            (n > 0.0).then(|| events / n)
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means.get((share * means.len() as f64) as usize).copied();
    (at(0.025).unwrap_or(0.0), at(0.975).unwrap_or(f64::INFINITY))
}

/// Wilson's interval of a share.
pub fn share_interval(hits: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    (
        ((middle - half) / whole).max(0.0),
        ((middle + half) / whole).min(1.0),
    )
}

/// A quantile of counted values.
pub fn quantile(counted: &BTreeMap<u64, u64>, share: f64) -> Option<u64> {
    let all: u64 = counted.values().sum();
    let rank = (share * all as f64) as u64;
    let mut before = 0;
    counted.iter().find_map(|(value, n)| {
        before += n;
        (before > rank).then_some(*value)
    })
}
