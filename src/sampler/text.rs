//! Numbers out of the kernel's texts, without an allocation.

use crate::rows::UNLIMITED;

/// A number or `max` at the start of `text`, and how many bytes it takes; none for anything else.
#[inline]
pub(super) fn leading_value(text: &[u8]) -> Option<(u64, usize)> {
    let mut n = 0u64;
    let mut at = 0;
    while let Some(digit) = text
        .get(at)
        .map(|c| c.wrapping_sub(b'0'))
        .filter(|d| *d < 10)
    {
        n = n.checked_mul(10)?.checked_add(u64::from(digit))?;
        at += 1;
    }
    match at {
        0 if text.starts_with(b"max") => Some((UNLIMITED, 3)),
        0 => None,
        _ => Some((n, at)),
    }
}

/// The value of a whole text or line: a number or `max`, then nothing but white space.
pub(super) fn whole_value(text: &[u8]) -> Option<u64> {
    let (value, length) = leading_value(text)?;
    text[length..]
        .iter()
        .all(u8::is_ascii_whitespace)
        .then_some(value)
}

/// Splits `key value` or `key:   value kB`; a value in kB is given in bytes.
pub(super) fn key_and_value(line: &[u8]) -> Option<(&[u8], u64)> {
    let end = line.iter().position(|c| matches!(c, b' ' | b'\t' | b':'))?;
    let rest = line[end..].trim_ascii_start();
    let rest = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii();
    let (value, length) = leading_value(rest)?;
    let value = match rest[length..].trim_ascii() {
        b"" => value,
        b"kB" => value.checked_mul(1024)?,
        _ => return None,
    };
    Some((&line[..end], value))
}

/// The lines of a text without their ends.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|c| *c == b'\n').filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_as_the_kernel_writes_them() {
        for (text, want) in [
            ("0\n", Some(0)),
            ("9223372036854771712\n", Some(9_223_372_036_854_771_712)),
            ("max\n", Some(UNLIMITED)),
            ("18446744073709551616\n", None),
            ("-1\n", None),
            ("", None),
            ("12 34\n", None),
        ] {
            assert_eq!(whole_value(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn keys_and_values_of_all_three_kinds_of_file() {
        let split = |line: &'static str| key_and_value(line.as_bytes());
        assert_eq!(split("anon 4096"), Some((&b"anon"[..], 4096)));
        assert_eq!(
            split("VmRSS:\t    1624 kB"),
            Some((&b"VmRSS"[..], 1624 * 1024))
        );
        assert_eq!(
            split("MemAvailable:   7 kB"),
            Some((&b"MemAvailable"[..], 7 * 1024))
        );
        assert_eq!(split("Threads:\t1"), Some((&b"Threads"[..], 1)));
        for line in ["", "anon", "anon x", "State:\tS (sleeping)", "a 1 MB"] {
            assert_eq!(split(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = (whole_value(&bytes), key_and_value(&bytes), lines(&bytes).count());
        }
    }
}
