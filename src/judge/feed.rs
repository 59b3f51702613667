//! What a detector is given: a recording as scrapes at an interval of the detector's time.

use std::io::{self, Write};

use crate::export::cadvisor::number;
use crate::export::labels::{pairs, selector};
use crate::export::orchestrator;
use crate::export::promtool::Round;
use crate::export::{Dress, Naming, Pages};
use crate::recording::Recording;

use super::realism::{self, Look, Realism};

/// How recordings are scraped.
#[derive(Debug, Clone, PartialEq)]
pub struct Scraping {
    /// Seconds of the detector's time between scrapes.
    pub interval_s: f64,
    /// Replaces the recordings' own `time_scale` (detector seconds a recorded second).
    pub time_scale: Option<f64>,
    /// Jitter, missing scrapes and stale samples; none is an ideal world.
    pub realism: Option<Realism>,
    /// Labels and sizes to show instead of the recordings' own.
    pub dress: Dress,
}

impl Default for Scraping {
    fn default() -> Self {
        Scraping {
            interval_s: 15.0,
            time_scale: None,
            realism: None,
            dress: Dress::default(),
        }
    }
}

/// More scrapes of one recording are not made: that many every 15 s are more than a month.
pub const SCRAPES_MAX: usize = 200_000;

/// Why a recording can't be scraped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FeedError {
    /// No detector time follows from such a scale.
    #[error("its time_scale is {0}: give a positive one with --time-scale")]
    Scale(f64),
    /// It would never end.
    #[error(
        "it would take {0:.0} scrapes, more than {SCRAPES_MAX}: give a longer --scrape-interval or \
         a smaller --time-scale"
    )]
    TooLong(f64),
    /// Between two scrapes nothing is seen: what was judged on it would be right or wrong by default.
    #[error(
        "it lasts {lasts_s:.1} s of the detector's time, and no scrape falls into it (one every {interval_s} s): give a \
         shorter --scrape-interval or a larger --time-scale"
    )]
    TooShort {
        /// Detector seconds.
        lasts_s: f64,
        /// Detector seconds.
        interval_s: f64,
    },
    /// There is no limit to scale from.
    #[error("no container of it has a limit, so --scale-to has nothing to scale from")]
    NoLimit,
}

/// Whether a recording can be scraped so.
pub fn check(recording: &Recording, scraping: &Scraping) -> Result<(), FeedError> {
    let scale = scraping.time_scale.unwrap_or(recording.header.time_scale);
    if !(scale.is_finite() && scale > 0.0) {
        return Err(FeedError::Scale(scale));
    }
    if scraping.dress.size_scale(recording).is_none() {
        return Err(FeedError::NoLimit);
    }
    let scrapes = lasts_s(recording, scale) / scraping.interval_s;
    if scrapes < SCRAPES_MAX as f64 {
        Ok(())
    } else {
        Err(FeedError::TooLong(scrapes))
    }
}

/// Whether a scrape of it sees something: the first is at its start, when no sample is there yet.
pub fn check_length(recording: &Recording, scraping: &Scraping) -> Result<(), FeedError> {
    let scale = scraping.time_scale.unwrap_or(recording.header.time_scale);
    let (lasts_s, interval_s) = (lasts_s(recording, scale), scraping.interval_s);
    match lasts_s < interval_s {
        true => Err(FeedError::TooShort {
            lasts_s,
            interval_s,
        }),
        false => Ok(()),
    }
}

/// From its start to its last sample, detector seconds.
fn lasts_s(recording: &Recording, scale: f64) -> f64 {
    recording.last_sample().unwrap_or(0) as f64 / 1e9 * scale
}

/// A recording made ready for judging.
pub struct Feed<'a> {
    /// Labels and times.
    pub pages: Pages<'a>,
    /// The scrapes in time order.
    pub rounds: Vec<Round>,
}

impl<'a> Feed<'a> {
    /// Scrapes a recording, at most [`SCRAPES_MAX`] times (see [`check`]). `key` separates the random numbers of one recording from another's.
    pub fn new(recording: &'a Recording, scraping: &Scraping, key: &str) -> Self {
        let scale = scraping.time_scale.unwrap_or(recording.header.time_scale);
        let pages = Pages::new(recording, Naming::Neutral, scale).dressed(&scraping.dress);
        let groups = recording.tables.len();
        let plan = match &scraping.realism {
            None => ideal(&pages, scraping.interval_s),
            Some(realism) => realism::plan(
                realism,
                key,
                pages.end().min(SCRAPES_MAX as f64 * scraping.interval_s),
                scraping.interval_s,
                groups,
            ),
        };
        let rounds = plan.into_iter().map(|look| take(&pages, look)).collect();
        Feed { pages, rounds }
    }
}

