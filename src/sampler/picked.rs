//! Files of which a few known rows are wanted: `/proc/PID/status`, `/proc/meminfo`, pressure files.

use super::columns::Columns;
use super::text::{key_and_value, leading_value, lines};

/// Rows picked by key, in bytes where the file gives kB.
#[derive(Debug)]
pub(super) struct Picked {
    rows: Vec<(&'static str, usize)>,
}

impl Picked {
    /// Reserves a column called `prefix` + key for each key.
    pub fn new(prefix: &str, keys: &[&'static str], columns: &mut Columns) -> Self {
        let index = |key: &&'static str| (*key, columns.index(&format!("{prefix}{key}")));
        Picked {
            rows: keys.iter().map(index).collect(),
        }
    }

    /// Reads one text; gives how many of the rows were there.
    pub fn read(&self, text: &[u8], columns: &mut Columns) -> usize {
        let mut found = 0;
        let mut next = 0;
        for line in lines(text) {
            // Rows come in the kernel's order, and some are not there on old kernels.
            let rows = self.rows[next..].iter();
            let Some(skipped) = rows.clone().position(|(key, _)| is_row(line, key)) else {
                continue;
            };
            let (_, index) = self.rows[next + skipped];
            if let Some((_, value)) = key_and_value(line) {
                columns.values[index] = value;
                found += 1;
            }
            next += skipped + 1;
            if next == self.rows.len() {
                break;
            }
        }
        found
    }
}

fn is_row(line: &[u8], key: &str) -> bool {
    line.strip_prefix(key.as_bytes())
        .is_some_and(|rest| rest.starts_with(b":"))
}

/// The totals of a pressure file, microseconds: the averages can be derived from them.
#[derive(Debug)]
pub(super) struct Pressure {
    some: usize,
    full: usize,
}

impl Pressure {
    /// Reserves `prefix` + `some.total` and `full.total`.
    pub fn new(prefix: &str, columns: &mut Columns) -> Self {
        Pressure {
            some: columns.index(&format!("{prefix}some.total")),
            full: columns.index(&format!("{prefix}full.total")),
        }
    }

    /// Reads one text.
    pub fn read(&self, text: &[u8], columns: &mut Columns) {
        for line in lines(text) {
            let index = match line {
                _ if line.starts_with(b"some ") => self.some,
                _ if line.starts_with(b"full ") => self.full,
                _ => continue,
            };
            let word = line.rsplit(|c| *c == b' ').next().unwrap_or_default();
            if let Some((value, _)) = word.strip_prefix(b"total=").and_then(leading_value) {
                columns.values[index] = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::MISSING;
    use proptest::prelude::*;

    const KEYS: [&str; 4] = ["VmSize", "VmRSS", "RssAnon", "VmSwap"];

    #[test]
    fn rows_are_picked_and_those_of_newer_kernels_may_be_missing() {
        let mut columns = Columns::default();
        let picked = Picked::new("proc:a.", &KEYS, &mut columns);
        let new = "Name:\tx\nVmSize:\t 8 kB\nVmRSSx:\t9 kB\nVmRSS:\t4 kB\nRssAnon:\t 1 kB\nVmSwap:\t0 kB\nThreads:\t1\n";
        assert_eq!(picked.read(new.as_bytes(), &mut columns), 4);
        assert_eq!(columns.values, [8192, 4096, 1024, 0]);
        columns.clear();
        let old = "VmSize:\t 8 kB\nVmRSS:\t4 kB\nVmSwap:\t2 kB\n";
        assert_eq!(picked.read(old.as_bytes(), &mut columns), 3);
        assert_eq!(columns.values, [8192, 4096, MISSING, 2048]);
        columns.clear();
        let zombie = "Name:\tx\nState:\tZ (zombie)\nThreads:\t1\n";
        assert_eq!(picked.read(zombie.as_bytes(), &mut columns), 0);
        assert_eq!(columns.names[1], "proc:a.VmRSS");
    }

    #[test]
    fn pressure_totals() {
        let mut columns = Columns::default();
        let pressure = Pressure::new("memory.pressure:", &mut columns);
        let text = b"some avg10=0.00 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        pressure.read(text, &mut columns);
        assert_eq!(columns.values, [12, 7]);
        assert_eq!(columns.names[1], "memory.pressure:full.total");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, text in "((VmRSS|VmSize|RssAnon|some|full)[: ]?[0-9]{0,3}( kB)?\n?){0,9}") {
            let mut columns = Columns::default();
            let picked = Picked::new("", &KEYS, &mut columns);
            let pressure = Pressure::new("", &mut columns);
            for text in [&bytes[..], text.as_bytes()] {
                picked.read(text, &mut columns);
                pressure.read(text, &mut columns);
            }
        }
    }
}
