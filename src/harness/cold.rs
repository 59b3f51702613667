//! Files that are cold before a run: else it reads what others were charged for, and seems to need
//! less than it does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::opens::Opens;
use crate::sys::file_map::FileMap;

/// More than this many are not kept: a program that opens every file of a disk must not make a list of
/// them grow without end.
const FILES_MAX: usize = 10_000;

/// The regular files that a command was given or had open, and those it had mapped.
#[derive(Debug, Default)]
pub struct ColdFiles {
    files: BTreeSet<PathBuf>,
    mapped: BTreeSet<PathBuf>,
    /// Where processes of the command were.
    folders: BTreeSet<PathBuf>,
    /// The kernel tells of every file that is opened, for as long as that is new: a program opens the same ones
    /// in every run, and being told costs others on the machine.
    opens: Option<Opens>,
}

/// What stayed in memory: others have it mapped, or it is being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warm {
    /// By file, the bytes that stayed.
    pub files: BTreeMap<PathBuf, u64>,
}

impl Warm {
    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.files.values().sum()
    }

    /// The file of which most stayed.
    pub fn largest(&self) -> Option<&Path> {
        let most = self.files.iter().max_by_key(|(_, bytes)| **bytes);
        most.map(|(path, _)| path.as_path())
    }
}

impl ColdFiles {
    /// Those among the words of a command.
    pub fn named(words: &[String]) -> ColdFiles {
        let given = words.iter().skip(1).map(PathBuf::from);
        let files = given.filter_map(|path| path.canonicalize().ok());
        ColdFiles {
            files: files.filter(|path| is_cached(path)).collect(),
            ..ColdFiles::default()
        }
    }

    /// Hears of every file that is opened in `cgroup`, until [`ColdFiles::heard`], if the kernel tells.
    pub fn hear(&mut self, cgroup: &Path) {
        if self.opens.is_none() {
            self.opens = Opens::watch();
        }
        if let Some(opens) = &self.opens {
            opens.of(cgroup);
        }
    }

    /// Takes what was heard, and hears no more.
    pub fn heard(&mut self) {
        let Some(opens) = self.opens.take() else {
            return;
        };
        let found = opens.finish();
        // A process that is gone may have been anybody's. It is taken for one of the command's where those that
        // were seen worked, too; if it was not, others read a file again.
        let own = found.files.iter().filter_map(|path| path.parent());
        let folders: BTreeSet<&Path> = own
            .chain(self.folders.iter().map(PathBuf::as_path))
            .collect();
        let near = |path: &PathBuf| {
            let mut above = path.ancestors().skip(1);
            above.any(|folder| folder != Path::new("/") && folders.contains(folder))
        };
        let gone: Vec<PathBuf> = found
            .by_gone
            .iter()
            .filter(|path| near(path))
            .cloned()
            .collect();
        let cached = found
            .files
            .into_iter()
            .chain(gone)
            .filter(|path| is_cached(path));
        let room = FILES_MAX.saturating_sub(self.files.len());
        self.files.extend(cached.take(room));
    }

    /// Notes what a process has open now, and with `maps` what it has mapped; one that has ended has
    /// nothing.
    pub fn look_at(&mut self, pid: i32, maps: bool) {
        if let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) {
            let links = entries
                .flatten()
                .filter_map(|e| fs::read_link(e.path()).ok());
            for path in links {
                // Told apart once: a look comes every few milliseconds.
                if self.files.len() < FILES_MAX && !self.files.contains(&path) && is_cached(&path) {
                    self.files.insert(path);
                }
            }
        }
        if let Ok(folder) = fs::read_link(format!("/proc/{pid}/cwd"))
            && self.folders.len() < FILES_MAX
        {
            self.folders.insert(folder);
        }
        if !maps {
            return;
        }
        for path in mapped(pid) {
            if self.mapped.len() < FILES_MAX && !self.mapped.contains(&path) && is_cached(&path) {
                self.mapped.insert(path);
            }
        }
    }

    /// Writes out what is dirty of all of them and takes them out of the page cache, whoever is
    /// charged for them. Gives what stayed. Mapped files (programs, libraries) are only looked at:
    /// others run from them.
    ///
    /// This program, which starts the work, is none of them. It is kept in memory: what a worker reads of it anew
    /// would be charged to the work, and count as read again if the kernel had evicted it for whatever reason.
    pub fn cool(&self) -> Warm {
        let mut warm = Warm::default();
        let own = fs::read_link("/proc/self/exe").unwrap_or_default();
        if let Err(error) = keep(&own) {
            log::debug!("{} may be cold: {error}", own.display());
        }
        for path in self.files.iter().filter(|path| **path != own) {
            if let Err(error) = cool(path) {
                log::debug!("{} may be warm: {error}", path.display());
            }
        }
        let all = self.files.union(&self.mapped);
        for path in all.filter(|path| **path != own) {
            match resident(path) {
                Ok(0) => {}
                Ok(bytes) => {
                    warm.files.insert(path.clone(), bytes);
                }
                Err(error) => log::debug!("{}: {error}", path.display()),
            }
        }
        warm
    }
}

