//! Runs a detector that is a program of its own: fed on stdin, read from stdout, bounded in all.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::units;

use super::answers::{Answers, LINE_MAX};
use super::scratch;
use super::supervise::{Ended, Limits};
use super::verdict::Answer;
use crate::descendants;

/// The hidden subcommand under which memtide runs as supervisor.
pub const SUPERVISE: &str = "__supervise";

/// A detector program and what it may use.
#[derive(Debug, Clone)]
pub struct Program {
    /// A command line for `/bin/sh`.
    pub command: String,
    /// Its bounds.
    pub limits: Limits,
    /// The memtide binary between it and us.
    pub supervisor: PathBuf,
    /// Whether this process is a child subreaper and has no children but supervisors: what a
    /// killed supervisor leaves can then be found and ended.
    pub subreaper: bool,
}

/// The supervisors that run now.
fn known() -> MutexGuard<'static, BTreeSet<i32>> {
    static KNOWN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
    // A set of numbers is whole whatever its last user did.
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forget(supervisor: u32) {
    known().remove(&(supervisor as i32));
}

/// What came of one feed.
struct Ran<T> {
    ended: io::Result<Ended>,
    /// How many bytes of the feed it left.
    unread: io::Result<u64>,
    /// What was made of its stdout.
    read: Option<T>,
    /// The last of its stderr.
    said: String,
}

/// How much of a detector's stderr is kept for messages, bytes.
const STDERR_KEPT: usize = 4 << 10;

impl Program {
    /// Runs the program over one feed. Whatever it does wrong is in the answer; an `Err` is ours.
    pub fn run(&self, feed: &[u8], end_s: f64) -> io::Result<Answer> {
        let output_max = self.limits.output;
        let ran = self.over(feed, |stdout| read_answers(stdout, end_s, output_max))?;
        let (answers, flooded) = ran.read.unwrap_or_default();
        let mut answer = answers.finish();
        if answer.error.is_none() {
            let unread = ran.unread?;
            let quit = answer.fired_at.is_none() && unread > 0;
            let unread = quit.then_some((unread, feed.len()));
            let ended = ran.ended?;
            answer.hung = ended == Ended::OutOfTime;
            answer.error = self.complaint(&ended, flooded, unread, &ran.said);
        }
        Ok(answer)
    }

    /// Runs the program over one feed and gives what it printed, or what it did wrong; an `Err` is ours.
    ///
    /// # Errors
    /// As of starting a process and reading its pipes.
    pub fn say(&self, feed: &[u8]) -> io::Result<Result<String, String>> {
        let output_max = self.limits.output;
        let ran = self.over(feed, |stdout| {
            let mut printed = Vec::new();
            let read = stdout.take(output_max + 1).read_to_end(&mut printed);
            read.map(|_| printed)
        })?;
        ran.unread?;
        let printed = ran.read.transpose()?.unwrap_or_default();
        let flooded = printed.len() as u64 > output_max;
        // A sizer may have seen enough before the end.
        Ok(
            match self.complaint(&ran.ended?, flooded, None, &ran.said) {
                Some(why) => Err(why),
                None => Ok(String::from_utf8_lossy(&printed).into_owned()),
            },
        )
    }

    /// Starts the supervisor with the program, feeds it, and reads its stdout with `read` until it has ended.
    fn over<T: Send>(
        &self,
        feed: &[u8],
        read: impl FnOnce(ChildStdout) -> T + Send,
    ) -> io::Result<Ran<T>> {
        let status = scratch::file()?;
        let (feed_end, feed_start) = io::pipe()?;
        let mut supervisor = self.start(&status, feed_end.try_clone()?)?;
        // `start` asked for both pipes.
        let (stdout, stderr) = (supervisor.stdout.take(), supervisor.stderr.take());
        Ok(std::thread::scope(|scope| {
            let writer = scope.spawn(move || write_feed(feed_start, feed));
            let said = scope.spawn(move || stderr.map(last_words).unwrap_or_default());
            let reader = scope.spawn(move || stdout.map(read));
            let ended = self.wait(&mut supervisor, &status);
            // We kept an end for reading: what the program left unread comes out here, and the
            // writer can finish.
            let unread = io::copy(&mut &feed_end, &mut io::sink());
            let _ = writer.join();
            Ran {
                ended,
                unread,
                read: reader.join().ok().flatten(),
                said: said.join().unwrap_or_default(),
            }
        }))
    }

    /// Waits for the supervisor. One that was killed itself leaves no status, and may leave
    /// orphans that hold our pipes open: they have come to us, and are ended here.
    fn wait(&self, supervisor: &mut Child, status: &File) -> io::Result<Ended> {
        let waited = supervisor.wait();
        forget(supervisor.id());
        waited?;
        let text = scratch::read(status)?;
        if let Ok(ended) = serde_json::from_str(&text) {
            return Ok(ended);
        }
        if self.subreaper {
            descendants::end_orphans(&|pid| known().contains(&pid))?;
        }
        Ok(Ended::Failed(
            "it left no status, so it was killed itself".to_owned(),
        ))
    }

