//! Single pods as recordings, for looking and for `memtide judge`.

use std::collections::BTreeSet;
use std::path::Path;

use rand::RngExt;

use super::drive::{Drive, Happened};
use super::pod::Pod;
use super::run::scrapes;
use super::{Fleet, Tallies};
use crate::host::HostFacts;
use crate::recording::{
    Footer, Group, GroupKind, HarnessCost, Header, ModelFacts, WriteError, Writer,
};
use crate::scenario::Outcome;
use crate::seed;

/// The rows that the model fills, in the order of [`Drive::rows`].
pub const COLUMNS: [&str; 8] = [
    "memory.current",
    "memory.max",
    "anon",
    "file",
    "kernel",
    "inactive_file",
    "active_file",
    "memory.events:high",
];

/// Why a pod can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The folder or what is beside the recording.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The recording.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Writes the worst pods, each with what is true of it beside it.
///
/// # Errors
/// When something can't be written.
pub fn keep(fleet: &Fleet, tallies: &Tallies, dir: &Path) -> Result<(), KeepError> {
    write(fleet, tallies.worst.iter().map(|worst| worst.pod), dir)
}

/// Writes `n` pods that are drawn, without regard to what any detector made of them; says which.
///
/// # Errors
/// When something can't be written.
pub fn keep_drawn(fleet: &Fleet, n: u64, dir: &Path) -> Result<Vec<u64>, KeepError> {
    let mut rng = seed::rng(seed::derive(fleet.seed, "drawn pods"));
    let mut drawn = BTreeSet::new();
    while (drawn.len() as u64) < n.min(fleet.pods) {
        drawn.insert(rng.random_range(0..fleet.pods));
    }
    write(fleet, drawn.iter().copied(), dir)?;
    Ok(drawn.into_iter().collect())
}

fn write(fleet: &Fleet, pods: impl Iterator<Item = u64>, dir: &Path) -> Result<(), KeepError> {
    let io = |path: &Path| {
        let path = path.display().to_string();
        move |source| KeepError::Io { path, source }
    };
    std::fs::create_dir_all(dir).map_err(io(dir))?;
    for index in pods {
        let pod = Pod::draw(fleet, index);
        let truth = record(fleet, &pod, &dir.join(format!("pod-{}.jsonl", pod.index)))?;
        let path = dir.join(format!("pod-{}.truth.toml", pod.index));
        std::fs::write(&path, truth).map_err(io(&path))?;
    }
    Ok(())
}

/// Writes one pod; gives its truth as TOML.
fn record(fleet: &Fleet, pod: &Pod<'_>, path: &Path) -> Result<String, KeepError> {
    let mut writer = Writer::create(path, &header(fleet, pod))?;
    let mut drive = Drive::new(pod, fleet.scrape_s);
    let (mut onset, mut kill, mut end) = (None, None, 0);
    for n in 0..scrapes(fleet) {
        let t = n as f64 * fleet.scrape_s;
        let happened = drive.step(t);
        end = (t * 1e9) as u64;
        if happened == Happened::Kill && onset.is_some() {
            kill = kill.or(Some(t));
        }
        if drive.troubled() {
            onset = onset.or(Some(t));
        }
        writer.sample(0, end, 0, &drive.rows())?;
    }
    let outcome = match kill {
        Some(_) => Outcome::OomKilled,
        None => Outcome::Survived,
    };
    writer.finish(&Footer {
        t: end,
        outcome,
        reason: "a model's pod".to_owned(),
        containers: Vec::new(),
        counters: Vec::new(),
        harness: HarnessCost::default(),
    })?;
    Ok(truth(pod, onset, kill))
}

fn truth(pod: &Pod<'_>, onset: Option<f64>, kill: Option<f64>) -> String {
    let Some((trouble, onset)) = pod.trouble.zip(onset) else {
        return "class = \"healthy\"\nfire = false\nwhy = \"a model's pod without a fault\"\n"
            .to_owned();
    };
    let class = trouble.kind.class().as_str();
    let mut text = format!("class = \"{class}\"\nfire = true\nonset = \"{onset}s\"\n");
    if let Some(kill) = kill {
        text += &format!("oom = \"{kill}s\"\n");
    }
    text + &format!(
        "why = \"a fault of the kind {} in a model's pod\"\n",
        trouble.kind.word()
    )
}

fn header(fleet: &Fleet, pod: &Pod<'_>) -> Header {
    Header {
        memtide: env!("CARGO_PKG_VERSION").to_owned(),
        host: HostFacts {
            kernel: format!("model {}", pod.setup.name),
            arch: "model".to_owned(),
            cgroup: crate::rows::CgroupVersion::V2,
            // A node that is larger than any pod of a fleet.
            mem_total: 128 << 30,
            thp: None,
            madv_free: pod.setup.rules.lazyfree_list,
            filesystem: None,
            block_size: None,
            placement: "model".to_owned(),
            ..pod.setup.host()
        },
        scenario: format!(
            "fleet pod {} ({}, {})",
            pod.index,
            pod.service.name,
            pod.kind()
        ),
        scenario_text: String::new(),
        scenario_hash: fleet.hash.clone(),
        seed: pod.seed,
        rng: seed::RNG_NAME.to_owned(),
        interval_ns: (fleet.scrape_s * 1e9) as u64,
        time_scale: 1.0,
        model: Some(ModelFacts {
            card: pod.setup.name.to_string(),
            source: "a pod drawn from a fleet".into(),
            unknown: crate::model::UNKNOWN
                .iter()
                .map(|text| (*text).into())
                .collect(),
        }),
        started: "1970-01-01T00:00:00Z".to_owned(),
        groups: vec![Group {
            image: None,
            name: "app".to_owned(),
            kind: GroupKind::Container,
            limit: Some(pod.limit),
            path: "/app".to_owned(),
            columns: COLUMNS.iter().map(|c| (*c).to_owned()).collect(),
        }],
    }
}
