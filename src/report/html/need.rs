//! A measured need as a page: the curve and the tables, without a script.

use std::fmt::Write as _;

use super::text::table;
use crate::markup::escape;
use crate::report::Table;

/// One program's part of the page.
pub struct NeedPart {
    /// The program.
    pub name: String,
    /// What was found, in sentences: one a paragraph.
    pub sentences: Vec<String>,
    /// The curve, an SVG document.
    pub svg: String,
    /// The same in words, for those who can't see it.
    pub description: String,
    /// Its numbers, each table with its caption.
    pub tables: Vec<(String, Table)>,
    /// What a reader must know to trust the number.
    pub notes: Vec<String>,
}

/// The whole page.
pub fn need_page(parts: &[NeedPart]) -> String {
    let title = match parts {
        [one] => format!("what {} needs", one.name),
        many => format!("what {} programs need", many.len()),
    };
    let mut body = String::new();
    for (index, part) in parts.iter().enumerate() {
        let id = if index == 0 {
            "overview".to_string()
        } else {
            format!("n{index}")
        };
        body.push_str(&article(&id, part));
    }
    super::plain_page(&title, &body)
}

fn article(id: &str, part: &NeedPart) -> String {
    let mut out = format!("<article id=\"{id}\">\n<h2>{}</h2>\n", escape(&part.name));
    for sentence in &part.sentences {
        let _ = writeln!(out, "<p class=lead>{}</p>", escape(sentence));
    }
    // The SVG is part of HTML, where its XML heading would be a comment.
    let svg = part.svg.find("<svg").map_or("", |at| &part.svg[at..]);
    let _ = writeln!(
        out,
        "<div class=chart role=img aria-label=\"{}\">{svg}</div>",
        escape(&part.description)
    );
    for (caption, numbers) in &part.tables {
        let headings = numbers.headings();
        let head: String = headings
            .map(|h| format!("<th scope=col>{}", escape(h)))
            .collect();
        let mut rows = String::new();
        for row in numbers.cells() {
            let cells: String = row
                .map(|cell| format!("<td>{}</td>", escape(cell)))
                .collect();
            let _ = writeln!(rows, "<tr>{cells}</tr>");
        }
        out.push_str(&table(&escape(caption), &head, &rows));
    }
    for note in &part.notes {
        let _ = writeln!(out, "<p>Note: {}</p>", escape(note));
    }
    out.push_str("</article>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Align, Style};

    fn table() -> Table {
        let mut table = Table::new([("limit", Align::Right), ("", Align::Left)]);
        table.row(["3 MiB", "killed"].map(|cell| (cell, Style::Plain)));
        table
    }

    #[test]
    fn the_page_is_whole_and_a_command_cannot_become_markup() {
        let part = |name: &str| NeedPart {
            name: name.into(),
            sentences: vec!["It needs 3 MiB.".into()],
            svg: "<?xml?><svg width=\"1\"></svg>".into(),
            description: "a curve".into(),
            tables: vec![("The curve".into(), table())],
            notes: vec!["a note".into()],
        };
        let page = need_page(&[part("<script>alert(1)</script>"), part("two")]);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
        assert!(page.contains("<td>killed</td>") && !page.contains("<?xml"));
        assert!(page.contains("what 2 programs need") && page.ends_with("</html>\n"));
    }
}
