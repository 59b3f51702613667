//! Data inside the page: deflated and in base64, so that it is small and can't end a script element.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;

/// The charts' script as build.rs packed it.
const CHART_SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/plotly.js.zlib"));

/// `bytes`, deflated, in base64.
pub fn pack(bytes: &[u8]) -> io::Result<String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(8));
    encoder.write_all(bytes)?;
    Ok(STANDARD.encode(encoder.finish()?))
}

/// The charts' script, in the same form.
pub fn chart_script() -> String {
    STANDARD.encode(CHART_SCRIPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_script_is_whole_and_alone() {
        let mut script = String::new();
        io::Read::read_to_string(
            &mut flate2::read::ZlibDecoder::new(CHART_SCRIPT),
            &mut script,
        )
        .unwrap();
        assert!(script.contains("plotly.js v3"));
        assert!(!script.contains("MathJax v3") && !script.contains("</script"));
        // What the page carries of it; the whole report must stay below 8 MB.
        assert!(chart_script().len() < 2_100_000, "{}", chart_script().len());
    }
}
