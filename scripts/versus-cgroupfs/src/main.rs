//! Samples the memory of a cgroup with the crate cgroupfs and prints microseconds a sample.
//! Usage: versus-cgroupfs CGROUP SAMPLES

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use cgroupfs::CgroupReader;

fn main() {
    if let Err(error) = sample() {
        eprintln!("versus-cgroupfs: {error}");
        std::process::exit(1);
    }
}

fn sample() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "usage: versus-cgroupfs CGROUP SAMPLES";
    let path = PathBuf::from(arguments.next().ok_or(usage)?);
    let samples: u32 = arguments.next().ok_or(usage)?.to_str().ok_or(usage)?.parse()?;
    let reader = CgroupReader::new(path)?;
    let start = Instant::now();
    for _ in 0..samples {
        black_box(reader.read_memory_stat()?);
        black_box(reader.read_memory_current()?);
        black_box(reader.read_memory_events()?);
        // A root and some kernels lack these; memtide reads them where they are.
        let _ = black_box(reader.read_memory_high());
        let _ = black_box(reader.read_memory_max());
        let _ = black_box(reader.read_memory_swap_current());
        let _ = black_box(reader.read_memory_pressure());
    }
    println!("{}", start.elapsed().as_secs_f64() * 1e6 / f64::from(samples));
    Ok(())
}
