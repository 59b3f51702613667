//! promtool unit tests made from a recording: its series, and what the alerts should have said.
//!
//! The real Prometheus engine evaluates them: for whoever keeps such tests beside their rules, and
//! for the judge itself.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cadvisor::{METRICS, Reading, number};
use super::labels::{Labels, pairs, selector};
use super::orchestrator;
use super::page::Pages;

/// When cAdvisor saw a container last; only rules read it, so only here it is given.
pub const LAST_SEEN: &str = "container_last_seen";

/// One scrape of all groups of a recording.
#[derive(Debug, Clone)]
pub struct Round {
    /// When Prometheus scraped, in detector seconds.
    pub at: f64,
    /// Per group: when what it got was sampled (detector seconds), and what it got.
    pub got: Vec<Option<(f64, Reading)>>,
}

/// A unit-test file of promtool.
#[derive(Debug, Clone, Serialize)]
pub struct TestFile {
    rule_files: Vec<String>,
    evaluation_interval: String,
    tests: Vec<Test>,
}

#[derive(Debug, Clone, Serialize)]
struct Test {
    name: String,
    interval: String,
    input_series: Vec<InputSeries>,
    promql_expr_test: Vec<ExprTest>,
}

#[derive(Debug, Clone, Serialize)]
struct InputSeries {
    series: String,
    values: String,
}

/// An expression and what it must give.
#[derive(Debug, Clone, Serialize)]
pub struct ExprTest {
    /// The expression, PromQL.
    pub expr: String,
    /// When it is evaluated, from the recording's start.
    pub eval_time: String,
    /// The only samples it may give.
    pub exp_samples: Vec<Sample>,
}

impl ExprTest {
    /// An expression that is expected to give nothing `at` this moment, seconds: what it gives
    /// instead, promtool says.
    pub fn none(expr: String, at: f64) -> Self {
        ExprTest {
            expr,
            eval_time: duration(at),
            exp_samples: Vec::new(),
        }
    }
}

/// A sample that is expected.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// `{}` for none.
    pub labels: String,
    /// Its value.
    pub value: f64,
}

/// What an alert should do, in detector seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expected {
    /// Stay quiet to the end.
    Quiet {
        /// The recording's end.
        end: f64,
    },
    /// Fire for the first time in this window.
    Fire {
        /// From when firing is right.
        onset: f64,
        /// Until when: the OOM kill, or the recording's end.
        until: f64,
    },
}

impl TestFile {
    /// Leaves out the series of metrics that are not wanted.
    pub fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        for test in &mut self.tests {
            test.input_series.retain(|input| {
                let name = input.series.split('{').next();
                name.is_some_and(&wanted)
            });
        }
    }

    /// A file with one test: the series of `rounds`, one value every `interval` seconds.
    pub fn new(
        name: &str,
        rule_file: &str,
        interval: f64,
        (pages, rounds): (&Pages, &[Round]),
        checks: Vec<ExprTest>,
    ) -> Self {
        TestFile {
            rule_files: vec![rule_file.to_owned()],
            evaluation_interval: duration(interval),
            tests: vec![Test {
                name: name.to_owned(),
                interval: duration(interval),
                input_series: input_series(pages, rounds, interval),
                promql_expr_test: checks,
            }],
        }
    }

    /// A file without rules: in each test series by their names and labels, of the value 1, and what
    /// is asked of them at their only moment.
    pub fn of_names(tests: Vec<(Vec<String>, Vec<String>)>) -> Self {
        let test = |(series, expressions): (Vec<String>, Vec<String>)| Test {
            name: "names".to_owned(),
            interval: "1m".to_owned(),
            input_series: series
                .into_iter()
                .map(|series| InputSeries {
                    series,
                    values: "1".to_owned(),
                })
                .collect(),
            promql_expr_test: expressions
                .into_iter()
                .map(|e| ExprTest::none(e, 0.0))
                .collect(),
        };
        TestFile {
            rule_files: Vec::new(),
            evaluation_interval: "1m".to_owned(),
            tests: tests.into_iter().map(test).collect(),
        }
    }

    /// The file's text.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::SerializeError> {
        serde_saphyr::to_string(self)
    }
}

/// The checks of an alert whose name matches `alert`, a regular expression.
pub fn checks(expected: Expected, alert: &str) -> Vec<ExprTest> {
    let firing = |from: f64, to: f64| {
        let matcher = serde_json::Value::from(alert);
        // A range reaches back from its evaluation; at least a second, since it can't be empty.
        let range = duration((to - from).max(1.0));
        format!("max(max_over_time(ALERTS{{alertname=~{matcher},alertstate=\"firing\"}}[{range}]))")
    };
    let quiet_until = |t: f64| ExprTest::none(firing(0.0, t), t);
    match expected {
        Expected::Quiet { end } => vec![quiet_until(end)],
        Expected::Fire { onset, until } => {
            let mut all = Vec::new();
            // An alert evaluated at the onset itself is right, so the quiet ends just before.
            if onset > 1.0 {
                all.push(quiet_until(onset - 0.001));
            }
            all.push(ExprTest {
                exp_samples: vec![Sample {
                    labels: "{}".to_owned(),
                    value: 1.0,
                }],
                ..ExprTest::none(firing(onset, until), until)
            });
            all
        }
    }
}

