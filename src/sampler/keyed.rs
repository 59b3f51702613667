//! Files of `key value` lines: `memory.stat`, `memory.events`, `memory.oom_control`.

use super::columns::Columns;
use super::text::leading_value;

/// What is known of one such file: its lines in the order of the last reading.
#[derive(Debug)]
pub(super) struct Keyed {
    /// Goes before each key: empty, or `memory.events:`.
    prefix: String,
    lines: Vec<(Box<[u8]>, usize)>,
}

impl Keyed {
    /// Its columns will be called `prefix` + key.
    pub fn new(prefix: String) -> Self {
        Keyed {
            prefix,
            lines: Vec::new(),
        }
    }

    /// Reads one text into `columns`. Line N is first compared with what line N was before: the
    /// kernel's order does not change while it runs. A key never seen becomes a new column.
    pub fn read(&mut self, text: &[u8], columns: &mut Columns) {
        let mut rest = text;
        let mut index = 0;
        while !rest.is_empty() {
            let (column, after) = match self.expected(index, rest) {
                Some((column, length)) => (column, &rest[length..]),
                None => self.searched(rest, columns),
            };
            let length = match leading_value(after) {
                Some((value, length)) => {
                    if let Some(slot) = column.and_then(|column| columns.values.get_mut(column)) {
                        *slot = value;
                    }
                    length
                }
                None => 0,
            };
            rest = next_line(&after[length..]);
            index += 1;
        }
    }

    /// The column of line `index`, and the length of its key with the blank, if the key is the one
    /// that stood there before.
    #[inline]
    fn expected(&self, index: usize, line: &[u8]) -> Option<(Option<usize>, usize)> {
        let (key, column) = self.lines.get(index)?;
        let found = line.starts_with(key) && line.get(key.len()) == Some(&b' ');
        found.then_some((Some(*column), key.len() + 1))
    }

    /// The column of a line that is not where it was, and what follows its key. No column for a
    /// line that is no `key number`.
    #[cold]
    fn searched<'a>(&mut self, text: &'a [u8], columns: &mut Columns) -> (Option<usize>, &'a [u8]) {
        let end = text.iter().position(|c| *c == b'\n').unwrap_or(text.len());
        let Some(blank) = text[..end].iter().position(|c| *c == b' ') else {
            return (None, &text[end..]);
        };
        let (key, after) = (&text[..blank], &text[blank + 1..]);
        if leading_value(after).is_none() {
            return (None, &text[end..]);
        }
        let known = self.lines.iter().find(|(k, _)| **k == *key);
        let column = match known {
            Some((_, column)) => *column,
            None => {
                let name = format!("{}{}", self.prefix, String::from_utf8_lossy(key));
                let column = columns.index(&name);
                self.lines.push((key.into(), column));
                column
            }
        };
        (Some(column), after)
    }
}

fn next_line(text: &[u8]) -> &[u8] {
    match text {
        [b'\n', rest @ ..] => rest,
        _ => match text.iter().position(|c| *c == b'\n') {
            Some(end) => &text[end + 1..],
            None => &[],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::MISSING;
    use proptest::prelude::*;

    fn read(keyed: &mut Keyed, text: &str, columns: &mut Columns) -> Vec<(String, u64)> {
        columns.clear();
        keyed.read(text.as_bytes(), columns);
        columns
            .names
            .iter()
            .cloned()
            .zip(columns.values.iter().copied())
            .collect()
    }

    fn rows(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
        rows.iter().map(|(n, v)| (String::from(*n), *v)).collect()
    }

    #[test]
    fn rows_may_move_appear_and_vanish() {
        let (mut keyed, mut columns) = (Keyed::new(String::new()), Columns::default());
        let got = read(&mut keyed, "anon 1\nfile 2\n", &mut columns);
        assert_eq!(got, rows(&[("anon", 1), ("file", 2)]));
        let got = read(&mut keyed, "file 3\nanon 4\nnew_row 5\n", &mut columns);
        assert_eq!(got, rows(&[("anon", 4), ("file", 3), ("new_row", 5)]));
        let got = read(&mut keyed, "file_mapped 9\nfile 6\n", &mut columns);
        let m = MISSING;
        assert_eq!(
            got,
            rows(&[("anon", m), ("file", 6), ("new_row", m), ("file_mapped", 9)])
        );
    }

    #[test]
    fn a_line_that_is_no_row_is_left_out_and_the_rest_is_read() {
        let (mut keyed, mut columns) = (Keyed::new("e:".into()), Columns::default());
        let got = read(
            &mut keyed,
            "low\nhigh x\n\nmax 3\noom -1\noom_kill 4",
            &mut columns,
        );
        assert_eq!(got, rows(&[("e:max", 3), ("e:oom_kill", 4)]));
    }

    #[test]
    fn a_known_row_without_a_number_is_missing() {
        let (mut keyed, mut columns) = (Keyed::new(String::new()), Columns::default());
        read(&mut keyed, "anon 1\nfile 2\n", &mut columns);
        let got = read(&mut keyed, "anon ?\nfile 3\n", &mut columns);
        assert_eq!(got, rows(&[("anon", MISSING), ("file", 3)]));
    }

    proptest! {
        #[test]
        fn any_order_and_any_subset_gives_each_row_its_value(
            first in prop::collection::vec(("[a-c_]{1,3}", any::<u64>()), 0..12),
            second in prop::collection::vec(("[a-c_]{1,3}", any::<u64>()), 0..12),
        ) {
            let (mut keyed, mut columns) = (Keyed::new(String::new()), Columns::default());
            for rows in [first, second] {
                let mut want: std::collections::BTreeMap<String, u64> = Default::default();
                let mut text = String::new();
                for (name, value) in &rows {
                    // Of a row that comes twice the last one counts.
                    want.insert(name.clone(), *value);
                    text += &format!("{name} {value}\n");
                }
                let got = read(&mut keyed, &text, &mut columns);
                for (name, value) in got {
                    prop_assert_eq!(value, want.get(&name).copied().unwrap_or(MISSING), "{}", name);
                }
                prop_assert!(want.keys().all(|name| columns.names.contains(name)));
            }
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, text in "([a-b]{0,2}[ \n]?[0-9m]{0,3}\n?){0,9}") {
            let (mut keyed, mut columns) = (Keyed::new(String::new()), Columns::default());
            keyed.read(&bytes, &mut columns);
            keyed.read(text.as_bytes(), &mut columns);
            keyed.read(&bytes, &mut columns);
        }
    }
}
