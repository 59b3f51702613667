//! Holds a TOML file against the JSON Schema of scenarios and names everything that does not fit.
//!
//! serde stops at the first error; whoever writes a scenario wants to see all of them. Only what
//! the schema of the wire types uses is understood: `$ref`, `type`, `properties`, `required`,
//! `items`, `anyOf`, `enum`, `const`, `minimum`.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Span};
use super::suggest;

/// What does not fit, in no particular order.
pub fn check(root: &Spanned<DeTable<'_>>, schema: &Value) -> Vec<Diagnostic> {
    let mut shape = Shape {
        schema,
        found: Vec::new(),
    };
    shape.table(root.get_ref(), None, schema, "the scenario");
    shape.found
}

struct Shape<'a> {
    schema: &'a Value,
    found: Vec<Diagnostic>,
}

impl<'a> Shape<'a> {
    fn value(&mut self, value: &Spanned<DeValue<'_>>, schema: &'a Value, name: &str) {
        let schema = self.resolve(schema, value.get_ref());
        if !fits(value.get_ref(), schema) {
            self.wrong_type(value, schema, name);
            return;
        }
        match value.get_ref() {
            DeValue::Table(table) => self.table(table, Some(value.span()), schema, name),
            DeValue::Array(items) => {
                if let Some(schema) = schema.get("items") {
                    for item in items.iter() {
                        self.value(item, schema, name);
                    }
                }
            }
            DeValue::String(text) => self.choice(text, value.span(), schema, name),
            DeValue::Integer(number) => {
                let low = schema.get("minimum").and_then(Value::as_i64);
                let given = i64::from_str_radix(number.as_str(), number.radix());
                if let (Some(low), Ok(given)) = (low, given)
                    && given < low
                {
                    self.found.push(
                        Diagnostic::at(value.span(), format!("`{name}` is below {low}"))
                            .label(format!("not below {low}")),
                    );
                }
            }
            _ => {}
        }
    }

    fn table(&mut self, table: &DeTable<'_>, span: Option<Span>, schema: &'a Value, name: &str) {
        // A table without named properties has keys of the user's own (`env`).
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return;
        };
        let allowed: Vec<&str> = properties.keys().map(String::as_str).collect();
        for (key, value) in table {
            let key_name: &str = key.get_ref();
            match properties.get(key_name) {
                Some(schema) => self.value(value, schema, key_name),
                None => self.found.push(Diagnostic {
                    help: suggest::help(key_name, "allowed here", &allowed),
                    ..Diagnostic::at(
                        key.span(),
                        format!("unknown key `{key_name}` in {}", quoted(name)),
                    )
                    .label("not known here")
                }),
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            if table.contains_key(key) {
                continue;
            }
            let message = format!("{} has no `{key}`", quoted(name));
            let what = properties[key].get("description").and_then(Value::as_str);
            let missing = match &span {
                Some(span) => Diagnostic::at(span.clone(), message).label(format!("needs `{key}`")),
                None => Diagnostic::whole(message),
            };
            self.found.push(Diagnostic {
                help: what.map(|what| format!("`{key}`: {what}")),
                ..missing
            });
        }
    }

    /// Follows references, and takes of several forms the one this kind of value can have.
    fn resolve(&self, schema: &'a Value, value: &DeValue<'_>) -> &'a Value {
        let mut schema = schema;
        // Bounded: a schema of our own making nests few references.
        for _ in 0..16 {
            if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
                let pointer = path.trim_start_matches('#');
                schema = self.schema.pointer(pointer).unwrap_or(schema);
            } else if let Some(forms) = schema.get("anyOf").and_then(Value::as_array) {
                let fitting = forms.iter().find(|form| fits(value, self.deref(form)));
                match fitting {
                    Some(form) => schema = form,
                    None => return schema,
                }
            } else {
                break;
            }
        }
        schema
    }

    fn deref(&self, schema: &'a Value) -> &'a Value {
        let path = schema.get("$ref").and_then(Value::as_str);
        path.and_then(|p| self.schema.pointer(p.trim_start_matches('#')))
            .unwrap_or(schema)
    }

    fn choice(&mut self, text: &str, span: Span, schema: &Value, name: &str) {
        let choices = choices(schema);
        if choices.is_empty() || choices.contains(&text) {
            return;
        }
        self.found.push(Diagnostic {
            help: suggest::help(text, "allowed", &choices),
            ..Diagnostic::at(span, format!("unknown `{name}`: `{text}`"))
                .label("not one of the allowed words")
        });
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, schema: &'a Value, name: &str) {
        let forms = match schema.get("anyOf").and_then(Value::as_array) {
            Some(forms) => forms.iter().flat_map(|f| types(self.deref(f))).collect(),
            None => types(schema),
        };
        let mut wanted: Vec<&str> = forms.iter().map(|t| in_toml(t)).collect();
        wanted.dedup();
        let wanted = wanted.join(" or ");
        let mut found = Diagnostic::at(
            value.span(),
            format!("`{name}` is {}, not {wanted}", article(value.get_ref())),
        )
        .label(format!("expected {wanted}"));
        // `step = {..}` where `[[step]]` was meant is the mistake everybody makes once.
        if matches!(value.get_ref(), DeValue::Table(_)) && wanted == "a list" {
            found = found.help(format!("a list of tables is written `[[{name}]]`"));
        }
        self.found.push(found);
    }
}

fn quoted(name: &str) -> String {
    if name.contains(' ') {
        name.into()
    } else {
        format!("`{name}`")
    }
}

/// The words a schema allows: `enum`, or one `const` each where the words have a description.
fn choices(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array);
    let described = schema.get("oneOf").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let described = described
        .into_iter()
        .flatten()
        .filter_map(|one| one.get("const")?.as_str());
    listed.chain(described).collect()
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ if !choices(schema).is_empty() => vec!["string"],
        _ => Vec::new(),
    }
}

fn fits(value: &DeValue<'_>, schema: &Value) -> bool {
    let types = types(schema);
    // No type given: a reference or a choice of forms, looked at when it is resolved.
    if types.is_empty() {
        return schema.get("anyOf").is_none();
    }
    types.iter().any(|t| match value {
        DeValue::String(_) => *t == "string",
        DeValue::Integer(_) => *t == "integer" || *t == "number",
        DeValue::Float(_) => *t == "number",
        DeValue::Boolean(_) => *t == "boolean",
        DeValue::Array(_) => *t == "array",
        DeValue::Table(_) => *t == "object",
        DeValue::Datetime(_) => false,
    })
}

fn in_toml(json_type: &str) -> &'static str {
    match json_type {
        "string" => "a string",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        _ => "something else",
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
