//! The chart on a terminal: stacked areas in eighths of a cell, lines over them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::Widget;

use super::paint::{self, Paint};
use super::tape::Tape;
use super::timeline::Timeline;
use crate::plot::layers::{self, AREAS, Area, LINES, Line};
use crate::rows::View;
use crate::units;

/// Columns of the bytes axis.
const AXIS: u16 = 9;
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One group of a recording up to a story second.
pub struct Chart<'a> {
    /// What is drawn.
    pub tape: &'a Tape,
    /// Its story time.
    pub timeline: &'a Timeline,
    /// The group's index.
    pub group: usize,
    /// The story second shown last.
    pub story: f64,
    /// The story second at the right edge.
    pub width: f64,
    /// Bytes at the top of the axis: the limit, where there is one.
    pub limit: u64,
    /// How it is coloured.
    pub paint: Paint,
}

impl Widget for Chart<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        if area.width <= AXIS + 4
            || area.height < 4
            || self.group >= self.tape.recording.tables.len()
        {
            return;
        }
        let plot = Rect {
            x: area.x + AXIS,
            width: area.width - AXIS,
            height: area.height - 1,
            ..area
        };
        self.axis(area, plot, buf);
        let index = self.tape.recording.view_index(self.group);
        let limit = layers::limit(&self.tape.recording, self.group);
        let mut before: [Option<u16>; LINES.len()] = [None; LINES.len()];
        for column in 0..plot.width {
            let Some(sample) = self.sample(plot, column) else {
                before = [None; LINES.len()];
                continue;
            };
            let view = self.tape.recording.view(self.group, &index, sample);
            self.areas(&view, plot, column, buf);
            // The working set last: where lines meet it is the one to be seen.
            for (line, before) in LINES.into_iter().zip(&mut before).rev() {
                let row = line.bytes(&view, limit).map(|bytes| self.row(bytes, plot));
                self.line(line, row, *before, (plot, column), buf);
                *before = row;
            }
        }
        self.marks(plot, buf);
    }
}

impl Chart<'_> {
    /// Bytes at the top edge: some air above the limit.
    fn top(&self) -> f64 {
        self.limit.max(1) as f64 * 1.05
    }

    fn story_at(&self, plot: Rect, column: u16) -> f64 {
        (f64::from(column) + 0.5) / f64::from(plot.width) * self.width
    }

    fn column_of(&self, plot: Rect, story: f64) -> u16 {
        let column = story / self.width.max(1e-9) * f64::from(plot.width);
        (column as u16).min(plot.width - 1)
    }

    /// The sample of a column; none where the show has not come yet.
    fn sample(&self, plot: Rect, column: u16) -> Option<usize> {
        let story = self.story_at(plot, column);
        // The column in which the show is belongs to it, so that the newest number is seen.
        let shown = column <= self.column_of(plot, self.story);
        let t = self.timeline.recorded(story.min(self.story));
        shown.then(|| self.tape.sample(self.group, t)).flatten()
    }

    /// The row of a value, from the top of the screen.
    fn row(&self, bytes: u64, plot: Rect) -> u16 {
        let up = bytes as f64 / self.top() * f64::from(plot.height);
        let up = (up as u16).min(plot.height - 1);
        plot.y + plot.height - 1 - up
    }

    fn areas(&self, view: &View, plot: Rect, column: u16, buf: &mut Buffer) {
        // Upper edges in eighths of a cell from the bottom.
        let scale = f64::from(plot.height) * 8.0 / self.top();
        let mut stacked = 0;
        let edges = AREAS.map(|area| {
            stacked += area.bytes(view).unwrap_or(0);
            (stacked as f64 * scale).round() as u32
        });
        for up in 0..plot.height {
            let floor = u32::from(up) * 8;
            let Some(cell) = buf.cell_mut((plot.x + column, plot.y + plot.height - 1 - up)) else {
                continue;
            };
            let at = |eighth: u32| edges.iter().position(|edge| *edge > eighth);
            let (low, high) = (at(floor), at(floor + 7));
            let Some(low) = low else { break };
            match self.paint.area(AREAS[low]) {
                None => {
                    let most = (low..AREAS.len()).max_by_key(|i| covered(&edges, *i, floor));
                    let half = edges[AREAS.len() - 1] >= floor + 4;
                    let letter = most
                        .filter(|_| half)
                        .map_or(' ', |i| paint::letter(AREAS[i]));
                    cell.set_char(letter);
                }
                Some(colour) if high == Some(low) => {
                    cell.set_char(' ').set_style(Style::new().bg(colour));
                }
                Some(colour) => {
                    let eighths = (edges[low] - floor).min(8) as usize;
                    let above = high.and_then(|i| self.paint.area(AREAS[i]));
                    let style = Style::new().fg(colour).bg(above.unwrap_or(Color::Reset));
                    cell.set_char(EIGHTHS[eighths]).set_style(style);
                }
            }
        }
    }

    /// One column of a line, joined to where it was in the column before.
    fn line(
        &self,
        line: Line,
        row: Option<u16>,
        before: Option<u16>,
        (plot, column): (Rect, u16),
        buf: &mut Buffer,
    ) {
        let Some(row) = row else { return };
        let (stroke, style) = (paint::stroke(line), self.paint.line(line));
        let mut put = |row: u16, c: char| {
            if let Some(cell) = buf.cell_mut((plot.x + column, row)) {
                // On an eighth block the line takes the colour that fills most of the cell.
                let ground = match EIGHTHS.iter().position(|e| cell.symbol().starts_with(*e)) {
                    Some(eighths) if eighths >= 4 => cell.fg,
                    _ => cell.bg,
                };
                cell.set_char(c).set_style(style.bg(ground));
            }
        };
        if let Some(before) = before
            && line != Line::Limit
        {
            let upright = if line == Line::WorkingSet {
                '┃'
            } else {
                '╎'
            };
            for between in row.min(before) + 1..row.max(before) {
                put(between, upright);
            }
        }
        put(row, stroke);
    }

    fn marks(&self, plot: Rect, buf: &mut Buffer) {
        for mark in &self.tape.marks {
            let story = self.timeline.story(mark.t);
            if story > self.story {
                continue;
            }
            let column = self.column_of(plot, story);
            for row in plot.y..plot.y + plot.height {
                buf.set_string(plot.x + column, row, "│", Style::new().fg(Color::Red));
            }
            let width = mark.label.len() as u16 + 2;
            let x = plot.x + column.min(plot.width.saturating_sub(width));
            buf.set_string(x, plot.y + 1, format!(" {} ", mark.label), self.paint.bad());
        }
    }

    /// Bytes at the left, steps below.
    fn axis(&self, area: Rect, plot: Rect, buf: &mut Buffer) {
        let dim = Style::new().fg(Color::DarkGray);
        // Halves and quarters of a limit are round numbers, thirds are not.
        let lines = if plot.height >= 12 { 4 } else { 2 };
        for i in 0..=lines {
            let bytes = self.limit as f64 * f64::from(i) / f64::from(lines);
            let row = self.row(bytes as u64, plot);
            let text = units::bytes(bytes as u64);
            let text = format!("{text:>width$}", width = usize::from(AXIS) - 1);
            buf.set_string(area.x, row, text, dim);
        }
        let bottom = plot.y + plot.height;
        let mut free = plot.x;
        for band in self.tape.bands.iter().filter(|b| b.lane == 0) {
            let story = self.timeline.story(band.start);
            if story > self.width {
                break;
            }
            let x = plot.x + self.column_of(plot, story);
            let end = plot.x + self.column_of(plot, self.timeline.story(band.end));
            let room = usize::from(end.saturating_sub(x)).saturating_sub(1);
            if x < free || room < 2 {
                continue;
            }
            let name: String = band.id.step.chars().take(room - 1).collect();
            buf.set_string(x, bottom, format!("╵{name}"), dim);
            free = x + name.chars().count() as u16 + 2;
        }
    }
}

