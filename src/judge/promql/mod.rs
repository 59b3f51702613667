//! PromQL as far as the judge must understand it: which series an alert reads, what it compares.
//!
//! The engine that evaluates rules is promtool's. What this parser does not know is not an error:
//! then nothing is said about why an alert fired or can't fire, and the rule is judged all the same.

mod lex;
mod parse;
#[cfg(test)]
mod tests;

pub use lex::seconds;
pub use parse::parse;

use std::ops::Range;

/// An expression and its offsets in its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// The kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// Series by name and labels, a range of them where the number of seconds is given.
    Series(Selector, Option<f64>),
    /// An expression over a range.
    Subquery(Box<Expr>),
    /// A function.
    Call(String, Vec<Expr>),
    /// `sum by (pod) (...)`; the last argument is what is aggregated.
    Aggregate(String, Vec<Expr>),
    /// `-x`.
    Minus(Box<Expr>),
    /// Two expressions and what is between them.
    Binary(Operator, Box<Expr>, Box<Expr>),
}

/// The operator between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `or`.
    Or,
    /// `and`.
    And,
    /// `unless`.
    Unless,
    /// A comparison that filters.
    Compare(&'static str),
    /// A comparison with `bool`, which filters nothing.
    CompareBool(&'static str),
    /// An arithmetic operator.
    Calculate(&'static str),
}

/// Series by their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The metric; empty where only labels say which.
    pub name: String,
    /// Conditions on labels.
    pub matchers: Vec<Matcher>,
}

/// One condition on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    /// The label.
    pub label: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub operator: &'static str,
    /// The value or the pattern.
    pub value: String,
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = serde_json::Value::from(self.value.as_str());
        write!(f, "{}{}{value}", self.label, self.operator)
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if self.matchers.is_empty() {
            return Ok(());
        }
        let all: Vec<String> = self.matchers.iter().map(ToString::to_string).collect();
        write!(f, "{{{}}}", all.join(","))
    }
}

impl Expr {
    /// Its own text.
    pub fn text<'a>(&self, whole: &'a str) -> &'a str {
        whole.get(self.span.clone()).unwrap_or("")
    }

    /// The expressions right below it.
    pub fn below(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::Number(_) | Kind::Text(_) | Kind::Series(..) => Vec::new(),
            Kind::Subquery(inner) | Kind::Minus(inner) => vec![inner],
            Kind::Call(_, all) | Kind::Aggregate(_, all) => all.iter().collect(),
            Kind::Binary(_, left, right) => vec![left, right],
        }
    }

    /// Every selector in it, from left to right.
    pub fn selectors(&self) -> Vec<&Selector> {
        let mut all = Vec::new();
        self.gather(&mut all);
        all
    }

    fn gather<'a>(&'a self, all: &mut Vec<&'a Selector>) {
        if let Kind::Series(selector, _) = &self.kind {
            all.push(selector);
        }
        for inner in self.below() {
            inner.gather(all);
        }
    }

    /// The value of an expression that is only numbers.
    pub fn constant(&self) -> Option<f64> {
        match &self.kind {
            Kind::Number(value) => Some(*value),
            Kind::Minus(inner) => Some(-inner.constant()?),
            Kind::Binary(Operator::Calculate(sign), left, right) => {
                let (left, right) = (left.constant()?, right.constant()?);
                Some(match *sign {
                    "+" => left + right,
                    "-" => left - right,
                    "*" => left * right,
                    "/" => left / right,
                    "%" => left % right,
                    "atan2" => left.atan2(right),
                    _ => left.powf(right),
                })
            }
            Kind::Call(name, all) if matches!(name.as_str(), "scalar" | "vector") => {
                all.first()?.constant()
            }
            _ => None,
        }
    }
}
