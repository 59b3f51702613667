//! Finds rules in whatever YAML is around them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::promql;
use super::error::{self, RuleFileError};
use super::{Group, Rule};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    pub groups: Vec<Group>,
    pub notes: Vec<String>,
    /// What the text was, where no rules are in it.
    pub frame: Option<String>,
}

/// Values nested deeper than this are not looked into.
const DEPTH_MAX: usize = 24;

/// The alert of a query that has no name.
const QUERY: &str = "Query";

/// All rules in a text.
pub fn rules(text: &str, shown: &str) -> Result<Found, RuleFileError> {
    let mut found = Found::default();
    let problem = match documents(text) {
        Ok(all) => {
            for document in &all {
                look(document, &mut found, 0, shown)?;
            }
            None
        }
        Err(problem) => {
            let blocks = code_blocks(text);
            for block in &blocks {
                for document in documents(block).unwrap_or_default() {
                    look(&document, &mut found, 0, shown)?;
                }
            }
            Some(problem)
        }
    };
    if found.groups.is_empty() {
        found.groups.extend(query(text));
    }
    match problem.filter(|_| found.groups.is_empty()) {
        Some(problem) => Err(error::not_yaml(text, shown, &problem)),
        None => Ok(found),
    }
}

fn documents(text: &str) -> Result<Vec<Value>, String> {
    serde_saphyr::from_multiple::<Value>(text).map_err(|error| error.to_string())
}

/// The YAML in the fenced blocks of a page.
fn code_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match (&mut open, line.trim_start().starts_with("```")) {
            (None, true) => open = Some((indent, String::new())),
            (Some(_), true) => blocks.extend(open.take().map(|(_, block)| block)),
            (Some((cut, block)), false) => {
                block.push_str(line.get((*cut).min(indent)..).unwrap_or(""));
                block.push('\n');
            }
            (None, false) => {}
        }
    }
    blocks.retain(|block| block.contains("expr:"));
    blocks
}

fn look(value: &Value, found: &mut Found, depth: usize, shown: &str) -> Result<(), RuleFileError> {
    if depth > DEPTH_MAX {
        return Ok(());
    }
    match value {
        Value::Object(map) => {
            if is_rule(value) {
                let rules = vec![rule(value, shown, "", 0)?];
                found.groups.push(Group {
                    name: String::new(),
                    rules,
                });
                return Ok(());
            }
            if let Some(kind) = map.get("kind").and_then(Value::as_str) {
                found
                    .frame
                    .get_or_insert(format!("a manifest of kind {kind}"));
            }
            let name = map.get("name").and_then(Value::as_str).unwrap_or("");
            if let Some(Value::Array(all)) = map.get("rules").filter(|rules| of_rules(rules)) {
                return group(name, all, found, shown);
            }
            for inner in map.values() {
                look(inner, found, depth + 1, shown)?;
            }
        }
        Value::Array(all) if of_rules(value) => group("", all, found, shown)?,
        Value::Array(all) => {
            for inner in all {
                look(inner, found, depth + 1, shown)?;
            }
        }
        // A file within a file: a ConfigMap's, a chart's.
        Value::String(text)
            if text.contains("expr") && (text.contains('\n') || text.starts_with(['{', '['])) =>
        {
            for document in documents(text).unwrap_or_default() {
                look(&document, found, depth + 1, shown)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A query as it is copied out of a dashboard or a page, with nothing around it. What compares nothing
/// would fire always, and a word alone is a metric's name, too.
fn query(text: &str) -> Option<Group> {
    let compares = text.contains(['<', '>']) || text.contains("==") || text.contains("!=");
    promql::parse(text).filter(|_| compares)?;
    let rule = Rule {
        alert: Some(QUERY.to_owned()),
        expr: text.trim().to_owned(),
        line: 1,
        expr_line: 1,
        ..Rule::default()
    };
    Some(Group {
        name: String::new(),
        rules: vec![rule],
    })
}

/// Has it what makes a rule?
fn is_rule(value: &Value) -> bool {
    let named = ["alert", "record"]
        .iter()
        .any(|key| value.get(key).is_some_and(Value::is_string));
    named
        && ["expr", "expression"]
            .iter()
            .any(|key| value.get(key).is_some())
}

/// A list that is meant as rules, however wrong.
fn of_rules(value: &Value) -> bool {
    let rule = |one: &Value| {
        let named = ["alert", "record"]
            .iter()
            .any(|key| one.get(key).is_some_and(|v| !v.is_object()));
        named || one.get("expr").is_some()
    };
    let grafanas = |one: &Value| one.get("condition").is_some() && one.get("data").is_some();
    value
        .as_array()
        .is_some_and(|all| all.iter().any(|one| rule(one) || grafanas(one)))
}

fn group(name: &str, all: &[Value], found: &mut Found, shown: &str) -> Result<(), RuleFileError> {
    let mut rules = Vec::new();
    for (nth, one) in all.iter().enumerate() {
        if one.get("condition").is_some() && one.get("data").is_some() {
            return Err(RuleFileError::Grafana {
                path: shown.to_owned(),
            });
        }
        for key in ["keep_firing_for", "query_offset"] {
            if one.get(key).is_some() && !found.notes.iter().any(|n| n.contains(key)) {
                found.notes.push(format!(
                    "`{key}` is left out: it does not change when an alert first fires"
                ));
            }
        }
        rules.push(rule(one, shown, name, nth + 1)?);
    }
    found.groups.push(Group {
        name: name.to_owned(),
        rules,
    });
    Ok(())
}

/// One rule; whatever else it has (annotations, a runbook) doesn't matter here.
fn rule(value: &Value, shown: &str, group: &str, nth: usize) -> Result<Rule, RuleFileError> {
    let word = |key: &str| value.get(key).and_then(scalar);
    let (alert, record) = (word("alert"), word("record"));
    let name = alert.clone().or_else(|| record.clone());
    let wrong = |what: String| RuleFileError::Rule {
        path: shown.to_owned(),
        name: name
            .clone()
            .unwrap_or_else(|| format!("rule {nth} of group {group:?}")),
        what,
    };
    if alert.is_some() == record.is_some() {
        return Err(wrong(
            "a rule has either `alert` or `record`, and a name there".to_owned(),
        ));
    }
    let expr = word("expr").or_else(|| word("expression"));
    let Some(expr) = expr.filter(|expr| !expr.trim().is_empty()) else {
        let keys: Vec<&str> = value
            .as_object()
            .map_or_else(Vec::new, |map| map.keys().map(String::as_str).collect());
        return Err(wrong(format!(
            "it has no `expr`, only {}: write its PromQL there",
            keys.join(", ")
        )));
    };
    let hold = word("for").filter(|hold| !hold.trim().is_empty());
    if let Some(hold) = hold
        .as_deref()
        .filter(|hold| promql::seconds(hold).is_none())
    {
        return Err(wrong(format!(
            "`for: {hold}` is no duration: write, for example, `5m` or `1h30m`"
        )));
    }
    let labels: BTreeMap<String, String> = value
        .get("labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(label, value)| Some((label.clone(), scalar(value)?)))
        .collect();
    Ok(Rule {
        alert,
        record,
        expr,
        hold,
        labels,
        line: 0,
        expr_line: 0,
    })
}

/// A scalar as its text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}
