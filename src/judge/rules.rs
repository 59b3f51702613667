//! Prometheus alert rules, judged by the real engine: promtool's unit tests are asked when each
//! alert was firing.
//!
//! Every recording becomes one test file whose checks expect *no* firing alert; what promtool then
//! says it got instead is when alerts first fired. A check that passes means quiet. A second file
//! for each recording that fired asks on what.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use super::engine::{self, promtool};
use super::promql::{Expr, parse};
use super::rulefile::{self, Group, Rule, RuleFile};
use super::rules_error::RulesError;
use super::scratch;

/// Rules that promtool accepts.
#[derive(Debug)]
pub struct Rules {
    /// The file that was given, for messages.
    pub shown: String,
    /// Its groups, and the recording rules of other files that they read.
    pub(super) groups: Vec<Group>,
    /// Which alerts count, a regular expression.
    pub(super) alert: String,
    /// How long promtool may take for one recording.
    pub(super) time: Duration,
    /// What is to know before the card is read.
    pub(super) notes: Vec<String>,
}

/// promtool's check of a file may take this long.
const CHECK_TIME: Duration = Duration::from_secs(60);

/// So many errors of a file are printed.
const ERRORS_SHOWN: usize = 5;

impl Rules {
    /// Reads and checks all that `paths` name: files, folders, `-` for standard input. Every file
    /// with alerts is judged by itself; recording rules of the others are there for it to read. Of
    /// the alerts those count whose name `alert` matches, a regular expression; none for all.
    pub fn open(
        paths: &[impl AsRef<Path>],
        alert: Option<&str>,
        time: Duration,
    ) -> Result<Vec<Rules>, RulesError> {
        let mut files = Vec::new();
        for path in paths {
            files.extend(RuleFile::open(path.as_ref())?);
        }
        let judged: Vec<usize> = (0..files.len())
            .filter(|n| files[*n].has_alerts())
            .collect();
        if let (Some(only), true) = (files.first(), judged.is_empty()) {
            return Err(RulesError::NoAlert(only.shown.clone()));
        }
        let mut all = Vec::new();
        for nth in judged {
            let mut groups = library(&files, nth);
            groups.extend(files[nth].groups.iter().cloned());
            check(&files[nth], &groups)?;
            all.push(Rules {
                shown: files[nth].shown.clone(),
                groups,
                alert: alert.unwrap_or(".+").to_owned(),
                time,
                notes: files[nth].notes.clone(),
            });
        }
        Ok(all)
    }

    /// All rules.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }

    /// The expressions behind each recorded name.
    pub(super) fn recorded(&self) -> BTreeMap<String, Vec<Expr>> {
        let mut all: BTreeMap<String, Vec<Expr>> = BTreeMap::new();
        for rule in self.rules() {
            if let (Some(name), Some(expr)) = (&rule.record, parse(&rule.expr)) {
                all.entry(name.clone()).or_default().push(expr);
            }
        }
        all
    }

    pub(super) fn unexpected(&self, said: &str) -> RulesError {
        RulesError::Unexpected {
            path: self.shown.clone(),
            message: said.trim().chars().take(2000).collect(),
        }
    }
}

/// Recording rules of the other files that this one's rules read, and those that these read.
fn library(files: &[RuleFile], nth: usize) -> Vec<Group> {
    let own: Vec<&str> = files[nth]
        .rules()
        .filter_map(|r| r.record.as_deref())
        .collect();
    let others = files.iter().enumerate().filter(|(other, _)| *other != nth);
    let mut there: Vec<&Rule> = others
        .flat_map(|(_, file)| file.rules())
        .filter(|rule| {
            rule.record
                .as_deref()
                .is_some_and(|name| !own.contains(&name))
        })
        .collect();
    let mut texts: Vec<&str> = files[nth].rules().map(|rule| rule.expr.as_str()).collect();
    let mut taken: Vec<&Rule> = Vec::new();
    loop {
        let read = |rule: &&Rule| texts.iter().any(|text| names(text, rule.name()));
        let (new, rest): (Vec<&Rule>, Vec<&Rule>) = there.into_iter().partition(read);
        if new.is_empty() {
            break;
        }
        texts = new.iter().map(|rule| rule.expr.as_str()).collect();
        taken.extend(new);
        there = rest;
    }
    // What is read last was found last: it must be evaluated first.
    let rules: Vec<Rule> = taken.into_iter().rev().cloned().collect();
    let name = "library".to_owned();
    if rules.is_empty() {
        Vec::new()
    } else {
        vec![Group { name, rules }]
    }
}

/// Whether a text has a word.
fn names(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.split(|c| !is_word(c)).any(|own| own == word)
}

/// Groups in a file that promtool can open while it is held.
pub(super) fn written(text: &str) -> Result<File, RulesError> {
    scratch::file_with(text.as_bytes()).map_err(|source| RulesError::Io {
        context: "cannot write a temporary file".to_owned(),
        source,
    })
}

/// Lets promtool check groups; what it refuses is reported with file and line.
fn check(file: &RuleFile, groups: &[Group]) -> Result<(), RulesError> {
    let scratch = written(&rulefile::promtool_text(groups))?;
    let path = scratch::path(&scratch);
    let (ok, said) = promtool(
        &["check".as_ref(), "rules".as_ref(), path.as_os_str()],
        CHECK_TIME,
    )?;
    if ok {
        return Ok(());
    }
    let own = path.to_string_lossy().into_owned();
    let errors = said
        .lines()
        .filter_map(|line| refused(file, groups, line.strip_prefix(&own)?));
    let mut errors: Vec<String> = errors.collect();
    if errors.is_empty() {
        errors.push(format!(
            "{}: promtool refuses these rules:\n{}",
            file.shown,
            said.trim()
        ));
    }
    let more = errors.len().saturating_sub(ERRORS_SHOWN);
    errors.truncate(ERRORS_SHOWN);
    if more > 0 {
        errors.push(format!("and {more} more"));
    }
    Err(RulesError::Invalid(errors.join("\n")))
}

