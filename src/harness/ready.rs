//! Whether a service is ready: something listens on its port, a command succeeds.
//!
//! Asked by a thread of its own, outside of all containers: what is asked for must neither wait for
//! the sampler nor be charged to the service.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::background::Background;
use super::outside;

/// What must hold for a service to be ready; nothing given is ready at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ready {
    /// Something listens on this port of 127.0.0.1.
    pub port: Option<u16>,
    /// This command ends with 0; it is asked again until it does.
    pub command: Vec<String>,
    /// Where the command runs; the harness' own folder if there is none.
    pub folder: Option<PathBuf>,
}

/// How far the waiting is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Not yet.
    Waiting,
    /// All that was asked for holds.
    Ready,
    /// The time is up; what was missing, in words.
    Late(String),
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

const WAITING: u8 = 0;
const READY: u8 = 1;
const LATE: u8 = 2;

/// Asks until the answer is yes or the time is up.
#[derive(Debug)]
pub struct Waiter {
    state: Arc<AtomicU8>,
    missing: Arc<Mutex<String>>,
    _thread: Background,
}

impl Waiter {
    /// Begins to ask; gives up after `within`.
    pub fn start(ready: Ready, within: Duration) -> Waiter {
        let state = Arc::new(AtomicU8::new(WAITING));
        let missing = Arc::new(Mutex::new(String::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (s, m, end) = (state.clone(), missing.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let deadline = Instant::now() + within;
            while !end.load(Ordering::Relaxed) {
                let Err(missing) = ready.ask(&end, deadline) else {
                    s.store(READY, Ordering::Release);
                    return;
                };
                let mut known = m.lock().unwrap_or_else(PoisonError::into_inner);
                // A question that the deadline cut off says less than the answer before it.
                if !missing.cut || known.is_empty() {
                    *known = missing.why;
                }
                drop(known);
                if Instant::now() >= deadline {
                    s.store(LATE, Ordering::Release);
                    return;
                }
                std::thread::sleep(PAUSE);
            }
        });
        Waiter {
            state,
            missing,
            _thread: Background::of(stop, thread),
        }
    }

    /// What is known now; never waits.
    pub fn answer(&self) -> Answer {
        match self.state.load(Ordering::Acquire) {
            READY => Answer::Ready,
            LATE => Answer::Late(
                self.missing
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone(),
            ),
            _ => Answer::Waiting,
        }
    }
}

/// Why a service is not ready.
struct Missing {
    why: String,
    /// The deadline came before the answer.
    cut: bool,
}

impl From<String> for Missing {
    fn from(why: String) -> Missing {
        Missing { why, cut: false }
    }
}

/// Whether somebody listens on this port of 127.0.0.1 now.
pub(super) fn is_open(port: u16) -> bool {
    connect(port).is_ok()
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_millis(500))
}

impl Ready {
    /// Asks once.
    fn ask(&self, stop: &AtomicBool, deadline: Instant) -> Result<(), Missing> {
        if let Some(port) = self.port {
            connect(port).map_err(|error| format!("nothing listens on port {port} ({error})"))?;
        }
        let Some((program, arguments)) = self.command.split_first() else {
            return Ok(());
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let output = outside::output(command, stop, deadline)
            .map_err(|error| format!("{program:?} did not run: {error}"))?;
        match output {
            Some(output) if output.status.success() => Ok(()),
            Some(output) => Err(Missing::from(format!(
                "{program:?} says no ({}){}",
                output.status,
                outside::tail(&output)
            ))),
            None => Err(Missing {
                why: format!("{program:?} did not answer in time"),
                cut: true,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(ready: Ready, within: Duration) -> Answer {
        let waiter = Waiter::start(ready, within);
        let patience = Instant::now() + Duration::from_secs(60);
        while waiter.answer() == Answer::Waiting && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        waiter.answer()
    }

    fn command(words: &[&str]) -> Ready {
        Ready {
            command: words.iter().map(|w| w.to_string()).collect(),
            ..Ready::default()
        }
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_ready_and_a_closed_one_is_late() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Some(listener.local_addr().unwrap().port());
        let on = |port| Ready {
            port,
            ..Ready::default()
        };
        assert_eq!(wait(on(port), Duration::from_secs(30)), Answer::Ready);
        drop(listener);
        let Answer::Late(why) = wait(on(port), Duration::from_millis(1)) else {
            panic!("a closed port is ready");
        };
        assert!(why.contains("nothing listens on port"), "{why}");
        assert_eq!(wait(on(None), Duration::ZERO), Answer::Ready);
    }

    #[test]
    fn a_command_is_asked_until_it_says_yes() {
        let folder = tempfile::tempdir().unwrap();
        let script = "test -e again || { touch again; exit 1; }";
        let mut ready = command(&["sh", "-c", script]);
        ready.folder = Some(folder.path().to_path_buf());
        assert_eq!(wait(ready, Duration::from_secs(60)), Answer::Ready);
    }

    #[test]
    fn a_command_that_fails_is_missing_or_hangs_is_late_with_the_reason() {
        // The first answers once and hangs when asked again: what it said is kept.
        let once = "test -e again && exec sleep 1000; touch again; echo not yet; exit 3";
        for (words, expected, seconds) in [
            (&["sh", "-c", once][..], "not yet", 5),
            (&["/nowhere/at-all"], "did not run", 0),
            (&["sleep", "1000"], "did not answer", 0),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut ready = command(words);
            ready.folder = Some(folder.path().to_path_buf());
            let Answer::Late(why) = wait(ready, Duration::from_secs(seconds)) else {
                panic!("{words:?} is ready");
            };
            assert!(why.contains(expected), "{why}");
        }
    }
}
