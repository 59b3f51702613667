//! CSV (RFC 4180): a header line, then one line a sample of a group; an absent value is empty.

use std::io::{self, Write};

use super::flat::{Cell, Flat};

/// Writes the table of one recording; the header only if `header`.
pub fn write(out: &mut impl Write, flat: &Flat, header: bool) -> io::Result<()> {
    if header {
        let names: Vec<String> = flat.columns().iter().map(|c| quoted(c)).collect();
        writeln!(out, "{}\r", names.join(","))?;
    }
    for record in flat.records() {
        for (i, cell) in record.iter().enumerate() {
            if i > 0 {
                out.write_all(b",")?;
            }
            match cell {
                Cell::Text(text) => out.write_all(quoted(text).as_bytes())?,
                Cell::Integer(n) => write!(out, "{n}")?,
                Cell::Float(x) => write!(out, "{x}")?,
                Cell::Absent => {}
            }
        }
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
