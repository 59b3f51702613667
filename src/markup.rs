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

/// A Markdown table whose columns stand right from the index `right` on. Cells are Markdown already.
pub fn table(
    head: Vec<String>,
    rows: impl IntoIterator<Item = Vec<String>>,
    right: usize,
) -> String {
    let rule = |column| if column < right { "---|" } else { "---:|" };
    let rule: String = (0..head.len()).map(rule).collect();
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rows: String = rows.into_iter().map(row).collect();
    format!("{}|{rule}\n{rows}", row(head))
}

/// For a cell of a Markdown table, which is one line, holds no bar and is no HTML.
pub fn cell(text: &str) -> String {
    let line = text.replace('|', "\\|").replace(['\n', '\r'], " ");
    line.replace('<', "&lt;")
}
