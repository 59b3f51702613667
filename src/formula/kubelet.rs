//! The kubelet's eviction signal and what `kubectl top` shows.

use super::{Formula, Kind, cadvisor, display, signed, tool};

const MIB: i64 = 1 << 20;

/// Node capacity less the working set; below 0 where the rows say so.
///
/// The kubelet's `memory.available` (pkg/kubelet/eviction/helpers.go). On a node whose counters
/// leak, usage exceeds RAM and the signal is negative: it must not wrap. For one container the
/// value reads "what the node would have if only this container ran".
pub const MEMORY_AVAILABLE: Formula = Formula {
    name: "kubelet_memory_available",
    expression: "node capacity - (usage - inactive_file), signed",
    kind: Kind::Available,
    used_by: "kubelet eviction (memory.available)",
    eval: |view| {
        let capacity = view.node_capacity? as i128;
        signed(capacity - cadvisor::working_set(view)? as i128)
    },
    tools: &[tool("kubelet eviction message", display::quantity)],
};

/// `cadvisor_working_set` truncated to whole MiB, in bytes.
///
/// kubectl (pkg/metricsutil/metrics_printer.go) divides integers: 245.83 MiB prints as `245Mi`. A
/// pod's line is the sum of its containers, each truncated only after summing.
pub const TOP: Formula = Formula {
    name: "kubectl_top",
    expression: "cadvisor_working_set, truncated to Mi",
    kind: Kind::Used,
    used_by: "kubectl top pod, kubectl top node",
    eval: |view| Some(cadvisor::working_set(view)? / MIB * MIB),
    tools: &[tool("kubectl top", display::mi_truncated)],
};
