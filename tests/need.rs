//! `memtide need` finds the need of programs that need a known amount, and says clearly when there is
//! no number. Losses are wide here: what is told apart is killed from not, and a machine that does
//! other work too must not decide a test.

mod common;
#[path = "common/fake_cgroup.rs"]
mod fake_cgroup;

use std::path::Path;
use std::process::Output;

use fake_cgroup::FakeCgroup;
use serde_json::Value;

const MIB: u64 = 1 << 20;

fn need(arguments: &[&str]) -> Output {
    let need = common::memtide().arg("need").args(arguments).output();
    need.unwrap()
}

/// The one need of a JSON result.
fn found(arguments: &[&str]) -> Value {
    let output = need(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["needs"][0].clone()
}

/// Judged by what is read again and by kills: how fast the machine is, and what else it does, must
/// not decide.
const QUIETLY: [&str; 7] = [
    "--by",
    "refaults",
    "--loss=5%",
    "--runs",
    "1",
    "--format",
    "json",
];

/// The resolution is 2 % of the limit, a worker is charged about 1 MiB for itself, and the kernel's
/// records of what is written are 3 % of it.
fn within(found: &Value, bytes: u64) {
    let limit = found["max_bytes"].as_u64().unwrap();
    let need = found["need_bytes"].as_u64().unwrap();
    let tolerance = (limit * 3 / 100).max(4 * MIB);
    assert!(need.abs_diff(bytes) <= tolerance, "{need}: {found:#}");
    let interval = &found["interval_bytes"];
    assert!(interval[0].as_u64().unwrap() < need && interval[1].as_u64().unwrap() >= need);
    // Every curve begins at the highest limit, with all formulas that say "used".
    assert!(found["curve"].as_array().unwrap().len() <= 8);
    let formulas = found["formulas"].as_array().unwrap();
    let has = |name: &str| formulas.iter().any(|f| f["formula"] == name);
    assert!(has("cadvisor_working_set") && has("rss"));
    let advice = &found["suggested"];
    assert!(advice["limit"].as_u64() > advice["request"].as_u64());
}

/// Of the same files the need is measured on other kernels (scripts/kernels/run --need). Each says its
/// need by construction, which `memtide need` checks: its exit code tells.
fn known(name: &str) -> Value {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/kernels/need-{name}.toml"));
    let found = found(&[&[file.to_str().unwrap()], &QUIETLY[..]].concat());
    assert_eq!(found["known"]["right"], true, "{found:#}");
    within(&found, found["known"]["bytes"].as_u64().unwrap());
    found
}

/// How much more than the need a formula said.
fn percent(found: &Value, formula: &str) -> f64 {
    let formulas = found["formulas"].as_array().unwrap();
    let one = formulas.iter().find(|f| f["formula"] == formula).unwrap();
    one["percent"].as_f64().unwrap()
}

#[test]
fn a_heap_needs_what_it_touches_in_turn() {
    if common::can_manage("the need of a heap") {
        known("heap");
    }
}

#[test]
fn tmpfs_needs_all_that_it_holds() {
    if common::can_manage("the need of tmpfs") {
        known("tmpfs");
    }
}

#[test]
fn two_phases_that_do_not_overlap_need_the_larger() {
    if common::can_manage("the need of two phases") {
        known("phases");
    }
}

#[test]
fn lazily_freed_memory_needs_what_is_written_again() {
    if !common::can_manage("the need of lazily freed memory") {
        return;
    }
    let found = known("lazy");
    let kept = percent(&found, "usage");
    // Where the kernel drops such pages at once (before 4.12) there is nothing to be seen.
    assert!(kept > 100.0 || percent(&found, "rss") < 50.0, "{found:#}");
}

#[test]
fn a_log_that_nobody_reads_needs_next_to_nothing() {
    if !common::can_manage("the need of a log") {
        return;
    }
    let found = known("log");
    // Usage at the highest limit was that limit: the number to size by is another one.
    assert!(percent(&found, "usage") > 500.0, "{found:#}");
}

#[test]
fn a_file_that_a_scenario_reads_in_a_loop_needs_its_size() {
    if common::can_manage("the need of a scenario's file") {
        known("file");
    }
}

/// A scenario that says what it needs, and needs something else, or has no need at all.
#[test]
fn a_need_that_is_not_the_one_by_construction_is_told() {
    if !common::can_manage("a wrong need") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("wrong.toml");
    for (size, word) in [("16MiB", "need_bytes"), ("90MiB", "none_because")] {
        let work = format!("anon = {{ size = \"{size}\", rate = \"2GiB/s\" }}");
        let text = common::scenario("limit = \"64MiB\"", &work);
        let text = text.replace("why = \"a test\"", "why = \"a test\"\nneed = \"40MiB\"");
        std::fs::write(&file, text).unwrap();
        let output = need(&[&[file.to_str().unwrap()], &QUIETLY[..]].concat());
        assert_eq!(output.status.code(), Some(1), "{size}");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = &document["needs"][0];
        assert_eq!(found["known"]["right"], false, "{found:#}");
        assert_eq!(found["known"]["bytes"], 40 * MIB);
        assert!(!found[word].is_null(), "{found:#}");
    }
}

/// The file was written, and so is charged to somebody else; the command is charged for all of it,
/// since it is cold before each trial.
#[test]
fn a_file_read_in_a_loop_needs_its_size_whoever_had_read_it_before() {
    if !common::can_manage("the need of a file") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = dir.path().join("data");
    std::fs::write(&file, vec![1u8; 48 << 20]).unwrap();
    let file = file.to_str().unwrap();
    // The kernel's records of a file's pages are 3 % of it.
    let bytes = 48 * MIB * 103 / 100 + MIB;
    let limit = ["--limit", "96MiB"];
    let named = ["--", "cat", file, file, file, file, file, file];
    within(&found(&[&limit, &QUIETLY[..], &named[..]].concat()), bytes);
    // Not named, but seen open.
    let script = format!("for i in 1 2 3 4 5 6; do cat '{file}'; done");
    let opened = ["--", "sh", "-c", &script];
    within(&found(&[&limit, &QUIETLY[..], &opened[..]].concat()), bytes);
}

/// GNU grep and tar see that they write to /dev/null, and do less.
#[test]
fn no_run_has_its_output_in_dev_null() {
    if !common::can_manage("the output of a trial") {
        return;
    }
    let script = "test -p /dev/stdout -o -t 1 -o ! -c /dev/stdout || exit 3; head -c 3M /dev/zero; \
        dd if=/dev/zero of=/dev/null bs=1M count=300";
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let shown = std::fs::File::create(dir.path().join("stderr")).unwrap();
    let output = common::memtide()
        .args(["need", "--limit", "64MiB"])
        .args(QUIETLY)
        .args(["--", "sh", "-c", script])
        .stderr(shown)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// A command in a shell's loop is over before any look at /proc: the kernel tells which files it opened.
#[test]
fn a_file_that_is_open_for_a_moment_is_cold_too() {
    if !common::can_manage("a file that is open for a moment") {
        return;
    }
    if !nix::unistd::geteuid().is_root() {
        common::skip("a file that is open for a moment", "fanotify needs root");
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    // Each is read at once, and none by more than one command.
    for n in 0..48 {
        std::fs::write(dir.path().join(format!("part {n}")), vec![1u8; 1 << 20]).unwrap();
    }
    let script = format!(
        "cd '{}' && for i in 1 2; do for f in part*; do cat \"$f\"; done; done | cat",
        dir.path().display()
    );
    let limit = ["--limit", "96MiB"];
    let command = ["--", "sh", "-c", &script];
    within(
        &found(&[&limit, &QUIETLY[..], &command[..]].concat()),
        50 * MIB,
    );
}

#[test]
fn what_fails_by_chance_or_is_killed_by_others_has_no_number() {
    if !common::can_manage("no need of what fails by chance") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let count = dir.path().join("count");
    // The third run, the first below the highest limit, fails.
    let script = format!(
        "echo x >> {0}; sleep 0.1; test $(wc -l < {0}) != 3",
        count.display()
    );
    for (script, word) in [
        (script.as_str(), "fails by chance"),
        ("kill -KILL $$", "something killed it"),
        ("kill -TERM $$", "fails at the highest limit"),
    ] {
        let options = ["--limit", "64MiB", "--by", "refaults", "--runs", "1", "--"];
        let output = need(&[&options[..], &["sh", "-c", script]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{script}: {said}");
        assert!(said.contains(word), "{script}: {said}");
    }
}

#[test]
fn what_is_left_running_is_ended_and_told() {
    if !common::can_manage("a command that leaves a daemon") {
        return;
    }
    let script = "setsid sleep 1000 & exec dd if=/dev/zero of=/dev/null bs=1M count=300";
    let arguments = ["--limit", "64MiB", "--", "sh", "-c", script];
    let (options, rest) = arguments.split_at(2);
    let found = found(&[options, &QUIETLY[..], rest].concat());
    let notes = found["notes"].to_string();
    assert!(notes.contains("left 1 processes running"), "{notes}");
}

#[test]
fn where_there_is_no_number_it_says_why() {
    if !common::can_manage("no need") {
        return;
    }
    let hog = "dd if=/dev/zero of=/dev/null bs=100M count=1; exit 1";
    for (limit, command, word) in [
        ("64MiB", vec!["true"], "too short"),
        (
            "64MiB",
            vec!["sh", "-c", "sleep 0.2; exit 3"],
            "fails at the highest limit",
        ),
        (
            "32MiB",
            vec!["sh", "-c", hog],
            "killed at the highest limit",
        ),
        (
            "64MiB",
            vec!["no-such-command"],
            "fails at the highest limit",
        ),
    ] {
        let output = need(&[&["--limit", limit, "--"], &command[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains(word), "{command:?}: {said}");
        assert!(output.stdout.is_empty(), "{command:?}");
    }
}

#[test]
fn a_wrong_command_line_says_what_to_type() {
    for (arguments, word) in [
        (&[][..], "nothing to measure"),
        (&["--", "true"], "--limit"),
        (&["--limit=0", "--", "true"], "--limit 0"),
        (&["no-such-scenario"], "memtide list"),
        (&["--loss=much", "steady"], "--loss"),
        (&["--runs", "0", "steady"], "--runs"),
        (&["--load", "true", "steady"], "--load"),
        (
            &["--limit=1GiB", "--measure", "(", "--", "true"],
            "--measure",
        ),
        (
            &["--limit=1GiB", "--better", "more", "--", "true"],
            "--measure",
        ),
    ] {
        let output = need(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}

#[test]
fn a_running_cgroups_need_is_found_and_its_limit_put_back() {
    for old in ["max", "1073741824"] {
        let cgroup = FakeCgroup::new(old, 100 * MIB, 60 * MIB);
        let mut tries = 0;
        let found = loop {
            let output = cgroup.live(&["--format", "json"]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{said}");
            assert!(
                said.contains("putting it back to ") && said.contains(old),
                "{said}"
            );
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            // On a busy machine the thread that plays the kernel may not come to it within a step.
            if found["live"]["ended_by"] == "read_again" || tries == 20 {
                break found;
            }
            tries += 1;
        };
        let need = found["live"]["need_bytes"].as_u64().unwrap();
        assert!(need.abs_diff(60 * MIB) <= 4 * MIB, "{need}: {found:#}");
        assert_eq!(found["live"]["ended_by"], "read_again");
        assert_eq!(cgroup.high(), old);
    }
}

#[test]
fn however_a_live_measurement_ends_the_old_limit_is_put_back() {
    use nix::sys::signal::{Signal, kill};
    let quiet = || std::process::Stdio::null();
    for (round, signal) in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGINT]
        .into_iter()
        .cycle()
        .take(9)
        .enumerate()
    {
        let cgroup = FakeCgroup::new("max", 100 * MIB, 0);
        let mut command = cgroup.live(&[]);
        let mut live = command.stdout(quiet()).stderr(quiet()).spawn().unwrap();
        cgroup.await_high(|high| high.parse::<u64>().is_ok());
        // Anywhere in the second that follows.
        std::thread::sleep(std::time::Duration::from_millis(37 * round as u64));
        let pid = nix::unistd::Pid::from_raw(live.id() as i32);
        // It may have ended by itself, on a slow machine: then it has put it back.
        let _ = kill(pid, signal);
        live.wait().unwrap();
        cgroup.await_high(|high| high == "max");
    }
}

#[test]
fn a_limit_that_somebody_else_sets_meanwhile_is_left_to_them() {
    let cgroup = FakeCgroup::new("max", 100 * MIB, 0);
    let mut command = cgroup.live(&[]);
    let mut live = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    cgroup.await_high(|high| high.parse::<u64>().is_ok());
    live.kill().unwrap();
    std::fs::write(cgroup.dir.path().join("memory.high"), "4096000").unwrap();
    live.wait().unwrap();
    // Either the old value had been put back already, or theirs is kept. The keeper outlives its parent, and a file that
    // stands for the kernel's is empty while it writes.
    cgroup.await_high(|high| high == "4096000" || high == "max");
}

#[test]
fn what_is_no_cgroup_of_v2_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    for (arguments, word) in [
        (&["--live", path][..], "memory.high"),
        (&["--live", "/no/such/cgroup"], "memory.high"),
        (&["--live", path, "--limit", "1GiB"], "--limit"),
        (&["--step", "2%", "steady"], "--live"),
    ] {
        let output = need(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_service_is_measured_by_its_load_and_the_curve_is_drawn() {
    if !common::can_manage("the need of a service") {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let (plot, page) = (dir.path().join("curve.svg"), dir.path().join("need.html"));
    // 24 MiB in a variable of the shell's, and then it waits to be stopped.
    let service = "x=$(head -c 25165824 /dev/zero | tr '\\0' x); echo is ready; sleep 1000";
    let found = found(&[
        "--limit=96MiB",
        "--runs=1",
        "--loss=10%",
        "--format=json",
        "--ready=line:is ready",
        "--load=echo rate 5000; sleep 0.1",
        "--measure=rate (\\d+)",
        "--better=more",
        "--plot",
        plot.to_str().unwrap(),
        "-o",
        page.to_str().unwrap(),
        "--",
        "sh",
        "-c",
        service,
    ]);
    let need = found["need_bytes"].as_u64().unwrap();
    assert!((24 * MIB..96 * MIB).contains(&need), "{found:#}");
    assert_eq!(found["by"], "more");
    assert_eq!(found["baseline"], 5000.0);
    let svg = std::fs::read_to_string(plot).unwrap();
    assert!(
        svg.contains("interval_bytes") && svg.contains("<circle"),
        "{svg}"
    );
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && page.contains("cadvisor_working_set"));
}

/// What runs in the virtual machines of scripts/kernels are scenarios that can be read; and each
/// whose need is known says it.
#[test]
fn the_tests_of_other_kernels_are_scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let parsed = memtide::scenario::parse(&text, &path.display().to_string(), name);
        let scenario = parsed.unwrap_or_else(|error| panic!("{error:?}"));
        let is_known = name.starts_with("need-");
        assert_eq!(scenario.truth.need.is_some(), is_known, "{name}");
        seen += 1;
    }
    assert!(seen >= 16, "{seen}");
}

/// What stands between two marks in docs/need.md.
fn held_current(mark: &str, arguments: &[&str]) {
    let output = common::memtide()
        .arg("judge")
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let table = String::from_utf8(output.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/need.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (open, close) = (
        format!("<!-- {mark} -->\n"),
        format!("<!-- end of {mark} -->"),
    );
    let (head, rest) = text.split_once(&open).unwrap();
    let (old, tail) = rest.split_once(&close).unwrap();
    let new = format!("\n{table}\n");
    if std::env::var_os("MEMTIDE_UPDATE").is_some() {
        std::fs::write(&path, format!("{head}{open}{new}{close}{tail}")).unwrap();
    } else {
        assert_eq!(
            old, new,
            "docs/need.md is old: run this test with MEMTIDE_UPDATE=1"
        );
    }
}

#[test]
fn the_tables_of_the_docs_are_what_the_recordings_say() {
    held_current("formulas", &["--formulas", "--format", "markdown"]);
    let sizers = [
        "--sizer",
        "all",
        "--scale-to",
        "4GiB",
        "--format",
        "markdown",
    ];
    held_current("sizers", &sizers);
}

#[test]
fn a_right_sizer_that_is_a_program_is_judged_by_what_it_prints() {
    let judge = |sizer: &str| {
        let mut command = common::memtide();
        command.args([
            "judge",
            "--setup",
            "6.18-v1",
            "--scenario",
            "steady",
            "--format",
            "json",
        ]);
        command.args(["--sizer", sizer]).output().unwrap()
    };
    let rows = |output: &Output| {
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["sizers"][0]["rows"][0].clone()
    };
    let good = judge("wc -l > /dev/null; echo 268435456");
    assert_eq!(good.status.code(), Some(0));
    assert_eq!(rows(&good)["limit"], 256 * MIB);
    for (wrong, word) in [
        ("cat > /dev/null; exit 3", "exit code 3"),
        ("cat > /dev/null; echo plenty", "no number of bytes"),
    ] {
        let output = judge(wrong);
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        let error = rows(&output)["error"].to_string();
        assert!(error.contains(word), "{wrong}: {error}");
    }
    let typo = judge("kr");
    assert_eq!(typo.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&typo.stderr).contains("`krr`"));
}

/// The scenario is run under what the sizer recommends: enough, and far too little.
#[test]
fn what_a_right_sizer_recommends_is_run() {
    if !common::can_manage("right-sizers run again") {
        return;
    }
    for (sizer, word) in [
        ("echo 256MiB", "ran: as good"),
        ("echo 16MiB", "ran: oom_killed"),
    ] {
        let output = common::memtide()
            .args(["judge", "--setup", "6.18-v1", "--scenario", "tmpfs-fill"])
            .args(["--sizer", &format!("wc -l > /dev/null; {sizer}")])
            .args(["--run-again", "--format", "json"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let row = &document["sizers"][0]["rows"][0];
        assert_eq!(row["recording"], "6.18-v1/tmpfs-fill", "{row:#}");
        assert_eq!(row["ran"], word, "{row:#}");
    }
}

/// A rate, a release, a kind of memory: what is said against a need can't be said of one that is not
/// there, and each file that ships can be read.
#[test]
fn every_need_that_ships_is_one_of_its_set_up() {
    let measured = memtide::shipped::all().filter(|one| one.need.is_some());
    let mut seen = 0;
    for one in measured {
        let need = one.need().unwrap().unwrap();
        assert_eq!(need.setup, one.setup, "{}", one.path());
        seen += 1;
    }
    assert!(seen >= 10, "{seen}");
}
