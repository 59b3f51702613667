//! Gzip, recognised by its magic; a cut file gives what can be decoded.

use std::borrow::Cow;
use std::io::{ErrorKind, Read};

use flate2::read::MultiGzDecoder;

use super::error::ReadError;

/// No recording is read beyond this many bytes of text: about 20 hours at 100 Hz.
pub(super) const TEXT_MAX: u64 = 1 << 30;

/// The text of a recording, and whether its compressed form was cut.
pub(super) fn decoded<'a>(bytes: &'a [u8], name: &str) -> Result<(Cow<'a, [u8]>, bool), ReadError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok((Cow::Borrowed(bytes), false));
    }
    let mut text = Vec::new();
    let mut decoder = MultiGzDecoder::new(bytes).take(TEXT_MAX + 1);
    // `read_to_end` keeps what it got before an error.
    let cut = match decoder.read_to_end(&mut text) {
        Ok(_) => false,
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => true,
        Err(e) => {
            return Err(ReadError::NotARecording {
                path: name.into(),
                why: format!("it is a gzip file that is damaged ({e}); fetch it again"),
            });
        }
    };
    if text.len() as u64 > TEXT_MAX {
        return Err(ReadError::TooLarge { path: name.into() });
    }
    Ok((Cow::Owned(text), cut))
}
