//! Text tables: aligned columns that stay aligned with colour, and without.

/// Which side a column's text is aligned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words stand at the left of their column.
    Left,
    /// Numbers end at the right of their column.
    Right,
}

/// How a cell is marked among the others. Every style also has a mark in plain text, so that nothing
/// is said by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// As it is.
    #[default]
    Plain,
    /// Far from the truth: yellow and bold, marked `!`.
    Off,
    /// Good: green.
    Good,
    /// Bad: red and bold.
    Bad,
    /// Less important: dim.
    Dim,
}

impl Style {
    /// Wraps `text` in the escape codes of this style if `colour` is wanted.
    pub fn paint(self, text: &str, colour: bool) -> String {
        let code = match self {
            Style::Plain => return text.to_string(),
            Style::Off => "1;33",
            Style::Good => "32",
            Style::Bad => "1;31",
            Style::Dim => "2",
        };
        if colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}

/// Rows of cells under a heading.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<(String, Style)>>,
}

impl Table {
    /// A table with these column headings.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = (S, Align)>) -> Self {
        Table {
            columns: columns
                .into_iter()
                .map(|(name, align)| (name.into(), align))
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells beyond the headings are dropped.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = (S, Style)>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|(text, style)| (text.into(), style))
                .collect(),
        );
    }

    /// Adds a row none of whose cells is marked.
    pub fn plain<S: Into<String> + Clone>(&mut self, cells: &[S]) {
        self.row(cells.iter().map(|cell| (cell.clone(), Style::Plain)));
    }

    /// The headings.
    pub fn headings(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// The rows' cells.
    pub fn cells(&self) -> impl Iterator<Item = impl Iterator<Item = &str>> {
        let rows = self.rows.iter();
        rows.map(|row| row.iter().map(|(text, _)| text.as_str()))
    }

    /// The table as lines, each indented by `indent` spaces.
    pub fn render(&self, indent: usize, colour: bool) -> String {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|c| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(c))
                    .map(|(text, _)| width(text))
                    .chain([width(&self.columns[c].0)])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let heading = self
            .columns
            .iter()
            .map(|(name, _)| (name.clone(), Style::Dim))
            .collect();
        let mut out = String::new();
        for row in std::iter::once(&heading).chain(&self.rows) {
            out.push_str(&self.line(row, &widths, indent, colour));
            out.push('\n');
        }
        out
    }

    fn line(
        &self,
        row: &[(String, Style)],
        widths: &[usize],
        indent: usize,
        colour: bool,
    ) -> String {
        let mut line = " ".repeat(indent);
        for (c, (text, style)) in row.iter().take(widths.len()).enumerate() {
            let pad = " ".repeat(widths[c] - width(text));
            let text = style.paint(text, colour);
            if c > 0 {
                line.push_str("  ");
            }
            match self.columns[c].1 {
                Align::Left => line.extend([text, pad]),
                Align::Right => line.extend([pad, text]),
            }
        }
        line.trim_end().to_string()
    }
}

/// Characters of a text; the tables hold no wide ones.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_and_without_colour() {
        let mut table = Table::new([("step", Align::Left), ("usage", Align::Right)]);
        table.row([("write", Style::Plain), ("103.5", Style::Off)]);
        table.row([("a longer one", Style::Plain), ("3", Style::Plain)]);
        assert_eq!(
            table.render(2, false),
            "  step          usage\n  write         103.5\n  a longer one      3\n"
        );
        assert!(table.render(0, true).contains("\x1b[1;33m103.5\x1b[0m"));
    }
}
