//! Conditions: kernel bounds read, words checked.

use super::Context;
use crate::scenario::spec::{BoundOp, Condition, KernelBound};
use crate::scenario::suggest;
use crate::scenario::wire::{At, Names, WireCondition, WirePlacement};

/// What the condition is asked of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The machine it runs on.
    Machine,
    /// A recording, perhaps of another machine: what is on PATH isn't known there.
    Recording,
}

/// A condition that may be left out; then it always holds.
pub fn optional(cx: &mut Context, wire: Option<&At<WireCondition>>, of: Of) -> Condition {
    wire.map(|at| read(cx, at, of)).unwrap_or_default()
}

/// A condition with at least one fact in it.
pub fn read(cx: &mut Context, at: &At<WireCondition>, of: Of) -> Condition {
    let wire = &at.value;
    let condition = Condition {
        cgroup: wire.cgroup,
        lru: wire.lru,
        kernel: wire
            .kernel
            .as_ref()
            .map(|k| kernel(cx, k))
            .unwrap_or_default(),
        swap: wire.swap,
        placement: wire.placement.map(|p| match p {
            WirePlacement::Managed => "managed".into(),
            WirePlacement::Ambient => "ambient".into(),
        }),
        thp: thp(cx, wire.thp.as_ref()),
        madv_free: wire.madv_free,
        programs: words(wire.programs.as_ref()),
        filesystem: words(wire.filesystem.as_ref()),
    };
    if condition.is_empty() && cx.found.is_empty() {
        cx.wrong(
            &at.span,
            "`when` asks for nothing",
            "name at least one fact, like `lru = \"classic\"` or `kernel = \">= 4.7\"`",
        );
    }
    if let (Of::Recording, Some(program)) = (of, wire.programs.as_ref().and_then(|p| p.0.first())) {
        cx.wrong(
            &program.span,
            "a recording does not know which programs there were",
            "`programs` belongs into the `when` of a `[[require]]` or a step",
        );
    }
    condition
}

fn words(names: Option<&Names>) -> Vec<String> {
    let names = names.into_iter().flat_map(|names| &names.0);
    names.map(|at| at.value.clone()).collect()
}

fn thp(cx: &mut Context, names: Option<&Names>) -> Vec<String> {
    const SETTINGS: [&str; 3] = ["always", "madvise", "never"];
    for at in names.into_iter().flat_map(|names| &names.0) {
        if !SETTINGS.contains(&at.value.as_str()) {
            cx.unknown(
                &at.span,
                format!("unknown `thp`: `{}`", at.value),
                suggest::help(&at.value, "allowed", &SETTINGS),
            );
        }
    }
    words(names)
}

fn kernel(cx: &mut Context, at: &At<String>) -> Vec<KernelBound> {
    let mut bounds = Vec::new();
    for part in at.value.split(',') {
        match bound(part.trim()) {
            Some(bound) => bounds.push(bound),
            None => cx.wrong(
                &at.span,
                format!("{part:?} is not a bound on the kernel"),
                "write `>= 4.7`, or several: `>= 4.7, < 6.12`",
            ),
        }
    }
    bounds
}

fn bound(text: &str) -> Option<KernelBound> {
    let (rest, op) = BoundOp::ALL
        .into_iter()
        .find_map(|op| Some((text.strip_prefix(op.sign())?, op)))?;
    let (major, minor) = rest.trim().split_once('.').unwrap_or((rest.trim(), "0"));
    let number = |s: &str| s.parse::<u32>().ok();
    Some(KernelBound {
        op,
        version: (number(major)?, number(minor)?),
    })
}
