//! Which machine, and which versions.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::series::output;

/// A paragraph in Markdown.
pub fn describe(workdir: &Path) -> String {
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown CPU".into());
    let cpus = std::thread::available_parallelism().map_or(0, |cpus| cpus.get());
    let ram = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let file_system = output(
        Command::new("findmnt")
            .args(["-n", "-o", "FSTYPE", "-T"])
            .arg(workdir),
        "util-linux",
    );
    let peers = [
        ("fio", &["--version"][..], "fio"),
        ("stress-ng", &["--version"], "stress-ng"),
        ("promtool", &["--version"], "prometheus"),
    ];
    let versions = peers.map(|(program, arguments, package)| {
        match output(Command::new(program).args(arguments), package) {
            Ok(said) => short(&said),
            Err(why) => why,
        }
    });
    format!(
        "memtide {}, {} ({}), Linux {kernel}, {cpus} CPUs ({cpu}), {ram}, files on {}, load {}\n\n{}",
        env!("CARGO_PKG_VERSION"),
        if cfg!(debug_assertions) {
            "a debug build"
        } else {
            "optimized"
        },
        std::env::consts::ARCH,
        file_system.as_deref().map_or("?", str::trim),
        load.join(" "),
        versions.join("; "),
    )
}

/// The first line up to a parenthesis.
fn short(said: &str) -> String {
    let line = said.lines().next().unwrap_or_default();
    line.split(" (").next().unwrap_or(line).trim().into()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().into()
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().into())
}
