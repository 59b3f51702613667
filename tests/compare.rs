//! `memtide compare` and `memtide recordings` on the shipped recordings, and the page made of them.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

fn memtide(args: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("memtide").unwrap().args(args).assert()
}

fn stdout(args: &[&str]) -> String {
    let output = memtide(args).success().get_output().clone();
    String::from_utf8(output.stdout).unwrap()
}

fn comparison(args: &[&str]) -> Value {
    let document: Value = serde_json::from_str(&stdout(args)).unwrap();
    document["comparisons"][0].clone()
}

/// The set-ups, as the folders of `recordings/`.
fn setups_of_the_folder() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let names = entries
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_string());
    let names: Vec<String> = names.collect();
    assert!(names.len() > 1, "{names:?}");
    names
}

/// One recording of the binary as a file, as a user's own run would be.
fn exported(dir: &Path, setup: &str, scenario: &str) -> String {
    let to = dir.to_str().unwrap();
    stdout(&[
        "recordings",
        "--setup",
        setup,
        "--scenario",
        scenario,
        "--export",
        to,
    ]);
    format!("{to}/{setup}/{scenario}.jsonl.gz")
}

#[test]
fn a_log_that_is_read_twice_differs_by_lru_and_nothing_else() {
    let c = comparison(&[
        "compare",
        "--scenario",
        "log-read-twice",
        "--format",
        "json",
    ]);
    let runs = c["runs"].as_array().unwrap();
    let sheet = &c["values"][0];
    assert_eq!(sheet["value"], "cadvisor_working_set");
    let step = |name: &str| {
        let steps = sheet["steps"].as_array().unwrap();
        steps.iter().find(|s| s["step"] == name).unwrap()["cells"].clone()
    };
    let limit = runs[0]["limit_bytes"].as_f64().unwrap();
    for (i, run) in runs.iter().enumerate() {
        let old = run["kernel"].as_str().unwrap().starts_with("3.");
        let share = |name: &str| step(name)[i]["bytes"].as_f64().unwrap() / limit;
        // The scenario reads a log of 40 % of the limit.
        assert_eq!(share("read twice") > 0.3, run["lru"] == "classic", "{run}");
        assert_eq!(share("read once") > 0.3, old, "{run}");
    }
}

#[test]
fn a_run_is_held_against_the_nearest_set_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = exported(dir.path(), "6.1-v2", "log-read-twice");
    let c = comparison(&["compare", &file, "--against", "shipped", "--format", "json"]);
    assert_eq!(c["baseline"], "6.1-v2");
    assert_eq!(c["differs"], false);
    assert_eq!(c["runs"][1]["sentences"], serde_json::json!([]));
    let text = stdout(&["compare", &file, "--against", "shipped"]);
    assert!(text.contains("behaves as 6.1-v2 does"), "{text}");
    // Against a set-up that is chosen to be wrong, it says where, and exits 1 if asked to.
    let args = [
        "compare",
        &file,
        "--against",
        "shipped",
        "--setup",
        "6.1-v2-mglru",
    ];
    let text = stdout(&args);
    assert!(
        text.contains("after `read twice`: cadvisor_working_set 10"),
        "{text}"
    );
    assert!(text.contains("known of `read twice`: "), "{text}");
    memtide(&[&args[..], &["--check"]].concat()).code(1);
}

#[test]
fn before_and_after_are_told_apart_by_their_paths() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = exported(before.path(), "6.1-v2", "leak");
    let b = exported(after.path(), "6.1-v2", "leak");
    let c = comparison(&["compare", &a, &b, "--check", "--format", "json"]);
    assert_eq!(c["runs"][0]["label"], a.as_str());
    assert_eq!(c["runs"][1]["label"], b.as_str());
    assert_eq!(c["differs"], false);
}

