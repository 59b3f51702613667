//! docs/explain.md is written from the readers, the codes and the identities, and every example on it
//! is read by the reader it stands for.

use memtide::explain::{self, Select, answer, forms, input};

#[test]
fn every_example_is_read_by_its_reader_and_has_an_answer() {
    for form in forms::FORMS {
        let readings = input::read_bytes(
            form.example.as_bytes(),
            "an example",
            None,
            &Select::default(),
        );
        let readings = readings.unwrap_or_else(|error| panic!("{}: {error}", form.name));
        assert!(
            readings
                .all
                .iter()
                .any(|reading| reading.source == form.source),
            "{}: {:?}",
            form.name,
            readings.all.iter().map(|r| r.source).collect::<Vec<_>>()
        );
        let explanation = explain::explain(readings);
        let known = answer::CODES
            .iter()
            .any(|(code, _)| *code == explanation.answer.code);
        assert!(known, "{}: {}", form.name, explanation.answer.code);
        assert!(!explanation.answer.next.is_empty(), "{}", form.name);
    }
}

#[test]
fn the_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/explain.md");
    let page = forms::page();
    if std::env::var_os("MEMTIDE_UPDATE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap();
    assert!(
        there == page,
        "docs/explain.md is old: MEMTIDE_UPDATE=1 cargo test --test explain_docs"
    );
}
