//! `memtide replay`: a recording as if it happened now, for Prometheus and dashboards.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::Exit;
use super::common::load_recording;
use super::metrics::Listen;
use crate::harness::Observer;
use crate::metrics::Publisher;
use crate::recording::{Event, Recording};
use crate::units;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A recording's file, or one that comes with memtide (`6.1-v1/log-write`).
    #[arg(value_name = "RECORDING")]
    recording: PathBuf,
    /// Times faster than a detector's clock, which is the recorded clock times the scenario's
    /// `time_scale`.
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: f64,
    /// Show the last sample for this long after the end, so that a slow scraper sees it.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = units::parse_duration)]
    hold: Duration,
    #[command(flatten)]
    listen: Listen,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("give a number above 0: 60 plays a minute in a second".into()),
    }
}

/// Plays it and ends.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let recording = load_recording(&args.recording)?;
    let Some(publisher) = args.listen.start()? else {
        bail!("nobody could see the replay: give --metrics-listen 127.0.0.1:9123");
    };
    let tape = Tape::new(&recording, args.speed);
    let scale = recording.header.time_scale;
    writeln!(
        std::io::stderr(),
        "replay: {} ({:.1} s recorded, each standing for {scale} s) at speed {} takes {:.1} s",
        recording.header.scenario,
        tape.end() as f64 / 1e9,
        args.speed,
        tape.wall(tape.end()).as_secs_f64(),
    )?;
    tape.play(publisher);
    std::thread::sleep(args.hold);
    Ok(Exit::Ok)
}

/// What happens next on a tape.
enum Moment<'a> {
    Sample(usize, usize),
    Event(&'a Event),
}

/// A recording's samples and events in the order of their times.
struct Tape<'a> {
    recording: &'a Recording,
    moments: Vec<(u64, Moment<'a>)>,
    /// The first moment: at slow speeds it would be a long wait with nothing to see.
    start: u64,
    /// Wall-clock seconds for a recorded second.
    pace: f64,
}

impl<'a> Tape<'a> {
    fn new(recording: &'a Recording, speed: f64) -> Self {
        let tables = recording.tables.iter().enumerate();
        let samples = tables.flat_map(|(group, table)| {
            let times = table.t.iter().enumerate();
            times.map(move |(sample, t)| (*t, Moment::Sample(group, sample)))
        });
        let events = recording.events.iter().map(|e| (e.t, Moment::Event(e)));
        let mut moments: Vec<_> = samples.chain(events).collect();
        moments.sort_by_key(|(t, _)| *t);
        let pace = recording.header.time_scale / speed;
        let start = moments.first().map_or(0, |(t, _)| *t);
        Tape {
            recording,
            moments,
            start,
            pace,
        }
    }

    fn end(&self) -> u64 {
        self.moments.last().map_or(0, |(t, _)| *t)
    }

    fn wall(&self, t: u64) -> Duration {
        // A century replaces what no duration can hold.
        Duration::try_from_secs_f64(t.saturating_sub(self.start) as f64 / 1e9 * self.pace)
            .unwrap_or(Duration::from_secs(3_153_600_000))
    }

    fn play(&self, mut to: Publisher) {
        to.begin(&self.recording.header);
        // The header's columns are those of the beginning; the tables have all.
        let mut groups = self.recording.header.groups.clone();
        for (group, table) in groups.iter_mut().zip(&self.recording.tables) {
            group.columns.clone_from(&table.columns);
        }
        to.groups(&groups);
        let start = Instant::now();
        for (t, moment) in &self.moments {
            let due = self.wall(*t);
            if let Some(left) = due.checked_sub(start.elapsed()) {
                std::thread::sleep(left);
            }
            match moment {
                Moment::Event(event) => to.event(event),
                Moment::Sample(group, sample) => {
                    let table = &self.recording.tables[*group];
                    let width = table.columns.len();
                    to.sample(
                        *group,
                        *t,
                        &table.values[sample * width..(sample + 1) * width],
                    );
                }
            }
        }
    }
}
