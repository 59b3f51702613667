//! Sizes, rates, times and shares as people write them: `256MiB`, `20MiB/s`, `500ms`, `40%`.
//!
//! One grammar for scenario files and the command line, and one way to print each.

use std::fmt;
use std::time::Duration;

/// What was wrong with a written quantity, with the spellings that would have been right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}; write it as {examples}")]
pub struct UnitError {
    /// The text as it was given.
    pub text: String,
    /// What was expected there ("a size", "a time").
    pub what: &'static str,
    /// Spellings that are accepted.
    pub examples: &'static str,
}

const SIZE_EXAMPLES: &str = "`4096`, `64KiB`, `256MiB`, `1.5GiB` or `200MB`";
const TIME_EXAMPLES: &str = "`500ms`, `10s`, `5m` or `1h`";

/// The size suffixes, longest first so that `MiB` is not read as `M`.
const SIZE_UNITS: [(&str, u64); 13] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Reads a size in bytes: a number with an optional unit (`KiB`/`Ki` are 1024, `kB` is 1000).
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let error = || UnitError {
        text: text.into(),
        what: "a size",
        examples: SIZE_EXAMPLES,
    };
    let (number, factor) = SIZE_UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1));
    scaled(number.trim(), factor as f64, factor)
        .filter(|_| !text.is_empty())
        .ok_or_else(error)
}

/// `number` times `factor`, exactly for whole numbers, rounded to the nearest unit for fractions.
fn scaled(number: &str, factor: f64, whole: u64) -> Option<u64> {
    let digits = number.replace('_', "");
    if !digits.starts_with(|c: char| c.is_ascii_digit())
        || !digits.chars().all(|c| c.is_ascii_digit() || c == '.')
    {
        return None;
    }
    if let Ok(n) = digits.parse::<u64>() {
        return n.checked_mul(whole);
    }
    let product = (digits.parse::<f64>().ok()? * factor).round();
    // Above 2^63 a float can't be told from its neighbours any more, and no memory is that large.
    (product.is_finite() && product < i64::MAX as f64).then_some(product as u64)
}

/// Reads a time: `500ms`, `10s`, `1.5m`, `1h`, `250us`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    const UNITS: [(&str, u64); 6] = [
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    UNITS
        .iter()
        .find_map(|(unit, ns)| Some((text.strip_suffix(unit)?, *ns)))
        .and_then(|(number, ns)| scaled(number.trim(), ns as f64, ns))
        .map(Duration::from_nanos)
        .ok_or_else(|| UnitError {
            text: text.into(),
            what: "a time",
            examples: TIME_EXAMPLES,
        })
}

/// Reads a rate in bytes per second: `20MiB/s`.
pub fn parse_rate(text: &str) -> Result<u64, UnitError> {
    text.strip_suffix("/s")
        .and_then(|size| parse_bytes(size.trim()).ok())
        .filter(|rate| *rate > 0)
        .ok_or_else(|| UnitError {
            text: text.into(),
            what: "a rate",
            examples: "`20MiB/s` or `500KiB/s`",
        })
}

/// Reads a share in percent, 0 to 10,000: `40%`.
pub fn parse_percent(text: &str) -> Result<f64, UnitError> {
    text.strip_suffix('%')
        .and_then(|number| number.trim().parse::<f64>().ok())
        .filter(|p| p.is_finite() && (0.0..=10_000.0).contains(p))
        .ok_or_else(|| UnitError {
            text: text.into(),
            what: "a share",
            examples: "`40%` or `2.5%`",
        })
}

/// A size in bytes or as a share of the container's memory limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// That many bytes.
    Bytes(u64),
    /// That many percent of the limit.
    OfLimit(f64),
}

