//! A new thing of a kind is one file or one line, as CONTRIBUTING.md says: counted here, so that a
//! second home of the same fact is noticed.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(dir)
        .expect("a directory of the project")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("a source is text");
            let shipped = text
                .split("\n#[cfg(test)]")
                .next()
                .unwrap_or("")
                .to_string();
            found.push((path, shipped));
        }
    }
}

/// The files of `src`, without their tests, that have `text`.
fn homes(text: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(
        found.len() > 100,
        "{} sources: nothing would be checked",
        found.len()
    );
    let homes = found.iter().filter(|(path, shipped)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.contains("test") && shipped.contains(text)
    });
    homes
        .map(|(path, _)| {
            path.strip_prefix(&root)
                .unwrap_or(path)
                .display()
                .to_string()
        })
        .collect()
}

/// Rows that no code but the table speaks of: whoever reads, prints and exports rows has them from it.
#[test]
fn a_row_is_one_line() {
    for row in [
        "\"zswapped\"",
        "\"memory.kmem.tcp.usage_in_bytes\"",
        "\"file_thp\"",
    ] {
        assert_eq!(homes(row), ["rows/table.rs"], "{row}");
    }
}

/// A formula's name stands in its definition alone; who needs its value calls it.
#[test]
fn a_formula_is_one_item() {
    for formula in [
        "\"usage_minus_file_lru\"",
        "\"anon_sock_kernel\"",
        "\"rss_plus_mapped\"",
        "\"working_set_minus_slab\"",
    ] {
        let homes = homes(formula);
        assert_eq!(homes.len(), 1, "{formula}: {homes:?}");
        assert!(homes[0].starts_with("formula/"), "{formula}: {homes:?}");
    }
}

/// The working set is computed once.
#[test]
fn the_working_set_has_one_computation() {
    let homes = homes("usage.saturating_sub(inactive");
    assert_eq!(homes, ["formula/cadvisor.rs"]);
}

/// The paths that CONTRIBUTING.md names are there.
#[test]
fn what_contributing_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("CONTRIBUTING.md")).expect("CONTRIBUTING.md");
    let paths = text.split('`').skip(1).step_by(2).filter(|word| {
        [
            "src/",
            "scenarios/",
            "scripts/",
            "tests/",
            "docs/",
            "recordings/",
        ]
        .iter()
        .any(|start| word.starts_with(start))
    });
    let mut seen = 0;
    for path in paths {
        let path = path.split(' ').next().unwrap_or(path);
        if path.contains(['<', '*']) || path.contains("NAME") || path.contains("mine") {
            continue;
        }
        assert!(root.join(path).exists(), "CONTRIBUTING.md names {path}");
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
}
