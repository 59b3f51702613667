//! Of whom a reading is: numbers of different owners are never added or compared as one.

use super::kinds::What;
use super::{Reading, Scope};
use crate::named::named;

named! {
    /// Whose memory it is.
    Owner, name {
        /// Processes by their own count.
        Processes = "processes",
        /// One container.
        Container = "container",
        /// A pod: its containers and its tmpfs.
        Pod = "pod",
        /// What the node gives to pods, or to a class of them.
        Pods = "pods",
        /// A unit of systemd.
        Service = "service",
        /// A slice: several units or containers.
        Slice = "slice",
        /// The whole machine.
        Machine = "machine",
        /// Some cgroup.
        Cgroup = "cgroup",
    }
}

impl Owner {
    /// Whose limit it is, for a sentence: `the pod's limit`.
    pub fn limit(self) -> &'static str {
        match self {
            Owner::Container => "the container's own limit",
            Owner::Pod => "the pod's limit",
            Owner::Pods => "the limit of all pods together (the node's allocatable)",
            Owner::Service => "the service's limit",
            Owner::Slice => "the slice's limit",
            Owner::Machine => "the machine's memory",
            Owner::Cgroup | Owner::Processes => "the cgroup's limit",
        }
    }
}

/// The owner of a reading.
pub fn of(reading: &Reading) -> Owner {
    match &reading.what {
        What::Processes(_) | What::Runtime(_) => return Owner::Processes,
        What::Slab(_) | What::Blocks(_) => return Owner::Machine,
        _ => {}
    }
    if reading.scope == Scope::Node {
        return Owner::Machine;
    }
    if let Some(path) = &reading.path {
        let by_path = of_path(path);
        if by_path != Owner::Cgroup {
            return by_path;
        }
    }
    match (&reading.container, &reading.pod) {
        (Some(name), _) if name.ends_with(".service") => Owner::Service,
        (Some(name), _) if name.ends_with(".slice") => Owner::Slice,
        (Some(_), _) => Owner::Container,
        (None, Some(_)) => Owner::Pod,
        (None, None) => Owner::Cgroup,
    }
}

/// What the last part of a cgroup's path says.
pub fn of_path(path: &str) -> Owner {
    let path = path.trim_end_matches('/');
    let (above, last) = path.rsplit_once('/').unwrap_or(("", path));
    let in_pods = path.contains("kubepods");
    let runtime = |name: &str| {
        [
            "docker-",
            "cri-containerd-",
            "crio-",
            "libpod-",
            "containerd-",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
    };
    match last {
        "" => Owner::Machine,
        _ if runtime(last) => Owner::Container,
        _ if in_pods && is_pod(last) => Owner::Pod,
        // systemd's names repeat those above: this one was cut off.
        _ if in_pods
            && last.starts_with("kubepods")
            && !last.ends_with(".slice")
            && above.ends_with(".slice") =>
        {
            Owner::Cgroup
        }
        _ if in_pods
            && (matches!(last, "kubepods" | "burstable" | "besteffort" | "guaranteed")
                || (last.starts_with("kubepods") && last.ends_with(".slice"))) =>
        {
            Owner::Pods
        }
        _ if in_pods => Owner::Container,
        _ if last.ends_with(".service") => Owner::Service,
        _ if last.ends_with(".slice") => Owner::Slice,
        _ if above.ends_with("/docker")
            || above.ends_with("/lxc")
            || above.ends_with("/lxc.payload")
            || above.contains("/ecs/")
            || above.contains("/docker/")
            || last.starts_with("lxc.payload") =>
        {
            Owner::Container
        }
        _ => Owner::Cgroup,
    }
}

fn is_pod(last: &str) -> bool {
    let last = last.trim_end_matches(".slice");
    last.starts_with("pod") || (last.starts_with("kubepods") && last.contains("-pod"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_by_path() {
        for (path, owner) in [
            ("/", Owner::Machine),
            ("/docker/0123abc", Owner::Container),
            ("/kubepods/burstable/pod84c5/0123", Owner::Container),
            ("/kubepods/burstable/podabc", Owner::Pod),
            ("/kubepods/besteffort", Owner::Pods),
            ("/kubepods.slice", Owner::Pods),
            ("/kubepods.slice/kubepods-burstable.slice", Owner::Pods),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod03_1.slice",
                Owner::Pod,
            ),
            (
                "/kubepods.slice/kubepods-pod03_1.slice/cri-containerd-01ab.scope",
                Owner::Container,
            ),
            ("/system.slice/docker-01ab.scope", Owner::Container),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods",
                Owner::Cgroup,
            ),
            ("/podruntime.slice", Owner::Slice),
            ("/podruntime.slice/kubelet.service", Owner::Service),
            ("/foo/bar", Owner::Cgroup),
        ] {
            assert_eq!(of_path(path), owner, "{path}");
        }
    }
}
