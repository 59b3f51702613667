//! JSON Lines of plain objects, for DuckDB, Polars and pandas: one object a sample of a group.
//!
//! Every object has every key, absent values being `null`: readers infer one schema from it.

use std::io::{self, Write};

use super::flat::{Cell, Flat};

/// Writes one object a record.
pub fn write(out: &mut impl Write, flat: &Flat) -> io::Result<()> {
    let keys: Vec<String> = flat
        .columns()
        .into_iter()
        .map(|name| serde_json::Value::from(name).to_string())
        .collect();
    for record in flat.records() {
        for (i, (key, cell)) in keys.iter().zip(record).enumerate() {
            let comma = if i == 0 { "{" } else { "," };
            write!(out, "{comma}{key}:{}", value(cell))?;
        }
        out.write_all(b"}\n")?;
    }
    Ok(())
}

fn value(cell: Cell) -> serde_json::Value {
    match cell {
        Cell::Text(text) => text.into(),
        Cell::Integer(n) => n.into(),
        Cell::Float(x) => x.into(),
        Cell::Absent => serde_json::Value::Null,
    }
}
