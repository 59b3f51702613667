//! Reads `/proc/PID/mountinfo` (proc(5)): one mount a line, its paths octal-escaped.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its own id.
    pub id: u64,
    /// The id of the mount it sits on.
    pub parent: u64,
    /// Which directory of the file system is mounted; for cgroups relative to the reader's cgroup
    /// namespace, so it can start with `/..`.
    pub root: PathBuf,
    /// The mount point.
    pub point: PathBuf,
    /// Whether this mount is read-only (the per-mount options; the file system may differ).
    pub read_only: bool,
    /// The file system: `cgroup`, `cgroup2`, `ext4`, ...
    pub fstype: String,
    /// The file system's own options, comma-separated: on cgroup v1 they name the controllers.
    pub super_options: String,
}

impl Mount {
    /// Whether the file system's options contain `option` as a whole word.
    pub fn has_option(&self, option: &str) -> bool {
        self.super_options.split(',').any(|o| o == option)
    }
}

/// All mounts of a mountinfo text in its order. Lines that don't have the fields are left out: a
/// newer kernel's extra line must not stop us.
pub fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|b| *b == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    // Optional fields vary in number and end with a lone `-`; the first six are fixed.
    let mut fields = line.split(|b| *b == b' ').filter(|f| !f.is_empty());
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    fields.next()?; // major:minor
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    let options = String::from_utf8_lossy(fields.next()?).into_owned();
    fields.find(|field| *field == b"-")?;
    let fstype = String::from_utf8_lossy(fields.next()?).into_owned();
    // The source may be empty (two spaces in a row), then the options come one field early.
    let rest: Vec<&[u8]> = fields.collect();
    let super_options = String::from_utf8_lossy(rest.last().copied().unwrap_or(b"")).into_owned();
    Some(Mount {
        id,
        parent,
        root,
        point,
        read_only: options.split(',').any(|o| o == "ro"),
        fstype,
        super_options,
    })
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// Undoes the kernel's escaping of space, tab, newline, backslash and `#`: `\040`, `\011`, `\012`,
/// `\134`, `\043`. Anything else after a backslash stays as it is.
fn unescape(field: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        match (byte, octal(tail)) {
            (b'\\', Some(decoded)) => {
                out.push(decoded);
                rest = &tail[3..];
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(out))
}

/// The byte that three octal digits stand for.
fn octal(digits: &[u8]) -> Option<u8> {
    let digits = digits.get(..3)?;
    let value = digits.iter().try_fold(0u16, |sum, d| {
        matches!(d, b'0'..=b'7').then(|| sum * 8 + u16::from(d - b'0'))
    })?;
    u8::try_from(value).ok()
}

/// Whether path lookup can reach `mount`. A mount over it, or over a directory above it, hides it,
/// unless it sits on that mount itself.
pub fn is_reachable(mounts: &[Mount], mount: &Mount) -> bool {
    !mounts.iter().any(|cover| {
        mount.point.starts_with(&cover.point)
            && cover.id != mount.id
            && !sits_on(mounts, mount, cover.id)
            && (cover.parent == mount.id || sits_on(mounts, mount, cover.parent))
    })
}

/// Whether `mount` sits on the mount `id`, directly or further down.
fn sits_on(mounts: &[Mount], mount: &Mount, id: u64) -> bool {
    let mut parent = mount.parent;
    // A loop in the ids (a broken text) must not hang us: no chain is longer than the list.
    for _ in 0..mounts.len() {
        if parent == id {
            return true;
        }
        match mounts.iter().find(|m| m.id == parent) {
            Some(m) if m.parent != parent => parent = m.parent,
            _ => return false,
        }
    }
    false
}

/// The mount that holds `path` (absolute, without links): the reachable one with the longest
/// mount point.
pub fn holding<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts
        .iter()
        .filter(|m| path.starts_with(&m.point) && is_reachable(mounts, m))
        .max_by_key(|m| m.point.components().count())
}
