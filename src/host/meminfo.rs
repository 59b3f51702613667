//! The machine's memory, from `/proc/meminfo`.

/// What is needed of `/proc/meminfo`, bytes. A row that is missing reads 0: without MemTotal every
/// limit counts as unlimited, which stops a run instead of starting one it can't afford.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meminfo {
    /// `MemTotal`, bytes.
    pub mem_total: u64,
    /// MemAvailable (3.14 and later).
    pub mem_available: Option<u64>,
    /// `SwapTotal`, bytes.
    pub swap_total: u64,
}

impl Meminfo {
    /// Reads it now.
    pub fn read() -> Meminfo {
        Meminfo::parse(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default())
    }

    /// Reads a text of `Name:   number kB` lines.
    pub fn parse(text: &str) -> Meminfo {
        let row = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            kib.checked_mul(1024)
        };
        Meminfo {
            mem_total: row("MemTotal").unwrap_or(0),
            mem_available: row("MemAvailable"),
            swap_total: row("SwapTotal").unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kib_and_may_be_missing() {
        let text = "MemTotal:       24684084 kB\nMemFree: 1 kB\nSwapTotal:             0 kB\n";
        assert_eq!(
            Meminfo::parse(text),
            Meminfo {
                mem_total: 24_684_084 * 1024,
                mem_available: None,
                swap_total: 0
            }
        );
        assert_eq!(Meminfo::parse("MemTotal: x kB"), Meminfo::default());
    }
}
