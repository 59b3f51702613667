//! A recording out of a container's log, which mixes stdout and stderr, and what such a log is worth.

use serde::de::IgnoredAny;

/// What a log held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extract {
    /// The recording's lines; empty where there is no header.
    pub recording: Vec<u8>,
    /// Its footer is there.
    pub whole: bool,
    /// The other lines: progress, warnings, a result.
    pub other: Vec<String>,
    /// A fleet's shard, in one line.
    pub shard: Option<Vec<u8>>,
    /// Samples stand before any header: the kubelet rotated the log away from under it.
    pub rotated: bool,
    /// Lines of the kubelet's or the runtime's own, in place of a log or behind a part of one.
    pub refused: Vec<String>,
}

/// How a header begins.
const HEADER: &[u8] = b"{\"format\":\"memtide.recording/";
/// How a shard of a fleet begins.
const SHARD: &[u8] = b"{\"format\":\"memtide.fleet/";
/// How memtide's result of a scenario that it skipped begins.
const SKIP: &str = "skip  ";
/// How a footer begins.
const FOOTER: &[u8] = b"{\"type\":\"footer\"";

/// What the kubelet writes into the answer itself when it can't read a log: kubectl takes it for the
/// log and ends with 0. They serve for better words only: what a finished pod must have said is
/// decided by what is there of its recording.
const NOT_A_LOG: [&str; 8] = [
    "unable to retrieve container logs for ",
    "failed to try resolving symlinks in path ",
    "failed to open log file ",
    "failed to create fsnotify watcher",
    "failed to watch file ",
    "rpc error: code = ",
    "Error from server",
    "container not found",
];

/// Takes the recording's lines out of a log. Where there are several recordings, the last one.
pub fn extract(log: &[u8]) -> Extract {
    let mut found = Extract::default();
    let lines: Vec<&[u8]> = log.split(|c| *c == b'\n').collect();
    // What comes after the last line feed is a line that was cut, or nothing.
    let whole = lines.len() - 1;
    for (number, line) in lines.iter().enumerate() {
        // The kubelet's line comes without an end.
        if let Some(refused) = not_a_log(line) {
            found.refused.push(refused);
            continue;
        }
        if number == whole {
            break;
        }
        if line.starts_with(HEADER) {
            found.recording.clear();
            found.whole = false;
        }
        if line.starts_with(SHARD) && serde_json::from_slice::<IgnoredAny>(line).is_ok() {
            found.shard = Some(line.to_vec());
            found.whole = true;
            continue;
        }
        let begun = line.starts_with(HEADER) || !found.recording.is_empty();
        if is_ours(line) {
            if begun {
                found.recording.extend_from_slice(line);
                found.recording.push(b'\n');
                found.whole |= line.starts_with(FOOTER);
            } else {
                found.rotated = true;
            }
        } else if !line.is_empty() {
            found.other.push(String::from_utf8_lossy(line).into_owned());
        }
    }
    found
}

fn not_a_log(line: &[u8]) -> Option<String> {
    let is = NOT_A_LOG
        .iter()
        .any(|begin| line.starts_with(begin.as_bytes()));
    is.then(|| String::from_utf8_lossy(line).trim().to_string())
}

/// A header, a sample or an object with a type; anything else belongs to somebody else. One that is damaged is
/// ours all the same: left out, what it said would be missed by nobody.
fn is_ours(line: &[u8]) -> bool {
    if line.starts_with(HEADER) {
        return serde_json::from_slice::<IgnoredAny>(line).is_ok();
    }
    line.starts_with(b"{\"type\":") || is_sample(line)
}

/// `[GROUP,`: progress is `[1/3] NAME: ...`.
fn is_sample(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"[") else {
        return false;
    };
    let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
    digits > 0 && rest.get(digits) == Some(&b',')
}

impl Extract {
    /// Whether there is nothing of memtide's in it.
    pub fn is_empty(&self) -> bool {
        self.recording.is_empty() && self.shard.is_none() && self.other.is_empty() && !self.rotated
    }

