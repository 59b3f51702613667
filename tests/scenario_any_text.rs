//! No text whatever makes the scenario reader panic, and what the schema allows is either read or
//! refused with a place.

use memtide::scenario::{self, Condition, Overrides, catalogue};
use proptest::prelude::*;

fn texts() -> Vec<&'static str> {
    catalogue().iter().map(|entry| entry.text).collect()
}

/// Reads, and renders what is wrong: rendering must not panic either.
fn read(text: &str) -> bool {
    match scenario::parse(text, "x.toml", "x") {
        Ok(s) => {
            assert!(s.containers.iter().all(|c| c.limit > 0));
            true
        }
        Err(found) => {
            assert!(!found.is_empty());
            assert!(found.to_string().contains("x.toml"));
            for d in found.iter() {
                let place = found.position(d);
                assert!(place.is_none_or(|(line, column)| line >= 1 && column >= 1));
            }
            false
        }
    }
}

/// Pieces of scenarios and of nonsense, to be put anywhere.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "",
        "\n",
        "\"",
        "'",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ",",
        "#",
        "\\",
        "\u{0}",
        "é",
        "🌊",
        "1e999",
        "-1",
        "9999999999999999999999",
        "nan",
        "\"40%\"",
        "\"0%\"",
        "\"1000%\"",
        "\"5TiB\"",
        "[]",
        "{}",
        "[[step]]\n",
        "[[expect]]\n",
        "[truth]\n",
        "at = \"end\"\n",
        "1979-05-27",
        "true",
        "\"truth:\"",
        "\"row:\"",
        "\" * \"",
        "\"@\"",
        "\"0.5 * @ x\"",
        "\"é * rss\"",
    ];
    prop_oneof![
        proptest::sample::select(pieces.to_vec()).prop_map(String::from),
        ".{0,12}",
        (0u64..u64::MAX).prop_map(|n| n.to_string()),
    ]
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text(text in "(?s).{0,400}") {
        read(&text);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(&String::from_utf8_lossy(&bytes));
    }

    /// A valid scenario with pieces cut out and others put in.
    #[test]
    fn a_damaged_scenario(
        which in 0usize..100,
        damage in proptest::collection::vec((0usize..20_000, 0usize..40, piece()), 1..4),
    ) {
        let texts = texts();
        let mut text = texts[which % texts.len()].to_string();
        for (at, cut, piece) in damage {
            let start = floor(&text, at % (text.len() + 1));
            let end = floor(&text, start + cut).max(start);
            text.replace_range(start..end, &piece);
        }
        read(&text);
    }

    /// A valid scenario with one value replaced by another kind of value.
    #[test]
    fn a_scenario_with_a_strange_value(which in 0usize..100, line in 0usize..400, piece in piece()) {
        let texts = texts();
        let text = texts[which % texts.len()];
        let lines: Vec<&str> = text.lines().collect();
        let line = line % lines.len();
        let changed: Vec<String> = lines.iter().enumerate().map(|(i, l)| match l.split_once(" = ") {
            Some((key, _)) if i == line => format!("{key} = {piece}"),
            _ => l.to_string(),
        }).collect();
        read(&changed.join("\n"));
    }

    /// Any limit is taken or refused; shares of it never overflow.
    #[test]
    fn any_limit(which in 0usize..100, limit in any::<u64>()) {
        let entries = catalogue();
        let _ = entries[which % entries.len()].parse(Overrides { limit: Some(limit) });
    }

    /// What the schema allows for an operand is read, and reads back the same after being written
    /// the way it is shown.
    #[test]
    fn operands_round_trip(percent in 0u32..1000, factor in 1u32..100, name in "truth:live|rss|usage") {
        let text = |near: &str| format!(
            "title='t'\nstory='s'\nlimit='1GiB'\n[truth]\nclass='leak'\nfire=true\nwhy='w'\n\
             [[step]]\nname='a'\nsleep='1s'\n[[expect]]\nat='a'\nvalue='rss'\nwhy='w'\nnear='{near}'\n");
        let near = |text: &str| scenario::parse(text, "x.toml", "x").map(|s| s.expectations[0].check.clone());
        let share = near(&text(&format!("{percent}%"))).unwrap();
        let again = near(&text(&format!(" {percent} % ").replace(' ', "").to_string())).unwrap();
        prop_assert_eq!(share, again);
        let product = near(&text(&format!("{factor} * {name} @ a"))).unwrap();
        let again = near(&text(&format!("{factor}*{name}@a"))).unwrap();
        prop_assert_eq!(product, again);
    }
}

#[test]
fn an_unconditional_claim_has_an_empty_condition() {
    for entry in catalogue() {
        let s = entry.parse(Overrides::default()).unwrap();
        for e in &s.expectations {
            let conditional = e.when != Condition::default();
            assert_eq!(conditional, !e.when.is_empty());
        }
    }
}
