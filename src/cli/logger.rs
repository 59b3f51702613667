//! A logger for `-v`: messages go to stderr, one a line.

use std::io::Write;

struct Stderr;

impl log::Log for Stderr {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        let level = record.level().as_str().to_lowercase();
        // A closed stderr must not end a run.
        let _ = writeln!(std::io::stderr(), "{level}: {}", record.args());
    }

    fn flush(&self) {}
}

/// Warnings always, information from `-v`, all from `-vv`.
pub fn start(verbose: u8) {
    let level = match verbose {
        0 => log::LevelFilter::Warn,
        1 => log::LevelFilter::Info,
        _ => log::LevelFilter::Debug,
    };
    // A second call in one process keeps the first logger.
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(level);
    }
}
