//! Decimal numbers without an allocation: about 80 of them a sample, so they are worth a file.

use super::MISSING;
use crate::rows::UNLIMITED;

const PAIRS: &[u8; 200] = b"00010203040506070809\
    10111213141516171819\
    20212223242526272829\
    30313233343536373839\
    40414243444546474849\
    50515253545556575859\
    60616263646566676869\
    70717273747576777879\
    80818283848586878889\
    90919293949596979899";

/// Appends `n` in decimal.
pub(super) fn push_u64(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    while n >= 100 {
        let pair = (n % 100) as usize * 2;
        n /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if n >= 10 {
        let pair = n as usize * 2;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        digits[at] = b'0' + n as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a value of a sample: `null` for [`MISSING`], `"max"` for [`UNLIMITED`].
pub(super) fn push_value(out: &mut Vec<u8>, value: u64) {
    match value {
        // Most rows of an idle container are 0.
        0 => out.push(b'0'),
        MISSING => out.extend_from_slice(b"null"),
        UNLIMITED => out.extend_from_slice(b"\"max\""),
        n => push_u64(out, n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_writes_them(n: u64, shift in 0u32..64) {
            for n in [n, n >> shift, u64::MAX, 9, 10, 99, 100] {
                let mut out = Vec::new();
                push_u64(&mut out, n);
                prop_assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
            }
        }
    }
}
