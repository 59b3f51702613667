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
    ranked(counted, (share * all as f64) as u64)
}

/// The value of a rank, from 0, of counted values in their order.
fn ranked(counted: &BTreeMap<u64, u64>, rank: u64) -> Option<u64> {
    let mut before = 0;
    counted.iter().find_map(|(value, n)| {
        before += n;
        (before > rank).then_some(*value)
    })
}

/// The interval of the median of counted values: the order statistics between which it lies, by the
/// binomial distribution; none of fewer than six values, which can't bound it.
pub fn median_interval(counted: &BTreeMap<u64, u64>) -> Option<(u64, u64)> {
    let n: u64 = counted.values().sum();
    // The most values that may lie below the median with a probability of 2.5 % at the most.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut below = 0.0;
    let mut rank = 0;
    while rank < n {
        below += log_term.exp();
        if below > 0.025 {
            break;
        }
        log_term += ((n - rank) as f64 / (rank + 1) as f64).ln();
        rank += 1;
    }
    let (low, high) = (rank.checked_sub(1)?, n - rank);
    Some((ranked(counted, low)?, ranked(counted, high)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_between_the_order_statistics_of_the_tables() {
        let one_each = |n: u64| (1..=n).map(|value| (value, 1)).collect::<BTreeMap<_, _>>();
        assert_eq!(median_interval(&one_each(5)), None);
        // Tables of the sign test: n = 6: 1 and 6; 10: 2 and 9; 20: 6 and 15; 100: 40 and 61.
        for (n, interval) in [(6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (100, (40, 61))] {
            assert_eq!(median_interval(&one_each(n)), Some(interval), "{n}");
        }
        let (low, high) = median_interval(&one_each(100_000)).unwrap();
        assert!(
            low < 50_000 && high > 50_001 && high - low < 700,
            "{low} {high}"
        );
    }
}
