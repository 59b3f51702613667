//! One expectation against one run.

use super::moment::{self, Found, Samples};
use super::run::Run;
use super::value::Source;
use super::{CheckResult, Checked, outcome, text};
use crate::recording::GroupKind;
use crate::scenario::{Check, Expectation, Moment, Operand};

/// Why there is nothing to compare.
enum Why {
    Fail(String),
    NotHere(String),
}

/// A comparison that was made.
struct Compared {
    expected: String,
    expected_value: Option<i64>,
    seen: String,
    seen_value: Option<i64>,
    pass: bool,
}

impl Run<'_> {
    /// Checks one expectation.
    pub fn expectation(&self, e: &Expectation) -> Checked {
        let compared = self
            .holds(&e.when)
            .map_err(Why::NotHere)
            .and_then(|()| self.compare(e));
        let mut checked = Checked {
            text: text::claim(self.scenario, e),
            why: e.why.clone(),
            expected: text::expected_as_written(&e.value, &e.check),
            seen: String::new(),
            result: CheckResult::Fail,
            expected_value: None,
            seen_value: None,
        };
        match compared {
            Ok(c) => {
                checked.expected = c.expected;
                checked.expected_value = c.expected_value;
                checked.seen = c.seen;
                checked.seen_value = c.seen_value;
                if c.pass {
                    checked.result = CheckResult::Pass;
                }
            }
            Err(Why::Fail(seen)) => checked.seen = seen,
            Err(Why::NotHere(reason)) => checked.result = CheckResult::NotHere(reason),
        }
        checked
    }

    fn compare(&self, e: &Expectation) -> Result<Compared, Why> {
        let group = self.group(e)?;
        let samples = self.samples(&e.moment, group)?;
        let source = Source::new(self.recording, group, &e.value);
        let amount = |v| text::amount(&e.value, v);
        let (expected, expected_value, holds): (_, _, Box<dyn Fn(i64) -> bool>) = match &e.check {
            Check::Absent => {
                let seen = samples.pick(|sample| source.at(sample));
                return Ok(Compared {
                    expected: "absent".into(),
                    expected_value: None,
                    seen: seen.map_or("absent".into(), amount),
                    seen_value: seen,
                    pass: seen.is_none(),
                });
            }
            Check::Near { of, tolerance } => {
                let of = self.operand(of, group, &samples)?;
                let tolerance = self.operand(tolerance, group, &samples)?.max(self.lag());
                let text = format!("{} ± {}", amount(of), text::amount(&e.value, tolerance));
                let near = move |v: i64| v.abs_diff(of) <= tolerance.unsigned_abs();
                (text, of, Box::new(near))
            }
            Check::AtLeast(bound) => {
                let bound = self.operand(bound, group, &samples)?;
                let text = format!("at least {}", amount(bound));
                (text, bound, Box::new(move |v| v >= bound))
            }
            Check::AtMost(bound) => {
                let bound = self.operand(bound, group, &samples)?;
                let text = format!("at most {}", amount(bound));
                (text, bound, Box::new(move |v| v <= bound))
            }
        };
        let mut seen = self.picked(group, &e.value, &source, &samples)?;
        if let Some(step) = e.since {
            let before = self.samples(&Moment::At(step), group)?;
            seen = seen.saturating_sub(self.picked(group, &e.value, &source, &before)?);
        }
        Ok(Compared {
            expected,
            expected_value: Some(expected_value),
            seen: amount(seen),
            seen_value: Some(seen),
            pass: holds(seen),
        })
    }

    /// What the kernel itself leaves open: each CPU keeps up to 64 pages of charge, and as much of
    /// each counter, to itself (MEMCG_CHARGE_BATCH). No tolerance is below that.
    fn lag(&self) -> i64 {
        let host = &self.recording.header.host;
        let bytes = host.page_size.saturating_mul(64).saturating_mul(host.cpus);
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }

    fn group(&self, e: &Expectation) -> Result<usize, Why> {
        if self.recording.tables.is_empty() {
            return Err(Why::NotHere("nothing was sampled in this run".into()));
        }
        let Some(name) = &e.group else {
            return Ok(self.recording.main_group());
        };
        // Ambient placement samples the one cgroup there is, whatever the scenario calls it.
        let only = self.recording.header.groups.len() == 1 && self.scenario.containers.len() == 1;
        match self.recording.group(name) {
            Some(group) => Ok(group),
            None if only && name != "pod" => Ok(0),
            None => Err(Why::NotHere(format!(
                "`{name}` was not sampled in this run"
            ))),
        }
    }

    fn samples(&self, moment: &Moment, group: usize) -> Result<Samples, Why> {
        match moment::find(self.scenario, self.recording, moment, group) {
            Found::Samples(samples) => Ok(samples),
            Found::Skipped(reason) => Err(Why::NotHere(reason)),
            Found::Failed(reason) => Err(Why::Fail(reason)),
            Found::Cut(reason) => Err(self.ended_early(reason)),
        }
    }

    /// The run was over before the step was.
    fn ended_early(&self, reason: String) -> Why {
        match &self.recording.footer {
            None => Why::NotHere(format!("the recording was cut: {reason}")),
            Some(footer) if outcome::is_allowed_end(self, footer.outcome) => Why::NotHere(format!(
                "{reason}: the run ended as {}, as it may",
                footer.outcome
            )),
            Some(footer) => Why::Fail(format!("{reason}: the run ended as {}", footer.outcome)),
        }
    }

    fn picked(
        &self,
        group: usize,
        name: &str,
        source: &Source<'_>,
        samples: &Samples,
    ) -> Result<i64, Why> {
        if let Some(row) = name.strip_prefix("smaps:") {
            let step = samples.after;
            let value =
                step.and_then(|step| moment::smaps(self.scenario, self.recording, step, row));
            return value.ok_or_else(|| {
                Why::Fail(format!(
                    "no {row} in smaps_rollup (`when` excuses kernels without it)"
                ))
            });
        }
        if let Some(value) = samples.pick(|sample| source.at(sample)) {
            return Ok(value);
        }
        let anywhere = (0..self.recording.tables[group].len()).any(|s| source.at(s).is_some());
        Err(match anywhere {
            true => Why::Fail(format!("no `{name}` in this sample, though others have it")),
            // A kernel without the row is excused by the claim's `when`, where a reader sees it: else
            // a formula that has stopped to give a value would pass everywhere.
            false => Why::Fail(format!(
                "no `{name}` in any sample (`when` excuses kernels without it)"
            )),
        })
    }

    /// A bound in bytes. A value without a step of its own is looked at in the same samples, and the
    /// same one of them is picked: the largest against the largest.
    fn operand(&self, o: &Operand, group: usize, samples: &Samples) -> Result<i64, Why> {
        match o {
            Operand::Size(size) => {
                let bytes = size.resolve(self.limit(group));
                Ok(i64::try_from(bytes).unwrap_or(i64::MAX))
            }
            Operand::Value { factor, name, at } => {
                let source = Source::new(self.recording, group, name);
                let value = match at {
                    Some(step) => {
                        let then = self.samples(&Moment::At(*step), group)?;
                        self.picked(group, name, &source, &then)?
                    }
                    None => self.picked(group, name, &source, samples)?,
                };
                Ok((value as f64 * factor).round() as i64)
            }
        }
    }

    /// What a share of "the limit" is a share of: the group's own limit as it ran; for a pod without
    /// one, what its containers may have together.
    fn limit(&self, group: usize) -> u64 {
        let recorded = &self.recording.header.groups[group];
        let containers = &self.scenario.containers;
        let of_pod = || {
            let all = containers.iter().map(|c| c.limit);
            self.scenario.pod_limit.unwrap_or(all.sum())
        };
        let of_container = || {
            let named = containers.iter().find(|c| c.name == recorded.name);
            named.map_or_else(of_pod, |c| c.limit)
        };
        recorded.limit.unwrap_or_else(|| match recorded.kind {
            GroupKind::Pod => of_pod(),
            GroupKind::Container => of_container(),
        })
    }
}
