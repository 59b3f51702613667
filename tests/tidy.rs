//! The house rules that a compiler doesn't check: small files, short functions, no printing outside
//! the command line, `unsafe` in one place, no panics by convenience, nothing of this machine.

use std::fs;
use std::path::{Path, PathBuf};

/// No hand-written file is longer.
const FILE_LINES: usize = 600;
/// No function is longer.
const FUNCTION_LINES: usize = 70;

fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut found);
    assert!(
        !found.is_empty(),
        "no sources in {dir}: this test would check nothing"
    );
    found
}

fn collect(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(dir)
        .expect("a directory of the project")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("a source is text");
            let short = path
                .strip_prefix(env!("CARGO_MANIFEST_DIR"))
                .unwrap()
                .to_path_buf();
            found.push((short, text));
        }
    }
}

/// The part of a file that ships: what stands before its unit tests.
fn shipped(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text)
}

fn complain(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn files_are_short() {
    let long = sources("src")
        .into_iter()
        .chain(sources("tests"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES)
        .map(|(path, lines)| format!("{} has {lines} lines", path.display()))
        .collect();
    complain("a file has one job; split these", long);
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for (path, text) in sources("src") {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let is_fn = [
                "fn ",
                "pub fn ",
                "pub(crate) fn ",
                "pub(super) fn ",
                "const fn ",
            ]
            .iter()
            .any(|head| line.trim_start().starts_with(head));
            if !is_fn || line.trim_end().ends_with(';') {
                continue;
            }
            // rustfmt puts a function's closing brace alone, under its first letter.
            let close = format!("{}}}", " ".repeat(indent));
            let end = lines[start..].iter().position(|l| *l == close).unwrap_or(0);
            if end > FUNCTION_LINES {
                long.push(format!("{}:{} has {end} lines", path.display(), start + 1));
            }
        }
    }
    complain("functions of more than 70 lines", long);
}

#[test]
fn only_the_command_line_prints() {
    let mut found = Vec::new();
    for (path, text) in sources("src") {
        if path.starts_with("src/cli") || path.starts_with("src/bin") {
            continue;
        }
        for (n, line) in shipped(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if ["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!("]
                .iter()
                .any(|m| code.contains(m))
            {
                found.push(format!("{}:{}", path.display(), n + 1));
            }
        }
    }
    complain("printing outside src/cli", found);
}

#[test]
fn unsafe_lives_in_sys() {
    let found = sources("src")
        .into_iter()
        .filter(|(path, text)| !path.starts_with("src/sys") && text.contains("unsafe {"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    complain("unsafe outside src/sys", found);
}

#[test]
fn every_unsafe_has_its_reason() {
    let mut found = Vec::new();
    for (path, text) in sources("src/sys") {
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let above = &lines[n.saturating_sub(8)..n];
            if line.contains("unsafe {") && !above.iter().any(|l| l.contains("SAFETY:")) {
                found.push(format!("{}:{}", path.display(), n + 1));
            }
        }
    }
    complain("unsafe without a SAFETY comment", found);
}

#[test]
fn nothing_panics_for_convenience() {
    let mut found = Vec::new();
    for (path, text) in sources("src") {
        let is_test = path.components().any(|c| {
            let name = c.as_os_str().to_string_lossy();
            name.starts_with("test") || name.ends_with("_tests.rs")
        });
        if is_test {
            continue;
        }
        let lines: Vec<&str> = shipped(&text).lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            let panics = ["todo!(", "unimplemented!(", "panic!("]
                .iter()
                .any(|m| code.contains(m));
            // A comment on the line, or right above the statement, says why it can't fail.
            let said = line.contains("//")
                || lines[n.saturating_sub(4)..n]
                    .iter()
                    .any(|l| l.trim_start().starts_with("//"));
            let unwraps = code.contains(".unwrap()") || code.contains(".expect(\"");
            if panics || (unwraps && !said) {
                found.push(format!("{}:{}: {}", path.display(), n + 1, line.trim()));
            }
        }
    }
    complain("may panic", found);
}

/// A test that prints that it skips, and returns, is counted as passed: `common::skip` alone is counted.
#[test]
fn every_skip_is_counted() {
    let mut found = Vec::new();
    for (path, text) in sources("tests") {
        if path.ends_with("tests/tidy.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let prints = ["println!(", "eprintln!(", "print!(", "eprint!("]
                .iter()
                .any(|head| line.contains(head));
            // A call may put its text on the line below.
            let text = line.trim_start_matches(['"', ' ']);
            if (prints && line.to_lowercase().contains("skip"))
                || (line.starts_with('"') && text.to_lowercase().starts_with("skip"))
            {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    complain("skips that nobody counts (use common::skip)", found);
}

/// Files of one module that need each other in a circle, and may: ARCHITECTURE.md says why.
const CIRCLES: [(&str, &[&str]); 5] = [
    ("cgroup", &[]),
    ("expect", &[]),
    ("harness", &["evidence", "live", "restart", "serving"]),
    ("judge", &[]),
    ("recording", &[]),
];

#[test]
fn files_of_a_module_form_no_circle() {
    for (module, allowed) in CIRCLES {
        let mut needs = needs_of(module);
        assert!(needs.len() > 3, "{module}: no files were found");
        // What needs none of those left can't be in a circle; nor can what nobody needs.
        loop {
            let before = needs.len();
            let left: Vec<String> = needs.iter().map(|(name, _)| name.clone()).collect();
            needs
                .iter_mut()
                .for_each(|(_, of)| of.retain(|n| left.contains(n)));
            let needed: Vec<String> = needs.iter().flat_map(|(_, of)| of.clone()).collect();
            needs.retain(|(name, of)| !of.is_empty() && needed.contains(name));
            if needs.len() == before {
                break;
            }
        }
        let circle: Vec<&str> = needs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(circle, allowed, "{module}: {needs:?}");
    }
}

/// The files of a module, each with its siblings that its shipped code names, by themselves or by what
/// `mod.rs` passes on from them.
fn needs_of(module: &str) -> Vec<(String, Vec<String>)> {
    let found: Vec<(String, String)> = sources(&format!("src/{module}"))
        .into_iter()
        .filter(|(path, _)| path.components().count() == 3)
        .map(|(path, text)| (path.file_stem().unwrap().to_string_lossy().into(), text))
        .collect();
    let names: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
    let passed_on = regex_lite::Regex::new(r"pub use (\w+)::(\{[^}]*\}|\w+);").unwrap();
    let word = regex_lite::Regex::new(r"\w+").unwrap();
    let mut homes = std::collections::BTreeMap::new();
    for (_, text) in found.iter().filter(|(name, _)| name == "mod") {
        for one in passed_on.captures_iter(text) {
            for item in word.find_iter(&one[2]) {
                homes.insert(item.as_str().to_string(), one[1].to_string());
            }
        }
    }
    let named = regex_lite::Regex::new(&format!(
        r"(?:super|crate::{module})::(?:(\w+)|\{{([^;]*)\}};)"
    ))
    .unwrap();
    let of = |name: &str, text: &str| {
        let code: Vec<&str> = shipped(text)
            .lines()
            .filter(|l| !l.trim_start().starts_with("//"))
            .collect();
        let code = code.join("\n");
        let mut of: Vec<String> = Vec::new();
        for one in named.captures_iter(&code) {
            let list = one.get(1).or(one.get(2)).map_or("", |m| m.as_str());
            for item in word.find_iter(list).map(|m| m.as_str()) {
                let home = homes.get(item).map_or(item, String::as_str);
                if home != name && names.iter().any(|n| n == home) && home != "mod" {
                    of.push(home.into());
                }
            }
        }
        of
    };
    let mut all: Vec<(String, Vec<String>)> = found
        .iter()
        .filter(|(name, _)| name != "mod" && name != "tests")
        .map(|(name, text)| (name.clone(), of(name, text)))
        .collect();
    all.sort();
    all
}
