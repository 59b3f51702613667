//! The demo in a real terminal: tmux sends the keys and reads the screen.

mod common;
mod terminal;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use memtide::shipped;
use terminal::{PATIENCE, Terminal};

const BIN: &str = env!("CARGO_BIN_EXE_memtide");
/// The recorded second in the title, `3.20 s of 9.00 s`.
fn shown_second(screen: &str) -> f64 {
    let title = screen.lines().next().unwrap();
    let before = &title[..title.find(" s of ").unwrap()];
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Every line fits, the title is first and the keys are last.
fn is_whole(screen: &str, width: usize, height: usize) -> bool {
    let lines: Vec<&str> = screen.lines().collect();
    lines.len() == height
        && lines.iter().all(|l| l.chars().count() <= width)
        && lines[0].contains(" s of ")
        && lines[height - 1].contains("space")
        && screen.contains("working_set = usage")
}

/// Two set-ups on which log-read-twice was recorded and came out differently.
fn pair() -> Option<(&'static str, &'static str)> {
    let there = |setup| shipped::find(setup, "log-read-twice").is_some();
    let found = there("6.1-v2") && there("6.12-v2-mglru");
    if !found {
        common::skip(
            "two set-ups side by side",
            "log-read-twice is not shipped for 6.1-v2 and 6.12-v2-mglru",
        );
    }
    found.then_some(("6.1-v2", "6.12-v2-mglru"))
}

#[test]
fn a_replay_obeys_its_keys_and_gives_the_terminal_back() {
    let Some((setup, _)) = pair() else { return };
    let command = format!("{BIN} demo log-read-twice --setup {setup}");
    let Some(terminal) = Terminal::run(&command, 100, 30) else {
        return;
    };
    let first = terminal.until("the show", |s| {
        is_whole(s, 100, 30) && s.contains("1/5 write")
    });
    assert!(
        first
            .lines()
            .next()
            .unwrap()
            .contains(&format!("replay: {setup}")),
        "{first}"
    );
    assert!(terminal.is_taken_over());
    for words in [
        "Who reads the log",
        "1/5 write",
        "what the program itself knows",
        "inactive_file",
        "limit 256.0",
    ] {
        assert!(first.contains(words), "{words}\n{first}");
    }

    terminal.keys(&["Space"]);
    let paused = shown_second(&terminal.until("paused", |s| s.contains("paused")));
    // Every key is a frame: after one that does nothing, time would have gone on.
    terminal.keys(&["x"]);
    terminal.keys(&["+"]);
    terminal.keys(&["Right"]);
    let second = terminal.until("the next step", |s| s.contains("2/5 read once"));
    assert!(shown_second(&second) > paused);
    terminal.keys(&["Right"]);
    let third = terminal.until("the third step", |s| s.contains("3/5 read twice"));
    assert!(third.contains("paused"));
    terminal.keys(&["Left"]);
    terminal.until("back", |s| s.contains("2/5 read once"));
    terminal.keys(&["?"]);
    terminal.until("help", |s| s.contains("cache, read again"));
    terminal.keys(&["?"]);
    terminal.keys(&["Space"]);
    terminal.until("faster", |s| s.lines().next().unwrap().contains(" 2x "));

    terminal.keys(&["v"]);
    terminal.until("beside", |s| s.matches("working_set = usage").count() == 2);
    terminal.keys(&["q"]);
    let last = terminal.until("the end", |s| s.contains("EXIT 0"));
    assert!(
        !terminal.is_taken_over() && !last.contains("space pause"),
        "{last}"
    );
}

#[test]
fn two_set_ups_go_in_step_at_every_size() {
    let Some((one, two)) = pair() else { return };
    let command = format!("{BIN} demo log-read-twice --setup {one} --versus {two}");
    let Some(terminal) = Terminal::run(&command, 80, 24) else {
        return;
    };
    // The first step begins a little after the first frame.
    terminal.until("the show", |s| {
        is_whole(s, 80, 24) && s.contains("1/5 write")
    });
    terminal.keys(&["Space"]);
    for step in ["2/5 read once", "3/5 read twice"] {
        terminal.keys(&["Right"]);
        terminal.until(step, |s| s.contains(step));
    }
    for (width, height) in [(80, 24), (100, 30), (200, 60)] {
        let (x, y) = (width.to_string(), height.to_string());
        assert!(
            terminal
                .tmux(&["resize-window", "-x", &x, "-y", &y])
                .status
                .success()
        );
        let screen = terminal.until("the new size", |s| is_whole(s, width, height));
        assert!(screen.contains(one) && screen.contains(two), "{screen}");
    }
    // The lesson: at the end of the second read one set-up counts the log and the other does not.
    terminal.keys(&["-", "Space"]);
    terminal.until("the fourth step", |s| s.contains("4/5 write on"));
    let screen = terminal.screen();
    let working_set = |label: &str| -> f64 {
        let line = screen
            .lines()
            .find(|l| l.starts_with(&format!("{label}: working_set")))
            .unwrap();
        let (value, unit) = line.rsplit_once(' ').unwrap();
        assert_eq!(unit, "MiB", "{line}");
        value.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(
        working_set(one) > 80.0 && working_set(two) < 25.0,
        "{screen}"
    );
}

#[test]
fn a_live_run_is_shown_to_its_oom_kill_and_misses_no_tick_for_it() {
    let Some(terminal) = Terminal::run(&format!("{BIN} demo free-then-reuse"), 100, 30) else {
        return;
    };
    let first = terminal.until("the show", |s| s.contains(" s of ") || s.contains("EXIT"));
    if !first.lines().next().unwrap().contains("live on") {
        common::skip("a live run in the demo", first.trim());
        return;
    }
    let last = terminal.until("the kill", |s| {
        s.contains("OOM KILL of") && s.contains("the end")
    });
    assert!(
        last.contains("working_set said") && is_whole(&last, 100, 30),
        "{last}"
    );
    // The run is a process of its own: drawing can take its CPU only as any other program here can.
    let end = last.lines().find(|l| l.contains("the end: ")).unwrap();
    if !end.contains(" samples, 0 missed)") {
        common::note_skip(
            "no missed tick in the demo",
            &format!("other programs keep all CPUs busy: {end}"),
        );
    }
    terminal.keys(&["q"]);
    terminal.until("the end", |s| s.contains("EXIT 0"));
    assert_eq!(terminal.left_behind(), 0);
}

#[test]
fn a_signal_in_the_middle_of_a_run_leaves_nothing_behind() {
    for signal in ["TERM", "HUP"] {
        let Some(terminal) = Terminal::run(&format!("{BIN} demo leak"), 80, 24) else {
            return;
        };
        let first = terminal.until("the show", |s| s.contains(" s of ") || s.contains("EXIT"));
        if !first.lines().next().unwrap().contains("live on") {
            common::skip("a live run in the demo", first.trim());
            return;
        }
        let demo = terminal.demo();
        let kill = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(demo.to_string())
            .status();
        assert!(kill.unwrap().success());
        terminal.until("the end", |s| s.contains("EXIT 0"));
        assert!(!terminal.is_taken_over());
        assert_eq!(terminal.left_behind(), 0, "temporary files");
    }
}

#[test]
fn a_terminal_that_goes_away_ends_the_show() {
    let Some((setup, _)) = pair() else { return };
    let command = format!("{BIN} demo log-read-twice --setup {setup}");
    let Some(terminal) = Terminal::run(&command, 80, 24) else {
        return;
    };
    terminal.until("the show", |s| is_whole(s, 80, 24));
    let demo = terminal.demo();
    terminal.tmux(&["kill-server"]);
    let end = Instant::now() + PATIENCE;
    while Path::new(&format!("/proc/{demo}")).exists() {
        assert!(Instant::now() < end, "the demo goes on without a terminal");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn drawing_costs_less_than_a_twentieth_of_a_core() {
    let Some((one, two)) = pair() else { return };
    let command = format!("{BIN} demo log-read-twice --setup {one} --versus {two} --speed 0.5");
    let Some(terminal) = Terminal::run(&command, 100, 30) else {
        return;
    };
    terminal.until("the show", |s| is_whole(s, 100, 30));
    let stat = format!("/proc/{}/stat", terminal.demo());
    // Fields 14 and 15 in ticks of 10 ms; the name in field 2 holds no space.
    let ticks = || -> u64 {
        let text = std::fs::read_to_string(&stat).unwrap();
        text.split(' ')
            .skip(13)
            .take(2)
            .map(|n| n.parse::<u64>().unwrap())
            .sum()
    };
    let (before, start) = (ticks(), Instant::now());
    std::thread::sleep(Duration::from_secs(4));
    let share = (ticks() - before) as f64 / (start.elapsed().as_secs_f64() * 100.0);
    println!("drawing costs {:.1} % of a core", share * 100.0);
    assert!(share < 0.05, "{:.1} % of a core", share * 100.0);
}

#[test]
fn the_menu_is_a_course() {
    let Some((setup, _)) = pair() else { return };
    let Some(terminal) = Terminal::run(&format!("{BIN} demo --setup {setup}"), 100, 30) else {
        return;
    };
    let menu = terminal.until("the menu", |s| s.contains("Enter show"));
    let at = |name: &str| menu.lines().position(|l| l.contains(name)).unwrap();
    assert!(at(" log-write ") < at(" heap-churn ") && at(" heap-churn ") < at(" release-free "));
    terminal.keys(&["Down", "Enter"]);
    terminal.until("the second lesson", |s| {
        s.lines().next().unwrap().contains("heap-churn")
    });
    terminal.keys(&["m"]);
    terminal.until("the menu", |s| s.contains("Enter show"));
    terminal.keys(&["q"]);
    terminal.until("the end", |s| s.contains("EXIT 0"));
}

#[test]
fn a_dumb_terminal_gets_the_steps_printed() {
    let Some((setup, _)) = pair() else { return };
    let args = ["demo", "log-read-twice", "--setup", setup];
    let out = Command::new(BIN)
        .args(args)
        .env("TERM", "dumb")
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    let at = |step: &str| text.find(step).unwrap_or_else(|| panic!("{step}\n{text}"));
    assert!(at("[1/5] write") < at("[3/5] read twice") && at("[3/5]") < at("[5/5] delete"));
    assert!(!text.contains('\x1b'), "{text}");
    // A full terminal that is called dumb, too.
    let command = format!("TERM=dumb {BIN} {}", args.join(" "));
    let Some(terminal) = Terminal::run(&command, 100, 200) else {
        return;
    };
    terminal.until("the end", |s| {
        s.contains("[5/5] delete") && s.contains("EXIT 0")
    });
    assert!(!terminal.is_taken_over());
}

/// Run by the test below inside a terminal.
#[test]
#[ignore = "it panics: a test below runs it in a terminal of its own"]
fn panics_on_the_whole_screen() {
    let mut screen = memtide::demo::Screen::open().unwrap();
    memtide::demo::waiting(&mut screen, "about to panic").unwrap();
    panic!("on purpose");
}

#[test]
fn a_panic_gives_the_terminal_back() {
    let own = std::env::current_exe().unwrap();
    let command = format!(
        "RUST_BACKTRACE=0 {} --exact panics_on_the_whole_screen --ignored --nocapture",
        own.display()
    );
    let Some(terminal) = Terminal::run(&command, 100, 30) else {
        return;
    };
    let screen = terminal.until("the message", |s| {
        s.contains("on purpose") && s.contains("EXIT")
    });
    assert!(!terminal.is_taken_over(), "{screen}");
}
