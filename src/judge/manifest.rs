//! Rules as they lie about in repositories: in a `PrometheusRule` manifest, or in a Helm chart.

/// The rule groups of a `PrometheusRule` manifest as the file promtool reads, with the line
/// numbers kept; none where the text is no such manifest.
pub fn groups(text: &str) -> Option<String> {
    let kind = text
        .lines()
        .any(|line| line.trim_end() == "kind: PrometheusRule");
    if !kind {
        return None;
    }
    let mut indent = None;
    let mut within = false;
    let mut out = String::new();
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let blank = line.trim().is_empty() || line.trim_start().starts_with('#');
        if !blank && depth == 0 {
            within = line.trim_end() == "spec:";
        } else if within && (indent.is_some() || !blank) {
            let cut = *indent.get_or_insert(depth);
            // A block's own text may be blank, never less deep.
            out.push_str(line.get(cut.min(depth)..).unwrap_or(""));
        }
        out.push('\n');
    }
    indent.map(|_| out)
}

/// What to do with rules promtool refused, where it can be seen.
pub fn advice(text: &str) -> Option<&'static str> {
    let of_helm = [
        "{{ .Values",
        "{{- ",
        "{{ include",
        "{{ .Release",
        "{{ $.Values",
    ];
    of_helm.iter().any(|mark| text.contains(mark)).then_some(
        "it is a template of Helm: render it first (`helm template`) and judge what comes out",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_loses_its_frame_and_keeps_its_lines() {
        let text = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: m\nspec:\n  groups:\n  - name: a\n    rules:\n    - alert: X\n      expr: |\n        a\n\n        > 5\nstatus: {}\n";
        assert_eq!(
            groups(text).unwrap(),
            "\n\n\n\n\ngroups:\n- name: a\n  rules:\n  - alert: X\n    expr: |\n      a\n\n      > 5\n\n"
        );
        assert_eq!(groups("groups:\n- name: a\n"), None);
    }

    #[test]
    fn a_chart_is_known() {
        assert!(advice("- alert: {{ .Values.name }}\n").is_some());
        assert_eq!(advice("summary: '{{ $value }} {{ $labels.pod }}'\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in "(kind: PrometheusRule\n|spec:\n| {0,3}[a-zé:#-]{0,5}\n){0,8}") {
            let _ = (groups(&text), advice(&text));
        }
    }
}
