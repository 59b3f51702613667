//! What is wrong with a rule file, where, and what to do.

use std::io;

use super::{RuleFile, SIZE_MAX};
use crate::units;

/// Why a file's rules can't be judged.
#[derive(Debug, thiserror::Error)]
pub enum RuleFileError {
    /// It could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What caused it.
        source: io::Error,
    },
    /// It is too large.
    #[error(
        "{path}: larger than {}, the most that is read of one rule file: split it, or take out the \
         alerts to judge",
        units::bytes(SIZE_MAX)
    )]
    TooLarge {
        /// The file.
        path: String,
    },
    /// It is not text.
    #[error("{path}: byte {at} is not UTF-8: is it a rule file?")]
    NoText {
        /// The file.
        path: String,
        /// The first byte that is wrong.
        at: usize,
    },
    /// No YAML.
    #[error("{path}:{line}: {problem}; {remedy}")]
    NotYaml {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What the reader of YAML said.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A template that nobody has filled in yet.
    #[error("{path}:{line}: {what}: {remedy}")]
    Template {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// Whose template.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Grafana's own form.
    #[error(
        "{path}: these are Grafana-managed alerts, with queries in `data`: Prometheus rules have \
         `alert` and `expr`; copy the PromQL of each into that form"
    )]
    Grafana {
        /// The file.
        path: String,
    },
    /// A rule that is none.
    #[error("{path}: {name}: {what}")]
    Rule {
        /// The file, with the line where it was found.
        path: String,
        /// The rule.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// Nothing that looks like a rule.
    #[error(
        "{path}: no rule in it{}: a rule has `alert` (or `record`) and `expr`, in `groups:`, in a \
         PrometheusRule, in a ConfigMap, or as a bare list",
        found.as_ref().map_or(String::new(), |what| format!(", it is {what}"))
    )]
    NoRules {
        /// The file.
        path: String,
        /// What it is instead.
        found: Option<String>,
    },
    /// No rules below a folder.
    #[error(
        "{path}: no rule file in this folder (.yaml, .yml, .json or .rules with `alert` and `expr`)"
    )]
    EmptyFolder {
        /// The folder.
        path: String,
    },
}

/// Marks of templates: what is in the text, whose it is, and what to do.
const TEMPLATES: [(&str, &str, &str); 14] = [
    ("{{ .Values", HELM, RENDER_HELM),
    ("{{ .Release", HELM, RENDER_HELM),
    ("{{ .Chart", HELM, RENDER_HELM),
    ("{{ $.Values", HELM, RENDER_HELM),
    ("{{.Values", HELM, RENDER_HELM),
    ("{{ required ", HELM, RENDER_HELM),
    ("{{ template ", HELM, RENDER_HELM),
    ("{{- if .", HELM, RENDER_HELM),
    ("{{- include", HELM, RENDER_HELM),
    ("{{ include", HELM, RENDER_HELM),
    ("{{- with .", HELM, RENDER_HELM),
    ("{{- range .", HELM, RENDER_HELM),
    (
        "{%",
        "a template of Jinja (Ansible, Salt)",
        "fill it in first and judge what comes out",
    ),
    (
        "|||",
        "Jsonnet, as mixins are written in",
        "make YAML of it first (`jsonnet -S`, `mixtool generate alerts`) and judge that",
    ),
];
const HELM: &str = "a template of Helm that is not rendered";
const RENDER_HELM: &str = "render it first (`helm template`) and judge what comes out";

/// The first mark of a template in a text, with its line.
pub fn templates(text: &str, shown: &str) -> Option<RuleFileError> {
    // A left trim makes no other template of it.
    let plain = |line: &str| line.replace("{{-", "{{ ").replace("{{  ", "{{ ");
    text.lines().enumerate().find_map(|(nth, line)| {
        let mark = TEMPLATES
            .iter()
            .find(|(mark, ..)| line.contains(mark) || plain(line).contains(mark))?;
        Some(RuleFileError::Template {
            path: shown.to_owned(),
            line: nth + 1,
            what: mark.1,
            remedy: mark.2,
        })
    })
}

