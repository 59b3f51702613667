//! Recordings made by hand: each way a claim can end.

use super::*;
use crate::host::testing::host;
use crate::recording::testing::{app, footer, header, step_end};
use crate::recording::*;
use crate::scenario::{Outcome, parse};

const MIB: u64 = 1 << 20;

/// Samples at 1 s, 2 s, ...: (usage, anon, inactive_file, truth:live) in MiB.
fn recording(samples: &[[u64; 4]], events: Vec<Event>, outcome: Option<Outcome>) -> Recording {
    let group = app(
        100,
        &["memory.current", "anon", "inactive_file", "truth:live"],
    );
    let columns = group.columns.clone();
    Recording {
        header: header(host(), "test", vec![group]),
        tables: vec![Table {
            columns,
            t: (1..=samples.len() as u64)
                .map(|s| s * 1_000_000_000)
                .collect(),
            cost: vec![0; samples.len()],
            values: samples.iter().flatten().map(|mib| mib * MIB).collect(),
        }],
        events,
        footer: outcome.map(|outcome| footer(10_000_000_000, outcome)),
        complete: outcome.is_some(),
    }
}

fn id(step: &str) -> StepId {
    StepId {
        container: "app".into(),
        actor: "main".into(),
        step: step.into(),
        index: 0,
    }
}

fn start(second: u64, step: &str) -> Event {
    Event {
        t: second * 1_000_000_000,
        kind: EventKind::StepStart(id(step)),
    }
}

fn end(second: u64, step: &str, result: StepResult) -> Event {
    Event {
        t: second * 1_000_000_000,
        kind: EventKind::StepEnd(step_end(id(step), 0, result)),
    }
}

/// A scenario with the steps `fill` and `grow`, and these further tables.
fn scenario(rest: &str) -> Scenario {
    let text = format!(
        r#"
title = "t"
story = "s"
limit = "100MiB"
[truth]
class = "healthy"
fire = false
why = "w"
[[step]]
name = "fill"
anon = {{ size = "40%" }}
[[step]]
name = "grow"
anon = {{ size = "40%" }}
{rest}
"#
    );
    parse(&text, "test.toml", "test").unwrap()
}

fn expect(claim: &str) -> Scenario {
    scenario(&format!("[[expect]]\nwhy = \"so\"\n{claim}\n"))
}

/// `fill` from 1 s to 2 s, `grow` from 3 s to 4 s.
fn usual() -> Recording {
    let done = StepResult::Done;
    recording(
        &[
            [1, 0, 0, 0],
            [41, 40, 0, 40],
            [60, 58, 1, 60],
            [82, 80, 1, 80],
            [50, 49, 0, 80],
        ],
        vec![
            start(1, "fill"),
            end(2, "fill", done.clone()),
            start(3, "grow"),
            end(4, "grow", done),
        ],
        Some(Outcome::Survived),
    )
}

/// The one expectation's result; the outcome's comes before it.
fn check(claim: &str, recording: &Recording) -> Checked {
    evaluate(&expect(claim), recording).remove(1)
}

#[test]
fn a_claim_that_holds_passes_and_a_broken_one_fails() {
    for (claim, broken) in [
        (
            "at = 'fill'\nvalue = 'rss'\nnear = '40%'",
            "at = 'fill'\nvalue = 'rss'\nnear = '44%'",
        ),
        (
            "at = 'fill'\nvalue = 'rss'\nat_most = '40%'",
            "at = 'fill'\nvalue = 'rss'\nat_most = '39%'",
        ),
        (
            "at = 'fill'\nvalue = 'rss'\nat_least = '40%'",
            "at = 'fill'\nvalue = 'rss'\nat_least = '41%'",
        ),
        (
            "at = 'end'\nvalue = 'usage'\nnear = '50MiB'",
            "at = 'end'\nvalue = 'usage'\nnear = '41MiB'",
        ),
        (
            "at = 'grow'\nvalue = 'rss'\nnear = 'truth:live'",
            "at = 'end'\nvalue = 'rss'\nnear = 'truth:live'",
        ),
        (
            "at = 'grow'\nvalue = 'cadvisor_working_set'\nnear = '81MiB'\ntolerance = '0'",
            "at = 'grow'\nvalue = 'cadvisor_working_set'\nnear = '84MiB'\ntolerance = '0'",
        ),
        (
            "at = 'grow'\nvalue = 'rss'\nsince = 'fill'\nnear = '40MiB'",
            "at = 'grow'\nvalue = 'rss'\nsince = 'fill'\nnear = '80MiB'",
        ),
        (
            "at = 'grow'\nvalue = 'rss'\nnear = '2 * rss @ fill'",
            "at = 'grow'\nvalue = 'rss'\nnear = 'rss @ fill'",
        ),
        (
            "during = ['fill', 'grow']\npick = 'range'\nvalue = 'rss'\nnear = '80MiB'",
            "during = 'grow'\npick = 'range'\nvalue = 'rss'\nnear = '80MiB'",
        ),
        (
            "during = 'grow'\npick = 'min'\nvalue = 'rss'\nnear = '58MiB'",
            "during = 'grow'\npick = 'max'\nvalue = 'rss'\nnear = '58MiB'",
        ),
        (
            // Of an even number the lower of the two in the middle.
            "during = ['fill', 'grow']\npick = 'median'\nvalue = 'rss'\nnear = '40MiB'",
            "during = ['fill', 'grow']\npick = 'median'\nvalue = 'rss'\nnear = '58MiB'",
        ),
        (
            "during = ['fill', 'grow']\npick = 'last'\nvalue = 'rss'\nnear = '80MiB'",
            "during = ['fill', 'grow']\npick = 'last'\nvalue = 'rss'\nnear = '58MiB'",
        ),
        (
            // The tolerance itself is near enough.
            "at = 'fill'\nvalue = 'rss'\nnear = '37MiB'\ntolerance = '3MiB'",
            "at = 'fill'\nvalue = 'rss'\nnear = '36MiB'\ntolerance = '3MiB'",
        ),
        (
            "at = 'fill'\nvalue = 'row:sock'\nabsent = true",
            "at = 'fill'\nvalue = 'row:anon'\nabsent = true",
        ),
    ] {
        let run = usual();
        let good = check(claim, &run);
        assert_eq!(good.result, CheckResult::Pass, "{claim}: {good:?}");
        let bad = check(broken, &run);
        assert_eq!(bad.result, CheckResult::Fail, "{broken}: {bad:?}");
    }
}

