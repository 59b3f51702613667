//! The scorecard in a terminal.

use std::fmt::Write;

use crate::judge::scorecard::{DetectorCard, Row, Scorecard};

use super::{clock, counts, maybe_seconds, percent, seconds, table};

/// All of it: how it was scraped, then a table a detector, then the totals of all.
pub fn human(card: &Scorecard) -> String {
    let mut text = scraped(card);
    for detector in &card.detectors {
        // A String takes all that is written to it.
        let _ = write!(text, "\n{}\n", detector_table(detector));
    }
    if card.detectors.len() > 1 {
        let _ = write!(text, "\n{}", totals_table(&card.detectors));
    }
    for (name, reason) in &card.skipped {
        let _ = writeln!(text, "skipped: {name}: {reason}");
    }
    text
}

/// How the recordings were shown to the detectors.
pub(super) fn scraped(card: &Scorecard) -> String {
    let scale = match card.time_scale {
        Some(scale) => format!(
            "--time-scale {scale}: one recorded second is {}",
            seconds(scale)
        ),
        None => "time runs as fast as each recording says".to_owned(),
    };
    let realism = match card.realism_seed {
        Some(seed) => format!("; jitter, lost scrapes and stale samples with seed {seed}"),
        None => String::new(),
    };
    let labels: Vec<String> = card
        .set
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let set = match labels.is_empty() {
        true => String::new(),
        false => format!("; every series has {}", labels.join(", ")),
    };
    let size = card.scale_to.map_or_else(String::new, |size| {
        format!(
            "; all sizes are scaled to a limit of {}",
            crate::units::bytes(size)
        )
    });
    format!(
        "A scrape every {} of the detector's time; {scale}{realism}{set}{size}.\n",
        seconds(card.scrape_interval_s)
    )
}

/// Wide enough for 120 columns: set-ups are headings, times are clocks, errors stand below.
fn detector_table(detector: &DetectorCard) -> String {
    let usual = usual_scale(&detector.rows);
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut errors: Vec<&str> = Vec::new();
    let mut reasons: Vec<&str> = Vec::new();
    for (at, row) in detector.rows.iter().enumerate() {
        if at == 0 || detector.rows[at - 1].setup != row.setup {
            rows.push(vec![row.setup.clone()]);
        }
        let own = row.recording.strip_prefix(&format!("{}/", row.setup));
        let scale = match row.time_scale {
            scale if scale == usual => String::new(),
            scale => format!(" (x{scale})"),
        };
        rows.push(vec![
            format!("  {}{scale}", own.unwrap_or(&row.recording)),
            expected_clock(row),
            got_clock(row, &mut errors, &mut reasons),
            row.verdict.words().to_owned(),
            row.lead_s.map_or_else(|| "-".to_owned(), clock),
        ]);
    }
    let header = ["recording", "expected", "got", "verdict", "lead"];
    let mut text = format!(
        "{}: one recorded second is {} (x{usual}) unless another factor stands there; times are h:mm:ss\n",
        detector.detector,
        seconds(usual)
    );
    text += &table(&header, &rows);
    if errors.len() > ERRORS_SHOWN {
        let _ = writeln!(text, "{} errors, of which:", errors.len());
    }
    for (at, error) in errors.iter().enumerate().take(ERRORS_SHOWN) {
        let short: String = error.chars().take(ERROR_MAX).collect();
        let rest = if short.len() < error.len() { "..." } else { "" };
        let _ = writeln!(text, "error {}: {short}{rest}", at + 1);
    }
    text += &first_firings(detector, &reasons);
    let totals = &detector.totals;
    let _ = writeln!(text, "\n{}: {}", detector.rows.len(), counts(totals));
    let _ = writeln!(
        text,
        "precision {}, recall {}, F1 {}; lead before the OOM kill: mean {}, least {}",
        percent(totals.precision),
        percent(totals.recall),
        totals.f1_told(),
        maybe_seconds(totals.lead_mean_s),
        maybe_seconds(totals.lead_min_s),
    );
    let _ = write!(text, "\n{}\n{}", setups(detector), confusion(detector));
    text
}

/// So many different errors are printed.
const ERRORS_SHOWN: usize = 8;
/// The most of an error's text that is shown; the JSON has all of it.
const ERROR_MAX: usize = 400;

/// The time scale most rows have.
fn usual_scale(rows: &[Row]) -> f64 {
    let count = |scale: f64| rows.iter().filter(|row| row.time_scale == scale).count();
    let scales = rows.iter().map(|row| row.time_scale);
    scales.max_by_key(|scale| count(*scale)).unwrap_or(1.0)
}

