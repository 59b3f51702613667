//! `docs/kernels.md`: what differs between kernels, from the recordings.

use std::fmt::Write;

use super::render::{grid, markdown_mark, markdown_table};
use super::{Comparison, Difference, Row, Sheet, abouts, differences};

/// Why the page can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocError {
    /// A difference that nobody has explained.
    #[error(
        "{scenario} differs on {setup} after `{step}`, and recordings/differences.toml does not \
         say why: add an entry with its reason and the kernel's function"
    )]
    Unexplained {
        /// The scenario.
        scenario: String,
        /// The step, or `outcome`.
        step: String,
        /// The set-up.
        setup: String,
    },
    /// An explanation of something that is not so.
    #[error(
        "recordings/differences.toml explains a difference of {scenario} after `{step}`, but the \
         recordings show none: remove it"
    )]
    Unseen {
        /// The scenario.
        scenario: String,
        /// The step, or `outcome`.
        step: String,
    },
}

/// The page, from one comparison a scenario.
///
/// # Errors
/// If a difference has no explanation in `recordings/differences.toml`, or an explanation no
/// difference.
pub fn kernels_doc(comparisons: &[Comparison]) -> Result<String, DocError> {
    for comparison in comparisons {
        unexplained(comparison)?;
    }
    for difference in differences() {
        unseen(difference, comparisons)?;
    }
    let (other, same): (Vec<_>, Vec<_>) = comparisons.iter().partition(|c| c.differs());
    let mut out = String::from(HEAD);
    out.push_str(&setups(comparisons));
    out.push_str(&told(comparisons));
    out.push_str("\n## What differs\n");
    for comparison in other {
        scenario(&mut out, comparison);
    }
    out.push_str("\n## What is the same on all of them\n\n");
    out.push_str(if same.is_empty() { "Nothing.\n" } else { SAME });
    for comparison in same {
        let _ = writeln!(out, "- `{}`", comparison.scenario);
    }
    not_recorded(&mut out, comparisons);
    Ok(out)
}

/// Whether it is about set-ups of which there is no recording.
fn is_elsewhere(d: &Difference, comparisons: &[Comparison]) -> bool {
    let mut runs = comparisons.iter().flat_map(|c| &c.runs);
    !d.setups.is_empty() && !runs.any(|r| d.setups.contains(&r.label))
}

fn not_recorded(out: &mut String, comparisons: &[Comparison]) {
    let elsewhere = differences()
        .iter()
        .filter(|d| is_elsewhere(d, comparisons));
    let lines: Vec<String> = elsewhere
        .map(|d| format!("- `{}`, {}\n", d.scenario, line(d)))
        .collect();
    if !lines.is_empty() {
        out.push_str("\n## Known of kernels that are not among the recordings\n\n");
        out.push_str(&lines.concat());
    }
}

/// The steps, the set-ups, why and where.
fn line(difference: &Difference) -> String {
    let steps: Vec<String> = difference.steps.iter().map(|s| format!("`{s}`")).collect();
    let on = match difference.setups.is_empty() {
        true => String::new(),
        false => format!(" on {}", difference.setups.join(", ")),
    };
    format!(
        "{}{on}: {} Source: {}.",
        steps.join(", "),
        difference.why,
        difference.source
    )
}

const HEAD: &str = "# What differs between kernels

<!-- Generated from recordings/ by `memtide generate kernels-doc`; a test keeps it current. -->

Every scenario of the catalogue was run on each of these set-ups. The tables show the values at
the end of each step where set-ups differ; bold is what lies further than 2 % of the limit from
what most of them show, italic what is as far away because the machine had done other work by then
(a step that lasts for a time does less on a slow one). `memtide compare --scenario NAME` shows the
whole of one scenario, `memtide compare FILE --against shipped` holds a run of your own against these.
A set-up of your own is a folder: with `MEMTIDE_RECORDINGS=DIR` every command takes the recordings
`DIR/SET-UP/SCENARIO.jsonl.gz` beside these, and `DIR/differences.toml` says where they differ.

";

