//! The mechanics by themselves; tests/model_gates.rs holds the whole against the recordings.

use proptest::prelude::*;

use super::*;
use crate::rows::CgroupVersion;

const MIB: u64 = 256; // pages

fn cgroup(card: &str) -> Memcg {
    let mut memcg = Memcg::new(card::find(card).unwrap().rules, 256 << 20);
    memcg.add_anon(51).unwrap();
    memcg.add_kernel(76 << 10);
    memcg
}

#[test]
fn every_embedded_card_is_read_and_its_name_is_its_file() {
    let cards = card::all().unwrap();
    assert!(cards.len() >= 13);
    for card in &cards {
        assert_eq!(card::find(&card.name).unwrap(), *card);
        // memory.high is v2's, and a kernel that charges no kernel memory has no price of it.
        assert!(
            card.cgroup == CgroupVersion::V2 || !card.rules.high_throttles,
            "{}",
            card.name
        );
        assert!(card.rules.kernel_charged || card.rules.written_page + card.rules.node == 0);
    }
}

#[test]
fn a_card_that_is_wrong_is_told_with_its_line() {
    let text = include_str!("cards/6.12-v2.toml");
    let wrong = text.replace("node = 584", "nodes = 584");
    let error = card::parse(&wrong, "mine.toml").unwrap_err().to_string();
    for part in ["mine.toml", "line ", "column ", "nodes"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = card::find("6.12-v3").unwrap_err().to_string();
    assert!(
        error.contains("6.12-v2") && error.contains("list --cards"),
        "{error}"
    );
}

/// What is replaced in a card, by what, the line that is named for it, and a word of the message.
#[rustfmt::skip]
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("lru = \"classic\"", "lru = \"clasic\"", "lru", "clasic"),
    ("cgroup = \"v2\"", "cgroup = \"v3\"", "cgroup", "v3"),
    ("cgroup = \"v2\"", "cgroup = 2", "cgroup", "2"),
    ("kernel = \"", "kernel = 6 #\"", "kernel =", "integer"),
    ("write_marks = false", "write_marks = \"no\"", "write_marks", "string"),
    ("write_marks = false", "write_marks = 0", "write_marks", "integer"),
    ("node = 584", "node = -584", "node", "-584"),
    ("node = 584", "node = 584.5", "node", "584.5"),
    ("node = 584", "node = 99999999", "node", "tree node"),
    ("stock = 46", "stock = 999999", "stock", "pages"),
    ("gap = 36", "gap = 999999", "gap", "pages"),
    ("written_page = 112", "written_page = 5000", "written_page", "at most a page"),
    ("kernel_charged = true", "kernel_charged = false", "kernel_charged", "written_page"),
    ("cgroup = \"v2\"", "cgroup = \"v1\"", "high_throttles", "cgroup v2's"),
    ("lookup = ", "lookup = -", "lookup", "nanoseconds"),
    ("lookup = ", "lookup = nan #", "lookup", "nanoseconds"),
    ("read_page = ", "read_page = inf #", "read_page", "nanoseconds"),
    ("touch_page = ", "touch_page = \"fast\" #", "touch_page", "string"),
    ("refaults = true\n", "", "[rules]", "refaults"),
    ("[speed]", "[sped]", "[speed]", "sped"),
    ("[rules]", "[rules", "[rules]", ""),
    ("name = ", "nam = ", "name", "nam"),
];

/// Every mistake is reported with the file, the line and the column of it.
#[test]
fn wrong_cards_are_reported_at_their_place() {
    let text = include_str!("cards/6.12-v2.toml");
    let mut cases = vec![(String::new(), 1, "missing"), ("\u{0}\u{1}".into(), 1, "")];
    for (from, to, key, word) in WRONG {
        let wrong = text.replacen(from, to, 1);
        assert_ne!(wrong, text, "{from}");
        let line = text.lines().position(|line| line.starts_with(key));
        cases.push((wrong, 1 + line.unwrap(), *word));
    }
    for (wrong, line, word) in cases {
        let error = card::parse(&wrong, "mine.toml").unwrap_err().to_string();
        for part in ["mine.toml", &format!("line {line},"), "column ", word] {
            assert!(error.contains(part), "{part:?} is missing in: {error}");
        }
    }
}

