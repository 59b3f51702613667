//! `memtide generate`: what is derived from the command line's definition and the types.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::{Cli, Exit};
use crate::cluster::jobs;
use crate::{recording, scenario};

/// What to write.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The man page (roff).
    Man,
    /// Completions for bash.
    Bash,
    /// Completions for zsh.
    Zsh,
    /// Completions for fish.
    Fish,
    /// docs/kernels.md: what differs between the shipped recordings (Markdown).
    KernelsDoc,
    /// docs/runtimes.md: which runtime gives memory back how (Markdown).
    RuntimesDoc,
    /// scripts/kind/base/jobs.yaml: the scenarios as Kubernetes Jobs for pods without any rights.
    KindJobs,
    /// scripts/kind/overlays/managed/jobs.yaml: those that need a privileged pod.
    KindManagedJobs,
    /// The JSON Schema of scenario files.
    ScenarioSchema,
    /// The JSON Schema of a recording's objects.
    RecordingSchema,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to write to stdout.
    what: What,
    /// The recordings of runtimes and services, for `runtimes-doc`.
    #[arg(long, value_name = "DIR", default_value = "suites")]
    suites: PathBuf,
}

/// Writes the asked-for text to stdout.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    let mut out = Vec::new();
    match args.what {
        What::Man => clap_mangen::Man::new(command).render(&mut out)?,
        What::Bash => clap_complete::generate(Shell::Bash, &mut command, "memtide", &mut out),
        What::Zsh => clap_complete::generate(Shell::Zsh, &mut command, "memtide", &mut out),
        What::ScenarioSchema => out = pretty(&scenario::json_schema())?,
        What::RecordingSchema => out = recording::schema().into_bytes(),
        What::Fish => clap_complete::generate(Shell::Fish, &mut command, "memtide", &mut out),
        What::KindJobs => out = jobs::manifest(&jobs::plain()?, "kind-jobs").into_bytes(),
        What::KindManagedJobs => {
            out = jobs::manifest(&jobs::managed()?, "kind-managed-jobs").into_bytes();
        }
        What::RuntimesDoc => out = crate::lesson::runtimes(&args.suites)?.into_bytes(),
        What::KernelsDoc => out = super::compare::kernels_doc()?.into_bytes(),
    }
    io::stdout().write_all(&out)?;
    Ok(Exit::Ok)
}

fn pretty(schema: &serde_json::Value) -> anyhow::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(schema)?;
    text.push(b'\n');
    Ok(text)
}
