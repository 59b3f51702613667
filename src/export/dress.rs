//! A recording shown as if it were of somebody's own pod: other labels, another size.
//!
//! Rules select by names that only their own cluster has, and compare with bytes of their own
//! sizes; so dressed, a recording is one that such a rule can see.

use crate::recording::{Group, GroupKind, Recording};

use super::labels::Labels;

/// What is shown otherwise than it was recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dress {
    /// Labels that every series has instead of its own, or besides them.
    pub labels: Vec<(String, String)>,
    /// The limit, in bytes, that the largest container shall have; all sizes follow it.
    pub scale_to: Option<u64>,
}

/// Why a label can't be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DressError {
    /// Not `label=value`.
    #[error("`{0}` is not LABEL=VALUE: write, for example, `namespace=payments`")]
    NoPair(String),
    /// Prometheus would not take it.
    #[error("`{0}` is no name of a label: letters, digits and `_`, no digit first")]
    NoLabel(String),
}

/// Reads `label=value`. The value may be in quotes, as in a rule.
pub fn parse_label(text: &str) -> Result<(String, String), DressError> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| DressError::NoPair(text.to_owned()))?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let first = name.chars().next();
    if first.is_none_or(|c| c.is_ascii_digit()) || !name.chars().all(word) || name == "__name__" {
        return Err(DressError::NoLabel(name.to_owned()));
    }
    let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    Ok((name.to_owned(), quoted.unwrap_or(value).to_owned()))
}

impl Dress {
    /// Replaces the labels of one cgroup; `nth` is the container's number, none for the pod's own.
    ///
    /// Only the first container takes a set `container`, `name` or `id`: two of one name would be
    /// one series.
    pub fn container_labels(&self, labels: &mut Labels, nth: Option<usize>) {
        for (name, value) in &self.labels {
            let of_all = match name.as_str() {
                "pod" => &mut labels.pod,
                "namespace" => &mut labels.namespace,
                "image" if nth.is_some() => &mut labels.image,
                "container" if nth == Some(0) => &mut labels.container,
                "name" if nth == Some(0) => &mut labels.name,
                "id" if nth == Some(0) => &mut labels.id,
                _ => continue,
            };
            of_all.clone_from(value);
        }
    }

    /// Replaces the labels that a scrape adds, and adds those that no series has.
    pub fn scraped_labels(&self, scraped: &mut Vec<(String, String)>) {
        for (name, value) in self.labels.iter().filter(|(name, _)| !is_cadvisors(name)) {
            match scraped.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => old.clone_from(value),
                None => scraped.push((name.clone(), value.clone())),
            }
        }
        scraped.sort();
    }

    /// What all sizes are multiplied by; none where no container has a limit to be scaled from.
    pub fn size_scale(&self, recording: &Recording) -> Option<f64> {
        let Some(wanted) = self.scale_to else {
            return Some(1.0);
        };
        let groups = recording.header.groups.iter();
        let limits = groups
            .filter(|group| group.kind == GroupKind::Container)
            .filter_map(Group::finite_limit);
        let largest = limits.filter(|limit| *limit > 0).max()?;
        Some(wanted as f64 / largest as f64)
    }
}

/// Whether cAdvisor's own page has a label of this name.
fn is_cadvisors(name: &str) -> bool {
    Labels::default()
        .exposed()
        .iter()
        .any(|(own, _)| *own == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_as_it_stands_in_a_rule() {
        let pair = |n: &str, v: &str| Ok((n.to_owned(), v.to_owned()));
        assert_eq!(
            parse_label("namespace=payments"),
            pair("namespace", "payments")
        );
        assert_eq!(parse_label("pod=\"a=b\""), pair("pod", "a=b"));
        assert!(
            parse_label("namespace")
                .unwrap_err()
                .to_string()
                .contains("LABEL=VALUE")
        );
        assert!(
            parse_label("a-b=c")
                .unwrap_err()
                .to_string()
                .contains("no name of a label")
        );
    }

    #[test]
    fn only_the_first_container_takes_a_name() {
        let dress = Dress {
            labels: vec![
                ("container".into(), "api".into()),
                ("namespace".into(), "x".into()),
            ],
            ..Dress::default()
        };
        let mut all = [Labels::default(), Labels::default(), Labels::default()];
        for (labels, nth) in all.iter_mut().zip([None, Some(0), Some(1)]) {
            dress.container_labels(labels, nth);
        }
        assert_eq!(
            all.each_ref().map(|l| l.container.as_str()),
            ["", "api", ""]
        );
        assert!(all.iter().all(|l| l.namespace == "x"));
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in ".{0,20}") {
            let _ = parse_label(&text);
        }
    }
}
