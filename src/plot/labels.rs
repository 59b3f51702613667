//! Labels beside the ends of the series, moved apart so that none covers another.

use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::layers::{AREAS, LINES, Layers, Line};
use super::palette::Rgb;
use crate::units;

/// One label at the right of the plot.
pub struct Label {
    /// Name and last value.
    pub text: String,
    /// The largest value: at the end of a run most are 0.
    pub largest: String,
    /// The series' colour.
    pub colour: Rgb,
    /// Whether the series is a line.
    pub is_line: bool,
    /// Where the series ends, in points from the top.
    pub wanted: f64,
    /// The label's position.
    pub placed: f64,
}

/// The labels of all series at the heights where these end; `y` gives points from the top for bytes.
pub fn wanted(layers: &Layers, y: impl Fn(f64) -> f64) -> Vec<Label> {
    let text = |name: &str, value: Option<u64>| match value {
        Some(bytes) => format!("{name} {}", units::bytes(bytes)),
        None => format!("{name}: not given"),
    };
    let largest = |value: Option<u64>| match value {
        Some(bytes) => format!("at most {}", units::bytes(bytes)),
        None => String::new(),
    };
    let mut labels = Vec::new();
    let mut lower = 0;
    for (values, area) in layers.areas.iter().zip(AREAS) {
        let value = values.last().copied().unwrap_or(0);
        let at = y(lower as f64 + value as f64 / 2.0);
        lower += value;
        labels.push(Label {
            text: text(area.name(), values.last().copied()),
            largest: largest(values.iter().copied().max()),
            colour: area.colour(),
            is_line: false,
            wanted: at,
            placed: at,
        });
    }
    for (values, line) in layers.lines.iter().zip(LINES) {
        let value = values.last().copied().flatten();
        let at = y(value.unwrap_or(0) as f64);
        labels.push(Label {
            text: text(line.name(), value),
            largest: match line {
                Line::Limit => String::new(),
                _ => largest(values.iter().copied().flatten().max()),
            },
            colour: line.colour(),
            is_line: true,
            wanted: at,
            placed: at,
        });
    }
    labels
}

/// Moves labels at least `gap` apart, within `top..=bottom`, keeping their order.
pub fn spread(labels: &mut [Label], top: f64, bottom: f64, gap: f64) {
    labels.sort_by(|a, b| a.wanted.total_cmp(&b.wanted));
    let mut next = top;
    for label in labels.iter_mut() {
        label.placed = label.wanted.max(next);
        next = label.placed + gap;
    }
    // Whatever was pushed below the floor pushes back.
    let mut last = bottom;
    for label in labels.iter_mut().rev() {
        label.placed = label.placed.min(last);
        last = label.placed - gap;
    }
}

/// `text`, cut to about `width` points at this font size; empty if not even a bit fits.
pub fn fit(text: &str, font: f64, width: f64) -> String {
    // Sans-serif letters are about half as wide as the font is high, less what plotters scales by.
    let room = (width / (font * 0.47)).max(0.0) as usize;
    let length = text.chars().count();
    match room {
        _ if length <= room => text.to_string(),
        0..=2 => String::new(),
        _ => text.chars().take(room - 1).chain(['…']).collect(),
    }
}

/// Left of a point, or right of it.
pub fn anchor(left: bool) -> Pos {
    Pos::new(if left { HPos::Right } else { HPos::Left }, VPos::Top)
}

/// Right of a point, at its height.
pub fn middle() -> Pos {
    Pos::new(HPos::Left, VPos::Center)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_cover_each_other() {
        let label = |wanted| Label {
            text: String::new(),
            largest: String::new(),
            colour: (0, 0, 0),
            is_line: true,
            wanted,
            placed: wanted,
        };
        let mut labels: Vec<_> = [500.0, 500.0, 499.0, 120.0].map(label).into();
        spread(&mut labels, 100.0, 500.0, 30.0);
        let placed: Vec<_> = labels.iter().map(|l| l.placed).collect();
        assert_eq!(placed, [120.0, 440.0, 470.0, 500.0]);
    }

    #[test]
    fn names_are_cut_to_fit() {
        assert_eq!(fit("write", 26.0, 200.0), "write");
        assert_eq!(fit("write the log again", 26.0, 100.0), "write t…");
        assert_eq!(fit("write", 26.0, 10.0), "");
    }
}
