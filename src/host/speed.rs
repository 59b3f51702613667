//! How fast this machine is, for deadlines that were meant for a laptop.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

/// Pages read: 2 to 4 ms on a laptop, 50 ms under software emulation.
const PAGES: u32 = 5_000;
/// A 4 KiB read of `/dev/zero` on a laptop: a system call and a page of memory written, which is
/// what workloads are made of.
const LAPTOP: Duration = Duration::from_nanos(600);

/// How many times slower than a laptop this machine is; below 1 where it is faster, 1 where it
/// can't be measured.
pub fn slowness() -> f64 {
    let mut page = [0; 4096];
    let Ok(mut zero) = File::open("/dev/zero") else {
        return 1.0;
    };
    let start = Instant::now();
    for _ in 0..PAGES {
        if zero.read_exact(&mut page).is_err() {
            return 1.0;
        }
        std::hint::black_box(&page);
    }
    start.elapsed().as_secs_f64() / (LAPTOP * PAGES).as_secs_f64()
}