/// Placeholders in an expression: they select nothing, and nobody would know why.
pub fn templates_in(file: &RuleFile, text: &str) -> Result<(), RuleFileError> {
    for rule in file.rules() {
        let of = |what, remedy| RuleFileError::Template {
            path: file.shown.clone(),
            line: rule.expr_line.max(1),
            what,
            remedy,
        };
        if rule.expr.contains("{{") || rule.expr.contains("{%") || rule.name().contains("{{") {
            return Err(templates(text, &file.shown).unwrap_or_else(|| {
                of(
                    "a template that is not filled in (`{{ ... }}` in an expression)",
                    "fill it in first (Helm: `helm template`) and judge what comes out",
                )
            }));
        }
        if rule.expr.contains("%(") {
            return Err(of(
                "Jsonnet's `%(...)s` in an expression",
                "make YAML of the mixin first (`mixtool generate alerts`)",
            ));
        }
        let variable = rule.expr.split('$').skip(1).any(|rest| {
            rest.starts_with('{')
                || rest.starts_with("__")
                || rest.starts_with(|c: char| c.is_ascii_alphabetic())
        });
        if variable {
            return Err(of(
                "a variable (`$...`) in an expression, as dashboards and envsubst have them",
                "put its value there",
            ));
        }
    }
    Ok(())
}

/// The form of a text that is no YAML with rules, where it is known: its line, and what to do.
fn other_form(text: &str) -> Option<(usize, &'static str)> {
    let mut lines = text.lines().map(str::trim).enumerate();
    let (first, start) = lines.find(|(_, line)| !line.is_empty())?;
    if let Some(at) = text.lines().position(|line| line.starts_with("ALERT ")) {
        return Some((
            at + 1,
            "rules of Prometheus 1 (`ALERT ... IF ...`): make YAML of them (`promtool update rules` of \
             Prometheus 2.0)",
        ));
    }
    if start.starts_with("local ") || text.contains("+::") {
        return Some((
            first + 1,
            "Jsonnet: make YAML of it first (`jsonnet -S`, `mixtool generate alerts`)",
        ));
    }
    if text.contains("\"query alert\"") || text.contains("\"metric alert\"") {
        return Some((
            first + 1,
            "a Datadog monitor, whose queries are not PromQL: write what it compares as a rule \
             (`alert` and `expr`)",
        ));
    }
    let terraform = ["resource \"", "module \"", "locals {", "variable \""];
    terraform
        .iter()
        .any(|word| start.starts_with(word))
        .then_some((first + 1, "Terraform: give the rules' own YAML"))
}

/// What to say of a text in which no rule was found.
pub fn no_rules(text: &str, shown: &str, found: Option<String>) -> RuleFileError {
    let path = shown.to_owned();
    match other_form(text) {
        Some((line, remedy)) => RuleFileError::NotYaml {
            path,
            line,
            problem: "no rule in it".to_owned(),
            remedy: remedy.to_owned(),
        },
        None => RuleFileError::NoRules { path, found },
    }
}

/// Names what a text is that is no YAML.
pub fn not_yaml(text: &str, shown: &str, problem: &str) -> RuleFileError {
    if let Some(template) = templates(text, shown) {
        return template;
    }
    let line = line_of(problem).unwrap_or(1);
    let plain = "rules are YAML: check the indentation and the quotes there";
    let (line, remedy) = other_form(text).unwrap_or((line, plain));
    // Its first line says it; the rest shows the text.
    let short = problem.lines().next().unwrap_or("");
    RuleFileError::NotYaml {
        path: shown.to_owned(),
        line,
        problem: short.trim_start_matches("error: ").to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// The number after `line ` in a message.
fn line_of(problem: &str) -> Option<usize> {
    let rest = problem.split("line ").nth(1)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