/// One of promtool's errors, `: 1:2: group "g0", rule 1, "X": could not parse ...: 1:6: parse error: ...`,
/// with the line in the file that was given.
fn refused(file: &RuleFile, groups: &[Group], said: &str) -> Option<String> {
    let (_, after) = said.split_once("group \"g")?;
    let (group, after) = after.split_once("\", rule ")?;
    let (nth, after) = after.split_once(',')?;
    let rule = groups
        .get(group.parse::<usize>().ok()?)?
        .rules
        .get(nth.parse::<usize>().ok()?.checked_sub(1)?)?;
    let (_, message) = after.split_once("\": ")?;
    let message = message.trim();
    let place = message
        .split_once("could not parse expression: ")
        .and_then(|(_, rest)| {
            let mut parts = rest.splitn(3, ':');
            let (line, column) = (
                parts.next()?.trim().parse::<usize>().ok()?,
                parts.next()?.trim().parse::<usize>().ok()?,
            );
            Some((
                line,
                column,
                parts
                    .next()?
                    .trim()
                    .trim_start_matches("parse error: ")
                    .to_owned(),
            ))
        });
    let (shown, name) = (&file.shown, rule.name());
    Some(match place {
        Some((line, column, problem)) => {
            let at = rule.expr_line + line - 1;
            let remedy = engine_remedy(&problem);
            format!(
                "{shown}:{at}: {name}: at column {column} of line {line} of its expression: {problem}; {remedy}"
            )
        }
        None => format!("{shown}:{}: {name}: {message}", rule.line),
    })
}

/// What to do about what the engine does not take.
fn engine_remedy(problem: &str) -> &'static str {
    if problem.contains("unknown function") {
        "a misspelling, or a function newer than this promtool (`promtool --version`): install a newer Prometheus"
    } else if problem.contains("expected type range vector") {
        "give it a range, for example [5m]"
    } else if problem.contains("end of input") {
        "something is missing at its end"
    } else {
        "mend the expression there; `promtool check rules` shows the same"
    }
}

/// `rule: X, time: 45s, ` and what the engine says, without the series it lists.
pub(super) fn evaluation_error(line: &str) -> Option<String> {
    let (rule, error) = line.split_once("err: ")?;
    let rule = rule.trim().split(", time:").next().unwrap_or("");
    let error = error.split(": [{").next().unwrap_or(error);
    Some(format!("{rule}: {}", error.trim()))
}

/// The class in an alert's labels.
pub(super) fn class_of(alert: &engine::Sample) -> Option<crate::scenario::Class> {
    serde_json::from_value(alert.label("class").into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_promtool_can_not_evaluate_is_told_without_the_series() {
        // promtool 2.42, of `a * on (pod) b` with two series of b.
        let line = r#"    rule: X, time: 0s, err: found duplicate series for the match group {pod="p"} on the right hand-side of the operation: [{__name__="b", pod="p", x="2"}, {__name__="b", pod="p", x="1"}];many-to-many matching not allowed: matching labels must be unique on one side"#;
        assert_eq!(
            evaluation_error(line).unwrap(),
            r#"rule: X: found duplicate series for the match group {pod="p"} on the right hand-side of the operation"#
        );
        assert_eq!(evaluation_error("  FAILED:"), None);
    }

    #[test]
    fn what_promtool_refuses_is_told_with_its_line() {
        let text = "# a comment\n- alert: X\n  expr: |\n    up and\n    rate(up)\n";
        let file = RuleFile::parse(text, "a/b.yaml").unwrap();
        let said = ": 1:60: group \"g0\", rule 1, \"X\": could not parse expression: 2:6: parse error: expected type range vector in call to function \"rate\", got instant vector";
        let told = refused(&file, &file.groups, said).unwrap();
        assert!(
            told.starts_with("a/b.yaml:5: X: at column 6 of line 2"),
            "{told}"
        );
        assert!(told.contains("[5m]"), "{told}");
        assert_eq!(
            refused(&file, &file.groups, ": group \"g9\", rule 7, \"X\": no"),
            None
        );
    }

    #[test]
    fn recording_rules_of_other_files_are_there_to_be_read() {
        let file = |text: &str, name: &str| RuleFile::parse(text, name).unwrap();
        let files = [
            file("- alert: A\n  expr: b:c > 1\n", "alerts"),
            file(
                "- record: d:e\n  expr: up\n- record: b:c\n  expr: sum(d:e)\n- record: f\n  expr: up\n",
                "records",
            ),
        ];
        let groups = library(&files, 0);
        let names: Vec<&str> = groups[0].rules.iter().map(Rule::name).collect();
        assert_eq!(names, ["d:e", "b:c"]);
    }

    proptest::proptest! {
        #[test]
        fn any_words_of_promtool_are_read_without_panic(line in "(group \"g|0|\", rule |1|,| \"X\": |could not parse expression: |:|err: |é){0,12}") {
            let file = RuleFile::parse("- alert: X\n  expr: up\n", "a").unwrap();
            let _ = (refused(&file, &file.groups, &line), evaluation_error(&line));
        }
    }
}
