//! `memtide explain`: from pasted numbers to what they mean.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;

use anyhow::Context;

use super::{Exit, explain_print as print};
use crate::explain::{self, Readings, Select, input, wire};

/// Explain memory numbers: a cgroup, copied kernel files, an OOM report, a metrics page, ...
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A cgroup directory, a file or directory of copied kernel files, /proc/meminfo, an OOM report
    /// from dmesg, a cAdvisor or kubelet metrics page, JSON of the kubelet or docker, what docker stats,
    /// kubectl top, systemctl or free printed, or a recording; `-` reads standard input.
    /// Without it, what is piped in is read.
    what: Option<PathBuf>,
    /// Where in a recording: a step's name or a time (`2.5s`). Elsewhere: which of several readings,
    /// by number from 1 or by a part of its name.
    #[arg(long, value_name = "STEP|TIME")]
    at: Option<String>,
    /// The container, by name or by the beginning of its id.
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// The pod.
    #[arg(long, value_name = "NAME")]
    pod: Option<String>,
    /// The usage in bytes (or `2418MiB`), instead of a file.
    #[arg(long, value_name = "BYTES", conflicts_with = "what")]
    usage: Option<String>,
    /// The limit in bytes (or `4GiB`).
    #[arg(long, value_name = "BYTES", conflicts_with = "what")]
    limit: Option<String>,
    /// One more row by its kernel name: `inactive_file=334565376`. Can be given several times.
    #[arg(long = "row", value_name = "NAME=BYTES", conflicts_with = "what")]
    rows: Vec<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Tables and sentences.
    Human,
    /// One JSON document.
    Json,
}

/// Runs it; `verbose` adds all formulas, all that follows, and what is not known.
pub fn run(args: Args, verbose: bool) -> anyhow::Result<Exit> {
    let explanation = explain::explain(read(&args)?);
    let mut out = io::stdout().lock();
    match args.format {
        Format::Human => {
            print::brief(&explanation, &mut out)?;
            if verbose {
                print::verbose(&explanation, &mut out)?;
            }
        }
        Format::Json => {
            let text = serde_json::to_string_pretty(&wire::Document::from(&explanation))
                .context("failed to write the explanation as JSON")?;
            writeln!(out, "{text}")?;
        }
    }
    Ok(Exit::Ok)
}

fn read(args: &Args) -> anyhow::Result<Readings> {
    let select = Select {
        at: args.at.clone(),
        container: args.container.clone(),
        pod: args.pod.clone(),
    };
    let given = args.usage.is_some() || !args.rows.is_empty();
    let piped = PathBuf::from("-");
    let what = match &args.what {
        Some(what) => what,
        None if !given && !io::stdin().is_terminal() => &piped,
        None if !given => anyhow::bail!(
            "what to explain is required: a file, a cgroup's directory, `-` or a pipe, or --usage and --row; see memtide \
             explain --help"
        ),
        None => {
            let reading =
                input::given::read(args.usage.as_deref(), args.limit.as_deref(), &args.rows)?;
            return Ok(Readings::one(reading));
        }
    };
    if what.as_os_str() != "-" {
        return Ok(input::read_path(what, &select)?);
    }
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(input::BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .context("failed to read standard input")?;
    Ok(input::read_bytes(&bytes, "standard input", None, &select)?)
}
