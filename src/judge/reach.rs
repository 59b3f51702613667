//! Which alerts can't fire on a recording, whatever its memory does: no series has the metric or
//! the label, or the threshold is more bytes than its container can hold.

use std::collections::BTreeMap;

use crate::export::cadvisor::{self, METRICS};
use crate::export::orchestrator;
use crate::rows::CgroupVersion;
use crate::units;

use super::promql::{Expr, Kind, Matcher, Operator, Selector};

/// What is known of a recording's series.
#[derive(Debug)]
pub struct Facts {
    /// Whether each expression in question selects something, by its text.
    pub selects: BTreeMap<String, bool>,
    /// Which rows there are.
    pub version: CgroupVersion,
    /// The sum of all containers' limits, bytes; none where one has none.
    pub limit: Option<f64>,
    /// The node's memory, bytes.
    pub node: f64,
}

/// Why an alert can't fire, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// In words.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// The expressions whose emptiness decides: a selector, its metric, its metric with each label.
pub fn questions(selector: &Selector) -> Vec<String> {
    let mut all = vec![selector.to_string()];
    let with = |matchers: Vec<Matcher>| {
        let name = selector.name.clone();
        Selector { name, matchers }.to_string()
    };
    if !selector.name.is_empty() {
        all.push(selector.name.clone());
        all.extend(selector.matchers.iter().map(|one| with(vec![one.clone()])));
    }
    all
}

/// Looks at alerts with the recording rules they may read.
pub struct Reach<'a> {
    /// The recording.
    pub facts: &'a Facts,
    /// What recording rules of the same file record.
    pub recorded: &'a BTreeMap<String, Vec<Expr>>,
}

/// Recording rules that read each other are followed so far.
const DEPTH_MAX: usize = 32;

