//! Writing a recording as it happens: one line, one `write`, so that a kill costs one line at most.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::create::NewFile;
use super::format::{Notice, WireHeader};
use super::number::{push_u64, push_value};
use super::{Event, EventKind, Footer, Group, Header, Recording};

/// Why a line could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The output refused; what was written before stays readable.
    #[error("failed to write the recording to {name}: {source}")]
    Output {
        /// The file's path, or the output's name.
        name: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The caller broke the format's rules; nothing was written.
    #[error("failed to write a sample of group {group}: {values} values for {columns} columns")]
    Shape {
        /// The group's index.
        group: usize,
        /// Values given.
        values: usize,
        /// Columns announced; 0 for a group that was never announced.
        columns: usize,
    },
}

/// Where lines go.
pub type Sink = Box<dyn Write + Send>;

/// Writes a recording line by line to one or more outputs.
pub struct Writer {
    outputs: Vec<Output>,
    line: Vec<u8>,
    widths: Vec<usize>,
    /// Lines so far.
    lines: u64,
    /// Lines that wait for [`Writer::flush`], where they may.
    held: Option<Vec<u8>>,
}

struct Output {
    name: String,
    sink: Sink,
    /// After a failed write the last line may be cut: writing on would hide that in the middle.
    broken: bool,
}

/// A footer as the last line of a recording: for one that was cut and whose end is known from
/// elsewhere.
pub fn footer_line(footer: &Footer) -> String {
    let (lines, footer) = (None, footer.clone());
    let line = serde_json::to_string(&Notice::Footer { lines, footer });
    // Numbers and strings only: there is nothing in it that JSON can't hold.
    line.unwrap_or_default() + "\n"
}

impl Writer {
    /// Makes the file at `path`, or replaces it, with the header as its first line.
    pub fn create(path: &Path, header: &Header) -> Result<Self, WriteError> {
        Writer::tee(vec![Writer::file(path)], header)
    }

    /// The file at `path` as an output for [`Writer::tee`].
    pub fn file(path: &Path) -> (String, Sink) {
        (path.display().to_string(), Box::new(NewFile::at(path)))
    }

    /// The same of standard output.
    pub fn stdout() -> (String, Sink) {
        ("stdout".into(), Box::new(io::stdout()))
    }

    /// Writes to anything, for example standard output; `name` is for messages.
    pub fn to(name: &str, sink: Sink, header: &Header) -> Result<Self, WriteError> {
        Writer::tee(vec![(name.into(), sink)], header)
    }

    /// Writes every line to each of the named outputs.
    pub fn tee(outputs: Vec<(String, Sink)>, header: &Header) -> Result<Self, WriteError> {
        let outputs = outputs.into_iter();
        let mut writer = Writer {
            outputs: outputs
                .map(|(name, sink)| Output {
                    name,
                    sink,
                    broken: false,
                })
                .collect(),
            // A v1 sample with its truth is about 700 bytes; growing later costs one allocation.
            line: Vec::with_capacity(4096),
            widths: header.groups.iter().map(|g| g.columns.len()).collect(),
            lines: 0,
            held: None,
        };
        writer.json(&WireHeader::from(header))?;
        Ok(writer)
    }

