//! In words: is this machine like the nearest set-up, or rather like another one?

use super::{Comparison, Run};

/// Says how a fresh run compares with the nearest shipped set-up, and which other one it is more like
/// if there is one.
pub fn likeness(fresh: &Run, shipped: &[Run], nearest: usize) -> Vec<String> {
    let agreement: Vec<(usize, usize)> = shipped.iter().map(|s| agreement(fresh, s)).collect();
    let Some(&(agree, of)) = agreement.get(nearest) else {
        return Vec::new();
    };
    let label = &shipped[nearest].label;
    let mut words = vec![if agree == of {
        format!("this kernel behaves as {label} does: all {of} values agree")
    } else {
        format!("this kernel behaves otherwise than {label}: {agree} of {of} values agree")
    }];
    let best = (0..shipped.len()).max_by_key(|&i| (agreement[i].0, i == nearest));
    if let Some(best) = best.filter(|&i| agreement[i].0 > agree) {
        words.push(format!(
            "it is most like {}: {} of {} values agree",
            shipped[best].label, agreement[best].0, agreement[best].1
        ));
    }
    words
}

/// How many values agree, the outcome among them, and of how many.
fn agreement(fresh: &Run, other: &Run) -> (usize, usize) {
    let Ok(comparison) = Comparison::new(vec![other.clone(), fresh.clone()], 0) else {
        return (0, 0);
    };
    let rows = comparison.sheets.iter().flat_map(|s| &s.rows);
    // Where other work was done, nothing can be said.
    let cells = rows
        .filter_map(|r| r.cells.get(1))
        .filter(|c| !c.other_work);
    let mut marks: Vec<bool> = cells.map(|c| c.differs).collect();
    marks.extend(comparison.outcome_differs.get(1));
    (
        marks.iter().filter(|differs| !**differs).count(),
        marks.len(),
    )
}
