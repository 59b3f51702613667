//! How runtimes name the cgroups of containers, and the kubelet the containers.

use std::io;
use std::path::{Path, PathBuf};

/// Deeper than any runtime nests what is not a container's own business.
pub(super) const DEPTH_MAX: usize = 16;

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
    fn the_kubelets_links_name_containers() {
        let id = "b2".repeat(32);
        let logs = vec![format!("web-7d_shop_app-{id}.log"), "other.log".to_string()];
        assert_eq!(kubelet_name(&logs, &id).as_deref(), Some("web-7d_shop_app"));
        assert_eq!(kubelet_name(&logs, &"c3".repeat(32)), None);
    }
}