const SAME: &str = "After the same work the values of all set-ups lie within the tolerance at every step, and the run
ends the same way:

";

fn setups(comparisons: &[Comparison]) -> String {
    let mut rows = vec![vec![
        "set-up".to_string(),
        "kernel".into(),
        "cgroup".into(),
        "LRU".into(),
    ]];
    for run in comparisons.iter().flat_map(|c| &c.runs) {
        if !rows.iter().any(|r| r[0] == run.label) {
            rows.push(vec![
                run.label.clone(),
                run.host.kernel.clone(),
                run.host.cgroup.to_string(),
                run.host.lru.to_string(),
            ]);
        }
    }
    markdown_table(rows)
}

/// The notes on the set-ups shown, a paragraph each.
fn told(comparisons: &[Comparison]) -> String {
    let shown = |name: &str| {
        let mut runs = comparisons.iter().flat_map(|c| &c.runs);
        runs.any(|run| run.label == name)
    };
    let shown = abouts().iter().filter(|about| shown(&about.name));
    shown
        .map(|about| format!("\n{}: {}\n", about.name, about.about.trim()))
        .collect()
}

/// Steps (and `outcome`) with the columns that differ there, over all values.
fn differing(comparison: &Comparison) -> Vec<(&str, usize)> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    for row in comparison.sheets.iter().flat_map(|s| &s.rows) {
        let cells = row.cells.iter().enumerate();
        found.extend(
            cells
                .filter(|(_, c)| c.differs)
                .map(|(i, _)| (row.step.as_str(), i)),
        );
    }
    let outcomes = comparison.outcome_differs.iter().enumerate();
    found.extend(outcomes.filter(|(_, d)| **d).map(|(i, _)| ("outcome", i)));
    found
}

/// Whether an explanation is about what differs at this step in this column.
fn explains(d: &Difference, comparison: &Comparison, step: &str, column: usize) -> bool {
    let label = |i: usize| comparison.runs[i].label.as_str();
    let baseline = label(comparison.baseline);
    d.is_about(&comparison.scenario, step, label(column), baseline)
}

fn unexplained(comparison: &Comparison) -> Result<(), DocError> {
    for (step, column) in differing(comparison) {
        if !differences()
            .iter()
            .any(|d| explains(d, comparison, step, column))
        {
            return Err(DocError::Unexplained {
                scenario: comparison.scenario.clone(),
                step: step.into(),
                setup: comparison.runs[column].label.clone(),
            });
        }
    }
    Ok(())
}

fn unseen(difference: &Difference, comparisons: &[Comparison]) -> Result<(), DocError> {
    if is_elsewhere(difference, comparisons) {
        return Ok(());
    }
    for step in &difference.steps {
        let seen = comparisons.iter().any(|c| {
            let mut found = differing(c).into_iter();
            found.any(|(s, column)| s == step && explains(difference, c, s, column))
        });
        if !seen {
            return Err(DocError::Unseen {
                scenario: difference.scenario.clone(),
                step: step.clone(),
            });
        }
    }
    Ok(())
}

fn scenario(out: &mut String, comparison: &Comparison) {
    let _ = writeln!(out, "\n### {}", comparison.scenario);
    for (i, sheet) in comparison.sheets.iter().enumerate() {
        let outcome = i == 0 && comparison.outcome_differs.contains(&true);
        if !sheet.differs() && !outcome {
            continue;
        }
        let rows = grid(comparison, &differing_rows(sheet), markdown_mark);
        let _ = write!(out, "\n{}", markdown_table(rows));
    }
    out.push('\n');
    for difference in differences() {
        if difference.scenario == comparison.scenario
            && !is_elsewhere(difference, std::slice::from_ref(comparison))
        {
            let _ = writeln!(out, "- {}", line(difference));
        }
    }
}

fn differing_rows(sheet: &Sheet) -> Sheet {
    Sheet {
        value: sheet.value.clone(),
        rows: sheet
            .rows
            .iter()
            .filter(|r| Row::differs(r))
            .cloned()
            .collect(),
    }
}
