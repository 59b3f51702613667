//! What several benches need: a workload run in this process, and a limited cgroup to be in.
#![allow(dead_code, reason = "each bench takes what it needs")]

use std::fs;
use std::io::Write;
use std::path::Path;

use memtide::cgroup::{Hierarchy, Limits, Managed, ManagedPod};
use memtide::run_id::RunId;
use memtide::truth::Page;
use memtide::workload::{Anon, Context, Huge, Release, Rewrite, Workload};

pub const MIB: u64 = 1 << 20;

/// What an actor has, in this process instead of a worker.
pub fn actor(workdir: &Path) -> Context {
    let (truth, _) = Page::create(workdir).expect("a page of shared memory can be made");
    Context::new(truth, workdir.into(), 1)
}

/// Does a step, which must reach its target.
pub fn step(context: &mut Context, workload: &Workload) {
    let reached = workload.work().run(context);
    reached.expect("the step can be done here");
}

/// Maps and touches memory, `chunk` bytes at a time.
pub fn anon(size: u64, chunk: u64, huge: Huge) -> Workload {
    Workload::Anon(Anon {
        region: "heap".into(),
        size,
        rate: None,
        chunk,
        leak: false,
        huge,
    })
}

/// Gives all of it back.
pub fn release(advice: memtide::workload::Advice) -> Workload {
    Workload::Release(Release {
        region: "heap".into(),
        advice,
        share: 100.0,
    })
}

/// Writes to all of it again.
pub fn rewrite() -> Workload {
    Workload::Rewrite(Rewrite {
        region: "heap".into(),
        share: 100.0,
    })
}

/// This process inside a container of its own, until it is dropped.
pub struct Inside {
    // In the order in which they go.
    container: Managed,
    _pod: ManagedPod,
    home: std::path::PathBuf,
}

impl Inside {
    /// Makes a container with this limit and moves this process into it.
    ///
    /// # Errors
    /// Why that can't be done here, in words.
    pub fn enter(limit: u64) -> Result<Inside, String> {
        let hierarchy = Hierarchy::discover().map_err(|error| error.to_string())?;
        let run = RunId::new().map_err(|error| error.to_string())?;
        let pod = ManagedPod::create(&hierarchy, &run).map_err(|error| error.to_string())?;
        let limits = Limits { limit, high: None };
        let container = pod
            .container("bench", &limits)
            .map_err(|error| error.to_string())?;
        let moved = container.procs().write_all(b"0");
        moved.map_err(|error| format!("moving into {}: {error}", container.path().display()))?;
        // What making the pod changed on the way (v2) is where this process goes back to.
        Ok(Inside {
            container,
            _pod: pod,
            home: hierarchy.own,
        })
    }

    /// A counter of the container.
    pub fn counter(&self, file: &str) -> Option<u64> {
        let text = fs::read_to_string(self.container.path().join(file)).ok()?;
        text.trim().parse().ok()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // Before the container goes: removing it ends whoever is in it.
        if let Err(error) = fs::write(self.home.join("cgroup.procs"), "0") {
            println!("cannot move back to {}: {error}", self.home.display());
            std::process::exit(1);
        }
    }
}

trait WriteAll {
    fn write_all(self, bytes: &[u8]) -> std::io::Result<()>;
}

impl WriteAll for &fs::File {
    fn write_all(mut self, bytes: &[u8]) -> std::io::Result<()> {
        Write::write_all(&mut self, bytes)
    }
}

/// Two seconds a figure: there are many, and a step of some milliseconds needs no longer.
pub fn config() -> criterion::Criterion {
    let second = std::time::Duration::from_secs(1);
    criterion::Criterion::default()
        .warm_up_time(second)
        .measurement_time(2 * second)
}

/// Says once why a group of benches is left out.
pub fn skipped(group: &str, why: &str) {
    println!("skipped: {group}: {why}");
}
