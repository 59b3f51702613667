//! The model against the shipped recordings, and its invariants.

use proptest::prelude::*;

use super::*;
use crate::recording::{EventKind, Recording};

const MIB: u64 = 256; // pages

/// Usage, rss, inactive and active file at a step's end, as the kernel had them.
fn real(recording: &Recording, step: &str) -> [u64; 4] {
    let group = recording.main_group();
    let end = recording.events.iter().find_map(|e| match &e.kind {
        EventKind::StepEnd(end) if end.id.step == step => Some(e.t),
        _ => None,
    });
    let sample = recording.tables[group].at(end.unwrap()).unwrap();
    let view = recording.view(group, &recording.view_index(group), sample);
    [view.usage, view.rss, view.inactive_file, view.active_file].map(Option::unwrap)
}

fn near(card: &Memcg, real: [u64; 4], what: &str) {
    let got = [
        card.usage(),
        card.anon(),
        card.inactive_file(),
        card.active_file(),
    ];
    for (got, real) in got.into_iter().zip(real) {
        assert!(
            got.abs_diff(real) <= 256 * MIB * 4096 / 100,
            "{what}: model {got}, kernel {real}"
        );
    }
}

const SETUPS: [(&str, Card); 5] = [
    ("6.1-v1", CLASSIC_6),
    ("6.1-v2", CLASSIC_6),
    ("6.12-v2", CLASSIC_6),
    ("6.1-v2-mglru", MGLRU_6_1),
    ("6.12-v2-mglru", MGLRU_6_12),
];

fn worker(card: Card) -> Memcg {
    let mut memcg = Memcg::new(card, 256 << 20);
    memcg.add_anon(51).unwrap();
    memcg.add_kernel(76 << 10);
    memcg
}

#[test]
fn log_read_twice_is_within_one_percent_of_each_kernel() {
    for (setup, card) in SETUPS {
        let recording = crate::shipped::find(setup, "log-read-twice").unwrap();
        let recording = recording.read().unwrap();
        let mut memcg = worker(card);
        let log = 1024 * MIB / 10;
        memcg.write(0, 0, log, 64 << 10).unwrap();
        near(&memcg, real(&recording, "write"), setup);
        for step in ["read once", "read twice"] {
            memcg.read(0, 0, log);
            near(&memcg, real(&recording, step), &format!("{setup} {step}"));
        }
        memcg.write(0, log, 4 * log, 64 << 10).unwrap();
        near(&memcg, real(&recording, "write on"), setup);
        memcg.drop_file(0);
        near(&memcg, real(&recording, "delete"), setup);
    }
}

#[test]
fn lazily_freed_memory_is_within_one_percent_of_each_kernel() {
    for (setup, card) in SETUPS {
        let recording = crate::shipped::find(setup, "free-then-reuse").unwrap();
        let recording = recording.read().unwrap();
        let mut memcg = worker(card);
        let heap = 78 * 256 * MIB / 100;
        memcg.add_anon(heap).unwrap();
        memcg.add_kernel(heap / 512 * 4096);
        near(&memcg, real(&recording, "touch"), setup);
        memcg.free_lazily(heap);
        near(&memcg, real(&recording, "free"), setup);
        memcg.reuse(heap);
        near(&memcg, real(&recording, "hold"), setup);
        // What was used again can't be taken: the heap's next growth is the kill.
        assert!(memcg.add_anon(40 * 256 * MIB / 100).is_err());
    }
}

#[test]
fn writing_is_a_use_before_4_7_and_after_a_flush_mglru_counts_all_as_active() {
    let mut old = worker(CLASSIC_3_10);
    old.write(0, 0, 100 * MIB, 128).unwrap();
    assert_eq!(old.active_file(), 100 << 20);
    let mut new = worker(MGLRU_6_12);
    new.write(0, 0, 100 * MIB, 128).unwrap();
    assert_eq!(new.active_file(), 0);
    while new.reclaim(1 << 20) > 0 {}
    new.write(0, 100 * MIB, 50 * MIB, 128).unwrap();
    assert_eq!(new.active_file(), 50 << 20);
}

proptest! {
    #[test]
    fn what_is_charged_adds_up_and_stays_below_the_limit(
        card in 0usize..6,
        steps in prop::collection::vec((0u8..8, 0u32..3, 1u64..20_000), 1..60),
    ) {
        let card = [CLASSIC_6, MGLRU_6_1, MGLRU_6_12, CLASSIC_3_10, CLASSIC_6, MGLRU_6_12][card];
        let mut memcg = worker(card);
        let mut sizes = [0u64; 3];
        for (what, file, pages) in steps {
            let size = &mut sizes[file as usize];
            let full = match what {
                0 | 1 => {
                    let from = *size;
                    *size += pages;
                    memcg.write(file, from, pages, 128).is_err()
                }
                2 => { memcg.read(file, 0, pages.min(*size)); false }
                3 => memcg.add_anon(pages).is_err(),
                4 => { memcg.free_lazily(pages); false }
                5 => { memcg.reuse(pages); false }
                6 => { memcg.hide(pages / 4); false }
                _ => { memcg.drop_file(file); *size = 0; false }
            };
            prop_assert!(memcg.usage() <= (256 << 20) + (1 << 20), "{}", memcg.usage());
            prop_assert!(memcg.anon() + memcg.file() <= memcg.usage());
            if full {
                break;
            }
        }
    }
}
