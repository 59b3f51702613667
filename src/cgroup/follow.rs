//! Which containers there are below a cgroup, followed as they come and go.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::below::{DEPTH_MAX, children, container_id};

/// Between walks where the kernel can't tell what changes: a walk of 1,000 cgroups costs some ten
/// milliseconds.
const WALK: Duration = Duration::from_secs(5);

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A container's cgroup was made.
    Came(PathBuf),
    /// What was taken for a container holds other cgroups now.
    Filled(PathBuf),
}

/// Follows the containers below a cgroup. The kernel tells which folders were made (inotify), so
/// that looking costs one system call however many there are.
#[derive(Debug)]
pub struct Follower {
    top: PathBuf,
    /// None where watches can't be had: then everything is walked again now and then.
    inotify: Option<Inotify>,
    folders: HashMap<WatchDescriptor, PathBuf>,
    /// Told and not removed since.
    known: HashSet<PathBuf>,
    walked: Instant,
}

impl Follower {
    /// Follows `top` from now on; gives the containers that are there, in the order of their paths:
    /// folders named by a runtime's id, and those that have no other below them. What a container
    /// made inside itself is not another one.
    ///
    /// # Errors
    /// When `top` can't be read.
    pub fn start(top: &Path) -> io::Result<(Self, Vec<PathBuf>)> {
        Follower::start_with(top, true)
    }

    fn start_with(top: &Path, events: bool) -> io::Result<(Self, Vec<PathBuf>)> {
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        let mut follower = Follower {
            top: top.to_path_buf(),
            inotify: events.then(|| Inotify::init(flags).ok()).flatten(),
            folders: HashMap::new(),
            known: HashSet::new(),
            walked: Instant::now(),
        };
        let mut found = follower.walk()?;
        found.sort();
        follower.known.extend(found.iter().cloned());
        Ok((follower, found))
    }

