//! Claims and amounts in words.

use crate::rows::{Row, Unit};
use crate::scenario::{Check, Expectation, Moment, Operand, Pick, Scenario, StepRef};
use crate::units::{self, Size};

/// The claim as a sentence: "after `read twice`, rss is at most 3% of the limit".
pub fn claim(scenario: &Scenario, e: &Expectation) -> String {
    let name = |at: StepRef| step_name(scenario, at);
    let (when, pick) = match &e.moment {
        Moment::End => ("at the end".to_string(), ""),
        Moment::At(step) => (format!("after {}", name(*step)), ""),
        Moment::During { from, to, pick } => {
            let span = match from == to {
                true => format!("during {}", name(*from)),
                false => format!("from {} to {}", name(*from), name(*to)),
            };
            (span, pick_in_words(*pick))
        }
    };
    let of = match &e.group {
        Some(group) if group == "pod" || scenario.containers.len() > 1 => format!(" of {group}"),
        _ => String::new(),
    };
    let since = match e.since {
        Some(at) => format!(" less that after {}", name(at)),
        None => String::new(),
    };
    let operand = |o: &Operand| operand(scenario, &e.value, o);
    let must = match &e.check {
        Check::Near { of, tolerance } => {
            format!("is within {} of {}", operand(tolerance), operand(of))
        }
        Check::AtLeast(bound) => format!("is at least {}", operand(bound)),
        Check::AtMost(bound) => format!("is at most {}", operand(bound)),
        Check::Absent => "is not given".into(),
    };
    format!("{when}, {pick}{}{of}{since} {must}", e.value)
}

/// What is expected where no number could be had: as the scenario has it.
pub fn expected_as_written(value: &str, check: &Check) -> String {
    let short = |o: &Operand| match o {
        Operand::Size(size) => size_in_words(value, *size),
        Operand::Value { factor, name, .. } => product(*factor, name),
    };
    match check {
        Check::Near { of, tolerance } => format!("{} ± {}", short(of), short(tolerance)),
        Check::AtLeast(bound) => format!("at least {}", short(bound)),
        Check::AtMost(bound) => format!("at most {}", short(bound)),
        Check::Absent => "absent".into(),
    }
}

/// An amount of the value called `name`: bytes for people, or a bare count.
pub fn amount(name: &str, value: i64) -> String {
    match is_count(name) {
        true => value.to_string(),
        false => units::signed_bytes(value),
    }
}

/// Whether a value counts events (or microseconds) rather than bytes.
fn is_count(name: &str) -> bool {
    let name = name.strip_prefix("row:").unwrap_or(name);
    let file = name.split(':').next().unwrap_or(name);
    ["restarts", "truth:ops"].contains(&name)
        || ["memory.events", "memory.events.local", "memory.oom_control"].contains(&file)
        || name.contains("pressure")
        || Row::of(name).is_some_and(|row| row.unit != Unit::Bytes)
}

fn operand(scenario: &Scenario, value: &str, o: &Operand) -> String {
    match o {
        Operand::Size(size) => size_in_words(value, *size),
        Operand::Value { factor, name, at } => {
            let product = product(*factor, name);
            match at {
                Some(at) => format!("{product} after {}", step_name(scenario, *at)),
                None => product,
            }
        }
    }
}

fn product(factor: f64, name: &str) -> String {
    match factor == 1.0 {
        true => name.into(),
        false => format!("{factor} × {name}"),
    }
}

fn size_in_words(value: &str, size: Size) -> String {
    match size {
        Size::Bytes(0) => "0".into(),
        Size::OfLimit(0.0) => "0".into(),
        Size::OfLimit(percent) => format!("{percent}% of the limit"),
        Size::Bytes(count) if is_count(value) => count.to_string(),
        Size::Bytes(bytes) => units::bytes(bytes),
    }
}

/// The step's name; with its container and actor where several steps have it.
fn step_name(scenario: &Scenario, at: StepRef) -> String {
    let [container, actor, name] = scenario.names(at);
    let namesakes = scenario.steps().filter(|step| step.name == name);
    match namesakes.count() {
        0 | 1 => format!("`{name}`"),
        _ => format!("`{container}/{actor}/{name}`"),
    }
}

fn pick_in_words(pick: Pick) -> &'static str {
    match pick {
        Pick::Max => "the largest ",
        Pick::Min => "the smallest ",
        Pick::Median => "the median ",
        Pick::Last => "the last ",
        Pick::Range => "the range of ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units_and_counts_have_none() {
        for (value, size, want) in [
            ("usage", Size::Bytes(0), "0"),
            ("usage", Size::Bytes(3 << 20), "3.0 MiB"),
            ("row:memory.failcnt", Size::Bytes(3 << 20), "3145728"),
            ("memory.events:max", Size::Bytes(3 << 20), "3145728"),
            ("restarts", Size::Bytes(3), "3"),
            ("usage", Size::OfLimit(0.0), "0"),
            ("usage", Size::OfLimit(85.0), "85% of the limit"),
        ] {
            assert_eq!(size_in_words(value, size), want, "{value}");
        }
    }
}
