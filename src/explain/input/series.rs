//! Tables of time and value: one thing at several times.

use std::collections::HashMap;

use jiff::civil::Date;

use crate::explain::kinds::Series;
use crate::explain::{Reading, What, names, number};

/// Fewer lines are a coincidence.
const LEAST: usize = 3;

/// Whether most lines of a text are a time and a size.
pub fn is_table(lines: &[String]) -> bool {
    let points = lines.iter().filter(|line| point(line).is_some()).count();
    points >= LEAST && points * 3 >= lines.len() * 2
}

/// The series of such a text.
pub fn read(lines: &[String]) -> Option<Reading> {
    if !is_table(lines) {
        return columns(lines);
    }
    let head = lines.iter().take_while(|line| point(line).is_none()).last();
    let metric = head.and_then(|line| {
        let rest = line.split_once("container_memory_")?.1;
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        Some(&rest[..end.unwrap_or(rest.len())])
    });
    let word = head.and_then(|line| {
        let mut words = line.split([' ', ',', ';', '|']);
        words.rfind(|word| !word.is_empty())
    });
    let row = metric
        .or(word)
        .map(|word| names::of_metric(word).to_string())
        .filter(|row| names::is_stat(row) || names::file_in(row).is_some() || row.contains("set"));
    // `10:00:00 VmRSS: 512000 kB` names it in each line.
    let named = || {
        let line = lines.iter().find(|line| point(line).is_some())?;
        let mut words = line.split_whitespace();
        let word = words.find_map(|word| word.strip_suffix(':'))?;
        let name = word.starts_with(|c: char| c.is_ascii_alphabetic());
        name.then(|| word.to_string())
    };
    let row = row.or_else(named).unwrap_or_else(|| "memory".into());
    let points: Vec<(f64, u64)> = lines.iter().filter_map(|line| point(line)).collect();
    let last = points.last()?.1;
    let mut reading = over_time(&row, points);
    match row.as_str() {
        "working_set" => reading.working_set = Some(last),
        row if names::is_stat(row) || names::number_file(row).is_some() => {
            reading.rows.set(row, last)
        }
        _ => {}
    }
    Some(reading)
}

/// The reading of a row's times; a clock without a date may pass midnight in it.
fn over_time(row: &str, mut points: Vec<(f64, u64)>) -> Reading {
    past_midnight(&mut points);
    let (label, series) = (format!("{row} over time"), Series::of(row, points));
    Reading::told("a table of times", label, What::Series(series))
}

/// The cells of a line of a table: between bars, commas, semicolons or spaces.
fn cells(line: &str) -> Vec<&str> {
    let mut signs = ['|', ';', ','].into_iter();
    let mut parts: Vec<&str> = match signs.find(|sign| line.contains(*sign)) {
        Some(sign) => line.trim_matches([sign, ' ']).split(sign).collect(),
        None => line.split_whitespace().collect(),
    };
    for cell in &mut parts {
        *cell = cell.trim().trim_matches(['"', '*', '`']);
    }
    parts.retain(|cell| !cell.is_empty());
    parts
}

/// Seconds of a cell: a clock or date, or a number under a heading that names a unit of time.
fn instant(cell: &str, heading: &str) -> Option<f64> {
    let words: Vec<&str> = cell.split(' ').collect();
    if let Some(at) = time(&words) {
        return Some(at);
    }
    let heading = heading.to_lowercase();
    let units = [
        ("sec", 1.0),
        ("min", 60.0),
        ("hour", 3600.0),
        ("day", DAY),
        ("week", 7.0 * DAY),
    ];
    let (_, unit) = units.iter().find(|(name, _)| heading.contains(name))?;
    let digits = cell.trim_end_matches(|c: char| c.is_alphabetic());
    let number: f64 = digits.trim().parse().ok()?;
    number.is_finite().then_some(number * unit)
}

/// Bytes of a cell: with a unit, or under a heading that has one (`RSS (MB)`, `rss_mb`).
fn sized(cell: &str, heading: &str) -> Option<u64> {
    let plain = cell.parse::<f64>().is_ok();
    let mut names = heading
        .split([' ', '(', ')', '[', ']', '_', '/', ','])
        .rev();
    match names.find_map(number::unit).filter(|_| plain) {
        Some(unit) => number::scale(cell, unit),
        None => super::told::size(cell).filter(|_| !plain),
    }
}

