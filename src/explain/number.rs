//! Numbers as people paste them: separators, units, exponents, `max`.

use crate::rows::UNLIMITED;

/// A sum that stops at the largest number there is.
pub fn sum(values: impl IntoIterator<Item = u64>) -> u64 {
    values.into_iter().fold(0, u64::saturating_add)
}

/// Whether a part is at least so many percent of a whole.
pub fn reaches(part: u64, whole: u64, percent: u64) -> bool {
    u128::from(part) * 100 >= u128::from(whole) * u128::from(percent)
}

/// A part's share of a whole in percent; 0 of nothing.
pub fn percent(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64 * 100.0,
    }
}

/// Percent of the limit from which on it is near.
pub const NEAR_PERCENT: u64 = 90;

/// Bytes of a unit; the kernel's `kB` and `KB` are 1024. None for any other word.
pub fn unit(word: &str) -> Option<f64> {
    let word = word.trim_end_matches([',', ';', '.', ')']);
    Some(match word.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => 1.0,
        "kb" | "kib" | "k" | "ki" => 1024.0,
        "mib" | "m" | "mi" => 1_048_576.0,
        "gib" | "g" | "gi" => 1_073_741_824.0,
        "tib" | "t" | "ti" => 1_099_511_627_776.0,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return None,
    })
}

/// A whole number of bytes: `123`, `1,234,567`, `1_234`, `1.234.567`, `1.9181568e+08`, `64KiB`,
/// `12kB`, `max`. A fraction needs a unit or an exponent, so that `5.10` (a version) is none.
pub fn parse(word: &str) -> Option<u64> {
    let word = word.trim_matches(['"', '\'', '`', '*', ',', ';', '|', '(', ')']);
    if matches!(word, "max" | "unlimited" | "infinity") {
        return Some(UNLIMITED);
    }
    if let Some(number) = whole(word) {
        return Some(number);
    }
    let split = word
        .char_indices()
        .find(|(at, c)| {
            // `e` of an exponent belongs to the number, `e` of a unit does not exist.
            let exponent = matches!(c, 'e' | 'E')
                && word[at + 1..].starts_with(|n: char| n.is_ascii_digit() || n == '+' || n == '-');
            let sign = matches!(c, '+' | '-') && word[..*at].ends_with(['e', 'E']);
            !(c.is_ascii_digit() || matches!(c, '.' | ',' | '_') || exponent || sign)
        })
        .map_or(word.len(), |(at, _)| at);
    let (digits, suffix) = word.split_at(split);
    let scientific = digits.contains(['e', 'E']);
    if suffix.is_empty() {
        return if scientific {
            rounded(digits.parse().ok()?)
        } else {
            None
        };
    }
    scale(digits, unit(suffix)?)
}

/// Plain digits times a unit.
pub fn whole_times(digits: &str, unit: u64) -> Option<u64> {
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// A count of that unit, or a size that has a unit of its own.
pub fn in_unit(word: &str, unit: u64) -> Option<u64> {
    match word.parse::<u64>() {
        Ok(count) => count.checked_mul(unit),
        Err(_) => parse(word),
    }
}

/// A size whose unit stands apart from its digits: `549`, `MiB`.
pub fn apart(digits: &str, word: &str) -> Option<u64> {
    scale(digits, unit(word)?)
}

/// `digits` times `factor`, exactly where both are whole.
pub fn scale(digits: &str, factor: f64) -> Option<u64> {
    match whole(digits) {
        Some(number) => number.checked_mul(factor as u64),
        // A comma that groups nothing is a decimal one: `9,4Gi`.
        None => rounded(digits.replacen(',', ".", 1).parse::<f64>().ok()? * factor),
    }
}

/// Digits with or without thousands separators.
fn whole(text: &str) -> Option<u64> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    for separator in [',', '_', '\'', '.'] {
        let groups: Vec<&str> = text.split(separator).collect();
        // One dot is a decimal point; two make it a separator.
        let enough = groups.len() > if separator == '.' { 2 } else { 1 };
        if enough && is_grouped(&groups) {
            return groups.concat().parse().ok();
        }
    }
    None
}

/// A first group of one to three digits, then groups of three.
pub fn is_grouped(groups: &[&str]) -> bool {
    let digits = |g: &&str| g.bytes().all(|b| b.is_ascii_digit());
    groups.iter().all(digits)
        && groups.first().is_some_and(|g| (1..=3).contains(&g.len()))
        && groups.iter().skip(1).all(|g| g.len() == 3)
}

fn rounded(number: f64) -> Option<u64> {
    // Above 2^63 no memory is that large; below 0 it is no row.
    (number.is_finite() && (0.0..9.2e18).contains(&number)).then(|| number.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_people_paste_them() {
        for (text, want) in [
            ("123", Some(123)),
            ("1,234,567", Some(1_234_567)),
            ("1_234_567", Some(1_234_567)),
            ("1.234.567", Some(1_234_567)),
            ("1'234'567", Some(1_234_567)),
            ("1.9181568e+08", Some(191_815_680)),
            ("1048576kB,", Some(1 << 30)),
            ("0KB", Some(0)),
            ("1.5GiB", Some(3 << 29)),
            ("256Mi", Some(256 << 20)),
            ("200MB", Some(200_000_000)),
            ("\"42\",", Some(42)),
            ("max", Some(UNLIMITED)),
            ("18446744073709551615", Some(u64::MAX)),
            ("5.10", None),
            ("6.18.44", None),
            ("-5", None),
            ("12,34", None),
            ("x12", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse(text), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[0-9.,eE+kKMGiBé_-]{0,24}") {
            let _ = parse(&text);
        }
    }
}
