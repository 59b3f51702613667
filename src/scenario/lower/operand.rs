//! What a value is compared with: `100MiB`, `40%`, `truth:live`, `0.5 * rss @ touched`.

use super::references::Steps;
use super::{ABSURD_BYTES, Context, values};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::spec::Operand;
use crate::scenario::wire::At;
use crate::units::Size;

/// Reads an operand.
pub fn read(cx: &mut Context, at: &At<String>, steps: &Steps<'_>) -> Option<Operand> {
    let text = at.value.trim();
    let is_product = text.contains('*');
    if text.starts_with(|c: char| c.is_ascii_digit()) && !is_product {
        return size(cx, at, text);
    }
    let (factor, rest) = match text.split_once('*') {
        Some((factor, rest)) => (number(cx, at, factor.trim())?, rest.trim()),
        None => (1.0, text),
    };
    let (name, step) = match rest.split_once('@') {
        Some((name, step)) => (name.trim(), Some(step.trim())),
        None => (rest, None),
    };
    value_name(cx, at, name)?;
    let at = match step {
        Some(step) => Some(steps.resolve_text(cx, step, at.span.clone())?),
        None => None,
    };
    Some(Operand::Value {
        factor,
        name: name.into(),
        at,
    })
}

fn size(cx: &mut Context, at: &At<String>, text: &str) -> Option<Operand> {
    match Size::parse(text) {
        Ok(Size::Bytes(bytes)) if bytes > ABSURD_BYTES => {
            cx.sane(at.span.clone(), bytes, 0);
            None
        }
        Ok(size) => Some(Operand::Size(size)),
        Err(e) => {
            cx.unit_error(at.span.clone(), &e);
            None
        }
    }
}

fn number(cx: &mut Context, at: &At<String>, text: &str) -> Option<f64> {
    let factor = text
        .parse::<f64>()
        .ok()
        .filter(|f| f.is_finite() && f.abs() <= 1e6);
    if factor.is_none() {
        cx.wrong(
            &at.span,
            format!("{text:?} is not a factor"),
            "a product is written `0.5 * truth:live`, the number first",
        );
    }
    factor
}

/// Checks the name of a value.
pub fn value_name(cx: &mut Context, at: &At<String>, name: &str) -> Option<()> {
    // What a service of this scenario says of itself.
    let told = name.strip_prefix("truth:");
    if told.is_some_and(|name| cx.told.contains(name)) {
        return Some(());
    }
    match values::check(name) {
        Ok(()) => Some(()),
        Err(help) => {
            cx.error(Diagnostic {
                help,
                ..Diagnostic::at(
                    at.span.clone(),
                    format!("there is no value called `{name}`"),
                )
                .label("not a formula, row or truth")
            });
            None
        }
    }
}
