//! Kernel cards: the parameters in which kernels differ, one TOML file a kernel.

use serde::{Deserialize, Serialize};

use crate::host::{HostFacts, Lru};
use crate::rows::CgroupVersion;

/// How a kernel counts, moves and takes back pages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The reclaim order.
    pub lru: Lru,
    /// Whether write(2) counts as a use of the page (`mark_page_accessed` in
    /// `generic_perform_write`, mm/filemap.c before 4.7).
    pub write_marks: bool,
    /// Whether reading a page again makes it active (`folio_mark_accessed`, mm/swap.c), with the classic
    /// LRU; no kernel without is known, and the table of what each rule is worth switches it off.
    #[serde(default = "yes")]
    pub read_promotes: bool,
    /// Whether MADV_FREE pages wait on the file lists (`lru_lazyfree_fn`, mm/swap.c from 4.12);
    /// else they go at once.
    pub lazyfree_list: bool,
    /// Whether a new file page goes to the generation after the oldest where that is not among the
    /// youngest two (`lru_gen_add_folio`, include/linux/mm_inline.h from 6.7).
    pub new_is_second: bool,
    /// Whether new anonymous and tmpfs pages begin on the active list (before 5.9, and MGLRU).
    pub anon_active: bool,
    /// Whether kernel memory is charged (`memcg_kmem_is_active`, mm/memcontrol.c before 4.5 asks for a
    /// limit of its own).
    pub kernel_charged: bool,
    /// Kernel memory of a page written through the cache, bytes: a buffer head of 104 (`struct buffer_head`) and its
    /// owner's pointer (`obj_full_size`, mm/slab.h from 5.9; before it whole slabs are charged, a page for 39 of them);
    /// 0 where it is not charged (`alloc_page_buffers`, fs/buffer.c before 4.19).
    pub written_page: u64,
    /// Kernel memory of 64 pages of a file, bytes: a tree node of 576 (`struct xa_node`) and its owner's pointer; before
    /// 5.9 16 KiB for 28 of them.
    pub node: u64,
    /// Whether reads, and writes of 256 KiB and more, make folios so large that they need no tree
    /// nodes (`page_cache_ra_order`, mm/readahead.c).
    pub large_folios: bool,
    /// Whether a walk over the cgroups below a limit ends where it has enough, and the next goes on from there
    /// (`shrink_node_memcgs`, mm/vmscan.c from 6.11); else each walk looks at all of them.
    #[serde(default)]
    pub walk_ends_early: bool,
    /// Pages charged ahead and not used yet (`refill_stock`, mm/memcontrol.c), a mean that was measured. A charge takes
    /// MEMCG_CHARGE_BATCH pages at a time and leaves the rest to its CPU: 32 pages, from 6.1 on 64.
    pub stock: u64,
    /// Pages by which usage stays below a limit that the cache fills; measured. At the limit a charge takes single pages
    /// (`try_charge_memcg`), and reclaim makes room for 32 at a time.
    pub gap: u64,
    /// Whether a huge page stays whole while a piece of it is mapped (`deferred_split_huge_page`,
    /// mm/huge_memory.c from 4.5); else what is given back of it goes at once.
    pub thp_stays_whole: bool,
    /// Whether a page that comes back soon enters the active list (`workingset_refault`,
    /// mm/workingset.c from 3.15).
    pub refaults: bool,
    /// Whether the active list gives its surplus at once, and with an empty inactive list only what is
    /// needed (`get_scan_count` with force_scan, mm/vmscan.c up to 4.11: a cgroup's reclaim looks at 32 pages of either list
    /// however small it is; fitted to one recording of 3.10).
    pub balances_at_once: bool,
    /// Whether who is above memory.high has to wait (`calculate_high_delay`, mm/memcontrol.c from 5.8).
    pub high_throttles: bool,
}

fn yes() -> bool {
    true
}

/// How long work takes, nanoseconds. A model cannot know it: it is measured once (`memtide doctor
/// --speed`) or taken from a set-up's recordings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// A write(2) of less than a page.
    pub write_line: f64,
    /// A page of a larger write(2).
    pub write_page: f64,
    /// A page read from the cache.
    pub read_page: f64,
    /// A page read from the disk.
    pub disk_page: f64,
    /// The first touch of an anonymous page.
    pub touch_page: f64,
    /// A look-up of a name that is not there.
    pub lookup: f64,
    /// An fsync(2) of a file with little to write; 0 where it was not measured.
    #[serde(default)]
    pub fsync: f64,
}

