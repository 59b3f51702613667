//! A page for each scenario of the catalogue: its story, its steps with the figures of the shipped
//! recordings, and what to learn. Made from the TOML and the recordings, never written by hand.

mod figures;
mod runtimes;

pub use runtimes::runtimes;

use std::fmt::Write;

use crate::expect;
use crate::recording::ReadError;
use crate::scenario::{CatalogueEntry, Diagnostics, Onset, Overrides, Scenario, catalogue};
use crate::{shipped, units};

/// Why a page can't be made.
#[derive(Debug, thiserror::Error)]
pub enum LessonError {
    /// The scenario can't be read.
    #[error(transparent)]
    Scenario(#[from] Diagnostics),
    /// The recordings of runtimes and services can't be listed.
    #[error(
        "failed to look for recordings below {0}; run it in memtide's sources, or give the folder with --suites"
    )]
    Suites(String),
    /// A recording can't be read.
    #[error("failed to read the recording {path}: {source}")]
    Recording {
        /// Set-up and file.
        path: String,
        /// What is wrong with it.
        source: ReadError,
    },
}

/// The page of one scenario, as Markdown.
pub fn page(entry: &CatalogueEntry) -> Result<String, LessonError> {
    let scenario = entry.parse(Overrides::default())?;
    let mut out = format!(
        "<!-- Made from scenarios/{name}.toml and recordings/ by `MEMTIDE_UPDATE=1 cargo test --test \
         lesson_pages`. -->\n\n# {name}: {title}\n\n{story}\n\n",
        name = entry.name,
        title = scenario.title,
        story = scenario.story,
    );
    truth(&mut out, &scenario);
    steps(&mut out, &scenario);
    out.push_str(&measured(&scenario)?);
    learn(&mut out, &scenario);
    Ok(out)
}

/// The list of all pages, in the order of the course.
pub fn index() -> Result<String, LessonError> {
    let mut out = String::from(
        "<!-- Made from scenarios/ by `MEMTIDE_UPDATE=1 cargo test --test lesson_pages`. -->\n\n\
         # The scenarios\n\nIn the order of the course: the first four are the article's.\n\n\
         | scenario | what you will see | truth |\n|---|---|---|\n",
    );
    for entry in catalogue() {
        let scenario = entry.parse(Overrides::default())?;
        let name = entry.name;
        let _ = writeln!(
            out,
            "| [{name}]({name}.md) | {} | {} |",
            scenario.title, scenario.truth.class
        );
    }
    Ok(out)
}

/// Here as in the functions below: writing to a string can't fail.
fn truth(out: &mut String, scenario: &Scenario) {
    let truth = &scenario.truth;
    let should = match (truth.fire, &truth.onset) {
        (false, _) => "stay quiet".to_string(),
        (true, Some(Onset::Mark(_))) => "fire, from the mark in its recording on".to_string(),
        (true, Some(Onset::Step(at))) => {
            let [.., step] = scenario.names(*at);
            format!("fire, from the start of `{step}` on")
        }
        (true, None) => "fire".to_string(),
    };
    let _ = writeln!(
        out,
        "**The truth:** `{}`. A leak or OOM detector should {should}: {}.\n",
        truth.class, truth.why
    );
    let limits: Vec<String> = scenario
        .containers
        .iter()
        .map(|c| format!("`{}` with {}", c.name, units::bytes(c.limit)))
        .collect();
    let _ = writeln!(
        out,
        "Containers: {}. One recorded second stands for {} s of a detector's time.\n\n\
             `memtide run {name}` runs it here, `memtide demo {name}` as a show.\n",
        limits.join(", "),
        scenario.time_scale,
        name = scenario.name
    );
    for requirement in &scenario.requires {
        let _ = writeln!(
            out,
            "Needs: {} ({}).\n",
            requirement.when, requirement.reason
        );
    }
}

fn steps(out: &mut String, scenario: &Scenario) {
    let _ = writeln!(out, "## Steps\n");
    let actors = scenario.containers.iter().map(|c| c.actors.len());
    let several = actors.sum::<usize>() > 1;
    for container in &scenario.containers {
        for actor in &container.actors {
            if several {
                let _ = writeln!(
                    out,
                    "In container `{}`, actor `{}`:\n",
                    container.name, actor.name
                );
            }
            for (n, step) in actor.steps.iter().enumerate() {
                let _ = writeln!(out, "{}. **{}**: {}", n + 1, step.name, step.say);
            }
            out.push('\n');
        }
    }
    for across in scenario.across_pages() {
        let _ = writeln!(out, "Note: {across}.\n");
    }
}

fn measured(scenario: &Scenario) -> Result<String, LessonError> {
    let mut out = String::from("## Measured\n\n");
    let mut runs = Vec::new();
    for shipped in shipped::of_scenario(&scenario.name) {
        let recording = shipped.read().map_err(|source| LessonError::Recording {
            path: shipped.path(),
            source,
        })?;
        runs.push((shipped.setup, recording));
    }
    if runs.is_empty() {
        let _ = writeln!(
            out,
            "No recording of it is shipped. `memtide run {}` makes one.\n",
            scenario.name
        );
        return Ok(out);
    }
    out.push_str(&figures::across(scenario, &runs));
    // One set-up in full: the classic LRU on cgroup v2 is what most nodes run.
    let reference = runs.iter().find(|(_, r)| shipped::is_usual(&r.header.host));
    if let Some((setup, recording)) = reference.or(runs.first()) {
        out.push_str(&figures::in_full(scenario, setup, recording));
    }
    Ok(out)
}

fn learn(out: &mut String, scenario: &Scenario) {
    let _ = writeln!(out, "## What to learn\n");
    for outcome in &scenario.outcomes {
        let names: Vec<String> = outcome.is.iter().map(|o| format!("`{o}`")).collect();
        let place = place(&outcome.when.to_string());
        let _ = writeln!(
            out,
            "- It ends as {}{place}: {}.",
            names.join(" or "),
            outcome.why
        );
    }
    for e in &scenario.expectations {
        let claim = expect::claim(scenario, e);
        let place = place(&e.when.to_string());
        let _ = writeln!(out, "- {claim}{place}: {}.", e.why);
    }
}

/// Where a claim is made; nothing where it is made everywhere.
fn place(condition: &str) -> String {
    match condition.is_empty() {
        true => String::new(),
        false => format!(" ({condition})"),
    }
}
