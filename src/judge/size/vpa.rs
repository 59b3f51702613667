//! The vertical pod autoscaler's recommender: its target for memory.
//!
//! kubernetes/autoscaler at 03934ebf (pkg/recommender/logic/recommender.go: 90th percentile, 15 %
//! margin, at least 250 MiB a pod) and 11558757 (pkg/recommender/model/aggregations_config.go: one
//! peak a day, a histogram of buckets that grow by 5 % from 10 MB, half-life of a day; after an OOM
//! kill 20 % or 100 MiB more count as a peak).

use super::sample::Sample;

const DAY_S: f64 = 86_400.0;
const FIRST_BUCKET: f64 = 1e7;
const GROWTH: f64 = 1.05;
const PERCENTILE: f64 = 0.9;
const MARGIN: f64 = 1.15;
const LEAST: f64 = 250.0 * 1024.0 * 1024.0;
const BUMP: f64 = 1.2;
const BUMP_LEAST: f64 = 100.0 * 1024.0 * 1024.0;

/// Of a container that is alone in its pod.
pub fn target(samples: &[Sample]) -> Option<f64> {
    let mut peaks: Vec<(f64, f64)> = Vec::new();
    for sample in samples {
        let day = (sample.t / DAY_S).floor();
        let peak = match sample.oom {
            true => (sample.working_set * BUMP).max(sample.working_set + BUMP_LEAST),
            false => sample.working_set,
        };
        match peaks.last_mut() {
            Some((of, most)) if *of == day => *most = most.max(peak),
            _ => peaks.push((day, peak)),
        }
    }
    let percentile = percentile(&peaks)?;
    Some((percentile * MARGIN).max(LEAST))
}

/// A fresh peak weighs twice as much as one that is a day old. The answer is the upper end of the
/// bucket in which the percentile lies.
fn percentile(peaks: &[(f64, f64)]) -> Option<f64> {
    let mut weights: Vec<(u32, f64)> = peaks
        .iter()
        .map(|(day, peak)| (bucket(*peak), day.exp2()))
        .collect();
    weights.sort_by_key(|(bucket, _)| *bucket);
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    let reached = weights.iter().find(|(_, weight)| {
        sum += weight;
        sum >= PERCENTILE * total
    });
    reached
        .or(weights.last())
        .map(|(bucket, _)| start(bucket + 1))
}

/// Which bucket a value lies in.
fn bucket(value: f64) -> u32 {
    if value < FIRST_BUCKET {
        return 0;
    }
    let n = (value * (GROWTH - 1.0) / FIRST_BUCKET + 1.0).ln() / GROWTH.ln();
    n as u32
}

/// Where a bucket begins.
fn start(bucket: u32) -> f64 {
    let growth = GROWTH.powi(i32::try_from(bucket).unwrap_or(i32::MAX));
    FIRST_BUCKET * (growth - 1.0) / (GROWTH - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(day: f64, working_set: f64) -> Sample {
        Sample {
            t: day * DAY_S,
            working_set,
            ..Sample::default()
        }
    }

    #[test]
    fn buckets_grow_by_five_percent_from_ten_megabytes() {
        assert_eq!((start(0), start(1)), (0.0, 1e7));
        assert!((start(2) - 2.05e7).abs() < 1.0);
        for value in [1.0, 9.9e6, 1.1e7, 5e8, 3e10] {
            let n = bucket(value);
            assert!(start(n) <= value && value < start(n + 1), "{value}");
        }
    }

    #[test]
    fn the_target_is_a_margin_above_the_peak_and_never_below_its_least() {
        assert_eq!(target(&[]), None);
        assert_eq!(target(&[sample(0.0, 1e6)]), Some(LEAST));
        let gib = target(&[sample(0.0, 1e9), sample(0.5, 2e8)]).unwrap();
        assert!((1.15e9..1.3e9).contains(&gib), "{gib}");
    }

    #[test]
    fn old_peaks_fade_and_a_kill_counts_as_more() {
        let day = |n: u32| f64::from(n);
        let mut samples = vec![sample(0.0, 4e9)];
        samples.extend((1..8).map(|n| sample(day(n), 1e9)));
        let faded = target(&samples).unwrap();
        assert!(faded < 1.5e9, "{faded}");
        samples.insert(1, sample(6.0, 4e9));
        samples.sort_by(|a, b| a.t.total_cmp(&b.t));
        assert!(target(&samples).unwrap() > 4e9);
        let killed = Sample {
            oom: true,
            ..sample(0.0, 1e9)
        };
        // 20 % more, or of little 100 MiB: and no more than the next bucket's end.
        for (bytes, peak) in [(1e9, 1.2e9), (3e8, 3e8 + BUMP_LEAST)] {
            let killed = Sample {
                working_set: bytes,
                ..killed
            };
            let target = target(&[killed]).unwrap();
            let (least, most) = (peak * MARGIN, (peak * GROWTH + FIRST_BUCKET) * MARGIN);
            assert!((least..most).contains(&target), "{bytes}: {target}");
        }
    }
}
