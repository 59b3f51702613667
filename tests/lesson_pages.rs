//! docs/scenarios/ is what the scenarios and the shipped recordings say.
//!
//! `MEMTIDE_UPDATE=1 cargo test --test lesson_pages` writes it anew.

use std::collections::BTreeSet;
use std::path::Path;

use memtide::lesson;
use memtide::scenario::catalogue;

/// Every page by its file name.
fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_string(), lesson::index().unwrap())];
    for entry in catalogue() {
        let page = lesson::page(entry).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        pages.push((format!("{}.md", entry.name), page));
    }
    pages
}

#[test]
fn the_pages_are_current() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scenarios");
    let update = std::env::var_os("MEMTIDE_UPDATE").is_some();
    if update {
        std::fs::create_dir_all(&dir).unwrap();
    }
    let mut stale = Vec::new();
    let mut names = BTreeSet::new();
    for (name, want) in pages() {
        let path = dir.join(&name);
        if update {
            std::fs::write(&path, &want).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != want {
            stale.push(name.clone());
        }
        names.insert(name);
    }
    for entry in std::fs::read_dir(&dir).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !names.contains(&name) {
            stale.push(format!("{name} (no such scenario)"));
        }
    }
    assert!(
        stale.is_empty(),
        "stale in docs/scenarios: {stale:?}; run MEMTIDE_UPDATE=1 cargo test --test lesson_pages"
    );
}

/// docs/runtimes.md is what the recordings of suites/ show.
#[test]
fn the_page_of_runtimes_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("docs/runtimes.md");
    let want = lesson::runtimes(&root.join("suites")).unwrap();
    let mut rows = 0;
    for folder in std::fs::read_dir(root.join("suites")).unwrap() {
        let folder = folder.unwrap().path();
        let setup = folder.file_name().unwrap().to_str().unwrap();
        let section = want.split(&format!("## Set-up {setup}\n")).nth(1);
        for entry in catalogue() {
            let scenario = entry.parse(Default::default()).unwrap();
            let is_runtime = scenario.tags.iter().any(|tag| tag == "runtime");
            if is_runtime && folder.join(format!("{}.jsonl.gz", entry.name)).exists() {
                let table = section.unwrap_or_default().split("\n## ").next();
                assert!(
                    table
                        .unwrap_or_default()
                        .contains(&format!("| [{}](", entry.name)),
                    "{} has no row for {setup}",
                    entry.name
                );
                rows += 1;
            }
        }
    }
    assert!(rows > 30, "{rows}");
    if std::env::var_os("MEMTIDE_UPDATE").is_some() {
        std::fs::write(&path, &want).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == want,
        "docs/runtimes.md is stale; run MEMTIDE_UPDATE=1 cargo test --test lesson_pages"
    );
}

#[test]
fn a_page_tells_the_story_the_steps_and_what_to_learn() {
    let entry = memtide::scenario::find("log-write").unwrap();
    let page = lesson::page(entry).unwrap();
    for part in [
        "## Steps",
        "## Measured",
        "## What to learn",
        "past the limit",
        "page_cache",
    ] {
        assert!(page.contains(part), "no {part:?} in\n{page}");
    }
}
