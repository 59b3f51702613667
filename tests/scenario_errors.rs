//! Whoever writes a scenario is told what is wrong, where (file, line, column), and what would be
//! right; and nothing that is given as a scenario makes memtide panic.

use std::io::Write;

use memtide::scenario::{self, Diagnostics, MAX_BYTES, Overrides, Scenario};

/// A valid scenario; errors are made by replacing parts of it.
const GOOD: &str = r#"title = "A title"
story = "A story."
limit = "256MiB"

[truth]
class = "page_cache"
fire = false
why = "because"

[[step]]
name = "write"
log_write = { file = "app.log", total = "100MiB", line = "128B", buffer = "4KiB" }

[[step]]
name = "read"
after = ["write"]
file_read = { file = "app.log" }

[[expect]]
at = "read"
value = "cadvisor_working_set"
near = "40%"
why = "so"
"#;

fn parse(text: &str) -> Result<Scenario, Diagnostics> {
    scenario::parse(text, "x.toml", "x")
}

/// The errors after replacing `from` by `to` in the valid scenario.
fn errors(from: &str, to: &str) -> Diagnostics {
    assert!(GOOD.contains(from), "{from}");
    parse(&GOOD.replacen(from, to, 1)).expect_err(to)
}

#[test]
fn the_valid_one_is_valid() {
    let s = parse(GOOD).unwrap();
    assert_eq!((s.name.as_str(), s.seed, s.time_scale), ("x", 1, 60.0));
    assert_eq!((s.interval.as_millis(), s.deadline.as_secs()), (100, 60));
    assert_eq!(s.containers[0].name, "app");
    assert_eq!(s.containers[0].actors[0].name, "main");
}

/// Replacement, line and column of the error, and words that must be in what is shown.
type Case = (
    &'static str,
    &'static str,
    (usize, usize),
    &'static [&'static str],
);