#[test]
fn writing_is_a_use_before_4_7_and_after_a_flush_mglru_counts_all_as_active() {
    let mut old = cgroup("3.10-v1");
    old.write(0, 0, 100 * MIB, true, false).unwrap();
    assert_eq!(old.active_file(), 100 << 20);
    let mut new = cgroup("6.12-v2-mglru");
    new.write(0, 0, 100 * MIB, true, false).unwrap();
    assert_eq!(new.active_file(), 0);
    while new.reclaim(1 << 20) > 0 {}
    new.write(0, 100 * MIB, 50 * MIB, true, false).unwrap();
    assert_eq!(new.active_file(), 50 << 20);
}

#[test]
fn after_a_kill_new_pages_are_inactive_but_for_a_writer_of_lines() {
    for (lines, active) in [(false, 0), (true, 50 << 20)] {
        let mut memcg = cgroup("6.12-v2-mglru");
        memcg.write(0, 0, 100 * MIB, lines, false).unwrap();
        if !lines {
            memcg.add_anon(100 * MIB).unwrap();
        }
        while memcg.reclaim(1 << 20) > 0 {}
        memcg.killed();
        memcg.write(0, 100 * MIB, 50 * MIB, lines, false).unwrap();
        assert_eq!(memcg.active_file(), active, "in lines: {lines}");
    }
}

#[test]
fn large_lists_are_not_aged_for_being_uneven() {
    // Touched through a mapping, most pages are of the youngest generation.
    for (mapped, active) in [(180 * MIB, 180 << 20), (3 * MIB, 0)] {
        let mut memcg = cgroup("6.12-v2-mglru");
        memcg.read_in(0, 0, mapped, By::Touch).unwrap();
        for part in 0..8 {
            let pages = mapped / 8;
            memcg.write(1, part * pages, pages, false, false).unwrap();
            for _ in 0..pages / 32 - 1 {
                memcg.reclaim(32);
            }
        }
        assert_eq!(memcg.active_file(), active);
    }
}

proptest! {
    /// Lists sum to what is charged, nothing is negative, usage stays at or below the limit.
    #[test]
    fn what_is_charged_adds_up_and_stays_below_the_limit(
        card in 0usize..13,
        steps in prop::collection::vec((0u8..12, 0u32..3, 1u64..20_000), 1..60),
    ) {
        let cards = card::all().unwrap();
        let card = &cards[card % cards.len()];
        let mut memcg = cgroup(&card.name);
        let mut sizes = [0u64; 3];
        for (what, file, pages) in steps {
            let size = &mut sizes[file as usize];
            let full = match what {
                0 | 1 => {
                    let from = *size;
                    *size += pages;
                    memcg.write(file, from, pages, what == 0, what == 1).is_err()
                }
                2 => {
                    let missing = memcg.read(file, 0, pages.min(*size));
                    missing.into_iter().any(|(a, b)| memcg.read_in(file, a, b - a, By::Read).is_err())
                }
                3 => memcg.add_anon(pages).is_err(),
                4 => { memcg.free_lazily(pages); false }
                5 => { memcg.reuse(pages.min(memcg.lazy_pages())); false }
                6 => { memcg.hide(pages / 4); false }
                7 => { memcg.drop_lazy(pages.min(memcg.lazy_pages()), false); false }
                8 => { memcg.reclaim(pages); false }
                9 => {
                    let missing = memcg.touch(file, 0, pages.min(*size));
                    missing.into_iter().any(|(a, b)| memcg.read_in(file, a, b - a, By::Touch).is_err())
                }
                10 => { memcg.unmap(file, 0, pages.min(*size)); false }
                _ => { memcg.drop_file(file); *size = 0; false }
            };
            // A page table or a dentry may still come on top of a full cgroup, and the stock is a mean.
            prop_assert!(memcg.usage() <= (256 << 20) + (1 << 20), "{}", memcg.usage());
            prop_assert!(memcg.anon() + memcg.file() <= memcg.usage());
            let listed: u64 = memcg.lists().extents().map(|e| e.len).sum();
            prop_assert_eq!(listed, memcg.lists().pages());
            prop_assert_eq!(listed * PAGE, memcg.inactive_file() + memcg.active_file());
            let written: u64 = memcg.lists().extents().filter(|e| e.written).map(|e| e.len).sum();
            prop_assert_eq!(written, memcg.lists().written());
            if full {
                // Nobody is killed beside pages that could go, but for those that the failed charge itself
                // brought: less than reclaim takes at a time (64) and a 32nd of it, within the gap (36).
                prop_assert!(memcg.lists().pages() < 64 + 3 + 36, "{}", memcg.lists().pages());
                break;
            }
        }
    }
}
