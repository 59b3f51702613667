//! What a service says of its own memory, asked again and again from outside of its container.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Asker {
    /// Begins to ask.
    pub fn start(question: Question) -> Asker {
        let latest = Arc::new(AtomicU64::new(MISSING));
        let stop = Arc::new(AtomicBool::new(false));
        let (cell, end) = (latest.clone(), stop.clone());
        let name = format!("truth:{}", question.name);
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let next = Instant::now() + question.every;
                // No answer is no value: the last one may be of another time.
                cell.store(question.ask(&end).unwrap_or(MISSING), Ordering::Relaxed);
                while Instant::now() < next && !end.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(10).min(question.every));
                }
            }
        });
        Asker {
            name,
            latest,
            stop,
            thread: Some(thread),
        }
    }

    /// The column's name, and the latest answer, [`MISSING`] where there was none.
    pub fn latest(&self) -> (&str, u64) {
        (&self.name, self.latest.load(Ordering::Relaxed))
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
    /// Asks once, in bytes.
    fn ask(&self, stop: &AtomicBool) -> Option<u64> {
        let text = match &self.from {
            From::File(path) => std::fs::read_to_string(self.folder.join(path)).ok()?,
            From::Http(url) => get(url).ok()?,
            From::Processes { worker, file } => return self.sum(*worker, file),
            From::Command(words) => {
                let mut command = Command::new(words.first()?);
                command
                    .args(&words[1..])
                    .current_dir(&self.folder)
                    .stdin(Stdio::null());
                let output = outside::output(command, stop, Instant::now() + PATIENCE).ok()??;
                output.status.success().then_some(output.text)?
            }
        };
        number(&text, &self.after, self.unit)
    }
}

impl Question {
    /// The sum over the processes that have such a file and number; none if none has.
    fn sum(&self, worker: i32, file: &Path) -> Option<u64> {
        let of = |pid: i32| {
            let path = Path::new("/proc").join(pid.to_string()).join(file);
            number(&std::fs::read_to_string(path).ok()?, &self.after, self.unit)
        };
        let all = descendants::below(worker, 0).ok()?;
        let numbers = all.iter().filter_map(|process| of(process.pid));
        numbers.reduce(u64::saturating_add)
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
        assert_eq!(says(&["echo", "5"]), Some(5));
        assert_eq!(says(&["sh", "-c", "echo 5; exit 1"]), None);
        assert_eq!(says(&["/nowhere/at-all"]), None);
        let file = From::File("no/such/file".into());
        assert_eq!(question(file).ask(&stop), None);
        let http = From::Http("127.0.0.1:1/metrics".into());
        assert_eq!(question(http).ask(&stop), None);
    }
}
