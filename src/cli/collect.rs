//! `memtide collect`: the pods of Kubernetes Jobs, as if their scenarios had run here.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use super::run::Format;
use super::{Exit, Failure, common};
use crate::cluster::{
    self, CollectError, Collected, Collection, Ended, Kept, Kubectl, Pace, Refusal, RefusalKind,
    Snapshot, evaluate,
};
use crate::compare::{self, Comparison, Run, Show};
use crate::fleet;
use crate::report::{self, Document, RunResult, Verdict};
use crate::{shipped, units};

const AFTER: &str = "\
Example:
  memtide collect --job memtide --job memtide-oom --namespace memtide --out collected

Exit code: 0 all as expected, 1 something fell short or never ran, or all was skipped,
2 no such Job (what was kept of it before is judged all the same), namespace or context,
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
    /// Where everything is kept: results.json, junit.xml, summary.md, recordings/, and the cluster's
    /// answers in jobs/, pods/ and logs/; of a fleet's Job fleet-JOB.json and fleet-JOB.txt. What is there of the same Job is used and kept; what is
    /// there of an earlier Job of the same name is moved to earlier/.
    #[arg(long, value_name = "DIR", default_value = "memtide-collected")]
    out: PathBuf,
    /// Wait no longer than this for pods to end; what did not end by then has fallen short, and can
    /// be collected again.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = units::parse_duration)]
    timeout: Duration,
    /// Where nothing runs and nothing changes (an image is missing, no node takes a pod), or the
    /// cluster does not answer at the start, wait only this long.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = units::parse_duration)]
    patience: Duration,
    /// Put what came out into the cluster, too (again for more): a ConfigMap `memtide-results` in the
    /// Jobs' namespace (needs `create`, `get` and `patch` of configmaps), an event for each index
    /// (`create` of events), or labels on nodes (`get` and `patch` of nodes).
    #[arg(long, value_enum, value_name = "AS", requires = "job")]
    publish: Vec<Publish>,
    /// How results are written to stdout.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// As what verdicts are put into the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Publish {
    /// One ConfigMap with the summary and every verdict.
    Configmap,
    /// An event about each Job for each of its indexes.
    Events,
    /// The label memtide/kind on each node that ran: cgroup version, LRU and kernel.
    NodeLabels,
}

/// The files of results, in the order in which they are written.
const RESULTS: [&str; 3] = ["results.json", "junit.xml", "summary.md"];

/// Fetches what there is, judges it, writes results, recordings and JUnit.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let dir = args.dir.clone().unwrap_or_else(|| args.out.clone());
    let kept = Kept::new(&dir);
    // Whoever reads them after this has come to nothing must not take an earlier run's for this one's.
    if !args.job.is_empty() && dir.join("jobs").is_dir() {
        for name in RESULTS {
            let _ = std::fs::remove_file(dir.join(name));
        }
    }
    let ended = match args.job.is_empty() {
        true => Ended::Decided,
        false => args.fetch(&kept)?,
    };
    // Asked for some Jobs, what else is in the folder is none of this.
    let only = (!args.job.is_empty()).then_some(&args.job[..]);
    let snapshot = kept.read(only)?;
    if snapshot.jobs.is_empty() && snapshot.pods.is_empty() {
        bail!(
            "{} holds no collected pods (pods/POD.json); collect some with --job NAME",
            dir.display()
        );
    }
    let mut collected = evaluate(&snapshot, |pod| kept.log(pod));
    keep_recordings(&dir, &kept, &mut collected)?;
    write_results(&dir, &args, &collected)?;
    let joined = write_fleets(&dir, &args, &collected)?;
    args.publish(&collected, &snapshot)?;
    match ended {
        Ended::Refused(refusal) => return Err(failure(refusal)),
        Ended::Gone(jobs) => return Err(gone(&jobs, &dir)),
        Ended::Decided | Ended::NothingChanges | Ended::TimeIsUp => {}
    }
    if joined && cluster::as_expected(&collected) {
        return Ok(Exit::Ok);
    }
    if collected.iter().all(|c| c.result.result == Verdict::Skip) {
        writeln!(
            std::io::stderr(),
            "collect: nothing was recorded: every index was skipped"
        )?;
    }
    Ok(Exit::FellShort)
}

impl Args {
    fn kubectl(&self) -> Kubectl {
        Kubectl {
            namespace: self.namespace.clone(),
            context: self.context.clone(),
        }
    }

    fn publish(&self, collected: &[Collected], snapshot: &Snapshot) -> anyhow::Result<()> {
        for what in &self.publish {
            let kubectl = self.kubectl();
            let put = match what {
                Publish::Configmap => {
                    kubectl.put("apply", &cluster::config_map(collected), self.patience)
                }
                Publish::Events => {
                    let now = jiff::Timestamp::now().to_string();
                    let events = cluster::verdict_events(collected, snapshot, &now);
                    kubectl.put("create", &events, self.patience)
                }
                Publish::NodeLabels => {
                    let mut kinds = cluster::node_kinds(collected).into_iter();
                    kinds.try_for_each(|(node, kind)| {
                        let label = format!("{}={kind}", cluster::NODE_KIND);
                        kubectl.label_node(&node, &label, self.patience)
                    })
                }
            };
            put.map_err(failure)?;
        }
        Ok(())
    }

