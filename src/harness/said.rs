//! What a service says of its own memory, asked again and again from outside of its container.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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

/// A thread that asks, and its latest answer.
#[derive(Debug)]
pub struct Asker {
    name: String,
    latest: Arc<AtomicU64>,
    /// Why there was no answer yet; none as soon as there was one.
    silent: Arc<Mutex<Option<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Asker {
    /// Begins to ask.
    pub fn start(question: Question) -> Asker {
        let latest = Arc::new(AtomicU64::new(MISSING));
        let stop = Arc::new(AtomicBool::new(false));
        let silent = Arc::new(Mutex::new(Some("it did not answer in time".to_string())));
        let (cell, end, reason) = (latest.clone(), stop.clone(), silent.clone());
        let name = format!("truth:{}", question.name);
        let thread = std::thread::spawn(move || {
            let mut heard = false;
            while !end.load(Ordering::Relaxed) {
                let next = Instant::now() + question.every;
                let answer = question.ask(&end);
                heard |= answer.is_ok();
                // No answer is no value: the last one may be of another time.
                let value = answer.as_ref().copied().unwrap_or(MISSING);
                cell.store(value, Ordering::Relaxed);
                // What the end of the run cut off says less than the answer before it.
                if heard || !end.load(Ordering::Relaxed) {
                    let why = answer.err().filter(|_| !heard);
                    *reason.lock().unwrap_or_else(PoisonError::into_inner) = why;
                }
                while Instant::now() < next && !end.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(10).min(question.every));
                }
            }
        });
        Asker {
            name,
            latest,
            silent,
            stop,
            thread: Some(thread),
        }
    }

    /// The column's name, and the latest answer, [`MISSING`] where there was none.
    pub fn latest(&self) -> (&str, u64) {
        (&self.name, self.latest.load(Ordering::Relaxed))
    }
}

impl Asker {
    /// What is to be known where there was never an answer: the recording then has no such column.
    pub fn silence(&self) -> Option<String> {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let why = silent.as_ref()?;
        Some(format!("{} has no value: {why}", self.name))
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Question {
    /// Asks once, in bytes; else why there is no answer.
    fn ask(&self, stop: &AtomicBool) -> Result<u64, String> {
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
    fn sum(&self, worker: i32, file: &Path) -> Result<u64, String> {
        let of = |pid: i32| {
            let path = Path::new("/proc").join(pid.to_string()).join(file);
            number(&std::fs::read_to_string(path).ok()?, &self.after, self.unit)
        };
        let all = descendants::below(worker, 0).unwrap_or_default();
        let numbers = all.iter().filter_map(|process| of(process.pid));
        numbers.reduce(u64::saturating_add).ok_or_else(|| {
            let after = &self.after;
            format!(
                "none of its processes has a number after {after:?} in /proc/PID/{}",
                file.display()
            )
        })
    }
}

/// The first number after `after` in `text`, times `unit`.
fn number(text: &str, after: &str, unit: u64) -> Option<u64> {
    let rest = &text[text.find(after)? + after.len()..];
    let start = rest.find(|c: char| c.is_ascii_digit())?;
    let rest = &rest[start..];
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+');
    let end = rest.find(|c| !number(c)).unwrap_or(rest.len());
    let value: f64 = rest[..end]
        .trim_end_matches(['.', 'e', 'E', '+'])
        .parse()
        .ok()?;
    let bytes = value * unit as f64;
    (0.0..1e18).contains(&bytes).then_some(bytes as u64)
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
        ] {
            assert_eq!(number(text, after, unit), expected, "{text}");
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
        let said = || never.silence().unwrap();
        wait("no reason", &|| said().contains("not yet"));
        assert!(said().starts_with("truth:heap has no value"), "{}", said());
        // An answer, and none after it.
        let once = asks("test ! -e asked || exit 1; touch asked; echo 5");
        wait("no answer", &|| once.silence().is_none());
        wait("it is asked again", &|| once.latest().1 == MISSING);
        assert_eq!(once.silence(), None);
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
        assert_eq!(says(&["echo", "5"]), Ok(5));
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
