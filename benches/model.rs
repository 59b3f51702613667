//! What the kernel model costs: the catalogue on each card with recordings, and pod-weeks.
//!
//! CPU time of one thread, the least of several rounds; nothing is written. A pod-week is 40,320
//! scrapes 15 s apart, from the fleet's own driver. Expect all scenarios of a card below 50 ms, a
//! pod-week below 5 ms for a service below its limit and below 15 ms for one at it.
//!
//! `cargo bench --bench model` (`-- --quick`: one round).

use std::time::Duration;

use memtide::fleet::{self, Drive, Pod};
use memtide::model::{self, card};
use memtide::scenario::{self, Overrides, Scenario};
use nix::time::{ClockId, clock_gettime};

/// Seconds between two scrapes.
const SCRAPE_S: f64 = 15.0;
/// Scrapes of a week.
const WEEK: u32 = 40_320;

/// Pods by what they do; the first three stay below their limit.
const PODS: [(&str, &str); 6] = [
    (
        "heap, no log",
        "live = \"40%\"\nlog = \"1B/s\"\nreaders = 0",
    ),
    (
        "heap that follows the day, GC, log of 20 KiB/s, rotated, a shipper",
        "live = \"30%\"\nday = \"30%\"\ngc = \"10%\"\ngc_every = \"10m\"\nlog = \"20KiB/s\"\nrotate = \"10MiB\"\nkeep = 3\nreaders = 1",
    ),
    (
        "the same, given back with MADV_FREE",
        "live = \"30%\"\nday = \"30%\"\ngc = \"10%\"\ngc_every = \"10m\"\nlazy = \"100%\"\nlog = \"20KiB/s\"\nrotate = \"10MiB\"\nkeep = 3\nreaders = 1",
    ),
    (
        "log of 640 KiB/s that fills the limit, a shipper",
        "live = \"20%\"\nlog = \"640KiB/s\"\nrotate = \"100MiB\"\nkeep = 8\nreaders = 1",
    ),
    (
        "the same, two readers",
        "live = \"20%\"\nlog = \"640KiB/s\"\nrotate = \"100MiB\"\nkeep = 8\nreaders = 2",
    ),
    (
        "the same, two readers, MADV_FREE, follows the day",
        "live = \"20%\"\nday = \"30%\"\nlazy = \"100%\"\nlog = \"640KiB/s\"\nrotate = \"100MiB\"\nkeep = 8\nreaders = 2",
    ),
];

const CARDS: [&str; 4] = ["3.10-v1", "6.1-v2", "6.12-v2", "6.12-v2-mglru"];

fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Whether `--quick` is among the arguments, as criterion's benches know it.
fn rounds() -> u32 {
    match std::env::args().any(|argument| argument == "--quick") {
        true => 1,
        false => 7,
    }
}

/// The least CPU time of some rounds, milliseconds.
fn least(mut work: impl FnMut()) -> f64 {
    let times = (0..rounds()).map(|_| {
        let start = thread_cpu();
        work();
        thread_cpu() - start
    });
    times.min().unwrap_or_default().as_secs_f64() * 1e3
}

fn scenarios() -> Vec<Scenario> {
    let entries = scenario::catalogue().iter();
    entries
        .map(|entry| entry.parse(Overrides::default()).expect(entry.name))
        .collect()
}

fn catalogue() {
    let all = scenarios();
    println!("all scenarios of the catalogue, ms of CPU:");
    for card in card::all().expect("cards are read") {
        if !card.recorded {
            continue;
        }
        let can: Vec<&Scenario> = all
            .iter()
            .filter(|scenario| model::check(scenario, &card).is_ok())
            .collect();
        let ms = least(|| {
            for scenario in &can {
                std::hint::black_box(model::predict(scenario, &card).expect("it was checked"));
            }
        });
        println!("  {:16} {ms:8.1}  ({} scenarios)", card.name, can.len());
        if std::env::args().any(|argument| argument == "--each") {
            for scenario in &can {
                let ms = least(|| {
                    std::hint::black_box(model::predict(scenario, &card).expect("checked"));
                });
                println!("    {:24} {ms:8.2}", scenario.name);
            }
        }
    }
}

/// A fleet of one pod without a fault.
fn fleet_of(what: &str, card: &str) -> String {
    format!(
        "title = \"bench\"\npods = 1\ndays = 7\nseed = 1\ncards = [\"{card}\"]\n\n[[service]]\nname = \"one\"\nweight = 1\n\
         limit = \"256MiB\"\nline = \"128B\"\nrestart_every = \"10000h\"\n{what}\n"
    )
}

fn pod_weeks() {
    println!("a pod-week at 15 s, limit 256 MiB, ms of CPU:");
    println!(
        "  {:68} {}",
        "",
        CARDS.map(|card| format!("{card:>14}")).join("")
    );
    for (name, what) in PODS {
        let times = CARDS.map(|card| {
            let fleet = fleet::parse(&fleet_of(what, card), "bench.toml").expect(name);
            let pod = Pod::draw(&fleet, 0);
            let mut sum = 0;
            let ms = least(|| {
                let mut drive = Drive::new(&pod, SCRAPE_S);
                for scrape in 1..=WEEK {
                    drive.step(f64::from(scrape) * SCRAPE_S);
                    sum ^= drive.rows()[0];
                }
            });
            std::hint::black_box(sum);
            format!("{ms:14.2}")
        });
        println!("  {name:68} {}", times.join(""));
    }
}

fn main() {
    catalogue();
    pod_weeks();
}
