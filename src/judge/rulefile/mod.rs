//! Rules as they lie about in repositories: in groups, as a bare list, in a `PrometheusRule`, in a
//! ConfigMap, in a Helm chart's values, in the code blocks of a page; several documents a file.
//!
//! Whatever the frame, the rules in it are taken, with the line of each, and written anew as
//! the one form that promtool reads.

mod error;
mod frame;
mod place;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use error::{RuleFileError, templates};

/// Larger files are nobody's rules.
pub const SIZE_MAX: u64 = 4 << 20;

/// The name under which standard input is given and shown.
pub const STDIN: &str = "-";

/// A file's rules.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleFile {
    /// The file's name as it was given.
    pub shown: String,
    /// Groups in the file's order.
    pub groups: Vec<Group>,
    /// What was left out, in words, and of which file.
    pub notes: Vec<String>,
}

/// Rules that are evaluated one after the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// Its name; empty where the rules had no group.
    pub name: String,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Rule {
    /// The alert it raises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// The series it records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The expression, PromQL.
    pub expr: String,
    /// How long it must hold, as Prometheus writes durations.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Labels it adds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The line of its name, from 1.
    #[serde(skip)]
    pub line: usize,
    /// The line on which its expression begins, from 1.
    #[serde(skip)]
    pub expr_line: usize,
}

impl Rule {
    /// The alert's or the recorded series' name.
    pub fn name(&self) -> &str {
        let own = self.alert.as_deref().or(self.record.as_deref());
        own.unwrap_or("")
    }
}

impl RuleFile {
    /// Reads what a path means: a file, standard input for `-`, or every rule file below a folder.
    pub fn open(path: &Path) -> Result<Vec<RuleFile>, RuleFileError> {
        let shown = path.display().to_string();
        if shown == STDIN {
            let text = read(std::io::stdin(), "standard input")?;
            return Ok(vec![RuleFile::parse(&text, "standard input")?]);
        }
        let io = |source| RuleFileError::Io {
            path: shown.clone(),
            source,
        };
        if !fs::metadata(path).map_err(io)?.is_dir() {
            let text = read(fs::File::open(path).map_err(io)?, &shown)?;
            return Ok(vec![RuleFile::parse(&text, &shown)?]);
        }
        let mut paths = Vec::new();
        yaml_files(path, &mut paths)?;
        paths.sort();
        let mut all: Vec<RuleFile> = Vec::new();
        let mut faults = Vec::new();
        for path in paths {
            let shown = path.display().to_string();
            let io = |source| RuleFileError::Io {
                path: shown.clone(),
                source,
            };
            let text = read(fs::File::open(&path).map_err(io)?, &shown)?;
            match RuleFile::parse(&text, &shown) {
                // A folder has other files, too: values, kustomizations, tests.
                Err(RuleFileError::NoRules { .. }) => {}
                Err(fault) => faults.push(fault),
                Ok(file) => all.push(file),
            }
        }
        // One template among them is no reason to judge none; what can't be read is said.
        let at = all.iter().position(RuleFile::has_alerts).unwrap_or(0);
        let Some(first) = all.get_mut(at) else {
            return Err(match faults.into_iter().next() {
                Some(fault) => fault,
                None => RuleFileError::EmptyFolder { path: shown },
            });
        };
        let left_out = faults
            .into_iter()
            .map(|fault| format!("{fault}; it is left out"));
        first.notes.extend(left_out);
        Ok(all)
    }

    /// Finds the rules in a text, whatever their frame.
    pub fn parse(text: &str, shown: &str) -> Result<RuleFile, RuleFileError> {
        let text = text.trim_start_matches('\u{feff}');
        let found = frame::rules(text, shown).map_err(|error| place::error(error, text))?;
        let mut file = RuleFile {
            shown: shown.to_owned(),
            groups: found.groups,
            notes: found
                .notes
                .iter()
                .map(|n| format!("{shown}: {n}"))
                .collect(),
        };
        place::place(&mut file, text);
        if file.rules().next().is_none() {
            return Err(error::no_rules(text, shown, found.frame));
        }
        error::templates_in(&file, text)?;
        Ok(file)
    }

    /// All rules, in order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }

    /// Whether something in it can fire.
    pub fn has_alerts(&self) -> bool {
        self.rules().any(|rule| rule.alert.is_some())
    }
}

/// A text of at most [`SIZE_MAX`].
fn read(from: impl Read, shown: &str) -> Result<String, RuleFileError> {
    let mut bytes = Vec::new();
    let path = shown.to_owned();
    match from.take(SIZE_MAX + 1).read_to_end(&mut bytes) {
        Err(source) => Err(RuleFileError::Io { path, source }),
        Ok(_) if bytes.len() as u64 > SIZE_MAX => Err(RuleFileError::TooLarge { path }),
        Ok(_) => String::from_utf8(bytes).map_err(|error| RuleFileError::NoText {
            path,
            at: error.utf8_error().valid_up_to(),
        }),
    }
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), RuleFileError> {
    let error = |source| RuleFileError::Io {
        path: folder.display().to_string(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(error)? {
        let entry = entry.map_err(error)?;
        let path = entry.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        // Not through symbolic links: they may lead back up.
        if entry.file_type().map_err(error)?.is_dir() {
            yaml_files(&path, files)?;
        } else if ["yaml", "yml", "rules", "json"].contains(&extension) {
            files.push(path);
        }
    }
    Ok(())
}

/// Groups as promtool reads them: numbered names, so that two of one name don't clash.
pub fn promtool_text(groups: &[Group]) -> String {
    let all: Vec<serde_json::Value> = groups
        .iter()
        .enumerate()
        .map(|(nth, group)| serde_json::json!({"name": format!("g{nth}"), "rules": group.rules}))
        .collect();
    // JSON is YAML.
    serde_json::json!({ "groups": all }).to_string()
}

#[cfg(test)]
mod tests;
