//! A real terminal for tests: a tmux server of its own with one window.

// Each test file uses its part of it.
#![allow(dead_code)]

use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Longer than a live run takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A tmux server of its own with one window.
pub struct Terminal {
    dir: tempfile::TempDir,
}

impl Terminal {
    /// Runs `command` in a shell in a window of this size, and prints its exit code when it ends.
    pub fn run(command: &str, width: u16, height: u16) -> Option<Terminal> {
        if !crate::common::has_program("the terminal", "tmux") {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let terminal = Terminal { dir };
        // The shell stays, so that what the program left of the terminal can be looked at.
        let script = format!("{command}; echo EXIT $?; exec sleep 1000");
        let temporary = terminal.dir.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let size = [width.to_string(), height.to_string()];
        let out = terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "-e",
            &format!("TMPDIR={}", temporary.display()),
            "sh",
            "-c",
            &script,
        ]);
        assert!(out.status.success(), "{out:?}");
        Some(terminal)
    }

    pub fn tmux(&self, args: &[&str]) -> Output {
        let socket = self.dir.path().join("socket");
        Command::new("tmux")
            .arg("-S")
            .arg(socket)
            .args(args)
            .output()
            .unwrap()
    }

    pub fn screen(&self) -> String {
        let out = self.tmux(&["capture-pane", "-p"]);
        String::from_utf8(out.stdout).unwrap()
    }

    pub fn keys(&self, keys: &[&str]) {
        let mut args = vec!["send-keys"];
        args.extend(keys);
        assert!(self.tmux(&args).status.success());
    }

    /// Waits until the screen is as wanted.
    pub fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "never: {what}\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether the program is on the other screen, as full-screen programs are.
    pub fn is_taken_over(&self) -> bool {
        let out = self.tmux(&["display-message", "-p", "#{alternate_on}"]);
        out.stdout.starts_with(b"1")
    }

    /// The process id of the demo: the shell's child.
    pub fn demo(&self) -> i32 {
        let out = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let shell = String::from_utf8(out.stdout).unwrap();
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        let children = std::fs::read_to_string(children).unwrap();
        children.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// What a live demo left in the folder for temporary files.
    pub fn left_behind(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("tmp"))
            .unwrap()
            .count()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
