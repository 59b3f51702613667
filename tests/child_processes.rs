//! What a started child can rely on: it dies with its parent, is the OOM killer's first choice, and
//! starts with no signal blocked although the harness takes its signals by file.

use std::io::Read;
use std::process::{Command, Stdio};

use memtide::sys::process::{Child, OOM_FIRST, Signals};
use nix::sys::signal::{SigSet, Signal, raise};

const ROLE: &str = "MEMTIDE_TEST_PARENT";

fn alone() -> Child<'static> {
    Child {
        join: None,
        oom_score_adj: Some(OOM_FIRST),
        die_with_parent: true,
    }
}

/// Not a test by itself: the re-executed binary starts a child and waits to be killed.
#[test]
fn parent() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    // The child inherits stdout: it closes when both processes are gone.
    let mut command = Command::new("sleep");
    command.arg("600");
    alone().prepare(&mut command);
    let mut child = command.spawn().unwrap();
    println!("started");
    child.wait().unwrap();
}

#[test]
fn a_child_dies_with_its_parent() {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "parent", "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = parent.stdout.take().unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"started\n") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        text.extend(byte);
    }
    parent.kill().unwrap();
    parent.wait().unwrap();
    // Ends only when the grandchild has closed its end too; a survivor would hold it for minutes.
    stdout.read_to_end(&mut text).unwrap();
}

#[test]
fn a_child_is_the_oom_killers_first_choice_and_has_no_blocked_signals() {
    let blocked: SigSet = [Signal::SIGUSR1, Signal::SIGTERM].into_iter().collect();
    blocked.thread_block().unwrap();
    let mut command = Command::new("cat");
    command.args(["/proc/self/oom_score_adj", "/proc/self/status"]);
    alone().prepare(&mut command);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    blocked.thread_unblock().unwrap();
    assert!(text.starts_with("1000\n"), "{text}");
    let mask = text.lines().find(|line| line.starts_with("SigBlk:"));
    assert_eq!(mask, Some("SigBlk:\t0000000000000000"));
}

#[test]
fn a_cgroup_file_that_refuses_is_an_error_of_the_start() {
    let refuses = std::fs::File::open("/dev/null").unwrap();
    let mut command = Command::new("true");
    Child::worker(&refuses).prepare(&mut command);
    // Opened for reading only: the write in the child fails, and nothing is run.
    let error = command.spawn().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(nix::libc::EBADF));
}

#[test]
fn signals_are_read_and_the_old_ways_come_back() {
    let before = SigSet::thread_get_mask().unwrap();
    {
        let signals = Signals::open(&[Signal::SIGUSR2]).unwrap();
        assert!(signals.next().unwrap().is_none());
        raise(Signal::SIGUSR2).unwrap();
        let info = signals.next().unwrap().unwrap();
        assert_eq!(info.ssi_signo, Signal::SIGUSR2 as u32);
        assert!(signals.next().unwrap().is_none());
        // Pending at the end: spent, or its default action would end this test.
        raise(Signal::SIGUSR2).unwrap();
    }
    let after = SigSet::thread_get_mask().unwrap();
    assert_eq!(before, after);
}
