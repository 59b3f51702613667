//! Who a series is about: the labels a scrape of the kubelet puts on every container metric.

use crate::container_id;
use crate::recording::{Group, GroupKind, Header, Recording};

/// The labels of one sampled cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Empty for the pod's own cgroup, as cAdvisor has it.
    pub container: String,
    /// The pod.
    pub pod: String,
    /// Its namespace.
    pub namespace: String,
    /// The cgroup path.
    pub id: String,
    /// The image; empty for the pod's own cgroup.
    pub image: String,
    /// The runtime's name of the container; empty for the pod's own cgroup.
    pub name: String,
}

/// Whether labels may tell what a recording is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The scenario's and containers' own names: for people's own databases.
    Telling,
    /// The same names for every recording: for whoever is being judged.
    Neutral,
}

/// An id of the length the kubelet uses; the same in every recording, so it tells nothing.
const POD_UID: &str = "6d656d74-6964-6500-0000-000000000001";

/// The placement of recordings of cgroups that memtide only looked at.
pub const WATCHED: &str = "watch";

/// Where the memory controller's files usually are; the rest of a path is the cgroup's own name.
const MOUNTS: [&str; 3] = [
    "/sys/fs/cgroup/memory",
    "/sys/fs/cgroup/unified",
    "/sys/fs/cgroup",
];

/// The image of a watched container whose runtime's files do not tell, or may not be read: the kernel does not
/// know it. It is not empty, since rules tell containers from pods by `image!=""`.
const UNKNOWN_IMAGE: &str = "unknown";

impl Labels {
    /// The labels of a recording's groups, in their order.
    pub fn of(recording: &Recording, naming: Naming) -> Vec<Labels> {
        Labels::of_header(&recording.header, naming)
    }

    /// The labels of the groups of a recording that has just begun.
    pub fn of_header(header: &Header, naming: Naming) -> Vec<Labels> {
        if header.host.placement == WATCHED && naming == Naming::Telling {
            let groups = header.groups.iter();
            return groups.map(Labels::of_watched).collect();
        }
        let mut containers = 0;
        let pod = match naming {
            Naming::Telling => header.scenario.clone(),
            Naming::Neutral => "app-0".to_owned(),
        };
        let groups = header.groups.iter();
        groups
            .map(|group| {
                if group.kind == GroupKind::Pod {
                    return Labels::pod(&pod);
                }
                containers += 1;
                let container = match naming {
                    Naming::Telling => group.name.clone(),
                    Naming::Neutral => format!("c{containers}"),
                };
                Labels::container(&pod, &container, containers)
            })
            .collect()
    }

    /// The labels of a cgroup that memtide only looks at.
    pub fn of_watched(group: &Group) -> Labels {
        Labels::of_cgroup(&group.path).named(&group.name, group.image.as_deref())
    }

    /// The labels of an existing cgroup, from its directory alone: the kubelet's names of pods and
    /// containers stand in other places. `id` is what cAdvisor shows, `name` the runtime's id.
    pub fn of_cgroup(path: &str) -> Labels {
        let id = MOUNTS
            .iter()
            .find_map(|mount| path.strip_prefix(mount))
            .unwrap_or(path);
        Labels {
            id: id.to_owned(),
            name: container_id::of(id).unwrap_or_default().to_owned(),
            ..Labels::default()
        }
    }

    /// With the kubelet's names, where a watched container has them: `POD_NAMESPACE_CONTAINER`,
    /// which is unambiguous since none of the three may hold an underscore.
    fn named(self, name: &str, image: Option<&str>) -> Labels {
        let parts: Vec<&str> = name.split('_').collect();
        match (&parts[..], self.name.is_empty()) {
            ([pod, namespace, container], false) => Labels {
                container: (*container).to_owned(),
                pod: (*pod).to_owned(),
                namespace: (*namespace).to_owned(),
                image: image.unwrap_or(UNKNOWN_IMAGE).to_owned(),
                ..self
            },
            // A container that no kubelet made.
            _ => Labels {
                image: image.unwrap_or_default().to_owned(),
                ..self
            },
        }
    }

    fn pod(pod: &str) -> Labels {
        Labels {
            pod: pod.to_owned(),
            namespace: "default".to_owned(),
            id: format!("/kubepods/burstable/pod{POD_UID}"),
            ..Labels::default()
        }
    }

    fn container(pod: &str, container: &str, number: usize) -> Labels {
        Labels {
            container: container.to_owned(),
            id: format!("/kubepods/burstable/pod{POD_UID}/{number:064x}"),
            image: "app:1".to_owned(),
            name: format!("{number:064x}"),
            ..Labels::pod(pod)
        }
    }

