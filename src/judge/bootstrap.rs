//! How sure a scorecard's F1 is: the percentile bootstrap over recordings.

use rand::RngExt;

use crate::seed;

use super::scorecard::{Row, Totals};

/// So many suites are drawn.
const DRAWS: usize = 2000;
/// What is drawn is the same in every run.
const SEED: u64 = 1;
/// The ends of the interval: 95 % of the draws lie in it.
const ENDS: (f64, f64) = (0.025, 0.975);

/// The interval of F1 over these rows: suites of as many rows are drawn from them, with replacement.
/// None where there is nothing to draw, or nothing on which firing is right.
///
/// Recordings of one scenario on several kernels are drawn as if they were independent, which they are
/// not: for the lessons the interval is too narrow.
pub fn f1(rows: &[&Row]) -> Option<(f64, f64)> {
    let counted: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| row.verdict.counts())
        .collect();
    if !counted.iter().any(|row| row.expected.fire) {
        return None;
    }
    let mut rng = seed::rng(seed::derive(SEED, "bootstrap"));
    let mut drawn: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let suite = (0..counted.len()).map(|_| counted[rng.random_range(0..counted.len())]);
            Totals::of(suite).f1
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    let at = |share: f64| drawn[((DRAWS - 1) as f64 * share).round() as usize];
    Some((at(ENDS.0), at(ENDS.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::scorecard::testing::row;
    use crate::judge::verdict::Judgement;

    #[test]
    fn few_recordings_make_a_wide_interval_and_one_verdict_none() {
        let rows = |n: usize| -> Vec<Row> {
            let verdicts = [
                Judgement::Hit,
                Judgement::Hit,
                Judgement::Miss,
                Judgement::Quiet,
            ];
            (0..n)
                .map(|i| row(i % 4 != 3, verdicts[i % 4], None))
                .collect()
        };
        let interval = |rows: &[Row]| f1(&rows.iter().collect::<Vec<_>>()).unwrap();
        let (few, many) = (rows(12), rows(400));
        let (few, many) = (interval(&few), interval(&many));
        // F1 is 2/3 hits: 0.8.
        assert!(
            few.0 < many.0 && many.0 < 0.8 && 0.8 < many.1 && many.1 < few.1,
            "{few:?} {many:?}"
        );
        assert_eq!(few, interval(&rows(12)), "seeded");
        let right: Vec<Row> = (0..9).map(|_| row(true, Judgement::Hit, None)).collect();
        assert_eq!(interval(&right), (1.0, 1.0));
        let quiet = [row(false, Judgement::Quiet, None)];
        assert_eq!(f1(&quiet.iter().collect::<Vec<_>>()), None);
    }

    /// The ends are those of the binomial: 95 of 100 draws of 100 leaks of which half were found have 40 to 60 hits.
    #[test]
    fn the_interval_has_95_percent_of_the_draws() {
        let rows: Vec<Row> = (0..100)
            .map(|i| row(true, [Judgement::Hit, Judgement::Miss][i % 2], None))
            .collect();
        let (low, high) = f1(&rows.iter().collect::<Vec<_>>()).unwrap();
        // All alarms are right: F1 is 2r / (1 + r) of a recall r. Two hits more or less are chance among 2,000 draws.
        let of = |hits: f64| 2.0 * hits / (100.0 + hits);
        assert!((of(38.0)..=of(42.0)).contains(&low), "{low}");
        assert!((of(58.0)..=of(62.0)).contains(&high), "{high}");
    }
}