/// A table with a heading, a column of times and columns of sizes: the column that changed most.
fn columns(lines: &[String]) -> Option<Reading> {
    // The heading is the last line of as many cells before the first row.
    for at in 0..lines.len().min(40) {
        let head = cells(&lines[at]);
        if !(2..=12).contains(&head.len()) || instant(head[0], "").is_some() {
            continue;
        }
        let rule = |line: &&String| line.chars().all(|c| "|-: +=".contains(c));
        let rows = lines[at + 1..]
            .iter()
            .skip_while(rule)
            .map(|line| cells(line));
        let rows: Vec<Vec<&str>> = rows
            .take_while(|row| row.len() == head.len() && instant(row[0], head[0]).is_some())
            .collect();
        if rows.len() < LEAST {
            continue;
        }
        let series = (1..head.len()).filter_map(|column| {
            let point = |row: &Vec<&str>| {
                Some((instant(row[0], head[0])?, sized(row[column], head[column])?))
            };
            let points: Option<Vec<_>> = rows.iter().map(point).collect();
            Some((head[column], points?))
        });
        let change = |points: &[(f64, u64)]| points[0].1.abs_diff(points[points.len() - 1].1);
        let Some((name, points)) = series.max_by_key(|(_, points)| change(points)) else {
            continue;
        };
        let unit = |word: &&str| number::unit(word.trim_matches(['(', ')', '[', ']'])).is_none();
        let row = name.split(' ').filter(unit).collect::<Vec<_>>().join(" ");
        let row = if row.is_empty() { "memory" } else { &row };
        return Some(over_time(row, points));
    }
    None
}

/// What a tool printed several times for the same thing becomes one series; the one that changed
/// most comes first. Each reading has the number of the table it is from.
pub fn repeated(found: Vec<(Reading, usize)>) -> Vec<Reading> {
    let mut out: Vec<Reading> = Vec::with_capacity(found.len());
    let mut groups: HashMap<(&'static str, String), Vec<(Reading, usize)>> = HashMap::new();
    let mut order = Vec::new();
    for (reading, table) in found {
        let key = (reading.source, reading.label.clone());
        let group = groups.entry(key.clone()).or_default();
        if group.is_empty() {
            order.push(key);
        }
        group.push((reading, table));
    }
    let mut series = Vec::new();
    for key in order {
        let group = groups.remove(&key).unwrap_or_default();
        // Two rows of one table are two things of the same name.
        let mut pairs = group.windows(2);
        let apart = pairs.all(|two| two[0].1 != two[1].1 || two[0].0.at != two[1].0.at);
        match joined(&group).filter(|_| group.len() > 1 && apart) {
            Some(reading) => series.push(reading),
            None => out.extend(group.into_iter().map(|(reading, _)| reading)),
        }
    }
    let change = |reading: &Reading| match &reading.what {
        What::Series(Series { points, .. }) => match &points[..] {
            [first, .., last] => first.1.abs_diff(last.1),
            _ => 0,
        },
        _ => 0,
    };
    series.sort_by_key(|reading| std::cmp::Reverse(change(reading)));
    series.extend(out);
    series
}

fn joined(group: &[(Reading, usize)]) -> Option<Reading> {
    let mut last = group.last()?.0.clone();
    let of = |reading: &Reading| {
        let row = |name: &str| reading.rows.get(name);
        (reading.working_set.map(|bytes| ("The working set", bytes)))
            .or(row("usage").map(|bytes| ("The usage", bytes)))
            .or(row("node:Used").map(|bytes| ("Used memory", bytes)))
            .or(row("shown").map(|bytes| ("What is printed", bytes)))
    };
    let (row, _) = of(&last)?;
    let untimed = group.iter().any(|(reading, _)| reading.at.is_none());
    let mut points: Vec<(f64, u64)> = Vec::with_capacity(group.len());
    for (index, (reading, _)) in group.iter().enumerate() {
        let (_, bytes) = of(reading)?;
        let at = reading.at.filter(|_| !untimed).unwrap_or(index as f64);
        points.push((at, bytes));
    }
    past_midnight(&mut points);
    last.what = What::Series(Series {
        untimed,
        ..Series::of(row, points)
    });
    Some(last)
}

/// A clock without a date passes midnight.
fn past_midnight(points: &mut [(f64, u64)]) {
    let mut days = 0.0;
    for at in 1..points.len() {
        points[at].0 += days;
        if points[at].0 < points[at - 1].0 && points[at].0 < 2.0 * DAY {
            points[at].0 += DAY;
            days += DAY;
        }
    }
}

/// The time a line begins with, or consists of, and the rest of it.
pub fn stamped(line: &str) -> (Option<f64>, &str) {
    let trimmed = line.trim_start_matches(['[', '#', ' ']);
    let first = trimmed.split(' ').next().unwrap_or("");
    if first.starts_with(|c: char| c.is_ascii_digit()) && first.contains([':', '-', '/']) {
        let rest = trimmed[first.len()..].trim_start();
        let second = rest.split(' ').next().unwrap_or("").trim_end_matches(']');
        let first = first.trim_end_matches([']', ',']);
        if let Some(at) = time(&[first, second]) {
            let rest = rest[second.len()..].trim_start_matches([']', ' ']);
            return (Some(at), rest);
        }
        return match time(&[first]) {
            Some(at) => (Some(at), rest),
            None => (None, line),
        };
    }
    match dated(line) {
        Some(at) => (Some(at), ""),
        None => (None, line),
    }
}

/// The instant inside of a record: `"time":"2026-05-10T09:34:24.214Z"`.
pub fn inside(line: &str) -> Option<f64> {
    line.match_indices('T').find_map(|(at, _)| {
        let from = at.checked_sub(10)?;
        let rest = line.get(from..)?;
        let end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | 'T')));
        time(&[&rest[..end.unwrap_or(rest.len())]])
    })
}

