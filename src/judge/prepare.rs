//! Rules against one corpus: which alerts count, which of them can fire on which recording, when
//! they first fired, and on what.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::time::Duration;

use crate::export::promtool::{self as tests, ExprTest, TestFile, duration};
use crate::recording::GroupKind;

use super::engine::{Sample, promtool, said};
use super::feed::Feed;
use super::promql::{self, Expr, parse};
use super::reach::{Facts, Reach, Reason, questions};
use super::rulefile;
use super::rules::{Rules, class_of, evaluation_error, written};
use super::rules_error::RulesError;
use super::scratch;
use super::verdict::Answer;
use super::why::{Inquiry, Why};

/// Rules that are ready for a corpus.
pub struct Prepared<'a> {
    rules: &'a Rules,
    /// What promtool reads: the recording rules and the alerts that count.
    file: File,
    /// Names and texts of what it reads, to leave out series that nobody wants.
    text: String,
    /// Each alert that counts.
    alerts: Vec<Alert>,
    recorded: BTreeMap<String, Vec<Expr>>,
    /// What selectors select, for each set of series that recordings have.
    selects: Vec<BTreeMap<String, bool>>,
    /// Which of these sets each recording has.
    set_of: Vec<usize>,
    /// Detector seconds between evaluations.
    interval_s: f64,
}

struct Alert {
    name: String,
    /// File and line.
    place: String,
    expr: String,
    parsed: Option<Expr>,
    /// Seconds that it must hold (`for`).
    hold_s: f64,
}

/// promtool may take this long to say which series there are.
const NAMES_TIME: Duration = Duration::from_secs(120);

/// So many times what a detector program may take, promtool may: it reads all series and evaluates
/// all rules.
const PROMTOOLS_SHARE: u32 = 3;

/// So many evaluations are asked about at once: 10,000 samples are enough for 33 alert series.
const STRETCH: usize = 300;

/// The metric by which alerts are chosen by their names.
const ALERT_NAMES: &str = "memtide_alert";

impl<'a> Prepared<'a> {
    /// Looks which alerts count and which series they select in `feeds`.
    pub fn new(rules: &'a Rules, feeds: &[Feed], interval_s: f64) -> Result<Self, RulesError> {
        let mut sets: Vec<Vec<String>> = Vec::new();
        let mut set_of = Vec::new();
        for feed in feeds {
            let names = tests::names(&feed.pages, &feed.rounds);
            let known = sets.iter().position(|set| *set == names);
            set_of.push(known.unwrap_or_else(|| {
                sets.push(names);
                sets.len() - 1
            }));
        }
        let (chosen, selects) = ask(rules, sets)?;
        let counts =
            |rule: &rulefile::Rule| rule.alert.as_ref().is_none_or(|name| chosen.contains(name));
        let mut groups = rules.groups.clone();
        groups
            .iter_mut()
            .for_each(|group| group.rules.retain(counts));
        groups.retain(|group| !group.rules.is_empty());
        let text = rulefile::promtool_text(&groups);
        let kept = groups.iter().flat_map(|group| &group.rules);
        let alerts = kept.filter_map(|rule| {
            Some(Alert {
                name: rule.alert.clone()?,
                place: format!("{}:{}", rules.shown, rule.line),
                expr: rule.expr.clone(),
                parsed: parse(&rule.expr),
                hold_s: rule
                    .hold
                    .as_deref()
                    .and_then(promql::seconds)
                    .unwrap_or(0.0),
            })
        });
        Ok(Prepared {
            alerts: alerts.collect(),
            file: written(&text)?,
            recorded: rules.recorded(),
            text,
            rules,
            selects,
            set_of,
            interval_s,
        })
    }

    /// For each alert whether it can fire on a recording.
    fn reasons(&self, nth: usize, feed: &Feed) -> Vec<Option<Reason>> {
        let recording = feed.pages.recording();
        let containers = recording
            .header
            .groups
            .iter()
            .filter(|g| g.kind == GroupKind::Container);
        let limits: Option<Vec<f64>> = containers.map(|g| Some(g.finite_limit()? as f64)).collect();
        let scale = feed.pages.size_scale();
        let facts = Facts {
            selects: self.selects[self.set_of[nth]].clone(),
            version: recording.version(),
            limit: limits.map(|all| all.iter().sum::<f64>() * scale),
            node: recording.header.host.mem_total as f64 * scale,
        };
        let reach = Reach {
            facts: &facts,
            recorded: &self.recorded,
        };
        self.alerts
            .iter()
            .map(|alert| {
                let never = alert.parsed.as_ref().and_then(|expr| reach.never(expr));
                never.or_else(|| too_short(alert.hold_s, feed))
            })
            .collect()
    }

