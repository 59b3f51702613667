//! Conditions on the host, in words when they don't hold.

use std::fmt;

use super::{BoundOp, Condition, KernelBound};
use crate::host::{HostFacts, Lru};

impl Condition {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Condition::default()
    }

    /// Whether the host is one of those meant; if not, the first reason in words: "needs the classic
    /// LRU; this kernel runs MGLRU".
    ///
    /// Whether programs are there is asked of this machine's PATH, all else of `host`.
    pub fn holds(&self, host: &HostFacts) -> Result<(), String> {
        self.kernel_holds(host)?;
        self.memory_holds(host)?;
        self.place_holds(host)?;
        self.programs_hold()
    }

    fn kernel_holds(&self, host: &HostFacts) -> Result<(), String> {
        if let Some(version) = self.cgroup.filter(|v| *v != host.cgroup) {
            return Err(format!(
                "needs cgroup {version}; the memory controller here is on cgroup {}",
                host.cgroup
            ));
        }
        if let Some(lru) = self.lru.filter(|lru| *lru != host.lru) {
            return Err(format!(
                "needs {}; this kernel runs {}",
                lru_in_words(lru),
                lru_in_words(host.lru)
            ));
        }
        match self.kernel.iter().find(|bound| !bound.holds(host)) {
            Some(bound) => Err(format!("needs kernel {bound}; this is {}", host.kernel)),
            None => Ok(()),
        }
    }

    fn memory_holds(&self, host: &HostFacts) -> Result<(), String> {
        let has_swap = host.swap_total > 0;
        match self.swap {
            Some(true) if !has_swap => return Err("needs swap; there is none here".into()),
            Some(false) if has_swap => {
                return Err(format!(
                    "needs a machine without swap; there are {} here",
                    crate::units::bytes(host.swap_total)
                ));
            }
            _ => {}
        }
        match self.madv_free {
            Some(true) if !host.madv_free => {
                return Err("needs MADV_FREE; this kernel refuses it".into());
            }
            Some(false) if host.madv_free => {
                return Err("needs a kernel without MADV_FREE; this one has it".into());
            }
            _ => {}
        }
        one_of("transparent huge pages", &self.thp, host.thp.as_deref())
    }

    fn place_holds(&self, host: &HostFacts) -> Result<(), String> {
        if let Some(placement) = self.placement.as_ref().filter(|p| **p != host.placement) {
            return Err(format!(
                "needs {placement} placement; this run's is {}",
                host.placement
            ));
        }
        let filesystem = host.filesystem.as_deref();
        one_of(
            "the work directory's file system",
            &self.filesystem,
            filesystem,
        )
    }

    fn programs_hold(&self) -> Result<(), String> {
        match self.programs.iter().find(|program| !on_path(program)) {
            Some(program) => Err(format!("needs `{program}` on PATH; it is not there")),
            None => Ok(()),
        }
    }
}

/// Whether `is` is one of `wanted`; an unknown fact is not one of them.
fn one_of(what: &str, wanted: &[String], is: Option<&str>) -> Result<(), String> {
    if wanted.is_empty() || is.is_some_and(|is| wanted.iter().any(|w| w == is)) {
        return Ok(());
    }
    Err(format!(
        "needs {what} to be {}; here it is {}",
        wanted.join(" or "),
        is.unwrap_or("unknown")
    ))
}

fn lru_in_words(lru: Lru) -> &'static str {
    match lru {
        Lru::Classic => "the classic LRU",
        Lru::Mglru => "MGLRU",
    }
}

/// A program by PATH; a shared library (`libx.so.1`) in the folders the loader looks in.
pub(crate) fn on_path(program: &str) -> bool {
    if program.contains(".so.") {
        return is_library(program);
    }
    let Some(path) = std::env::var_os("PATH") else {
        return false;
    };
    std::env::split_paths(&path).any(|dir| {
        dir.join(program)
            .metadata()
            .is_ok_and(|file| is_executable(&file))
    })
}

/// Whether it is a file that somebody may run.
pub(crate) fn is_executable(file: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.is_file() && file.permissions().mode() & 0o111 != 0
}

fn is_library(name: &str) -> bool {
    const FOLDERS: [&str; 4] = ["/usr/lib64", "/usr/lib", "/lib", "/usr/local/lib"];
    let here = |folder: &std::path::Path| folder.join(name).is_file();
    FOLDERS.iter().map(std::path::Path::new).any(|folder| {
        // Debian has a folder a platform, as /usr/lib/x86_64-linux-gnu.
        let platforms = std::fs::read_dir(folder).into_iter().flatten();
        here(folder)
            || platforms
                .filter_map(Result::ok)
                .any(|entry| here(&entry.path()))
    })
}