#[test]
fn wrong_commands_exit_with_2_and_say_what_would_be_right() {
    for (args, part) in [
        (&["compare"][..], "RECORDING"),
        (&["compare", "/no/such.jsonl"], "/no/such.jsonl"),
        (&["compare", "--scenario", "leek"], "leek"),
        (
            &["compare", "--scenario", "leak", "--setup", "9.9"],
            "6.1-v2",
        ),
        (
            &["compare", "--scenario", "leak", "--baseline", "9.9"],
            "6.1-v2",
        ),
        (
            &["compare", "--scenario", "leak", "--value", "wroking_set"],
            "wroking_set",
        ),
        (
            &["compare", "--scenario", "leak", "--group", "sidecar"],
            "sidecar",
        ),
        (&["recordings", "--setup", "9.9"], "6.1-v2"),
        (&["recordings", "--scenario", "leek"], "leek"),
    ] {
        let output = memtide(args).code(2).get_output().clone();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(part), "{args:?}: {text}");
    }
}

#[test]
fn the_list_counts_what_is_there() {
    let list: Value = serde_json::from_str(&stdout(&["recordings", "--format", "json"])).unwrap();
    let list = list["recordings"].as_array().unwrap();
    let text = stdout(&["recordings"]);
    assert!(
        text.contains(&format!("{} recordings of", list.len())),
        "{text}"
    );
    for setup in setups_of_the_folder() {
        assert!(list.iter().any(|r| r["setup"] == *setup), "{setup}");
        assert!(text.contains(&format!("\n{setup} ")), "{text}");
    }
    for r in list {
        // A recording says itself which set-up it is of, under the name of its folder.
        assert_eq!(r["host"]["setup"], r["setup"], "{}", r["path"]);
    }
}

#[test]
fn docs_kernels_md_is_what_the_recordings_give() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/kernels.md");
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(
        kept == stdout(&["generate", "kernels-doc"]),
        "docs/kernels.md is not current: memtide generate kernels-doc > docs/kernels.md"
    );
}

/// Of the reasons that are known of a step, those of the set-ups shown are told, each with its name.
#[test]
fn a_reason_is_told_of_the_set_ups_shown_and_of_no_others() {
    let all = setups_of_the_folder();
    let (mut told, mut silent) = (0, 0);
    for (a, first) in all.iter().enumerate() {
        for second in &all[a + 1..] {
            let c = comparison(&[
                "compare",
                "--scenario",
                "log-write",
                "--setup",
                first,
                "--setup",
                second,
                "--format",
                "json",
            ]);
            for run in c["runs"].as_array().unwrap() {
                for sentence in run["sentences"].as_array().unwrap() {
                    let Some(known) = sentence["known"].as_str() else {
                        silent += 1;
                        continue;
                    };
                    let named = all.iter().filter(|name| {
                        let (one, more) = (format!("on {name}: "), format!("on {name}, "));
                        known.contains(&one) || known.contains(&more)
                    });
                    let named: Vec<_> = named.collect();
                    assert!(!named.is_empty(), "of whom? {known}");
                    for name in named {
                        assert!(
                            [first, second].contains(&name),
                            "{first}, {second}: {known}"
                        );
                    }
                    told += 1;
                }
            }
        }
    }
    assert!(
        told > 0,
        "no reason was told ({silent} differences have none)"
    );
}

/// A made-up set-up: a shipped one's recordings under another name, said to be of another kernel.
fn made_up(dir: &Path, name: &str, kernel: &str, scenarios: &[(&str, &str)]) {
    use std::io::{Read, Write};
    let folder = dir.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (setup, scenario) in scenarios {
        let packed = memtide::shipped::find(setup, scenario).unwrap().packed;
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed)
            .read_to_string(&mut text)
            .unwrap();
        let (header, rest) = text.split_once('\n').unwrap();
        let mut header: Value = serde_json::from_str(header).unwrap();
        header["host"]["setup"] = name.into();
        header["host"]["kernel"] = kernel.into();
        let file = std::fs::File::create(folder.join(format!("{scenario}.jsonl.gz"))).unwrap();
        let mut file = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        write!(file, "{header}\n{rest}").unwrap();
        file.finish().unwrap();
    }
}