impl Reach<'_> {
    /// Why this expression can give nothing here; none where it may.
    pub fn never(&self, expr: &Expr) -> Option<Reason> {
        self.empty(expr, 0)
    }

    fn empty(&self, expr: &Expr, depth: usize) -> Option<Reason> {
        if depth > DEPTH_MAX {
            return None;
        }
        let inner = |one: &Expr| self.empty(one, depth + 1);
        match &expr.kind {
            Kind::Number(_) | Kind::Text(_) => None,
            Kind::Series(selector, _) => self.unselected(selector, depth),
            Kind::Subquery(one) | Kind::Minus(one) => inner(one),
            Kind::Call(name, all) if name.starts_with("absent") => {
                self.always_absent(name, all, depth)
            }
            Kind::Call(name, _) if name == "vector" => None,
            Kind::Call(_, all) => all.iter().find_map(inner),
            Kind::Aggregate(_, all) => all.last().and_then(inner),
            Kind::Binary(Operator::Or, left, right) => {
                inner(left).and_then(|why| inner(right).map(|_| why))
            }
            Kind::Binary(Operator::Unless, left, _) => inner(left),
            Kind::Binary(operator, left, right) => inner(left)
                .or_else(|| inner(right))
                .or_else(|| self.unreached(*operator, left, right)),
        }
    }

    /// What asks for the absence of something that no recording has fires on every one: that says
    /// nothing about the alert either.
    fn always_absent(&self, name: &str, all: &[Expr], depth: usize) -> Option<Reason> {
        let why = self.empty(all.first()?, depth + 1)?;
        let what = format!(
            "{}: {name}() of it fires on every one",
            why.what.split(": what ").next().unwrap_or("")
        );
        Some(Reason {
            what,
            remedy: format!("leave that alert out (--alert), or {}", why.remedy),
        })
    }

    fn unselected(&self, selector: &Selector, depth: usize) -> Option<Reason> {
        if let Some(rules) = self.recorded.get(&selector.name) {
            let why: Option<Vec<Reason>> = rules
                .iter()
                .map(|rule| self.empty(rule, depth + 1))
                .collect();
            return why.and_then(|all| all.into_iter().next());
        }
        let some = |text: &str| self.facts.selects.get(text).copied().unwrap_or(true);
        if some(&selector.to_string()) {
            return None;
        }
        if selector.name.is_empty() {
            return Some(Reason {
                what: format!(
                    "no recording has a series {selector}: what selects it can't fire here"
                ),
                remedy: "judge an alert that names its metric".to_owned(),
            });
        }
        if !some(&selector.name) {
            return Some(unknown_metric(&selector.name));
        }
        let alone = |one: &&Matcher| {
            let matchers = vec![(*one).clone()];
            let name = selector.name.clone();
            !some(&Selector { name, matchers }.to_string())
        };
        let guilty: Vec<&Matcher> = selector.matchers.iter().filter(alone).collect();
        let named: Vec<String> = guilty.iter().map(ToString::to_string).collect();
        if guilty.is_empty() {
            return Some(Reason {
                what: format!(
                    "no series is {selector} as a whole: what selects it can't fire here"
                ),
                remedy: "look whether its labels can be of one series".to_owned(),
            });
        }
        let remedies: Vec<String> = guilty
            .iter()
            .map(|one| remedy(one, &selector.name))
            .collect();
        Some(Reason {
            what: format!(
                "no recording has {}: what selects it can't fire here",
                named.join(", ")
            ),
            remedy: remedies.join(" and "),
        })
    }

    /// A comparison that no recording can fulfil.
    fn unreached(&self, operator: Operator, left: &Expr, right: &Expr) -> Option<Reason> {
        let Operator::Compare(sign) = operator else {
            return None;
        };
        let (value, threshold) = match sign {
            ">" | ">=" => (left, right.constant()?),
            "<" | "<=" => (right, left.constant()?),
            _ => return None,
        };
        if sign != ">="
            && threshold >= 0.0
            && let Some(name) = self.zero(value)
        {
            return Some(Reason {
                what: format!("cAdvisor shows {name} as 0 on cgroup {}, whatever happens: what reads it can't fire here", self.facts.version),
                remedy: "judge it on recordings of the other version (--setup), as it can only work on such nodes".to_owned(),
            });
        }
        let (most, unit) = self.most(value)?;
        // A charge may pass the limit by a few pages.
        if threshold <= most * 1.01 {
            return None;
        }
        let bytes = threshold / unit;
        Some(Reason {
            what: format!(
                "no container of this recording can reach {}",
                units::bytes(bytes as u64)
            ),
            remedy: format!("judge it at another size: --scale-to {}", size_above(bytes)),
        })
    }

    /// A metric that is always 0 here, where all that is read is such.
    fn zero(&self, expr: &Expr) -> Option<String> {
        let all = expr.selectors();
        let zero = |one: &&Selector| cadvisor::always_zero(&one.name, self.facts.version);
        (!all.is_empty() && all.iter().all(zero)).then(|| all[0].name.clone())
    }

    /// The most that an amount of bytes can be, in the expression's unit, and what a byte is in it;
    /// none for anything but bytes.
    fn most(&self, expr: &Expr) -> Option<(f64, f64)> {
        let times = |(most, unit): (f64, f64), factor: f64| {
            (factor > 0.0).then_some((most * factor, unit * factor))
        };
        match &expr.kind {
            Kind::Series(selector, _) => self.most_of(selector),
            Kind::Subquery(one) => self.most(one),
            Kind::Call(name, all) => match name.as_str() {
                "max_over_time" | "avg_over_time" | "min_over_time" | "last_over_time" | "abs"
                | "ceil" | "floor" | "round" | "sort" | "sort_desc" | "scalar"
                | "label_replace" | "label_join" => self.most(all.first()?),
                "quantile_over_time" => self.most(all.get(1)?),
                _ => None,
            },
            Kind::Aggregate(name, all) => {
                let inner = self.most(all.last()?)?;
                match name.as_str() {
                    // The pod's own series counts its containers once more, and its slices again.
                    "sum" => times(inner, 3.0).map(|(most, unit)| (most, unit / 3.0)),
                    "max" | "min" | "avg" | "topk" | "bottomk" | "quantile" => Some(inner),
                    _ => None,
                }
            }
            Kind::Binary(Operator::Calculate("/"), left, right) => {
                times(self.most(left)?, 1.0 / right.constant()?)
            }
            Kind::Binary(Operator::Calculate("*"), left, right) => {
                match (left.constant(), right.constant()) {
                    (None, Some(factor)) => times(self.most(left)?, factor),
                    (Some(factor), None) => times(self.most(right)?, factor),
                    (None, None) if is_info(right) => self.most(left),
                    (None, None) if is_info(left) => self.most(right),
                    _ => None,
                }
            }
            Kind::Binary(Operator::Calculate("-"), left, _) => self.most(left),
            Kind::Binary(Operator::And | Operator::Unless | Operator::Compare(_), left, _) => {
                self.most(left)
            }
            _ => None,
        }
    }

    fn most_of(&self, selector: &Selector) -> Option<(f64, f64)> {
        let is_bytes = METRICS
            .iter()
            .any(|m| m.name == selector.name && m.is_bytes());
        if let Some([rule]) = self.recorded.get(&selector.name).map(Vec::as_slice) {
            return self.most(rule);
        }
        if is_bytes {
            return Some((self.facts.limit?, 1.0));
        }
        (selector.name.starts_with("node_memory_") || selector.name == "machine_memory_bytes")
            .then_some((self.facts.node, 1.0))
    }
}

