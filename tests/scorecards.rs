//! docs/scorecards.md is what the command in it prints today.

mod common;

use std::path::Path;
use std::process::Command;

/// What a block's first line begins with.
const BEGIN: &str = "<!-- BEGIN: ";

/// A generated block of the page: its name, the arguments that made it, and what stands in it.
fn blocks(page: &str) -> Vec<(&str, Vec<&str>, &str)> {
    page.split(BEGIN)
        .skip(1)
        .map(|block| {
            let (head, rest) = block.split_once(" -->\n").unwrap();
            let (name, command) = head
                .split_once(", by scripts/scorecards; made by: memtide ")
                .unwrap();
            let end = format!("<!-- END: {name} -->");
            let (shown, _) = rest.split_once(&end).unwrap();
            (name, command.split_whitespace().collect(), shown.trim())
        })
        .collect()
}

/// Rules take minutes, other time scales a quarter of one each, and what realism does is
/// the same code on other numbers: they are only made anew.
fn is_checked(name: &str) -> bool {
    ["corpora at 60", "scorecards"].contains(&name) || name.starts_with("kernels at")
}

#[test]
fn the_tables_are_what_the_commands_print() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/scorecards.md")).unwrap();
    let blocks = blocks(&page);
    let checked: Vec<_> = blocks.iter().filter(|block| is_checked(block.0)).collect();
    assert_eq!(
        checked.len(),
        5,
        "a time scale, all at their own, and the kernels at three"
    );
    let promtool = Command::new("promtool").arg("--version").output().is_ok();
    for (name, args, shown) in checked {
        if args.contains(&"--rules") && !promtool {
            common::skip("docs/scorecards.md", "promtool is not installed");
            continue;
        }
        let output = common::memtide()
            .args(args)
            .current_dir(root)
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        // Of what is printed by kernel the page has a part.
        let same = match name.starts_with("kernels at") {
            true => printed.contains(shown) && shown.lines().count() > 5,
            false => *shown == printed.trim(),
        };
        assert!(
            same,
            "docs/scorecards.md is out of date in {name}: run scripts/scorecards; printed now:\n{printed}"
        );
    }
}
