//! The files of one cgroup, in the order in which they are read.

use std::io;
use std::path::Path;

use nix::errno::Errno;

use super::columns::Columns;
use super::kept::{Descriptors, Kept};
use super::keyed::Keyed;
use super::picked::Pressure;
use super::text::whole_value;
use crate::rows::{CgroupVersion, ROWS, Read, is_stat};

/// How a file is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// `memory.stat`: rows under their own names.
    Stat,
    /// `key value` lines: rows called `file:key`.
    Keyed,
    /// One number or `max`.
    Number,
    /// A pressure file.
    Pressure,
}

/// Which files a sample reads. Rows of files that it does not read are missing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Every row of the file.
    All,
    /// Those that any allocation moves: `memory.stat`, usage and swap. Left out are limits, peaks,
    /// counts of events and pressure, most of the files and the lesser part of what they tell.
    Moving,
}

/// The files that are read as a whole, after `memory.stat` and those of one number.
const V1: [(&str, Form); 2] = [
    ("memory.oom_control", Form::Keyed),
    // Only on some v1 kernels of cloud distributions.
    ("memory.pressure", Form::Pressure),
];

const V2: [(&str, Form); 3] = [
    ("memory.events", Form::Keyed),
    ("memory.events.local", Form::Keyed),
    ("memory.pressure", Form::Pressure),
];

/// A file: its name, its form, and whether [`Reads::Moving`] leaves it out.
type File = (&'static str, Form, bool);

/// `memory.stat` comes before usage, as libcontainer reads them: where the two disagree because
/// pages moved in between, working_set is clamped here as it is in production.
fn table(version: CgroupVersion) -> impl Iterator<Item = File> {
    let numbers = ROWS
        .iter()
        .filter(|row| row.read != Read::Never)
        .filter_map(move |row| {
            let file = row.names(version).iter().find(|name| !is_stat(name))?;
            Some((*file, Form::Number, row.read == Read::Still))
        });
    let whole: &[(&str, Form)] = match version {
        CgroupVersion::V1 => &V1,
        CgroupVersion::V2 => &V2,
    };
    let whole = whole.iter().map(|(name, form)| (*name, *form, true));
    std::iter::once(("memory.stat", Form::Stat, false))
        .chain(numbers)
        .chain(whole)
}

/// Whether a column's file is left out by [`Reads::Moving`].
pub fn is_left_out(column: &str) -> bool {
    let file = column.split(':').next().unwrap_or(column);
    table(CgroupVersion::V1)
        .chain(table(CgroupVersion::V2))
        .any(|(name, _, left_out)| name == file && left_out)
}

/// The names of the files that would be read, for benchmarks that read them bare.
pub fn file_names(version: CgroupVersion) -> impl Iterator<Item = &'static str> {
    table(version).map(|(name, ..)| name)
}

#[derive(Debug)]
enum Parser {
    Keyed(Keyed),
    Number(usize),
    Pressure(Pressure),
}

/// One cgroup's files, open.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Each with whether [`Reads::Moving`] leaves it out.
    files: Vec<(Kept, Parser, bool)>,
}

/// The cgroup was removed.
#[derive(Debug)]
pub(super) struct Removed;

impl Files {
    /// Opens what this kernel has of the files in `folder`, and learns the columns from a first
    /// reading. A file that is absent or can't be read gives no column.
    ///
    /// # Errors
    /// The error of `memory.stat` and of usage, if neither can be read: then this is no memory cgroup.
    pub fn open(
        folder: &Path,
        version: CgroupVersion,
        columns: &mut Columns,
        fds: &mut Descriptors,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Files> {
        let mut files = Vec::new();
        let mut error = None;
        for (name, form, left_out) in table(version) {
            match Kept::open(&folder.join(name), left_out, fds, buffer) {
                Ok(kept) => files.push((kept, Parser::new(name, form, columns), left_out)),
                Err(e) => error = error.or(Some((name, e))),
            }
        }
        let mut files = Files { files };
        // Without memory.stat and usage there is nothing to say; the root of v2 has only the former.
        if let (true, Some((name, e))) = (files.files.len() < 2, error) {
            return Err(io::Error::new(e.kind(), format!("{name}: {e}")));
        }
        columns.clear();
        if files.read(Reads::All, columns, buffer).is_err() {
            return Err(Errno::ENODEV.into());
        }
        Ok(files)
    }

    /// Reads the files into `columns`. A file that can't be read leaves its columns missing.
    pub fn read(
        &mut self,
        reads: Reads,
        columns: &mut Columns,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Removed> {
        let files = self.files.iter_mut();
        for (kept, parser, _) in files.filter(|file| reads == Reads::All || !file.2) {
            match kept.read(buffer) {
                Ok(length) => parser.read(&buffer[..length], columns),
                Err(e) if is_removed(&e) => return Err(Removed),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Closes all of them.
    pub fn close(self, fds: &mut Descriptors) {
        self.files
            .into_iter()
            .for_each(|(kept, ..)| kept.close(fds));
    }
}

/// ENODEV is what a kept descriptor of a removed cgroup gives; ENOENT what its path gives.
fn is_removed(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error().map(Errno::from_raw),
        Some(Errno::ENODEV | Errno::ENOENT)
    )
}

impl Parser {
    fn new(name: &str, form: Form, columns: &mut Columns) -> Parser {
        match form {
            Form::Stat => Parser::Keyed(Keyed::new(String::new())),
            Form::Keyed => Parser::Keyed(Keyed::new(format!("{name}:"))),
            Form::Number => Parser::Number(columns.index(name)),
            Form::Pressure => Parser::Pressure(Pressure::new(&format!("{name}:"), columns)),
        }
    }

    fn read(&mut self, text: &[u8], columns: &mut Columns) {
        match self {
            Parser::Keyed(keyed) => keyed.read(text, columns),
            Parser::Number(index) => {
                if let Some(value) = whole_value(text) {
                    columns.values[*index] = value;
                }
            }
            Parser::Pressure(pressure) => pressure.read(text, columns),
        }
    }
}