#[test]
fn a_claim_is_told_in_a_sentence_with_what_was_expected_and_seen() {
    let c = check("at = 'grow'\nvalue = 'rss'\nat_most = '10%'", &usual());
    assert_eq!(c.text, "after `grow`, rss is at most 10% of the limit");
    assert_eq!(
        (c.expected.as_str(), c.seen.as_str()),
        ("at most 10.0 MiB", "80.0 MiB")
    );
    assert_eq!(c.expected_value, Some(10 << 20));
    assert_eq!(c.seen_value, Some(80 << 20));
    assert_eq!(c.why, "so");
}

#[test]
fn no_tolerance_is_below_what_each_cpu_keeps_to_itself() {
    let claim = "at = 'fill'\nvalue = 'rss'\nnear = '40.4MiB'\ntolerance = '0'";
    let mut run = usual();
    assert_eq!(
        check(claim, &run).result,
        CheckResult::Pass,
        "2 CPUs: 512 KiB"
    );
    run.header.host.cpus = 1;
    assert_eq!(
        check(claim, &run).result,
        CheckResult::Fail,
        "1 CPU: 256 KiB"
    );
}

#[test]
fn what_is_claimed_for_other_hosts_is_not_judged_here() {
    let c = check(
        "at = 'fill'\nvalue = 'rss'\nat_most = '0'\nwhen = { lru = 'mglru' }",
        &usual(),
    );
    let want = "needs MGLRU; this kernel runs the classic LRU".to_string();
    assert_eq!(c.result, CheckResult::NotHere(want));
    assert_eq!(c.expected, "at most 0");
}

#[test]
fn a_skipped_step_is_no_pass_and_no_failure_but_a_failed_one_is() {
    let claim = "at = 'fill'\nvalue = 'rss'\nat_least = '0'";
    let run = |result| {
        recording(
            &[[1, 1, 1, 1]],
            vec![start(1, "fill"), end(1, "fill", result)],
            Some(Outcome::Survived),
        )
    };
    let skipped = check(claim, &run(StepResult::Skipped("no MADV_FREE".into())));
    assert_eq!(
        skipped.result,
        CheckResult::NotHere("`fill` was skipped: no MADV_FREE".into())
    );
    let failed = check(claim, &run(StepResult::Failed("disk full".into())));
    assert_eq!(failed.result, CheckResult::Fail);
    assert!(failed.seen.contains("disk full"), "{failed:?}");
}

#[test]
fn after_an_oom_kill_what_was_not_reached_fails_unless_the_kill_was_expected() {
    let run = recording(
        &[[41, 40, 0, 40], [95, 94, 0, 95]],
        vec![
            start(1, "fill"),
            end(1, "fill", StepResult::Done),
            start(2, "grow"),
        ],
        Some(Outcome::OomKilled),
    );
    let claim = "[[expect]]\nat = 'grow'\nvalue = 'rss'\nat_least = '0'\nwhy = 'so'";
    let surprised = evaluate(&scenario(claim), &run);
    assert_eq!(surprised[0].result, CheckResult::Fail, "the outcome");
    assert_eq!(surprised[1].result, CheckResult::Fail);
    let expected = scenario(&format!(
        "[[outcome]]\nis = ['oom_killed']\nwhy = 'w'\n{claim}"
    ));
    let expected = evaluate(&expected, &run);
    assert_eq!(expected[0].result, CheckResult::Pass);
    assert!(
        matches!(expected[1].result, CheckResult::NotHere(_)),
        "{expected:?}"
    );
    // The span of the step that was under way ends with its actor.
    let during = check(
        "during = 'grow'\npick = 'max'\nvalue = 'rss'\nnear = '94MiB'",
        &run,
    );
    assert_eq!(during.result, CheckResult::Pass, "{during:?}");
}

