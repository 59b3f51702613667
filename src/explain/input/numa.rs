//! NUMA nodes: /sys/devices/system/node/node*/meminfo, `numastat -m`, `numactl -H`.

use crate::explain::kinds::Zone;
use crate::explain::{Reading, What, clean, number};

/// The most nodes of a machine that are kept.
const NODES_MAX: usize = 1024;

/// The nodes of a text, and their sums as the machine's rows.
pub fn read(lines: &[String]) -> Option<Reading> {
    let mut nodes = Nodes::default();
    let mut heads = 0;
    for line in lines {
        let words = clean::words(line);
        match words[..] {
            // `Node 0 MemTotal: 65843252 kB`.
            ["Node", node, row, size, ..] if row.ends_with(':') => {
                let bytes = number::whole_times(size, 1 << 10);
                nodes.set(node, row.trim_end_matches(':'), bytes);
            }
            // `node 0 size: 64300 MB`, of numactl.
            ["node", node, what @ ("size:" | "free:"), size, "MB"] => {
                let row = if what == "size:" {
                    "MemTotal"
                } else {
                    "MemFree"
                };
                nodes.set(node, row, number::whole_times(size, 1 << 20));
            }
            ["Node", "0", ..] if heads == 0 => {
                heads = words.iter().filter(|word| **word == "Node").count();
            }
            // `MemTotal 64300.05 64505.13 128805.18`, of numastat.
            [row, ref sizes @ ..] if heads > 0 && sizes.len() > heads => {
                for (node, size) in sizes[..heads].iter().enumerate() {
                    nodes.set(&node.to_string(), row, number::scale(size, 1_048_576.0));
                }
            }
            _ => {}
        }
    }
    nodes.reading()
}

#[derive(Default)]
struct Nodes {
    /// (node, row, bytes).
    rows: Vec<(String, String, u64)>,
}

impl Nodes {
    fn set(&mut self, node: &str, row: &str, bytes: Option<u64>) {
        let fits = node.parse::<u16>().is_ok() && self.rows.len() < NODES_MAX * 64;
        if let Some(bytes) = bytes.filter(|_| fits) {
            self.rows.push((node.into(), row.into(), bytes));
        }
    }

    fn reading(self) -> Option<Reading> {
        let mut zones: Vec<Zone> = Vec::new();
        let mut reading = Reading::machine("NUMA nodes", "the machine, by its NUMA nodes");
        for (node, row, bytes) in &self.rows {
            let name = format!("node {node}");
            let at = zones.iter().position(|zone| zone.name == name);
            let at = at.unwrap_or_else(|| {
                zones.push(Zone {
                    name,
                    ..Zone::default()
                });
                zones.len() - 1
            });
            match row.as_str() {
                "MemTotal" => zones[at].managed = *bytes,
                "MemFree" => zones[at].free = *bytes,
                "Active(file)" | "Inactive(file)" | "SReclaimable" => {
                    zones[at].reclaimable = zones[at].reclaimable.saturating_add(*bytes);
                }
                _ => {}
            }
            // HugePages are counts there, and the rest is what meminfo calls it.
            if !row.starts_with("HugePages") && row != "MemUsed" {
                let row = match row.as_str() {
                    "FilePages" => "node:Cached".to_string(),
                    row => format!("node:{row}"),
                };
                reading.rows.add(&row, *bytes);
            }
        }
        zones.retain(|zone| zone.managed > 0);
        reading.what = What::Nodes(zones.clone());
        (!zones.is_empty()).then_some(reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<Reading> {
        super::read(&crate::explain::clean::lines(text))
    }

    #[test]
    fn nodes_of_three_tools() {
        for text in [
            "Node 0 MemTotal:  1024 kB\nNode 0 MemFree: 512 kB\nNode 1 MemTotal: 2048 kB\nNode 1 MemFree: 1024 kB\n",
            "Per-node system memory usage (in MBs):\n Node 0 Node 1 Total\nMemTotal 0.00097 2.00 3.00\nMemTotal 1.00 2.00 3.00\nMemFree 0.50 1.00 1.50\n",
            "available: 2 nodes (0-1)\nnode 0 size: 1 MB\nnode 0 free: 0 MB\nnode 1 size: 2 MB\nnode 1 free: 1 MB\n",
        ] {
            let reading = read(text).unwrap();
            let What::Nodes(nodes) = &reading.what else {
                panic!("{text}")
            };
            assert_eq!(nodes.len(), 2, "{text}");
            assert_eq!(nodes[1].free * 2, nodes[1].managed, "{text}");
        }
        assert!(read("Node 0 is down\nnode 1 size: unknown\n").is_none());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "((Node|node) [0-9]{1,6} (MemTotal:|size:|free:|Mem)? ?[0-9.]{0,22} ?(kB|MB)?\n|MemTotal ([0-9.]{1,9} ){0,4}\n){0,6}") {
            read(&text);
        }
    }
}
