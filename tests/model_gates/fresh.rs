//! Scenarios that nobody has seen: drawn from a seed, predicted, committed, and only then run.
//!
//! `scripts/fresh` does the three steps. `predicted.tsv` was committed before any of these scenarios had
//! run on a kernel; `observed.tsv` holds what the kernels said. The table in docs/model.md is made of
//! both, and of what the model says today.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use memtide::model::{self, card};
use memtide::recording::{self, Recording};
use memtide::scenario::{self, Overrides, Scenario};

use super::draw::{self, Drawn};
use super::{VALUES, ends, naive, view};

/// The set-ups that predictions are made for: those that boot here, and this machine.
const SETUPS: [&str; 6] = [
    "6.1-v1",
    "6.1-v2",
    "6.12-v2",
    "6.12-v2-mglru",
    "6.12-v2-xfs",
    "6.18-v1",
];

/// Pages of the model's and the kernel's values: KiB keep the files short.
const UNIT: i64 = 1024;

fn data(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fresh");
    folder.join(name)
}

fn read(drawn: &Drawn) -> Scenario {
    let name = &drawn.name;
    scenario::parse_with(&drawn.text, name, name, Overrides::default())
        .unwrap_or_else(|e| panic!("{name}: {e}\n{}", drawn.text))
}

/// The rows of a recording at the ends of steps, one line a row: scenario, step, group, values in KiB; and how
/// it ended.
fn rows(setup: &str, name: &str, recording: &Recording) -> String {
    let mut text = String::new();
    for (container, actor, step, t) in ends(recording) {
        let own = recording.group(container).expect("the step's group");
        for group in [0, own] {
            let Some(view) = view(recording, group, t) else {
                continue;
            };
            let group = &recording.header.groups[group].name;
            let _ = write!(text, "{setup}\t{name}\t{container}/{actor}/{step}\t{group}");
            for (_, value) in VALUES {
                let value = value(&view).map_or("-".into(), |v| (v / UNIT).to_string());
                let _ = write!(text, "\t{value}");
            }
            text.push('\n');
        }
    }
    let outcome = recording.footer.as_ref().map(|footer| footer.outcome);
    let outcome = outcome.map_or("none".into(), |o| o.to_string());
    let _ = writeln!(text, "{setup}\t{name}\toutcome\t{outcome}");
    text
}

/// Lines by set-up, scenario, step and group.
type Lines = BTreeMap<[String; 4], Vec<Option<i64>>>;

/// Rows, and outcomes by set-up and scenario.
fn parse(text: &str) -> (Lines, BTreeMap<[String; 2], String>) {
    let (mut rows, mut outcomes) = (Lines::new(), BTreeMap::new());
    for line in text.lines() {
        let fields: Vec<String> = line.split('\t').map(String::from).collect();
        if let [setup, name, what, outcome] = &fields[..]
            && what == "outcome"
        {
            outcomes.insert([setup.clone(), name.clone()], outcome.clone());
            continue;
        }
        let (key, values) = fields.split_at(4);
        let values = values.iter().map(|value| value.parse().ok()).collect();
        rows.insert(std::array::from_fn(|i| key[i].clone()), values);
    }
    (rows, outcomes)
}

/// What the model of today says, and the naive twin of it.
fn predictions() -> (String, String) {
    let (mut text, mut simple) = (String::new(), String::new());
    for drawn in draw::all() {
        let scenario = read(&drawn);
        for setup in SETUPS {
            let card = card::find(setup).expect("each set-up has a card");
            let Ok(predicted) = model::predict(&scenario, &card) else {
                continue;
            };
            text += &rows(setup, &drawn.name, &predicted);
            simple += &rows(setup, &drawn.name, &naive::of(&predicted, &predicted));
        }
    }
    (text, simple)
}

/// `scripts/fresh predict`: writes the scenarios into the folder `MEMTIDE_FRESH` and what the model predicts
/// beside the test. Once they have been run this is over: a second draw takes another seed.
#[test]
#[ignore = "makes predictions anew; scripts/fresh predict runs it"]
fn fresh_predict() {
    let folder = PathBuf::from(std::env::var("MEMTIDE_FRESH").expect("MEMTIDE_FRESH is a folder"));
    std::fs::create_dir_all(&folder).unwrap();
    for drawn in draw::all() {
        std::fs::write(folder.join(format!("{}.toml", drawn.name)), &drawn.text).unwrap();
    }
    if !data("observed.tsv").exists() {
        std::fs::write(data("predicted.tsv"), predictions().0).unwrap();
    }
}