    /// What the reader of the card must know: alerts that can't fire, and on how many recordings.
    pub fn notes(&self, feeds: &[Feed]) -> Vec<String> {
        let mut cases: BTreeMap<(usize, Reason), usize> = BTreeMap::new();
        for (nth, feed) in feeds.iter().enumerate() {
            for (alert, reason) in self.reasons(nth, feed).into_iter().enumerate() {
                if let Some(reason) = reason {
                    *cases.entry((alert, reason)).or_default() += 1;
                }
            }
        }
        let told = cases.into_iter().map(|((alert, reason), count)| {
            let Alert { place, name, .. } = &self.alerts[alert];
            let on = if count == feeds.len() {
                String::new()
            } else {
                format!(" (on {count} of {} recordings)", feeds.len())
            };
            format!("{place}: {name}: {reason}{on}")
        });
        self.rules.notes.iter().cloned().chain(told).collect()
    }

    /// Judges the recordings `from` on, as many as `feeds` has. What hangs is an answer, too.
    pub fn run(&self, from: usize, feeds: &[Feed]) -> Result<Vec<Answer>, RulesError> {
        let mut answers: Vec<Option<Answer>> = Vec::new();
        let mut asked = Vec::new();
        for (nth, feed) in feeds.iter().enumerate() {
            let reasons = self.reasons(from + nth, feed);
            let never: Option<BTreeSet<Reason>> = reasons.iter().cloned().collect();
            answers.push(never.map(|never| {
                Answer {
                    not_judged: Some(
                        never
                            .iter()
                            .map(ToString::to_string)
                            .collect::<Vec<_>>()
                            .join("; "),
                    ),
                    ..Answer::default()
                }
            }));
            if answers[nth].is_none() {
                let can: BTreeSet<&str> = self
                    .alerts
                    .iter()
                    .zip(&reasons)
                    .filter(|(_, r)| r.is_none())
                    .map(|(a, _)| a.name.as_str())
                    .collect();
                asked.push((nth, feed, can));
            }
        }
        let each = self.rules.time * PROMTOOLS_SHARE;
        let time = each * u32::try_from(asked.len()).unwrap_or(u32::MAX);
        let files: Vec<TestFile> = asked
            .iter()
            .map(|(_, feed, _)| self.question(feed))
            .collect();
        let parts = match self.test(&files, time) {
            Ok(parts) => parts,
            Err(RulesError::TimedOut(time)) => {
                for (nth, ..) in asked {
                    answers[nth] = Some(hung(time));
                }
                return Ok(answers.into_iter().flatten().collect());
            }
            Err(error) => return Err(error),
        };
        let mut fired = Vec::new();
        for ((nth, feed, can), part) in asked.iter().zip(&parts) {
            let (answer, alert) = self.answer(part, can)?;
            answers[*nth] = Some(answer);
            fired.extend(alert.map(|alert| (*nth, *feed, alert)));
        }
        for (nth, why) in self.whys(&fired, time)? {
            if let Some(Some(answer)) = answers.get_mut(nth) {
                answer.why = Some(why);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// Runs test files, and gives what promtool said of each.
    fn test(&self, files: &[TestFile], time: Duration) -> Result<Vec<String>, RulesError> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let mut held = Vec::new();
        for file in files {
            let file = written(&file.to_yaml()?)?;
            held.push((scratch::path(&file), file));
        }
        let mut args = vec!["test".as_ref(), "rules".as_ref()];
        args.extend(held.iter().map(|(path, _)| path.as_os_str()));
        let (_, text) = promtool(&args, time)?;
        let parts: Vec<String> = text
            .split("Unit Testing:")
            .skip(1)
            .map(str::to_owned)
            .collect();
        if parts.len() == files.len() {
            Ok(parts)
        } else {
            Err(self.rules.unexpected(&text))
        }
    }

    /// A test file of a recording's series with these checks.
    fn file(&self, feed: &Feed, checks: Vec<ExprTest>) -> TestFile {
        let rule_file = scratch::path(&self.file).to_string_lossy().into_owned();
        let source = (&feed.pages, feed.rounds.as_slice());
        let mut test = TestFile::new("judge", &rule_file, self.interval_s, source, checks);
        // Reading series that no rule names is most of promtool's work.
        let by_pattern =
            self.text.contains("__name__") || self.text.contains(" {") || self.text.contains("({");
        test.keep(|metric| by_pattern || self.text.contains(metric));
        test
    }

    /// "Which alerts fired, and when first?", put as checks that expect none: one for each stretch
    /// of the recording, since promtool holds no more than 10,000 samples at a time.
    fn question(&self, feed: &Feed) -> TestFile {
        let interval_s = self.interval_s;
        let end = feed.pages.end().max(interval_s);
        let step = duration(interval_s);
        let stretch = interval_s * STRETCH as f64;
        let count = (end / stretch).ceil().max(1.0) as usize;
        let checks = (1..=count).map(|nth| {
            let until = (nth as f64 * stretch).min(end);
            let since = (nth - 1) as f64 * stretch;
            // Both ends are in it, so an evaluation on the seam is seen twice and none is lost.
            let range = duration(until - since + interval_s);
            ExprTest::none(
                format!(
                    "min_over_time(timestamp(ALERTS{{alertstate=\"firing\"}})[{range}:{step}])"
                ),
                until,
            )
        });
        self.file(feed, checks.collect())
    }

    /// Reads promtool's words about one recording: the answer, and the alert that fired first of
    /// those that `can`.
    fn answer(
        &self,
        text: &str,
        can: &BTreeSet<&str>,
    ) -> Result<(Answer, Option<Sample>), RulesError> {
        // A rule that can't be evaluated on these series is wrong about this recording only.
        if let Some(error) = text.lines().find_map(evaluation_error) {
            let error = Some(error);
            return Ok((
                Answer {
                    error,
                    ..Answer::default()
                },
                None,
            ));
        }
        let all = said(text);
        if all.is_empty() && !text.contains("SUCCESS") {
            return Err(self.rules.unexpected(text));
        }
        let fired = all
            .into_iter()
            .flat_map(|one| one.samples)
            .filter(|s| can.contains(s.label("alertname")));
        // Of alerts of one moment the one that names its series best tells most.
        let first = fired.min_by(|a, b| {
            let named = |s: &Sample| std::cmp::Reverse(s.labels.len());
            a.value.total_cmp(&b.value).then(named(a).cmp(&named(b)))
        });
        let answer = Answer {
            fired_at: first.as_ref().map(|alert| alert.value),
            class: first.as_ref().and_then(class_of),
            ..Answer::default()
        };
        Ok((answer, first))
    }

    /// On what each alert fired.
    fn whys(
        &self,
        fired: &[(usize, &Feed, Sample)],
        time: Duration,
    ) -> Result<Vec<(usize, Why)>, RulesError> {
        let inquiries: Vec<Option<Inquiry>> = fired
            .iter()
            .map(|(_, _, alert)| {
                let own = self
                    .alerts
                    .iter()
                    .find(|one| one.name == alert.label("alertname"))?;
                Some(Inquiry::new(&own.expr))
            })
            .collect();
        let files: Vec<TestFile> = fired
            .iter()
            .zip(&inquiries)
            .map(|((_, feed, alert), inquiry)| {
                let all = inquiry.iter().flat_map(Inquiry::expressions);
                self.file(
                    feed,
                    all.map(|expr| ExprTest::none(expr, alert.value)).collect(),
                )
            })
            .collect();
        // Why it fired is worth a second look, not the verdict.
        let parts = match self.test(&files, time) {
            Ok(parts) => parts,
            Err(RulesError::TimedOut(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let all = fired.iter().zip(inquiries).zip(parts);
        Ok(all
            .filter_map(|(((nth, _, alert), inquiry), part)| {
                Some((*nth, inquiry?.answer(alert, &said(&part))))
            })
            .collect())
    }
}

/// An alert that must hold for longer than the recording can't fire on it: that it is quiet says nothing.
fn too_short(hold_s: f64, feed: &Feed) -> Option<Reason> {
    let (end, scale) = (feed.pages.end(), feed.pages.time_scale());
    (hold_s > end).then(|| Reason {
        what: format!(
            "the recording is {end:.0} s of the detector's time, and it must hold for {hold_s:.0} s (`for`): it can't fire here"
        ),
        remedy: format!(
            "give it more of that time: --time-scale {} instead of {scale}",
            (scale * hold_s / end.max(0.001) * 1.5).ceil()
        ),
    })
}

fn hung(time: Duration) -> Answer {
    Answer {
        error: Some(format!(
            "promtool had not ended after {} and was killed: the rules take too long to evaluate; --timeout gives \
             them longer for each recording",
            crate::units::duration(time)
        )),
        hung: true,
        ..Answer::default()
    }
}

/// Tests of names: for each set of series what is selected in it, and which alerts are chosen.
fn question_of_names(
    rules: &Rules,
    sets: Vec<Vec<String>>,
    asked: &[String],
) -> Vec<(Vec<String>, Vec<String>)> {
    let number = |set: usize, question: usize| set * asked.len() + question;
    let mut parts: Vec<(Vec<String>, Vec<String>)> = sets
        .into_iter()
        .enumerate()
        .map(|(set, series)| {
            // What has a series gives its own number.
            let numbered = asked.iter().enumerate();
            let all = numbered
                .map(|(at, question)| format!("0 * count({question}) + {}", number(set, at)));
            (series, all.collect())
        })
        .collect();
    // PromQL's strings have JSON's escapes.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let alerts = rules.rules().filter_map(|rule| rule.alert.as_ref());
    let names: BTreeSet<String> = alerts
        .map(|name| format!("{ALERT_NAMES}{{alertname={}}}", quoted(name)))
        .collect();
    let chosen = format!("{ALERT_NAMES}{{alertname=~{}}}", quoted(&rules.alert));
    parts.push((names.into_iter().collect(), vec![chosen]));
    parts
}

/// Which alerts count, and what each selector selects in each set of series.
type Asked = (BTreeSet<String>, Vec<BTreeMap<String, bool>>);

fn ask(rules: &Rules, sets: Vec<Vec<String>>) -> Result<Asked, RulesError> {
    let alerts: Vec<&String> = rules
        .rules()
        .filter_map(|rule| rule.alert.as_ref())
        .collect();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    for rule in rules.rules() {
        for selector in parse(&rule.expr).iter().flat_map(Expr::selectors) {
            asked.extend(questions(selector));
        }
    }
    let asked: Vec<String> = asked.into_iter().collect();
    let count = sets.len();
    let parts = question_of_names(rules, sets, &asked);
    let file = written(&TestFile::of_names(parts).to_yaml()?)?;
    let path = scratch::path(&file);
    let (_, text) = promtool(
        &["test".as_ref(), "rules".as_ref(), path.as_os_str()],
        NAMES_TIME,
    )?;
    let mut selects = vec![
        asked
            .iter()
            .map(|one| (one.clone(), false))
            .collect::<BTreeMap<_, _>>();
        count
    ];
    let mut chosen = BTreeSet::new();
    for sample in said(&text).into_iter().flat_map(|one| one.samples) {
        let alert = sample.label("alertname");
        if !alert.is_empty() {
            chosen.insert(alert.to_owned());
        } else if let Some(set) = (sample.value as usize).checked_div(asked.len())
            && let Some(found) = selects.get_mut(set)
        {
            found.insert(asked[sample.value as usize % asked.len()].clone(), true);
        }
    }
    // A question the engine can't answer says nothing.
    if text.contains("err: ") {
        selects = vec![BTreeMap::new(); count];
    }
    if chosen.is_empty() {
        return Err(RulesError::NotSelected {
            path: rules.shown.clone(),
            alert: rules.alert.clone(),
            names: alerts
                .iter()
                .map(|name| name.as_str())
                .take(20)
                .collect::<Vec<_>>()
                .join(", "),
        });
    }
    Ok((chosen, selects))
}
