//! From text to a [`Scenario`], or to everything that is wrong with it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
use toml::de::DeTable;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::wire::WireScenario;
use super::{Scenario, lower, schema, shape};

/// A scenario is a page of text. What is larger is another file given by mistake.
pub const MAX_BYTES: u64 = 1 << 20;

/// What the command line may replace in a scenario before its sizes are resolved.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overrides {
    /// The memory limit of every container, bytes.
    pub limit: Option<u64>,
}

/// Reads a scenario from its text.
///
/// `path` is what error messages call the file; `name` is the scenario's name (the file's name
/// without `.toml`).
pub fn parse(text: &str, path: &str, name: &str) -> Result<Scenario, Diagnostics> {
    parse_with(text, path, name, Overrides::default())
}

/// Reads a scenario, with values from the command line in place of its own.
pub fn parse_with(
    text: &str,
    path: &str,
    name: &str,
    overrides: Overrides,
) -> Result<Scenario, Diagnostics> {
    let fail = |list| Err(Diagnostics::new(path, text, list));
    if text.len() as u64 > MAX_BYTES {
        // The text itself is left out: nobody wants a megabyte of it in an error.
        return Err(Diagnostics::new(path, "", vec![too_large()]));
    }
    if text.trim().is_empty() {
        return fail(vec![Diagnostic::whole("the file is empty").help(
            "a scenario needs at least `title`, `story`, `limit`, `[truth]` and one `[[step]]`; \
             `memtide show log-write --toml` prints one to start from",
        )]);
    }
    match read(text, name, overrides) {
        Ok(scenario) => Ok(scenario),
        Err(list) => fail(list),
    }
}

/// Reads a scenario file. The file's name without `.toml` is the scenario's name.
pub fn load(path: &Path, overrides: Overrides) -> Result<Scenario, Diagnostics> {
    let shown = path.display().to_string();
    let text = read_text(path).map_err(|d| Diagnostics::new(&shown, "", vec![d]))?;
    let name = path
        .file_stem()
        .map_or_else(|| "scenario".into(), |stem| stem.to_string_lossy());
    parse_with(&text, &shown, &name, overrides)
}

fn read_text(path: &Path) -> Result<String, Diagnostic> {
    let unreadable = |e: std::io::Error| Diagnostic::whole(format!("cannot read the file: {e}"));
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() > MAX_BYTES {
        return Err(too_large());
    }
    // A pipe tells no size, and a file can grow: the bound holds for what is read, too.
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|e| {
        Diagnostic::whole(format!(
            "the file is not text: byte {} is not UTF-8",
            e.utf8_error().valid_up_to()
        ))
        .help("a scenario is a TOML file; was a recording or another binary meant?")
    })
}

fn too_large() -> Diagnostic {
    Diagnostic::whole(format!(
        "the file is larger than {}",
        crate::units::bytes(MAX_BYTES)
    ))
    .help("a scenario is a page of TOML; was another file meant?")
}

/// Syntax, then shape, then meaning: each stage tells all it finds, and the next one only starts
/// on what the last one found right.
fn read(text: &str, name: &str, overrides: Overrides) -> Result<Scenario, Vec<Diagnostic>> {
    static SCHEMA: LazyLock<Value> = LazyLock::new(schema::json_schema);

    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(Diagnostic::from_toml).collect());
    }
    let found = shape::check(&root, &SCHEMA);
    if !found.is_empty() {
        return Err(found);
    }
    let wire = WireScenario::deserialize(toml::Deserializer::from(root))
        .map_err(|e| vec![Diagnostic::from_toml(&e)])?;
    lower::scenario(wire, text, name, overrides)
}
