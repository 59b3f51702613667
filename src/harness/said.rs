//! What a service says of its own memory, asked again and again from outside of its container.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::background::Background;
use super::outside;
use crate::descendants;
use crate::recording::MISSING;

/// Where a number comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// A command's output.
    Command(Vec<String>),
    /// A file.
    File(PathBuf),
    /// `HOST:PORT/PATH`, by plain HTTP.
    Http(String),
    /// A file of `/proc/PID`, summed over all processes of the service.
    Processes {
        /// The process below which they are.
        worker: i32,
        /// The file, such as `status`.
        file: PathBuf,
    },
}

/// One number a service says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Its name: the column is `truth:NAME`.
    pub name: String,
    /// Where it comes from.
    pub from: From,
    /// The number that follows this text is meant; empty takes the first number.
    pub after: String,
    /// Bytes of one of its units.
    pub unit: u64,
    /// Between two questions.
    pub every: Duration,
    /// Where commands run and files are looked for.
    pub folder: PathBuf,
}

/// The longest a question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a reader of the numbers must know: the code of a warning, and its words.
type Doubt = (&'static str, String);

/// A thread that asks, and its latest answer.
#[derive(Debug)]
pub struct Asker {
    name: String,
    latest: Arc<AtomicU64>,
    /// What the reader must know: why there was no answer yet, or that one was taken for bytes.
    doubt: Arc<Mutex<Option<Doubt>>>,
    _thread: Background,
}

impl Asker {
    /// Begins to ask.
    pub fn start(question: Question) -> Asker {
        let latest = Arc::new(AtomicU64::new(MISSING));
        let stop = Arc::new(AtomicBool::new(false));
        let silent = |why: &str| ("no_truth", format!("has no value: {why}"));
        let doubt = Arc::new(Mutex::new(Some(silent("it did not answer in time"))));
        let (cell, end, told) = (latest.clone(), stop.clone(), doubt.clone());
        let name = format!("truth:{}", question.name);
        let thread = std::thread::spawn(move || {
            let mut heard = false;
            while !end.load(Ordering::Relaxed) {
                let next = Instant::now() + question.every;
                let answer = question.ask(&end);
                heard |= answer.is_ok();
                // No answer is no value: the last one may be of another time.
                let value = answer.as_ref().map_or(MISSING, |number| number.bytes);
                cell.store(value, Ordering::Relaxed);
                // What the end of the run cut off says less than the answer before it.
                if heard || !end.load(Ordering::Relaxed) {
                    let new = match answer {
                        Ok(number) => {
                            Some(number.unit.map(|unit| Question::taken_for_bytes(&unit)))
                        }
                        Err(why) => (!heard).then(|| Some(silent(&why))),
                    };
                    if let Some(new) = new {
                        *told.lock().unwrap_or_else(PoisonError::into_inner) = new;
                    }
                }
                while Instant::now() < next && !end.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(10).min(question.every));
                }
            }
        });
        Asker {
            name,
            latest,
            doubt,
            _thread: Background::of(stop, thread),
        }
    }

    /// The column's name, and the latest answer, [`MISSING`] where there was none.
    pub fn latest(&self) -> (&str, u64) {
        (&self.name, self.latest.load(Ordering::Relaxed))
    }
}

impl Asker {
    /// What is to be known where there was never an answer (the recording then has no such column), or where
    /// it may mean something else than bytes.
    pub fn doubt(&self) -> Option<Doubt> {
        let doubt = self.doubt.lock().unwrap_or_else(PoisonError::into_inner);
        let (code, what) = doubt.as_ref()?;
        Some((code, format!("{} {what}", self.name)))
    }
}

impl Question {
    /// Asks once; else why there is no answer.
    fn ask(&self, stop: &AtomicBool) -> Result<Number, String> {
        let text = match &self.from {
            From::File(path) => {
                let path = self.folder.join(path);
                let text = std::fs::read_to_string(&path);
                text.map_err(|error| format!("{}: {error}", path.display()))?
            }
            From::Http(url) => get(url).map_err(|error| format!("{url}: {error}"))?,
            From::Processes { worker, file } => return self.sum(*worker, file),
            From::Command(words) => self.output(words, stop)?,
        };
        number(&text, &self.after, self.unit).ok_or_else(|| self.no_number(&text))
    }

    fn taken_for_bytes(unit: &str) -> Doubt {
        let text = format!(
            "was taken for bytes, and {unit:?} follows its number: give the unit that it has, such as 1KiB"
        );
        ("no_unit", text)
    }

