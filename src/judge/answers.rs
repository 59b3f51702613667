//! What a detector program writes: a JSON object a line, `{"fire":true,"t":42.0,"class":"leak"}`.

use serde::Deserialize;

use crate::scenario::Class;

use super::verdict::Answer;

/// A line longer than this is no answer, bytes.
pub const LINE_MAX: usize = 64 << 10;

/// One line. Fields that are not known are let be.
#[derive(Debug, Deserialize)]
struct WireAnswer {
    fire: bool,
    t: f64,
    #[serde(default)]
    class: Option<Class>,
}

/// Collects a detector's lines into one answer.
#[derive(Debug, Default)]
pub struct Answers {
    answer: Answer,
    lines: usize,
}

impl Answers {
    /// Takes the next line. `end_s` is the feed's last moment: no answer can be from after it.
    /// Nothing counts after the first line that is no answer.
    pub fn line(&mut self, line: &[u8], end_s: f64) {
        self.lines += 1;
        let blank = line.iter().all(u8::is_ascii_whitespace);
        if blank || self.answer.error.is_some() {
            return;
        }
        let wire = serde_json::from_slice::<WireAnswer>(line).map_err(|e| e.to_string());
        match wire.and_then(|wire| in_time(wire, end_s)) {
            Ok(wire) => merge(&mut self.answer, wire),
            Err(message) => {
                self.answer.error = Some(format!(
                    "line {} of its output is no answer ({message}): {}; write lines like \
                     {{\"fire\":true,\"t\":42.0,\"class\":\"leak\"}} and messages to stderr",
                    self.lines,
                    shown(line),
                ));
            }
        }
    }

    /// Whether a line was no answer.
    pub fn is_broken(&self) -> bool {
        self.answer.error.is_some()
    }

    /// What it all came to.
    pub fn finish(self) -> Answer {
        self.answer
    }
}

fn in_time(wire: WireAnswer, end_s: f64) -> Result<WireAnswer, String> {
    if (0.0..=end_s).contains(&wire.t) {
        Ok(wire)
    } else {
        Err(format!(
            "t = {:?} is not within the feed's 0 to {end_s} s",
            wire.t
        ))
    }
}

/// Keeps the earliest fire. Before it, the last class that says more than "healthy" stays.
fn merge(answer: &mut Answer, wire: WireAnswer) {
    if wire.fire {
        if answer.fired_at.is_none_or(|t| wire.t < t) {
            answer.fired_at = Some(wire.t);
            answer.class = wire.class;
        }
    } else if answer.fired_at.is_none() {
        answer.class = more_telling(answer.class, wire.class);
    }
}

/// The newer class, unless it is none or only says that all is well again.
pub fn more_telling(old: Option<Class>, new: Option<Class>) -> Option<Class> {
    match new {
        None | Some(Class::Healthy) => old.or(new),
        Some(_) => new,
    }
}

/// The start of a line, printable.
fn shown(line: &[u8]) -> String {
    let start = String::from_utf8_lossy(&line[..line.len().min(80)]);
    let control = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let text: String = start.trim_end().chars().map(control).collect();
    let dots = if line.len() > 80 { "..." } else { "" };
    format!("`{text}{dots}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(lines: &[&str]) -> Answer {
        let mut answers = Answers::default();
        for line in lines {
            answers.line(line.as_bytes(), 600.0);
        }
        answers.finish()
    }

    #[test]
    fn the_earliest_fire_and_its_class_count() {
        let got = answer(&[
            r#"{"fire":false,"t":1,"class":"page_cache"}"#,
            r#"{"fire":true,"t":42.5,"class":"leak","extra":[1]}"#,
            "",
            r#"{"fire":true,"t":60,"class":"tmpfs"}"#,
        ]);
        assert_eq!(got.fired_at, Some(42.5));
        assert_eq!(got.class, Some(Class::Leak));
        assert_eq!(got.error, None);
        // Whatever the order in which it says them.
        let got = answer(&[
            r#"{"fire":true,"t":60,"class":"tmpfs"}"#,
            r#"{"fire":true,"t":42.5,"class":"leak"}"#,
            r#"{"fire":false,"t":1,"class":"healthy"}"#,
        ]);
        assert_eq!((got.fired_at, got.class), (Some(42.5), Some(Class::Leak)));
    }

    #[test]
    fn healthy_does_not_take_back_what_the_memory_was() {
        let got = answer(&[
            r#"{"fire":false,"t":1,"class":"healthy"}"#,
            r#"{"fire":false,"t":2,"class":"page_cache"}"#,
            r#"{"fire":false,"t":3,"class":"healthy"}"#,
        ]);
        assert_eq!(got.class, Some(Class::PageCache));
    }

    #[test]
    fn what_is_no_answer_is_named() {
        for (line, word) in [
            ("ready", "expected value"),
            (r#"{"fire":true}"#, "missing field `t`"),
            (r#"{"fire":true,"t":601}"#, "not within"),
            (r#"{"fire":true,"t":1,"class":"leek"}"#, "leek"),
        ] {
            let error = answer(&[line]).error.unwrap();
            assert!(error.contains(word) && error.contains("line 1"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_taken_without_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut answers = Answers::default();
            answers.line(&line, 10.0);
            let _ = answers.finish();
        }
    }
}
