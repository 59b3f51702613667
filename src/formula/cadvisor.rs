//! cAdvisor, and with it the kubelet and most dashboards.

use super::{Formula, Kind, clamped, display, signed, tool};
use crate::rows::View;

/// `usage - inactive_file`, not below 0.
///
/// cAdvisor's `setMemoryStats` (container/libcontainer/handler.go) since 2016: `total_inactive_file`
/// on cgroup v1, `inactive_file` on v2; where that exceeds usage the result is 0. The kubelet, the
/// CRI runtimes and podman since 5.6 compute the same. The clamp is real: memory.stat and usage are
/// read one after the other, and inactive_file can be read larger than usage during fast writing.
/// 0 therefore says "these two numbers did not fit together" as often as "nothing is used".
pub const WORKING_SET: Formula = Formula {
    name: "cadvisor_working_set",
    expression: "usage - inactive_file, not below 0",
    kind: Kind::Used,
    used_by: "cAdvisor, kubelet, CRI stats, podman 5.6 and later",
    eval: working_set,
    tools: &[
        tool("container_memory_working_set_bytes", display::metric),
        tool("kubelet /stats/summary workingSetBytes", display::plain),
        tool("crictl stats", display::human_si),
        tool("podman stats (5.6 and later)", display::human_si_of_limit),
    ],
};

/// The value of [`WORKING_SET`], which other formulas start from.
pub fn working_set(view: &View) -> Option<i64> {
    signed(less_inactive_file(view.usage?, view.inactive_file?).into())
}

/// The computation itself, in bytes.
pub fn less_inactive_file(usage: u64, inactive_file: u64) -> u64 {
    usage.saturating_sub(inactive_file)
}

/// `usage - inactive_anon - inactive_file`, each step not below 0.
///
/// cAdvisor before July 2016: tmpfs and idle heap were invisible (tmpfs pages are on the anonymous
/// lists, unless the mount is noswap), so the kubelet overstated what was available.
pub const WORKING_SET_2016: Formula = Formula {
    name: "cadvisor_working_set_2016",
    expression: "usage - inactive_anon - inactive_file, not below 0",
    kind: Kind::Used,
    used_by: "cAdvisor before July 2016",
    eval: |view| {
        let rest = (view.usage? as i128 - view.inactive_anon? as i128).max(0);
        clamped(rest - view.inactive_file? as i128)
    },
    tools: &[],
};

/// `anon + file`: usage of the root cgroup of v2, which has no `memory.current`.
///
/// libcontainer (`statsFromMeminfo`, runc 1.1.8 and later) and the kernel itself on v1
/// (`mem_cgroup_usage` of the root). Kernel memory is in neither. For any other cgroup it is a
/// lower bound of usage. Older runc took MemTotal - MemFree, which counts kernel memory too.
pub const NODE_ROOT_USAGE: Formula = Formula {
    name: "node_root_usage",
    expression: "anon + file",
    kind: Kind::Node,
    used_by: "kubelet and cAdvisor for the node's root cgroup on v2",
    eval: |view| clamped(view.rss? as i128 + view.cache? as i128),
    tools: &[],
};

/// `anon + file - inactive_file`, not below 0: the node's working set on v2.
pub const NODE_ROOT_WORKING_SET: Formula = Formula {
    name: "node_root_working_set",
    expression: "anon + file - inactive_file, not below 0",
    kind: Kind::Node,
    used_by: "kubectl top node and kubelet eviction on v2",
    eval: |view| clamped(view.rss? as i128 + view.cache? as i128 - view.inactive_file? as i128),
    tools: &[],
};