/// `memtide` with a folder of recordings of one's own.
fn with_folder(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::cargo_bin("memtide")
        .unwrap()
        .env("MEMTIDE_RECORDINGS", dir)
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The set-ups whose recordings the made-up ones are: by what they are, not by name.
fn classic_and_mglru() -> (&'static str, &'static str) {
    use memtide::host::Lru::Mglru;
    let classic = memtide::shipped::usual().expect("a classic LRU on cgroup v2 is shipped");
    let mglru = memtide::shipped::of_scenario("log-read-twice")
        .find(|one| one.read().unwrap().header.host.lru == Mglru);
    (classic, mglru.expect("an MGLRU is shipped").setup)
}

/// A new set-up is a folder, and an entry where it differs: no line of code.
#[test]
fn a_made_up_set_up_is_listed_compared_and_documented_from_its_folder_alone() {
    let (classic, mglru) = classic_and_mglru();
    let dir = tempfile::tempdir().unwrap();
    let name = "5.15-v2-madeup";
    // It behaves as the classic LRU does, but for one scenario, where it is like MGLRU.
    let files = [
        (classic, "leak"),
        (classic, "log-write"),
        (mglru, "log-read-twice"),
    ];
    made_up(dir.path(), name, "5.15.0-madeup", &files);
    let run = |args: &[&str]| {
        let (code, out, err) = with_folder(dir.path(), args);
        assert_eq!(code, Some(0), "{args:?}: {err}");
        out
    };
    let shipped = setups_of_the_folder();
    for text in [run(&["recordings"]), run(&["list", "--setups"])] {
        for setup in shipped.iter().map(String::as_str).chain([name]) {
            assert!(text.contains(setup), "no {setup} in {text}");
        }
    }
    // By its kernel's age, between those shipped.
    let list: Value = serde_json::from_str(&run(&["list", "--json"])).unwrap();
    let leak = list.as_array().unwrap();
    let leak = leak.iter().find(|line| line["name"] == "leak").unwrap();
    let order: Vec<&str> = leak["recordings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s.as_str().unwrap())
        .collect();
    let at = |name: &str| order.iter().position(|s| *s == name).unwrap();
    assert!(at(name) < at(classic), "{order:?}");
    let compared = run(&[
        "compare",
        "--scenario",
        "leak",
        "--setup",
        classic,
        "--setup",
        name,
    ]);
    assert!(compared.contains("5.15-v2-madeup"), "{compared}");

    // Where it differs without an entry, the page is refused, and what to add is said.
    let (code, _, err) = with_folder(dir.path(), &["generate", "kernels-doc"]);
    assert_eq!(code, Some(2), "{err}");
    for part in [name, "log-read-twice", "differences.toml"] {
        assert!(err.contains(part), "no {part} in {err}");
    }
    let why = "Made up for a test, it keeps what is read twice on the inactive list.";
    let entry = |steps: &str| {
        format!(
            "[[setup]]\nname = \"{name}\"\nabout = \"made up.\"\n[[difference]]\nscenario = \"log-read-twice\"\n\
             steps = [{steps}]\nsetups = [\"{name}\"]\nwhy = \"{why}\"\nsource = \"nothing\"\n"
        )
    };
    let notes = dir.path().join("differences.toml");
    std::fs::write(&notes, entry("\"read twice\", \"write on\"")).unwrap();
    let page = run(&["generate", "kernels-doc"]);
    for part in [
        &format!("| {name} | 5.15.0-madeup | v2 |"),
        why,
        &format!("\n{name}: made up."),
    ] {
        assert!(page.contains(part), "no {part:?} in the page");
    }
    let compared = run(&[
        "compare",
        "--scenario",
        "log-read-twice",
        "--setup",
        classic,
        "--setup",
        name,
    ]);
    assert!(
        compared.contains(&format!("on {name}: {why}")),
        "{compared}"
    );

    // What can't be read is told with its line, by every command.
    std::fs::write(&notes, "[[difference]]\nscenario = 3\n").unwrap();
    let (code, _, err) = with_folder(dir.path(), &["list"]);
    assert!(code == Some(2) && err.contains("line 2"), "{err}");
}

#[test]
fn a_folder_without_recordings_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = with_folder(dir.path(), &["list"]);
    assert!(
        code == Some(2) && err.contains("SET-UP/SCENARIO.jsonl.gz"),
        "{err}"
    );
    let missing = dir.path().join("missing");
    let (code, _, err) = with_folder(&missing, &["list"]);
    assert!(
        code == Some(2) && err.contains("MEMTIDE_RECORDINGS") && err.contains("missing"),
        "{err}"
    );
}

#[test]
fn columns_are_called_as_they_are_told_and_one_run_that_came_to_nothing_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let one = exported(dir.path(), "6.1-v2", "steady");
    let two = exported(dir.path(), "6.12-v2", "steady");
    let alone = exported(dir.path(), "6.1-v2", "tmpfs-fill");
    let arguments = [
        "compare",
        &format!("v1.33.1={one}"),
        &format!("v1.34.0={two}"),
        &format!("v1.33.1={alone}"),
        "--format",
        "markdown",
    ];
    let output = memtide(&arguments).success().get_output().clone();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("| v1.33.1 | v1.34.0 |"), "{table}");
    assert!(!table.contains("tmpfs-fill"), "{table}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("one recording only: tmpfs-fill"), "{said}");
    // Alone altogether it is a mistake, as is a file that is not there.
    for argument in [alone.as_str(), "v1.33.1=nowhere.jsonl"] {
        memtide(&["compare", argument]).failure().code(2);
    }
    // A file's own name may have the sign in it.
    let odd = dir.path().join("a=b.jsonl.gz");
    std::fs::copy(&one, &odd).unwrap();
    let table = stdout(&["compare", odd.to_str().unwrap(), &two]);
    assert!(
        table.contains("6.1-v2") && table.contains("6.12-v2"),
        "{table}"
    );
}