/// The line of `date`, or of the head of `watch`: `Mon Apr  4 16:06:47 UTC 2022`.
fn dated(line: &str) -> Option<f64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    if line.bytes().filter(|byte| *byte == b':').count() < 2 {
        return None;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    if words.len() > 16 {
        return None;
    }
    let words_back = || words.iter().rev();
    let clock = |word: &&str| (word.matches(':').count() == 2).then(|| seconds(word))?;
    let clock = words_back().find_map(clock)?;
    let month = |word: &&str| MONTHS.iter().position(|month| word.starts_with(month));
    let month = words_back().find_map(month)?;
    let number = |range: std::ops::Range<u32>| {
        words_back().find_map(|word| {
            let number = word.trim_end_matches(',').parse::<u32>().ok()?;
            range.contains(&number).then_some(number)
        })
    };
    let (date, year) = (number(1..32)?, number(1970..2200)?);
    let afternoon = words.contains(&"PM") && clock < DAY / 2.0;
    let noon = if afternoon { DAY / 2.0 } else { 0.0 };
    Some(day(&format!("{year}-{}-{date}", month + 1))? * DAY + clock + noon)
}

const DAY: f64 = 86_400.0;

/// A time and a size at the end of a line.
fn point(line: &str) -> Option<(f64, u64)> {
    // A time begins with a digit.
    let first = line.trim_start_matches([' ', ',', ';', '|', '"', '[', ']']);
    if !first.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let words = line.split([' ', ',', ';', '|']);
    let words = words.map(|word| word.trim_matches(['"', '[', ']']));
    let mut words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    // `10:00:00 VmRSS: 512000 kB`.
    let is_name = |word: &&str| word.ends_with(':') && word.len() > 3;
    if let Some(at @ 1..=2) = words.iter().position(is_name) {
        words.remove(at);
    }
    let (bytes, stamp) = match words[..] {
        [ref stamp @ .., size, unit] if number::unit(unit).is_some() => {
            (number::apart(size, unit)?, stamp)
        }
        [ref stamp @ .., size] => (number::parse(size)?, stamp),
        [] => return None,
    };
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

/// An epoch of our own: only differences matter.
const EPOCH: Date = Date::constant(0, 2, 29);

/// Days since then.
fn day(date: &str) -> Option<f64> {
    let mut parts = date.split(['-', '/']);
    let year = parts.next()?.parse().ok()?;
    let (month, day) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let date = Date::new(year, month, day).ok()?;
    let fits = (1970..2200).contains(&year) && parts.next().is_none();
    fits.then(|| date.duration_since(EPOCH).as_secs_f64() / DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<Reading> {
        super::read(&crate::explain::clean::lines(text))
    }

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
        assert_eq!(stamped("Mon Apr  1 10:00:00 UTC 2024").1, "");
        let apart = |a: &str, b: &str| stamped(b).0.zip(stamped(a).0).map(|(b, a)| b - a);
        assert_eq!(
            apart(
                "Mon Apr  1 10:00:00 UTC 2024",
                "Every 2.0s: kubectl top pod  h: Tue Apr  2 09:00:00 2024"
            ),
            Some(23.0 * 3600.0)
        );
        assert_eq!(
            stamped("2024-05-01T10:00:00Z web-1 5m 512Mi").1,
            "web-1 5m 512Mi"
        );
        assert_eq!(stamped("web-1 5m 512Mi"), (None, "web-1 5m 512Mi"));
        assert!(read("anon 5000000\nfile 6000000\nslab 7000000\n").is_none());
    }

    #[test]
    fn a_heading_names_the_units() {
        for (text, row, hours, last) in [
            (
                "Hours  MB\n0      12\n24     58\n48     103\n72     151\n",
                "memory",
                72.0,
                151_000_000,
            ),
            (
                "\"Time\",\"api\",\"worker\"\n2024-05-01 10:00:00,412 MiB,98.1 MiB\n2024-05-01 11:00:00,455 MiB,98.3 MiB\n2024-05-01 12:00:00,501 MiB,98.2 MiB\n",
                "api",
                2.0,
                501 << 20,
            ),
            (
                "| day | RSS (GiB) | cpu |\n|---|---|---|\n| 1 | 1.5 | 3 |\n| 2 | 2.0 | 5 |\n| 3 | 2.5 | 4 |\n",
                "RSS",
                48.0,
                5 << 29,
            ),
        ] {
            let What::Series(series) = read(text).unwrap_or_else(|| panic!("{text}")).what else {
                panic!("{text}")
            };
            let (first, end) = (series.points[0], series.points[series.points.len() - 1]);
            assert_eq!(
                (series.row.as_str(), (end.0 - first.0) / 3600.0, end.1),
                (row, hours, last),
                "{text}"
            );
        }
        assert!(read("Name MB\nweb 12\ndb 58\ncache 103\n").is_none());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,120}", rows in "([0-9]{1,12}[-:T ,]?[0-9:]{0,8} [0-9]{1,20}(Mi)?\n){0,5}") {
            read(&text);
            read(&rows);
        }
    }
}
