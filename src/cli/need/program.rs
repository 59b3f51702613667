//! What is run again and again.

use std::path::Path;

use anyhow::Context;

use super::super::common;
use super::Args;
use crate::harness::Service;
use crate::scenario::{Overrides, Scenario};

/// A command, a service with its load, or a scenario.
pub enum Program {
    /// Its words, and the highest limit in bytes.
    Command(Vec<String>, u64),
    /// The same of a service.
    Service(Box<Service>, u64),
    /// With its own limit.
    Scenario(Box<Scenario>),
}

impl Program {
    /// All that are asked for.
    pub fn all(args: &Args) -> anyhow::Result<Vec<Program>> {
        if !args.command.is_empty() {
            let Some(limit) = args.limit else {
                anyhow::bail!(
                    "say how much memory the command may have at most: \
                     `memtide need --limit 512MiB -- {}`",
                    args.command.join(" ")
                );
            };
            common::holds_something(limit)?;
            args.service.check()?;
            if args.service.is_service() {
                let service = args.service.service(&args.command, None);
                let service = service.context("looking for the working directory")?;
                return Ok(vec![Program::Service(Box::new(service), limit)]);
            }
            return Ok(vec![Program::Command(args.command.clone(), limit)]);
        }
        if args.service.is_service() {
            anyhow::bail!(
                "--load is for a service, and there is none: `memtide need --limit 512MiB --load COMMAND \
                 -- SERVICE`"
            );
        }
        if args.scenarios.is_empty() {
            anyhow::bail!(
                "nothing to measure: `memtide need --limit 512MiB -- COMMAND`, or the name of a scenario"
            );
        }
        let overrides = Overrides { limit: args.limit };
        let load = |name: &String| common::load_scenario(name, overrides);
        let scenarios = args.scenarios.iter().map(load);
        scenarios
            .map(|scenario| Ok(Program::Scenario(Box::new(scenario?))))
            .collect()
    }

    /// As it is shown.
    pub fn name(&self) -> String {
        match self {
            Program::Command(command, _) => command.join(" "),
            Program::Service(service, _) => service.command.join(" "),
            Program::Scenario(scenario) => scenario.name.clone(),
        }
    }

    /// The highest limit, bytes.
    pub fn max(&self) -> u64 {
        match self {
            Program::Command(_, limit) | Program::Service(_, limit) => *limit,
            Program::Scenario(scenario) => scenario.containers[0].limit,
        }
    }

    /// Its need by construction, bytes, where a scenario says it.
    pub fn known(&self) -> Option<u64> {
        match self {
            Program::Scenario(scenario) => scenario.truth.need,
            Program::Command(..) | Program::Service(..) => None,
        }
    }

    /// The words of its command line; a scenario has none.
    pub fn words(&self) -> &[String] {
        match self {
            Program::Command(words, _) => words,
            Program::Service(service, _) => &service.command,
            Program::Scenario(_) => &[],
        }
    }

    /// The step whose time counts, where it is not the whole run's.
    pub fn timed(&self) -> Option<&str> {
        matches!(self, Program::Service(..)).then_some(crate::harness::LOAD)
    }
}

/// The command with its output on stderr: stdout is for the result. The shell is replaced by the command.
pub fn heard(command: &[String]) -> Vec<String> {
    shell("exec \"$@\" </dev/null >&2", command)
}

/// The command with its output in a file, or in a pipe by its path.
pub fn to_file(command: &[String], file: &Path) -> Vec<String> {
    let words = shell("exec 3>\"$1\"; shift; exec \"$@\" </dev/null >&3 2>&3", &[]);
    let file = file.to_string_lossy().into_owned();
    words
        .into_iter()
        .chain([file])
        .chain(command.iter().cloned())
        .collect()
}

fn shell(script: &str, command: &[String]) -> Vec<String> {
    let mut words: Vec<String> = ["sh", "-c", script, "sh"].map(String::from).to_vec();
    words.extend(command.iter().cloned());
    words
}
