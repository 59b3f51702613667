//! The parts workloads are made of: sizes, counts, shares, distributions, files and regions.

use super::workload::{DEFAULT_FILE, DEFAULT_REGION, MOST_CHUNK, Reader};
use crate::scenario::diagnostic::{Diagnostic, Span};
use crate::scenario::suggest;
use crate::scenario::wire::*;
use crate::units::{Size, bytes_exact};
use crate::workload::*;

impl Reader<'_> {
    pub(super) fn size(&mut self, at: &At<WireSize>, least: u64) -> u64 {
        let Some(size) = self.cx.read(at) else {
            return least;
        };
        self.cx
            .sane(at.span.clone(), size.resolve(self.limit), least)
    }

    /// How much is written, or allocated, in all. A share of the limit is cut to whole pages (of 64 KiB, which are whole
    /// ones on every machine; below that to 4 KiB): a total that ends inside a page makes all
    /// page-sized writes of the next step lie across two pages, and before 4.7 the second write to a
    /// page makes it active. Sizes in bytes are taken as they are.
    pub(super) fn total(&mut self, at: &At<WireSize>) -> u64 {
        const PAGES: [u64; 2] = [64 << 10, 4 << 10];
        let bytes = self.size(at, 1);
        match self.cx.read(at) {
            Some(Size::OfLimit(_)) => PAGES
                .into_iter()
                .find(|page| bytes >= *page)
                .map_or(bytes, |page| bytes - bytes % page),
            _ => bytes,
        }
    }

    pub(super) fn chunk(&mut self, at: Option<&At<WireSize>>, default: u64, least: u64) -> u64 {
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

    pub(super) fn millis(&mut self, at: &At<WireTime>) -> u64 {
        let range = std::time::Duration::from_millis(1)..=std::time::Duration::from_secs(3600);
        let time = self
            .cx
            .time(Some(at), range, std::time::Duration::from_millis(1));
        time.as_millis().min(u128::from(u64::MAX)) as u64
    }

    pub(super) fn count(
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

    pub(super) fn share(&mut self, at: Option<&At<WireShare>>) -> f64 {
        let Some(at) = at else { return 100.0 };
        match self.cx.read(at) {
            Some(share) if share > 0.0 && share <= 100.0 => share,
            Some(_) => {
                self.cx.wrong(
                    &at.span,
                    "a share of a region is above 0% and up to 100%",
                    "",
                );
                100.0
            }
            None => 100.0,
        }
    }

    pub(super) fn fsync(&mut self, at: Option<&At<String>>) -> Fsync {
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
                    self.cx.wrong(
                        &at.span,
                        format!("unknown `fsync`: `{text}`"),
                        "`never`, `end`, or a size like `8MiB`: after every so many bytes",
                    );
                    Fsync::Never
                }
            },
        }
    }

    pub(super) fn dist_or(&mut self, at: Option<&At<WireDist>>, default: Dist) -> Dist {
        at.map_or(default, |at| self.dist(at))
    }

    pub(super) fn dist(&mut self, at: &At<WireDist>) -> Dist {
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
                self.cx.wrong(
                    &at.span,
                    "exactly one distribution is needed",
                    "one of `uniform`, `exponential` and `log_normal`",
                );
                Dist::Fixed(1)
            }
        }
    }

    pub(super) fn uniform(&mut self, at: &At<Vec<At<WireBytes>>>) -> Dist {
        if let [low, high] = at.value.as_slice() {
            let (low, high) = (self.cx.bytes(low, 1), self.cx.bytes(high, 1));
            if low <= high {
                return Dist::Uniform(low, high);
            }
        }
        self.cx.wrong(
            &at.span,
            "`uniform` needs a lowest and a highest value",
            "write `uniform = [\"64B\", \"512B\"]`",
        );
        Dist::Fixed(1)
    }

    pub(super) fn log_normal(&mut self, wire: &WireLogNormal) -> Dist {
        // At sigma 5 a value in a thousand is five million times the median.
        if !(wire.sigma.value > 0.0 && wire.sigma.value <= 5.0) {
            self.cx
                .wrong(&wire.sigma.span, "`sigma` is not between 0 and 5", "");
        }
        Dist::LogNormal(self.cx.bytes(&wire.median, 1) as f64, wire.sigma.value)
    }

    /// Files live in the work directory and nowhere else.
    pub(super) fn file_name(&mut self, at: Option<&At<String>>) -> String {
        let Some(at) = at else {
            return DEFAULT_FILE.into();
        };
        let name = at.value.as_str();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(plain)
        {
            self.cx.wrong(
                &at.span,
                format!("{name:?} cannot be the name of a file"),
                "a plain name in the work directory: letters, digits, `.`, `-` and `_`",
            );
        }
        name.into()
    }

    pub(super) fn known_file(&mut self, at: Option<&At<String>>, span: &Span) -> String {
        let name = self.file_name(at);
        if !self.scope.anything && !self.scope.files.contains(&name) {
            let known: Vec<&str> = self.scope.files.iter().map(String::as_str).collect();
            let span = at.map_or(span, |at| &at.span).clone();
            self.cx.unknown(
                &span,
                format!("no step writes a file `{name}`"),
                suggest::help(&name, "files that are written", &known),
            );
        }
        name
    }

    pub(super) fn known_region(&mut self, at: Option<&At<String>>, span: &Span) -> String {
        let name = at.map_or(DEFAULT_REGION, |at| &at.value).to_string();
        if !self.regions.contains(&name) {
            let known: Vec<&str> = self.regions.iter().map(String::as_str).collect();
            let span = at.map_or(span, |at| &at.span).clone();
            self.cx.unknown(
                &span,
                format!("there is no region `{name}` yet"),
                suggest::help(&name, "regions there are by then", &known).or(Some(
                    "an `anon` step of the same actor must have made the region before".into(),
                )),
            );
        }
        name
    }
}

pub(super) fn text_or(at: &Option<At<String>>, default: &str) -> String {
    at.as_ref().map_or(default, |at| &at.value).to_string()
}