impl Size {
    /// Reads `256MiB` or `40%`.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        if text.ends_with('%') {
            return parse_percent(text).map(Size::OfLimit);
        }
        parse_bytes(text).map(Size::Bytes).map_err(|e| UnitError {
            examples: "`64KiB`, `256MiB` or a share of the limit like `40%`",
            ..e
        })
    }

    /// The size in bytes under a limit of `limit` bytes.
    pub fn resolve(self, limit: u64) -> u64 {
        match self {
            Size::Bytes(bytes) => bytes,
            Size::OfLimit(percent) => (limit as f64 * percent / 100.0).round() as u64,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Bytes(bytes) => f.write_str(&bytes_exact(*bytes)),
            Size::OfLimit(percent) => write!(f, "{percent}%"),
        }
    }
}

/// A size for people: three digits or so and a binary unit (`103.5 MiB`, `512 B`).
pub fn bytes(n: u64) -> String {
    signed_bytes(n as i128)
}

/// A size that may be below zero, for people.
pub fn signed_bytes(n: impl Into<i128>) -> String {
    let n = n.into();
    let magnitude = n.unsigned_abs() as f64;
    let sign = if n < 0 { "-" } else { "" };
    for (unit, factor) in [
        ("TiB", 1u64 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ] {
        // 0.95 and not 1: 1,000 KiB reads better as 1.0 MiB.
        if magnitude >= factor as f64 * 0.95 {
            return format!("{sign}{:.1} {unit}", magnitude / factor as f64);
        }
    }
    format!("{sign}{magnitude} B")
}

/// A size in MiB with one decimal and no unit, for columns headed MiB.
pub fn mib(n: u64) -> String {
    format!("{:.1}", n as f64 / (1u64 << 20) as f64)
}

/// The same for a size that may be below zero.
pub fn signed_mib(n: i64) -> String {
    format!("{:.1}", n as f64 / (1u64 << 20) as f64)
}

/// A size as it is written in scenario files: exact, so that it reads back as the same number.
pub fn bytes_exact(n: u64) -> String {
    for (unit, factor) in [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if n >= factor && n.is_multiple_of(factor) {
            return format!("{}{unit}", n / factor);
        }
    }
    format!("{n}B")
}

/// A time for people: `1.25 s`, `35 ms`, `120 us`.
pub fn duration(d: Duration) -> String {
    let s = d.as_secs_f64();
    match s {
        _ if s >= 120.0 => format!("{:.0} min {:02.0} s", (s / 60.0).floor(), s % 60.0),
        _ if s >= 1.0 => format!("{s:.2} s"),
        _ if s >= 1e-3 => format!("{:.0} ms", s * 1e3),
        _ => format!("{:.0} us", s * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, want) in [
            ("0", 0),
            ("4096", 4096),
            ("128B", 128),
            ("64KiB", 65_536),
            ("256MiB", 268_435_456),
            ("256Mi", 268_435_456),
            ("1.5GiB", 1_610_612_736),
            ("200MB", 200_000_000),
            ("200_000_000", 200_000_000),
            ("64 KiB", 65_536),
        ] {
            assert_eq!(parse_bytes(text), Ok(want), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-1",
            "1e9",
            "1..5MiB",
            "ten",
            "99999999TiB",
            "40%",
            "NaN",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_rates_and_shares() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_rate("20MiB/s"), Ok(20 << 20));
        assert_eq!(parse_percent("2.5%"), Ok(2.5));
        assert!(parse_duration("10").is_err());
        assert!(parse_rate("0MiB/s").is_err());
        assert!(parse_rate("20MiB").is_err());
        assert!(parse_percent("-1%").is_err());
        assert_eq!(Size::parse("40%").unwrap().resolve(1000), 400);
    }

    #[test]
    fn an_error_says_what_would_be_right() {
        let text = parse_bytes("12 bananas").unwrap_err().to_string();
        assert!(
            text.contains("12 bananas") && text.contains("256MiB"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn exact_sizes_round_trip(n in 0u64..u64::MAX / 2) {
            prop_assert_eq!(parse_bytes(&bytes_exact(n)), Ok(n));
        }

        #[test]
        fn nothing_panics(text in ".{0,24}") {
            let _ = (parse_bytes(&text), parse_duration(&text), parse_rate(&text), Size::parse(&text));
        }
    }
}