/// Eighths of the cell above `floor` that the area at `i` covers.
fn covered(edges: &[u32; AREAS.len()], i: usize, floor: u32) -> u32 {
    let below = if i == 0 { 0 } else { edges[i - 1] };
    edges[i].min(floor + 8).saturating_sub(below.max(floor))
}

/// The areas and lines in words, each with its value: what the legend lists.
pub fn legend(view: &View, limit: Option<u64>) -> Vec<(Result<Area, Line>, Option<u64>)> {
    let areas = AREAS.into_iter().rev().map(|a| (Ok(a), a.bytes(view)));
    areas
        .chain(LINES.into_iter().map(|l| (Err(l), l.bytes(view, limit))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing;

    fn drawn(paint: Paint, story: f64) -> Buffer {
        let tape = Tape::finished(testing::recording(), "test".into());
        let timeline = Timeline::new(&tape.bands, tape.end);
        let width = timeline.end();
        let area = Rect::new(0, 0, 59, 17);
        let mut buf = Buffer::empty(area);
        let limit = tape.top(0);
        Chart {
            tape: &tape,
            timeline: &timeline,
            group: 0,
            story,
            width,
            limit,
            paint,
        }
        .render(area, &mut buf);
        buf
    }

    fn text(buf: &Buffer) -> String {
        let rows = buf.area.height;
        (0..rows)
            .map(|y| {
                let row: String = (0..buf.area.width)
                    .map(|x| buf[(x, y)].symbol().to_string())
                    .collect();
                row.trim_end().to_string() + "\n"
            })
            .collect()
    }

    #[test]
    fn areas_are_told_apart_without_colours() {
        insta::assert_snapshot!(text(&drawn(Paint::Letters, 10.0)));
    }

    #[test]
    fn nothing_is_drawn_that_has_not_happened_yet() {
        let half = drawn(Paint::Indexed, 5.0);
        let right = (40..59).all(|x| (0..16).all(|y| half[(x, y)].symbol() == " "));
        assert!(right, "{}", text(&half));
    }

    #[test]
    fn any_size_is_drawn() {
        let tape = Tape::finished(testing::recording(), "test".into());
        let timeline = Timeline::new(&tape.bands, tape.end);
        for (w, h) in [(0, 0), (1, 1), (14, 4), (300, 90)] {
            let area = Rect::new(0, 0, w, h);
            let mut buf = Buffer::empty(area);
            let paint = Paint::True;
            Chart {
                tape: &tape,
                timeline: &timeline,
                group: 0,
                story: 99.0,
                width: 12.0,
                limit: 0,
                paint,
            }
            .render(area, &mut buf);
        }
    }
}
