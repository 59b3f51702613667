//! docs/format.md is for readers in other languages: each of its commands is run, and prints what
//! the page says; the example it uses is a recording, and fits the JSON Schema.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use memtide::recording::{self, Original, pack, read_path};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// A folder with the example, plain and packed, as the page's commands expect it.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording.jsonl");
    std::fs::copy(docs().join("examples/recording.jsonl"), &path).unwrap();
    pack(&path, Original::Keep).unwrap();
    dir
}

/// The Python to use: modules may be in a virtual environment.
fn python() -> String {
    std::env::var("MEMTIDE_PYTHON").unwrap_or_else(|_| "python3".into())
}

fn works(program: &str, args: &[&str]) -> bool {
    let output = Command::new(program).args(args).output();
    output.is_ok_and(|output| output.status.success())
}

/// Why a block can't be run here, if it can't.
fn missing(language: &str, code: &str) -> Option<&'static str> {
    if language == "sh" {
        return (!works("jq", &["--version"])).then_some("jq is not installed");
    }
    if !works(&python(), &["--version"]) {
        return Some("python3 is not installed");
    }
    let duckdb = code.contains("import duckdb") && !works(&python(), &["-c", "import duckdb"]);
    duckdb.then_some(
        "Python has no module duckdb (pip install duckdb; MEMTIDE_PYTHON names another Python)",
    )
}

fn run(language: &str, code: &str, folder: &Path) -> Output {
    let (program, flag) = match language {
        "sh" => ("sh".into(), "-c"),
        _ => (python(), "-c"),
    };
    Command::new(program)
        .args([flag, code])
        .current_dir(folder)
        .output()
        .unwrap()
}

/// (language, code, what it prints) of each command on the page.
fn commands(page: &str) -> Vec<(&str, &str, &str)> {
    let mut fences = page.split("```");
    let mut blocks = Vec::new();
    while let (Some(_), Some(block)) = (fences.next(), fences.next()) {
        blocks.push(block.split_once('\n').unwrap());
    }
    let pairs = blocks.chunks_exact(2).map(|pair| {
        let ((language, code), (kind, output)) = (pair[0], pair[1]);
        assert_eq!(
            kind, "text",
            "every command is followed by what it prints: {code}"
        );
        (language, code, output)
    });
    assert!(blocks.len().is_multiple_of(2));
    pairs.collect()
}

#[test]
fn every_command_prints_what_the_page_says() {
    let page = std::fs::read_to_string(docs().join("format.md")).unwrap();
    let dir = folder();
    let commands = commands(&page);
    assert_eq!(commands.len(), 5);
    let mut ran = 0;
    for (language, code, want) in commands {
        if let Some(reason) = missing(language, code) {
            common::note_skip(&format!("a {language} command of docs/format.md"), reason);
            continue;
        }
        let output = run(language, code, dir.path());
        let seen = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            seen,
            want,
            "{code}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        ran += 1;
    }
    println!("ran {ran} of 5 commands");
}

#[test]
fn the_python_reader_reads_a_cut_file_too() {
    let page = std::fs::read_to_string(docs().join("format.md")).unwrap();
    let commands = commands(&page);
    let (language, code, want) = commands[3];
    if let Some(reason) = missing(language, code) {
        return common::skip("docs/format.md's Python reader", reason);
    }
    let dir = folder();
    let path = dir.path().join("recording.jsonl.gz");
    let packed = std::fs::read(&path).unwrap();
    std::fs::write(&path, &packed[..packed.len() - 40]).unwrap();
    let output = run(language, code, dir.path());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let seen = String::from_utf8_lossy(&output.stdout);
    assert!(
        want.starts_with(&*seen) && seen.len() < want.len() && seen.contains("0.5 s"),
        "{seen}"
    );
}

#[test]
fn the_example_is_a_whole_recording() {
    let recording = read_path(&docs().join("examples/recording.jsonl")).unwrap();
    assert!(recording.complete);
    assert_eq!(recording.tables[1].columns.last().unwrap(), "zswap");
    assert_eq!((recording.tables[0].len(), recording.events.len()), (4, 2));
}

#[test]
fn the_example_fits_the_schema() {
    if !works(&python(), &["-c", "import jsonschema"]) {
        return common::skip(
            "the example against the schema",
            "Python has no module jsonschema (pip install jsonschema)",
        );
    }
    let dir = folder();
    std::fs::write(dir.path().join("schema.json"), recording::schema()).unwrap();
    let code = r#"
import json, jsonschema
schema = json.load(open("schema.json"))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for line in open("recording.jsonl"):
    validator.validate(json.loads(line))
for bad in ['[0,1]', '[0,1,2,-3]', '{"type":"kernel"}', '{"type":"columns","group":0}', '"x"']:
    assert not validator.is_valid(json.loads(bad)), bad
print("ok")
"#;
    let output = run("python", code, dir.path());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
