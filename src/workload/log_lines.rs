//! The text of a log: lines made once, then only ever sliced.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::Dist;
use super::dist::Draw;

/// Bytes of lines made in advance, at least. They are charged to the container like any program's
/// own memory, so few; drawn sizes repeat after them.
const POOL_BYTES: usize = 64 << 10;

/// The longest line that is drawn or asked for.
const LINE_MAX: u64 = 16 << 20;

/// An endless log, read piece by piece without copying.
#[derive(Debug)]
pub struct Lines {
    /// Whole lines, then as much of their beginning again as the largest piece needs.
    text: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
    /// Where the next piece begins.
    at: usize,
    /// The line that it begins in.
    line: usize,
    /// Bytes a piece; 0 is a line a piece.
    piece: usize,
}

impl Lines {
    /// Makes lines of drawn sizes, to be read in pieces of `piece` bytes, or line by line if it
    /// is 0.
    ///
    /// # Errors
    /// Says what is wrong with the sizes.
    pub fn new(sizes: &Dist, piece: u64, mut rng: Xoshiro256PlusPlus) -> Result<Lines, String> {
        let draw = Draw::new(sizes)?;
        if let Dist::Fixed(n) | Dist::Uniform(_, n) = sizes
            && !(1..=LINE_MAX).contains(n)
        {
            return Err(format!(
                "a line of {n} bytes: it must be 1 byte to 16 MiB long"
            ));
        }
        let piece = usize::try_from(piece).unwrap_or(usize::MAX);
        if piece > 1 << 30 {
            return Err(format!(
                "a buffer of {piece} bytes: it must not be above 1 GiB"
            ));
        }
        let (mut text, mut ends) = (Vec::with_capacity(POOL_BYTES + piece), Vec::new());
        while text.len() < POOL_BYTES {
            let size = draw.draw(&mut rng, LINE_MAX) as usize;
            push_line(&mut text, size, ends.len(), &mut rng);
            ends.push(text.len());
        }
        let whole = text.len();
        for i in 0..piece {
            text.push(text[i % whole]);
        }
        Ok(Lines {
            text,
            ends,
            at: 0,
            line: 0,
            piece,
        })
    }

    /// The next piece, cut to `most` bytes, and how many lines end in it.
    #[inline]
    pub fn next(&mut self, most: u64) -> (&[u8], u64) {
        let whole = self.ends[self.ends.len() - 1];
        let from = self.at;
        let piece = if self.piece == 0 {
            self.ends[self.line] - from
        } else {
            self.piece
        };
        let len = piece.min(usize::try_from(most).unwrap_or(usize::MAX));
        let mut lines = 0;
        self.at += len;
        while self.at >= self.ends[self.line] {
            lines += 1;
            self.line += 1;
            if self.line == self.ends.len() {
                self.line = 0;
                self.at -= whole;
            }
        }
        (&self.text[from..from + len], lines)
    }
}

/// One line of exactly `size` bytes, newline included, as a service writes it.
fn push_line(text: &mut Vec<u8>, size: usize, number: usize, rng: &mut Xoshiro256PlusPlus) {
    const LEVELS: [&str; 4] = ["INFO ", "INFO ", "WARN ", "DEBUG"];
    const ROUTES: [&str; 4] = ["orders", "basket", "login", "search"];
    let start = text.len();
    while text.len() - start < size {
        let line = format!(
            "2026-01-05T08:{:02}:{:02}.{:03}Z {} http.server request id={:016x} path=/api/v1/{}/{} status={} bytes={} took_ms={} | ",
            number / 60_000 % 60,
            number / 1000 % 60,
            number % 1000,
            LEVELS[rng.random_range(0..LEVELS.len())],
            rng.random::<u64>(),
            ROUTES[rng.random_range(0..ROUTES.len())],
            rng.random_range(1..100_000),
            if rng.random_range(0..20) == 0 {
                404
            } else {
                200
            },
            rng.random_range(100..50_000),
            rng.random_range(1..900),
        );
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(start + size);
    text[start + size - 1] = b'\n';
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(sizes: Dist, piece: u64) -> Lines {
        Lines::new(&sizes, piece, crate::seed::rng(1)).unwrap()
    }

    #[test]
    fn a_line_a_piece() {
        let mut log = lines(Dist::Fixed(128), 0);
        for _ in 0..2000 {
            let (line, ended) = log.next(u64::MAX);
            assert_eq!((line.len(), ended, line[127]), (128, 1, b'\n'));
            assert!(line.starts_with(b"2026-") && !line[..127].contains(&b'\n'));
        }
        assert_eq!(log.next(100).0.len(), 100);
    }

    #[test]
    fn pieces_join_to_the_same_log() {
        let sizes = Dist::Uniform(20, 300);
        let (mut by_line, mut by_page) = (lines(sizes.clone(), 0), lines(sizes, 4096));
        let (mut a, mut b, mut ended) = (Vec::new(), Vec::new(), 0);
        while a.len() < 1 << 20 {
            a.extend_from_slice(by_line.next(u64::MAX).0);
        }
        while b.len() < 1 << 20 {
            let (piece, lines) = by_page.next(u64::MAX);
            assert_eq!(piece.len(), 4096);
            b.extend_from_slice(piece);
            ended += lines;
        }
        assert_eq!(a[..1 << 20], b[..1 << 20]);
        let newlines = b.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(ended, newlines);
    }

    #[test]
    fn pieces_larger_than_the_pool() {
        let mut log = lines(Dist::Fixed(100), 1 << 20);
        let (piece, ended) = log.next(u64::MAX);
        assert_eq!((piece.len(), ended), (1 << 20, 10485));
        assert_eq!(log.next(u64::MAX).0.len(), 1 << 20);
        assert!(Lines::new(&Dist::Fixed(0), 0, crate::seed::rng(1)).is_err());
        assert!(Lines::new(&Dist::Fixed(1 << 40), 0, crate::seed::rng(1)).is_err());
    }
}