impl Speed {
    /// No work takes time: for who knows how far it was.
    pub const NONE: Speed = Speed {
        write_line: 0.0,
        write_page: 0.0,
        read_page: 0.0,
        disk_page: 0.0,
        touch_page: 0.0,
        lookup: 0.0,
        fsync: 0.0,
    };

    /// The key of a time that is none, and what it should be.
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let all = [
            ("write_line", self.write_line),
            ("write_page", self.write_page),
            ("read_page", self.read_page),
            ("disk_page", self.disk_page),
            ("touch_page", self.touch_page),
            ("lookup", self.lookup),
            ("fsync", self.fsync),
        ];
        // An hour for a page is a mistake in the unit.
        let none = all.iter().find(|(_, ns)| !(0.0..=3.6e12).contains(ns));
        none.map(|(key, _)| (*key, "a time in nanoseconds is a number from 0 to 3.6e12"))
    }
}

impl Rules {
    /// The key of a value that can't be, and what it should be.
    fn wrong(&self, version: CgroupVersion) -> Option<(&'static str, &'static str)> {
        let kernel = self.written_page + self.node > 0;
        [
            (
                "written_page",
                self.written_page > super::memcg::PAGE,
                "a page's records take some hundred bytes, at most a page",
            ),
            (
                "node",
                self.node > 1 << 16,
                "a tree node takes some hundred bytes, at most 65536",
            ),
            ("stock", self.stock > 1 << 16, "pages, at most 65536"),
            ("gap", self.gap > 1 << 16, "pages, at most 65536"),
            (
                "kernel_charged",
                kernel && !self.kernel_charged,
                "true, or written_page and node are 0",
            ),
            (
                "high_throttles",
                self.high_throttles && version == CgroupVersion::V1,
                "memory.high is cgroup v2's: false on v1",
            ),
        ]
        .into_iter()
        .find_map(|(key, wrong, what)| wrong.then_some((key, what)))
    }
}

/// One kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The card's name: the set-up's, where there is one.
    pub name: String,
    /// The release as `uname -r` prints it.
    pub kernel: String,
    /// The cgroup version of the memory controller.
    pub cgroup: CgroupVersion,
    /// The file system of the work directory.
    pub filesystem: String,
    /// Where the card is from, in words: recordings, or the source alone.
    pub source: String,
    /// Whether recordings of this kernel were compared with the model.
    pub recorded: bool,
    /// How it counts.
    pub rules: Rules,
    /// How long work takes.
    pub speed: Speed,
}

impl Card {
    /// The machine that a recording of the model is said to be of: two CPUs, 2 GiB, no swap.
    pub fn host(&self) -> HostFacts {
        HostFacts {
            kernel: self.kernel.clone(),
            arch: "x86_64".into(),
            cgroup: self.cgroup,
            lru: self.rules.lru,
            page_size: super::memcg::PAGE,
            cpus: 2,
            mem_total: 2 << 30,
            swap_total: 0,
            thp: Some("madvise".into()),
            psi: false,
            madv_free: self.madv_free(),
            filesystem: Some(self.filesystem.clone()),
            block_size: Some(super::memcg::PAGE),
            placement: "managed".into(),
            setup: Some(format!("model:{}", self.name)),
        }
    }

    /// MADV_FREE is there from 4.5 on.
    fn madv_free(&self) -> bool {
        let (major, minor, _) = crate::host::parse_kernel_version(&self.kernel);
        (major, minor) >= (4, 5) || self.kernel.contains("el7")
    }
}

/// A card, or a speed profile, that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// A speed profile's TOML is wrong; the message has line and column.
    #[error("{path} is no speed profile: {source}\nmake one with: memtide doctor --speed > {path}")]
    Speed {
        /// The file.
        path: String,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// A value that can't be.
    #[error("{path}, line {line}, column {column}: `{key}`: {what}")]
    Value {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The key.
        key: &'static str,
        /// What it should be.
        what: &'static str,
    },
    /// Its TOML is wrong; the message has line and column.
    #[error("{path} is no kernel card: {source}")]
    Toml {
        /// The file.
        path: String,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// No card has this name.
    #[error("there is no kernel card {name:?}{near}; `memtide list --cards` names all")]
    Unknown {
        /// The name.
        name: String,
        /// `; did you mean ...`, or nothing.
        near: String,
    },
    /// A file that can't be read.
    #[error("failed to read {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What caused it.
        source: std::io::Error,
    },
}

