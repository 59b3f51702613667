//! `memtide detectors`: what comes built in.

use std::io::{self, Write};

use crate::detector::BUILT_IN;
use crate::export::cadvisor::METRICS;

use super::Exit;

/// How to print the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table for people.
    Human,
    /// One JSON array.
    Json,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Prints every built-in detector with what it does and which metrics it reads.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    let reads = |metrics: &[crate::export::Metric]| -> Vec<&'static str> {
        metrics.iter().map(|m| METRICS[*m as usize].name).collect()
    };
    if args.format == Format::Json {
        let all: Vec<_> = BUILT_IN
            .iter()
            .map(|d| {
                serde_json::json!({
                    "name": d.name, "summary": d.summary, "reads": reads(d.reads),
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        return Ok(Exit::Ok);
    }
    for detector in &BUILT_IN {
        writeln!(out, "{:<16} {}", detector.name, detector.summary)?;
        writeln!(out, "{:<16} reads {}", "", reads(detector.reads).join(", "))?;
    }
    writeln!(
        out,
        "\nJudge one with `memtide judge --detector NAME`, all with `--detector all`, your own \
         with `--detector 'COMMAND'`."
    )?;
    Ok(Exit::Ok)
}
