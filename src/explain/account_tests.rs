use super::*;
use crate::formula;
use crate::rows::CgroupVersion;
use proptest::prelude::*;

fn reading(rows: &[(&str, u64)]) -> Reading {
    Reading {
        version: Some(CgroupVersion::V2),
        rows: rows.iter().copied().collect(),
        ..Reading::default()
    }
}

#[test]
fn lists_that_were_cut_are_bounded_by_the_file_row() {
    let account = Account::of(&reading(&[
        ("memory.current", 4_294_967_296),
        ("anon", 4_280_025_088),
        ("file", 569_344),
        ("kernel", 14_372_864),
    ]));
    assert_eq!(
        account.get(WorkingSet),
        Bounds {
            least: 4_294_397_952,
            most: 4_294_967_296
        }
    );
    assert!(account.clashes.is_empty());
}

#[test]
fn the_working_set_bounds_the_usage_and_the_usage_the_parts() {
    let mut only = reading(&[("anon", 80_506_880)]);
    only.working_set = Some(612_192_256);
    let account = Account::of(&only);
    assert_eq!(account.get(Usage).least, 612_192_256);
    let of = |name: &str| account.formula(formula::by_name(name).unwrap(), &only.view());
    assert_eq!(of("usage"), Some((Some(612_192_256), None)));
}

#[test]
fn a_part_above_the_whole_is_a_clash_and_noise_is_not() {
    let clashes = |file: u64| {
        Account::of(&reading(&[("memory.current", 1 << 30), ("file", file)]))
            .clashes
            .len()
    };
    assert_eq!(clashes(3 << 30), 1);
    assert_eq!(clashes((1 << 30) + (1 << 20)), 0);
}

/// A true set of numbers from seven parts: each quantity with its row.
fn truth(parts: &[u64]) -> [(Quantity, &'static str, u64); 10] {
    let part = |at: usize| parts.get(at).copied().unwrap_or(0);
    let (anon, shmem, inactive, active) = (part(0), part(1), part(2), part(3));
    let (slab, stacks, sock) = (part(4), part(5), part(6));
    let (file, kernel) = (shmem + inactive + active, slab + stacks);
    let usage = anon + file + kernel + sock;
    [
        (Usage, "memory.current", usage),
        (Anon, "anon", anon),
        (File, "file", file),
        (Shmem, "shmem", shmem),
        (InactiveFile, "inactive_file", inactive),
        (ActiveFile, "active_file", active),
        (Kernel, "kernel", kernel),
        (SlabReclaimable, "slab_reclaimable", slab),
        (Sock, "sock", sock),
        (Capacity, "node:MemTotal", usage + part(7)),
    ]
}

/// What an account by `relations` says that is not true; none if it holds.
fn untrue(parts: &[u64], shown: &[bool], relations: &[Relation]) -> Option<String> {
    let truth = truth(parts);
    let rows: Vec<_> = truth
        .iter()
        .zip(shown)
        .filter(|(_, shown)| **shown)
        .map(|((_, row, value), _)| (*row, *value))
        .collect();
    let mut given = reading(&rows);
    let working_set = truth[0].2 - truth[4].2;
    given.working_set = shown
        .last()
        .copied()
        .unwrap_or(false)
        .then_some(working_set);
    let account = Account::by(&given, relations);
    if !account.clashes.is_empty() {
        return Some(format!("{:?} of {rows:?}", account.clashes));
    }
    let mut all = truth.to_vec();
    all.push((WorkingSet, "", working_set));
    for (quantity, _, value) in all {
        let bounds = account.get(quantity);
        if value < bounds.least || value > bounds.most {
            return Some(format!("{quantity:?} {value} {bounds:?} of {rows:?}"));
        }
    }
    let whole: Vec<_> = truth.iter().map(|(_, row, value)| (*row, *value)).collect();
    // Estimates guess at what the rows can't tell: what they say of bounds is no bound.
    for formula in formula::FORMULAS
        .iter()
        .filter(|f| !f.name.ends_with("_estimate"))
    {
        let Some(exact) = (formula.eval)(&reading(&whole).view()) else {
            continue;
        };
        let bounds = account.formula(formula, &given.view());
        let out = bounds.is_some_and(|(least, most)| {
            least.is_some_and(|least| exact < least) || most.is_some_and(|most| exact > most)
        });
        if out {
            return Some(format!("{} {exact} {bounds:?} of {rows:?}", formula.name));
        }
    }
    None
}

/// Each identity matters: with one of them turned round, the property below finds it.
#[test]
fn a_broken_identity_is_found() {
    let mut random = generator(7);
    let cases: Vec<(Vec<u64>, Vec<bool>)> = (0..200)
        .map(|_| {
            let parts = (0..8).map(|_| random() % (1 << 36)).collect();
            let shown = (0..11).map(|_| random().is_multiple_of(2)).collect();
            (parts, shown)
        })
        .collect();
    let finds = |relations: &[Relation]| {
        cases
            .iter()
            .find_map(|(parts, shown)| untrue(parts, shown, relations))
    };
    assert_eq!(finds(RELATIONS), None);
    for broken in 0..RELATIONS.len() {
        let mut relations = RELATIONS.to_vec();
        let old = relations[broken];
        relations[broken] = Relation {
            whole: old.parts[0],
            parts: Box::leak(Box::new([old.whole])),
            ..old
        };
        assert!(
            finds(&relations).is_some(),
            "relation {broken} is not tested: {}",
            old.source
        );
    }
}

/// A small generator of numbers: the cases are the same on every machine.
fn generator(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        // Constants of Knuth's MMIX generator.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 20
    }
}

proptest! {
    /// Bounds contain what a true set of numbers says, whichever of them are left out.
    #[test]
    fn the_truth_is_within_the_bounds(
        parts in proptest::collection::vec(0u64..1 << 36, 8),
        shown in proptest::collection::vec(any::<bool>(), 11),
    ) {
        prop_assert_eq!(untrue(&parts, &shown, RELATIONS), None);
    }
}