    fn start(&self, status: &File, stdin: io::PipeReader) -> io::Result<Child> {
        let limits = &self.limits;
        // Held over the start: no other thread may take the newborn for an orphan.
        let mut known = known();
        let child = Command::new(&self.supervisor)
            .arg(SUPERVISE)
            .arg(scratch::path(status))
            .arg(limits.time.as_millis().to_string())
            .arg(limits.memory.to_string())
            .arg(limits.processes.to_string())
            .arg(&self.command)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        known.insert(child.id() as i32);
        Ok(child)
    }

    /// Why the answer can't be taken for one, if it can't.
    fn complaint(
        &self,
        ended: &Ended,
        flooded: bool,
        unread: Option<(u64, usize)>,
        said: &str,
    ) -> Option<String> {
        let limits = &self.limits;
        let what = match ended {
            _ if flooded => format!(
                "it wrote more than {} and was ended",
                units::bytes(limits.output)
            ),
            Ended::Exited(0) => {
                let (unread, whole) = unread?;
                format!(
                    "it ended without firing and left {unread} of the feed's {whole} bytes unread"
                )
            }
            Ended::Exited(code) => format!("it ended with exit code {code}"),
            Ended::Signalled(signal) => format!("it was killed by signal {signal}"),
            Ended::NotStarted(why) => format!("it could not be started: {why}"),
            Ended::OutOfTime => format!(
                "it had not ended after {} and was killed; --timeout gives it longer",
                units::duration(limits.time)
            ),
            Ended::OutOfMemory(held) => format!(
                "it held {} of memory, more than {}, and was killed; --memory gives it more",
                units::bytes(*held),
                units::bytes(limits.memory)
            ),
            Ended::TooManyProcesses(n) => {
                format!(
                    "it had {n} processes, more than {}, and was killed",
                    limits.processes
                )
            }
            Ended::Stopped => "it was stopped with the judge".to_owned(),
            Ended::Failed(why) => format!("its supervisor failed: {why}"),
        };
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        Some(match last {
            Some(line) => format!("{what}; its last words: {}", line.trim()),
            None => what,
        })
    }
}

/// Writes the feed and closes the pipe. A program that doesn't read is no error of ours.
fn write_feed(mut pipe: io::PipeWriter, feed: &[u8]) {
    let _ = pipe.write_all(feed);
}

/// Reads lines until the end or the limit; says whether it was the limit. Closing the pipe on
/// return tells the supervisor that nobody listens any more.
fn read_answers(stdout: ChildStdout, end_s: f64, output_max: u64) -> (Answers, bool) {
    let mut answers = Answers::default();
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    let mut total = 0;
    loop {
        line.clear();
        let read = reader
            .by_ref()
            .take(LINE_MAX as u64 + 1)
            .read_until(b'\n', &mut line);
        let Ok(read @ 1..) = read else {
            return (answers, false);
        };
        total += read as u64;
        if total > output_max {
            return (answers, true);
        }
        answers.line(&line, end_s);
        if answers.is_broken() {
            return (answers, false);
        }
    }
}

/// Reads stderr to its end, so that the program never blocks on it, and keeps the last of it.
fn last_words(mut stderr: ChildStderr) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..read]);
        let over = kept.len().saturating_sub(STDERR_KEPT);
        kept.drain(..over);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(script: &str, output_max: u64) -> (Answers, bool) {
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let read = read_answers(child.stdout.take().unwrap(), 100.0, output_max);
        // Nobody listens any more, so it has ended or does so at its next line.
        child.wait().unwrap();
        read
    }

    #[test]
    fn of_what_a_program_says_on_stderr_the_end_is_kept() {
        let said = |script: &str| {
            let mut child = Command::new("sh")
                .args(["-c", script])
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let said = last_words(child.stderr.take().unwrap());
            child.wait().unwrap();
            said
        };
        assert_eq!(said("echo oh no >&2"), "oh no\n");
        let long = said("yes '' | head -c 100000 >&2; echo the end >&2");
        assert_eq!(long.len(), STDERR_KEPT);
        assert!(long.ends_with("\nthe end\n"), "{long}");
    }

    #[test]
    fn a_program_is_read_to_its_end_to_its_limit_or_to_its_first_line_that_is_no_answer() {
        let answer = r#"echo '{"fire":true,"t":42.0,"class":"leak"}'"#;
        let (answers, flooded) = read(answer, 1000);
        assert!(!flooded && answers.finish().fired_at == Some(42.0));
        // Its limit counts the bytes of all its lines.
        let (_, flooded) = read("yes ''", 1000);
        assert!(flooded);
        let (_, flooded) = read("yes '' | head -n 1000", 1000);
        assert!(!flooded, "1000 bytes are not more than 1000");
        let (answers, flooded) = read("echo nothing; yes ''", 1000);
        assert!(!flooded && answers.is_broken());
    }
}