/// The workflow's table over all node images, by the very lines that stand there.
#[test]
fn the_workflow_sets_the_node_images_side_by_side() {
    let workflow = include_str!("../.github/workflows/kind.yml");
    let step = workflow.split("- name: Compare\n").nth(1).unwrap();
    let script = step.split("run: |\n").nth(1).unwrap();
    let script: Vec<&str> = script
        .lines()
        .map_while(|line| line.strip_prefix("          "))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    for (image, setup, scenarios) in [
        ("v1.33.1", "6.1-v2", &["steady", "tmpfs-fill"][..]),
        ("v1.34.0", "6.12-v2", &["steady"]),
    ] {
        let artefact = dir.path().join(format!("kind-{image}-base"));
        std::fs::create_dir_all(artefact.join("recordings")).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_memtide"), artefact.join("memtide")).unwrap();
        for scenario in scenarios {
            let packed = memtide::shipped::find(setup, scenario).unwrap().packed;
            let mut text = Vec::new();
            let mut unpacked = flate2::read::GzDecoder::new(packed);
            std::io::Read::read_to_end(&mut unpacked, &mut text).unwrap();
            let file = format!("recordings/memtide-0-{scenario}.jsonl");
            std::fs::write(artefact.join(file), text).unwrap();
        }
    }
    let output = std::process::Command::new("bash")
        .args(["-eo", "pipefail", "-c", &script.join("\n")])
        .current_dir(dir.path())
        .env("GITHUB_STEP_SUMMARY", dir.path().join("summary"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let summary = std::fs::read_to_string(dir.path().join("summary")).unwrap();
    assert!(
        summary.contains("## steady") && summary.contains("| v1.33.1 | v1.34.0 |"),
        "{summary}"
    );
}
