//! The line of each rule in its file: found by its name, so that it works in every frame.

use super::{RuleFile, RuleFileError};

/// Sets the lines of all rules.
pub fn place(file: &mut RuleFile, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let mut from = 0;
    for rule in file.groups.iter_mut().flat_map(|group| &mut group.rules) {
        let name = rule.name().to_owned();
        let here = |line: &str| is_named(line, &name);
        let Some(at) = (from..lines.len())
            .chain(0..from.min(lines.len()))
            .find(|at| here(lines[*at]))
        else {
            continue;
        };
        rule.line = at + 1;
        rule.expr_line = expr_line(&lines, at) + 1;
        from = at + 1;
    }
}

/// The error of a rule with the line on which the rule is named.
pub fn error(error: RuleFileError, text: &str) -> RuleFileError {
    let RuleFileError::Rule { path, name, what } = error else {
        return error;
    };
    let line = text.lines().position(|line| is_named(line, &name));
    let path = line.map_or(path.clone(), |line| format!("{path}:{}", line + 1));
    RuleFileError::Rule { path, name, what }
}

/// A key of a line of YAML or JSON, and what follows it.
fn key(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start().trim_start_matches(['-', '{', ' ']);
    let (key, rest) = line.split_once(':')?;
    Some((key.trim().trim_matches(['"', '\'']), rest.trim()))
}

fn is_named(line: &str, name: &str) -> bool {
    let value = |rest: &str| {
        let rest = rest.trim_end_matches([',', '}']).trim();
        let bare = rest.split(" #").next().unwrap_or(rest).trim();
        bare.trim_matches(['"', '\'']) == name
    };
    match key(line) {
        Some(("alert" | "record", rest)) if value(rest) => true,
        // All of a rule on one line.
        _ => [
            "alert:",
            "record:",
            "alert\":",
            "record\":",
            // JSON as a string.
            "alert\\\":",
            "record\\\":",
        ]
        .iter()
        .any(|mark| {
            let after = line
                .split_once(mark)
                .map(|(_, after)| after.trim_start_matches([' ', '"', '\'', '\\']));
            let rest = after.and_then(|after| after.strip_prefix(name));
            rest.is_some_and(|rest| {
                !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-'))
            })
        }),
    }
}

/// The line (from 0) on which the expression of the rule named on line `at` begins.
fn expr_line(lines: &[&str], at: usize) -> usize {
    let is_name = |line: &str| matches!(key(line), Some(("alert" | "record", _)));
    let is_expr = |line: &str| matches!(key(line), Some(("expr" | "expression", _)));
    let after = (at..lines.len()).take_while(|n| *n == at || !is_name(lines[*n]));
    let mut before = (0..at).rev().take_while(|n| !is_name(lines[*n]));
    let mut after = after;
    let Some(found) = after
        .find(|n| is_expr(lines[*n]))
        .or_else(|| before.find(|n| is_expr(lines[*n])))
    else {
        return at;
    };
    let rest = key(lines[found]).map_or("", |(_, rest)| rest);
    // A block's text begins on the next line.
    let block = rest.starts_with(['|', '>']) || rest.is_empty();
    found + usize::from(block)
}