/// Reads into the page cache what is not there of a file.
fn keep(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    if resident(path)? < file.metadata()?.len() {
        io::copy(&mut file, &mut io::sink())?;
    }
    Ok(())
}

/// The files that a process has mapped.
fn mapped(pid: i32) -> BTreeSet<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    // Address, rights, offset, device, inode, and then the path, which may have blanks.
    let paths = text
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]));
    paths.map(PathBuf::from).collect()
}

/// Whether it is a file whose pages are page cache: not of the kernel's own file systems, no device.
fn is_cached(path: &Path) -> bool {
    let inside = ["/proc", "/sys", "/dev"]
        .iter()
        .any(|top| path.starts_with(top));
    !inside && fs::metadata(path).is_ok_and(|meta| meta.is_file())
}

fn cool(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    // Dirty pages can't be dropped.
    file.sync_all()?;
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    Ok(())
}

/// Bytes of a file in the page cache; 0 where the kernel would not tell the truth.
fn resident(path: &Path) -> io::Result<u64> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    let me = nix::unistd::geteuid();
    if meta.len() == 0 || !(me.is_root() || meta.uid() == me.as_raw()) {
        return Ok(0);
    }
    FileMap::of(&file)?.resident()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_that_was_just_written_is_cold_and_one_that_is_mapped_stays_and_is_told() {
        // On a disk: what is in a tmpfs has nowhere else to be.
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = dir.path().join("some data");
        let mut file = File::create(&path).unwrap();
        file.write_all(&vec![7; 1 << 20]).unwrap();
        let words = ["cat".to_string(), path.to_str().unwrap().into()];
        let files = ColdFiles::named(&words);
        assert_eq!(files.files.len(), 1);
        assert_eq!(resident(&path).unwrap(), 1 << 20);
        assert_eq!(files.cool(), Warm::default());
        assert_eq!(resident(&path).unwrap(), 0);

        let map = FileMap::of(&File::open(&path).unwrap()).unwrap();
        map.touch(0, 64 << 10);
        let warm = files.cool();
        assert!(warm.bytes() >= 64 << 10, "{warm:?}");
        assert_eq!(warm.largest(), Some(path.canonicalize().unwrap().as_path()));
    }

    /// A process of a cgroup, which here is this one's own: open for less than any look at /proc takes.
    #[test]
    fn what_is_open_for_a_moment_is_heard() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = dir.path().canonicalize().unwrap().join("brief");
        std::fs::write(&path, "x").unwrap();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let mut places = own.lines().filter_map(|line| line.splitn(3, ':').nth(2));
        let Some(place) = places.find(|place| place.len() > 1) else {
            eprintln!("not tried: this process is in no cgroup but the root");
            return;
        };
        let mut files = ColdFiles::default();
        files.hear(Path::new("/nowhere/at/all"));
        if files.opens.is_none() {
            eprintln!("not tried: the kernel tells nobody without CAP_SYS_ADMIN");
            return;
        }
        drop(File::open(&path).unwrap());
        files.heard();
        assert!(files.files.is_empty(), "of another cgroup: {files:?}");
        files.hear(&Path::new("/sys/fs/cgroup/memory").join(&place[1..]));
        drop(File::open(&path).unwrap());
        files.heard();
        assert!(files.files.contains(&path), "{files:?}");
    }

    #[test]
    fn what_a_process_has_open_and_mapped_is_seen() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = dir.path().canonicalize().unwrap().join("open");
        File::create(&path).unwrap();
        let _open = File::open(&path).unwrap();
        let mut files = ColdFiles::default();
        files.look_at(std::process::id() as i32, true);
        assert!(files.files.contains(&path), "{files:?}");
        let program = std::env::current_exe().unwrap().canonicalize().unwrap();
        assert!(files.mapped.contains(&program), "{files:?}");
        assert!(!files.files.iter().any(|p| p.starts_with("/dev")));
        // This program is no need of what it starts, and is not read anew by it.
        let _itself = File::open(&program).unwrap();
        files.look_at(std::process::id() as i32, true);
        assert!(files.files.contains(&program), "{files:?}");
        let warm = files.cool();
        assert!(!warm.files.is_empty() && !warm.files.contains_key(&program));
        let whole = fs::metadata(&program).unwrap().len();
        assert!(resident(&program).unwrap() >= whole);
        // One that is gone has nothing.
        files.look_at(-1, true);
    }
}