/// Whether its values are only ever 1: joined for its labels.
fn is_info(expr: &Expr) -> bool {
    const INFO: [&str; 4] = [
        "kube_pod_info",
        "kube_pod_owner",
        "kube_pod_labels",
        "kube_pod_container_info",
    ];
    let all = expr.selectors();
    !all.is_empty() && all.iter().all(|one| INFO.contains(&one.name.as_str()))
}

/// Metrics that have another name now.
const RENAMED: [(&str, &str); 9] = [
    (
        "kube_pod_container_resource_limits_memory_bytes",
        "kube_pod_container_resource_limits{resource=\"memory\"} (kube-state-metrics 2)",
    ),
    (
        "kube_pod_container_resource_requests_memory_bytes",
        "kube_pod_container_resource_requests{resource=\"memory\"} (kube-state-metrics 2)",
    ),
    (
        "kube_node_status_allocatable_memory_bytes",
        "kube_node_status_allocatable{resource=\"memory\"} (kube-state-metrics 2)",
    ),
    (
        "kube_node_status_capacity_memory_bytes",
        "kube_node_status_capacity{resource=\"memory\"} (kube-state-metrics 2)",
    ),
    (
        "node_memory_MemTotal",
        "node_memory_MemTotal_bytes (node exporter 0.16)",
    ),
    (
        "node_memory_MemAvailable",
        "node_memory_MemAvailable_bytes (node exporter 0.16)",
    ),
    (
        "container_memory_working_set",
        "container_memory_working_set_bytes",
    ),
    ("container_memory_usage", "container_memory_usage_bytes"),
    ("container_memory_rss_bytes", "container_memory_rss"),
];

fn unknown_metric(name: &str) -> Reason {
    let renamed = RENAMED.iter().find(|(old, _)| *old == name);
    let known = METRICS
        .iter()
        .map(|m| m.name)
        .chain(orchestrator::FAMILIES.iter().map(|f| f.name));
    let near = crate::scenario::nearest(name, known);
    let remedy = match (renamed, near) {
        (Some((_, new)), _) => format!("its name is {new} now"),
        (None, Some(near)) => {
            format!("did you mean {near}? docs/detectors.md lists what recordings have")
        }
        _ if name.contains(':') => {
            "give the file that records it as well (--rules again, or their folder)".to_owned()
        }
        _ => "memtide records container memory only: judge such a rule elsewhere".to_owned(),
    };
    Reason {
        what: format!("no recording has {name}: what reads it can't fire here"),
        remedy,
    }
}

/// How a label that no recording has is given to them.
fn remedy(matcher: &Matcher, metric: &str) -> String {
    let Matcher {
        label,
        operator,
        value,
    } = matcher;
    let renamed = [("pod_name", "pod"), ("container_name", "container")];
    if let Some((_, new)) = renamed.iter().find(|(old, _)| old == label) {
        return format!("Kubernetes 1.16 renamed the label: write {new}");
    }
    let value = match *operator {
        "=" => Some(value.clone()),
        "=~" => a_match(value),
        _ => Some("mine".to_owned()),
    };
    // What a scrape of another exporter adds is not cAdvisor's to set.
    let exporter = match metric.split_once('_').map(|(start, _)| start) {
        Some("kube") => Some(["kube-state-metrics", "10.0.0.2:8080"]),
        Some("node") => Some(["node-exporter", "10.0.0.1:9100"]),
        _ => None,
    };
    match (label.as_str(), exporter) {
        ("job", Some([job, _])) => return format!("write job={job:?}, which {metric} has here"),
        ("instance", Some([_, own])) => {
            return format!("write instance={own:?}, which {metric} has here");
        }
        _ => {}
    }
    match value {
        Some(value) if value.contains([' ', '\'', '*', '(', '$', ';', '&', '|']) => {
            format!("judge with --set '{label}={value}'")
        }
        Some(value) => format!("judge with --set {label}={value}"),
        None => format!(
            "judge with --set {label}=VALUE, a value that matches {value:?}",
            value = matcher.value
        ),
    }
}

/// Something that a simple pattern matches.
fn a_match(pattern: &str) -> Option<String> {
    let plain = pattern.trim_start_matches("(?i)").trim_matches(['^', '$']);
    let plain = plain
        .strip_prefix('(')
        .and_then(|p| p.strip_suffix(')'))
        .unwrap_or(plain);
    let first = plain
        .split('|')
        .find(|one| !one.is_empty())?
        .trim_matches(['^', '$']);
    let simple = first
        .replace(".*", "")
        .replace(".+", "1")
        .replace("\\.", ".")
        .replace("[0-9]+", "1")
        .replace("\\d+", "1");
    let special = |c: char| "()[]{}*+?|\\^$".contains(c);
    (!simple.is_empty() && !simple.contains(special)).then_some(simple)
}

