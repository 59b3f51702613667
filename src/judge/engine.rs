//! promtool: started, awaited, and its words read.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::rules_error::RulesError;
use super::scratch;
use crate::export::labels;
use crate::sys::process;

/// One sample that promtool says it got.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels, without the metric's name.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
}

impl Sample {
    /// The value of one label; empty where it has none.
    pub fn label(&self, name: &str) -> &str {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map_or("", |(_, value)| value)
    }
}

/// What promtool says of one expression that gave something.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The expression as promtool quotes it.
    pub quoted: String,
    /// What it gave.
    pub samples: Vec<Sample>,
}

/// The expressions in promtool's words that gave samples although none were expected.
pub fn said(text: &str) -> Vec<Said> {
    let mut all = Vec::new();
    let mut quoted = None;
    for line in text.lines() {
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix("expr: ") {
            quoted = Some(rest.split(", time: ").next().unwrap_or(rest).to_owned());
            // The expression itself may have such words: the last ones are promtool's.
            if let Some((own, _)) = rest.rsplit_once(", time: ") {
                quoted = Some(own.to_owned());
            }
        } else if let (Some(rest), Some(own)) = (line.strip_prefix("got:"), &quoted) {
            all.push(Said {
                quoted: own.clone(),
                samples: samples(rest),
            });
            quoted = None;
        }
    }
    all
}

/// An expression as promtool (Go's `%q`) shows it.
pub fn quoted(expr: &str) -> String {
    let mut text = String::from("\"");
    for c in expr.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c => text.push(c),
        }
    }
    text + "\""
}

/// `{a="b", c="d"} 1E+00, {...} +Inf`.
fn samples(text: &str) -> Vec<Sample> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let Some((labels, after)) = labels::read(&rest[open + 1..]) else {
            break;
        };
        let end = after.find(", ").unwrap_or(after.len());
        if let Ok(value) = after[..end].trim().parse() {
            all.push(Sample { labels, value });
        }
        rest = &after[end..];
    }
    all
}

/// Runs promtool; gives whether it was content and all it said.
pub fn promtool(args: &[&OsStr], time: Duration) -> Result<(bool, String), RulesError> {
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
    let ended = process::end_within(&mut child, time).map_err(io("cannot wait for promtool"))?;
    let status = ended.ok_or(RulesError::TimedOut(time))?;
    let text = scratch::read(&said).map_err(io("cannot read what promtool said"))?;
    Ok((status.success(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_promtool_got_is_read_with_its_labels() {
        let text = "  FAILED:\n    expr: \"sum(a{b=\\\"c, time: d\\\"})\", time: 5m,\n        exp: nil\n        got: {a=\"x, y} 1\", b=\"q\\\"\"} 2.5E-01, m{} +Inf, {} NaN\n";
        let all = said(text);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].quoted, quoted("sum(a{b=\"c, time: d\"})"));
        let [first, second, third] = &all[0].samples[..] else {
            panic!("{all:?}");
        };
        assert_eq!(
            (first.label("a"), first.label("b"), first.value),
            ("x, y} 1", "q\"", 0.25)
        );
        assert!(second.value.is_infinite() && second.labels.is_empty());
        assert!(third.value.is_nan());
    }

    proptest::proptest! {
        #[test]
        fn any_words_are_read_without_panic(line in "(got: |expr: |[{}a=\",\\\\ é1]){0,30}") {
            let _ = said(&format!("expr: \"a\", time: 1s,\n{line}"));
        }
    }
}
