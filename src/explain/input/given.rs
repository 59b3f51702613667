//! Numbers given on the command line: `--usage`, `--limit`, `--row name=value`.

use crate::explain::{ExplainError, Reading, names, number};

/// A reading of just these. A value is bytes or carries a unit; a row of /proc/meminfo goes by
/// its name there (`MemTotal=16393244kB`).
pub fn read(
    usage: Option<&str>,
    limit: Option<&str>,
    rows: &[String],
) -> Result<Reading, ExplainError> {
    let mut reading = Reading {
        label: "given on the command line".into(),
        source: "command line",
        ..Reading::default()
    };
    for (name, text) in [("usage", usage), ("limit", limit)] {
        if let Some(text) = text {
            reading.rows.set(name, value(name, text)?);
        }
    }
    for row in rows {
        let (name, text) = row.split_once('=').ok_or_else(|| {
            ExplainError::Given(format!(
                "--row {row:?} is not name=value; write it as --row inactive_file=334565376"
            ))
        })?;
        let (name, bytes) = (name.trim(), value(name, text.trim())?);
        match name {
            "working_set" => reading.working_set = Some(bytes),
            _ if names::is_meminfo(name) => reading.rows.set(format!("node:{name}"), bytes),
            _ if is_known(name) => reading.rows.set(name, bytes),
            _ => {
                return Err(ExplainError::Given(format!(
                    "--row {name:?} is no row of memory.stat, /proc/meminfo or a file beside them; \
                     write kernel names, like total_inactive_file, anon or memory.max"
                )));
            }
        }
    }
    reading.recognise();
    Ok(reading)
}

fn is_known(name: &str) -> bool {
    names::is_stat(name)
        || names::number_file(name).is_some()
        || ["memory.events:", "memory.oom_control:", "node:", "smaps:"]
            .iter()
            .any(|file| name.starts_with(file))
}

fn value(name: &str, text: &str) -> Result<u64, ExplainError> {
    number::parse(text).ok_or_else(|| {
        ExplainError::Given(format!(
            "{name}: {text:?} is no size; write it in bytes (2535804928) or as 2418MiB"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_enough() {
        let reading = read(
            Some("2535804928"),
            None,
            &["inactive_file=334565376".into()],
        )
        .unwrap();
        let view = reading.view();
        assert_eq!(
            (view.usage, view.inactive_file),
            (Some(2_535_804_928), Some(334_565_376))
        );
        let reading = read(
            Some("1GiB"),
            Some("2GiB"),
            &["anon=5".into(), "MemTotal=64GiB".into()],
        )
        .unwrap();
        assert_eq!(reading.limit(), Some(2 << 30));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (rows, word) in [
            ("anon", "name=value"),
            ("anon=x", "no size"),
            ("bananas=5", "no row"),
        ] {
            let error = read(None, None, &[rows.to_string()])
                .unwrap_err()
                .to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
