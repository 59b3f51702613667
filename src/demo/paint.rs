//! How areas and lines look on a terminal: in its colours, or in letters where it has none.

use ratatui::style::{Color, Modifier, Style};

use crate::plot::layers::{Area, Line};
use crate::plot::palette::Rgb;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// 16 million colours.
    True,
    /// The 256 indexed ones.
    Indexed,
    /// None: areas are filled with letters.
    Letters,
}

impl Paint {
    /// From the environment: `NO_COLOR`, `COLORTERM`, `TERM`.
    pub fn detect(get: impl Fn(&str) -> Option<String>) -> Self {
        let term = get("TERM").unwrap_or_default();
        if get("NO_COLOR").is_some_and(|v| !v.is_empty()) || term.starts_with("vt") {
            return Paint::Letters;
        }
        match get("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => Paint::True,
            _ => Paint::Indexed,
        }
    }

    /// The colour of an area; none where letters stand for it.
    pub fn area(self, area: Area) -> Option<Color> {
        // The nearest of the 256 to the palette's, chosen to stay as far apart.
        let index = match area {
            Area::Anon => 214,
            Area::Shmem => 36,
            Area::Kernel => 175,
            Area::ActiveFile => 25,
            Area::InactiveFile => 117,
        };
        match self {
            Paint::True => Some(rgb(area.colour())),
            Paint::Indexed => Some(Color::Indexed(index)),
            Paint::Letters => None,
        }
    }

    /// The style of a line drawn over an area.
    pub fn line(self, line: Line) -> Style {
        let style = Style::new();
        match (self, line) {
            (Paint::Letters, _) => style.add_modifier(Modifier::BOLD),
            (_, Line::WorkingSet) => style.fg(Color::White).add_modifier(Modifier::BOLD),
            (Paint::True, _) => style.fg(rgb(line.colour())),
            (Paint::Indexed, Line::Rss) => style.fg(Color::Indexed(166)),
            (Paint::Indexed, Line::Limit) => style.fg(Color::Indexed(245)),
        }
    }

    /// The style of something bad.
    pub fn bad(self) -> Style {
        match self {
            Paint::Letters => Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
            _ => Style::new()
                .fg(Color::White)
                .bg(Color::Red)
                .add_modifier(Modifier::BOLD),
        }
    }
}

/// The letter for an area where there are no colours.
pub fn letter(area: Area) -> char {
    match area {
        Area::Anon => 'a',
        Area::Shmem => 's',
        Area::Kernel => 'k',
        Area::ActiveFile => 'A',
        Area::InactiveFile => 'i',
    }
}

/// The character a line is drawn with.
pub fn stroke(line: Line) -> char {
    match line {
        Line::WorkingSet => '━',
        Line::Rss => '╌',
        Line::Limit => '┈',
    }
}

fn rgb((r, g, b): Rgb) -> Color {
    Color::Rgb(r, g, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_used_where_there_are_some() {
        let with = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> = pairs
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect();
            Paint::detect(move |key| pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()))
        };
        assert_eq!(with(&[("TERM", "tmux-256color")]), Paint::Indexed);
        assert_eq!(
            with(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]),
            Paint::True
        );
        assert_eq!(
            with(&[("TERM", "xterm"), ("NO_COLOR", "1")]),
            Paint::Letters
        );
    }
}
