//! One sample of one cgroup: kept-open files with and without parsing, opening each time, and the
//! crate cgroupfs.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use memtide::cgroup::Hierarchy;
use memtide::recording::GroupKind;
use memtide::rows::CgroupVersion;
use memtide::sampler::{GroupSource, Sampler, file_names};

use crate::series::{Comparison, Measured, Side, Table, output};

/// Samples a turn.
const SAMPLES: u32 = 2000;

pub fn compare(cgroupfs: Option<&Path>, runs: u32) -> Table {
    let mut table = Table::new("One sample of one cgroup");
    let hierarchy = match Hierarchy::discover() {
        Ok(hierarchy) => hierarchy,
        Err(error) => {
            table.note(&format!("| skipped: {error} | | | | | | |"));
            return table;
        }
    };
    let files: Vec<PathBuf> = file_names(hierarchy.version)
        .map(|name| hierarchy.own.join(name))
        .filter(|path| std::fs::read(path).is_ok())
        .collect();
    let kept: Vec<File> = files
        .iter()
        .filter_map(|path| File::open(path).ok())
        .collect();
    let source = GroupSource {
        name: "own".into(),
        kind: GroupKind::Container,
        path: hierarchy.own.clone(),
        version: hierarchy.version,
        limit: None,
        actors: Vec::new(),
        truth: false,
    };
    let mut sampler = match Sampler::open(vec![source], false) {
        Ok(sampler) => sampler,
        Err(error) => {
            table.note(&format!("| skipped: {error} | | | | | | |"));
            return table;
        }
    };
    let mut buffer = vec![0; 16 << 10];
    let mut other = vec![0; 16 << 10];
    let what = format!("{} files of a cgroup {}", files.len(), hierarchy.version);
    table.add(
        Comparison {
            what: &what,
            unit: "us, lower is better",
            goals: &[("bare preads", "<= 1.3"), ("open, read, close", "<= 0.5")],
            memtide: Side::new("memtide", || {
                micros(|| {
                    black_box(sampler.sample(0));
                })
            }),
            peers: vec![
                Side::new("bare preads", || {
                    micros(|| {
                        kept.iter()
                            .for_each(|file| drop(file.read_at(&mut buffer, 0)))
                    })
                }),
                Side::new("open, read, close", || {
                    micros(|| {
                        for path in &files {
                            drop(File::open(path).and_then(|mut file| file.read(&mut other)));
                        }
                    })
                }),
                Side::new("cgroupfs 0.9", || from_cgroupfs(cgroupfs, &hierarchy)),
            ],
        },
        runs,
    );
    table
}

fn micros(mut sample: impl FnMut()) -> Measured {
    let start = Instant::now();
    (0..SAMPLES).for_each(|_| sample());
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(SAMPLES))
}

fn from_cgroupfs(program: Option<&Path>, hierarchy: &Hierarchy) -> Measured {
    if hierarchy.version == CgroupVersion::V1 {
        return Err("reads cgroup v2 only, and memory is on v1 here".into());
    }
    let program = program.ok_or("not built (scripts/versus builds it)")?;
    let said = output(
        Command::new(program)
            .arg(&hierarchy.own)
            .arg(SAMPLES.to_string()),
        "none: scripts/versus builds it",
    )?;
    said.trim().parse().map_err(|_| format!("said {said:?}"))
}
