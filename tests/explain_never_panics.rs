//! No input makes `explain` panic or hang: fixtures with bytes changed, cut and repeated.

use memtide::explain::{self, Select, input, wire};
use proptest::prelude::*;

fn run(bytes: &[u8], at: Option<String>) {
    let select = Select {
        at,
        ..Select::default()
    };
    if let Ok(readings) = input::read_bytes(bytes, "fuzz", None, &select) {
        let explanation = explain::explain(readings);
        serde_json::to_string(&wire::Document::from(&explanation)).unwrap();
        // Shares of impossible numbers are still numbers.
        assert!(explanation.parts.share(u64::MAX).is_finite());
    }
}

fn fixtures() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn changed_fixtures(
        which in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        cut in 0usize..4000,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(b'9'), Just(b'\n'), Just(b' '), Just(b'"')]), 0..20),
    ) {
        let all = fixtures();
        let mut bytes = which.get(&all).clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let start = from.index(bytes.len());
        run(&bytes, None);
        run(&bytes[start..(start + cut).min(bytes.len())], Some("2".into()));
    }

    #[test]
    fn rows_of_any_size(values in proptest::collection::vec(any::<u64>(), 12), v2 in any::<bool>()) {
        let names: [&str; 12] = if v2 {
            ["memory.current", "memory.max", "anon", "file", "shmem", "inactive_file", "active_file", "inactive_anon", "active_anon", "kernel", "sock", "slab_reclaimable"]
        } else {
            ["memory.usage_in_bytes", "memory.limit_in_bytes", "total_rss", "total_cache", "total_shmem", "total_inactive_file", "total_active_file", "total_inactive_anon", "total_active_anon", "memory.kmem.usage_in_bytes", "total_dirty", "total_swap"]
        };
        let text: String = names.iter().zip(values).map(|(n, v)| format!("{n} {v}\n")).collect();
        run(text.as_bytes(), None);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        run(&bytes, None);
    }
}

/// Shapes that could take quadratic time; each is read in a moment.
#[test]
fn hostile_shapes_end() {
    for text in [
        "{".repeat(40_000),
        "[".repeat(40_000),
        "{\"a\":".repeat(10_000),
        "rss 1 ".repeat(20_000),
        (0..20_000)
            .map(|n| format!("row_{n} {n}\n"))
            .collect::<String>(),
        (0..20_000)
            .map(|n| format!("container_memory_rss{{id=\"/a/{n}\"}} 1\n"))
            .collect(),
        "rss 1\nrss 2\n".repeat(10_000),
        "> ".repeat(20_000),
        "\u{1b}[".repeat(20_000),
        "Memory cgroup stats for ".repeat(10_000),
        format!("cat memory.stat\n{}", "1 ".repeat(40_000)),
    ] {
        run(text.as_bytes(), None);
    }
}
