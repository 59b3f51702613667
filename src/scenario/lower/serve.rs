//! Steps that serve: the worker's orders, and what the harness does about them.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::Context;
use super::workload::Reader;
use crate::scenario::spec::{Says, Serving, Source};
use crate::scenario::wire::{At, WireSays, WireServe, WireStep};
use crate::scenario::{programs, suggest};
use crate::workload::{Exec, Serve, Workload};

/// How long a service may take to become ready, and to stop, unless it is said.
const READY: Duration = Duration::from_secs(30);
const STOP_MS: u64 = 10_000;

impl Reader<'_> {
    pub(super) fn serve(&mut self, at: &At<WireServe>) -> Workload {
        let w = &at.value;
        let run = Exec {
            command: self
                .cx
                .not_empty(&w.command, "command", "`[\"redis-server\"]`"),
            folder: None,
            files: self.put_files(&w.files),
            env: w.env.clone().into_iter().collect(),
            user: w.user.clone(),
            duration_ms: None,
        };
        let stop_signal = w.stop_signal.as_ref().map_or(Signal::SIGTERM, |at| {
            at.value.parse().unwrap_or_else(|_| {
                let message = format!("{:?} is not a signal", at.value);
                self.cx
                    .wrong(&at.span, message, "as `SIGTERM`, `SIGINT` or `SIGQUIT`");
                Signal::SIGTERM
            })
        });
        let stop_ms = w.stop_within.as_ref().map(|d| self.millis(d));
        Workload::Serve(Serve {
            run,
            line: w.ready.as_ref().and_then(|r| r.line.clone()),
            stop_signal: stop_signal as i32,
            stop_ms: stop_ms.unwrap_or(STOP_MS),
            output: None,
        })
    }

    /// Files by name; a text `@NAME` is one of memtide's own programs.
    pub(super) fn put_files(
        &mut self,
        files: &BTreeMap<String, At<String>>,
    ) -> Vec<(String, String)> {
        let mut put = Vec::new();
        for (name, text) in files {
            let name = At {
                span: text.span.clone(),
                value: name.clone(),
            };
            let mut content = text.value.clone();
            if let Some(program) = content.strip_prefix('@') {
                match programs::find(program) {
                    Some(found) => content = found.to_string(),
                    None => {
                        let names: Vec<&str> = programs::names().collect();
                        let help = suggest::help(program, "the programs are", &names);
                        let message = format!("memtide has no program `{program}`");
                        self.cx.unknown(&text.span, message, help);
                    }
                }
            }
            put.push((self.file_name(Some(&name)), content));
        }
        put
    }
}

/// What the harness does about a step, if it serves; what it is to wait for is bound later.
pub(super) fn serving(cx: &mut Context, step: &WireStep) -> Option<Serving> {
    let w = &step.serve.as_ref()?.value;
    let ready = w.ready.as_ref();
    let range = Duration::from_millis(100)..=Duration::from_secs(3600);
    let port = ready.and_then(|r| r.port.as_ref());
    if let Some(at) =
        port.filter(|at| !at.value.starts_with("{port") && at.value.parse::<u16>().is_err())
    {
        let message = format!("{:?} is not a port", at.value);
        cx.wrong(&at.span, message, "a number, or `{port}` for a free one");
    }
    let says = w.truth.iter().filter_map(|(name, at)| says(cx, name, at));
    let says = says.collect();
    Some(Serving {
        until: Vec::new(),
        alone: false,
        port: port.map(|at| at.value.clone()),
        command: ready.map(|r| r.command.clone()).unwrap_or_default(),
        within: cx.time(ready.and_then(|r| r.within.as_ref()), range, READY),
        says,
    })
}

fn says(cx: &mut Context, name: &str, at: &At<WireSays>) -> Option<Says> {
    let w = &at.value;
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let taken = crate::truth::COUNTERS.contains(&name);
    if name.is_empty() || !name.chars().all(letter) || taken {
        let message = format!("{name:?} cannot be the name of what a service says");
        cx.wrong(
            &at.span,
            message,
            "lower-case letters, digits and `_`, and no counter of memtide's own truth",
        );
        return None;
    }
    let command = (!w.command.is_empty()).then(|| Source::Command(w.command.clone()));
    let file = w.file.clone().map(Source::File);
    let http = w.http.clone().map(Source::Http);
    let proc = w.proc.clone().map(Source::Process);
    let outside = w.proc.as_deref().filter(|file| !is_of_proc(file));
    if let Some(file) = outside {
        let message = format!("{file:?} is no file of /proc/PID");
        cx.wrong(&at.span, message, "as `status` or `smaps_rollup`");
    }
    let given = [command, file, http, proc];
    let mut given: Vec<Source> = given.into_iter().flatten().collect();
    let source = given.pop();
    let (Some(source), true) = (source, given.is_empty()) else {
        let message = format!("`{name}` needs exactly one of `command`, `file`, `http` and `proc`");
        cx.wrong(&at.span, message, "");
        return None;
    };
    cx.told.insert(name.into());
    let range = Duration::from_millis(50)..=Duration::from_secs(3600);
    Some(Says {
        name: name.into(),
        source,
        after: w.after.clone(),
        unit: w.unit.as_ref().map_or(1, |unit| cx.bytes(unit, 1)),
        every: cx.time(w.every.as_ref(), range, Duration::from_secs(1)),
    })
}

/// Whether this names a file right below `/proc/PID`.
pub(crate) fn is_of_proc(file: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c == '_';
    !file.is_empty() && file.chars().all(letter)
}
