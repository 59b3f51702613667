//! The `key value` pairs of one line, in the spellings of kernel files, tables and logs.

use super::{names, number};

/// One pair: the name as it stood there and the value in bytes (or a count).
pub type Pair = (String, u64);

/// All pairs of a line whose key `known` accepts. `key value` must begin the line or follow
/// another pair, so that prose with a number in it is not taken for a row; `key: value` and
/// `key=value` may also follow a stamp or a sign.
pub fn of(line: &str, known: impl Fn(&str) -> bool) -> Vec<Pair> {
    let spaced = spaced(line);
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut pairs = Vec::new();
    let (mut at, mut expected) = (0, true);
    while at < words.len() {
        let word = words[at];
        let (key, glued) = match word.strip_suffix([':', '=']) {
            Some(key) => (key, true),
            None => (word, false),
        };
        let key = key.trim_matches(['"', '\'', '`', '*', ',', '|', '{']);
        let value = value(&words[at + 1..]);
        match value {
            Some((bytes, used))
                if known(key) && ((glued && after(&words, at, &pairs)) || expected) =>
            {
                pairs.push((key.to_string(), bytes));
                at += 1 + used;
                expected = true;
            }
            _ => {
                // A table's bar or a list's comma may stand before the next pair.
                expected =
                    expected && matches!(word, "|" | "," | ";") || word.ends_with([',', ';']);
                at += 1;
            }
        }
    }
    pairs
}

/// Whether a `key:` may stand here: first, after a pair, or after what ends in a sign or has a digit.
/// The word before it would else be a part of the name (`kernel file: 5`).
fn after(words: &[&str], at: usize, pairs: &[Pair]) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| words[before]) else {
        return true;
    };
    !pairs.is_empty()
        || before.contains(|c: char| c.is_ascii_digit())
        || !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
        || words[at].starts_with(|c: char| !c.is_alphanumeric())
}

/// Puts a space after the separator of `key:value` and `key=value`, and around table bars.
fn spaced(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let chars: Vec<char> = line.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        match c {
            '|' => out.push_str(" | "),
            ':' | '=' => {
                // `key : value` is `key: value`.
                let trimmed = out.trim_end().len();
                out.truncate(trimmed);
                out.push(*c);
                // A second sign belongs to the first (`=>`, `::`).
                if chars
                    .get(at + 1)
                    .is_none_or(|next| !matches!(next, '=' | ':' | '>'))
                {
                    out.push(' ');
                }
            }
            c => out.push(*c),
        }
    }
    out
}

/// The value at the beginning of `words`, and how many of them it took.
fn value(words: &[&str]) -> Option<(u64, usize)> {
    let skipped = words
        .iter()
        .take_while(|w| matches!(**w, "|" | "=" | ":" | "=>"))
        .count();
    let words = &words[skipped..];
    let first = *words.first()?;
    // Thousands set apart by spaces, as some locales do, to the end of the line or cell. A u64 has at
    // most seven groups.
    let end = words
        .iter()
        .take(8)
        .position(|w| *w == "|")
        .unwrap_or(words.len());
    let groups = &words[..end];
    if (2..=7).contains(&groups.len()) && number::is_grouped(groups) {
        return Some((groups.concat().parse().ok()?, skipped + groups.len()));
    }
    let scaled = words.get(1).and_then(|word| {
        let digits = first.trim_matches(['"', '\'', '`', '*']);
        // A name that happens to be a unit's letter can't follow a number here.
        number::scale(&digits.replace([',', '_'], ""), number::unit(word)?)
    });
    match scaled {
        Some(bytes) => Some((bytes, skipped + 2)),
        None => Some((number::parse(first)?, skipped + 1)),
    }
}

/// Pairs of memory.stat and common names for it, units in names taken off.
pub fn of_stat(line: &str, any_row: bool) -> Vec<Pair> {
    let row_like = |key: &str| {
        key.len() > 2
            && key.starts_with(|c: char| c.is_ascii_lowercase())
            && key
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let known = |key: &str| {
        names::is_stat(key) || names::with_unit(key).is_some() || (any_row && row_like(key))
    };
    let mut pairs = of(line, known);
    for (key, value) in &mut pairs {
        if !names::is_stat(key)
            && let Some((base, factor)) = names::with_unit(key)
            && let Some(bytes) = value.checked_mul(factor as u64)
        {
            (*key, *value) = (base.to_string(), bytes);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stat(line: &str) -> Vec<Pair> {
        of_stat(line, false)
    }

    fn pair(key: &str, value: u64) -> Pair {
        (key.into(), value)
    }

    #[test]
    fn spellings() {
        for line in [
            "rss 1234567",
            "rss: 1,234,567",
            "rss=1234567",
            "rss : 1234567",
            "| rss | 1234567 |",
            "\"rss\": 1234567,",
            "rss 1 234 567",
            "rss 1234567 bytes",
            "rss\t1234567",
        ] {
            assert_eq!(stat(line), [pair("rss", 1_234_567)], "{line}");
        }
        assert_eq!(
            stat("cache:8KB rss:4KB total_swap:0KB"),
            [
                pair("cache", 8192),
                pair("rss", 4096),
                pair("total_swap", 0)
            ]
        );
        assert_eq!(
            stat("usage: 822935552, cache: 477356032"),
            [pair("usage", 822_935_552), pair("cache", 477_356_032)]
        );
        assert_eq!(stat("shmem 12 kB"), [pair("shmem", 12_288)]);
        assert_eq!(stat("anon_kb 12"), [pair("anon", 12_288)]);
    }

    #[test]
    fn prose_is_not_a_row() {
        for line in [
            "Linux kernel 6",
            "the cache 500 was",
            "kernel 5.10",
            "rss",
            "rss is 5",
            "inactive_fi",
            "rss -5",
        ] {
            assert_eq!(stat(line), [], "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(line in ".{0,120}", rows in "([a-z_]{1,8}[:= |]{1,3}[0-9,.kKB]{0,22} ?){0,6}") {
            of_stat(&line, true);
            of_stat(&rows, true);
        }
    }
}
