//! Reading a recording back.
//!
//! Strict in the middle, tolerant at the end: a run that was killed leaves a cut last line, which
//! is left out (`complete` is false then); a broken line with whole ones after it is damage, and
//! an error that names file and line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::error::ReadError;
use super::format::{EVENTS, FORMAT, MAJOR, NOTICES, Notice, WireHeader};
use super::gzip::{TEXT_MAX, decoded};
use super::sample_line::{Cursor, Fault};
use super::tables::{Budget, TableBuilder};
use super::{Event, EventKind, Footer, Header, Recording};

/// Reads the recording at `path`: plain or gzip, whole or cut.
pub fn read_path(path: &Path) -> Result<Recording, ReadError> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(TEXT_MAX + 1).read_to_end(&mut bytes));
    if let Err(source) = read {
        return Err(ReadError::Io { path: name, source });
    }
    if bytes.len() as u64 > TEXT_MAX {
        return Err(ReadError::TooLarge { path: name });
    }
    read_named(&bytes, &name)
}

/// Reads a recording from memory.
pub fn read_bytes(bytes: &[u8]) -> Result<Recording, ReadError> {
    read_named(bytes, "the recording")
}

/// Reads a recording from memory; `name` is its path in messages.
pub fn read_named(bytes: &[u8], name: &str) -> Result<Recording, ReadError> {
    let (text, cut) = decoded(bytes, name)?;
    let end = text.iter().position(|c| *c == b'\n').unwrap_or(text.len());
    let mut reader = Reader {
        header: header(&text[..end], name)?,
        tables: Vec::new(),
        events: Vec::new(),
        footer: None,
        lines: 1,
        counted: None,
    };
    for index in 0..reader.header.groups.len() {
        let columns = std::mem::take(&mut reader.header.groups[index].columns);
        reader.open_table(&columns).map_err(|what| {
            let path = name.into();
            ReadError::Broken {
                path,
                line: 1,
                column: 1,
                what,
            }
        })?;
    }
    let whole = reader.lines(text.get(end + 1..).unwrap_or_default(), name)?;
    reader.finish(whole && !cut, name)
}

/// What the format's rules need of the first line, whatever else a newer version has put there.
#[derive(Deserialize)]
struct Format {
    format: String,
}

fn header(line: &[u8], path: &str) -> Result<Header, ReadError> {
    let not = |why: String| ReadError::NotARecording {
        path: path.into(),
        why,
    };
    if line.iter().all(u8::is_ascii_whitespace) {
        return Err(not("its first line is empty".into()));
    }
    let Format { format } = serde_json::from_slice(line).map_err(|e| match e.is_eof() {
        true => not("it is cut within its header, the first line; nothing can be read".into()),
        false => not(format!("its first line is not a header ({e})")),
    })?;
    let version = format
        .strip_prefix(FORMAT)
        .ok_or_else(|| not(format!("its format is {format:?}")))?;
    let major = version.split('.').next().unwrap_or_default();
    match major.parse::<u64>() {
        Ok(MAJOR) => {}
        Ok(newer) if newer > MAJOR => {
            return Err(ReadError::Newer {
                path: path.into(),
                found: format,
            });
        }
        _ => return Err(not(format!("its format is {format:?}"))),
    }
    let wire: WireHeader = serde_json::from_slice(line).map_err(|e| ReadError::Broken {
        path: path.into(),
        line: 1,
        column: e.column(),
        what: json_message(&e),
    })?;
    Ok(wire.into())
}

struct Reader {
    header: Header,
    tables: Vec<TableBuilder>,
    events: Vec<Event>,
    footer: Option<Footer>,
    /// Lines that were read so far.
    lines: u64,
    /// Lines before the footer as it counts them.
    counted: Option<u64>,
}

