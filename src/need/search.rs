//! Bisection over limits, with an interval that says only what was seen.

/// What the runs under one limit say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every run was as fast as is asked for.
    Fits,
    /// No run was: slower, killed or failed.
    TooSmall,
    /// Some were and some were not.
    Unclear {
        /// Whether most were.
        fits: bool,
    },
}

/// The search for the smallest limit that fits, in bytes.
#[derive(Debug, Clone)]
pub struct Search {
    /// The largest limit below all that fit at which nothing did.
    too_small: u64,
    /// The smallest that fits, by most of its runs.
    fits: u64,
    /// The smallest at which every run fits.
    surely_fits: u64,
    /// The bisection's bounds: above this.
    low: u64,
    resolution: u64,
}

impl Search {
    /// Between nothing, which never fits, and `max`, which does; down to `resolution`.
    pub fn new(max: u64, resolution: u64) -> Self {
        Search {
            too_small: 0,
            fits: max,
            surely_fits: max,
            low: 0,
            resolution: resolution.max(PAGE),
        }
    }

    /// The limit to try next, a whole number of pages; none once the interval is narrow enough.
    pub fn next(&self) -> Option<u64> {
        if self.fits.saturating_sub(self.low) <= self.resolution {
            return None;
        }
        let middle = self.low + (self.fits - self.low) / 2;
        let middle = middle.next_multiple_of(PAGE);
        (middle > self.low && middle < self.fits).then_some(middle)
    }

    /// Takes what the runs under `limit` say.
    pub fn tell(&mut self, limit: u64, verdict: Verdict) {
        match verdict {
            Verdict::Fits => {
                self.fits = self.fits.min(limit);
                self.surely_fits = self.surely_fits.min(limit);
            }
            Verdict::Unclear { fits: true } => self.fits = self.fits.min(limit),
            Verdict::Unclear { fits: false } => self.low = self.low.max(limit),
            Verdict::TooSmall => {
                self.low = self.low.max(limit);
                self.too_small = self.too_small.max(limit);
            }
        }
    }

    /// The largest limit that did not fit, by most of its runs; 0 where all did.
    pub fn low(&self) -> u64 {
        self.low
    }

    /// The smallest limit that fits, by most of its runs.
    pub fn need(&self) -> u64 {
        self.fits
    }

    /// Above the first, at which nothing fitted, and at most the second, at which everything did.
    pub fn interval(&self) -> (u64, u64) {
        (self.too_small.min(self.fits), self.surely_fits)
    }
}

/// Limits are charged by pages; 4 KiB divides every page size that Linux has.
const PAGE: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    /// Runs a search against a program that needs exactly `need`; how many limits it tried.
    fn find(max: u64, need: u64) -> (Search, usize) {
        let mut search = Search::new(max, max / 50);
        let mut tried = 0;
        while let Some(limit) = search.next() {
            let fits = limit >= need;
            let verdict = if fits {
                Verdict::Fits
            } else {
                Verdict::TooSmall
            };
            search.tell(limit, verdict);
            tried += 1;
        }
        (search, tried)
    }

    proptest! {
        #[test]
        fn the_need_is_in_the_interval_and_found_in_eight_trials(
            max in MIB..(1u64 << 40), share in 0.0f64..=1.0,
        ) {
            let need = ((max as f64 * share) as u64).clamp(1, max);
            let (search, tried) = find(max, need);
            let (above, most) = search.interval();
            prop_assert!(above < need && need <= most, "{above} {need} {most}");
            prop_assert_eq!(search.need(), most);
            prop_assert!(most - above <= (max / 50).max(PAGE) + PAGE);
            // The one at `max` is the eighth.
            prop_assert!(tried <= 7, "{}", tried);
        }
    }

    #[test]
    fn what_is_unclear_widens_the_interval_and_never_narrows_it() {
        let mut search = Search::new(100 * MIB, 2 * MIB);
        search.tell(50 * MIB, Verdict::Unclear { fits: true });
        assert_eq!(search.interval(), (0, 100 * MIB));
        search.tell(25 * MIB, Verdict::Unclear { fits: false });
        assert_eq!(search.next(), Some(75 * MIB / 2));
        assert_eq!(
            (search.need(), search.interval()),
            (50 * MIB, (0, 100 * MIB))
        );
        search.tell(75 * MIB / 2, Verdict::TooSmall);
        assert_eq!(search.interval(), (75 * MIB / 2, 100 * MIB));
    }
}
