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
