//! How late ticks were: a histogram of fixed size, so that keeping it costs no memory.

/// Buckets of 1/16 of their power of two: a quantile is at most 6.25 % too high.
const STEPS: usize = 16;
const BUCKETS: usize = 64 * STEPS;

/// Counts nanoseconds.
#[derive(Debug, Clone)]
pub struct Lateness {
    counts: Box<[u32; BUCKETS]>,
    total: u64,
    max: u64,
}

impl Default for Lateness {
    fn default() -> Self {
        Lateness {
            counts: Box::new([0; BUCKETS]),
            total: 0,
            max: 0,
        }
    }
}

impl Lateness {
    /// Counts one tick that was `ns` late.
    pub fn add(&mut self, ns: u64) {
        let count = &mut self.counts[bucket(ns)];
        *count = count.saturating_add(1);
        self.total += 1;
        self.max = self.max.max(ns);
    }

    /// The largest value.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// What a share of `q` (0 to 1) of all ticks did not exceed, nanoseconds; 0 without ticks.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = (self.total as f64 * q).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank.max(1) {
                return top(index).min(self.max);
            }
        }
        self.max
    }
}

fn bucket(ns: u64) -> usize {
    if ns < STEPS as u64 {
        return ns as usize;
    }
    let power = ns.ilog2() as usize;
    let step = (ns >> (power - 4)) as usize & (STEPS - 1);
    (power - 3) * STEPS + step
}

/// The largest value of a bucket.
fn top(index: usize) -> u64 {
    if index < STEPS {
        return index as u64;
    }
    let (power, step) = (index / STEPS + 3, (index % STEPS) as u64);
    let width = 1u64 << (power - 4);
    (STEPS as u64 + step) * width + (width - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_of_nothing_and_of_one() {
        let mut lateness = Lateness::default();
        assert_eq!((lateness.quantile(0.5), lateness.max()), (0, 0));
        lateness.add(u64::MAX);
        assert_eq!(lateness.quantile(0.5), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_quantile_is_within_its_bucket(mut all in prop::collection::vec(0u64..10_000_000_000, 1..200), q in 0.01f64..1.0) {
            let mut lateness = Lateness::default();
            all.iter().for_each(|ns| lateness.add(*ns));
            all.sort_unstable();
            let exact = all[((all.len() as f64 * q).ceil() as usize).max(1) - 1];
            let got = lateness.quantile(q);
            prop_assert!(got >= exact && got as f64 <= exact as f64 * 1.0625 + 1.0, "{} for {}", got, exact);
        }

        #[test]
        fn buckets_cover_all_numbers(ns: u64) {
            let index = bucket(ns);
            prop_assert!(top(index) >= ns && (index == 0 || top(index - 1) < ns));
        }
    }
}
