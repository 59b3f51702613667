//! Prometheus alert rules, judged by the real engine: promtool's unit tests are asked when each
//! alert was firing.
//!
//! Every recording becomes one test file whose only check expects *no* firing alert; what promtool
//! then says it got instead is when alerts first fired. A check that passes means quiet.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::export::cadvisor;
use crate::export::orchestrator;
use crate::export::promtool::{ExprTest, LAST_SEEN, TestFile, duration};
use crate::scenario::Class;

use super::feed::Feed;
use super::manifest;
use super::scratch;
use super::verdict::Answer;

/// Why a rules file could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// No promtool.
    #[error(
        "promtool is not on PATH: rules are judged by the real Prometheus engine; install it \
         (Debian and Ubuntu: `apt-get install prometheus`) and try again"
    )]
    NoPromtool,
    /// promtool refused the rules.
    #[error("{path}: promtool refuses these rules:\n{message}")]
    Invalid {
        /// The rules file.
        path: String,
        /// What promtool said.
        message: String,
    },
    /// promtool gave an answer that is not understood.
    #[error("promtool said something unexpected about {path}: {message}")]
    Unexpected {
        /// The rules file.
        path: String,
        /// What it said.
        message: String,
    },
    /// promtool did not end.
    #[error("promtool had not ended after {0:?} and was killed")]
    TimedOut(Duration),
    /// A file could not be read or written.
    #[error("{context}: {source}")]
    Io {
        /// What was being done.
        context: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The test file could not be written as YAML.
    #[error("cannot write a promtool test: {0}")]
    Yaml(#[from] serde_saphyr::SerializeError),
}

/// A rules file that promtool accepts.
#[derive(Debug)]
pub struct Rules {
    /// The file promtool reads.
    path: PathBuf,
    /// The file that was given, for messages.
    shown: String,
    /// Holds the groups of a manifest, which `path` then names.
    _groups: Option<File>,
    text: String,
    /// Which alerts count, a regular expression.
    alert: String,
    /// Metrics its text names that no recording has: alerts on them can't fire here.
    pub unknown_metrics: Vec<String>,
}

/// promtool over one batch may take this long.
const PROMTOOL_TIME: Duration = Duration::from_secs(300);

/// So many evaluations are asked about at once: 10,000 samples are enough for 33 alert series.
const STRETCH: usize = 300;

impl Rules {
    /// Checks a rules file with promtool. Of its alerts those count whose name `alert` matches, a
    /// regular expression; none for all.
    pub fn open(path: &Path, alert: Option<&str>) -> Result<Rules, RulesError> {
        let io = |source| RulesError::Io {
            context: path.display().to_string(),
            source,
        };
        let text = fs::read_to_string(path).map_err(io)?;
        let shown = path.display().to_string();
        let groups = manifest::groups(&text)
            .map(|groups| scratch::file_with(groups.as_bytes()))
            .transpose()
            .map_err(io)?;
        // promtool reads rule files relative to the test file, which is elsewhere.
        let path = match &groups {
            Some(file) => PathBuf::from(scratch::path(file)),
            None => path.canonicalize().map_err(io)?,
        };
        let (ok, said) = promtool(&["check".as_ref(), "rules".as_ref(), path.as_os_str()])?;
        if !ok {
            let said = said.replace(&path.display().to_string(), &shown);
            let advice = manifest::advice(&text).map_or(String::new(), |do_| format!("\n{do_}"));
            return Err(RulesError::Invalid {
                path: shown,
                message: said.trim().to_owned() + &advice,
            });
        }
        Ok(Rules {
            path,
            shown,
            _groups: groups,
            alert: alert.unwrap_or(".+").to_owned(),
            unknown_metrics: unknown_metrics(&text),
            text,
        })
    }

    /// What an unknown metric means for the alerts that read it.
    pub fn consequence(&self, metric: &str) -> &'static str {
        let absent = |function: &str| self.text.contains(&format!("{function}({metric}"));
        if absent("absent") || absent("absent_over_time") {
            "absent() of it fires on every one: leave that alert out, or read the card without it"
        } else {
            "what reads it can't fire here"
        }
    }

    /// Judges the rules on each feed in one call of promtool.
    pub fn run(&self, feeds: &[Feed], interval_s: f64) -> Result<Vec<Answer>, RulesError> {
        let mut files = Vec::new();
        for feed in feeds {
            let yaml = self.question(feed, interval_s).to_yaml()?;
            let file = scratch::file_with(yaml.as_bytes()).map_err(|source| RulesError::Io {
                context: "cannot write a temporary file".to_owned(),
                source,
            })?;
            files.push((scratch::path(&file), file));
        }
        let mut args = vec!["test".as_ref(), "rules".as_ref()];
        args.extend(files.iter().map(|(path, _)| path.as_os_str()));
        let (_, said) = promtool(&args)?;
        let per_file = said.split("Unit Testing:").skip(1);
        let answers: Vec<Answer> = per_file
            .map(|part| self.answer(part))
            .collect::<Result<_, _>>()?;
        if answers.len() == feeds.len() {
            Ok(answers)
        } else {
            Err(self.unexpected(&said))
        }
    }

    /// "Which alerts fired, and when first?", put as checks that expect none: one for each stretch
    /// of the recording, since promtool holds no more than 10,000 samples at a time.
    fn question(&self, feed: &Feed, interval_s: f64) -> TestFile {
        let end = feed.pages.end().max(interval_s);
        let step = duration(interval_s);
        let stretch = interval_s * STRETCH as f64;
        // PromQL's strings have JSON's escapes.
        let alert = serde_json::Value::from(self.alert.as_str());
        let count = (end / stretch).ceil().max(1.0) as usize;
        let checks = (1..=count).map(|nth| {
            let until = (nth as f64 * stretch).min(end);
            let since = (nth - 1) as f64 * stretch;
            // Both ends are in it, so an evaluation on the seam is seen twice and none is lost.
            let range = duration(until - since + interval_s);
            ExprTest {
                expr: format!(
                    "min_over_time(timestamp(ALERTS{{alertname=~{alert},alertstate=\"firing\"}})[{range}:{step}])"
                ),
                eval_time: duration(until),
                exp_samples: Vec::new(),
            }
        });
        let rule_file = self.path.display().to_string();
        let source = (&feed.pages, feed.rounds.as_slice());
        let mut test = TestFile::new("judge", &rule_file, interval_s, source, checks.collect());
        // Reading series that no rule names is most of promtool's work.
        let by_pattern = self.text.contains("__name__");
        test.keep(|metric| by_pattern || self.text.contains(metric));
        test
    }

    /// Reads promtool's words about one file.
    fn answer(&self, said: &str) -> Result<Answer, RulesError> {
        if said.contains("SUCCESS") {
            return Ok(Answer::default());
        }
        let fired = said.lines().filter_map(firing);
        let first = fired.min_by(|a, b| a.0.total_cmp(&b.0));
        // A rule that can't be evaluated on these series is wrong about this recording only.
        let failed = said.lines().find_map(|line| line.split_once("err: "));
        match (first, failed) {
            (_, Some((rule, error))) => Ok(Answer {
                error: Some(evaluation_error(rule, error)),
                ..Answer::default()
            }),
            (Some((at, class)), None) => Ok(Answer {
                fired_at: Some(at),
                class,
                error: None,
            }),
            (None, None) => Err(self.unexpected(said)),
        }
    }

    fn unexpected(&self, said: &str) -> RulesError {
        RulesError::Unexpected {
            path: self.shown.clone(),
            message: said.trim().chars().take(2000).collect(),
        }
    }
}

