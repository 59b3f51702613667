use super::*;

fn parse(text: &str) -> RuleFile {
    RuleFile::parse(text, "r.yaml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn error(text: &str) -> String {
    RuleFile::parse(text, "r.yaml").unwrap_err().to_string()
}

const RULES: &str = "- alert: A\n  expr: |\n    up\n      > 1\n  for: 5m\n  labels: {severity: 1}\n- record: b:c\n  expr: sum(up)\n";

fn indent(by: &str, text: &str) -> String {
    text.lines().map(|l| format!("{by}{l}\n")).collect()
}

/// The same two rules in every frame there is.
fn frames(groups: &str) -> Vec<String> {
    let json = serde_json::json!({"groups": [{"name": "g", "rules": [
        {"alert": "A", "expr": "up\n  > 1\n", "for": "5m", "labels": {"severity": "1"}},
        {"record": "b:c", "expr": "sum(up)"}]}]});
    vec![
        groups.to_owned(),
        RULES.to_owned(),
        format!("\u{feff}---\n# only a comment\n---\n{groups}"),
        format!("rules:\n{RULES}"),
        format!(
            "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: x}}\nspec:\n{}",
            indent("  ", groups)
        ),
        format!(
            "apiVersion: v1\nkind: List\nitems:\n- kind: PrometheusRule\n  spec:\n{}",
            indent("    ", groups)
        ),
        format!(
            "kind: ConfigMap\ndata:\n  alerts.yml: |\n{}",
            indent("    ", groups)
        ),
        format!(
            "kind: ConfigMap\ndata:\n  alerts.yml: |\n{}",
            indent("    ", RULES)
        ),
        format!(
            "serverFiles:\n  alerting_rules.yml:\n{}",
            indent("    ", groups)
        ),
        format!(
            "additionalPrometheusRulesMap:\n  mine:\n{}",
            indent("    ", groups)
        ),
        serde_json::to_string_pretty(&json).unwrap(),
        serde_json::json!({"kind": "ConfigMap", "data": {"a.json": json.to_string(), "b": "c\nd"}})
            .to_string(),
        format!("# A page\n\nText: with {{braces.\n\n```yaml\n{groups}```\n"),
    ]
}

#[test]
fn every_frame_gives_the_same_rules() {
    let groups = format!("groups:\n- name: g\n  rules:\n{}", indent("  ", RULES));
    let want = parse(&groups);
    for frame in frames(&groups) {
        let got = parse(&frame);
        let rules = |file: &RuleFile| {
            file.rules()
                .map(|r| {
                    (
                        r.name().to_owned(),
                        r.expr.trim().to_owned(),
                        r.hold.clone(),
                        r.labels.clone(),
                    )
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(rules(&got), rules(&want), "{frame}");
        for rule in got.rules() {
            let line = frame.lines().nth(rule.line - 1).unwrap();
            assert!(line.contains(rule.name()), "{line}");
        }
    }
    assert_eq!(
        want.rules()
            .map(|r| (r.line, r.expr_line))
            .collect::<Vec<_>>(),
        [(4, 6), (10, 11)]
    );
}

#[test]
fn one_rule_alone_and_two_documents_are_taken() {
    assert_eq!(parse("alert: A\nexpr: up > 1\n").rules().count(), 1);
    assert_eq!(parse(&format!("{RULES}---\n{RULES}")).rules().count(), 4);
}

#[test]
fn what_is_not_rendered_is_called_what_it_is() {
    for (text, words) in [
        (
            "groups:\n- name: {{ .Values.name }}\n  rules: []\n",
            vec!["r.yaml:2", "Helm", "helm template"],
        ),
        (
            "{{- if .Values.on }}\n- alert: A\n  expr: up\n{{- end }}\n",
            vec!["r.yaml:1", "Helm"],
        ),
        (
            "- alert: A\n  expr: up{ns=\"{{ .Values.ns }}\"} > 1\n",
            vec!["r.yaml:2", "Helm"],
        ),
        (
            "{% for x in y %}\n- alert: A\n  expr: up\n{% endfor %}\n",
            vec!["r.yaml:1", "Jinja"],
        ),
        (
            "- alert: A\n  expr: up{ns=\"$namespace\"} > 1\n",
            vec!["r.yaml:2", "variable"],
        ),
        (
            "local k = import 'k';\n{\n  prometheusAlerts+:: {\n",
            vec!["Jsonnet"],
        ),
        ("ALERT A\n  IF up > 1\n  FOR 5m\n", vec!["r.yaml:1"]),
        ("- alert: A\n expr: up\n", vec!["r.yaml:", "indentation"]),
        (
            "- alert: A\n  exprr: up\n- alert: B\n  expr: up\n",
            vec!["r.yaml:1: A: it has no `expr`", "exprr"],
        ),
        (
            "- alert: A\n  expr: up\n  for: 5 minutes\n",
            vec!["r.yaml:1: A: `for: 5 minutes` is no duration"],
        ),
        (
            "groups:\n- rules:\n  - alert: A\n    expr: up\n    labels:\n      tier: {{ required \"no tier\" .Values.tier }}\n",
            vec!["r.yaml:6", "Helm"],
        ),
        (
            "locals {\n\tpod_rules = [\n\t\t{\n\t\t\talert = \"A\"\n\t\t}\n\t]\n}\n",
            vec!["Terraform"],
        ),
        (
            "kind: ConfigMap\ndata: {a: b}\n",
            vec!["no rule in it, it is a manifest of kind ConfigMap"],
        ),
        ("", vec!["no rule in it"]),
        ("hello there", vec!["no rule in it"]),
        (
            r#"{"type": "query alert", "query": "avg(last_5m):avg:kubernetes.memory.usage_pct{*} > 0.9"}"#,
            vec!["r.yaml:1", "Datadog", "PromQL"],
        ),
        (
            "groups:\n- rules:\n  - uid: a\n    title: x\n    condition: C\n    data: []\n",
            vec!["Grafana"],
        ),
    ] {
        let said = error(text);
        for word in words {
            assert!(said.contains(word), "{text}\n-> {said}");
        }
    }
}

#[test]
fn a_query_alone_is_an_alert() {
    for query in [
        "container_memory_rss{container!=\"\"} / container_spec_memory_limit_bytes > 0.9",
        "sum by (pod) (\n  container_memory_rss\n) # of all\n > 5\n",
    ] {
        let file = parse(query);
        let rules: Vec<&Rule> = file.rules().collect();
        assert_eq!((rules.len(), rules[0].line), (1, 1), "{query}");
        assert!(rules[0].alert.is_some() && rules[0].expr.contains("container_memory_rss"));
    }
}

/// Templates of annotations are Prometheus' own.
#[test]
fn a_summary_with_labels_is_no_template_of_a_chart() {
    parse(
        "- alert: A\n  expr: up > 1\n  annotations:\n    summary: '{{ $labels.pod }} {{ $value | humanize }}'\n",
    );
}

#[test]
fn what_is_too_large_is_not_read() {
    let long = vec![b'a'; SIZE_MAX as usize + 10];
    let said = read(&long[..], "x").unwrap_err().to_string();
    assert!(said.contains("4.0 MiB"), "{said}");
    assert!(
        read(&[0xff, 0xfe][..], "x")
            .unwrap_err()
            .to_string()
            .contains("UTF-8")
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "(kind: A\n|groups:\n|- | {0,3}[a-zé:#|{}\\[\\]-]{0,6}\n|alert: a\n|expr: up\n|```\n){0,12}") {
        let _ = RuleFile::parse(&text, "x");
    }
}

/// Grafana's rules have a query in `data` and its `condition`; others may have a word of those, which is no matter.
#[test]
fn only_what_is_grafanas_is_refused_as_such() {
    let with = |more: &str| format!("- alert: A\n  expr: up > 1\n{more}");
    for more in ["", "  condition: B\n", "  data: []\n"] {
        let file = parse(&with(more));
        assert_eq!(file.groups[0].rules.len(), 1, "{more}");
    }
    let said = error(&with("  condition: B\n  data: []\n"));
    assert!(said.contains("Grafana"), "{said}");
}

#[test]
fn what_is_left_out_is_said_once_and_only_where_it_was() {
    let rule = |name: &str, more: &str| format!("- alert: {name}\n  expr: up > 1\n{more}");
    let kept = "  keep_firing_for: 5m\n";
    let said = |rules: &[String]| parse(&rules.concat()).notes;
    assert!(said(&[rule("A", ""), rule("B", "")]).is_empty());
    let once = said(&[rule("A", kept), rule("B", ""), rule("C", kept)]);
    assert!(
        once.len() == 1 && once[0].contains("keep_firing_for"),
        "{once:?}"
    );
}
