use super::*;
use proptest::option::weighted;
use proptest::prelude::*;

/// Any row may be missing; values crowd at the extremes, where arithmetic breaks.
fn row() -> impl Strategy<Value = Option<u64>> {
    let value = prop_oneof![
        3 => 0u64..1 << 40,
        1 => any::<u64>(),
        1 => Just(0),
        1 => Just(u64::MAX),
        1 => Just(i64::MAX as u64),
    ];
    weighted(0.9, value)
}

prop_compose! {
    fn views()(
        rows in proptest::collection::vec(row(), View::NAMES.len()),
    ) -> View {
        let mut view = View::NONE;
        for (name, value) in View::NAMES.iter().zip(rows) {
            *view.counter_mut(name).unwrap() = value;
        }
        view
    }
}

fn eval(name: &str, view: &View) -> Option<i64> {
    (by_name(name).unwrap().eval)(view)
}

proptest! {
    #[test]
    fn working_sets_lie_between_nothing_and_usage(view in views()) {
        for name in ["cadvisor_working_set", "cadvisor_working_set_2016", "docker_stats", "kubectl_top", "working_set_minus_slab"] {
            if let Some(value) = eval(name, &view) {
                prop_assert!(value >= 0, "{name} = {value}");
                prop_assert!(value as u64 <= view.usage.unwrap(), "{name} = {value}");
            }
        }
    }

    #[test]
    fn estimates_are_never_negative(view in views()) {
        for name in ["lazyfree_estimate", "thp_hidden_estimate", "node_root_usage", "node_root_working_set"] {
            prop_assert!(eval(name, &view).is_none_or(|value| value >= 0), "{name}");
        }
    }

    /// Taking a row away may turn a value into none, but never into another value.
    #[test]
    fn a_missing_row_gives_none_and_not_a_number(view in views(), field in 0..View::NAMES.len()) {
        let mut less = view;
        *less.counter_mut(View::NAMES[field]).unwrap() = None;
        for formula in FORMULAS {
            let value = (formula.eval)(&less);
            prop_assert!(value.is_none() || value == (formula.eval)(&view), "{}", formula.name);
        }
    }

    #[test]
    fn every_tool_prints_every_value(view in views()) {
        for formula in FORMULAS {
            for (tool, text) in formula.display(&view) {
                prop_assert!(!text.is_empty(), "{tool}");
            }
        }
    }
}

/// A full set of rows, all different, so that no formula can be right by luck.
fn full() -> View {
    View {
        usage: Some(1_000_000_000),
        limit: Some(2_000_000_000),
        rss: Some(300_000_000),
        cache: Some(500_000_000),
        shmem: Some(40_000_000),
        mapped_file: Some(60_000_000),
        inactive_anon: Some(250_000_000),
        active_anon: Some(100_000_000),
        inactive_file: Some(410_000_000),
        active_file: Some(70_000_000),
        slab_reclaimable: Some(11_000_000),
        sock: Some(2_000_000),
        kernel: Some(90_000_000),
        node_capacity: Some(8_000_000_000),
        unevictable: Some(5_000_000),
        ..View::NONE
    }
}

#[test]
fn each_formula_is_what_the_design_says() {
    let want = [
        ("cadvisor_working_set", 590_000_000),
        ("cadvisor_working_set_2016", 340_000_000),
        ("docker_stats", 590_000_000),
        ("docker_cli_17_06", 500_000_000),
        ("usage", 1_000_000_000),
        ("usage_minus_file_lru", 520_000_000),
        ("rss", 300_000_000),
        ("max_working_set_rss", 590_000_000),
        ("working_set_minus_mapped", 530_000_000),
        ("rss_plus_mapped", 360_000_000),
        ("working_set_minus_slab", 579_000_000),
        ("anon_sock_kernel", 381_000_000),
        ("lazyfree_estimate", 20_000_000),
        ("thp_hidden_estimate", 35_000_000),
        ("kubelet_memory_available", 7_410_000_000),
        ("kubectl_top", 562 << 20),
        ("node_root_usage", 800_000_000),
        ("node_root_working_set", 390_000_000),
    ];
    assert_eq!(want.map(|(name, _)| name).to_vec(), {
        let names: Vec<_> = FORMULAS.iter().map(|f| f.name).collect();
        names
    });
    for (name, value) in want {
        assert_eq!(eval(name, &full()), Some(value), "{name}");
    }
}

#[test]
fn dockers_clamp_is_not_cadvisors() {
    for inactive in [1_000_000_000, 1_000_000_001] {
        let view = View {
            inactive_file: Some(inactive),
            ..full()
        };
        assert_eq!(eval("cadvisor_working_set", &view), Some(0));
        assert_eq!(eval("docker_stats", &view), Some(1_000_000_000));
    }
}

#[test]
fn what_may_be_below_zero_is() {
    let view = View {
        usage: Some(80_342_220_800),
        inactive_file: Some(10_048_962_560),
        node_capacity: Some(32_879_017_984),
        cache: Some(80_342_220_801),
        ..full()
    };
    assert_eq!(
        eval("kubelet_memory_available", &view),
        Some(-37_414_240_256)
    );
    assert_eq!(eval("docker_cli_17_06", &view), Some(-1));
}

#[test]
fn nothing_is_known_from_no_rows() {
    for formula in FORMULAS {
        assert_eq!((formula.eval)(&View::default()), None, "{}", formula.name);
    }
}