/// `rule: X, time: 45s, ` and what the engine says, without the series it lists.
fn evaluation_error(rule: &str, error: &str) -> String {
    let rule = rule.trim().split(", time:").next().unwrap_or("");
    let error = error.split(": [{").next().unwrap_or(error);
    format!("{rule}: {}", error.trim())
}

/// One alert of a line like `got: {alertname="X", class="leak", ...} 1.95E+02`: when it first
/// fired and the class in its labels.
fn firing(line: &str) -> Option<(f64, Option<Class>)> {
    let (labels, value) = line.rsplit_once("} ")?;
    let labels = labels.split_once('{')?.1;
    let at: f64 = value.trim().trim_end_matches(',').parse().ok()?;
    let class = labels.split(", ").find_map(|label| {
        let name = label.strip_prefix("class=\"")?.strip_suffix('"')?;
        serde_json::from_value(name.into()).ok()
    });
    labels.contains("alertname=").then_some((at, class))
}

/// Runs promtool; gives whether it was content and all it said.
fn promtool(args: &[&std::ffi::OsStr]) -> Result<(bool, String), RulesError> {
    let io = |context: &str| {
        let context = context.to_owned();
        move |source| RulesError::Io { context, source }
    };
    // One file for both streams keeps the order of what it says, and never fills up.
    let said = scratch::file().map_err(io("cannot make a temporary file"))?;
    let stream = || said.try_clone().map_err(io("cannot open a temporary file"));
    let (stdout, stderr) = (stream()?, stream()?);
    let mut child = Command::new("promtool")
        .args(args)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => RulesError::NoPromtool,
            _ => RulesError::Io {
                context: "cannot start promtool".to_owned(),
                source,
            },
        })?;
    let deadline = Instant::now() + PROMTOOL_TIME;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(io("cannot wait for promtool"))? {
            break status;
        }
        if Instant::now() > deadline {
            // Either it is gone already or it goes now; both are waited for.
            let _ = child.kill();
            let _ = child.wait();
            return Err(RulesError::TimedOut(PROMTOOL_TIME));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = scratch::read(&said).map_err(io("cannot read what promtool said"))?;
    Ok((status.success(), text))
}

/// Words of the rules that look like metrics of containers or pods and that no recording has.
fn unknown_metrics(text: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let code = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or(""));
    let words = code.flat_map(|line| line.split(|c| !is_word(c)));
    let mut unknown: Vec<String> = words
        .filter(|w| {
            ["container_", "kube_", "machine_", "node_"]
                .iter()
                .any(|p| w.starts_with(p))
        })
        .filter(|w| !cadvisor::knows(w) && !orchestrator::knows(w) && *w != LAST_SEEN)
        .map(str::to_owned)
        .collect();
    unknown.sort();
    unknown.dedup();
    // A recording rule of the same file defines what others read.
    unknown.retain(|name| !text.contains(&format!("record: {name}")));
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_promtool_is_read() {
        let line = r#"        got: {alertname="WS", alertstate="firing", class="leak", pod="app-0"} 1.95E+02"#;
        assert_eq!(firing(line), Some((195.0, Some(Class::Leak))));
        assert_eq!(firing("        exp: nil"), None);
    }

    #[test]
    fn metrics_nobody_has_are_named() {
        let text = "expr: container_memory_rss / node_memory_MemTotal_bytes # container_foo\n";
        assert_eq!(unknown_metrics(text), ["node_memory_MemTotal_bytes"]);
    }

    proptest::proptest! {
        #[test]
        fn any_words_of_promtool_are_read_without_panic(line in ".{0,80}") {
            let _ = firing(&line);
            let _ = unknown_metrics(&line);
        }
    }
}
