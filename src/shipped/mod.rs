//! The recordings that come with memtide: one folder a set-up, in the binary.
//!
//! A set-up here is nothing but a folder of `recordings/`: a kernel that can't be booted by
//! `scripts/kernels` is added by its files alone. A folder of the same shape can be added to a
//! binary that is already built ([`add`]).

mod added;

pub use added::{AddError, NOTES, Notes, add, notes};

use crate::need::{Recorded, SidecarError};
use crate::recording::{ReadError, Recording, read_bytes};
use crate::rows::CgroupVersion;
use crate::{host::HostFacts, host::Lru};

/// One recording of the catalogue on one set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// The folder: `6.1-v2-mglru`.
    pub setup: &'static str,
    /// The file's name without `.jsonl.gz`: the scenario.
    pub scenario: &'static str,
    /// The gzip-packed recording.
    pub packed: &'static [u8],
    /// Its need as it was measured there, the text of `SCENARIO.need.toml`.
    pub need: Option<&'static str>,
}

// `static ENTRIES: &[Shipped]`, by folder and name: build.rs reads `recordings/`.
include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

impl Shipped {
    /// The recording.
    ///
    /// # Errors
    /// If the file is no recording that this version can read; a test keeps that from happening.
    pub fn read(&self) -> Result<Recording, ReadError> {
        read_bytes(self.packed)
    }

    /// What the scenario needs on that set-up, where it was measured.
    ///
    /// # Errors
    /// If the file is none of a need; a test keeps that from happening.
    pub fn need(&self) -> Result<Option<Recorded>, SidecarError> {
        let path = format!("{}/{}.need.toml", self.setup, self.scenario);
        self.need
            .map(|text| Recorded::parse(text, &path))
            .transpose()
    }

    /// Where it lies in the tree: `6.1-v2/leak.jsonl.gz`.
    pub fn path(&self) -> String {
        format!("{}/{}.jsonl.gz", self.setup, self.scenario)
    }
}

/// Those in the binary and those added, in no order; of a set-up that was added only the latter.
fn entries() -> impl Iterator<Item = &'static Shipped> {
    let added = added::entries();
    let is_added = |setup: &str| added.iter().any(|s| s.setup == setup);
    ENTRIES
        .iter()
        .filter(move |s| !is_added(s.setup))
        .chain(added)
}

/// All shipped recordings, by set-up (in the order of [`setups`]) and scenario.
pub fn all() -> impl Iterator<Item = &'static Shipped> {
    setups()
        .into_iter()
        .flat_map(|setup| entries().filter(move |s| s.setup == setup))
}

/// The recordings of one scenario, by set-up.
pub fn of_scenario(name: &str) -> impl Iterator<Item = &'static Shipped> {
    all().filter(move |s| s.scenario == name)
}

/// The recording of one scenario on one set-up.
pub fn find(setup: &str, scenario: &str) -> Option<&'static Shipped> {
    entries().find(|s| s.setup == setup && s.scenario == scenario)
}

/// The names of all set-ups, old kernels first: 3.10 before 6.1 before 6.12.
pub fn setups() -> Vec<&'static str> {
    let mut names: Vec<&str> = entries().map(|s| s.setup).collect();
    names.sort_by_key(|name| (crate::host::parse_kernel_version(name), *name));
    names.dedup();
    names
}

/// Whether a machine is what pages and tests that need one set-up speak of: the classic LRU on
/// cgroup v2, as most nodes run, on a kernel without what changed before 4.7.
pub fn is_usual(host: &HostFacts) -> bool {
    host.cgroup == CgroupVersion::V2
        && host.lru == Lru::Classic
        && host.kernel_version() >= (4, 7, 0)
}

/// The oldest set-up that [`is_usual`]; none if none of them is, or its recordings can't be read.
pub fn usual() -> Option<&'static str> {
    setups().into_iter().find(|setup| {
        let first = entries().find(|s| s.setup == *setup);
        let recording = first.and_then(|shipped| shipped.read().ok());
        recording.is_some_and(|r| is_usual(&r.header.host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_ups_come_in_the_order_of_their_kernels() {
        let names = setups();
        let versions: Vec<_> = names
            .iter()
            .map(|n| crate::host::parse_kernel_version(n))
            .collect();
        assert!(versions.is_sorted(), "{names:?}");
        assert_eq!(all().count(), ENTRIES.len());
    }

    #[test]
    fn the_usual_set_up_is_the_oldest_on_v2_with_the_classic_lru() {
        let usual = usual().expect("one of them is usual");
        for setup in setups().into_iter().take_while(|name| *name != usual) {
            let host = all().find(|s| s.setup == setup).unwrap().read().unwrap();
            assert!(!is_usual(&host.header.host), "{setup} comes before {usual}");
        }
    }

    /// A row that a kernel gave is in the table of rows, which doesn't say that a later kernel
    /// brought it.
    #[test]
    fn every_recorded_row_is_in_the_table_and_not_before_its_kernel() {
        use crate::host::parse_kernel_version as parse;
        use crate::rows::{CgroupVersion, Row, is_stat};
        for setup in setups() {
            let recording = all().find(|s| s.setup == setup).unwrap().read().unwrap();
            let kernel = recording.header.host.kernel_version();
            let at = usize::from(recording.version() == CgroupVersion::V2);
            let columns = &recording.tables[recording.main_group()].columns;
            let rows = |c: &&String| is_stat(c) || (c.starts_with("memory.") && !c.contains(':'));
            assert!(columns.iter().filter(rows).count() > 20, "{setup}");
            for column in columns.iter().filter(rows) {
                let row = Row::of(column);
                let since = row.map_or("", |row| row.since[at]);
                assert!(!since.is_empty(), "{setup}: {column} is not in the table");
                assert!(parse(since) <= kernel, "{setup}: {column} since {since}");
            }
        }
    }

    #[test]
    fn what_is_listed_is_found() {
        for shipped in all() {
            assert_eq!(find(shipped.setup, shipped.scenario), Some(shipped));
            assert!(of_scenario(shipped.scenario).any(|s| s == shipped));
        }
        assert_eq!(find("no-such", "leak"), None);
    }
}
