//! Tables with a column each for before and after, or for several containers.

use crate::explain::{names, number};

/// The most rows of one table: more than any memory.stat has.
const ROWS_MAX: usize = 200;

/// The lines of a table `| row | before | after |` as one block a column, headed by the column's
/// name; other lines as they are.
pub fn unfolded(lines: &[String]) -> Vec<String> {
    let mut out = Vec::with_capacity(lines.len());
    let mut at = 0;
    while at < lines.len() {
        let cells = cells(&lines[at]);
        // The next line tells: looking at all of a long table for each of its lines takes forever.
        let next = |ahead: usize| lines.get(at + ahead).map_or(Vec::new(), |l| self::cells(l));
        let rule = |cells: &[&str]| {
            !cells.is_empty()
                && cells
                    .iter()
                    .all(|cell| cell.trim_matches(['-', ':']).is_empty())
        };
        let may_head = cells.len() >= 3
            && !is_row(&cells)
            && (is_row(&next(1)) || (rule(&next(1)) && is_row(&next(2))));
        let body: Vec<Vec<&str>> = lines[at + 1..]
            .iter()
            .take(if may_head { ROWS_MAX } else { 0 })
            .map(|line| self::cells(line))
            .take_while(|row| row.len() == cells.len())
            .collect();
        let rows: Vec<&Vec<&str>> = body.iter().filter(|row| is_row(row)).collect();
        if rows.is_empty() {
            out.push(lines[at].clone());
            at += 1;
            continue;
        }
        for (column, name) in cells.iter().enumerate().skip(1) {
            // A column of shares or remarks is no reading.
            if !rows.iter().all(|row| number::parse(row[column]).is_some()) {
                continue;
            }
            out.push((*name).to_string());
            out.extend(rows.iter().map(|row| format!("{} {}", row[0], row[column])));
        }
        at += 1 + body.len();
    }
    out
}

/// The cells between bars, without their marks.
fn cells(line: &str) -> Vec<&str> {
    if !line.contains('|') {
        return Vec::new();
    }
    line.trim_matches(['|', ' '])
        .split('|')
        .map(|cell| cell.trim().trim_matches(['`', '*']))
        .collect()
}

/// Whether a line of cells is a row's name and its values.
fn is_row(cells: &[&str]) -> bool {
    let Some((name, values)) = cells.split_first() else {
        return false;
    };
    let known = names::is_stat(name) || names::file_in(name).is_some();
    known && values.iter().any(|value| number::parse(value).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Vec<String> {
        unfolded(&text.lines().map(str::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_column_is_a_reading() {
        assert_eq!(
            of(
                "Look:\n| row | before | after | change |\n|---|---|---|---|\n| anon | 5 | 1,000 | +5 % |\n| `file` | 6 | 7 | - |\nend"
            ),
            [
                "Look:",
                "before",
                "anon 5",
                "file 6",
                "after",
                "anon 1,000",
                "file 7",
                "end"
            ]
        );
        let narrow = "| row | value |\n|---|---|\n| anon | 5 |";
        assert_eq!(of(narrow), narrow.lines().collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(\\|( ?(anon|[0-9]{1,3}|-+|é) ?\\|){0,4}\n){0,6}") {
            of(&text);
        }
    }
}
