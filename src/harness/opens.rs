//! Every file that the processes of a cgroup open, however briefly: the kernel tells of each (fanotify), where
//! a look at /proc every few milliseconds misses most that a shell script's commands read.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::fanotify::{EventFFlags, Fanotify, FanotifyEvent, InitFlags, MarkFlags, MaskFlags};

use super::background::Background;
use crate::cgroup::mountinfo;

/// How long the thread waits before it looks whether it is to end, ms.
const LOOK_MS: u8 = 100;

/// File systems of the kernel's own, whose pages are no page cache of a disk.
const NO_DISK: [&str; 14] = [
    "autofs",
    "bpf",
    "cgroup",
    "cgroup2",
    "debugfs",
    "devpts",
    "devtmpfs",
    "mqueue",
    "proc",
    "pstore",
    "securityfs",
    "sysfs",
    "tmpfs",
    "tracefs",
];

/// Watches from when it is made until it is dropped.
#[derive(Debug)]
pub struct Opens {
    shared: Arc<Shared>,
    thread: Background,
}

#[derive(Debug, Default)]
struct Shared {
    /// The directory of the cgroup whose processes count; none as long as it is not there.
    cgroup: Mutex<Option<PathBuf>>,
    found: Mutex<Found>,
}

/// What was opened.
#[derive(Debug, Default)]
pub struct Found {
    /// By processes of the cgroup.
    pub files: BTreeSet<PathBuf>,
    /// By processes that were gone when they were looked at: of the cgroup, or of anybody.
    pub by_gone: BTreeSet<PathBuf>,
}

/// More than this many of either kind are not kept.
const FILES_MAX: usize = 10_000;

impl Opens {
    /// Begins to watch all disks. None where the kernel or missing rights (`CAP_SYS_ADMIN`) forbid it.
    pub fn watch() -> Option<Opens> {
        let fanotify = marked()?;
        let shared = Arc::<Shared>::default();
        let stop = Arc::<AtomicBool>::default();
        let (mine, end) = (Arc::clone(&shared), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("opens".into());
        let thread = thread.spawn(move || follow(&fanotify, &mine, &end)).ok()?;
        Some(Opens {
            shared,
            thread: Background::of(stop, thread),
        })
    }

    /// From now on the processes in this cgroup count.
    pub fn of(&self, cgroup: &Path) {
        *lock(&self.shared.cgroup) = Some(cgroup.to_path_buf());
    }

    /// What they have opened, the last events included.
    pub fn finish(mut self) -> Found {
        self.thread.end();
        std::mem::take(&mut *lock(&self.shared.found))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A queue of events of all disks.
fn marked() -> Option<Fanotify> {
    let flags = InitFlags::FAN_CLASS_NOTIF | InitFlags::FAN_NONBLOCK | InitFlags::FAN_CLOEXEC;
    let files = EventFFlags::O_RDONLY | EventFFlags::O_LARGEFILE | EventFFlags::O_CLOEXEC;
    let fanotify = Fanotify::init(flags, files)
        .inspect_err(|error| log::debug!("files that are opened briefly are not seen: {error}"))
        .ok()?;
    // The end too: who is just being started may not be in its cgroup's list when it opens something.
    let mask = MaskFlags::FAN_OPEN | MaskFlags::FAN_CLOSE;
    let text = fs::read("/proc/self/mountinfo").ok()?;
    let mounts = mountinfo::parse(&text);
    let disks = mounts
        .iter()
        .filter(|m| !NO_DISK.contains(&m.fstype.as_str()));
    let marks = disks.filter(|mount| {
        let mark = |what| {
            let how = MarkFlags::FAN_MARK_ADD | what;
            fanotify.mark(how, mask, nix::fcntl::AT_FDCWD, Some(&mount.point))
        };
        // The whole file system (4.20), else what is seen of it here.
        mark(MarkFlags::FAN_MARK_FILESYSTEM)
            .or_else(|_| mark(MarkFlags::FAN_MARK_MOUNT))
            .is_ok()
    });
    (marks.count() > 0).then_some(fanotify)
}

fn follow(fanotify: &Fanotify, shared: &Shared, stop: &AtomicBool) {
    loop {
        // Read before the queue is: what came before the end is heard.
        let is_last = stop.load(Ordering::Relaxed);
        let mut fds = [PollFd::new(fanotify.as_fd(), PollFlags::POLLIN)];
        // A poll that was interrupted is one that had nothing.
        let _ = poll(
            &mut fds,
            PollTimeout::from(if is_last { 0 } else { LOOK_MS }),
        );
        while let Ok(events) = fanotify.read_events() {
            let cgroup = lock(&shared.cgroup).clone();
            let Some(cgroup) = cgroup.as_deref() else {
                continue;
            };
            for event in events {
                let whose = whose(&event, cgroup);
                let Some(path) = whose.and_then(|_| path(&event)) else {
                    continue;
                };
                let mut found = lock(&shared.found);
                let kept = match whose {
                    Some(Whose::Ours) => &mut found.files,
                    _ => &mut found.by_gone,
                };
                if kept.len() < FILES_MAX {
                    kept.insert(path);
                }
            }
        }
        if is_last {
            return;
        }
    }
}

/// Who caused an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// A process of the cgroup.
    Ours,
    /// One that is gone already.
    Gone,
}

/// None where it was somebody else.
fn whose(event: &FanotifyEvent, cgroup: &Path) -> Option<Whose> {
    let Ok(text) = fs::read_to_string(format!("/proc/{}/cgroup", event.pid())) else {
        return Some(Whose::Gone);
    };
    // `5:memory:/pod/app`, `0::/pod/app`; what stands before it on the machine depends on the mount.
    let mut places = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let cgroup = cgroup.as_os_str().as_encoded_bytes();
    let ours = places.any(|place| place.len() > 1 && cgroup.ends_with(place.as_bytes()));
    ours.then_some(Whose::Ours)
}

fn path(event: &FanotifyEvent) -> Option<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", event.fd()?.as_raw_fd())).ok()
}