impl KernelBound {
    /// Compares major and minor only: `<= 4.7` holds on 4.7.13.
    fn holds(&self, host: &HostFacts) -> bool {
        let (major, minor, _) = host.kernel_version();
        let is = (major, minor);
        match self.op {
            BoundOp::Less => is < self.version,
            BoundOp::LessEqual => is <= self.version,
            BoundOp::GreaterEqual => is >= self.version,
            BoundOp::Greater => is > self.version,
        }
    }
}

impl fmt::Display for KernelBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.{}", self.op, self.version.0, self.version.1)
    }
}

/// As it is written in a scenario: `lru classic, kernel >= 4.7`; empty for no condition.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes_no = |what: &str, b: bool| format!("{}{what}", if b { "" } else { "no " });
        let mut parts = Vec::new();
        parts.extend(self.cgroup.map(|v| format!("cgroup {v}")));
        parts.extend(self.lru.map(|lru| lru_in_words(lru).to_string()));
        parts.extend(self.kernel.iter().map(|bound| format!("kernel {bound}")));
        parts.extend(self.swap.map(|b| yes_no("swap", b)));
        parts.extend(self.placement.as_ref().map(|p| format!("{p} placement")));
        parts.extend((!self.thp.is_empty()).then(|| format!("THP {}", self.thp.join(" or "))));
        parts.extend(self.madv_free.map(|b| yes_no("MADV_FREE", b)));
        parts.extend(self.programs.iter().map(|p| format!("`{p}` installed")));
        parts.extend((!self.filesystem.is_empty()).then(|| self.filesystem.join(" or ")));
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::CgroupVersion;

    fn host() -> HostFacts {
        HostFacts {
            kernel: "4.7.0-rc3".into(),
            cgroup: CgroupVersion::V1,
            lru: Lru::Mglru,
            swap_total: 1 << 20,
            thp: None,
            psi: false,
            madv_free: false,
            filesystem: Some("xfs".into()),
            block_size: None,
            placement: "ambient".into(),
            ..crate::host::testing::host()
        }
    }

    fn kernel(op: BoundOp, version: (u32, u32)) -> Condition {
        Condition {
            kernel: vec![KernelBound { op, version }],
            ..Condition::default()
        }
    }

    #[test]
    fn each_fact_that_does_not_hold_is_told_in_words() {
        let any = Condition::default;
        let cases = [
            (
                Condition {
                    lru: Some(Lru::Classic),
                    ..any()
                },
                "needs the classic LRU; this kernel runs MGLRU",
            ),
            (
                Condition {
                    cgroup: Some(CgroupVersion::V2),
                    ..any()
                },
                "needs cgroup v2; the memory controller here is on cgroup v1",
            ),
            (
                kernel(BoundOp::GreaterEqual, (4, 10)),
                "needs kernel >= 4.10; this is 4.7.0-rc3",
            ),
            (
                Condition {
                    swap: Some(false),
                    ..any()
                },
                "needs a machine without swap; there are 1.0 MiB here",
            ),
            (
                Condition {
                    madv_free: Some(true),
                    ..any()
                },
                "needs MADV_FREE; this kernel refuses it",
            ),
            (
                Condition {
                    thp: vec!["always".into(), "madvise".into()],
                    ..any()
                },
                "needs transparent huge pages to be always or madvise; here it is unknown",
            ),
            (
                Condition {
                    placement: Some("managed".into()),
                    ..any()
                },
                "needs managed placement; this run's is ambient",
            ),
            (
                Condition {
                    filesystem: vec!["ext4".into()],
                    ..any()
                },
                "needs the work directory's file system to be ext4; here it is xfs",
            ),
            (
                Condition {
                    programs: vec!["no-such-program".into()],
                    ..any()
                },
                "needs `no-such-program` on PATH; it is not there",
            ),
        ];
        for (condition, why) in cases {
            assert_eq!(condition.holds(&host()), Err(why.to_string()));
            assert!(!condition.is_empty() && !condition.to_string().is_empty());
        }
        assert_eq!(any().holds(&host()), Ok(()));
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for (op, version, holds) in [
            (BoundOp::Less, (4, 7), false),
            (BoundOp::Less, (4, 12), true),
            (BoundOp::LessEqual, (4, 7), true),
            (BoundOp::GreaterEqual, (4, 7), true),
            (BoundOp::GreaterEqual, (3, 10), true),
            (BoundOp::Greater, (4, 7), false),
            (BoundOp::Greater, (5, 0), false),
        ] {
            let bound = kernel(op, version);
            assert_eq!(bound.holds(&host()).is_ok(), holds, "{bound}");
        }
    }
}
