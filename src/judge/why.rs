//! Why an alert fired: the series, its value, and what was compared.

use serde::{Deserialize, Serialize};

use super::engine::{Said, Sample, quoted};
use super::promql::{Expr, Kind, Operator, parse};

/// The first firing of an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The alert.
    pub alert: String,
    /// The labels of the series on which it fired, without those that the rule itself adds.
    pub labels: Vec<(String, String)>,
    /// The expression's value there, as Prometheus writes numbers (`+Inf`, `NaN`).
    pub value: String,
    /// What was compared, where the expression is a comparison: `81.3 > 80`.
    pub comparison: Option<String>,
    /// A sentence where the value is no number.
    pub hint: Option<String>,
}

/// What is asked about one firing, each an expression of its own.
#[derive(Debug, Default)]
pub struct Inquiry {
    whole: String,
    operands: Option<(String, &'static str, String)>,
    divisor: Option<String>,
}

impl Inquiry {
    /// What to ask of an alert's expression.
    pub fn new(expr: &str) -> Self {
        let mut inquiry = Inquiry {
            whole: expr.trim().to_owned(),
            ..Inquiry::default()
        };
        let Some(parsed) = parse(expr) else {
            return inquiry;
        };
        if let Some((left, sign, right)) = comparison(&parsed) {
            let text = |one: &Expr| one.text(expr).trim().to_owned();
            inquiry.operands = Some((text(left), sign, text(right)));
        }
        inquiry.divisor = divisor(&parsed).map(|one| one.text(expr).trim().to_owned());
        inquiry
    }

    /// The expressions to evaluate.
    pub fn expressions(&self) -> Vec<String> {
        let mut all = vec![self.whole.clone()];
        if let Some((left, _, right)) = &self.operands {
            all.extend([left.clone(), right.clone()]);
        }
        all.extend(self.divisor.clone());
        all
    }

    /// Reads what promtool said of them. `alert` is the alert as it fired, with all its labels.
    pub fn answer(&self, alert: &Sample, said: &[Said]) -> Why {
        let of = |expr: &str| -> &[Sample] {
            let own = quoted(expr);
            let found = said.iter().find(|one| one.quoted == own);
            found.map_or(&[], |one| &one.samples)
        };
        let whole = nearest(of(&self.whole), alert);
        let operands = self.operands.as_ref().map(|(left, sign, right)| {
            let value = |expr: &str| {
                parse(expr)
                    .and_then(|e| e.constant())
                    .or_else(|| nearest(of(expr), alert).map(|s| s.value))
            };
            (value(left), *sign, value(right))
        });
        let value = whole.map(|sample| sample.value);
        let left = operands.and_then(|(left, ..)| left);
        let odd = [value, left].into_iter().flatten().find(|v| !v.is_finite());
        Why {
            alert: alert.label("alertname").to_owned(),
            labels: whole.map_or_else(|| plain(alert), |sample| sample.labels.clone()),
            value: value.map_or_else(String::new, shown),
            comparison: operands.and_then(|(left, sign, right)| {
                Some(format!("{} {sign} {}", shown(left?), shown(right?)))
            }),
            hint: odd.map(|odd| self.hint(odd, of(self.divisor.as_deref().unwrap_or("")))),
        }
    }

    fn hint(&self, odd: f64, divisors: &[Sample]) -> String {
        let odd = shown(odd);
        match &self.divisor {
            Some(text) if divisors.iter().any(|s| s.value == 0.0) => {
                let short: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
                format!("{odd}: it divides by 0, where there is no limit: add `> 0` to `{short}`")
            }
            Some(_) => format!("{odd}: it divides by 0: add `> 0` to what it divides by"),
            None => format!("{odd} is no amount of anything: look at what is computed there"),
        }
    }
}

impl Why {
    /// `{container="app",pod="app-0"}`, the labels that tell containers apart; ids are cut.
    pub fn series(&self) -> String {
        const DULL: [&str; 8] = [
            "id",
            "image",
            "instance",
            "job",
            "metrics_path",
            "node",
            "name",
            "uid",
        ];
        let some = |dull: bool| {
            let all = self
                .labels
                .iter()
                .filter(|(name, _)| dull || !DULL.contains(&name.as_str()));
            all.map(|(name, value)| format!("{name}=\"{}\"", cut(value)))
                .collect::<Vec<_>>()
        };
        let telling = some(false);
        let shown = if telling.is_empty() {
            some(true)
        } else {
            telling
        };
        format!("{{{}}}", shown.join(","))
    }