#[test]
fn a_cut_recording_leaves_open_what_it_does_not_show() {
    let run = recording(&[[41, 40, 0, 40]], vec![start(1, "fill")], None);
    let checked = evaluate(&expect("at = 'fill'\nvalue = 'rss'\nat_least = '0'"), &run);
    for c in checked {
        assert!(
            matches!(&c.result, CheckResult::NotHere(why) if why.contains("cut")),
            "{c:?}"
        );
    }
}

#[test]
fn a_row_that_is_not_there_is_a_failure_unless_the_claim_excuses_it() {
    let claim = "at = 'fill'\nvalue = 'shmem'\nat_most = '0'";
    let never = check(claim, &usual());
    assert_eq!(never.result, CheckResult::Fail, "{never:?}");
    assert!(never.seen.contains("no `shmem` in any sample"), "{never:?}");
    let excused = check(
        &format!("{claim}\nwhen = {{ kernel = '>= 99.0' }}"),
        &usual(),
    );
    assert!(
        matches!(excused.result, CheckResult::NotHere(_)),
        "{excused:?}"
    );
    let mut run = usual();
    run.tables[0].values[4 + 1] = MISSING;
    let lost = check("at = 'fill'\nvalue = 'rss'\nat_least = '0'", &run);
    assert_eq!(lost.result, CheckResult::Fail, "{lost:?}");
}

#[test]
fn the_largest_is_compared_with_the_largest() {
    let c = check(
        "during = ['fill', 'grow']\npick = 'max'\nvalue = 'rss'\nnear = 'truth:live'",
        &usual(),
    );
    assert_eq!(c.expected_value, Some(80 << 20));
    assert_eq!(c.result, CheckResult::Pass);
}

#[test]
fn a_recording_without_samples_or_groups_is_no_panic() {
    let run = recording(&[], Vec::new(), Some(Outcome::Survived));
    let c = check("at = 'end'\nvalue = 'rss'\nat_least = '0'", &run);
    assert_eq!(c.result, CheckResult::Fail);
    let mut run = usual();
    run.header.groups.clear();
    run.tables.clear();
    let c = check("at = 'end'\nvalue = 'rss'\nat_least = '0'", &run);
    assert!(matches!(c.result, CheckResult::NotHere(_)), "{c:?}");
}

#[test]
fn the_pod_has_the_truth_of_its_containers() {
    let mut run = usual();
    run.header.groups.insert(
        0,
        Group {
            image: None,
            name: "pod".into(),
            kind: GroupKind::Pod,
            limit: None,
            path: String::new(),
            columns: vec!["memory.current".into()],
        },
    );
    let pod = Table {
        columns: vec!["memory.current".into()],
        t: run.tables[0].t.clone(),
        cost: vec![0; 5],
        values: vec![90 * MIB; 5],
    };
    run.tables.insert(0, pod);
    assert_eq!(value(&run, 0, "truth:live", 3), Some(80 << 20));
    assert_eq!(value(&run, 0, "truth:live", 5), None);
    let c = check(
        "at = 'grow'\ngroup = 'pod'\nvalue = 'usage'\nnear = '90%'",
        &run,
    );
    assert_eq!(c.result, CheckResult::Pass, "{c:?}");
    assert!(c.text.contains("usage of pod"), "{}", c.text);
}

#[test]
fn a_row_of_smaps_is_that_of_the_step_it_was_read_after() {
    let mut run = usual();
    for event in &mut run.events {
        if let EventKind::StepEnd(end) = &mut event.kind {
            let lazy = if end.id.step == "fill" { 40 * MIB } else { 0 };
            end.smaps.set("LazyFree", lazy);
        }
    }
    let filled = "at = 'fill'\nvalue = 'smaps:LazyFree'\nnear = 'rss'";
    assert_eq!(check(filled, &run).result, CheckResult::Pass);
    let grown = "at = 'grow'\nvalue = 'smaps:LazyFree'\nnear = 'rss'";
    assert_eq!(check(grown, &run).result, CheckResult::Fail);
    let old = check("at = 'grow'\nvalue = 'smaps:Swap'\nat_most = '0'", &run);
    assert_eq!(old.result, CheckResult::Fail, "{old:?}");
}
