//! What a real scrape does to the numbers: it comes a little early or late, is lost now and then,
//! and shows what the kubelet saw when *it* last looked, every 10 to 15 s.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::seed;

/// How far from ideal the scrapes are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Realism {
    /// Draws everything; the same seed gives the same scrapes.
    pub seed: u64,
    /// A scrape is early or late by up to this share of the interval.
    pub jitter: f64,
    /// The share of scrapes that are lost.
    pub missing: f64,
    /// The kubelet looks at a container again after a time between these, seconds.
    pub housekeeping_s: (f64, f64),
}

impl Realism {
    /// Jitter of 5 % of the interval, one scrape in 50 lost, and the kubelet's own pace as it was
    /// seen on a real one (10 to 15 s between its looks at a container).
    pub fn usual(seed: u64) -> Self {
        Realism {
            seed,
            jitter: 0.05,
            missing: 0.02,
            housekeeping_s: (10.0, 15.0),
        }
    }
}

/// One scrape as it is planned: when, and how old each group's sample may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// When, detector seconds.
    pub at: f64,
    /// Per group: the time at which the kubelet had last looked; none if the scrape lost it.
    pub sampled: Vec<Option<f64>>,
}

/// Plans the scrapes of a recording of `groups` cgroups that ends at `end` (detector seconds).
pub fn plan(realism: &Realism, key: &str, end: f64, interval_s: f64, groups: usize) -> Vec<Look> {
    let mut rng = seed::rng(realism.seed ^ seed::fnv1a(key.bytes()));
    let looks: Vec<Vec<f64>> = (0..groups)
        .map(|_| housekeeping(realism, end, &mut rng))
        .collect();
    let scrapes = (end / interval_s) as usize;
    let mut plan = Vec::with_capacity(scrapes + 1);
    for i in 0..=scrapes {
        let off = rng.random_range(-1.0..=1.0) * realism.jitter * interval_s;
        let at = (i as f64 * interval_s + off).clamp(0.0, end);
        // A lost scrape loses the whole page.
        if rng.random_bool(realism.missing) {
            continue;
        }
        let sampled = looks.iter().map(|times| last_before(times, at)).collect();
        plan.push(Look { at, sampled });
    }
    plan
}

/// When the kubelet looks at one container.
fn housekeeping(realism: &Realism, end: f64, rng: &mut Xoshiro256PlusPlus) -> Vec<f64> {
    let (least, most) = realism.housekeeping_s;
    // The first look falls anywhere in a period: containers start when they like.
    let mut t = rng.random_range(0.0..most);
    let mut times = Vec::new();
    while t <= end {
        times.push(t);
        t += rng.random_range(least..=most);
    }
    times
}

fn last_before(times: &[f64], at: f64) -> Option<f64> {
    let index = times.partition_point(|t| *t <= at).checked_sub(1)?;
    Some(times[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_seed_gives_the_same_scrapes() {
        let usual = Realism::usual(7);
        let one = plan(&usual, "a", 3600.0, 15.0, 2);
        assert_eq!(one, plan(&usual, "a", 3600.0, 15.0, 2));
        assert_ne!(one, plan(&usual, "b", 3600.0, 15.0, 2));
        assert_ne!(one, plan(&Realism::usual(8), "a", 3600.0, 15.0, 2));
    }

    #[test]
    fn some_scrapes_are_lost_and_some_show_old_samples() {
        let looks = plan(&Realism::usual(1), "a", 36_000.0, 15.0, 1);
        // 2,401 planned, 2 % lost: 48, give or take four standard deviations of 6.9.
        let lost = 2401 - looks.len();
        assert!((20..=76).contains(&lost), "{lost}");
        let oldest = looks.iter().filter_map(|l| Some(l.at - l.sampled[0]?));
        let oldest = oldest.fold(0.0, f64::max);
        assert!((10.0..=15.0).contains(&oldest), "{oldest}");
    }

    proptest! {
        #[test]
        fn scrapes_come_in_time_order_and_see_no_future(seed: u64, end in 0.0..5000.0f64) {
            let looks = plan(&Realism::usual(seed), "x", end, 15.0, 2);
            prop_assert!(looks.is_sorted_by(|a, b| a.at <= b.at));
            for look in looks {
                prop_assert!(look.at <= end);
                for sampled in look.sampled.into_iter().flatten() {
                    prop_assert!(sampled <= look.at);
                }
            }
        }
    }
}
