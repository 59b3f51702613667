//! The rules in docs/examples/rules: each says where it is from, the engine takes it, and each can be
//! judged.

mod common;

use std::path::Path;
use std::time::Duration;

use memtide::judge::rules::Rules;

#[test]
fn every_example_names_its_source_and_is_taken_by_the_engine() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/rules");
    let mut public = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# "),
            "{}: what is it, and from where?",
            path.display()
        );
        public += usize::from(text.starts_with("# Source: "));
    }
    assert!(public >= 15, "only {public} rules of public use");
    if !common::has_program("example rules", "promtool") {
        return;
    }
    let rules = Rules::open(&[folder], None, Duration::from_secs(60)).unwrap();
    assert!(rules.len() > public);
}

/// Each alert of the rules that memtide recommends fires for what it is made for, and not for what
/// looks like it.
#[test]
fn the_recommended_rules_pass_the_engines_own_tests() {
    if !common::has_program("example-rules-promtool", "promtool") {
        return;
    }
    let tests = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/memtide-rules.test.yaml"
    );
    let output = std::process::Command::new("promtool")
        .args(["test", "rules", tests])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert!(said.contains("SUCCESS"), "{said}");
    let rules = include_str!("../docs/examples/rules/memtide.yaml");
    let tested = include_str!("data/memtide-rules.test.yaml");
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        let both = [
            format!("alertname: {alert}\n"),
            format!("alertname: {alert},"),
        ];
        assert!(
            both.iter().all(|alert| tested.contains(alert)),
            "{alert}: fires and keeps quiet"
        );
    }
}