    /// One line: the alert, its series, the value, what was compared, the hint.
    pub fn words(&self) -> String {
        let compared = match &self.comparison {
            Some(text) if text.starts_with(&format!("{} ", self.value)) => format!(" = {text}"),
            Some(text) => format!(" = {} ({text})", self.value),
            None if self.value.is_empty() => String::new(),
            None => format!(" = {}", self.value),
        };
        let hint = self
            .hint
            .as_ref()
            .map_or(String::new(), |hint| format!("; {hint}"));
        format!("{} on {}{compared}{hint}", self.alert, self.series())
    }
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(24) {
        Some((at, _)) if value.len() > 40 => format!("{}...", &value[..at]),
        _ => value.to_owned(),
    }
}

/// The labels of an alert that are not only the alert's.
fn plain(alert: &Sample) -> Vec<(String, String)> {
    let own = |name: &str| ["alertname", "alertstate"].contains(&name);
    alert
        .labels
        .iter()
        .filter(|(name, _)| !own(name))
        .cloned()
        .collect()
}

/// The sample whose labels agree best with the alert's.
fn nearest<'a>(samples: &'a [Sample], alert: &Sample) -> Option<&'a Sample> {
    let agree = |sample: &&Sample| {
        let same = |(name, value): &&(String, String)| alert.label(name) == value;
        let other = |(name, value): &&(String, String)| {
            !alert.label(name).is_empty() && alert.label(name) != value
        };
        let (same, other) = (
            sample.labels.iter().filter(same).count(),
            sample.labels.iter().filter(other).count(),
        );
        (std::cmp::Reverse(other), same)
    };
    // Of equal ones the first: `max_by_key` gives the last.
    samples.iter().rev().max_by_key(agree)
}

/// The comparison that decides: the left one of `and`, the inner one of `(x > y) < +Inf`.
fn comparison(expr: &Expr) -> Option<(&Expr, &'static str, &Expr)> {
    match &expr.kind {
        Kind::Binary(Operator::And | Operator::Unless, left, _) => comparison(left),
        Kind::Binary(Operator::Or, left, right) => comparison(left).or_else(|| comparison(right)),
        Kind::Binary(Operator::Compare(_), left, right)
            if right.constant().is_some_and(f64::is_infinite) && comparison(left).is_some() =>
        {
            comparison(left)
        }
        Kind::Binary(Operator::Compare(sign), left, right) => Some((left, sign, right)),
        _ => None,
    }
}

/// What the first division in an expression divides by, unless it is a number.
fn divisor(expr: &Expr) -> Option<&Expr> {
    if let Kind::Binary(Operator::Calculate("/"), _, right) = &expr.kind
        && right.constant().is_none()
    {
        return Some(right);
    }
    expr.below().into_iter().find_map(divisor)
}

