//! Workloads: sizes resolved under the container's limit, bounds checked, files and regions known.

use std::collections::BTreeSet;

use super::Context;
use super::parts::text_or;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::suggest;
use crate::scenario::wire::*;
use crate::workload::*;

pub(super) const DEFAULT_FILE: &str = "app.log";
pub(super) const DEFAULT_REGION: &str = "heap";
/// Enough for a system call to be cheap beside its bytes, small beside every limit.
pub(super) const DEFAULT_CHUNK: u64 = 64 << 10;
/// One read(2) or one buffer: more brings nothing, and it is memory of the worker's own.
pub(super) const MOST_CHUNK: u64 = 64 << 20;

/// What steps can refer to beyond their own actor.
pub struct Scope {
    pub(super) files: BTreeSet<String>,
    /// A command can write any file.
    pub(super) anything: bool,
    /// Files in memory.
    pub(super) in_memory: BTreeSet<String>,
}

impl Scope {
    /// From all steps of the scenario.
    pub fn of<'a>(steps: impl Iterator<Item = &'a At<WireStep>>) -> Self {
        let mut scope = Scope {
            files: BTreeSet::new(),
            anything: false,
            in_memory: BTreeSet::new(),
        };
        for step in steps {
            if let Some(log) = &step.value.log_write {
                scope.files.insert(text_or(&log.value.file, DEFAULT_FILE));
            }
            if let Some(fill) = &step.value.tmpfs_fill {
                scope.in_memory.insert(fill.value.file.value.clone());
            }
            scope.anything |= step.value.exec.is_some() || step.value.serve.is_some();
        }
        scope
    }
}

/// The one workload of a step. `regions` are those the actor has made so far.
pub fn read(
    cx: &mut Context,
    step: &At<WireStep>,
    limit: u64,
    scope: &Scope,
    regions: &mut BTreeSet<String>,
) -> Option<Workload> {
    let mut r = Reader {
        cx,
        limit,
        scope,
        regions,
    };
    let s = &step.value;
    macro_rules! each {
        ($($(#[$doc:meta])* $key:ident: $parameters:ident,)+) => {
            [$(s.$key.as_ref().map(|w| r.$key(w))),+]
        };
    }
    let given: Vec<Workload> = workloads!(each).into_iter().flatten().collect();
    let count = given.len();
    if count != 1 {
        let what = if count == 0 {
            "nothing"
        } else {
            "several things"
        };
        r.cx.error(
            Diagnostic::at(
                s.name.span.clone(),
                format!("step `{}` does {what}", s.name.value),
            )
            .label("exactly one workload is needed")
            .help(format!("a step has one of {}", suggest::list(WORKLOADS))),
        );
        return None;
    }
    given.into_iter().next()
}

pub(super) struct Reader<'a> {
    pub(super) cx: &'a mut Context,
    pub(super) limit: u64,
    pub(super) scope: &'a Scope,
    pub(super) regions: &'a mut BTreeSet<String>,
}

impl Reader<'_> {
    fn log_write(&mut self, at: &At<WireLogWrite>) -> Workload {
        let w = &at.value;
        let rate = self.rate(&w.rate);
        let total = w.total.as_ref().map(|t| self.total(t));
        let duration_ms = w.duration.as_ref().map(|d| self.millis(d));
        // Every log that is written must come to an end, and the disk must be known to hold it.
        if total.is_none() && !(rate.is_some() && duration_ms.is_some()) {
            self.cx.wrong(
                &at.span,
                "the log would grow without bound",
                "give `total`, or both `rate` and `duration`",
            );
        }
        if let (Some(rate), Some(ms)) = (rate, duration_ms) {
            let bytes = (u128::from(rate) * u128::from(ms) / 1000).min(u128::from(u64::MAX));
            self.cx.sane(at.span.clone(), bytes as u64, 0);
        }
        let rotate = w.rotate.as_ref().map(|r| Rotate {
            size: self.size(&r.size, 1),
            mode: r.mode.unwrap_or(RotateMode::Rename),
            keep: self.count(r.keep.as_ref(), 3, 0..=1000),
        });
        Workload::LogWrite(LogWrite {
            file: self.file_name(w.file.as_ref()),
            line: self.dist_or(w.line.as_ref(), Dist::Fixed(128)),
            buffer: self.chunk(w.buffer.as_ref(), 0, 0),
            rate,
            total,
            duration_ms,
            fsync: self.fsync(w.fsync.as_ref()),
            rotate,
            keep_open: w.keep_open,
        })
    }

    fn sleep(&mut self, at: &At<WireTime>) -> Workload {
        Workload::Sleep(Sleep {
            duration_ms: self.millis(at),
        })
    }

    fn exec(&mut self, at: &At<WireExec>) -> Workload {
        let w = &at.value;
        Workload::Exec(Exec {
            command: self
                .cx
                .not_empty(&w.command, "command", "`[\"sleep\", \"1\"]`"),
            folder: None,
            files: self.put_files(&w.files),
            env: w.env.clone().into_iter().collect(),
            user: w.user.clone(),
            duration_ms: w.duration.as_ref().map(|d| self.millis(d)),
        })
    }
}
