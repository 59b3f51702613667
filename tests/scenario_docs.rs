//! docs/scenario.md names every key a scenario may have, and its examples can be read.

use memtide::scenario;
use serde_json::Value;

const PAGE: &str = include_str!("../docs/scenario.md");

#[test]
fn every_key_is_on_the_page() {
    let schema = scenario::json_schema();
    let tables = schema["$defs"].as_object().unwrap().values();
    let missing: Vec<String> = tables
        .chain([&schema])
        .filter_map(|table| table.get("properties")?.as_object())
        .flat_map(|properties| properties.keys().cloned())
        .filter(|key| {
            // As a word of its own, in code: `key`, [[key]], or key = in an example.
            let spellings = [format!("`{key}`"), format!("[{key}]"), format!("{key} = ")];
            !spellings.iter().any(|s| PAGE.contains(s))
        })
        .collect();
    assert!(missing.is_empty(), "not in docs/scenario.md: {missing:?}");
}

#[test]
fn every_word_that_is_allowed_is_on_the_page() {
    let schema = scenario::json_schema();
    for table in [
        "Advice",
        "FileAdvice",
        "Class",
        "Pick",
        "Huge",
        "RotateMode",
        "Lru",
    ] {
        let choices = schema["$defs"][table]["oneOf"].as_array().unwrap();
        for word in choices.iter().filter_map(|c| c["const"].as_str()) {
            assert!(PAGE.contains(&format!("`{word}`")), "{table}: {word}");
        }
    }
}

#[test]
fn the_examples_can_be_read() {
    let blocks = PAGE.split("```toml\n").skip(1);
    let mut count = 0;
    for block in blocks {
        let text = block.split("```").next().unwrap();
        if let Err(e) = scenario::parse(text, "docs/scenario.md", "example") {
            panic!("{e}");
        }
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn the_schema_names_itself() {
    let schema = scenario::json_schema();
    assert_eq!(schema["title"], Value::from("Scenario"));
}

/// The example is not of the catalogue: what it shows depends on two CPUs and on how busy they are.
#[test]
fn the_example_of_a_second_cpu_holds_its_readers_on_the_cpus_it_speaks_of() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/second-cpu.toml");
    let scenario = scenario::load(path.as_ref(), scenario::Overrides::default()).unwrap();
    let actors = &scenario.containers[0].actors;
    for actor in actors {
        let far = actor.name.starts_with("far");
        assert_eq!(actor.cpu, Some(usize::from(far)), "{}", actor.name);
    }
    assert_eq!(actors.len(), 5);
    assert_eq!(scenario.across_pages(), []);
    assert!(PAGE.contains("examples/second-cpu.toml"));
}