    /// From now on lines wait for [`Writer::flush`]: one `write` for all cgroups of a tick. For
    /// whoever is outside of what may be killed.
    pub fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Writes the lines that wait.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        let Some(mut held) = self.held.take() else {
            return Ok(());
        };
        let result = match held.is_empty() {
            true => Ok(()),
            false => self.put(&held),
        };
        held.clear();
        self.held = Some(held);
        result
    }

    /// Writes one sample: `t` nanoseconds from the start, `cost` nanoseconds, values in the order
    /// of the group's columns. Does not allocate once its line buffer has grown to size.
    pub fn sample(
        &mut self,
        group: usize,
        t: u64,
        cost: u64,
        values: &[u64],
    ) -> Result<(), WriteError> {
        let columns = self.widths.get(group).copied().unwrap_or(0);
        if columns != values.len() || group >= self.widths.len() {
            return Err(WriteError::Shape {
                group,
                values: values.len(),
                columns,
            });
        }
        self.line.clear();
        self.line.push(b'[');
        push_u64(&mut self.line, group as u64);
        for n in [t, cost] {
            self.line.push(b',');
            push_u64(&mut self.line, n);
        }
        for value in values {
            self.line.push(b',');
            push_value(&mut self.line, *value);
        }
        self.line.extend_from_slice(b"]\n");
        self.flush_line()
    }

    /// Announces the columns of the samples of `group` from here on (all of them).
    pub fn columns(&mut self, group: usize, columns: &[String]) -> Result<(), WriteError> {
        match self.widths.get_mut(group) {
            Some(width) => *width = columns.len(),
            None => {
                let values = columns.len();
                return Err(WriteError::Shape {
                    group,
                    values,
                    columns: 0,
                });
            }
        }
        self.json(&Notice::Columns {
            group,
            columns: columns.to_vec(),
        })
    }

    /// Announces a group that was not in the header; returns its index.
    pub fn add_group(&mut self, t: u64, group: &Group) -> Result<usize, WriteError> {
        self.widths.push(group.columns.len());
        let group = group.clone();
        self.json(&Notice::Group { t_ns: t, group })?;
        Ok(self.widths.len() - 1)
    }

    /// Writes an event.
    pub fn event(&mut self, event: &Event) -> Result<(), WriteError> {
        match &event.kind {
            EventKind::Other(value) => self.json(value),
            _ => self.json(event),
        }
    }

    /// Writes the footer: without it a recording counts as cut.
    pub fn finish(mut self, footer: &Footer) -> Result<(), WriteError> {
        let (lines, footer) = (Some(self.lines), footer.clone());
        self.json(&Notice::Footer { lines, footer })?;
        self.flush()
    }

    /// Writes a recording that is known whole: samples and events by time, then the footer.
    ///
    /// # Errors
    /// As the other calls.
    pub fn whole(mut self, recording: &Recording) -> Result<(), WriteError> {
        let mut samples: Vec<(u64, usize, usize)> = Vec::new();
        for (group, table) in recording.tables.iter().enumerate() {
            samples.extend((0..table.len()).map(|sample| (table.t[sample], sample, group)));
        }
        // By time, then tick by tick in the order of the groups.
        samples.sort_unstable();
        let mut events = recording.events.iter().peekable();
        for (t, sample, group) in samples {
            while let Some(event) = events.next_if(|event| event.t < t) {
                self.event(event)?;
            }
            let table = &recording.tables[group];
            let width = table.columns.len();
            let values = &table.values[sample * width..(sample + 1) * width];
            self.sample(group, t, table.cost[sample], values)?;
        }
        for event in events {
            self.event(event)?;
        }
        match &recording.footer {
            Some(footer) => self.finish(footer),
            None => self.flush(),
        }
    }

    fn json(&mut self, object: &impl Serialize) -> Result<(), WriteError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, object).map_err(|e| WriteError::Output {
            name: "memory".into(),
            source: e.into(),
        })?;
        self.line.push(b'\n');
        self.flush_line()
    }

    fn flush_line(&mut self) -> Result<(), WriteError> {
        self.lines += 1;
        if let Some(held) = &mut self.held {
            held.extend_from_slice(&self.line);
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        let result = self.put(&line);
        self.line = line;
        result
    }

    /// Every output gets the text even if another one fails; the first failure is returned.
    fn put(&mut self, text: &[u8]) -> Result<(), WriteError> {
        let mut result = Ok(());
        for output in &mut self.outputs {
            if output.broken {
                continue;
            }
            let written = output.sink.write_all(text);
            if let Err(source) = written.and_then(|()| output.sink.flush()) {
                output.broken = true;
                let name = output.name.clone();
                result = result.and(Err(WriteError::Output { name, source }));
            }
        }
        result
    }
}