/// The next size above, a power of two as limits are, with some room.
fn size_above(bytes: f64) -> String {
    let next = ((bytes * 1.1) as u64)
        .max(1 << 20)
        .checked_next_power_of_two()
        .unwrap_or(1 << 50);
    match next {
        n if n >= 1 << 30 => format!("{}GiB", n >> 30),
        n => format!("{}MiB", n >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::promql::parse;

    fn never(expr: &str, gone: &[&str]) -> Option<String> {
        let facts = Facts {
            selects: gone
                .iter()
                .map(|text| ((*text).to_owned(), false))
                .collect(),
            version: CgroupVersion::V2,
            limit: Some(256.0 * 1_048_576.0),
            node: 2e9,
        };
        let mut recorded = BTreeMap::new();
        recorded.insert(
            "a:b".to_owned(),
            vec![parse("sum(nobody) by (pod)").unwrap()],
        );
        let reach = Reach {
            facts: &facts,
            recorded: &recorded,
        };
        reach
            .never(&parse(expr).unwrap())
            .map(|why| why.to_string())
    }

    #[test]
    fn a_label_or_metric_that_nothing_has_is_told_with_its_remedy() {
        let gone = [
            "up{ns=\"x\"}",
            "nobody",
            "container_memory_rss{pod_name=\"x\"}",
        ];
        let said = |expr: &str| never(expr, &gone).unwrap_or_default();
        assert!(said("up{ns=\"x\"} / up > 1").contains("no recording has ns=\"x\""));
        assert!(said("up{ns=\"x\"} / up > 1").contains("--set ns=x"));
        assert!(said("a:b > 1 and up").contains("no recording has nobody"));
        assert!(said("container_memory_rss{pod_name=\"x\"} > 0").contains("write pod"));
        assert!(said("absent(nobody)").contains("nobody: absent() of it fires"));
        for fine in [
            "up or up{ns=\"x\"}",
            "up unless nobody",
            "absent(up)",
            "up > 1",
            "nobody or vector(1)",
        ] {
            assert_eq!(never(fine, &gone), None, "{fine}");
        }
    }

    #[test]
    fn a_metric_that_was_renamed_is_told_by_its_new_name() {
        for (old, new) in RENAMED {
            let said = never(&format!("{old} > 0"), &[old]).unwrap_or_default();
            assert!(
                said.contains(&format!("its name is {new} now")),
                "{old}: {said}"
            );
        }
        let said = |name| never(&format!("{name} > 0"), &[name]).unwrap_or_default();
        assert!(said("container_memory_rs").contains("did you mean container_memory_rss?"));
        assert!(said("team:rss:max").contains("give the file that records it"));
        assert!(said("http_requests_total").contains("judge such a rule elsewhere"));
    }

    #[test]
    fn a_threshold_in_bytes_that_no_limit_allows_is_told() {
        let big = [
            "container_memory_rss > 3e9",
            "3 * 1024 ^ 3 < sum(container_memory_usage_bytes) by (pod)",
            "container_memory_rss / 1024 / 1024 / 1024 > 3",
            "max_over_time(container_memory_working_set_bytes[1h]) * on (pod) group_left (node) kube_pod_info >= 3e9",
        ];
        for expr in big {
            let said = never(expr, &[]).unwrap_or_else(|| panic!("{expr}"));
            assert!(
                said.contains("can reach") && said.contains("--scale-to 4GiB"),
                "{expr}: {said}"
            );
        }
        for fine in [
            "container_memory_rss > 200000000",
            "container_memory_rss / container_spec_memory_limit_bytes > 3e9",
            "predict_linear(container_memory_rss[1h], 3600) > 3e9",
            "container_memory_rss < 3e9",
            "rate(container_memory_failures_total[5m]) > 3e9",
            "node_memory_MemTotal_bytes > 1e9",
        ] {
            assert_eq!(never(fine, &[]), None, "{fine}");
        }
        let zero = never("rate(container_memory_failcnt[5m]) > 0", &[]).unwrap();
        assert!(zero.contains("0 on cgroup v2"), "{zero}");
    }

    #[test]
    fn a_pattern_has_a_value_that_it_matches() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(a_match("^(payments|billing)$"), some("payments"));
        assert_eq!(a_match("prod-.*"), some("prod-"));
        assert_eq!(a_match("team.+"), some("team1"));
        assert_eq!(a_match("[a-z]{3}"), None);
    }
}
