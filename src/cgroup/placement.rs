//! Managed, ambient, or whichever works: which one, and what was tried on the way.

use std::path::PathBuf;

use super::{Attempt, CannotManage, Hierarchy, Limit};
use crate::named::named;

named! {
    /// Where a scenario is to run: also what `--placement` takes, with these words as its help.
    #[derive(Default, clap::ValueEnum)]
    Placement, as_str {
        /// Managed if it can be, else ambient.
        #[default]
        Auto = "auto",
        /// memtide makes a pod's cgroup and its containers' (needs root or a delegated subtree).
        Managed = "managed",
        /// In the cgroup memtide is in already (an unprivileged container); it must have a limit.
        Ambient = "ambient",
    }
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// A pod can be made in this directory.
    Managed {
        /// The cgroup that the pod's was to be made in.
        parent: PathBuf,
    },
    /// The own cgroup is limited.
    Ambient {
        /// The cgroup of this process.
        own: PathBuf,
        /// The smallest limit, bytes.
        limit: u64,
    },
}

/// The choice, with everything tried before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What was chosen.
    pub chosen: Chosen,
    /// In order; the last one is the one that worked.
    pub tried: Vec<Attempt>,
}

/// Nothing works here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no place to run in: {}\nwhat to do: {}", lines(tried), remedies.join("\n  or: "))]
pub struct NoPlacement {
    /// In order.
    pub tried: Vec<Attempt>,
    /// What to type or change: any one of these.
    pub remedies: Vec<String>,
}

fn lines(tried: &[Attempt]) -> String {
    tried.iter().map(|a| format!("\n  {a}")).collect()
}

/// How to get a finite limit for the ambient placement.
const LIMIT_REMEDY: &str = "give this process a memory limit: `docker run --memory 512m ...`, \
     `resources: {limits: {memory: 512Mi}}` in Kubernetes, or \
     `systemd-run --user --scope -p MemoryMax=512M memtide ...`";

impl Chosen {
    /// `managed` or `ambient`, as recordings have it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Chosen::Managed { .. } => "managed",
            Chosen::Ambient { .. } => "ambient",
        }
    }
}

impl Placement {
    /// Chooses where to run on this machine, now.
    ///
    /// # Errors
    /// What was tried, why not, and what to type.
    pub fn choose(self, hierarchy: &Hierarchy) -> Result<Choice, NoPlacement> {
        let mut tried = Vec::new();
        let mut remedies = Vec::new();
        if self != Placement::Ambient {
            match try_managed(hierarchy) {
                Ok((attempt, chosen)) => {
                    tried.push(attempt);
                    return Ok(Choice { chosen, tried });
                }
                Err(cannot) => {
                    tried.extend(cannot.tried.into_iter().map(|a| Attempt {
                        what: format!("managed {}", a.what),
                        ..a
                    }));
                    remedies.push(cannot.remedy);
                }
            }
            tried.push(systemd_attempt());
        }
        if self != Placement::Managed {
            match try_ambient(hierarchy) {
                Ok((attempt, chosen)) => {
                    tried.push(attempt);
                    return Ok(Choice { chosen, tried });
                }
                Err(attempt) => {
                    tried.push(attempt);
                    remedies.push(LIMIT_REMEDY.to_string());
                }
            }
        }
        Err(NoPlacement { tried, remedies })
    }
}

fn try_managed(hierarchy: &Hierarchy) -> Result<(Attempt, Chosen), CannotManage> {
    let parent = hierarchy.managed_parent()?;
    let attempt = Attempt {
        what: format!("managed below {}", parent.display()),
        result: format!("can make cgroup {} there", hierarchy.version),
    };
    Ok((attempt, Chosen::Managed { parent }))
}

fn try_ambient(hierarchy: &Hierarchy) -> Result<(Attempt, Chosen), Attempt> {
    let own = &hierarchy.own;
    let what = format!("ambient in {}", own.display());
    let attempt = |result: String| Attempt {
        what: what.clone(),
        result,
    };
    if !own.join(hierarchy.limit_file()).exists() {
        return Err(attempt(format!(
            "it has no {}: the memory controller is not handed down to it",
            hierarchy.limit_file()
        )));
    }
    match hierarchy.effective_limit(own) {
        Limit::Unlimited => Err(attempt(
            "neither it nor a cgroup above it has a memory limit".into(),
        )),
        Limit::Finite { bytes, set_by } => Ok((
            attempt(format!("limit {}", Limit::Finite { bytes, set_by })),
            Chosen::Ambient {
                own: own.clone(),
                limit: bytes,
            },
        )),
    }
}

fn systemd_attempt() -> Attempt {
    Attempt {
        what: "systemd user manager".into(),
        result: match systemd_user_manager() {
            Some(_) => "present: type `systemd-run --user --scope -p Delegate=yes memtide ...`",
            None => "not present",
        }
        .into(),
    }
}

/// The running systemd user manager's private socket, if there is one and `systemd-run` to ask it.
pub fn systemd_user_manager() -> Option<PathBuf> {
    let runtime = match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(format!("/run/user/{}", nix::unistd::getuid())),
    };
    let socket = runtime.join("systemd/private");
    let runnable = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|dir| dir.join("systemd-run").is_file());
    (runnable && socket.exists()).then_some(socket)
}
