//! From a fleet file to a [`Fleet`], or to everything that is wrong with it.

use std::io::Read;
use std::path::Path;

use rand_distr::{Exp, LogNormal};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::dist::Dist;
use super::{Fault, FaultKind, Fleet, Service, setup, setups};
use crate::model::Card;
use crate::scenario::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::seed;
use crate::units;

/// A fleet file is a page of text.
const MAX_BYTES: usize = 1 << 20;

/// The fleets that come with memtide, by name.
pub const EXAMPLES: [(&str, &str); 3] = [
    (
        "mixed",
        include_str!("../../docs/examples/fleets/mixed.toml"),
    ),
    (
        "log-heavy",
        include_str!("../../docs/examples/fleets/log-heavy.toml"),
    ),
    (
        "batch",
        include_str!("../../docs/examples/fleets/batch.toml"),
    ),
];

/// No fleet is longer or larger: a mistyped number is refused, not simulated.
const DAYS_MAX: f64 = 366.0;
const PODS_MAX: u64 = 10_000_000;
/// Beyond it a floating-point number is no longer exact to one: 2^53.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// What a number is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Size,
    Rate,
    Share,
    Time,
    Count,
}

/// Reads a fleet file; what is no file and the name of one that comes with memtide is that one.
///
/// # Errors
/// With line, column and remedy of everything that is wrong.
pub fn load(path: &Path) -> Result<Fleet, Diagnostics> {
    let shown = path.display().to_string();
    let example = EXAMPLES.iter().find(|(name, _)| path == Path::new(name));
    if let Some((_, text)) = example.filter(|_| !path.exists()) {
        return parse(text, &shown);
    }
    let failed = |error: std::io::Error| {
        let names = EXAMPLES.map(|(name, _)| name).join("`, `");
        let why = Diagnostic::whole(format!("cannot read the file: {error}"))
            .help(format!("fleets that come with memtide: `{names}`"));
        Diagnostics::new(&shown, "", vec![why])
    };
    // No more than shows that it is too large.
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut file = file.take(MAX_BYTES as u64 + 1);
    file.read_to_string(&mut text).map_err(failed)?;
    parse(&text, &shown)
}

/// Reads a fleet from its text; `path` is only shown.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, path: &str) -> Result<Fleet, Diagnostics> {
    if text.len() > MAX_BYTES {
        let why = Diagnostic::whole("the file is larger than 1 MiB")
            .help("a fleet is a page of TOML; was another file meant?");
        return Err(Diagnostics::new(path, "", vec![why]));
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { found: Vec::new() };
    if !errors.is_empty() {
        let found = errors.iter().map(Diagnostic::from_toml).collect();
        return Err(Diagnostics::new(path, text, found));
    }
    let fleet = reader.fleet(root.get_ref(), text);
    match reader.found.is_empty() {
        true => Ok(fleet),
        false => Err(Diagnostics::new(path, text, reader.found)),
    }
}

struct Reader {
    found: Vec<Diagnostic>,
}

type Value<'a> = Spanned<DeValue<'a>>;

/// The keys of a service.
const SERVICE_KEYS: [&str; 15] = [
    "name",
    "weight",
    "limit",
    "live",
    "day",
    "gc",
    "gc_every",
    "lazy",
    "log",
    "line",
    "rotate",
    "keep",
    "readers",
    "restart_every",
    "fault",
];

impl Reader {
    fn fleet(&mut self, root: &DeTable<'_>, text: &str) -> Fleet {
        const KEYS: [&str; 7] = [
            "title", "pods", "days", "seed", "scrape", "cards", "service",
        ];
        self.known(root, &KEYS, "a fleet");
        let services = match root.get("service").map(|v| (v.get_ref(), v.span())) {
            Some((DeValue::Array(all), _)) if !all.is_empty() => {
                all.iter().map(|v| self.service(v)).collect()
            }
            other => {
                let message = "a fleet needs at least one `[[service]]`";
                self.found.push(match other {
                    Some((_, span)) => Diagnostic::at(span, message),
                    None => Diagnostic::whole(message),
                });
                Vec::new()
            }
        };
        Fleet {
            title: self.text(root, "title").unwrap_or_else(|| "a fleet".into()),
            hash: seed::text_hash(text),
            pods: self.whole(root, "pods", 1000, 1..=PODS_MAX),
            days: self.plain(root, "days", 7.0, DAYS_MAX),
            seed: self.whole(root, "seed", 1, 0..=u64::MAX),
            scrape_s: self.scrape(root),
            cards: self.cards(root),
            services,
        }
    }