#[test]
fn each_mistake_is_shown_at_its_place_with_what_would_be_right() {
    let cases: &[Case] = &[
        // Syntax.
        (
            "limit = \"256MiB\"",
            "limit = 256MiB",
            (3, 9),
            &["x.toml:3:9"],
        ),
        ("[truth]", "[truth", (5, 7), &["x.toml:5:7"]),
        // Keys and words.
        (
            "limit",
            "limt",
            (3, 1),
            &["unknown key `limt`", "did you mean `limit`?", "`seed`"],
        ),
        (
            "log_write",
            "log-write",
            (12, 1),
            &["did you mean `log_write`?", "`heap_churn`"],
        ),
        (
            "buffer",
            "bufer",
            (12, 66),
            &["unknown key `bufer` in `log_write`", "`buffer`"],
        ),
        (
            "page_cache",
            "pagecache",
            (6, 9),
            &["did you mean `page_cache`?", "`oom_ahead`"],
        ),
        ("fire = false\n", "", (5, 1), &["`truth` has no `fire`"]),
        (
            "fire = false",
            "fire = \"no\"",
            (7, 8),
            &["is a string, not true or false"],
        ),
        (
            "limit = \"256MiB\"",
            "limit = [1]",
            (3, 9),
            &["a list, not a string or an integer"],
        ),
        ("[[expect]]", "[expect]", (19, 1), &["`[[expect]]`"]),
        // Quantities.
        (
            "256MiB",
            "256 bananas",
            (3, 9),
            &["is not a size", "`256MiB`"],
        ),
        (
            "256MiB",
            "1000TB",
            (3, 9),
            &["more than any machine has", "at most 65536GiB"],
        ),
        ("256MiB", "4KiB", (3, 9), &["too small", "at least 1MiB"]),
        ("\"100MiB\"", "\"5000000TiB\"", (12, 41), &["x.toml:12:41"]),
        (
            "limit = \"256MiB\"",
            "limit = \"256MiB\"\nseed = -1",
            (4, 8),
            &["below 0"],
        ),
        (
            "limit = \"256MiB\"",
            "limit = \"256MiB\"\ninterval = \"1us\"",
            (4, 12),
            &["from 1 ms to 60.00 s"],
        ),
        (
            "limit = \"256MiB\"",
            "limit = \"256MiB\"\ntime_scale = nan",
            (4, 14),
            &["time_scale"],
        ),
        (
            "limit = \"256MiB\"\n",
            "",
            (0, 0),
            &["no `limit`", "`limit = \"256MiB\"`"],
        ),
        // Workloads.
        (
            "total = \"100MiB\", ",
            "",
            (12, 13),
            &["without bound", "`total`"],
        ),
        (
            "file_read = { file = \"app.log\" }",
            "",
            (15, 8),
            &["does nothing", "`file_read`"],
        ),
        (
            "file_read = {",
            "sleep = \"1s\"\nfile_read = {",
            (15, 8),
            &["several things"],
        ),
        (
            "file_read = { file = \"app.log\" }",
            "file_read = { file = \"ap.log\" }",
            (17, 22),
            &["no step writes", "`app.log`"],
        ),
        (
            "file_read = { file = \"app.log\" }",
            "release = { advice = \"free\" }",
            (17, 11),
            &["no region `heap` yet"],
        ),
        (
            "file = \"app.log\", total",
            "file = \"../x\", total",
            (12, 22),
            &["cannot be the name of a file"],
        ),
        (
            "\"128B\"",
            "{ uniform = [\"9B\", \"1B\"] }",
            (12, 70),
            &["lowest and a highest"],
        ),
        // Names and references.
        (
            "[\"write\"]",
            "[\"wirte\"]",
            (16, 10),
            &["no step `wirte`", "did you mean `write`?"],
        ),
        (
            "[\"write\"]",
            "[\"read\"]",
            (16, 10),
            &["wait for each other"],
        ),
        (
            "name = \"read\"",
            "name = \"write\"",
            (15, 8),
            &["a second step called `write`"],
        ),
        (
            "name = \"read\"",
            "name = \"a/b\"",
            (15, 8),
            &["cannot be the name of a step"],
        ),
        (
            "at = \"read\"",
            "at = \"red\"",
            (20, 6),
            &["did you mean `read`?"],
        ),
        // Expectations.
        (
            "\"cadvisor_working_set\"",
            "\"cadvisor_workingset\"",
            (21, 9),
            &["did you mean `cadvisor_working_set`?"],
        ),
        (
            "\"cadvisor_working_set\"",
            "\"truth:lives\"",
            (21, 9),
            &["`live`"],
        ),
        (
            "\"cadvisor_working_set\"",
            "\"smaps:LazyFre\"",
            (21, 9),
            &["did you mean `LazyFree`?"],
        ),
        (
            "at = \"read\"\nvalue = \"cadvisor_working_set\"",
            "during = \"read\"\npick = \"max\"\nvalue = \"smaps:LazyFree\"",
            (22, 9),
            &["only read after a step"],
        ),
        (
            "near = \"40%\"",
            "near = \"2 x rss\"",
            (22, 8),
            &["is not a size"],
        ),
        (
            "near = \"40%\"",
            "near = \"two * rss\"",
            (22, 8),
            &["`0.5 * truth:live`"],
        ),
        (
            "near = \"40%\"",
            "near = \"rss @ wrote\"",
            (22, 8),
            &["did you mean `write`?"],
        ),
        (
            "near = \"40%\"",
            "tolerance = \"1%\"",
            (22, 13),
            &["`tolerance` without `near`"],
        ),
        (
            "at = \"read\"",
            "during = \"read\"",
            (19, 1),
            &["`max`", "`range`"],
        ),
        (
            "why = \"so\"",
            "why = \"so\"\nwhen = { lru = \"mgrlu\" }",
            (24, 16),
            &["did you mean `mglru`?"],
        ),
        (
            "why = \"so\"",
            "why = \"so\"\nwhen = { kernel = \"4.7\" }",
            (24, 19),
            &["`>= 4.7`"],
        ),
        (
            "why = \"so\"",
            "why = \"so\"\ngroup = \"ap\"",
            (24, 9),
            &["`app`, `pod`"],
        ),
        (
            "why = \"so\"",
            "why = \"so\"\nwhen = {}",
            (24, 8),
            &["asks for nothing"],
        ),
    ];
    let mut wrong = Vec::new();
    for (from, to, place, words) in cases {
        let found = errors(from, to);
        let shown = found.to_string();
        let places: Vec<_> = found.iter().map(|d| found.position(d)).collect();
        let want = (*place != (0, 0)).then_some(*place);
        let named = want.is_none_or(|(line, column)| {
            shown.contains(&format!("x.toml:{line}:{column}")) && shown.contains('^')
        });
        if !places.contains(&want) || !named || words.iter().any(|word| !shown.contains(word)) {
            wrong.push(format!("{to}: wanted {place:?} and {words:?}\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn several_mistakes_are_told_at_once() {
    let text = GOOD
        .replace("256MiB", "256 bananas")
        .replace("\"read\"\nvalue", "\"red\"\nvalue")
        .replace("4KiB", "4kib");
    let found = parse(&text).unwrap_err();
    assert_eq!(found.len(), 3, "{found}");
    let keys = GOOD
        .replace("title", "titel")
        .replace("buffer", "bufer")
        .replace("at = ", "att = ");
    let found = parse(&keys).unwrap_err();
    // Three unknown keys, and the title that is missing.
    assert_eq!(found.len(), 4, "{found}");
}

#[test]
fn an_ambiguous_step_is_an_error_that_names_the_candidates() {
    let text = GOOD.replace(
        "[[step]]\nname = \"write\"",
        "[[actor]]\nname = \"other\"\n[[actor.step]]\nname = \"read\"\nsleep = \"1s\"\n\n[[step]]\nname = \"write\"",
    );
    let found = parse(&text).unwrap_err().to_string();
    assert!(
        found.contains("`app/main/read`, `app/other/read`"),
        "{found}"
    );
    let named = text.replace("at = \"read\"", "at = \"main/read\"");
    parse(&named).unwrap();
}

#[test]
fn steps_that_wait_for_each_other_in_a_circle_are_found() {
    let text = GOOD.replace(
        "[[step]]\nname = \"write\"",
        "[[actor]]\nname = \"other\"\n[[actor.step]]\nname = \"x\"\nafter = \"read\"\nsleep = \"1s\"\n\n[[step]]\nname = \"write\"\nafter = \"x\"",
    );
    let found = parse(&text).unwrap_err().to_string();
    assert!(found.contains("would never start"), "{found}");
    assert!(
        found.contains("`other/x`") && found.contains("`main/read`"),
        "{found}"
    );
}

#[test]
fn the_full_form_reads_containers_and_a_share_is_of_its_own_limit() {
    let text = r#"
title = "t"
story = "s"
[truth]
class = "leak"
fire = true
onset = "b/grow"
why = "w"
[[container]]
name = "a"
limit = "100MiB"
high = "50%"
[[container.step]]
name = "grow"
anon = { size = "10%" }
[[container]]
name = "b"
limit = "200MiB"
[[container.actor]]
name = "one"
[[container.actor.step]]
name = "grow"
after = "a/grow"
anon = { size = "10%" }
"#;
    let s = parse(text).unwrap();
    assert_eq!(s.containers[0].high, Some(50 << 20));
    let sizes: Vec<u64> = s
        .containers
        .iter()
        .map(|c| match &c.actors[0].steps[0].workload {
            memtide::workload::Workload::Anon(a) => a.size,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, [10 << 20, 20 << 20]);
    let Some(scenario::Onset::Step(onset)) = &s.truth.onset else {
        panic!("no onset");
    };
    assert_eq!(onset.container, 1);
    assert_eq!(s.containers[1].actors[0].steps[0].after[0].container, 0);
    // The short form's keys beside containers are told, not ignored.
    let both = text.replace("[truth]", "limit = \"1GiB\"\n[truth]");
    assert!(
        parse(&both)
            .unwrap_err()
            .to_string()
            .contains("beside `[[container]]`")
    );
    let limited = Overrides {
        limit: Some(50 << 20),
    };
    let s = scenario::parse_with(text, "x.toml", "x", limited).unwrap();
    assert_eq!(s.containers[1].limit, 50 << 20);
}

#[test]
fn files_that_are_no_scenario_are_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        scenario::load(&path, Overrides::default())
            .unwrap_err()
            .to_string()
    };
    let empty = refused("empty.toml", b" \n");
    assert!(
        empty.contains("the file is empty") && empty.contains("empty.toml"),
        "{empty}"
    );
    let binary = refused("binary.toml", &[0x1f, 0x8b, 8, 0, 0xff, 0xfe]);
    assert!(binary.contains("not text"), "{binary}");
    let nul = refused("nul.toml", b"a = 1\0\x1b[31m");
    assert!(nul.contains("nul.toml:1:"), "{nul}");
    assert!(
        !nul.contains('\x1b'),
        "control characters reach the terminal: {nul:?}"
    );
    let large = refused("large.toml", &vec![b'#'; 10 << 20]);
    assert!(
        large.contains("larger than 1.0 MiB") && large.len() < 1000,
        "{large}"
    );
    let missing = scenario::load(&dir.path().join("none.toml"), Overrides::default());
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("cannot read the file")
    );
    let folder = scenario::load(dir.path(), Overrides::default());
    assert!(
        folder
            .unwrap_err()
            .to_string()
            .contains("cannot read the file")
    );
}

#[test]
fn a_pipe_is_read_up_to_the_bound_and_no_further() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let feeder = std::thread::spawn(move || {
        // Ends with a broken pipe as soon as the reader has had enough.
        while writer.write_all(&[b'#'; 4096]).is_ok() {}
    });
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    let found = scenario::load(std::path::Path::new(&path), Overrides::default());
    drop(reader);
    feeder.join().unwrap();
    assert!(
        found.unwrap_err().to_string().contains("larger than"),
        "{MAX_BYTES}"
    );
}

#[test]
fn a_flood_of_errors_is_cut_short() {
    let text = "x = 1\ny = 2\n".replace('=', "= =").repeat(5000);
    let shown = parse(&text).unwrap_err().to_string();
    assert!(
        shown.contains("more") && shown.lines().count() < 400,
        "{}",
        shown.len()
    );
}
