//! Tables of time and value: one thing at several times.

use crate::explain::kinds::Series;
use crate::explain::{Reading, What, clean, names, number};

/// Fewer lines are a coincidence.
const LEAST: usize = 3;

/// Whether most lines of a text are a time and a size.
pub fn is_table(text: &str) -> bool {
    let lines = clean::lines(text);
    let points = lines.iter().filter(|line| point(line).is_some()).count();
    points >= LEAST && points * 3 >= lines.len() * 2
}

/// The series of such a text.
pub fn read(text: &str) -> Option<Reading> {
    if !is_table(text) {
        return None;
    }
    let lines = clean::lines(text);
    let head = lines.iter().take_while(|line| point(line).is_none()).last();
    let row = head.and_then(|line| {
        let mut words = line
            .split([' ', ',', ';', '|'])
            .filter(|word| !word.is_empty());
        words.next_back().map(|word| {
            word.trim_start_matches("container_memory_")
                .trim_end_matches("_bytes")
                .to_string()
        })
    });
    let row = row
        .filter(|row| names::is_stat(row) || names::file_in(row).is_some() || row.contains("set"));
    let row = row.unwrap_or_else(|| "memory".into());
    let mut points: Vec<(f64, u64)> = lines.iter().filter_map(|line| point(line)).collect();
    // A clock without a date passes midnight.
    let mut days = 0.0;
    for at in 1..points.len() {
        points[at].0 += days;
        if points[at].0 < points[at - 1].0 && points[at].0 < 2.0 * DAY {
            points[at].0 += DAY;
            days += DAY;
        }
    }
    let last = points.last()?.1;
    let mut reading = Reading {
        source: "a table of times",
        label: format!("{row} over time"),
        what: What::Series(Series {
            row: row.clone(),
            points,
        }),
        ..Reading::default()
    };
    match row.as_str() {
        "working_set" => reading.working_set = Some(last),
        row if names::is_stat(row) || names::number_file(row).is_some() => {
            reading.rows.set(row, last)
        }
        _ => {}
    }
    Some(reading)
}

const DAY: f64 = 86_400.0;

/// A time and a size at the end of a line.
fn point(line: &str) -> Option<(f64, u64)> {
    let words: Vec<&str> = line
        .split([' ', ',', ';', '|'])
        .map(|word| word.trim_matches(['"', '[', ']']))
        .filter(|word| !word.is_empty())
        .collect();
    let (bytes, used) = match words[..] {
        [.., size, unit] if number::unit(unit).is_some() => {
            (number::scale(size, number::unit(unit)?)?, 2)
        }
        [.., size] => (number::parse(size)?, 1),
        [] => return None,
    };
    let stamp = &words[..words
        .len()
        .checked_sub(used)
        .filter(|left| (1..=2).contains(left))?];
    let time = time(stamp)?;
    // Below a page it is a count or a share.
    (bytes >= 4096).then_some((time, bytes))
}

/// Seconds of an epoch, of a date and a clock, or of a clock.
fn time(words: &[&str]) -> Option<f64> {
    if let [one] = words {
        if let Ok(epoch) = one.parse::<f64>() {
            return match epoch {
                1e9..4e9 => Some(epoch),
                1e12..4e12 => Some(epoch / 1000.0),
                _ => None,
            };
        }
        if let Some((date, clock)) = one.split_once('T') {
            return Some(day(date)? * DAY + seconds(clock.trim_end_matches('Z'))?);
        }
        return seconds(one).or_else(|| Some(day(one)? * DAY));
    }
    let [date, clock] = words else { return None };
    Some(day(date)? * DAY + seconds(clock)?)
}

fn seconds(clock: &str) -> Option<f64> {
    let clock = clock.split(['+', 'Z']).next()?;
    let parts: Vec<f64> = clock
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    match parts[..] {
        [h, m] if h < 25.0 && m < 60.0 => Some(h * 3600.0 + m * 60.0),
        [h, m, s] if h < 25.0 && m < 60.0 => Some(h * 3600.0 + m * 60.0 + s),
        _ => None,
    }
}

/// Days since an epoch of our own: only differences matter.
fn day(date: &str) -> Option<f64> {
    let parts: Vec<i64> = date
        .split(['-', '/'])
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [year, month, day] = parts[..] else {
        return None;
    };
    if !(1970..2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days of the civil calendar, years beginning in March.
    let (y, m) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    Some((365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn clocks_dates_and_epochs() {
        for (text, hours) in [
            (
                "time,working_set\n2024-02-28T23:00:00Z,100MiB\n2024-02-29T01:00:00Z,110MiB\n2024-03-01T00:00:00Z,120MiB\n",
                25.0,
            ),
            (
                "1700000000 80506880\n1700003600 90506880\n1700007200 100506880\n",
                2.0,
            ),
            ("23:00 500 MiB\n23:30 510 MiB\n00:30 520 MiB\n", 1.5),
            (
                "| 2024-01-01 10:00 | 512Mi |\n| 2024-01-01 11:00 | 522Mi |\n| 2024-01-01 12:00 | 532Mi |\n",
                2.0,
            ),
        ] {
            let What::Series(series) = read(text).unwrap().what else {
                panic!("{text}")
            };
            let span = series.points[series.points.len() - 1].0 - series.points[0].0;
            assert_eq!(span / 3600.0, hours, "{text}");
        }
        assert!(!is_table("anon 5000000\nfile 6000000\nslab 7000000\n"));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,120}", rows in "([0-9]{1,12}[-:T ,]?[0-9:]{0,8} [0-9]{1,20}(Mi)?\n){0,5}") {
            read(&text);
            read(&rows);
        }
    }
}
