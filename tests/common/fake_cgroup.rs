//! A folder that plays a cgroup.

use super::common;

/// A folder with the files of a v2 cgroup. What "runs" in it holds `holds` bytes, of which it needs
/// `needs`: below that it reads again what was taken.
pub struct FakeCgroup {
    pub dir: tempfile::TempDir,
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    kernel: Option<std::thread::JoinHandle<()>>,
}

impl FakeCgroup {
    pub fn new(high: &str, holds: u64, needs: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_path_buf();
        let write = move |name: &str, text: String| {
            // At once, as the kernel's files are.
            std::fs::write(path.join("new"), text).unwrap();
            std::fs::rename(path.join("new"), path.join(name)).unwrap();
        };
        write("memory.high", high.to_string());
        write("memory.current", holds.to_string());
        write("cgroup.procs", String::new());
        let stop = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
        let (end, path) = (stop.clone(), dir.path().to_path_buf());
        let kernel = std::thread::spawn(move || {
            let mut refaults = 0;
            while !end.load(std::sync::atomic::Ordering::Relaxed) {
                let high = std::fs::read_to_string(path.join("memory.high")).unwrap();
                if let Ok(high) = high.trim().parse::<u64>() {
                    write("memory.current", high.min(holds).to_string());
                    refaults += needs.saturating_sub(high) / 4096;
                    write(
                        "memory.stat",
                        format!("workingset_refault_file {refaults}\n"),
                    );
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        FakeCgroup {
            dir,
            stop,
            kernel: Some(kernel),
        }
    }

    pub fn high(&self) -> String {
        let text = std::fs::read_to_string(self.dir.path().join("memory.high")).unwrap();
        text.trim().to_string()
    }

    pub fn live(&self, more: &[&str]) -> std::process::Command {
        let mut command = common::memtide();
        command
            .args(["need", "--settle", "20ms", "--live"])
            .arg(self.dir.path())
            .args(more)
            .stdin(std::process::Stdio::null());
        command
    }

    pub fn await_high(&self, wanted: impl Fn(&str) -> bool) {
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(120);
        while !wanted(&self.high()) {
            assert!(
                std::time::Instant::now() < patience,
                "it is {}",
                self.high()
            );
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

impl Drop for FakeCgroup {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = self.kernel.take().unwrap().join();
    }
}