    fn scrape(&mut self, root: &DeTable<'_>) -> f64 {
        let Some(value) = root.get("scrape") else {
            return 15.0;
        };
        match self.number(value, Kind::Time) {
            Some(seconds) if (1.0..=3600.0).contains(&seconds) => seconds,
            Some(_) => {
                self.wrong(value.span(), "`scrape` is between `1s` and `1h`");
                15.0
            }
            None => 15.0,
        }
    }

    fn cards(&mut self, root: &DeTable<'_>) -> Vec<&'static Card> {
        let names: Vec<&str> = setups().iter().map(|s| s.name.as_str()).collect();
        let Some(value) = root.get("cards") else {
            return ["6.1-v2", "6.12-v2", "6.12-v2-mglru"]
                .into_iter()
                .filter_map(setup)
                .collect();
        };
        let DeValue::Array(all) = value.get_ref() else {
            self.wrong(value.span(), "`cards` is a list of names");
            return Vec::new();
        };
        if all.is_empty() {
            self.wrong(value.span(), "`cards` names none");
        }
        let mut cards = Vec::new();
        for item in all.iter() {
            let name = item.get_ref().as_str().unwrap_or("");
            match setup(name) {
                Some(card) => cards.push(card),
                None => self.unknown(item.span(), "card", name, &names),
            }
        }
        cards
    }

    fn service(&mut self, value: &Value<'_>) -> Service {
        let empty = DeTable::new();
        let table = match value.get_ref() {
            DeValue::Table(table) => table,
            _ => {
                self.wrong(value.span(), "a service is a table: `[[service]]`");
                &empty
            }
        };
        self.known(table, &SERVICE_KEYS, "a service");
        let faults = self.faults(value, table);
        for key in ["name", "limit"] {
            if !table.contains_key(key) {
                self.wrong(value.span(), format!("a service needs `{key}`"));
            }
        }
        let fixed = Dist::Fixed;
        Service {
            name: self.text(table, "name").unwrap_or_default(),
            weight: self.plain(table, "weight", 1.0, 1e9),
            limit: self.dist(table, "limit", Kind::Size, fixed(268_435_456.0)),
            live: self.dist(table, "live", Kind::Share, fixed(0.3)),
            day: self.dist(table, "day", Kind::Share, fixed(0.0)),
            gc: self.dist(table, "gc", Kind::Share, fixed(0.0)),
            gc_every: self.dist(table, "gc_every", Kind::Time, fixed(120.0)),
            lazy: table.get("lazy").map_or(0.0, |v| self.share(v)),
            log: self.dist(table, "log", Kind::Rate, fixed(0.0)),
            line: self.dist(table, "line", Kind::Size, fixed(128.0)),
            rotate: self.dist(table, "rotate", Kind::Size, fixed(52_428_800.0)),
            keep: self.dist(table, "keep", Kind::Count, fixed(3.0)),
            readers: self.dist(table, "readers", Kind::Count, fixed(0.0)),
            restart_every: self.dist(table, "restart_every", Kind::Time, fixed(f64::INFINITY)),
            faults,
        }
    }

    fn faults(&mut self, value: &Value<'_>, table: &DeTable<'_>) -> Vec<Fault> {
        let faults = match table.get("fault").map(Spanned::get_ref) {
            Some(DeValue::Array(all)) => all.iter().map(|v| self.fault(v)).collect(),
            Some(_) => {
                self.wrong(table["fault"].span(), "a fault is `[[service.fault]]`");
                Vec::new()
            }
            None => Vec::new(),
        };
        if faults.iter().map(|f: &Fault| f.share).sum::<f64>() > 1.0 {
            self.wrong(
                value.span(),
                "the shares of its faults are above 100 % together",
            );
        }
        faults
    }

    fn fault(&mut self, value: &Value<'_>) -> Fault {
        let empty = DeTable::new();
        let table = match value.get_ref() {
            DeValue::Table(table) => table,
            _ => {
                self.wrong(value.span(), "a fault is a table: `[[service.fault]]`");
                &empty
            }
        };
        self.known(table, &["kind", "share", "fills_in"], "a fault");
        let words = FaultKind::ALL.map(FaultKind::word);
        let word = self.text(table, "kind").unwrap_or_default();
        let kind = FaultKind::from_word(&word);
        if kind.is_none() {
            let span = table
                .get("kind")
                .map_or_else(|| value.span(), Spanned::span);
            self.unknown(span, "kind of fault", &word, &words);
        }
        if !table.contains_key("share") {
            self.wrong(value.span(), "a fault needs `share`: of how many pods");
        }
        Fault {
            kind: kind.unwrap_or(FaultKind::Leak),
            share: table.get("share").map_or(0.0, |v| self.share(v)),
            fills_in: self.dist(
                table,
                "fills_in",
                Kind::Time,
                Dist::Uniform(7200.0, 86_400.0),
            ),
        }
    }

    fn dist(&mut self, table: &DeTable<'_>, key: &str, kind: Kind, default: Dist) -> Dist {
        let Some(value) = table.get(key) else {
            return default;
        };
        let made = match value.get_ref() {
            DeValue::Table(inner) => self.drawn(value, inner, kind),
            _ => self.number(value, kind).map(Dist::Fixed),
        };
        made.unwrap_or(default)
    }

    fn drawn(&mut self, value: &Value<'_>, table: &DeTable<'_>, kind: Kind) -> Option<Dist> {
        const KEYS: [&str; 4] = ["uniform", "choice", "exponential", "log_normal"];
        self.known(table, &KEYS, "a distribution");
        let (key, inner) = match table.iter().next() {
            Some((key, inner)) if table.len() == 1 => (key.get_ref().to_string(), inner),
            _ => {
                self.wrong(value.span(), "a distribution has exactly one of `uniform`, `choice`, `exponential`, `log_normal`");
                return None;
            }
        };
        match (key.as_str(), inner.get_ref()) {
            ("uniform" | "choice", DeValue::Array(items)) => {
                let all: Option<Vec<f64>> = items.iter().map(|v| self.number(v, kind)).collect();
                match (key.as_str(), all?.as_slice()) {
                    ("uniform", [low, high]) if low <= high => Some(Dist::Uniform(*low, *high)),
                    ("choice", all) if !all.is_empty() => Some(Dist::Choice(all.to_vec())),
                    (key, all) => {
                        let how = match key {
                            "uniform" => "`uniform` is two numbers, the lower one first",
                            _ => "`choice` is one number or more",
                        };
                        let found = Diagnostic::at(inner.span(), how);
                        self.found.push(match all {
                            [high, low] if high > low && key == "uniform" => {
                                found.help("they stand the other way round")
                            }
                            _ => found,
                        });
                        None
                    }
                }
            }
            ("exponential", _) => {
                let mean = self.number(inner, kind)?;
                let exp = Exp::new(1.0 / mean).ok().filter(|_| mean > 0.0);
                if exp.is_none() {
                    self.wrong(inner.span(), "the mean of `exponential` is above 0");
                }
                exp.map(Dist::Exponential)
            }
            ("log_normal", DeValue::Table(parts)) => self.log_normal(inner, parts, kind),
            _ => {
                self.wrong(inner.span(), "write it as `{ uniform = [LOW, HIGH] }`, `{ choice = [A, B] }`, `{ exponential = MEAN }` or `{ log_normal = { median = M, sigma = 0.8 } }`");
                None
            }
        }
    }

    fn log_normal(&mut self, at: &Value<'_>, parts: &DeTable<'_>, kind: Kind) -> Option<Dist> {
        self.known(parts, &["median", "sigma"], "`log_normal`");
        let (Some(median), Some(sigma)) = (parts.get("median"), parts.get("sigma")) else {
            self.wrong(at.span(), "`log_normal` needs `median` and `sigma`");
            return None;
        };
        let (median, sigma) = (self.number(median, kind)?, self.number(sigma, Kind::Count)?);
        let normal = LogNormal::new(median.ln(), sigma).ok();
        let normal = normal.filter(|_| median > 0.0 && sigma <= 5.0);
        if normal.is_none() {
            self.wrong(at.span(), "the median is above 0, sigma between 0 and 5");
        }
        normal.map(Dist::LogNormal)
    }

    /// A number in its unit: bytes, bytes a second, a share, seconds, or a plain one.
    fn number(&mut self, value: &Value<'_>, kind: Kind) -> Option<f64> {
        let plain = |text: &str| text.replace('_', "").parse().map_err(|_| String::new());
        let parsed = match (value.get_ref(), kind) {
            (DeValue::String(text), Kind::Size) => text_of(units::parse_bytes(text), |n| n as f64),
            (DeValue::String(text), Kind::Rate) => text_of(units::parse_rate(text), |n| n as f64),
            (DeValue::String(text), Kind::Share) => {
                text_of(units::parse_percent(text), |n| n / 100.0)
            }
            (DeValue::String(text), Kind::Time) => {
                text_of(units::parse_duration(text), |d| d.as_secs_f64())
            }
            (DeValue::Integer(n), Kind::Size | Kind::Count) => plain(n.as_str()),
            (DeValue::Float(n), Kind::Count) => plain(n.as_str()),
            _ => Err(String::new()),
        };
        let example = match kind {
            Kind::Size => "a size: `256MiB`",
            Kind::Rate => "a rate: `20KiB/s`",
            Kind::Share => "a share: `40%`",
            Kind::Time => "a time: `10m`",
            Kind::Count => "a number: `2`",
        };
        match parsed {
            Ok(number) if kind == Kind::Share && number > 1.0 => {
                self.wrong(value.span(), "a share is at most `100%`");
                None
            }
            Ok(number) if (0.0..=LARGEST).contains(&number) => Some(number),
            Ok(number) if number > LARGEST && number.is_finite() => {
                self.wrong(value.span(), "the number is too large: at most 2^53");
                None
            }
            Err(why) if !why.is_empty() => {
                self.wrong(value.span(), why);
                None
            }
            _ => {
                self.wrong(
                    value.span(),
                    format!("expected {example}, or a distribution of them"),
                );
                None
            }
        }
    }

    fn share(&mut self, value: &Value<'_>) -> f64 {
        self.number(value, Kind::Share).unwrap_or(0.0)
    }

    fn plain(&mut self, table: &DeTable<'_>, key: &str, default: f64, most: f64) -> f64 {
        let Some(value) = table.get(key) else {
            return default;
        };
        match self.number(value, Kind::Count) {
            Some(number) if number > 0.0 && number <= most => number,
            Some(_) => {
                self.wrong(
                    value.span(),
                    format!("`{key}` is above 0 and at most {most}"),
                );
                default
            }
            None => default,
        }
    }

    fn whole(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        let Some(value) = table.get(key) else {
            return default;
        };
        let number = match value.get_ref() {
            DeValue::Integer(n) => n.as_str().replace('_', "").parse().ok(),
            _ => None,
        };
        match number.filter(|n| range.contains(n)) {
            Some(number) => number,
            None => {
                let (low, high) = (range.start(), range.end());
                self.wrong(
                    value.span(),
                    format!("`{key}` is a whole number from {low} to {high}"),
                );
                default
            }
        }
    }

    fn text(&mut self, table: &DeTable<'_>, key: &str) -> Option<String> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.to_string()),
            _ => {
                self.wrong(value.span(), format!("`{key}` is a text in quotes"));
                None
            }
        }
    }

    fn known(&mut self, table: &DeTable<'_>, keys: &[&str], what: &str) {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !keys.contains(&name) {
                self.unknown(key.span(), &format!("key of {what}"), name, keys);
            }
        }
    }

    fn unknown(&mut self, span: Span, what: &str, name: &str, allowed: &[&str]) {
        let all = allowed.join("`, `");
        let hint = did_you_mean(name, allowed.iter().copied());
        let help = format!("{hint}there are `{all}`");
        let message = format!("unknown {what} `{name}`");
        self.found.push(
            Diagnostic::at(span, message)
                .label("not known here")
                .help(help),
        );
    }

    fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.found.push(Diagnostic::at(span, message));
    }
}

fn text_of<T>(
    parsed: Result<T, units::UnitError>,
    number: impl Fn(T) -> f64,
) -> Result<f64, String> {
    parsed.map(number).map_err(|error| error.to_string())
}