    /// The labels as cAdvisor's own page has them, sorted by name.
    pub fn exposed(&self) -> [(&'static str, &str); 6] {
        [
            ("container", &self.container),
            ("id", &self.id),
            ("image", &self.image),
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("pod", &self.pod),
        ]
    }

    /// Those that are not empty: an empty label is the same as none to Prometheus.
    pub fn set(&self) -> impl Iterator<Item = (&str, &str)> {
        let all: [(&str, &str); 6] = self.exposed();
        all.into_iter().filter(|(_, value)| !value.is_empty())
    }

    /// What Prometheus adds when it scrapes the kubelet the way kube-prometheus sets it up: many
    /// public rules select by these.
    pub const SCRAPED: [(&'static str, &'static str); 4] = [
        ("instance", "10.0.0.1:10250"),
        ("job", "kubelet"),
        ("metrics_path", "/metrics/cadvisor"),
        ("node", "node-1"),
    ];
}

/// Owned labels as [`selector`] takes them.
pub fn pairs(labels: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// `{a="b",c="d"}` with the values escaped, or nothing where there is no label.
pub fn selector<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let parts: Vec<String> = labels
        .into_iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", parts.join(","))
    }
}

/// Backslash, quote and line feed, as the exposition formats and PromQL escape them.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// The labels after an opening brace, escapes undone, and what follows the closing one; none where they are not whole.
pub fn read(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = unescape(after.trim_start().strip_prefix('"')?)?;
        labels.push((name.trim().to_owned(), value));
        rest = after;
    }
}

/// A value up to its closing quote, and what follows.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                // The last two are promtool's, which quotes as Go does.
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watched_cgroup_is_named_by_its_path_as_cadvisor_does() {
        let id = "7".repeat(64);
        let v1 = Labels::of_cgroup(&format!(
            "/sys/fs/cgroup/memory/kubepods/burstable/pod6d/{id}"
        ));
        assert_eq!(v1.id, format!("/kubepods/burstable/pod6d/{id}"));
        assert_eq!(v1.name, id);
        let scope = format!("/kubepods.slice/kubepods-pod6d.slice/cri-containerd-{id}.scope");
        let v2 = Labels::of_cgroup(&format!("/sys/fs/cgroup{scope}"));
        assert_eq!((v2.id, v2.name), (scope, id.clone()));
        let named = Labels::of_cgroup(&format!("/sys/fs/cgroup/memory/kubepods/pod6d/{id}"));
        let image = named
            .clone()
            .named("web-7d_shop_app", Some("docker.io/library/redis:7"));
        assert_eq!(
            (image.image.as_str(), image.pod.as_str()),
            ("docker.io/library/redis:7", "web-7d")
        );
        let named = named.named("web-7d_shop_app", None);
        let names = [&named.pod, &named.namespace, &named.container].map(String::as_str);
        assert_eq!(names, ["web-7d", "shop", "app"]);
        assert!(!named.image.is_empty());
        let sandbox = Labels::of_cgroup(&format!("/sys/fs/cgroup/memory/kubepods/pod6d/{id}"));
        let sandbox = sandbox.named("web-7d_shop_", None);
        let names = [&sandbox.pod, &sandbox.namespace, &sandbox.container].map(String::as_str);
        assert_eq!(names, ["web-7d", "shop", ""]);
        let plain = Labels::of_cgroup("/sys/fs/cgroup/memory/system.slice").named("a_b_c", None);
        assert_eq!(
            (plain.id.as_str(), plain.name.as_str()),
            ("/system.slice", "")
        );
        assert_eq!(plain.image, "");
        // Docker's, on a node without a kubelet.
        let docker = Labels::of_cgroup(&format!("/sys/fs/cgroup/memory/docker/{id}"));
        let docker = docker.named(&format!("docker/{id}"), Some("nginx:1.27"));
        assert_eq!(
            (docker.image.as_str(), docker.container.as_str()),
            ("nginx:1.27", "")
        );
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(selector([("a", "x\"y\\z\n")]), r#"{a="x\"y\\z\n"}"#);
        assert_eq!(selector([]), "");
    }

    #[test]
    fn what_is_written_is_read_again_and_a_cut_is_seen() {
        let all = [("a", "x\"y\\z\n,}=\t"), ("b", ""), ("ü", "é")];
        let text = selector(all) + " 1";
        let (read, rest) = super::read(&text[1..]).expect("whole");
        assert!(pairs(&read).eq(all), "{read:?}");
        assert_eq!(rest, " 1");
        let last = text.len() - " 1".len();
        for cut in (1..last).filter(|at| text.is_char_boundary(*at)) {
            assert_eq!(super::read(&text[1..cut]), None, "{}", &text[..cut]);
        }
        // As promtool shows them.
        let (read, rest) = super::read(r#"b="q\"", c = "\t", } +Inf"#).expect("whole");
        assert!(pairs(&read).eq([("b", "q\""), ("c", "\t")]));
        assert_eq!(rest, " +Inf");
    }
}
