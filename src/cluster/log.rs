//! A recording out of a container's log, which mixes stdout and stderr.

use serde::de::IgnoredAny;

/// What a log held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extract {
    /// The recording's lines; empty where there is no header.
    pub recording: Vec<u8>,
    /// The other lines: progress, warnings, a result.
    pub other: Vec<String>,
    /// Samples stand before any header: the kubelet rotated the log away from under it.
    pub rotated: bool,
}

/// How a header begins.
const HEADER: &[u8] = b"{\"format\":\"memtide.recording/";

/// Takes the recording's lines out of a log. Where there are several recordings, the last one.
pub fn extract(log: &[u8]) -> Extract {
    let mut found = Extract {
        recording: Vec::new(),
        other: Vec::new(),
        rotated: false,
    };
    let lines: Vec<&[u8]> = log.split(|c| *c == b'\n').collect();
    // What stands after the last line feed is a line that was cut, or nothing.
    let whole = lines.len() - 1;
    for (number, line) in lines.iter().enumerate() {
        if line.starts_with(HEADER) {
            found.recording.clear();
        }
        let begun = line.starts_with(HEADER) || !found.recording.is_empty();
        if is_ours(line) && number < whole {
            if begun {
                found.recording.extend_from_slice(line);
                found.recording.push(b'\n');
            } else {
                found.rotated = true;
            }
        } else if !line.is_empty() && number < whole {
            found.other.push(String::from_utf8_lossy(line).into_owned());
        }
    }
    found
}

/// A header, a sample or an object with a type; anything else belongs to somebody else.
fn is_ours(line: &[u8]) -> bool {
    let looks = line.starts_with(HEADER)
        || line.starts_with(b"{\"type\":")
        || (line.starts_with(b"[") && line.get(1).is_some_and(u8::is_ascii_digit));
    looks && serde_json::from_slice::<IgnoredAny>(line).is_ok()
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
    fn a_rotated_log_is_known_by_samples_without_a_header() {
        let found = extract(b"[0,1,2]\n[0,3,4]\n");
        assert!(found.rotated && found.recording.is_empty());
        let again = extract(format!("{HEAD}\n[0,1]\n{HEAD}\n[0,9]\n").as_bytes());
        assert_eq!(again.recording, format!("{HEAD}\n[0,9]\n").as_bytes());
    }
}
