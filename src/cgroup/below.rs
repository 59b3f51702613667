//! How runtimes name the cgroups of containers, and the kubelet the containers.

use std::io;
use std::path::{Path, PathBuf};

/// Deeper than any runtime nests what is not a container's own business.
pub(super) const DEPTH_MAX: usize = 16;

/// The longest name of a link that the kubelet makes, bytes.
const LINK_MAX: usize = 255;
/// So many characters of an id tell containers apart: what `docker ps` shows.
const ID_SURE: usize = 12;

pub(super) fn children(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// The runtime's id in a container's cgroup name.
pub fn container_id(path: &Path) -> Option<&str> {
    crate::container_id::of(path.file_name()?.to_str()?)
}

/// The kubelet's name of a container, `POD_NAMESPACE_CONTAINER`, from the links that it keeps in
/// /var/log/containers (`POD_NAMESPACE_CONTAINER-ID.log`, of which the kubelet cuts the id's end off where
/// a file's name could not hold it).
pub fn kubelet_name(logs: &[String], id: &str) -> Option<String> {
    let name = logs.iter().find_map(|log| {
        let (name, of) = log.strip_suffix(".log")?.rsplit_once('-')?;
        let cut = log.len() == LINK_MAX && of.len() >= ID_SURE && id.starts_with(of);
        (of == id || cut).then_some(name)
    })?;
    (name.split('_').count() == 3).then(|| name.to_string())
}

/// Whether the kubelet made it for a pod, or for a class of pods, by its name: such a cgroup holds
/// others, and is no container even while it is empty.
pub fn is_only_a_parent(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".slice").unwrap_or(&name);
    let last = name.rsplit_once("-pod").map_or(name, |(_, uid)| uid);
    let uid = last.strip_prefix("pod").unwrap_or(last);
    let is_uid = uid.len() == 36
        && uid
            .bytes()
            .all(|b| b.is_ascii_hexdigit() || matches!(b, b'-' | b'_'));
    // Static pods have a hash in place of a UID.
    let is_hash = uid.len() == 32 && uid.bytes().all(|b| b.is_ascii_hexdigit());
    let class = ["besteffort", "burstable", "guaranteed", "kubepods"];
    let is_class = class.contains(&name.rsplit('-').next().unwrap_or(name));
    (uid.len() < name.len() && (is_uid || is_hash)) || is_class
}

/// A cgroup's path as the node itself has it, wherever its file system is mounted here: below
/// /sys/fs/cgroup/memory on v1, below /sys/fs/cgroup on v2.
pub fn on_the_node(path: &Path) -> PathBuf {
    // Most are where everybody has them.
    if path.starts_with("/sys/fs/cgroup") {
        return path.to_path_buf();
    }
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    on_the_node_by(path, &super::mountinfo::parse(&mounts))
}