fn ideal(pages: &Pages, interval_s: f64) -> Vec<Look> {
    let groups = pages.labels.len();
    let scrapes = ((pages.end() / interval_s) as usize).min(SCRAPES_MAX);
    let at = |i: usize| i as f64 * interval_s;
    (0..=scrapes)
        .map(|i| Look {
            at: at(i),
            sampled: vec![Some(at(i)); groups],
        })
        .collect()
}

fn take(pages: &Pages, look: Look) -> Round {
    let tables = &pages.recording().tables;
    let got = look
        .sampled
        .iter()
        .enumerate()
        .map(|(group, sampled)| {
            let sample = tables[group].at(pages.nanoseconds((*sampled)?))?;
            // Where samples are further apart than scrapes, as after thinning, the same one comes
            // again with its old time: that is what cAdvisor's page does between two looks.
            let taken = pages.seconds(tables[group].t[sample]);
            Some((taken, pages.read(group, sample)))
        })
        .collect();
    Round { at: look.at, got }
}

/// Writes the feed as a detector program reads it: a JSON object a line, a line a container and
/// scrape.
pub fn write(out: &mut impl Write, feed: &Feed) -> io::Result<()> {
    let mut line = String::new();
    let beside = beside(&feed.pages);
    for round in &feed.rounds {
        for (group, got) in round.got.iter().enumerate() {
            if let Some((sampled, reading)) = got {
                line.clear();
                line.push_str("{\"t\":");
                line.push_str(&number(round.at));
                line.push_str(",\"timestamp_ms\":");
                line.push_str(&feed.pages.timestamp_ms(*sampled).to_string());
                for (name, value) in feed.pages.labels[group].exposed() {
                    push_key(&mut line, name);
                    line.push_str(&serde_json::Value::from(value).to_string());
                }
                for (name, value) in feed.pages.added_labels() {
                    push_key(&mut line, name);
                    line.push_str(&serde_json::Value::from(value).to_string());
                }
                for (metric, value) in reading.iter() {
                    if metric.labels.is_empty() {
                        push_key(&mut line, metric.name);
                    } else {
                        let labels = selector(metric.labels.iter().copied());
                        push_key(&mut line, &format!("{}{labels}", metric.name));
                    }
                    line.push_str(&number(value));
                }
                let t = feed.pages.nanoseconds(*sampled);
                for (key, series) in &beside[group] {
                    if let Some(value) = series.at(feed.pages.recording(), t) {
                        push_key(&mut line, key);
                        line.push_str(&number(value));
                    }
                }
                line.push_str("}\n");
                out.write_all(line.as_bytes())?;
            }
        }
    }
    Ok(())
}

/// What kube-state-metrics says of each group's container or pod, under its names: the line has their
/// labels, so only what is beside them is in the key.
fn beside(pages: &Pages) -> Vec<Vec<(String, orchestrator::Series)>> {
    const OWN: [&str; 5] = ["container", "instance", "job", "namespace", "pod"];
    const INFO: [&str; 2] = ["kube_pod_info", "kube_pod_container_info"];
    let mut all: Vec<Vec<(String, orchestrator::Series)>> =
        pages.labels.iter().map(|_| Vec::new()).collect();
    for series in orchestrator::series(pages) {
        let label = |name: &str| {
            let found = series.labels.iter().find(|(label, _)| label == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        if !series.name.starts_with("kube_pod_") || INFO.contains(&series.name) {
            continue;
        }
        let of = pages.labels.iter().position(|labels| {
            labels.container == label("container")
                && labels.pod == label("pod")
                && labels.namespace == label("namespace")
        });
        let added = |name: &str| pages.added_labels().any(|(label, _)| label == name);
        let kept = pairs(&series.labels).filter(|(name, _)| !OWN.contains(name) && !added(name));
        let key = format!("{}{}", series.name, selector(kept));
        if let Some(of) = of {
            all[of].push((key, series));
        }
    }
    all
}

fn push_key(line: &mut String, key: &str) {
    line.push(',');
    line.push_str(&serde_json::Value::from(key).to_string());
    line.push(':');
}
