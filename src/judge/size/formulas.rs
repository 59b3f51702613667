//! Every formula's highest value against the need.

use super::{Known, Scored};
use crate::formula::{FORMULAS, Kind};
use crate::need::trial;

/// All formulas that say "used", the smallest error first. One that a set-up has no rows for is
/// scored on the others.
pub fn score(known: &[Known<'_>]) -> Vec<Scored> {
    let peaks: Vec<_> = known
        .iter()
        .map(|one| trial::most(&one.case.recording))
        .collect();
    let used = FORMULAS.iter().filter(|f| f.kind == Kind::Used);
    let mut all: Vec<Scored> = used
        .map(|formula| {
            let mut scored = Scored::new(formula.name);
            for (one, peaks) in known.iter().zip(&peaks) {
                if let Some(said) = peaks.get(formula.name) {
                    scored.add(one, u64::try_from(*said).unwrap_or(0));
                }
            }
            scored
        })
        .filter(|scored| scored.all.of > 0)
        .collect();
    let error = |scored: &Scored| scored.all.much_percent + scored.all.little_percent;
    all.sort_by(|a, b| error(a).total_cmp(&error(b)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_that_said_nothing_has_no_score() {
        assert!(score(&[]).is_empty());
    }
}
