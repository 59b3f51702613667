//! A container's id as runtimes write it into the name of its cgroup.

/// The id in a cgroup's name or path: `cri-containerd-ID.scope`, `crio-ID.scope`, `docker-ID.scope` or
/// `ID`; `SLICE:cri-containerd:ID` where containerd does not know that the kubelet leaves cgroups to
/// systemd. `crio-conmon-ID.scope` holds the runtime's own watcher of that container.
pub fn of(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    let scope = name.strip_suffix(".scope").unwrap_or(name);
    let (of, id) = scope.rsplit_once(['-', ':']).unwrap_or(("", scope));
    if of == "conmon" || of.ends_with("-conmon") {
        return None;
    }
    (id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
}
