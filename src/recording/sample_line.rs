//! The parser of sample lines, by hand: they are 99 % of a recording, and of one shape.

use super::MISSING;
use crate::rows::UNLIMITED;

/// What a line is not, and where: `at` counts bytes from the line's start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub at: usize,
    pub what: String,
}

/// The three numbers before the values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub group: usize,
    pub t: u64,
    pub cost: u64,
}

/// An offset into the text of a sample.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    pub at: usize,
}

impl<'a> Cursor<'a> {
    /// `text` begins with the line and may go on after it.
    pub fn new(text: &'a [u8]) -> Self {
        Cursor { text, at: 0 }
    }

    /// Reads `[group, t, cost`.
    pub fn prefix(&mut self) -> Result<Prefix, Fault> {
        self.expect(b'[', "a sample's `[`")?;
        let group = self.number("a group's index")? as usize;
        self.expect(b',', "`,` and the sample's time")?;
        let t = self.number("the sample's time in nanoseconds")?;
        self.expect(b',', "`,` and the sample's cost")?;
        let cost = self.number("the sample's cost in nanoseconds")?;
        Ok(Prefix { group, t, cost })
    }

    /// Reads `, v0, v1, ...]` and the line's end, at most `max` values.
    pub fn values(&mut self, max: usize, into: &mut Vec<u64>) -> Result<usize, Fault> {
        let mut count = 0;
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.fault("`,` or `]`")),
            }
            if count == max {
                return Err(Fault {
                    at: self.at,
                    what: format!("more than the {max} values that the group has columns"),
                });
            }
            into.push(self.value()?);
            count += 1;
        }
        self.at += 1;
        self.skip_blanks();
        match self.peek() {
            None | Some(b'\n') => Ok(count),
            Some(_) => Err(self.fault("the line's end")),
        }
    }

    #[inline]
    fn value(&mut self) -> Result<u64, Fault> {
        if let Some(b'0'..=b'9') = self.peek() {
            return self.digits();
        }
        self.skip_blanks();
        let rest = &self.text[self.at..];
        for (word, value) in [(b"null".as_slice(), MISSING), (b"\"max\"", UNLIMITED)] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        self.number("a whole number, null or \"max\"")
    }

    fn number(&mut self, what: &str) -> Result<u64, Fault> {
        self.skip_blanks();
        match self.peek() {
            Some(b'0'..=b'9') => self.digits(),
            _ => Err(self.fault(what)),
        }
    }

    /// Digits from an offset where there is one at least.
    #[inline]
    fn digits(&mut self) -> Result<u64, Fault> {
        let start = self.at;
        let mut n = 0u64;
        while let Some(digit) = self
            .peek()
            .map(|c| c.wrapping_sub(b'0'))
            .filter(|d| *d < 10)
        {
            n = n.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
        // 19 digits always fit.
        if self.at - start < 20 {
            return Ok(n);
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        text.parse().map_err(|_| Fault {
            at: start,
            what: "a number beyond 64 bits".into(),
        })
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), Fault> {
        self.skip_blanks();
        if self.peek() != Some(byte) {
            return Err(self.fault(what));
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn fault(&self, wanted: &str) -> Fault {
        let seen = match self.peek() {
            None | Some(b'\n') => "the line ends".into(),
            Some(c) => format!("there is `{}`", c.escape_ascii()),
        };
        Fault {
            at: self.at,
            what: format!("{seen} where {wanted} should be"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &[u8]) -> Result<(Prefix, Vec<u64>), Fault> {
        let (mut cursor, mut values) = (Cursor::new(line), Vec::new());
        let prefix = cursor.prefix()?;
        cursor.values(100, &mut values)?;
        Ok((prefix, values))
    }

    #[test]
    fn a_sample_is_read_with_and_without_blanks() {
        let want = (
            Prefix {
                group: 1,
                t: 20,
                cost: 3,
            },
            vec![0, MISSING, UNLIMITED, 9_223_372_036_854_771_712],
        );
        let tight = b"[1,20,3,0,null,\"max\",9223372036854771712]\n[0,";
        let loose = b"[1, 20, 3, 0, null, \"max\", 9223372036854771712]\r\n";
        assert_eq!(parse(tight).as_ref(), Ok(&want));
        assert_eq!(parse(loose), Ok(want));
    }

    #[test]
    fn a_fault_says_where_and_what() {
        for (line, at, what) in [
            ("[1,20,3,x]", 8, "`x`"),
            ("[1,20,-3]", 6, "`-`"),
            ("[1,20", 5, "line ends"),
            ("[1,20,3,4] 5", 11, "line's end"),
            ("[1,20,3,4.5]", 9, "`.`"),
            ("[1,20,3,18446744073709551616]", 8, "64 bits"),
            ("{}", 0, "`[`"),
        ] {
            let fault = parse(line.as_bytes()).unwrap_err();
            assert_eq!(fault.at, at, "{line}: {}", fault.what);
            assert!(fault.what.contains(what), "{line}: {}", fault.what);
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(line in "[\\[\\],0-9a-z\" \n-]{0,60}", bytes: Vec<u8>) {
            let _ = (parse(line.as_bytes()), parse(&bytes));
        }
    }
}
