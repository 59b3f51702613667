//! Judging the shipped recordings: a built-in detector, and the same threshold as a Prometheus rule.

use std::io::Write;
use std::time::Instant;

use memtide::detector;
use memtide::judge::corpus::Corpus;
use memtide::judge::feed::Scraping;
use memtide::judge::panel::{Candidate, judge};
use memtide::judge::rules::Rules;

use crate::series::{Comparison, Measured, Side, Table};

/// What the detector `threshold` does, for promtool.
const RULES: &str = "groups:
- name: memory
  rules:
  - alert: Threshold
    expr: container_memory_working_set_bytes > 0.8 * container_spec_memory_limit_bytes
";

pub fn compare(runs: u32) -> Table {
    let mut table = Table::new("Judging every shipped recording, a scrape each 15 s");
    let mut corpus = Corpus::default();
    corpus.add_shipped(&|_, _| true);
    let what = format!("a threshold on {} recordings", corpus.cases.len());
    table.add(
        Comparison {
            what: &what,
            unit: "ms, lower is better",
            goals: &[("promtool test rules", "memtide's < 1000")],
            memtide: Side::new("memtide", || {
                let threshold = detector::by_name("threshold").ok_or("no such detector")?;
                judged(&corpus, Candidate::BuiltIn(threshold))
            }),
            peers: vec![Side::new("promtool test rules", || promtool(&corpus))],
        },
        runs,
    );
    table
}

fn promtool(corpus: &Corpus) -> Measured {
    let mut file = tempfile::Builder::new()
        .suffix(".yml")
        .tempfile()
        .map_err(|error| error.to_string())?;
    file.write_all(RULES.as_bytes())
        .map_err(|error| error.to_string())?;
    let time = std::time::Duration::from_secs(60);
    let opened = Rules::open(&[file.path()], None, time).map_err(|error| error.to_string())?;
    let rules = opened.into_iter().next().ok_or("no rules")?;
    judged(corpus, Candidate::Rules("threshold".into(), rules))
}

fn judged(corpus: &Corpus, candidate: Candidate) -> Measured {
    let start = Instant::now();
    let card = judge(&[candidate], corpus, &Scraping::default(), 2, &|_| {});
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    card.map(|_| ms).map_err(|error| error.to_string())
}