    fn output(&self, words: &[String], stop: &AtomicBool) -> Result<String, String> {
        let (program, arguments) = words.split_first().ok_or("there is no command")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        let output = outside::output(command, stop, Instant::now() + PATIENCE);
        match output.map_err(|error| format!("{program:?} did not run: {error}"))? {
            Some(output) if output.status.success() => Ok(output.text),
            Some(output) => Err(format!(
                "{program:?} failed ({}){}",
                output.status,
                outside::tail(&output)
            )),
            None => Err(format!("{program:?} did not answer in time")),
        }
    }

    /// Its answer holds no number where one is looked for.
    fn no_number(&self, text: &str) -> String {
        let start: String = text.trim().chars().take(80).collect();
        match self.after.is_empty() {
            true => format!("there is no number in what it says: {start:?}"),
            false => format!(
                "no number follows {:?} in what it says: {start:?}",
                self.after
            ),
        }
    }

    /// The sum over the processes that have such a file and number; an error if none has.
    fn sum(&self, worker: i32, file: &Path) -> Result<Number, String> {
        let of = |pid: i32| {
            let path = Path::new("/proc").join(pid.to_string()).join(file);
            number(&std::fs::read_to_string(path).ok()?, &self.after, self.unit)
        };
        let all = descendants::below(worker, 0).unwrap_or_default();
        let numbers = all.iter().filter_map(|process| of(process.pid));
        let sum = numbers.reduce(|a, b| Number {
            bytes: a.bytes.saturating_add(b.bytes),
            unit: a.unit,
        });
        sum.ok_or_else(|| {
            let after = &self.after;
            format!(
                "none of its processes has a number after {after:?} in /proc/PID/{}",
                file.display()
            )
        })
    }
}

/// A number that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Number {
    bytes: u64,
    /// What follows it and looks like a unit, where none was given.
    unit: Option<String>,
}

/// The number that follows `after` in `text`, times `unit`; the first of all where `after` is empty. A name may
/// stand in words before it stands with its number, as on a page of metrics: the first that has one counts.
fn number(text: &str, after: &str, unit: u64) -> Option<Number> {
    let found = match after {
        "" => first(text, |c| c.is_ascii_digit()),
        _ => {
            let mut places = text.match_indices(after);
            places.find_map(|(at, _)| follows(&text[at + after.len()..]))
        }
    };
    let (value, rest) = found?;
    let bytes = value * unit as f64;
    let follows = unit_of(rest).filter(|_| unit == 1);
    (0.0..1e18).contains(&bytes).then_some(Number {
        bytes: bytes as u64,
        unit: follows.map(String::from),
    })
}

/// A number after a name: no word may be between, else it is another's. A metric's labels may.
fn follows(rest: &str) -> Option<(f64, &str)> {
    let labels = rest
        .strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
        .filter(|(labels, _)| labels.contains('=') && !labels.contains('\n'));
    let rest = labels.map_or(rest, |(_, rest)| rest);
    first(rest, char::is_alphanumeric)
}

/// The number at the first such letter, and what comes after it; one below zero is nothing that is held.
fn first(text: &str, letter: impl Fn(char) -> bool) -> Option<(f64, &str)> {
    let (before, text) = text.split_at(text.find(letter)?);
    // `-5`, and not the `-5` of `heap-5`.
    let signed = before.strip_suffix('-');
    if signed.is_some_and(|before| !before.ends_with(char::is_alphanumeric)) {
        return None;
    }
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+');
    let end = text.find(|c| !number(c)).unwrap_or(text.len());
    let digits = text[..end].trim_end_matches(['.', 'e', 'E', '+']);
    let value = digits.parse().ok()?;
    Some((value, &text[digits.len()..]))
}

/// The unit at the start of what follows a number: `kB`, ` MiB`, `K`.
fn unit_of(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let end = rest.find(|c: char| !c.is_alphanumeric());
    let word = &rest[..end.unwrap_or(rest.len())];
    let size = word.strip_prefix(['k', 'K', 'M', 'G', 'T'])?;
    matches!(size, "" | "B" | "b" | "iB").then_some(word)
}