fn on_the_node_by(path: &Path, mounts: &[super::mountinfo::Mount]) -> PathBuf {
    let here = mounts
        .iter()
        .filter(|mount| mount.fstype.starts_with("cgroup") && path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.as_os_str().len());
    let Some((mount, below)) = here.and_then(|m| Some((m, path.strip_prefix(&m.point).ok()?)))
    else {
        return path.to_path_buf();
    };
    let top = match mount.fstype.as_str() {
        "cgroup" => "/sys/fs/cgroup/memory",
        _ => "/sys/fs/cgroup",
    };
    // A part of the hierarchy may be mounted alone.
    let root = mount.root.strip_prefix("/").unwrap_or(&mount.root);
    Path::new(top).join(root).join(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_and_their_classes_are_no_containers() {
        let uid = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f";
        for name in [
            format!("pod{uid}"),
            format!("kubepods-burstable-pod{}.slice", uid.replace('-', "_")),
            format!("pod{}", "ab".repeat(16)),
            "besteffort".into(),
            "kubepods-burstable.slice".into(),
            "kubelet-kubepods.slice".into(),
        ] {
            assert!(is_only_a_parent(Path::new(&name)), "{name}");
        }
        let id = "a1".repeat(32);
        for name in [
            id.clone(),
            format!("cri-containerd-{id}.scope"),
            "pod6d".into(),
            "app".into(),
        ] {
            assert!(!is_only_a_parent(Path::new(&name)), "{name}");
        }
    }

    #[test]
    fn a_path_is_the_nodes_wherever_it_is_mounted() {
        let v1 = "40 30 0:35 / /host/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let v2 = "41 30 0:36 /kubepods.slice /node rw - cgroup2 cgroup rw\n";
        let mounts = super::super::mountinfo::parse(format!("{v1}{v2}").as_bytes());
        let node = |path: &str| on_the_node_by(Path::new(path), &mounts);
        assert_eq!(
            node("/host/cgroup/memory/kubepods/pod6d"),
            Path::new("/sys/fs/cgroup/memory/kubepods/pod6d")
        );
        assert_eq!(
            node("/node/kubepods-pod6d.slice"),
            Path::new("/sys/fs/cgroup/kubepods.slice/kubepods-pod6d.slice")
        );
        assert_eq!(node("/elsewhere/x"), Path::new("/elsewhere/x"));
    }

    #[test]
    fn the_kubelets_links_name_containers() {
        let id = "b2".repeat(32);
        let logs = vec![format!("web-7d_shop_app-{id}.log"), "other.log".to_string()];
        assert_eq!(kubelet_name(&logs, &id).as_deref(), Some("web-7d_shop_app"));
        assert_eq!(kubelet_name(&logs, &"c3".repeat(32)), None);
        // A container that was started again has another id, and its first link stays for a while.
        let again = "b3".repeat(32);
        let logs = [&id, &again].map(|id| format!("web-7d_shop_app-{id}.log"));
        assert!(kubelet_name(&logs, &id).is_some() && kubelet_name(&logs, &again).is_some());
        // Names with dots and dashes; several containers of one pod.
        let logs = [
            format!("etcd-node.example.com_kube-system_etcd-{id}.log"),
            format!("etcd-node.example.com_kube-system_etcd-metrics-{again}.log"),
        ];
        let name = |id: &str| kubelet_name(&logs, id).unwrap();
        assert!(name(&id).ends_with("_etcd") && name(&again).ends_with("_etcd-metrics"));
        // What the kubelet cuts, and what is no such name.
        let pod = "p".repeat(120);
        let mut cut = format!("{pod}_shop_{}-{id}", "c".repeat(63));
        cut.truncate(LINK_MAX - ".log".len());
        cut.push_str(".log");
        let found = kubelet_name(&[cut], &id).unwrap();
        assert!(found.starts_with(&pod) && found.ends_with("ccc"), "{found}");
        let short = format!("web_shop_app-{}.log", &id[..20]);
        assert_eq!(kubelet_name(&[short], &id), None);
    }

    #[test]
    fn containers_are_known_in_every_runtimes_and_drivers_way() {
        let id = "d4".repeat(32);
        let uid = "0a1b2c3d_0a1b_0a1b_0a1b_0a1b2c3d4e5f";
        for name in [
            id.clone(),
            format!("cri-containerd-{id}.scope"),
            format!("crio-{id}.scope"),
            format!("crio-{id}"),
            format!("docker-{id}.scope"),
            format!("kubepods-burstable-pod{uid}.slice:cri-containerd:{id}"),
        ] {
            assert_eq!(container_id(Path::new(&name)), Some(id.as_str()), "{name}");
            assert!(!is_only_a_parent(Path::new(&name)), "{name}");
        }
        for name in [
            format!("crio-conmon-{id}.scope"),
            format!("libpod-conmon-{id}.scope"),
            format!("conmon-{id}.scope"),
            format!("kubepods-burstable-pod{}.slice", "d4".repeat(16)),
            "system.slice".into(),
            id[1..].into(),
        ] {
            assert_eq!(container_id(Path::new(&name)), None, "{name}");
        }
    }
}
