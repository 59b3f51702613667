//! `/proc/meminfo` of a node, and what a formula can make of it.

use crate::rows::{Rows, View};

/// Reads `Key:   123 kB` lines into rows `node:Key` in bytes; lines of any other shape are left
/// out, so that a paste with noise around it still reads. Counts (no `kB`) are kept as they are.
pub fn parse(text: &str) -> Rows {
    text.lines().filter_map(line).collect()
}

/// One line: the row's name and its value in bytes.
pub fn line(line: &str) -> Option<(String, u64)> {
    let (key, rest) = line.trim().split_once(':')?;
    let mut words = rest.split_whitespace();
    let number: u64 = words.next()?.parse().ok()?;
    let factor = match words.next() {
        Some("kB" | "KB" | "kb") => 1024,
        None => 1,
        Some(_) => return None,
    };
    let name_like = |c: char| c.is_ascii_alphanumeric() || matches!(c, '(' | ')' | '_');
    (key.starts_with(|c: char| c.is_ascii_uppercase()) && key.chars().all(name_like))
        .then_some((format!("node:{key}"), number.checked_mul(factor)?))
}

/// What is taken for the usage of the root cgroup, which on v2 has no file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeUsage {
    /// AnonPages and the page cache: the kernel on v1, libcontainer from runc 1.1.8 on v2.
    AnonPlusFile,
    /// MemTotal - MemFree: runc 1.1.7 and earlier on v2. Counts kernel memory too.
    TotalMinusFree,
}

/// The node as formulas see it. A field whose line is missing is none.
pub fn view(rows: &Rows, usage: NodeUsage) -> View {
    let get = |key: &str| rows.get(&format!("node:{key}"));
    // The kernel's count of file pages is what meminfo splits into these three.
    let cache = get("Cached").and_then(|cached| {
        cached
            .checked_add(get("Buffers")?)?
            .checked_add(get("SwapCached").unwrap_or(0))
    });
    View {
        usage: match usage {
            NodeUsage::AnonPlusFile => get("AnonPages")
                .zip(cache)
                .and_then(|(a, c)| a.checked_add(c)),
            NodeUsage::TotalMinusFree => get("MemTotal")
                .zip(get("MemFree"))
                .and_then(|(total, free)| total.checked_sub(free)),
        },
        rss: get("AnonPages"),
        cache,
        shmem: get("Shmem"),
        mapped_file: get("Mapped"),
        inactive_anon: get("Inactive(anon)"),
        active_anon: get("Active(anon)"),
        inactive_file: get("Inactive(file)"),
        active_file: get("Active(file)"),
        slab_reclaimable: get("SReclaimable"),
        node_capacity: get("MemTotal"),
        ..View::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kernel_rows_in_kb_become_bytes() {
        let rows = parse(
            "MemTotal:       16393244 kB\r\nInactive(file): 4525876 kB\nHugePages_Total:  3\nsource: 12 apples\n",
        );
        assert_eq!(rows.get("node:MemTotal"), Some(16_393_244 * 1024));
        assert_eq!(rows.get("node:Inactive(file)"), Some(4_525_876 * 1024));
        assert_eq!(rows.get("node:HugePages_Total"), Some(3));
        assert_eq!(rows.iter().count(), 3);
    }

    #[test]
    fn a_missing_line_is_missing() {
        let rows = parse("MemTotal: 100 kB\nCached: 10 kB\n");
        let view = view(&rows, NodeUsage::TotalMinusFree);
        assert_eq!((view.usage, view.cache), (None, None));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,200}", numbers in "MemTotal: [0-9]{0,24} kB\nMemFree: [0-9]{0,24} kB") {
            view(&parse(&text), NodeUsage::AnonPlusFile);
            view(&parse(&numbers), NodeUsage::TotalMinusFree);
        }
    }
}
