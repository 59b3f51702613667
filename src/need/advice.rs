//! What follows from a measured need: requests and limits, and what each formula would have said.

use super::measure::Measured;
use crate::formula::FORMULAS;

const MIB: u64 = 1 << 20;

/// A formula's highest value at the highest limit, beside the need.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FormulaError {
    /// The formula.
    pub formula: &'static str,
    /// Its highest value, bytes: the median of the runs.
    pub said: i64,
    /// That less the need, bytes: above zero is too much, below zero too little.
    pub error: i64,
    /// The same in percent of the need.
    pub percent: f64,
    /// It lies in the need's interval: nothing better can be said.
    pub right: bool,
}

/// Every formula that says "used", in the order they are shown.
pub fn formula_errors(measured: &Measured) -> Vec<FormulaError> {
    let Some(base) = measured.curve.first() else {
        return Vec::new();
    };
    let need = i64::try_from(measured.need).unwrap_or(i64::MAX);
    let (above, most) = measured.interval;
    let errors = FORMULAS.iter().filter_map(|formula| {
        let runs = base.runs.iter();
        let mut said: Vec<i64> = runs
            .filter_map(|r| r.most.get(formula.name).copied())
            .collect();
        said.sort_unstable();
        let said = said.get(said.len() / 2).copied()?;
        let error = said.saturating_sub(need);
        Some(FormulaError {
            formula: formula.name,
            said,
            error,
            percent: 100.0 * error as f64 / need.max(1) as f64,
            right: u64::try_from(said).is_ok_and(|said| above < said && said <= most),
        })
    });
    errors.collect()
}

/// What to write into a manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Advice {
    /// `requests.memory`, bytes.
    pub request: u64,
    /// `limits.memory`, bytes.
    pub limit: u64,
    /// Why these.
    pub why: String,
}

/// A request at which every run fitted, and a limit with room for what was not run.
pub fn advice(measured: &Measured) -> Advice {
    let (above, most) = measured.interval;
    let request = most.next_multiple_of(MIB);
    let room = (most / 10).max(most - above);
    Advice {
        request,
        limit: (most + room).next_multiple_of(MIB),
        why: format!(
            "the request is the smallest limit at which every run was as good; the limit leaves {} \
             more, for inputs that were not run",
            crate::units::bytes(room)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::need::measure::{By, Tried, Wanted};
    use crate::need::search::Verdict;
    use crate::need::trial::Trial;

    /// A need of 40 MiB, and what `usage` said at its highest in the runs at the highest limit.
    fn measured(interval: (u64, u64), said: &[i64]) -> Measured {
        let runs = said.iter().map(|mib| Trial {
            most: [("usage", mib << 20)].into(),
            ..Trial::not_begun(String::new())
        });
        Measured {
            wanted: Wanted {
                max: 256 * MIB,
                loss: 0.05,
                runs: said.len(),
                by: By::Time,
            },
            need: 40 * MIB,
            interval: (interval.0 * MIB, interval.1 * MIB),
            baseline: 1.0,
            baseline_cost: 1.0,
            curve: vec![Tried {
                limit: 256 * MIB,
                verdict: Verdict::Fits,
                seconds: None,
                cost: None,
                runs: runs.collect(),
            }],
            reads_its_limit: None,
        }
    }

    #[test]
    fn the_request_holds_every_run_and_the_limit_has_room_for_others() {
        let advice = |low, high| {
            let advice = advice(&measured((low, high), &[]));
            (advice.request / MIB, advice.limit / MIB, advice.why)
        };
        // A tenth more, or what the interval leaves open where that is more; whole MiB, upwards.
        let (request, limit, why) = advice(39, 40);
        assert_eq!((request, limit), (40, 44));
        assert!(why.contains("4.0 MiB more"), "{why}");
        assert_eq!(advice(30, 45).1, 60);
        let mut odd = measured((39, 40), &[]);
        odd.interval.1 += 1;
        let odd = super::advice(&odd);
        assert_eq!((odd.request / MIB, odd.limit / MIB), (41, 45));
    }

    #[test]
    fn a_formulas_error_is_of_its_median_and_right_within_the_interval() {
        let errors = |said: &[i64]| formula_errors(&measured((38, 42), said));
        for (mib, right) in [(38, false), (39, true), (42, true), (43, false)] {
            let all = errors(&[mib, 1, 200]);
            let [one] = &all[..] else {
                panic!("what no run has is left out: {all:?}");
            };
            assert_eq!((one.formula, one.said), ("usage", mib << 20));
            assert_eq!(one.error, (mib - 40) << 20);
            assert!(
                (one.percent - (mib - 40) as f64 * 2.5).abs() < 1e-9,
                "{one:?}"
            );
            assert_eq!(one.right, right, "{mib}");
        }
        assert!(errors(&[]).is_empty());
    }
}
