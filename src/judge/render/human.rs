//! The scorecard in a terminal.

use std::fmt::Write;

use crate::judge::scorecard::{DetectorCard, Scorecard};

use super::{counts, expected, got, maybe_seconds, percent, seconds, table};

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
        None => "one recorded second as long as each recording's time_scale says".to_owned(),
    };
    let realism = match card.realism_seed {
        Some(seed) => format!("; jitter, lost scrapes and stale samples with seed {seed}"),
        None => String::new(),
    };
    format!(
        "A scrape every {} of the detector's time; {scale}{realism}.\n",
        seconds(card.scrape_interval_s)
    )
}

fn detector_table(detector: &DetectorCard) -> String {
    let rows: Vec<Vec<String>> = detector
        .rows
        .iter()
        .map(|row| {
            vec![
                row.recording.clone(),
                expected(row),
                got(row),
                row.verdict.words().to_owned(),
                maybe_seconds(row.lead_s),
                format!("x{}", row.time_scale),
            ]
        })
        .collect();
    let header = ["recording", "expected", "got", "verdict", "lead", "time"];
    let totals = &detector.totals;
    let mut text = format!("{}\n{}", detector.detector, table(&header, &rows));
    let _ = writeln!(text, "\n{}: {}", detector.rows.len(), counts(totals));
    let _ = writeln!(
        text,
        "precision {}, recall {}, F1 {:.2}; lead before the OOM kill: mean {}, least {}",
        percent(totals.precision),
        percent(totals.recall),
        totals.f1,
        maybe_seconds(totals.lead_mean_s),
        maybe_seconds(totals.lead_min_s),
    );
    let _ = write!(text, "\n{}\n{}", setups(detector), confusion(detector));
    text
}

fn setups(detector: &DetectorCard) -> String {
    let rows: Vec<Vec<String>> = detector
        .by_setup
        .iter()
        .map(|(setup, t)| {
            vec![
                setup.clone(),
                percent(t.precision),
                percent(t.recall),
                format!("{:.2}", t.f1),
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
                format!("{:.2}", t.f1),
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
