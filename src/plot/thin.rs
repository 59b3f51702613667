//! Fewer samples for drawing, without losing a peak.

use crate::recording::Table;
use crate::rows::{CgroupVersion, Row};

/// At most about `limit` samples of a table, in time order.
///
/// The samples are cut into buckets; of each bucket the first one stays, and those in which any of
/// `columns` is smallest and largest. So no peak of these columns is lost, and every one kept is a
/// real sample.
pub fn thin(table: &Table, columns: &[usize], limit: usize) -> Vec<usize> {
    let n = table.len();
    let per_bucket = 1 + 2 * columns.len();
    if n <= limit || limit < per_bucket {
        return (0..n).collect();
    }
    let buckets = limit / per_bucket;
    let mut kept = Vec::with_capacity(limit + 1);
    for bucket in 0..buckets {
        let (from, to) = (bucket * n / buckets, (bucket + 1) * n / buckets);
        kept.push(from);
        for &column in columns {
            let by = |i: &usize| table.get(*i, column).unwrap_or(0);
            kept.extend((from..to).min_by_key(by));
            kept.extend((from..to).max_by_key(by));
        }
    }
    kept.push(n - 1);
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// The columns whose peaks must not be lost by thinning.
pub fn peak_columns(table: &Table, version: CgroupVersion) -> Vec<usize> {
    const PEAKS: [&Row; 2] = [Row::named("usage"), Row::named("inactive_file")];
    PEAKS
        .iter()
        .filter_map(|row| row.column(version, &table.columns))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn peaks_stay_and_the_limit_holds(values in proptest::collection::vec(0u64..1000, 0..400), limit in 3usize..100) {
            let table = Table {
                columns: vec!["memory.current".into()],
                t: (0..values.len() as u64).collect(),
                cost: vec![0; values.len()],
                values: values.clone(),
            };
            let kept = thin(&table, &[0], limit);
            prop_assert!(kept.len() <= limit + 1);
            prop_assert!(kept.is_sorted());
            let seen = |i: &usize| values[*i];
            prop_assert_eq!(kept.iter().map(seen).max(), values.iter().copied().max());
            prop_assert_eq!(kept.iter().map(seen).min(), values.iter().copied().min());
            prop_assert_eq!(kept.last().copied(), values.len().checked_sub(1));
        }
    }
}
