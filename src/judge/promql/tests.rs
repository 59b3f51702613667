use super::*;

fn of(text: &str) -> Expr {
    parse(text).unwrap_or_else(|| panic!("not understood: {text}"))
}

#[test]
fn a_comparison_is_found_with_its_operands() {
    let text = "(sum(a{b=\"c\"}) BY (x) / sum(d) by (x) * 100) > 80 and on (x) up == 1";
    let Kind::Binary(Operator::And, left, right) = of(text).kind else {
        panic!("`and` binds loosest");
    };
    let Kind::Binary(Operator::Compare(">"), value, threshold) = left.kind else {
        panic!("then the comparison");
    };
    assert_eq!(
        value.text(text),
        "(sum(a{b=\"c\"}) BY (x) / sum(d) by (x) * 100)"
    );
    assert_eq!(threshold.constant(), Some(80.0));
    assert_eq!(right.text(text), "up == 1");
}

#[test]
fn a_range_is_of_samples_and_a_subquery_of_an_expression_asked_again() {
    let range = of("up[1h]").kind;
    assert!(matches!(range, Kind::Series(_, Some(3600.0))), "{range:?}");
    for text in ["up[1h:1m]", "up[1h:]", "(up > 0)[1h:1m]"] {
        let kind = of(text).kind;
        assert!(matches!(kind, Kind::Subquery(_)), "{text}: {kind:?}");
    }
}

#[test]
fn what_public_rules_write_is_understood() {
    for text in [
        "a * on (namespace, pod) group_left(node) topk by (namespace, pod) (1, max by (n) (b{node!=\"\"}))",
        "a / on (pod) group_left () (b)",
        "a / on (pod) group_left (b)",
        "predict_linear(a[1h], 4 * 3600) > b",
        "max_over_time(rate(a[5m])[1h:1m]) offset 5m >= bool 1",
        "(a > 0) < +Inf",
        "a{} @ end() - -1 ^ 2 ^ 3",
        "{__name__=~\"container_.*\", pod=`a\\d`}",
        "sum(container_memory_rss) without (id) / 1e9 # why\n > 0x10",
        "quantile_over_time(0.9, a:b:c[1w2d])",
        "label_replace(a, \"x\", \"$1\", \"y\", '(.*)') != 1 unless on() vector(1)",
        "absent(up{job=\"a\"} == 1)",
        "count_values(\"v\", a) by (b) > 1.5",
    ] {
        of(text);
    }
    assert_eq!(of("4 * 1024 * 1024").constant(), Some(4_194_304.0));
    for (expr, want) in [
        ("-3 + 10", Some(7.0)),
        ("7 - 2 - 1", Some(4.0)),
        ("9 / 2 % 4", Some(0.5)),
        ("2 ^ 3", Some(8.0)),
        ("0 Atan2 5 + 1", Some(1.0)),
        ("3 atan2 0 > 1", None),
        ("vector(80)", Some(80.0)),
        ("scalar(vector(1) * 2)", Some(2.0)),
        // What these make of a number is another number, or none.
        ("abs(-80)", None),
        ("ceil(vector(1.5))", None),
        ("vector(time())", None),
        ("up", None),
    ] {
        assert_eq!(of(expr).constant(), want, "{expr}");
    }
    let selectors = of("a{b!=\"c\"} / d")
        .selectors()
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    assert_eq!(selectors, ["a{b!=\"c\"}", "d"]);
}

#[test]
fn what_is_no_expression_is_not_understood() {
    for text in [
        "",
        "a >",
        "a{b=c}",
        "sum(",
        "a b",
        "\"x",
        "a[5m",
        &"(".repeat(1000),
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn words_in_any_order_are_read_without_panic(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "a", "(", ")", "[", "]", "5m", ":", "{", "}", "=", "\"x\"", "by", "on", "sum", "group_left",
            "and", ">", "-", "@", "offset", ",", "1", "bool", "é",
        ]), 0..24)
    ) {
        if let Some(expr) = parse(&words.join(" ")) {
            let _ = (expr.constant(), expr.selectors());
        }
    }
}