impl Reader {
    /// Reads all lines after the header; gives whether the last one was whole.
    fn lines(&mut self, text: &[u8], path: &str) -> Result<bool, ReadError> {
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let result = match rest[0] {
                b'[' => self.sample(rest),
                _ => self.other(&rest[..line_length(rest)]),
            };
            match result {
                Ok(length) => at += length + 1,
                Err(Fault { at: column, what }) => {
                    let after = at + line_length(rest);
                    if text[after..].iter().all(u8::is_ascii_whitespace) {
                        return Ok(false);
                    }
                    let (path, column) = (path.into(), column + 1);
                    return Err(ReadError::Broken {
                        path,
                        line: self.lines as usize + 1,
                        column,
                        what,
                    });
                }
            }
            self.lines += 1;
        }
        Ok(true)
    }

    /// Reads one sample; gives the line's length.
    fn sample(&mut self, text: &[u8]) -> Result<usize, Fault> {
        let mut cursor = Cursor::new(text);
        let prefix = cursor.prefix()?;
        let groups = self.tables.len();
        let Some(table) = self.tables.get_mut(prefix.group) else {
            let what = format!("group {} of {groups} (they count from 0)", prefix.group);
            return Err(Fault { at: 1, what });
        };
        if let Some(last) = table.t.last().filter(|last| **last > prefix.t) {
            let what = format!("time {} ns after a sample at {last} ns", prefix.t);
            return Err(Fault { at: 1, what });
        }
        let (before, width) = (table.values.len(), table.width());
        let values =
            cursor
                .values(width, &mut table.values)
                .and_then(|count| match count == width {
                    true => Ok(()),
                    false => Err(Fault {
                        at: cursor.at,
                        what: format!("{count} values for the group's {width} columns"),
                    }),
                });
        if let Err(fault) = values {
            table.values.truncate(before);
            return Err(fault);
        }
        table.t.push(prefix.t);
        table.cost.push(prefix.cost);
        Ok(cursor.at)
    }

    /// Reads a line that is not a sample; gives its length.
    fn other(&mut self, line: &[u8]) -> Result<usize, Fault> {
        if !line.iter().all(u8::is_ascii_whitespace) {
            self.object(line)?;
        }
        Ok(line.len())
    }

    fn object(&mut self, line: &[u8]) -> Result<(), Fault> {
        let fault = |e: serde_json::Error| Fault {
            at: e.column().saturating_sub(1),
            what: json_message(&e),
        };
        let value: serde_json::Value = serde_json::from_slice(line).map_err(fault)?;
        let kind = value.get("type").and_then(|kind| kind.as_str());
        let Some(kind) = kind else {
            return Err(Fault {
                at: 0,
                what: "an object without a `type`".into(),
            });
        };
        // Known ones are read again from the text, because the order of an object's keys is kept that way.
        let event = if EVENTS.contains(&kind) {
            serde_json::from_slice(line).map_err(fault)?
        } else if NOTICES.contains(&kind) {
            let notice = serde_json::from_slice(line).map_err(fault)?;
            return self.notice(notice).map_err(|what| Fault { at: 0, what });
        } else {
            let t = value.get("t_ns").and_then(|t| t.as_u64());
            Event {
                t: t.unwrap_or_else(|| self.last_time()),
                kind: EventKind::Other(value),
            }
        };
        self.events.push(event);
        Ok(())
    }

    fn notice(&mut self, notice: Notice) -> Result<(), String> {
        match notice {
            Notice::Columns { group, columns } => {
                let groups = self.tables.len();
                let table = self.tables.get_mut(group);
                let table = table.ok_or(format!("group {group} of {groups}"))?;
                table.set_columns(&columns)
            }
            Notice::Group { mut group, .. } => {
                let columns = std::mem::take(&mut group.columns);
                self.header.groups.push(group);
                self.open_table(&columns)
            }
            Notice::Footer { lines, footer } => {
                // With the footer itself it has one line more.
                self.counted = lines.map(|lines| lines.saturating_add(1));
                self.footer = Some(footer);
                Ok(())
            }
        }
    }

    fn open_table(&mut self, columns: &[String]) -> Result<(), String> {
        let mut table = TableBuilder::default();
        table.set_columns(columns)?;
        self.tables.push(table);
        Ok(())
    }

    /// The latest time seen, for objects that carry none.
    fn last_time(&self) -> u64 {
        let samples = self
            .tables
            .iter()
            .filter_map(|table| table.t.last().copied());
        let events = self.events.last().map(|event| event.t);
        samples.chain(events).max().unwrap_or(0)
    }

    fn finish(mut self, whole: bool, path: &str) -> Result<Recording, ReadError> {
        if let Some(lines) = self.counted.filter(|counted| *counted > self.lines) {
            return Err(ReadError::Lost {
                path: path.into(),
                missing: lines - self.lines,
                lines,
            });
        }
        let mut budget = Budget::new();
        let tables = self
            .tables
            .into_iter()
            .map(|table| table.finish(&mut budget));
        let tables: Option<Vec<_>> = tables.collect();
        let tables = tables.ok_or(ReadError::TooLarge { path: path.into() })?;
        for (group, table) in self.header.groups.iter_mut().zip(&tables) {
            group.columns = table.columns.clone();
        }
        // A step's end is written when its counters have settled, which may be after a later event.
        self.events.sort_by_key(|event| event.t);
        Ok(Recording {
            header: self.header,
            tables,
            events: self.events,
            complete: whole && self.footer.is_some(),
            footer: self.footer,
        })
    }
}

fn line_length(text: &[u8]) -> usize {
    text.iter().position(|c| *c == b'\n').unwrap_or(text.len())
}

/// serde_json's message without its line and column, which counts from the line it was given.
fn json_message(e: &serde_json::Error) -> String {
    let text = e.to_string();
    match text.rfind(" at line ") {
        Some(place) => text[..place].into(),
        None => text,
    }
}
