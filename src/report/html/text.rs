//! Text for HTML.

use crate::markup::escape;
use crate::units;

/// JSON for inside a script element: nothing in it can end the element.
pub fn script_json(value: &serde_json::Value) -> String {
    // Every `<` is inside a string, where JSON has this other spelling for it.
    value.to_string().replace('<', "\\u003c")
}

/// A table cell with a size in MiB, and the exact bytes for whoever points at it.
pub fn mib_cell(value: Option<impl TryInto<i64>>) -> String {
    match value.and_then(|bytes| bytes.try_into().ok()) {
        Some(bytes) => {
            let mib = units::signed_mib(bytes);
            format!("<td class=n title=\"{bytes} bytes\">{mib}</td>")
        }
        None => "<td class=\"n none\" title=\"the kernel did not give it\">–</td>".into(),
    }
}

/// A table that scrolls where it is too wide; caption, heading cells and rows are HTML.
pub fn table(caption: &str, head: &str, rows: &str) -> String {
    format!(
        "<div class=scroll><table><caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// Paragraphs of a text: blank lines part them.
pub fn paragraphs(text: &str) -> String {
    text.split("\n\n")
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .map(|p| format!("<p>{}</p>\n", escape(p)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_its_element() {
        assert_eq!(escape("</b>'\""), "&lt;/b&gt;&#39;&quot;");
        let json = script_json(&serde_json::json!({"a": "</script><!--"}));
        assert!(
            !json.contains("</script") && !json.contains("<!--"),
            "{json}"
        );
        let back: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["a"], "</script><!--");
        assert_eq!(
            mib_cell(Some(-1_572_864)),
            "<td class=n title=\"-1572864 bytes\">-1.5</td>"
        );
    }
}