/// A page, by HTTP/1.0: the server closes the connection at its end.
fn get(url: &str) -> io::Result<String> {
    let url = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = url.split_once('/').unwrap_or((url, ""));
    let address: Option<SocketAddr> = host.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::other("no such host"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.take(4 << 20).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_what_services_print() {
        for (text, after, unit, expected) in [
            (
                "used_memory:1048576\r\nused_memory_rss:9",
                "used_memory:",
                1,
                Some(1_048_576),
            ),
            (
                "go_memstats_heap_inuse_bytes 1.234e+07\n",
                "heap_inuse_bytes ",
                1,
                Some(12_340_000),
            ),
            ("VmRSS:\t  12 kB", "VmRSS:", 1024, Some(12_288)),
            ("{\"heapUsed\": 5.5}", "heapUsed", 1, Some(5)),
            ("STAT bytes 77\r\n", "STAT bytes ", 1, Some(77)),
            ("17", "", 1, Some(17)),
            ("nothing here", "", 1, None),
            ("a 1", "b", 1, None),
            ("a 9e99", "a", 1, None),
            // Nothing stands there, and the next number is another's.
            ("used: n/a, total: 55", "used:", 1, None),
            ("{\"used\": null, \"total\": 55}", "\"used\"", 1, None),
            ("used_memory:\r\nused_memory_rss:9", "used_memory:", 1, None),
            ("used: -5", "used:", 1, None),
            ("-5", "", 1, None),
            ("heap - 5", "", 1, Some(5)),
            // A page of metrics explains a name first, and may give it labels.
            (
                "# HELP heap in use, 1 of 2\n# TYPE heap gauge\nheap{area=\"2nd\"} 7\n",
                "heap",
                1,
                Some(7),
            ),
            ("heap_total 9\nheap 7\n", "heap", 1, Some(7)),
        ] {
            let found = number(text, after, unit);
            assert_eq!(found.map(|number| number.bytes), expected, "{text}");
        }
    }

    #[test]
    fn a_unit_that_nobody_gave_is_seen() {
        for (text, unit, seen) in [
            ("used 3.5MiB", 1, Some("MiB")),
            ("used 12 kB\n", 1, Some("kB")),
            ("used 8192K, total", 1, Some("K")),
            ("used 12 kB\n", 1024, None),
            ("used 12 Keys", 1, None),
            ("used 12B, 5 of them", 1, None),
            ("used 12", 1, None),
        ] {
            let found = number(text, "used", unit).unwrap();
            assert_eq!(found.unit.as_deref(), seen, "{text}");
        }
    }

    #[test]
    fn who_never_answers_is_told_with_the_reason_and_who_did_once_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let asks = |script: &str| {
            Asker::start(Question {
                name: "heap".into(),
                from: From::Command(["sh", "-c", script].map(String::from).to_vec()),
                after: String::new(),
                unit: 1,
                every: Duration::from_millis(1),
                folder: folder.path().to_path_buf(),
            })
        };
        let wait = |what: &str, until: &dyn Fn() -> bool| {
            let patience = Instant::now() + Duration::from_secs(120);
            while !until() {
                assert!(Instant::now() < patience, "{what}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let never = asks("echo not yet; exit 1");
        let said = || never.doubt().unwrap().1;
        wait("no reason", &|| said().contains("not yet"));
        assert!(said().starts_with("truth:heap has no value"), "{}", said());
        // An answer, and none after it.
        let once = asks("test ! -e asked || exit 1; touch asked; echo 5");
        wait("no answer", &|| once.doubt().is_none());
        wait("it is asked again", &|| once.latest().1 == MISSING);
        assert_eq!(once.doubt(), None);
    }

    #[test]
    fn no_answer_is_no_value() {
        let question = |from| Question {
            name: "x".into(),
            from,
            after: String::new(),
            unit: 1,
            every: Duration::from_secs(1),
            folder: std::env::temp_dir(),
        };
        let stop = AtomicBool::new(false);
        let says = |words: &[&str]| {
            let words = words.iter().map(|w| w.to_string()).collect();
            question(From::Command(words)).ask(&stop)
        };
        assert_eq!(says(&["echo", "5"]).map(|number| number.bytes), Ok(5));
        let file = question(From::File("no/such/file".into())).ask(&stop);
        let http = question(From::Http("127.0.0.1:1/metrics".into())).ask(&stop);
        let none = question(From::Processes {
            worker: -1,
            file: "status".into(),
        });
        for (answer, word) in [
            (says(&["sh", "-c", "echo 5 no; exit 1"]), "5 no"),
            (says(&["/nowhere/at-all"]), "did not run"),
            (
                says(&["echo", "none"]),
                "no number in what it says: \"none\"",
            ),
            (file, "no/such/file"),
            (http, "127.0.0.1:1/metrics"),
            (none.ask(&stop), "none of its processes"),
        ] {
            let why = answer.unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }
}