    /// Which scenario memtide skipped and why, where it says so: in one line, or below a heading.
    pub fn skipped(&self) -> Option<(&str, &str)> {
        let place = self.other.iter().rposition(|line| line.starts_with(SKIP))?;
        let rest = self.other[place].strip_prefix(SKIP)?;
        let name = rest.split([' ', ':']).next()?;
        let below = self.other.get(place + 1).map(String::as_str);
        if let Some(reason) = below.and_then(|line| line.strip_prefix("  skipped: ")) {
            return Some((name, reason));
        }
        // A name and, in the next column, the reason.
        let (_, reason) = rest.split_once("  ")?;
        let reason = reason.trim();
        (!reason.is_empty()).then_some((name, reason))
    }

    /// Whether it tells more than another log of the same pod.
    pub fn is_better_than(&self, other: &Extract) -> bool {
        let worth = |one: &Extract| (one.whole, one.recording.len(), one.other.len());
        worth(self) > worth(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "{\"format\":\"memtide.recording/1\"}";

    #[test]
    fn foreign_lines_are_told_apart() {
        let log =
            format!("log-write 1/1\n{HEAD}\n[0,1,2]\n[info] hello\n{{\"a\":1}}\n[0,3,4]\n[0,5");
        let found = extract(log.as_bytes());
        let text = String::from_utf8(found.recording).unwrap();
        assert_eq!(text, format!("{HEAD}\n[0,1,2]\n[0,3,4]\n"));
        assert_eq!(found.other, ["log-write 1/1", "[info] hello", "{\"a\":1}"]);
        assert!(!found.rotated);
    }

    #[test]
    fn a_damaged_line_is_not_left_out() {
        let log = format!(
            "{HEAD}\n[0,1,2]\n[0,3,\n[1/3] steady: 2 s\n[0,5,6]\n{{\"type\":\"footer\"}}\n"
        );
        let found = extract(log.as_bytes());
        let text = String::from_utf8(found.recording).unwrap();
        assert!(text.contains("\n[0,3,\n"), "{text}");
        assert_eq!(found.other, ["[1/3] steady: 2 s"]);
    }

    #[test]
    fn a_rotated_log_is_known_by_samples_without_a_header() {
        let found = extract(b"[0,1,2]\n[0,3,4]\n");
        assert!(found.rotated && found.recording.is_empty());
        let again = extract(format!("{HEAD}\n[0,1]\n{HEAD}\n[0,9]\n").as_bytes());
        assert_eq!(again.recording, format!("{HEAD}\n[0,9]\n").as_bytes());
    }

    #[test]
    fn what_the_kubelet_says_in_place_of_a_log_is_no_log() {
        let text = b"unable to retrieve container logs for containerd://8c5f0a";
        let found = extract(text);
        assert!(found.is_empty() && found.refused.len() == 1, "{found:?}");
        // Behind a part of one, too.
        let mut log = format!("{HEAD}\n[0,1]\n").into_bytes();
        log.extend_from_slice(
            b"failed to try resolving symlinks in path \"/var/log/pods/x/0.log\"",
        );
        let found = extract(&log);
        assert!(!found.is_empty() && !found.whole && found.refused.len() == 1);
    }

    #[test]
    fn a_skip_is_what_memtide_itself_prints_for_one() {
        use crate::report::human::{Detail, render, summary};
        let result = crate::report::unseen("log-rotate", "no disk for the log".into());
        for detail in [Detail::Line, Detail::Common, Detail::All] {
            let said = render(&result, detail, false);
            let log = format!("{said}\n{}\n", summary(std::slice::from_ref(&result)));
            let found = extract(log.as_bytes());
            let told = Some(("log-rotate", "no disk for the log"));
            assert_eq!(found.skipped(), told, "{log}");
        }
        assert_eq!(extract(b"0 passed, 0 failed, 1 skipped\n").skipped(), None);
        assert_eq!(extract(b"it was:\n  skipped: nothing\n").skipped(), None);
    }

    #[test]
    fn the_whole_one_is_better_than_the_longer_one() {
        let cut = extract(format!("{HEAD}\n[0,1]\n[0,2]\n[0,3]\n[0,4]\n[0,4]\n[0,4]\n").as_bytes());
        let whole = extract(format!("{HEAD}\n[0,1]\n{{\"type\":\"footer\"}}\n").as_bytes());
        assert!(whole.is_better_than(&cut) && !cut.is_better_than(&whole));
        assert!(!whole.is_better_than(&whole.clone()));
    }
}
