//! `memtide collect`: the pods of Kubernetes Jobs, as if their scenarios had run here.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use super::kubectl::{Kept, Kubectl};
use super::run::Format;
use super::{Exit, common};
use crate::cluster::{Collected, evaluate};
use crate::compare::{self, Comparison, Run, Show};
use crate::report::{self, Document, RunResult, Verdict};
use crate::{shipped, units};

const AFTER: &str = "\
Example:
  memtide collect --job memtide --job memtide-oom --namespace memtide --out collected

Exit code: 0 all as expected, 1 something fell short or never ran, 2 no such Job, namespace or context,
3 no kubectl, or the cluster can't be reached or does not allow it.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
#[command(group = clap::ArgGroup::new("from").required(true).multiple(false).args(["job", "dir"]))]
pub struct Args {
    /// Judge again what was collected into DIR before.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Collect this Job (again for more).
    #[arg(long, value_name = "NAME")]
    job: Vec<String>,
    /// The Jobs' namespace (default: the context's).
    #[arg(short, long, value_name = "NAME", requires = "job")]
    namespace: Option<String>,
    /// The cluster: a context of kubectl's configuration (default: the current one).
    #[arg(long, value_name = "NAME", requires = "job")]
    context: Option<String>,
    /// Where everything is kept: results.json, junit.xml, summary.md, recordings/, and kubectl's
    /// answers in jobs/, pods/ and logs/. What is there from an earlier time is used and kept.
    #[arg(long, value_name = "DIR", default_value = "memtide-collected")]
    out: PathBuf,
    /// Wait no longer than this for pods to end; what did not end by then has fallen short, and can
    /// be collected again.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = units::parse_duration)]
    timeout: Duration,
    /// How results are written to stdout.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Fetches what there is, judges it, writes results, recordings and JUnit.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let dir = args.dir.clone().unwrap_or_else(|| args.out.clone());
    let kept = Kept::new(&dir);
    if !args.job.is_empty() {
        let kubectl = Kubectl {
            jobs: args.job.clone(),
            namespace: args.namespace.clone(),
            context: args.context.clone(),
        };
        kubectl.fetch(&kept, args.timeout)?;
    }
    let (pods, jobs) = kept.read()?;
    if pods.is_empty() && jobs.is_empty() {
        bail!(
            "{} holds no collected pods (pods/POD.json); collect some with --job NAME",
            dir.display()
        );
    }
    let mut collected = evaluate(&pods, &jobs, |pod| kept.log(pod));
    keep_recordings(&dir, &mut collected)?;
    write_results(&dir, &args, &collected)?;
    let failed = collected.iter().any(|c| c.result.result == Verdict::Fail);
    Ok(if failed { Exit::FellShort } else { Exit::Ok })
}

fn keep_recordings(dir: &Path, collected: &mut [Collected]) -> anyhow::Result<()> {
    let folder = dir.join("recordings");
    std::fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    for one in collected {
        let Some(text) = &one.recording else { continue };
        let name = format!("{}-{}-{}.jsonl", one.job, one.index, one.result.scenario);
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
        one.result.recording = Some(path.display().to_string());
    }
    Ok(())
}

fn write_results(dir: &Path, args: &Args, collected: &[Collected]) -> anyhow::Result<()> {
    let runs: Vec<RunResult> = collected.iter().map(|c| c.result.clone()).collect();
    let junit = report::junit::render(&runs).context("can't write the result as JUnit")?;
    let comparisons = comparisons(collected);
    let mut human = String::new();
    let colour = args.format == Format::Human && common::colour(std::io::stdout().is_terminal());
    for one in collected {
        let node = one.node.as_deref().unwrap_or("no node");
        human.push_str(&format!(
            "{}/{} on {node}: {}\n",
            one.job, one.index, one.fate
        ));
        human.push_str(&report::human::render(
            &one.result,
            report::human::Detail::All,
            colour,
        ));
        human.push('\n');
    }
    for comparison in &comparisons {
        human.push_str(&compare::human(comparison, Show::Differing));
        human.push('\n');
    }
    human.push_str(&report::human::summary(&runs));
    let markdown: String = comparisons
        .iter()
        .map(|c| compare::markdown(c, Show::Differing))
        .collect();
    let document = Document {
        memtide: env!("CARGO_PKG_VERSION"),
        runs,
    };
    let json = serde_json::to_string_pretty(&document)?;
    for (name, text) in [
        ("results.json", &json),
        ("junit.xml", &junit),
        ("summary.md", &summary(collected, &markdown)),
    ] {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    let shown = match args.format {
        Format::Human => human,
        Format::Json => json,
        Format::Junit => junit,
    };
    writeln!(std::io::stdout(), "{}", shown.trim_end())?;
    Ok(())
}

/// Each recording against the shipped one of the set-up most like its node.
fn comparisons(collected: &[Collected]) -> Vec<Comparison> {
    let values = compare::VALUES.map(String::from);
    let mut all = Vec::new();
    for one in collected {
        let Some(read) = one.read.as_ref().filter(|read| read.complete) else {
            continue;
        };
        let label = format!("{}/{}", one.job, one.index);
        let mut runs = Vec::new();
        for entry in shipped::of_scenario(&read.header.scenario) {
            let run = entry.read().ok();
            runs.extend(run.and_then(|r| Run::new(entry.setup, &r, None, &values).ok()));
        }
        let Ok(run) = Run::new(&label, read, None, &values) else {
            continue;
        };
        let hosts: Vec<_> = runs.iter().map(|r| &r.host).collect();
        let Some(nearest) = compare::nearest(&run.host, &hosts) else {
            continue;
        };
        // A scenario of which too little ran has nothing that could be compared.
        if let Ok(mut comparison) = Comparison::new(vec![runs[nearest].clone(), run], 0) {
            let likeness = compare::likeness(&comparison.runs[1], &runs, nearest);
            comparison.notes.extend(likeness);
            all.push(comparison);
        }
    }
    all
}

/// What a workflow shows on its page.
fn summary(collected: &[Collected], comparisons: &str) -> String {
    let mut text = String::from(
        "# memtide in the cluster\n\n| job/index | scenario | node | pod | result | why |\n\
         |---|---|---|---|---|---|\n",
    );
    for one in collected {
        let result = match one.result.result {
            Verdict::Pass => "pass",
            Verdict::Fail => "**fail**",
            Verdict::Skip => "skip",
        };
        text.push_str(&format!(
            "| {}/{} | {} | {} | {} | {result} | {} |\n",
            one.job,
            one.index,
            one.result.scenario,
            one.node.as_deref().unwrap_or("-"),
            one.fate,
            one.result.reason.replace(['|', '\n'], " ")
        ));
    }
    text.push_str("\n## Against the recordings that come with memtide\n\n");
    text.push_str(comparisons);
    text
}
