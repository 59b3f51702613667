//! What a comparison must show, on small recordings made here.

use super::testing::{MIB, host, recording};
use super::*;
use crate::host::Lru::{Classic, Mglru};
use crate::recording::{EventKind, Recording, StepResult};
use crate::rows::CgroupVersion::V2;
use crate::scenario::Outcome;

fn values(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| n.to_string()).collect()
}

fn run(label: &str, recording: &Recording) -> Run {
    let names = values(&["usage", "active_file", "rss"]);
    Run::new(label, recording, None, &names).unwrap()
}

fn classic() -> Recording {
    let steps = [
        ("write", 3, 0),
        ("read_once", 3, 0),
        ("read_twice", 103, 100),
    ];
    recording(host("6.1.0", V2, Classic), &steps, Outcome::Survived)
}

fn mglru() -> Recording {
    let steps = [("write", 4, 0), ("read_once", 3, 0), ("read_twice", 3, 0)];
    recording(host("6.1.0", V2, Mglru), &steps, Outcome::Survived)
}

fn both() -> Comparison {
    Comparison::new(vec![run("classic", &classic()), run("mglru", &mglru())], 0).unwrap()
}

#[test]
fn only_what_is_further_apart_than_the_tolerance_differs() {
    let comparison = both();
    // 2 % of 256 MiB; the 1 MiB between the first steps is within it.
    assert_eq!(comparison.tolerance, 256 * MIB / 50);
    let usage = &comparison.sheets[0];
    let differs: Vec<bool> = usage.rows.iter().map(Row::differs).collect();
    assert_eq!(differs, [false, false, true]);
    assert!(comparison.differs());
    assert!(!comparison.sheets[2].differs(), "rss is 0 on both");
    let itself = Comparison::new(vec![run("a", &classic()), run("b", &classic())], 0).unwrap();
    assert!(!itself.differs());
}

#[test]
fn the_tolerance_is_never_below_the_lag_of_the_kernels_counters() {
    let mut small = run("small", &classic());
    small.limit = Some(4 * MIB);
    small.host.cpus = 8;
    assert_eq!(tolerance(&[small]), 8 * (256 << 10));
}

#[test]
fn the_words_name_the_step_both_values_and_what_is_known() {
    let sentences = sentences(&both(), 1);
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    assert_eq!(sentences[0].step, "read_twice");
    assert_eq!(
        sentences[0].text,
        "after `read_twice`: usage 103.0 MiB against 203.0 MiB; active_file 0 B against \
         100.0 MiB (mglru against classic)"
    );
    assert!(
        super::sentences(&both(), 0).is_empty(),
        "the baseline is like itself"
    );
}

#[test]
fn a_kernel_that_behaves_like_another_set_up_is_told_so() {
    let shipped = [run("6.1-v2", &classic()), run("6.1-v2-mglru", &mglru())];
    let words = likeness(&run("here", &mglru()), &shipped, 0);
    assert_eq!(
        words,
        [
            "this kernel behaves otherwise than 6.1-v2: 8 of 10 values agree",
            "it is most like 6.1-v2-mglru: 10 of 10 values agree"
        ]
    );
    let words = likeness(&run("here", &mglru()), &shipped, 1);
    assert_eq!(
        words,
        ["this kernel behaves as 6.1-v2-mglru does: all 10 values agree"]
    );
}

#[test]
fn of_three_columns_the_odd_one_is_marked_wherever_it_stands() {
    let runs = |order: [&Recording; 3]| {
        let labels = ["a", "b", "c"];
        let runs = labels.iter().zip(order).map(|(label, r)| run(label, r));
        runs.collect::<Vec<Run>>()
    };
    let (odd, usual) = (mglru(), classic());
    assert_eq!(most_typical(&runs([&odd, &usual, &usual])), 1);
    assert_eq!(most_typical(&runs([&usual, &odd, &usual])), 0);
    assert_eq!(most_typical(&[]), 0);
}

#[test]
fn after_other_work_a_kernel_is_not_blamed() {
    let mut slow = run("slow", &mglru());
    let mut fast = run("fast", &classic());
    let written = WORK
        .iter()
        .position(|n| *n == "truth:file_written")
        .unwrap();
    slow.steps[2].work[written] = Reading::Bytes(20 << 20);
    fast.steps[2].work[written] = Reading::Bytes(100 << 20);
    let comparison = Comparison::new(vec![fast.clone(), slow.clone()], 0).unwrap();
    let cell = &comparison.sheets[0].rows[2].cells[1];
    assert!(cell.other_work && !cell.differs, "{cell:?}");
    assert!(!comparison.differs() && sentences(&comparison, 1).is_empty());
    let text = human(&comparison, Show::Differing);
    assert!(
        text.contains("103.0~") && text.contains("truth:{"),
        "{text}"
    );
    // Only what can be compared is counted.
    let words = likeness(&slow, &[fast], 0);
    assert_eq!(
        words,
        ["this kernel behaves as fast does: all 8 values agree"]
    );
}

#[test]
fn skipped_absent_and_not_reached_are_not_numbers() {
    let mut skipped = classic();
    for event in &mut skipped.events {
        if let EventKind::StepEnd(end) = &mut event.kind
            && end.id.step == "read_once"
        {
            end.result = StepResult::Skipped("no such advice".into());
        }
    }
    let cut = recording(
        host("6.1.0", V2, Classic),
        &[("write", 3, 0), ("read_once", 3, 0)],
        Outcome::OomKilled,
    );
    let runs = vec![
        run("all", &classic()),
        run("skip", &skipped),
        run("oom", &cut),
    ];
    let comparison = Comparison::new(runs, 0).unwrap();
    let usage = &comparison.sheets[0];
    assert_eq!(
        usage.rows[1].cells[1].reading,
        Reading::Skipped("no such advice".into())
    );
    assert_eq!(usage.rows[2].cells[2].reading, Reading::NotReached);
    assert!(usage.rows[1].cells[1].differs && usage.rows[2].cells[2].differs);
    assert_eq!(comparison.outcome_differs, [false, false, true]);
    let text = human(&comparison, Show::Differing);
    assert!(
        text.contains("skipped*") && text.contains("oom_killed*"),
        "{text}"
    );
    // The v2 recording has no such row on any column: the name is wrong, and that is said.
    let one = Run::new("one", &classic(), None, &values(&["wroking_set"])).unwrap();
    let error = Comparison::new(vec![one], 0).unwrap_err();
    assert!(error.to_string().contains("wroking_set"), "{error}");
}

#[test]
fn a_group_that_is_not_there_is_an_error_that_names_those_that_are() {
    let error = Run::new("x", &classic(), Some("sidecar"), &values(&["usage"])).unwrap_err();
    assert_eq!(error.to_string(), "x has no group `sidecar`; it has app");
}

#[test]
fn other_limits_and_texts_are_noted() {
    let mut other = run("other", &classic());
    other.limit = Some(512 * MIB);
    other.scenario_hash = "1".into();
    let comparison = Comparison::new(vec![run("one", &classic()), other], 0).unwrap();
    assert_eq!(comparison.notes.len(), 2, "{:?}", comparison.notes);
    assert!(comparison.notes[0].contains("512MiB") && comparison.notes[0].contains("256MiB"));
}

#[test]
fn forms_of_output() {
    insta::assert_snapshot!("human", human(&both(), Show::Differing));
    insta::assert_snapshot!("markdown", markdown(&both(), Show::All));
    insta::assert_snapshot!("json", format!("{:#}", json(&both())));
}