/// `scripts/fresh score`: reads the recordings below `MEMTIDE_FRESH`. What was observed in other runs stays.
#[test]
#[ignore = "reads recordings of the drawn scenarios; scripts/fresh score runs it"]
fn fresh_observe() {
    let folder = PathBuf::from(std::env::var("MEMTIDE_FRESH").expect("MEMTIDE_FRESH is a folder"));
    let mut text = String::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let out = entry.unwrap().path().join("out");
        for drawn in draw::all() {
            let name = &drawn.name;
            let path = out.join(name).join(format!("{name}.jsonl"));
            let Ok(real) = recording::read_path(&path) else {
                continue;
            };
            assert_eq!(
                real.header.scenario_text, drawn.text,
                "{name} is another draw's"
            );
            let setup = real.header.host.setup.clone().expect("MEMTIDE_SETUP");
            text += &rows(&setup, name, &real);
        }
    }
    assert!(!text.is_empty(), "no recording below {}", folder.display());
    let run_of = |line: &str| {
        line.split('\t')
            .take(2)
            .map(String::from)
            .collect::<Vec<_>>()
    };
    let again: BTreeSet<_> = text.lines().map(run_of).collect();
    let before = std::fs::read_to_string(data("observed.tsv")).unwrap_or_default();
    let kept = before.lines().filter(|line| !again.contains(&run_of(line)));
    let mut lines: Vec<&str> = kept.chain(text.lines()).collect();
    lines.sort_unstable();
    std::fs::write(data("observed.tsv"), lines.join("\n") + "\n").unwrap();
}

/// How far predictions are from what was seen, by stratum.
#[derive(Default)]
struct Off {
    rows: usize,
    beyond: [usize; 3],
}

impl Off {
    fn add(&mut self, off: f64) {
        self.rows += 1;
        for (count, bound) in self.beyond.iter_mut().zip([1.0, 3.0, 10.0]) {
            *count += usize::from(off > bound);
        }
    }

    fn cells(&self) -> String {
        let share = |n: usize| 100.0 * n as f64 / self.rows.max(1) as f64;
        let [one, three, ten] = self.beyond.map(share);
        format!("{one:.1} / {three:.1} / {ten:.1}")
    }
}

fn compare(
    observed: &Lines,
    said: &Lines,
    limits: &BTreeMap<String, (String, f64)>,
) -> BTreeMap<String, Off> {
    let mut by_stratum: BTreeMap<String, Off> = BTreeMap::new();
    for (key, values) in observed {
        let (stratum, limit) = &limits[&key[1]];
        let said = said.get(key);
        for (index, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let got = said.and_then(|said| said[index]);
            let off = got.map_or(f64::INFINITY, |got| (got - value) as f64);
            let off = off.abs() * UNIT as f64 / limit * 100.0;
            for name in [stratum.as_str(), "all"] {
                by_stratum.entry(name.into()).or_default().add(off);
            }
        }
    }
    by_stratum
}

/// The table of docs/model.md.
fn table() -> String {
    let text = |name| std::fs::read_to_string(data(name)).expect(name);
    let (observed, ends) = parse(&text("observed.tsv"));
    let (predicted, said) = parse(&text("predicted.tsv"));
    let (today, simple) = predictions();
    let (today, now) = parse(&today);
    let (simple, _) = parse(&simple);
    let limits: BTreeMap<String, (String, f64)> = draw::all()
        .iter()
        .map(|drawn| {
            let scenario = read(drawn);
            let limit = scenario.containers.iter().map(|c| c.limit).max();
            let limit = limit.unwrap_or(1) as f64;
            (drawn.name.clone(), (drawn.stratum.to_string(), limit))
        })
        .collect();
    let first = compare(&observed, &predicted, &limits);
    let later = compare(&observed, &today, &limits);
    let naive = compare(&observed, &simple, &limits);
    let mut table = String::from(
        "| stratum | values | predicted | the model today | the naive twin |\n|---|---:|---:|---:|---:|\n",
    );
    let order = first.keys().filter(|name| *name != "all");
    for name in order.map(String::as_str).chain(["all"]) {
        let _ = writeln!(
            table,
            "| {name} | {} | {} | {} | {} |",
            first[name].rows,
            first[name].cells(),
            later[name].cells(),
            naive[name].cells(),
        );
    }
    let same = |said: &BTreeMap<[String; 2], String>| {
        ends.iter()
            .filter(|(key, end)| said.get(*key) == Some(*end))
            .count()
    };
    let scenarios: std::collections::BTreeSet<&String> = ends.keys().map(|key| &key[1]).collect();
    let setups: std::collections::BTreeSet<&String> = ends.keys().map(|key| &key[0]).collect();
    let setups: Vec<&str> = setups.into_iter().map(String::as_str).collect();
    let _ = writeln!(
        table,
        "\n{} runs of {} scenarios on {}. Outcomes: {} predicted, {} today.",
        ends.len(),
        scenarios.len(),
        setups.join(", "),
        same(&said),
        same(&now),
    );
    table
}

/// The page says what the committed predictions were worth.
#[test]
fn what_was_predicted_first_is_scored_on_the_page() {
    // What was drawn is what was predicted: the generator has not changed since.
    let (predicted, _) = parse(&std::fs::read_to_string(data("predicted.tsv")).unwrap());
    let drawn: Vec<String> = draw::all().into_iter().map(|drawn| drawn.name).collect();
    assert!(predicted.keys().all(|key| drawn.contains(&key[1])));
    assert!(drawn.len() >= 40, "{}", drawn.len());
    if data("observed.tsv").exists() {
        super::page::hold("fresh", &table());
    }
}