/// One series a metric and group, its values on the grid of `interval`, `_` where there is none.
fn input_series(pages: &Pages, rounds: &[Round], interval: f64) -> Vec<InputSeries> {
    // Jittered scrapes fall onto the nearest grid point: promtool knows no other times.
    let slot = |round: &Round| (round.at / interval).round() as usize;
    let slots = rounds.last().map_or(0, |last| slot(last) + 1);
    let mut by_slot: BTreeMap<usize, &Round> = BTreeMap::new();
    for round in rounds {
        by_slot.insert(slot(round), round);
    }
    let mut all = Vec::new();
    for (group, labels) in pages.labels.iter().enumerate() {
        for index in 0..METRICS.len() {
            let values: Vec<Option<f64>> = (0..slots)
                .map(|slot| {
                    let (_, reading) = by_slot.get(&slot)?.got.get(group)?.as_ref()?;
                    Some(reading.nth(index)?.1)
                })
                .collect();
            if values.iter().all(Option::is_none) {
                continue;
            }
            all.push(InputSeries {
                series: series_name(index, labels, pages),
                values: compact(&values),
            });
        }
    }
    all.extend(last_seen(pages, &by_slot, slots));
    for series in orchestrator::series(pages) {
        let at = |slot: usize| pages.nanoseconds(slot as f64 * interval);
        let values: Vec<Option<f64>> = (0..slots)
            .map(|slot| series.at(pages.recording(), at(slot)))
            .collect();
        if values.iter().any(Option::is_some) {
            all.push(InputSeries {
                series: series.to_string(),
                values: compact(&values),
            });
        }
    }
    all
}

/// The series of a recording by their names and labels, without values.
pub fn names(pages: &Pages, rounds: &[Round]) -> Vec<String> {
    let some: Vec<&Round> = [0, rounds.len() / 2, rounds.len().saturating_sub(1)]
        .iter()
        .filter_map(|at| rounds.get(*at))
        .collect();
    let mut all = Vec::new();
    for (group, labels) in pages.labels.iter().enumerate() {
        let has = |index: usize| {
            let readings = some
                .iter()
                .filter_map(|round| round.got.get(group)?.as_ref());
            readings
                .into_iter()
                .any(|(_, reading)| reading.nth(index).is_some())
        };
        all.extend(
            (0..METRICS.len())
                .filter(|index| has(*index))
                .map(|index| series_name(index, labels, pages)),
        );
        let got = |round: &&Round| round.got.get(group).is_some_and(Option::is_some);
        if some.iter().any(got) {
            all.push(series_of(LAST_SEEN, &[], labels, pages));
        }
    }
    // Those that only an event would give are there, too: whoever waits for it may wait.
    for series in orchestrator::series(pages) {
        all.push(series.to_string());
    }
    all
}

/// What `absent(container_last_seen)` asks for: the time of each sample, by promtool's own clock,
/// which begins at 0.
fn last_seen(pages: &Pages, by_slot: &BTreeMap<usize, &Round>, slots: usize) -> Vec<InputSeries> {
    let of = |(group, labels): (usize, &Labels)| {
        let seen = |slot: usize| Some(by_slot.get(&slot)?.got.get(group)?.as_ref()?.0.floor());
        let values: Vec<Option<f64>> = (0..slots).map(seen).collect();
        values.iter().any(Option::is_some).then(|| InputSeries {
            series: series_of(LAST_SEEN, &[], labels, pages),
            values: compact(&values),
        })
    };
    pages.labels.iter().enumerate().filter_map(of).collect()
}

fn series_name(index: usize, labels: &Labels, pages: &Pages) -> String {
    let metric = &METRICS[index];
    series_of(metric.name, metric.labels, labels, pages)
}

fn series_of(name: &str, extra: &[(&str, &str)], labels: &Labels, pages: &Pages) -> String {
    let all = labels
        .set()
        .chain(extra.iter().copied())
        .chain(pairs(&pages.scraped));
    format!("{name}{}", selector(all))
}

/// Values in promtool's notation; runs of one value as `AxN` (N more of it), gaps as `_xN`.
fn compact(values: &[Option<f64>]) -> String {
    let runs = values.chunk_by(|a, b| a == b);
    let words: Vec<String> = runs
        .map(|run| match (run[0], run.len()) {
            (None, 1) => "_".to_owned(),
            (None, n) => format!("_x{n}"),
            (Some(value), 1) => number(value),
            (Some(value), n) => format!("{}x{}", number(value), n - 1),
        })
        .collect();
    words.join(" ")
}

/// Seconds as Prometheus writes durations.
pub fn duration(seconds: f64) -> String {
    let ms = (seconds * 1e3).round() as i64;
    if ms % 1000 == 0 {
        format!("{}s", ms / 1000)
    } else {
        format!("{ms}ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_written_short() {
        let some = |v: &[i64]| {
            v.iter()
                .map(|v| (*v >= 0).then_some(*v as f64))
                .collect::<Vec<_>>()
        };
        assert_eq!(compact(&some(&[5, 5, 5, -1, -1, 7, -1])), "5x2 _x2 7 _");
        assert_eq!(compact(&[]), "");
    }

    #[test]
    fn an_alert_must_be_quiet_before_the_onset_and_fire_after() {
        let fire = Expected::Fire {
            onset: 60.0,
            until: 600.0,
        };
        let checks = checks(fire, ".*");
        assert_eq!(checks.len(), 2);
        assert_eq!(checks[0].eval_time, "59999ms");
        assert!(checks[0].exp_samples.is_empty());
        assert!(checks[1].expr.contains("[540s]"), "{}", checks[1].expr);
        assert_eq!(checks[1].eval_time, "600s");
    }
}
