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

/// README shows some of the set-ups: more may come without a word there getting wrong.
#[test]
fn the_table_across_kernels_is_what_compare_prints() {
    let command = "memtide compare --scenario log-read-twice";
    for page in ["README.md", "README.zh-CN.md"] {
        let text = read(page);
        let lines = shown(&text, command);
        let header = lines.first().cloned().unwrap_or_default();
        let (_, columns) = header.split_once("MiB").expect("a table with its unit");
        let mut compare = common::memtide();
        compare.args(["compare", "--scenario", "log-read-twice"]);
        for setup in columns.split_whitespace() {
            compare.args(["--setup", setup]);
        }
        let output = compare.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        // Other values follow, and words on where the columns differ.
        let table: Vec<_> = printed
            .lines()
            .skip_while(|l| !l.starts_with("cadvisor_working_set"))
            .take_while(|l| !l.is_empty() && !l.starts_with("(outcome)"))
            .collect();
        assert!(table.len() >= 6, "{printed}");
        if std::env::var_os("MEMTIDE_UPDATE").is_some() {
            let [old, new] = [
                lines.iter().map(String::as_str).collect::<Vec<_>>(),
                table.clone(),
            ]
            .map(|lines| format!("    {}", lines.join("\n    ")));
            std::fs::write(page, text.replace(&old, &new)).unwrap();
            continue;
        }
        assert_eq!(
            lines, table,
            "{page} is not current: MEMTIDE_UPDATE=1 cargo test --test readme"
        );
    }
}

#[test]
fn every_command_in_the_table_is_there() {
    let readme = read("README.md");
    let mut checked = 0;
    for line in readme
        .lines()
        .filter(|l| l.starts_with("| ") && l.contains("`memtide "))
    {
        for part in line.split("`memtide ").skip(1) {
            let name = part.split([' ', '`']).next().unwrap();
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
fn free_then_reuse_is_what_readme_shows() {
    let lines = shown(&read("README.md"), "memtide run free-then-reuse");
    assert!(lines.len() >= 8, "{lines:?}");
    if !common::can_manage("README's free-then-reuse") {
        return;
    }
    let output = common::memtide()
        .args(["run", "free-then-reuse"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = |text: &str| -> Vec<String> {
        text.lines()
            .filter_map(|l| l.split_whitespace().next())
            .map(str::to_string)
            .collect()
    };
    let there = names(&printed);
    for line in &lines {
        let first = line.split_whitespace().next().unwrap().to_string();
        assert!(
            there.contains(&first),
            "`run` no longer has a line that begins with {first}"
        );
    }
    if printed.contains("kernel 6.") {
        // Figures of one kernel line, within what another run may differ: 2 % of the limit.
        let row = |name: &str, text: &str| -> Option<f64> {
            let line = text
                .lines()
                .find(|l| l.trim_start().starts_with(name))?
                .to_string();
            line.split_whitespace().nth(3)?.parse().ok()
        };
        let (readme, now) = (lines.join("\n"), printed);
        let usage = (row("touch", &readme), row("touch", &now));
        let (Some(a), Some(b)) = usage else {
            panic!("no usage of `touch`: {usage:?}")
        };
        assert!(
            (a - b).abs() < 5.1,
            "usage after `touch`: README {a}, now {b}"
        );
    }
}
