//! `memtide show NAME`: one scenario as a page to read.

use std::io::{IsTerminal, Write};

use super::{Exit, common};
use crate::report::Style;
use crate::scenario::{Condition, Onset, Overrides, Scenario, Step};
use crate::units;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenario's name or TOML file.
    #[arg(value_name = "NAME|FILE")]
    scenario: String,
    /// Its TOML text as it is, to copy and change.
    #[arg(long)]
    toml: bool,
}

/// Prints the story, the steps, the truth and the claims with their reasons.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let scenario = common::load_scenario(&args.scenario, Overrides::default())?;
    let mut out = std::io::stdout();
    if args.toml {
        write!(out, "{}", scenario.text)?;
        return Ok(Exit::Ok);
    }
    let colour = common::colour(out.is_terminal());
    let sections = [
        heading(&scenario),
        story(&scenario),
        steps(&scenario),
        truth(&scenario),
    ];
    for section in sections {
        writeln!(out, "{section}")?;
    }
    write!(out, "{}", claims(&scenario, colour))?;
    Ok(Exit::Ok)
}

fn heading(s: &Scenario) -> String {
    let limits: Vec<String> = s
        .containers
        .iter()
        .map(|c| format!("{} limit {}", c.name, units::bytes(c.limit)))
        .collect();
    format!(
        "{}: {}\n{}; seed {}, a sample every {}; tags: {}\n",
        s.name,
        s.title,
        limits.join(", "),
        s.seed,
        units::duration(s.interval),
        s.tags.join(", ")
    )
}

/// Paragraphs wrapped to 88 columns, lists and tables left as they are.
fn story(s: &Scenario) -> String {
    s.story
        .trim()
        .split("\n\n")
        .map(|paragraph| {
            if paragraph
                .lines()
                .any(|l| l.starts_with([' ', '-', '*', '|']))
            {
                paragraph.to_string()
            } else {
                wrap(paragraph, 88)
            }
        })
        .collect::<Vec<_>>()
        .join("\n\n")
        + "\n"
}

fn wrap(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        // There is always a last line: the list starts with one and only grows.
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_string());
        }
    }
    lines.join("\n")
}

fn steps(s: &Scenario) -> String {
    let mut out = String::from("Steps\n");
    for container in &s.containers {
        for actor in &container.actors {
            if s.containers.len() > 1 || container.actors.len() > 1 {
                out.push_str(&format!("  {}/{}\n", container.name, actor.name));
            }
            for (i, step) in actor.steps.iter().enumerate() {
                out.push_str(&step_lines(i, step));
            }
        }
    }
    for across in s.across_pages() {
        out.push_str(&format!("\n{}\n", wrap(&format!("Note: {across}."), 88)));
    }
    out
}

fn step_lines(i: usize, step: &Step) -> String {
    let mut text = format!("  {}. {}\n", i + 1, step.name);
    let say = wrap(&step.say, 82);
    for line in say.lines() {
        text.push_str(&format!("     {line}\n"));
    }
    if step.when != Condition::default() {
        text.push_str(&format!("     only where: {}\n", step.when));
    }
    text
}

fn truth(s: &Scenario) -> String {
    let onset = match &s.truth.onset {
        Some(Onset::Mark(text)) => format!(
            " from the mark{} on",
            text.as_ref().map_or(String::new(), |t| format!(" `{t}`"))
        ),
        Some(Onset::Step(at)) => {
            let [.., step] = s.names(*at);
            format!(" from step `{step}` on")
        }
        None => String::new(),
    };
    let detector = if s.truth.fire {
        "should fire"
    } else {
        "should stay quiet"
    };
    format!(
        "Truth: {}. A detector {detector}{onset}.\n{}\n",
        s.truth.class,
        wrap(&s.truth.why, 88)
    )
}

fn claims(s: &Scenario, colour: bool) -> String {
    let mut out = String::from("What is checked\n");
    for outcome in &s.outcomes {
        let names: Vec<&str> = outcome.is.iter().map(|o| o.as_str()).collect();
        let text = format!("the run ends as {}", names.join(" or "));
        out.push_str(&claim(&text, &outcome.when, &outcome.why, colour));
    }
    for e in &s.expectations {
        let text = crate::expect::claim(s, e);
        out.push_str(&claim(&text, &e.when, &e.why, colour));
    }
    for r in &s.requires {
        out.push_str(&format!("Runs only where: {} ({})\n", r.when, r.reason));
    }
    out
}

fn claim(text: &str, when: &Condition, why: &str, colour: bool) -> String {
    let mut out = format!("  - {text}\n");
    if *when != Condition::default() {
        out.push_str(&format!("    where: {when}\n"));
    }
    if !why.is_empty() {
        for line in wrap(why, 84).lines() {
            out.push_str(&format!("    {}\n", Style::Dim.paint(line, colour)));
        }
    }
    out
}
