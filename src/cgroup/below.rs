//! The containers below a cgroup, as a node's `kubepods` has them.

use std::io;
use std::path::{Path, PathBuf};

/// Deeper than any runtime nests what is not a container's own business.
const DEPTH_MAX: usize = 16;

/// Every container's cgroup below `top`, in the order of their paths: a folder named by a runtime's
/// id, or one that has no other below it. What a container made inside itself is not another one.
///
/// # Errors
/// When `top` can't be read. What vanishes meanwhile is left out.
pub fn containers_below(top: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for child in children(top)? {
        walk(child, DEPTH_MAX, &mut found);
    }
    found.sort();
    Ok(found)
}

fn walk(path: PathBuf, depth: usize, found: &mut Vec<PathBuf>) {
    // A folder that has gone has no children, and is no container either: sampling it says so.
    let children = children(&path).unwrap_or_default();
    if container_id(&path).is_some() || children.is_empty() || depth == 0 {
        found.push(path);
        return;
    }
    for child in children {
        walk(child, depth - 1, found);
    }
}

fn children(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// The runtime's id in a container's cgroup name: `cri-containerd-ID.scope`, `crio-ID.scope` or `ID`.
pub fn container_id(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let scope = name.strip_suffix(".scope").unwrap_or(name);
    let id = scope.rsplit('-').next()?;
    (id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
}

/// The kubelet's name of a container, `POD_NAMESPACE_CONTAINER`, from the links that it keeps in
/// /var/log/containers (`POD_NAMESPACE_CONTAINER-ID.log`).
pub fn kubelet_name(logs: &[String], id: &str) -> Option<String> {
    let end = format!("-{id}.log");
    let name = logs.iter().find_map(|log| log.strip_suffix(&end))?;
    (name.split('_').count() == 3).then(|| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_found_in_both_drivers_layouts() {
        let top = tempfile::tempdir().unwrap();
        let id = "a1".repeat(32);
        for path in [
            format!("burstable/pod6d/{id}/made-inside"),
            format!(
                "kubepods-besteffort.slice/kubepods-besteffort-pod6e.slice/cri-containerd-{id}.scope"
            ),
            "guaranteed/pod6f/plain".to_string(),
        ] {
            std::fs::create_dir_all(top.path().join(path)).unwrap();
        }
        let found = containers_below(top.path()).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|p| p.strip_prefix(top.path()).unwrap())
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert_eq!(names[0], Path::new(&format!("burstable/pod6d/{id}")));
        assert_eq!(container_id(&found[2]), Some(id.as_str()));
        assert_eq!(container_id(&found[1]), None);
    }

    #[test]
    fn the_kubelets_links_name_containers() {
        let id = "b2".repeat(32);
        let logs = vec![format!("web-7d_shop_app-{id}.log"), "other.log".to_string()];
        assert_eq!(kubelet_name(&logs, &id).as_deref(), Some("web-7d_shop_app"));
        assert_eq!(kubelet_name(&logs, &"c3".repeat(32)), None);
    }
}
