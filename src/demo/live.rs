//! A run of a scenario on this machine, in a process of its own.
//!
//! The run is `memtide run`, unchanged: it samples on its own clock and writes its recording to a
//! file, which the show reads. However long drawing takes, no tick is missed for it.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::recording::{self, Recording};

/// How long a run may take until its recording has a header: the machine's speed is measured first.
const START_MAX: Duration = Duration::from_secs(20);
/// How long a run may take to clean up when it is asked to end; after that it is killed.
const STOP_MAX: Duration = Duration::from_secs(3);

/// A run going on. Dropping it ends the run and waits until it has cleaned up.
pub struct Live {
    child: Child,
    dir: TempDir,
    scenario: String,
}

/// What became of the attempt to run here.
pub enum Started {
    /// It runs; this is what was recorded first.
    Running(Live, Box<Recording>),
    /// It can't; why, in the run's own words.
    NotHere(String),
}

/// Starts the scenario of that name (or in that file). `stop` is asked while waiting.
pub fn start(name: &str, stop: &dyn Fn() -> bool) -> std::io::Result<Started> {
    let dir = tempfile::Builder::new().prefix("memtide-demo-").tempdir()?;
    let stderr = std::fs::File::create(dir.path().join("stderr"))?;
    let child = Command::new(std::env::current_exe()?)
        .args(["run", name, "--format", "json", "--out"])
        .arg(dir.path().join("out"))
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(dir.path().join("stdout"))?)
        .stderr(stderr)
        .spawn()?;
    let scenario = std::path::Path::new(name).file_stem().unwrap_or_default();
    let scenario = scenario.to_string_lossy().into_owned();
    let mut live = Live {
        child,
        dir,
        scenario,
    };
    let deadline = Instant::now() + START_MAX;
    loop {
        let ended = live.has_ended();
        if let Ok(recording) = recording::read_path(&live.recording())
            && recording.tables.iter().any(|t| !t.is_empty())
        {
            return Ok(Started::Running(live, Box::new(recording)));
        }
        if ended {
            return Ok(Started::NotHere(live.why()));
        }
        if stop() || Instant::now() > deadline {
            return Ok(Started::NotHere("it did not start in time".into()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Live {
    /// The file the run writes.
    pub fn recording(&self) -> PathBuf {
        self.dir
            .path()
            .join("out")
            .join(format!("{}.jsonl", self.scenario))
    }

    /// Whether the run's process is gone.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Why it ended without a recording: the reason in its result, else its last words.
    fn why(&self) -> String {
        let text = |name: &str| {
            let mut text = String::new();
            let file = std::fs::File::open(self.dir.path().join(name));
            // Unreadable is as good as empty: the other one is asked then.
            let _ = file.and_then(|f| f.take(1 << 20).read_to_string(&mut text));
            text
        };
        let result: Option<serde_json::Value> = serde_json::from_str(&text("stdout")).ok();
        let reason = result
            .as_ref()
            .and_then(|r| r["runs"][0]["reason"].as_str());
        match reason {
            Some(reason) if !reason.is_empty() => reason.into(),
            _ => {
                let stderr = text("stderr");
                let stderr = stderr.trim();
                stderr.strip_prefix("error: ").unwrap_or(stderr).to_string()
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        if let Ok(pid) = pid {
            // It removes its cgroups on SIGTERM; gone already is as well.
            let _ = kill(pid, Signal::SIGTERM);
        }
        let deadline = Instant::now() + STOP_MAX;
        while Instant::now() < deadline {
            if self.has_ended() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
