//! What README.md says is so.

mod common;

use std::path::Path;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Lines of README's indented blocks that stand below the line `$ COMMAND`.
fn shown(readme: &str, command: &str) -> Vec<String> {
    readme
        .lines()
        .skip_while(|line| line.trim() != format!("$ {command}"))
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .map(|line| line.trim_start().trim_end().to_string())
        .filter(|line| !line.is_empty() && line != "...")
        .collect()
}

/// Every command that a page shows with its output prints that output, line for line; more may follow,
/// and a table's further values, or the rest of an answer, are left out.
#[test]
fn every_command_prints_what_the_page_shows() {
    let mut checked = 0;
    for page in ["README.md", "README.zh-CN.md"] {
        let text = read(page);
        let commands = text
            .lines()
            .filter_map(|l| l.strip_prefix("    $ memtide "));
        for command in commands {
            let lines = shown(&text, &format!("memtide {command}"));
            let mut memtide = common::memtide();
            memtide
                .args(command.split(' '))
                .current_dir(env!("CARGO_MANIFEST_DIR"));
            let output = memtide.output().unwrap();
            assert!(output.status.success(), "{page}: {command}");
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
            let first = lines.first().map_or("", String::as_str);
            // A table's page leaves out the name of the scenario above it.
            let from = printed.iter().position(|line| *line == first).unwrap_or(0);
            let from =
                if std::env::var_os("MEMTIDE_UPDATE").is_some() && command.starts_with("compare") {
                    2
                } else {
                    from
                };
            let same = &printed[from..(from + lines.len()).min(printed.len())];
            if std::env::var_os("MEMTIDE_UPDATE").is_some() {
                let old = format!("    {}", lines.join("\n    "));
                let new = format!("    {}", same.join("\n    "));
                let now = read(page).replace(&old, &new);
                std::fs::write(page, now).unwrap();
                continue;
            }
            assert!(!lines.is_empty(), "{page}: {command} shows nothing");
            assert_eq!(
                lines, same,
                "{page} is not current: MEMTIDE_UPDATE=1 cargo test --test readme"
            );
            checked += 1;
        }
    }
    assert!(
        checked >= 2 || std::env::var_os("MEMTIDE_UPDATE").is_some(),
        "{checked}"
    );
}

#[test]
fn every_command_it_names_is_there() {
    let readme = read("README.md") + &read("docs/which.md");
    let mut checked = 0;
    for line in readme.lines().filter(|l| l.contains("`memtide ")) {
        for part in line.split("`memtide ").skip(1) {
            let name = part.split([' ', '`']).next().unwrap();
            if name.starts_with("--") {
                continue;
            }
            let output = common::memtide().args([name, "--help"]).output().unwrap();
            assert!(
                output.status.success(),
                "`memtide {name}` of README.md is no command"
            );
            checked += 1;
        }
    }
    assert!(
        checked >= 9,
        "only {checked} commands were found in README.md"
    );
}

#[test]
fn every_page_it_links_is_there() {
    let readme = read("README.md");
    let mut checked = 0;
    for part in readme.split("](").skip(1) {
        let target = part.split(')').next().unwrap();
        assert!(
            !target.contains("://"),
            "a link leaves the repository: {target}"
        );
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(target);
        assert!(
            path.exists(),
            "README.md links {target}, which is not there"
        );
        checked += 1;
    }
    assert!(checked >= 5, "only {checked} links were found");
}

#[test]
fn ci_runs_the_test_command_that_readme_names() {
    assert!(
        read("README.md")
            .lines()
            .any(|l| l.trim_start().starts_with("scripts/test"))
    );
    assert!(read(".ci/run").lines().any(|l| l.trim() == "scripts/test"));
}

#[test]
fn it_is_read_in_a_minute() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 70, "README is at most 70 lines");
}
