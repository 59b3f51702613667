//! From PromQL's words to an expression.

use super::lex::{self, Token, tokens};
use super::{Expr, Kind, Matcher, Operator, Selector};

/// How deep expressions may be nested: more is nobody's rule, and a stack has an end.
const DEPTH_MAX: usize = 64;

const AGGREGATES: [&str; 15] = [
    "avg",
    "bottomk",
    "count",
    "count_values",
    "group",
    "limitk",
    "limit_ratio",
    "max",
    "min",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
    "mad",
];

/// Parses an expression; none where it is not understood.
pub fn parse(text: &str) -> Option<Expr> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let expr = parser.binary(0)?;
    (parser.at == parser.tokens.len()).then_some(expr)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn kind(&self) -> Option<&lex::Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.kind(), Some(lex::Kind::Sign(own)) if *own == sign)
    }

    fn take(&mut self, sign: &str) -> Option<()> {
        self.is(sign).then(|| self.at += 1)
    }

    fn word(&self) -> Option<&str> {
        match self.kind() {
            Some(lex::Kind::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let is = self.word().is_some_and(|w| w.eq_ignore_ascii_case(wanted));
        self.at += usize::from(is);
        is
    }

    fn start(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |token| token.start)
    }

    fn done(&self, start: usize, kind: Kind) -> Expr {
        let end = self
            .at
            .checked_sub(1)
            .map_or(start, |last| self.tokens[last].end);
        Expr {
            kind,
            span: start..end,
        }
    }

    /// The operator here and how tightly it binds.
    fn operator(&self) -> Option<(Operator, u8)> {
        Some(match self.kind()? {
            lex::Kind::Word(word) => match word.to_ascii_lowercase().as_str() {
                "or" => (Operator::Or, 1),
                "and" => (Operator::And, 2),
                "unless" => (Operator::Unless, 2),
                "atan2" => (Operator::Calculate("atan2"), 5),
                _ => return None,
            },
            lex::Kind::Sign(sign @ ("==" | "!=" | ">" | "<" | ">=" | "<=")) => {
                (Operator::Compare(sign), 3)
            }
            lex::Kind::Sign(sign @ ("+" | "-")) => (Operator::Calculate(sign), 4),
            lex::Kind::Sign(sign @ ("*" | "/" | "%")) => (Operator::Calculate(sign), 5),
            lex::Kind::Sign("^") => (Operator::Calculate("^"), 6),
            _ => return None,
        })
    }

    fn binary(&mut self, least: u8) -> Option<Expr> {
        let start = self.start();
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut left = self.unary()?;
        while let Some((mut operator, binds)) = self.operator() {
            if binds < least {
                break;
            }
            self.at += 1;
            if self.take_word("bool")
                && let Operator::Compare(sign) = operator
            {
                operator = Operator::CompareBool(sign);
            }
            self.matching()?;
            // `^` binds from the right.
            let next = if binds == 6 { binds } else { binds + 1 };
            let right = self.binary(next)?;
            let kind = Kind::Binary(operator, Box::new(left), Box::new(right));
            left = self.done(start, kind);
        }
        self.depth -= 1;
        Some(left)
    }

    /// `on (pod) group_left (node)`.
    fn matching(&mut self) -> Option<()> {
        if self.take_word("on") || self.take_word("ignoring") {
            self.labels()?;
        }
        if (self.take_word("group_left") || self.take_word("group_right")) && self.is("(") {
            // Without labels of its own, what follows in brackets is the other side.
            let before = self.at;
            if self.labels().is_none() || self.ends_here() {
                self.at = before;
            }
        }
        Some(())
    }

    /// Whether no expression can follow here.
    fn ends_here(&self) -> bool {
        self.kind().is_none() || self.is(")") || self.is(",") || self.operator().is_some()
    }

    /// `(pod, namespace)`.
    fn labels(&mut self) -> Option<()> {
        self.take("(")?;
        while !self.is(")") {
            match self.kind()? {
                lex::Kind::Word(_) | lex::Kind::Text(_) => self.at += 1,
                _ => return None,
            }
            if !self.is(")") {
                self.take(",")?;
            }
        }
        self.take(")")
    }

    fn unary(&mut self) -> Option<Expr> {
        let start = self.start();
        if self.take("+").is_some() {
            return self.binary(6);
        }
        if self.take("-").is_some() {
            let inner = self.binary(6)?;
            return Some(self.done(start, Kind::Minus(Box::new(inner))));
        }
        let mut expr = self.primary()?;
        loop {
            if self.is("[") {
                expr = self.range(start, expr)?;
            } else if self.take_word("offset") {
                let _ = self.take("-");
                self.duration()?;
                expr.span.end = self.tokens[self.at - 1].end;
            } else if self.take("@").is_some() {
                self.at += 1;
                if self.take("(").is_some() {
                    self.take(")")?;
                }
                expr.span.end = self.tokens.get(self.at - 1)?.end;
            } else {
                return Some(expr);
            }
        }
    }

    fn duration(&mut self) -> Option<f64> {
        let seconds = match self.kind()? {
            lex::Kind::Duration(seconds) | lex::Kind::Number(seconds) => *seconds,
            _ => return None,
        };
        self.at += 1;
        Some(seconds)
    }

    /// `[5m]`, or a subquery's `[1h:1m]`.
    fn range(&mut self, start: usize, inner: Expr) -> Option<Expr> {
        self.take("[")?;
        let seconds = self.duration()?;
        let subquery = self.take(":").is_some();
        if subquery && !self.is("]") {
            self.duration()?;
        }
        self.take("]")?;
        let kind = match inner.kind {
            Kind::Series(selector, None) if !subquery => Kind::Series(selector, Some(seconds)),
            _ if subquery => Kind::Subquery(Box::new(inner)),
            _ => return None,
        };
        Some(self.done(start, kind))
    }

    fn primary(&mut self) -> Option<Expr> {
        let start = self.start();
        let token = self.tokens.get(self.at)?.clone();
        match token.kind {
            lex::Kind::Number(value) | lex::Kind::Duration(value) => {
                self.at += 1;
                Some(self.done(start, Kind::Number(value)))
            }
            lex::Kind::Text(text) => {
                self.at += 1;
                Some(self.done(start, Kind::Text(text)))
            }
            lex::Kind::Sign("(") => {
                self.at += 1;
                let inner = self.binary(0)?;
                self.take(")")?;
                // With its brackets, so that its text alone means the same.
                Some(self.done(start, inner.kind))
            }
            lex::Kind::Sign("{") => self.selector(start, String::new()),
            lex::Kind::Sign(_) => None,
            lex::Kind::Word(word) => {
                self.at += 1;
                let lower = word.to_ascii_lowercase();
                let clause = self.word().is_some_and(|w| ["by", "without"].contains(&w));
                if AGGREGATES.contains(&lower.as_str()) && (clause || self.is("(")) {
                    return self.aggregate(start, lower);
                }
                match lower.as_str() {
                    "inf" => return Some(self.done(start, Kind::Number(f64::INFINITY))),
                    "nan" => return Some(self.done(start, Kind::Number(f64::NAN))),
                    _ => {}
                }
                if self.is("(") {
                    let all = self.arguments()?;
                    return Some(self.done(start, Kind::Call(lower, all)));
                }
                self.selector(start, word)
            }
        }
    }

    fn arguments(&mut self) -> Option<Vec<Expr>> {
        self.take("(")?;
        let mut all = Vec::new();
        while !self.is(")") {
            all.push(self.binary(0)?);
            if !self.is(")") {
                self.take(",")?;
            }
        }
        self.take(")")?;
        Some(all)
    }

    fn aggregate(&mut self, start: usize, name: String) -> Option<Expr> {
        let clause = |parser: &mut Self| {
            if parser.take_word("by") || parser.take_word("without") {
                parser.labels()
            } else {
                Some(())
            }
        };
        clause(self)?;
        let all = self.arguments()?;
        clause(self)?;
        Some(self.done(start, Kind::Aggregate(name, all)))
    }

    fn selector(&mut self, start: usize, mut name: String) -> Option<Expr> {
        let mut matchers = Vec::new();
        if self.take("{").is_some() {
            while !self.is("}") {
                let label = match self.kind()? {
                    lex::Kind::Word(word) | lex::Kind::Text(word) => word.clone(),
                    _ => return None,
                };
                self.at += 1;
                let Some(lex::Kind::Sign(operator @ ("=" | "!=" | "=~" | "!~"))) = self.kind()
                else {
                    return None;
                };
                let operator = *operator;
                self.at += 1;
                let Some(lex::Kind::Text(value)) = self.kind().cloned() else {
                    return None;
                };
                self.at += 1;
                if label == "__name__" && operator == "=" && name.is_empty() {
                    name = value;
                } else {
                    matchers.push(Matcher {
                        label,
                        operator,
                        value,
                    });
                }
                if !self.is("}") {
                    self.take(",")?;
                }
            }
            self.take("}")?;
        }
        Some(self.done(start, Kind::Series(Selector { name, matchers }, None)))
    }
}
