//! Workloads: sizes resolved under the container's limit, bounds checked, files and regions known.

use std::collections::BTreeSet;

use super::Context;
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::suggest;
use crate::scenario::wire::*;
use crate::units::{Size, bytes_exact};
use crate::workload::*;

const DEFAULT_FILE: &str = "app.log";
const DEFAULT_REGION: &str = "heap";
/// Enough for a system call to be cheap beside its bytes, small beside every limit.
const DEFAULT_CHUNK: u64 = 64 << 10;
/// One read(2) or one buffer: more brings nothing, and it is memory of the worker's own.
const MOST_CHUNK: u64 = 64 << 20;

/// What steps can refer to beyond their own actor.
pub struct Scope {
    files: BTreeSet<String>,
    /// A command can write any file.
    anything: bool,
}

impl Scope {
    /// From all steps of the scenario.
    pub fn of<'a>(steps: impl Iterator<Item = &'a At<WireStep>>) -> Self {
        let mut scope = Scope {
            files: BTreeSet::new(),
            anything: false,
        };
        for step in steps {
            if let Some(log) = &step.value.log_write {
                scope.files.insert(text_or(&log.value.file, DEFAULT_FILE));
            }
            scope.anything |= step.value.exec.is_some();
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
    let given: Vec<Workload> = [
        s.log_write.as_ref().map(|w| r.log_write(w)),
        s.file_read.as_ref().map(|w| r.file_read(w)),
        s.unlink.as_ref().map(|w| r.unlink(w)),
        s.anon.as_ref().map(|w| r.anon(w)),
        s.heap_churn.as_ref().map(|w| r.heap_churn(w)),
        s.release.as_ref().map(|w| r.release(w)),
        s.rewrite.as_ref().map(|w| r.rewrite(w)),
        s.sleep.as_ref().map(|w| r.sleep(w)),
        s.exec.as_ref().map(|w| r.exec(w)),
    ]
    .into_iter()
    .flatten()
    .collect();
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

struct Reader<'a> {
    cx: &'a mut Context,
    limit: u64,
    scope: &'a Scope,
    regions: &'a mut BTreeSet<String>,
}

impl Reader<'_> {
    fn log_write(&mut self, at: &At<WireLogWrite>) -> Workload {
        let w = &at.value;
        let rate = w.rate.as_ref().and_then(|r| self.cx.read(r));
        let total = w.total.as_ref().map(|t| self.size(t, 1));
        let duration_ms = w.duration.as_ref().map(|d| self.millis(d));
        // Every log that is written must come to an end, and the disk must be known to hold it.
        if total.is_none() && !(rate.is_some() && duration_ms.is_some()) {
            self.cx.error(
                Diagnostic::at(at.span.clone(), "the log would grow without bound")
                    .help("give `total`, or both `rate` and `duration`"),
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

    fn file_read(&mut self, at: &At<WireFileRead>) -> Workload {
        let w = &at.value;
        Workload::FileRead(FileRead {
            file: self.known_file(w.file.as_ref(), &at.span),
            passes: self.count(w.passes.as_ref(), 1, 1..=1_000_000),
            chunk: self.chunk(w.chunk.as_ref(), DEFAULT_CHUNK, 1),
            follow: w.follow.as_ref().map(|f| self.size(f, 1)),
            rate: w.rate.as_ref().and_then(|r| self.cx.read(r)),
        })
    }

    fn unlink(&mut self, at: &At<WireUnlink>) -> Workload {
        Workload::Unlink(Unlink {
            file: self.known_file(Some(&at.value.file), &at.span),
        })
    }

    fn anon(&mut self, at: &At<WireAnon>) -> Workload {
        let w = &at.value;
        let region = text_or(&w.region, DEFAULT_REGION);
        self.regions.insert(region.clone());
        Workload::Anon(Anon {
            region,
            size: self.size(&w.size, 1),
            rate: w.rate.as_ref().and_then(|r| self.cx.read(r)),
            chunk: self.chunk(w.chunk.as_ref(), DEFAULT_CHUNK, 1),
            leak: w.leak,
            huge: w.huge.unwrap_or(Huge::Never),
        })
    }

    fn heap_churn(&mut self, at: &At<WireHeapChurn>) -> Workload {
        let w = &at.value;
        Workload::HeapChurn(HeapChurn {
            live: self.size(&w.live, 1),
            size: self.dist(&w.size),
            lifetime: self.dist(&w.lifetime),
            total: self.size(&w.total, 1),
            rate: w.rate.as_ref().and_then(|r| self.cx.read(r)),
        })
    }

    fn release(&mut self, at: &At<WireRelease>) -> Workload {
        let w = &at.value;
        Workload::Release(Release {
            region: self.known_region(w.region.as_ref(), &at.span),
            advice: w.advice,
            share: self.share(w.share.as_ref()),
        })
    }

    fn rewrite(&mut self, at: &At<WireRewrite>) -> Workload {
        let w = &at.value;
        Workload::Rewrite(Rewrite {
            region: self.known_region(w.region.as_ref(), &at.span),
            share: self.share(w.share.as_ref()),
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
            env: w.env.clone().into_iter().collect(),
            duration_ms: w.duration.as_ref().map(|d| self.millis(d)),
        })
    }
}

/// The parts workloads are made of.
impl Reader<'_> {
    fn size(&mut self, at: &At<WireSize>, least: u64) -> u64 {
        let Some(size) = self.cx.read(at) else {
            return least;
        };
        self.cx
            .sane(at.span.clone(), size.resolve(self.limit), least)
    }

    fn chunk(&mut self, at: Option<&At<WireSize>>, default: u64, least: u64) -> u64 {
        let Some(at) = at else { return default };
        let bytes = self.size(at, least);
        if bytes > MOST_CHUNK {
            let message = format!("{} at a time is too much", bytes_exact(bytes));
            self.cx.error(
                Diagnostic::at(at.span.clone(), message)
                    .label(format!("at most {}", bytes_exact(MOST_CHUNK))),
            );
            return default;
        }
        bytes
    }

    fn millis(&mut self, at: &At<WireTime>) -> u64 {
        let range = std::time::Duration::from_millis(1)..=std::time::Duration::from_secs(3600);
        let time = self
            .cx
            .time(Some(at), range, std::time::Duration::from_millis(1));
        time.as_millis().min(u128::from(u64::MAX)) as u64
    }

    fn count(
        &mut self,
        at: Option<&At<u64>>,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        let Some(at) = at else { return default };
        if !range.contains(&at.value) {
            self.cx.error(
                Diagnostic::at(at.span.clone(), format!("{} is out of range", at.value))
                    .label(format!("from {} to {}", range.start(), range.end())),
            );
        }
        at.value
    }

    fn share(&mut self, at: Option<&At<WireShare>>) -> f64 {
        let Some(at) = at else { return 100.0 };
        match self.cx.read(at) {
            Some(share) if share > 0.0 && share <= 100.0 => share,
            Some(_) => {
                self.cx.error(Diagnostic::at(
                    at.span.clone(),
                    "a share of a region is above 0% and up to 100%",
                ));
                100.0
            }
            None => 100.0,
        }
    }

    fn fsync(&mut self, at: Option<&At<String>>) -> Fsync {
        let Some(at) = at else { return Fsync::Never };
        match at.value.as_str() {
            "never" => Fsync::Never,
            "end" => Fsync::End,
            text => match Size::parse(text) {
                Ok(size) => {
                    let bytes = size.resolve(self.limit);
                    Fsync::Every(self.cx.sane(at.span.clone(), bytes, 1))
                }
                Err(_) => {
                    self.cx.error(
                        Diagnostic::at(at.span.clone(), format!("unknown `fsync`: `{text}`")).help(
                            "`never`, `end`, or a size like `8MiB`: after every so many bytes",
                        ),
                    );
                    Fsync::Never
                }
            },
        }
    }

    fn dist_or(&mut self, at: Option<&At<WireDist>>, default: Dist) -> Dist {
        at.map_or(default, |at| self.dist(at))
    }

    fn dist(&mut self, at: &At<WireDist>) -> Dist {
        let drawn = match &at.value {
            WireDist::Fixed(text) => {
                let fixed = At {
                    span: at.span.clone(),
                    value: text.clone(),
                };
                return Dist::Fixed(self.cx.bytes(&fixed, 1));
            }
            WireDist::Drawn(drawn) => drawn,
        };
        match (&drawn.uniform, &drawn.exponential, &drawn.log_normal) {
            (Some(ends), None, None) => self.uniform(ends),
            (None, Some(mean), None) => Dist::Exponential(self.cx.bytes(mean, 1) as f64),
            (None, None, Some(ln)) => self.log_normal(&ln.value),
            _ => {
                self.cx.error(
                    Diagnostic::at(at.span.clone(), "exactly one distribution is needed")
                        .help("one of `uniform`, `exponential` and `log_normal`"),
                );
                Dist::Fixed(1)
            }
        }
    }

    fn uniform(&mut self, at: &At<Vec<At<WireBytes>>>) -> Dist {
        if let [low, high] = at.value.as_slice() {
            let (low, high) = (self.cx.bytes(low, 1), self.cx.bytes(high, 1));
            if low <= high {
                return Dist::Uniform(low, high);
            }
        }
        self.cx.error(
            Diagnostic::at(
                at.span.clone(),
                "`uniform` needs a lowest and a highest value",
            )
            .help("write `uniform = [\"64B\", \"512B\"]`"),
        );
        Dist::Fixed(1)
    }

    fn log_normal(&mut self, wire: &WireLogNormal) -> Dist {
        // At sigma 5 a value in a thousand is five million times the median.
        if !(wire.sigma.value > 0.0 && wire.sigma.value <= 5.0) {
            self.cx.error(Diagnostic::at(
                wire.sigma.span.clone(),
                "`sigma` is not between 0 and 5",
            ));
        }
        Dist::LogNormal(self.cx.bytes(&wire.median, 1) as f64, wire.sigma.value)
    }

    /// Files live in the work directory and nowhere else.
    fn file_name(&mut self, at: Option<&At<String>>) -> String {
        let Some(at) = at else {
            return DEFAULT_FILE.into();
        };
        let name = at.value.as_str();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(plain)
        {
            self.cx.error(
                Diagnostic::at(
                    at.span.clone(),
                    format!("{name:?} cannot be the name of a file"),
                )
                .help("a plain name in the work directory: letters, digits, `.`, `-` and `_`"),
            );
        }
        name.into()
    }

    fn known_file(&mut self, at: Option<&At<String>>, span: &Span) -> String {
        let name = self.file_name(at);
        if !self.scope.anything && !self.scope.files.contains(&name) {
            let known: Vec<&str> = self.scope.files.iter().map(String::as_str).collect();
            let span = at.map_or(span, |at| &at.span).clone();
            self.cx.error(Diagnostic {
                help: suggest::help(&name, "files that are written", &known),
                ..Diagnostic::at(span, format!("no step writes a file `{name}`"))
            });
        }
        name
    }

    fn known_region(&mut self, at: Option<&At<String>>, span: &Span) -> String {
        let name = at.map_or(DEFAULT_REGION, |at| &at.value).to_string();
        if !self.regions.contains(&name) {
            let known: Vec<&str> = self.regions.iter().map(String::as_str).collect();
            let span = at.map_or(span, |at| &at.span).clone();
            self.cx.error(Diagnostic {
                help: suggest::help(&name, "regions there are by then", &known).or(Some(
                    "an `anon` step of the same actor must have made the region before".into(),
                )),
                ..Diagnostic::at(span, format!("there is no region `{name}` yet"))
            });
        }
        name
    }
}

fn text_or(at: &Option<At<String>>, default: &str) -> String {
    at.as_ref().map_or(default, |at| &at.value).to_string()
}