/// The embedded cards, by file.
const EMBEDDED: &[(&str, &str)] = &[
    ("3.10-v1.toml", include_str!("cards/3.10-v1.toml")),
    ("4.4-v1.toml", include_str!("cards/4.4-v1.toml")),
    ("4.18-v1.toml", include_str!("cards/4.18-v1.toml")),
    ("5.4-v1.toml", include_str!("cards/5.4-v1.toml")),
    ("5.15-v2.toml", include_str!("cards/5.15-v2.toml")),
    ("6.1-v1.toml", include_str!("cards/6.1-v1.toml")),
    ("6.1-v2.toml", include_str!("cards/6.1-v2.toml")),
    ("6.1-v2-mglru.toml", include_str!("cards/6.1-v2-mglru.toml")),
    ("6.6-v2.toml", include_str!("cards/6.6-v2.toml")),
    ("6.6-v2-mglru.toml", include_str!("cards/6.6-v2-mglru.toml")),
    ("6.12-v2.toml", include_str!("cards/6.12-v2.toml")),
    (
        "6.12-v2-mglru.toml",
        include_str!("cards/6.12-v2-mglru.toml"),
    ),
    ("6.12-v2-xfs.toml", include_str!("cards/6.12-v2-xfs.toml")),
    ("6.18-v1.toml", include_str!("cards/6.18-v1.toml")),
];

/// Reads a card's TOML; `path` is for messages.
///
/// # Errors
/// Names line, column and what is wrong.
pub fn parse(text: &str, path: &str) -> Result<Card, CardError> {
    let card: Card = toml::from_str(text).map_err(|source| CardError::Toml {
        path: path.into(),
        source: Box::new(source),
    })?;
    let wrong = card.rules.wrong(card.cgroup).or_else(|| card.speed.wrong());
    match wrong {
        None => Ok(card),
        Some(wrong) => Err(at_its_place(text, path, wrong)),
    }
}

/// A value that can't be, with the place of its key.
fn at_its_place(text: &str, path: &str, (key, what): (&'static str, &'static str)) -> CardError {
    let is_it = |line: &str| {
        let after = line.trim_start().strip_prefix(key);
        after.is_some_and(|after| after.trim_start().starts_with('='))
    };
    let found = text.lines().enumerate().find(|(_, line)| is_it(line));
    let (line, column) = found.map_or((1, 1), |(index, line)| {
        (index + 1, line.len() - line.trim_start().len() + 1)
    });
    CardError::Value {
        path: path.into(),
        line,
        column,
        key,
        what,
    }
}

/// Reads a speed profile, as `memtide doctor --speed` writes it: the keys of a card's `[speed]`.
///
/// # Errors
/// A file that can't be read, or its line, column and what is wrong.
pub fn read_speed(path: &std::path::Path) -> Result<Speed, CardError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| CardError::Io {
        path: name.clone(),
        source,
    })?;
    let speed: Speed = toml::from_str(&text).map_err(|source| CardError::Speed {
        path: name.clone(),
        source: Box::new(source),
    })?;
    match speed.wrong() {
        None => Ok(speed),
        Some(wrong) => Err(at_its_place(&text, &name, wrong)),
    }
}

/// All embedded cards, oldest kernel first.
///
/// # Errors
/// None in a release: a test reads every one.
pub fn all() -> Result<Vec<Card>, CardError> {
    EMBEDDED
        .iter()
        .map(|(path, text)| parse(text, path))
        .collect()
}

/// The card of that name; a path ending in `.toml` is read as a file.
///
/// # Errors
/// A name that no card has (with the nearest), or a file that is no card.
pub fn find(name: &str) -> Result<Card, CardError> {
    if name.ends_with(".toml") {
        let text = std::fs::read_to_string(name).map_err(|source| CardError::Io {
            path: name.into(),
            source,
        })?;
        return parse(&text, name);
    }
    let cards = all()?;
    let names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
    let near = crate::scenario::nearest(name, names.iter().copied());
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    cards
        .into_iter()
        .find(|card| card.name == name)
        .ok_or(CardError::Unknown {
            name: name.into(),
            near,
        })
}
