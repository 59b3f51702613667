//! Writing a log: memtide's `log_write`, `fio`, and a loop around write(2).

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use memtide::workload::{Dist, Fsync, LogWrite, Workload};

use crate::series::{Comparison, Measured, Side, Table, output};
use crate::support::{MIB, actor, step};

pub fn compare(dir: &Path, runs: u32) -> Table {
    let mut table = Table::new("Writing a log into the page cache");
    for (size, total, what) in [
        (128, 64 * MIB, "writes of 128 B, 64 MiB"),
        (4096, 256 * MIB, "writes of 4 KiB, 256 MiB"),
    ] {
        table.add(
            Comparison {
                what,
                unit: "MiB/s",
                goals: &[("fio, psync", ">= 1.0")],
                memtide: Side::new("memtide", || Ok(memtide(dir, size, total))),
                peers: vec![
                    Side::new("fio, psync", || fio(dir, size, total)),
                    Side::new("a loop around write(2)", || bare(dir, size, total)),
                ],
            },
            runs,
        );
    }
    table
}

fn memtide(dir: &Path, size: u64, total: u64) -> f64 {
    let workload = Workload::LogWrite(LogWrite {
        file: "app.log".into(),
        line: Dist::Fixed(size),
        buffer: 0,
        rate: None,
        total: Some(total),
        duration_ms: None,
        fsync: Fsync::Never,
        rotate: None,
        keep_open: false,
    });
    let mut context = actor(dir);
    let start = Instant::now();
    step(&mut context, &workload);
    let seconds = start.elapsed().as_secs_f64();
    let _ = fs::remove_file(dir.join("app.log"));
    (total / MIB) as f64 / seconds
}

/// fio's own figure, without its start; it is spared reading the clock for each write.
fn fio(dir: &Path, size: u64, total: u64) -> Measured {
    let file = dir.join("fio.log");
    let said = output(
        Command::new("fio")
            .args(["--name=log", "--ioengine=psync", "--rw=write", "--direct=0"])
            .args([
                "--fallocate=none",
                "--gtod_reduce=1",
                "--thread",
                "--output-format=json",
            ])
            .arg(format!("--bs={size}"))
            .arg(format!("--size={total}"))
            .arg(format!("--filename={}", file.display())),
        "fio",
    );
    let _ = fs::remove_file(file);
    let said = said?;
    // Notes may stand before and after it.
    let json = said
        .find('{')
        .zip(said.rfind('}'))
        .map(|(from, to)| &said[from..=to]);
    let json: serde_json::Value = serde_json::from_str(json.unwrap_or_default())
        .map_err(|error| format!("fio's answer is not understood: {error}"))?;
    let bytes = json["jobs"][0]["write"]["bw_bytes"].as_f64();
    bytes
        .map(|bytes| bytes / MIB as f64)
        .ok_or_else(|| "fio gave no bandwidth".into())
}

fn bare(dir: &Path, size: u64, total: u64) -> Measured {
    let path = dir.join("bare.log");
    let line = vec![b'x'; size as usize];
    let start = Instant::now();
    let mut how = OpenOptions::new();
    let written = how
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| (0..total / size).try_for_each(|_| file.write_all(&line)));
    let seconds = start.elapsed().as_secs_f64();
    let _ = fs::remove_file(path);
    written.map_err(|error| error.to_string())?;
    Ok((total / MIB) as f64 / seconds)
}
