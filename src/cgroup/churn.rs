//! Cgroups that come and go: each is made, a process in it writes a file and ends, and it is
//! removed. What the file leaves in the page cache was charged to a cgroup that is no more.
//!
//! It runs in a process of its own (this binary again), so that the harness's clock goes on.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::sys::process::Child;

/// The first argument that makes this binary a churner: then a count, bytes a file, the pod's
/// directory and the work directory.
pub const ARGUMENT: &str = "__churn";
/// The same for the process inside each cgroup: then bytes and the file.
pub const WRITER: &str = "__churn_writer";

/// Runs the churner or its writer; `arguments` are what follows the first one.
pub fn main(first: &str, arguments: &[String]) -> ExitCode {
    let result = match (first, arguments) {
        (ARGUMENT, [count, bytes, pod, workdir]) => {
            churn(count, bytes, Path::new(pod), Path::new(workdir))
        }
        (WRITER, [bytes, file]) => write(bytes, Path::new(file)),
        _ => Err(io::Error::other(
            "this is memtide's own; it is not for calling by hand",
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell if stderr itself is gone.
            let _ = writeln!(io::stderr(), "cgroup_churn: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}

fn churn(count: &str, bytes: &str, pod: &Path, workdir: &Path) -> io::Result<()> {
    for n in 0..number(count)? {
        let cgroup = Passing::make(pod.join(format!("churn-{n}")))?;
        let procs = File::options()
            .write(true)
            .open(cgroup.0.join("cgroup.procs"))?;
        let mut command = Command::new("/proc/self/exe");
        command
            .args([WRITER, bytes])
            .arg(workdir.join(format!("churn-{n}")));
        Child::worker(&procs).prepare(&mut command);
        let status = command.spawn()?.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!(
                "the writer in {}: {status}",
                cgroup.0.display()
            )));
        }
    }
    Ok(())
}

/// A cgroup that is removed when dropped. Its process has been waited for by then.
struct Passing(PathBuf);

impl Passing {
    fn make(path: PathBuf) -> io::Result<Self> {
        std::fs::create_dir(&path)?;
        Ok(Passing(path))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // A process that has just been waited for may still count for a moment (EBUSY); what stays
        // is removed with the pod.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::yield_now();
        }
    }
}

fn write(bytes: &str, file: &Path) -> io::Result<()> {
    let chunk = [b'x'; 4096];
    let mut left = number(bytes)?;
    let mut file = File::create(file)?;
    while left > 0 {
        let part = left.min(chunk.len() as u64);
        // At most 4096.
        file.write_all(&chunk[..part as usize])?;
        left -= part;
    }
    Ok(())
}