/// A number as people read it: four significant digits, bytes and counts whole.
fn shown(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value.fract() == 0.0 || value.abs() >= 1e6 {
        return format!("{value:.0}");
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(labels: &[(&str, &str)], value: f64) -> Sample {
        Sample {
            labels: labels
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            value,
        }
    }

    #[test]
    fn the_operands_of_the_series_that_fired_are_told() {
        let expr = "(sum(a) by (pod) / sum(b) by (pod) * 100) > 80 and up";
        let inquiry = Inquiry::new(expr);
        let asked = inquiry.expressions();
        assert_eq!(
            asked[1..],
            [
                "(sum(a) by (pod) / sum(b) by (pod) * 100)",
                "80",
                "sum(b) by (pod)"
            ]
        );
        let two = |x: f64, y: f64| vec![sample(&[("pod", "x")], x), sample(&[("pod", "y")], y)];
        let said = |of: usize, samples| Said {
            quoted: quoted(&asked[of]),
            samples,
        };
        let alert = sample(
            &[
                ("alertname", "A"),
                ("alertstate", "firing"),
                ("pod", "y"),
                ("sev", "1"),
            ],
            60.0,
        );
        let why = inquiry.answer(
            &alert,
            &[said(0, two(90.0, 81.25)), said(1, two(90.0, 81.25))],
        );
        assert_eq!(why.words(), "A on {pod=\"y\"} = 81.25 > 80");
        let said = [
            said(0, two(90.0, f64::INFINITY)),
            said(1, two(90.0, f64::INFINITY)),
            said(3, two(5.0, 0.0)),
        ];
        let why = inquiry.answer(&alert, &said).words();
        assert!(
            why.contains("+Inf > 80") && why.contains("add `> 0` to `sum(b) by (pod)`"),
            "{why}"
        );
    }

    #[test]
    fn the_comparison_that_decides_is_found() {
        for (expr, want) in [
            ("a > 80", ["a", "80"]),
            ("80 <= a", ["80", "a"]),
            // A guard against division by nothing is not what decides.
            ("(a / b > 80) < +Inf", ["a / b", "80"]),
            ("(a > 80) < 5", ["(a > 80)", "5"]),
            ("a < +Inf", ["a", "Inf"]),
            ("b and a > 80 or a > 90", ["a", "90"]),
            ("(a > 80 unless b) or b", ["a", "80"]),
        ] {
            let asked = Inquiry::new(expr).expressions();
            assert_eq!(asked[1..3], want, "{expr}");
        }
    }

    #[test]
    fn numbers_are_short() {
        let all = [
            0.81234567,
            81.2345,
            268435456.0,
            0.0,
            f64::NAN,
            f64::NEG_INFINITY,
            1.5e-7,
        ];
        assert_eq!(
            all.map(shown),
            [
                "0.8123",
                "81.23",
                "268435456",
                "0",
                "NaN",
                "-Inf",
                "0.00000015"
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(expr in "[a-z(){}>/0-9 é]{0,30}", value: f64) {
            let inquiry = Inquiry::new(&expr);
            let _ = (inquiry.answer(&sample(&[], value), &[]).words(), shown(value));
        }
    }

    #[test]
    fn a_series_is_told_by_what_tells_containers_apart() {
        let why = |labels: &[(&str, &str)]| {
            Why {
                labels: sample(labels, 1.0).labels,
                ..Why::default()
            }
            .series()
        };
        let (id, long) = ("f".repeat(64), "a".repeat(40));
        assert_eq!(
            why(&[
                ("id", &id),
                ("container", "app"),
                ("node", "n1"),
                ("pod", &long)
            ]),
            format!("{{container=\"app\",pod=\"{long}\"}}")
        );
        // With nothing else the dull ones have to do, and what is long is cut.
        let cut = "f".repeat(24);
        assert_eq!(why(&[("id", &id)]), format!("{{id=\"{cut}...\"}}"));
        assert_eq!(why(&[]), "{}");
    }

    #[test]
    fn the_series_is_the_one_that_contradicts_the_alert_least() {
        let alert = sample(&[("pod", "a"), ("container", "app")], 1.0);
        let other = sample(&[("pod", "b"), ("container", "app")], 2.0);
        let whole = sample(&[("pod", "a")], 3.0);
        let exact = sample(&[("pod", "a"), ("container", "app")], 4.0);
        let twin = Sample {
            value: 5.0,
            ..exact.clone()
        };
        let nearest = |of: &[&Sample]| {
            let all: Vec<Sample> = of.iter().map(|one| (*one).clone()).collect();
            nearest(&all, &alert).map(|one| one.value)
        };
        assert_eq!(nearest(&[&other, &whole]), Some(3.0));
        assert_eq!(nearest(&[&whole, &exact, &other]), Some(4.0));
        assert_eq!(nearest(&[&exact, &twin]), Some(4.0));
        assert_eq!(nearest(&[]), None);
    }
}
