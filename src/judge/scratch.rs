//! Files without a name: a Ctrl-C at any moment leaves nothing in the temporary folder.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;

/// An empty one.
pub fn file() -> io::Result<File> {
    tempfile::tempfile()
}

/// One with this text.
pub fn file_with(text: &[u8]) -> io::Result<File> {
    let mut file = file()?;
    file.write_all(text)?;
    Ok(file)
}

/// The name under which a child can open it while we hold it.
pub fn path(file: &File) -> OsString {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into()
}

/// All of it, from its start.
pub fn read(mut file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_reads_and_writes_it_by_its_path() {
        let file = file_with(b"one\n").unwrap();
        let script = "cat \"$0\"; printf two >> \"$0\"";
        let child = std::process::Command::new("sh")
            .args(["-c", script])
            .arg(path(&file))
            .output()
            .unwrap();
        assert_eq!(child.stdout, b"one\n");
        assert_eq!(read(&file).unwrap(), "one\ntwo");
    }
}