    /// What has changed since the last look.
    pub fn look(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some(inotify) = &self.inotify {
            match inotify.read_events() {
                Ok(events) => events.into_iter().for_each(|e| self.event(e, &mut changes)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return changes,
                Err(_) => self.inotify = None,
            }
        }
        if self.walked.elapsed() >= WALK {
            self.walk_again(&mut changes);
        }
        changes
    }

    fn event(&mut self, event: InotifyEvent, changes: &mut Vec<Change>) {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return self.walk_again(changes);
        }
        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            self.folders.remove(&event.wd);
            return;
        }
        let Some((parent, name)) = self.folders.get(&event.wd).zip(event.name) else {
            return;
        };
        let (parent, path) = (parent.clone(), parent.join(name));
        if event.mask.contains(AddWatchFlags::IN_DELETE) {
            self.known.remove(&path);
        } else if event.mask.contains(AddWatchFlags::IN_ISDIR) {
            if self.known.remove(&parent) {
                changes.push(Change::Filled(parent));
            }
            let mut found = Vec::new();
            self.visit(path, DEPTH_MAX, &mut found);
            self.tell(found, changes);
        }
    }

    fn tell(&mut self, found: Vec<PathBuf>, changes: &mut Vec<Change>) {
        for path in found {
            // A folder that was made while its parent was being walked is found twice.
            if self.known.insert(path.clone()) {
                changes.push(Change::Came(path));
            }
        }
    }

    fn walk_again(&mut self, changes: &mut Vec<Change>) {
        self.walked = Instant::now();
        // Without `top` there is nothing to find: what it held has ended.
        let found = self.walk().unwrap_or_default();
        let now: HashSet<&PathBuf> = found.iter().collect();
        let gone: Vec<PathBuf> = self
            .known
            .iter()
            .filter(|p| !now.contains(p))
            .cloned()
            .collect();
        for path in gone {
            self.known.remove(&path);
            if path.is_dir() {
                changes.push(Change::Filled(path));
            }
        }
        self.tell(found, changes);
    }

    fn walk(&mut self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        self.watch(&self.top.clone());
        for child in children(&self.top)? {
            self.visit(child, DEPTH_MAX, &mut found);
        }
        Ok(found)
    }

    /// A folder is watched before it is read: what is made in between
    /// is found twice rather than not at all.
    fn visit(&mut self, path: PathBuf, depth: usize, found: &mut Vec<PathBuf>) {
        if container_id(&path).is_some() || depth == 0 {
            found.push(path);
            return;
        }
        self.watch(&path);
        let Ok(children) = children(&path) else {
            return;
        };
        if children.is_empty() {
            found.push(path);
            return;
        }
        for child in children {
            self.visit(child, depth - 1, found);
        }
    }

    fn watch(&mut self, path: &Path) {
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_ONLYDIR;
        let Some(inotify) = &self.inotify else { return };
        match inotify.add_watch(path, flags) {
            Ok(watch) => drop(self.folders.insert(watch, path.to_path_buf())),
            // It has gone meanwhile.
            Err(Errno::ENOENT) => {}
            Err(error) => {
                log::info!(
                    "{} can't be watched ({error}; see fs.inotify.max_user_watches): new containers \
                     are looked for every {} s",
                    path.display(),
                    WALK.as_secs()
                );
                self.inotify = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, create_dir_all, remove_dir};

    fn came(paths: &[&Path]) -> Vec<Change> {
        paths
            .iter()
            .map(|p| Change::Came(p.to_path_buf()))
            .collect()
    }

    #[test]
    fn containers_are_found_in_both_drivers_layouts() {
        let top = tempfile::tempdir().unwrap();
        let id = "a1".repeat(32);
        for path in [
            format!("burstable/pod6d/{id}/made-inside"),
            format!(
                "kubepods-besteffort.slice/kubepods-besteffort-pod6e.slice/cri-containerd-{id}.scope"
            ),
            "guaranteed/pod6f/plain".to_string(),
        ] {
            create_dir_all(top.path().join(path)).unwrap();
        }
        let (_, found) = Follower::start(top.path()).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|p| p.strip_prefix(top.path()).unwrap())
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert_eq!(names[0], Path::new(&format!("burstable/pod6d/{id}")));
        assert_eq!(container_id(&found[2]), Some(id.as_str()));
        assert_eq!(container_id(&found[1]), None);
    }

    #[test]
    fn what_is_made_later_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        let id = "a1".repeat(32);
        create_dir_all(top.join("burstable")).unwrap();
        create_dir_all(top.join("pod1").join(&id)).unwrap();
        let (mut follower, found) = Follower::start(top).unwrap();
        assert_eq!(found, [top.join("burstable"), top.join("pod1").join(&id)]);
        assert_eq!(follower.look(), []);
        // A pod with a container, in a folder that was taken for one.
        let new = top.join("burstable/pod2").join(&id);
        create_dir_all(&new).unwrap();
        let changes = follower.look();
        assert_eq!(changes[0], Change::Filled(top.join("burstable")));
        assert_eq!(changes[1..], came(&[&new]));
        // What a container makes inside itself is no container.
        create_dir(new.join("inside")).unwrap();
        assert_eq!(follower.look(), []);
        // Made anew between two looks.
        let plain = top.join("plain");
        create_dir(&plain).unwrap();
        assert_eq!(follower.look(), came(&[&plain]));
        remove_dir(&plain).unwrap();
        create_dir(&plain).unwrap();
        assert_eq!(follower.look(), came(&[&plain]));
    }

    #[test]
    fn without_watches_everything_is_walked_again() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        create_dir(top.join("old")).unwrap();
        create_dir(top.join("kept")).unwrap();
        let (mut follower, _) = Follower::start_with(top, false).unwrap();
        remove_dir(top.join("old")).unwrap();
        create_dir_all(top.join("kept/new")).unwrap();
        assert_eq!(follower.look(), [], "not yet");
        let mut changes = Vec::new();
        follower.walk_again(&mut changes);
        assert_eq!(changes[0], Change::Filled(top.join("kept")));
        assert_eq!(changes[1..], came(&[&top.join("kept/new")]));
    }
}
