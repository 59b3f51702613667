//! Text for HTML, SVG, XML and Markdown.

/// `text` with what would be read as markup escaped, for elements and quoted attributes.
pub fn escape(text: &str) -> String {
    escape_element(text)
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// For elements only: quotes stay as they are, so that JSON inside stays readable.
pub fn escape_element(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// For a cell of a Markdown table, which is one line, holds no bar and is no HTML.
pub fn cell(text: &str) -> String {
    let line = text.replace('|', "\\|").replace(['\n', '\r'], " ");
    line.replace('<', "&lt;")
}
