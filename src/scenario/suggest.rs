//! "Did you mean": the nearest of the names that would have been right.

/// The name of `allowed` nearest to `given`, if any is near enough to be what was meant.
pub fn nearest<'a>(given: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = normal(given);
    // A third of the letters may be wrong: more, and the suggestion is a guess.
    let bound = (given.chars().count() / 3).max(1);
    allowed
        .into_iter()
        .map(|name| (distance(&given, &normal(name)), name))
        .filter(|(d, _)| *d <= bound)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// "did you mean `x`? " where one is near, to be put before what there is; else nothing.
pub fn did_you_mean<'a>(given: &str, allowed: impl IntoIterator<Item = &'a str>) -> String {
    let near = nearest(given, allowed);
    near.map_or_else(String::new, |near| format!("did you mean `{near}`? "))
}

/// `did you mean `x`?`, or the names themselves where none is near; none where there is no name.
pub fn help(given: &str, what: &str, allowed: &[&str]) -> Option<String> {
    if allowed.is_empty() {
        return None;
    }
    let hint = did_you_mean(given, allowed.iter().copied());
    Some(format!("{hint}{what}: {}", list(allowed)))
}

/// Names in a row: `a`, `b`, `c`.
pub fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|n| format!("`{n}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// People mix up case, `-` and `_`: none of that is a difference here.
fn normal(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// Edits (insert, delete, replace, swap of neighbours) from `a` to `b`; names over 64 letters count
/// as far apart.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().max(b.len()) > 64 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_through_typos_and_spelling_habits() {
        let allowed = ["log_write", "file_read", "anon", "release"];
        assert_eq!(nearest("log-write", allowed), Some("log_write"));
        assert_eq!(nearest("logwrite", allowed), Some("log_write"));
        assert_eq!(nearest("lgo_write", allowed), Some("log_write"));
        assert_eq!(nearest("Release", allowed), Some("release"));
        assert_eq!(nearest("banana", allowed), None);
        assert_eq!(nearest(&"x".repeat(10_000), allowed), None);
    }
}