    fn fetch(&self, kept: &Kept) -> anyhow::Result<Ended> {
        let kubectl = self.kubectl();
        let pace = Pace {
            timeout: self.timeout,
            patience: self.patience,
        };
        let mut say = |line: &str| {
            // Progress is a courtesy: a closed stderr must not end the wait.
            let _ = writeln!(std::io::stderr(), "{}", cluster::progress_line(line));
        };
        let collection = Collection::new(&kubectl, kept, &self.job, pace, &mut say);
        collection.run().map_err(|error| match error {
            CollectError::Refused(refusal) => failure(refusal),
            CollectError::Kept(error) => error.into(),
        })
    }
}

fn gone(jobs: &[String], dir: &Path) -> anyhow::Error {
    let (names, dir) = (jobs.join(", "), dir.display());
    anyhow::Error::new(Failure {
        exit: Exit::Usage,
        message: format!(
            "the cluster has no Job {names}: what is judged here was kept before; `memtide collect \
             {dir}` judges it without a cluster"
        ),
    })
}

fn failure(refusal: Refusal) -> anyhow::Error {
    let exit = match refusal.kind {
        RefusalKind::NotFound | RefusalKind::NoContext => Exit::Usage,
        _ => Exit::Environment,
    };
    anyhow::Error::new(Failure {
        exit,
        message: refusal.message,
    })
}

/// Writes the recordings; those of an earlier judgement that are not among them go.
fn keep_recordings(dir: &Path, kept: &Kept, collected: &mut [Collected]) -> anyhow::Result<()> {
    let folder = dir.join("recordings");
    std::fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let mut jobs: Vec<&str> = collected.iter().map(|one| one.job.as_str()).collect();
    jobs.dedup();
    for path in jobs.iter().flat_map(|job| kept.recordings(job)) {
        std::fs::remove_file(&path).with_context(|| format!("can't remove {}", path.display()))?;
    }
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
    let junit = report::junit::render(&runs);
    let comparisons = comparisons(collected);
    let colour = args.format == Format::Human && common::colour(std::io::stdout().is_terminal());
    let own = own_nodes(collected);
    let mut human = cluster::text(collected, colour);
    for comparison in &own {
        human.push_str("The cluster's own nodes, one of each kind\n");
        human.push_str(&compare::human(comparison, Show::Differing));
        human.push('\n');
    }
    for comparison in &comparisons {
        human.push_str(&compare::human(comparison, Show::Differing));
        human.push('\n');
    }
    human.push_str(&report::human::summary(&runs));
    let mut summary = cluster::markdown(collected);
    if !own.is_empty() {
        summary.push_str("\n## The cluster's own nodes, one of each kind\n\n");
        for comparison in &own {
            summary.push_str(&below(&compare::markdown(comparison, Show::Differing)));
        }
    }
    summary.push_str("\n## Against the recordings that come with memtide\n\n");
    for comparison in &comparisons {
        summary.push_str(&below(&compare::markdown(comparison, Show::Differing)));
    }
    let document = Document {
        memtide: env!("CARGO_PKG_VERSION"),
        runs,
    };
    let json = serde_json::to_string_pretty(&document)?;
    for (name, text) in RESULTS.into_iter().zip([&json, &junit, &summary]) {
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

/// Markdown whose headings stand below another one of the second level.
fn below(markdown: &str) -> String {
    let lines = markdown.lines().map(|line| match line.starts_with("## ") {
        true => format!("#{line}\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
}

/// Joins the shards of each fleet into `fleet-JOB.json` and `fleet-JOB.txt`; false where one is not whole.
fn write_fleets(dir: &Path, args: &Args, collected: &[Collected]) -> anyhow::Result<bool> {
    let mut all = true;
    for (job, joined) in cluster::fleets(collected) {
        let path = |end: &str| dir.join(format!("fleet-{job}.{end}"));
        let tallies = match joined {
            Ok(tallies) => tallies,
            Err(error) => {
                all = false;
                // What an earlier collection wrote is not this one's.
                for end in ["json", "txt"] {
                    let _ = std::fs::remove_file(path(end));
                }
                log::error!("the fleet of Job {job} is not whole: {error}");
                continue;
            }
        };
        let human = fleet::human(&tallies);
        for (end, text) in [
            ("json", serde_json::to_string(&tallies)? + "\n"),
            ("txt", human.clone()),
        ] {
            let path = path(end);
            std::fs::write(&path, text)
                .with_context(|| format!("can't write {}", path.display()))?;
        }
        if args.format == Format::Human {
            writeln!(std::io::stdout(), "\n{}", human.trim_end())?;
        }
    }
    Ok(all)
}

/// What ran on nodes of several kinds (kernel, cgroup version, LRU), side by side: a column a kind.
fn own_nodes(collected: &[Collected]) -> Vec<Comparison> {
    let values = compare::VALUES.map(String::from);
    let mut by_scenario: BTreeMap<&str, Vec<(String, Run)>> = BTreeMap::new();
    for one in collected {
        let Some(read) = one.read.as_ref().filter(|read| read.complete) else {
            continue;
        };
        let host = &read.header.host;
        let kind = format!("{}, {}, {}", host.kernel, host.cgroup, host.lru);
        let node = one.node.as_deref().unwrap_or("no node");
        let runs = by_scenario.entry(&one.result.scenario).or_default();
        if runs.iter().any(|(known, _)| *known == kind) {
            continue;
        }
        if let Ok(run) = Run::new(format!("{node} ({kind})"), read, None, &values) {
            runs.push((kind, run));
        }
    }
    let several = by_scenario.into_values().filter(|runs| runs.len() > 1);
    several
        .filter_map(|runs| {
            let runs = runs.into_iter().map(|(_, run)| run).collect();
            Comparison::new(runs, 0).ok()
        })
        .collect()
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
