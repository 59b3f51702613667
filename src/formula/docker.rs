//! What `docker stats` printed over the years. The API gives raw rows; the client subtracts.

use super::{Formula, Kind, display, signed, tool};

/// `usage - inactive_file` where that is below usage, else usage.
///
/// docker CLI 20.10 and later (`calculateMemUsageUnixNoCache`): unlike cAdvisor, an inactive_file
/// at or above usage is not clamped to 0 but ignored. On v1 the client then tries the local row
/// `inactive_file` too; a [`View`](crate::rows::View) holds the hierarchical one only, so the rare
/// case of a local row below usage with a total above it reads as usage here.
pub const STATS: Formula = Formula {
    name: "docker_stats",
    expression: "usage - inactive_file if that row is below usage, else usage",
    kind: Kind::Used,
    used_by: "docker stats 20.10 and later",
    eval: |view| {
        let (usage, inactive) = (view.usage?, view.inactive_file?);
        let used = if inactive < usage {
            usage - inactive
        } else {
            usage
        };
        signed(used as i128)
    },
    tools: &[tool(
        "docker stats (20.10 and later)",
        display::human_iec_of_limit,
    )],
};

/// `usage - cache`, which hides tmpfs as well as page cache.
///
/// docker CLI 17.06 to 19.03. Written in unsigned arithmetic there: a cache above usage printed
/// about 16EiB. Here it is the signed difference.
pub const CLI_17_06: Formula = Formula {
    name: "docker_cli_17_06",
    expression: "usage - cache",
    kind: Kind::Used,
    used_by: "docker stats 17.06 to 19.03",
    eval: |view| signed(view.usage? as i128 - view.cache? as i128),
    tools: &[tool(
        "docker stats (17.06 to 19.03)",
        display::human_iec_of_limit,
    )],
};
