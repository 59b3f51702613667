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
