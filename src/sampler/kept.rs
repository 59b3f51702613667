//! A kernel file that is opened once and read from its start again and again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a read begins with; a v1 `memory.stat` is under 1 KiB, a v2 one under 2 KiB.
pub(super) const BUFFER_BYTES: usize = 16 * 1024;
/// No file the sampler reads comes near this.
const BUFFER_BYTES_MAX: usize = 1 << 20;

/// A file by its descriptor, or by its path where descriptors are short.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    file: Option<File>,
}

/// How many more descriptors may be kept open: a thousand cgroups have eight files each, and the
/// usual limit is 1,024 descriptors, of which workers and pipes need some.
#[derive(Debug)]
pub(super) struct Descriptors {
    left: u64,
    /// What files that are seldom read leave to the others.
    reserve: u64,
}

impl Descriptors {
    /// Half of what the process may open.
    pub fn new() -> Self {
        use nix::sys::resource::{Resource, getrlimit};
        // Where the limit can't be asked, assume the smallest that is usual.
        let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
        Descriptors {
            left: soft / 2,
            reserve: soft / 4,
        }
    }

    fn take(&mut self, seldom: bool) -> bool {
        let any = self.left > if seldom { self.reserve } else { 0 };
        self.left -= u64::from(any);
        any
    }

    fn give_back(&mut self) {
        self.left += 1;
    }
}

impl Kept {
    /// Opens the file and reads it once, so that what can't be read is known at the start. One that
    /// may be read `seldom` is the first to be opened anew each time.
    pub fn open(
        path: &Path,
        seldom: bool,
        fds: &mut Descriptors,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Kept> {
        let file = File::open(path)?;
        read_whole(&file, buffer)?;
        let file = fds.take(seldom).then_some(file);
        let path = path.to_path_buf();
        Ok(Kept { path, file })
    }

    /// Reads all of it into `buffer`, which is made larger if it must be; gives the length.
    pub fn read(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match &self.file {
            Some(file) => read_whole(file, buffer),
            None => read_whole(&File::open(&self.path)?, buffer),
        }
    }

    /// Closes it.
    pub fn close(self, fds: &mut Descriptors) {
        if self.file.is_some() {
            fds.give_back();
        }
    }
}

/// One `pread`. A result that fills the buffer or has no line end may be cut: then it is read
/// again with more room, because a second read from where the first ended would be of another
/// moment.
fn read_whole(file: &File, buffer: &mut Vec<u8>) -> io::Result<usize> {
    if buffer.is_empty() {
        buffer.resize(BUFFER_BYTES, 0);
    }
    let mut length = read_once(file, buffer)?;
    while length > 0 && (length == buffer.len() || buffer[length - 1] != b'\n') {
        if buffer.len() >= BUFFER_BYTES_MAX {
            break;
        }
        buffer.resize(buffer.len() * 2, 0);
        let again = read_once(file, buffer)?;
        // The same length with more room: it is all there is.
        if again == length && length < buffer.len() / 2 {
            break;
        }
        length = again;
    }
    Ok(length)
}

fn read_once(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, 0) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], buffer: usize) -> (Vec<u8>, usize) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut buffer = vec![0; buffer];
        let length = read_whole(file.as_file(), &mut buffer).unwrap();
        (buffer[..length].to_vec(), buffer.len())
    }

    #[test]
    fn a_small_buffer_grows_until_all_fits() {
        let text = b"anon 1\nfile 22\n".repeat(10);
        for size in [1, 7, 8, 149, 150, 151, 4096] {
            assert_eq!(read(&text, size).0, text, "{size}");
        }
        assert_eq!(read(b"5\n", 64), (b"5\n".to_vec(), 64));
    }

    #[test]
    fn a_file_without_a_line_end_is_read_all_the_same() {
        assert_eq!(read(b"max", 64).0, b"max");
        assert_eq!(read(b"", 64).0, b"");
    }

    #[test]
    fn without_descriptors_to_spare_the_file_is_opened_each_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "1\n").unwrap();
        let mut buffer = Vec::new();
        let mut few = Descriptors {
            left: 1,
            reserve: 1,
        };
        let mut open = |seldom| Kept::open(file.path(), seldom, &mut few, &mut Vec::new()).unwrap();
        assert!(open(true).file.is_none());
        assert!(open(false).file.is_some());
        let kept = open(false);
        assert!(kept.file.is_none());
        std::fs::write(file.path(), "22\n").unwrap();
        assert_eq!(kept.read(&mut buffer).unwrap(), 3);
    }

    #[test]
    fn a_closed_file_leaves_its_descriptor_to_the_next() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "1\n").unwrap();
        let mut few = Descriptors {
            left: 1,
            reserve: 0,
        };
        for _ in 0..3 {
            let kept = Kept::open(file.path(), false, &mut few, &mut Vec::new()).unwrap();
            assert!(kept.file.is_some());
            // One that had none gives none back.
            let without = Kept::open(file.path(), false, &mut few, &mut Vec::new()).unwrap();
            assert!(without.file.is_none());
            without.close(&mut few);
            assert_eq!(few.left, 0);
            kept.close(&mut few);
        }
        assert_eq!(few.left, 1);
    }
}