/// `fire (leak) 0:01:00-0:16:40`, or `quiet (page_cache)`.
fn expected_clock(row: &Row) -> String {
    let (class, onset) = (row.class, clock(row.expected.onset_s));
    match (row.expected.fire, row.expected.oom_s) {
        (false, _) => format!("quiet ({class})"),
        (true, Some(oom)) => format!("fire ({class}) {onset}-{}", clock(oom)),
        (true, None) => format!("fire ({class}) from {onset}"),
    }
}

/// `fired 0:12:30 (leak)`, `quiet`, or the number of the error.
fn got_clock<'a>(row: &'a Row, errors: &mut Vec<&'a str>, reasons: &mut Vec<&'a str>) -> String {
    let number = |text: &'a str, all: &mut Vec<&'a str>| {
        let known = all.iter().position(|known| *known == text);
        let at = known.unwrap_or_else(|| {
            all.push(text);
            all.len() - 1
        });
        at + 1
    };
    if let Some(reason) = row.not_judged.as_deref() {
        return format!("reason {}", number(reason, reasons));
    }
    if let Some(error) = row.error.as_deref() {
        return format!("error {}", number(error, errors));
    }
    let said = row.said.map_or_else(String::new, |c| format!(" ({c})"));
    match row.fired_at_s {
        Some(t) => format!("fired {}{said}", clock(t)),
        None => format!("quiet{said}"),
    }
}

/// Why rows were not judged, and on what the others first fired.
fn first_firings(detector: &DetectorCard, reasons: &[&str]) -> String {
    let mut text = String::new();
    for (at, reason) in reasons.iter().enumerate() {
        let _ = writeln!(text, "not judged, reason {}: {reason}", at + 1);
    }
    let fired = detector
        .rows
        .iter()
        .filter_map(|row| Some((row, row.why.as_ref()?)));
    let lines: Vec<String> = fired
        .map(|(row, why)| {
            let at = row.fired_at_s.map_or_else(String::new, clock);
            format!("  {} at {at}: {}\n", row.recording, why.words())
        })
        .collect();
    if !lines.is_empty() {
        text += "first fired on:\n";
    }
    text.extend(lines.iter().take(FIRINGS_SHOWN).map(String::as_str));
    if lines.len() > FIRINGS_SHOWN {
        let _ = writeln!(
            text,
            "  and {} more: --format json has all",
            lines.len() - FIRINGS_SHOWN
        );
    }
    text
}

/// So many first firings are printed.
const FIRINGS_SHOWN: usize = 40;

fn setups(detector: &DetectorCard) -> String {
    let rows: Vec<Vec<String>> = detector
        .by_setup
        .iter()
        .map(|(setup, t)| {
            vec![
                setup.clone(),
                percent(t.precision),
                percent(t.recall),
                t.f1_told(),
                counts(t),
            ]
        })
        .collect();
    table(
        &["set-up", "precision", "recall", "F1", "recordings"],
        &rows,
    )
}

fn confusion(detector: &DetectorCard) -> String {
    let rows: Vec<Vec<String>> = detector
        .confusion
        .iter()
        .map(|c| {
            let said = c.said.map_or("(no class)", |s| s.as_str());
            vec![c.class.to_string(), said.to_owned(), c.count.to_string()]
        })
        .collect();
    table(&["it was", "called", "times"], &rows)
}

fn totals_table(detectors: &[DetectorCard]) -> String {
    let rows: Vec<Vec<String>> = detectors
        .iter()
        .map(|d| {
            let t = &d.totals;
            vec![
                d.detector.clone(),
                percent(t.precision),
                percent(t.recall),
                t.f1_told(),
                maybe_seconds(t.lead_mean_s),
                maybe_seconds(t.lead_min_s),
                counts(t),
            ]
        })
        .collect();
    let header = [
        "detector",
        "precision",
        "recall",
        "F1",
        "lead",
        "least",
        "recordings",
    ];
    table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::scorecard::testing::row;
    use crate::judge::verdict::Judgement;

    #[test]
    fn the_scale_of_most_rows_is_said_once_and_others_beside_their_row() {
        let at = |time_scale: f64| Row {
            time_scale,
            ..row(false, Judgement::Quiet, None)
        };
        let rows = vec![at(5.0), at(60.0), at(60.0)];
        assert_eq!((usual_scale(&rows), usual_scale(&[])), (60.0, 1.0));
        let text = detector_table(&DetectorCard::new("one".into(), rows, Vec::new()));
        assert!(text.contains("one recorded second is 60 s (x60)"), "{text}");
        assert_eq!(
            (text.matches("(x5)").count(), text.matches("(x60)").count()),
            (1, 1)
        );
    }
}
