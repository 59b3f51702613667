//! One figure for a slide or an issue comment: areas, lines, step bands, direct labels.
//!
//! It is laid out on 1600 by 900 points and shown at half of that: legible at 800 pixels, and sharp
//! on a screen that has more.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::labels::{self, Label};
use super::layers::{self, AREAS, LINES, Layers, Line};
use super::palette::Rgb;
use super::steps::{self, Mark, StepBand};
use super::thin::{peak_columns, thin};
use crate::recording::Recording;
use crate::scenario::Scenario;
use crate::units;

/// Width of the layout.
pub const WIDTH: u32 = 1600;
/// Height of the layout.
pub const HEIGHT: u32 = 900;
/// Points of each series: more than the plot has columns of pixels at half size is for nothing.
const SAMPLES_MAX: usize = 1000;
/// Rows of step bands that are drawn; more actors than this are left out.
const LANES_MAX: usize = 4;
const LANE_HEIGHT: i32 = 34;
const LEFT: u32 = 150;
const RIGHT: u32 = 430;
pub(super) const FONT: &str = "sans-serif";
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const QUIET: RGBColor = RGBColor(0x55, 0x55, 0x55);

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// There is nothing to draw.
    #[error("the recording has no sample of {0}: there is nothing to draw")]
    Empty(String),
    /// The plotting library failed.
    #[error("drawing the figure failed: {0}")]
    Draw(String),
    /// The picture could not be encoded.
    #[error("encoding the picture failed: {0}")]
    Encode(#[from] png::EncodingError),
}

/// What a figure shows, ready to be drawn in any format.
pub struct Figure {
    title: String,
    subtitle: String,
    layers: Layers,
    bands: Vec<StepBand>,
    marks: Vec<Mark>,
    end: f64,
    scale: Scale,
}

/// The unit of the bytes axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) unit: &'static str,
    factor: f64,
}

impl Scale {
    /// The unit in which `top` bytes has two to four digits.
    pub(super) fn for_top(top: u64) -> Self {
        let (unit, factor) = match top {
            0..0x20_0000 => ("KiB", 1u64 << 10),
            0x20_0000..0x1_0000_0000 => ("MiB", 1 << 20),
            _ => ("GiB", 1 << 30),
        };
        Scale {
            unit,
            factor: factor as f64,
        }
    }

    pub(super) fn of(self, bytes: u64) -> f64 {
        bytes as f64 / self.factor
    }
}

impl Figure {
    /// The figure of one group of a recording; `samples_max` bounds the points of each series.
    pub fn new(
        recording: &Recording,
        group: usize,
        scenario: Option<&Scenario>,
        samples_max: Option<usize>,
    ) -> Result<Self, PlotError> {
        let Some(table) = recording.tables.get(group).filter(|t| !t.is_empty()) else {
            return Err(PlotError::Empty(name(recording, group).into()));
        };
        let limit = samples_max.unwrap_or(SAMPLES_MAX);
        let samples = thin(table, &peak_columns(table, recording.version()), limit);
        let header = &recording.header;
        let layers = Layers::new(recording, group, &samples);
        Ok(Figure {
            scale: Scale::for_top(layers.top),
            title: match scenario {
                Some(s) => format!("{}: {}", header.scenario, s.title),
                None => header.scenario.clone(),
            },
            subtitle: subtitle(recording, group),
            layers,
            bands: steps::bands(recording, scenario),
            marks: steps::marks(recording),
            end: steps::end(recording),
        })
    }

    /// Each series' name and last value in bytes, areas first.
    pub fn last(&self) -> Vec<(&'static str, Option<u64>)> {
        self.layers.last()
    }

    /// The top of the bytes axis, with some air above the limit.
    fn top(&self) -> f64 {
        self.scale.of(self.layers.top.max(1)) * 1.05
    }

    fn draw_areas<DB: DrawingBackend>(&self, chart: &mut Chart<'_, DB>) -> Drawn<DB> {
        let t = &self.layers.t;
        let mut lower = vec![0u64; t.len()];
        for (values, area) in self.layers.areas.iter().zip(AREAS) {
            let upper: Vec<u64> = lower.iter().zip(values).map(|(l, v)| l + v).collect();
            if upper != lower {
                let points = |edge: &[u64]| -> Vec<(f64, f64)> {
                    t.iter()
                        .zip(edge)
                        .map(|(t, v)| (*t, self.scale.of(*v)))
                        .collect()
                };
                let mut outline = points(&upper);
                outline.extend(points(&lower).into_iter().rev());
                let style = rgb(area.colour()).mix(0.85).filled();
                chart.draw_series(std::iter::once(Polygon::new(outline, style)))?;
            }
            lower = upper;
        }
        Ok(())
    }

    fn draw_lines<DB: DrawingBackend>(&self, chart: &mut Chart<'_, DB>) -> Drawn<DB> {
        for (values, line) in self.layers.lines.iter().zip(LINES).rev() {
            let points: Vec<(f64, f64)> = self
                .layers
                .t
                .iter()
                .zip(values)
                .filter_map(|(t, v)| Some((*t, self.scale.of((*v)?))))
                .collect();
            let (dash, gap, width) = match line {
                Line::WorkingSet => (0, 0, 6),
                Line::Rss => (18, 8, 5),
                Line::Limit => (6, 10, 4),
            };
            // A white edge keeps a line in sight on an area of a similar lightness.
            let halo = WHITE.mix(0.8).stroke_width(width + 4);
            chart.draw_series(LineSeries::new(points.clone(), halo))?;
            let style = rgb(line.colour()).stroke_width(width);
            if dash == 0 {
                chart.draw_series(LineSeries::new(points, style))?;
            } else {
                chart.draw_series(DashedLineSeries::new(points, dash, gap, style))?;
            }
        }
        Ok(())
    }

    fn draw_marks<DB: DrawingBackend>(&self, chart: &mut Chart<'_, DB>) -> Drawn<DB> {
        let top = self.top();
        for mark in &self.marks {
            let red = RGBColor(0xB0, 0x00, 0x20);
            let line = vec![(mark.t, 0.0), (mark.t, top)];
            chart.draw_series(LineSeries::new(line, red.stroke_width(3)))?;
            // Beside the line, on the side that has room.
            let left = mark.t > self.end * 0.85;
            let style = (FONT, 32, FontStyle::Bold).into_font().color(&red);
            let style = style.pos(labels::anchor(left));
            let text = if left {
                format!("{} ", mark.label)
            } else {
                format!(" {}", mark.label)
            };
            chart.draw_series(std::iter::once(Text::new(
                text,
                (mark.t, top * 0.93),
                style,
            )))?;
        }
        Ok(())
    }

    /// The step bands above the plot, one row an actor.
    fn draw_strip<DB: DrawingBackend>(
        &self,
        ground: &DrawingArea<DB, Shift>,
        chart: &Chart<'_, DB>,
        strip: i32,
    ) -> Drawn<DB> {
        for (i, band) in self
            .bands
            .iter()
            .enumerate()
            .filter(|(_, b)| b.lane < LANES_MAX)
        {
            let x = |t: f64| chart.backend_coord(&(t, 0.0)).0;
            let (from, to) = (x(band.start), x(band.end));
            let y = strip + band.lane as i32 * LANE_HEIGHT;
            let shade = if i % 2 == 0 { 0xE4 } else { 0xF1 };
            let fill = RGBColor(shade, shade, shade).filled();
            ground.draw(&Rectangle::new(
                [(from, y), (to, y + LANE_HEIGHT - 4)],
                fill,
            ))?;
            let text = labels::fit(&band.id.step, 29.0, f64::from(to - from) - 8.0);
            let style = (FONT, 29).into_font().color(&INK);
            ground.draw(&Text::new(text, (from + 6, y + 4), style))?;
        }
        Ok(())
    }

    /// The names and last values at the right, each as near to its series' end as there is room.
    fn draw_labels<DB: DrawingBackend>(
        &self,
        ground: &DrawingArea<DB, Shift>,
        chart: &Chart<'_, DB>,
    ) -> Drawn<DB> {
        let y = |bytes: f64| f64::from(chart.backend_coord(&(0.0, bytes / self.scale.factor)).1);
        let (x, floor) = chart.backend_coord(&(self.end, 0.0));
        let mut wanted = labels::wanted(&self.layers, y);
        labels::spread(&mut wanted, 160.0, f64::from(floor), 66.0);
        for label in &wanted {
            self.draw_label(ground, label, x)?;
        }
        Ok(())
    }

    fn draw_label<DB: DrawingBackend>(
        &self,
        ground: &DrawingArea<DB, Shift>,
        label: &Label,
        x: i32,
    ) -> Drawn<DB> {
        let colour = rgb(label.colour);
        let (from, to) = (label.wanted as i32, label.placed as i32);
        let leader = vec![(x + 4, from), (x + 24, to), (x + 34, to)];
        ground.draw(&PathElement::new(leader, colour.stroke_width(2)))?;
        if label.is_line {
            let stroke = vec![(x + 34, to), (x + 60, to)];
            ground.draw(&PathElement::new(stroke, colour.stroke_width(6)))?;
        } else {
            let swatch = [(x + 36, to - 12), (x + 60, to + 12)];
            ground.draw(&Rectangle::new(swatch, colour.mix(0.85).filled()))?;
        }
        let style = match label.is_line {
            true => (FONT, 34, FontStyle::Bold),
            false => (FONT, 34, FontStyle::Normal),
        };
        let style = style.into_font().color(&INK).pos(labels::middle());
        ground.draw(&Text::new(label.text.clone(), (x + 70, to), style))?;
        let small = (FONT, 26).into_font().color(&QUIET).pos(labels::middle());
        ground.draw(&Text::new(label.largest.clone(), (x + 70, to + 30), small))
    }
}

/// What can be written as SVG and as PNG.
pub trait Picture {
    /// Draws onto a ground of `WIDTH` by `HEIGHT`.
    ///
    /// # Errors
    /// The plotting library's.
    fn draw<DB: DrawingBackend>(&self, ground: &DrawingArea<DB, Shift>) -> Drawn<DB>;

    /// Sentences for those who can't see it.
    fn description(&self) -> String;

    /// Its numbers, for programs.
    fn data(&self) -> serde_json::Value;
}

/// What is around a chart.
pub(super) struct Frame<'a> {
    pub title: &'a str,
    pub subtitle: String,
    /// Pixels on this side of the chart.
    pub top: i32,
    pub left: u32,
    pub right: u32,
    /// The size of the axes' labels.
    pub label: i32,
}

impl Frame<'_> {
    /// The chart in it, empty: from 0 to these ends, labelled so.
    pub fn chart<'g, DB: DrawingBackend>(
        &self,
        ground: &'g DrawingArea<DB, Shift>,
        (right, top): (f64, f64),
        x: &dyn Fn(&f64) -> String,
        y: &dyn Fn(&f64) -> String,
    ) -> Result<Chart<'g, DB>, DrawingAreaErrorKind<DB::ErrorType>> {
        ground.fill(&WHITE)?;
        let title = labels::fit(self.title, 40.0, f64::from(WIDTH) - 60.0);
        let large = (FONT, 40).into_font().color(&INK);
        ground.draw(&Text::new(title, (30, 22), large))?;
        let small = (FONT, 32).into_font().color(&QUIET);
        ground.draw(&Text::new(self.subtitle.clone(), (30, 72), small))?;
        let mut chart = ChartBuilder::on(ground)
            .margin_top(self.top)
            .margin_right(self.right)
            .margin_bottom(20)
            .set_label_area_size(LabelAreaPosition::Left, self.left)
            .set_label_area_size(LabelAreaPosition::Bottom, 60)
            .build_cartesian_2d(0.0..right, 0.0..top)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(0xDD, 0xDD, 0xDD))
            .axis_style(RGBColor(0x88, 0x88, 0x88))
            .x_labels(8)
            .y_labels(6)
            .x_label_formatter(x)
            .y_label_formatter(y)
            .label_style((FONT, self.label).into_font().color(&INK))
            .draw()?;
        Ok(chart)
    }
}

impl Picture for Figure {
    fn draw<DB: DrawingBackend>(&self, ground: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let lanes = self.bands.iter().map(|b| b.lane + 1).max().unwrap_or(0);
        let lanes = lanes.min(LANES_MAX);
        let strip = 118;
        let frame = Frame {
            title: &self.title,
            subtitle: self.subtitle.clone(),
            top: strip + lanes as i32 * LANE_HEIGHT + 10,
            left: LEFT,
            right: RIGHT,
            label: 32,
        };
        let mut chart = frame.chart(
            ground,
            (self.end.max(1e-3), self.top()),
            &|t| format!("{} s", trim(*t)),
            &|y| format!("{} {}", trim(*y), self.scale.unit),
        )?;
        self.draw_areas(&mut chart)?;
        self.draw_lines(&mut chart)?;
        self.draw_marks(&mut chart)?;
        self.draw_strip(ground, &chart, strip)?;
        self.draw_labels(ground, &chart)
    }

    fn description(&self) -> String {
        let last: Vec<_> = self
            .last()
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", units::bytes(value?))))
            .collect();
        format!(
            "{}. {}. At the end: {}.",
            self.title,
            self.subtitle,
            last.join(", ")
        )
    }

    fn data(&self) -> serde_json::Value {
        let last = self.last().into_iter();
        serde_json::Value::Object(last.map(|(n, v)| (n.into(), v.into())).collect())
    }
}

type Chart<'a, DB> = ChartContext<
    'a,
    DB,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// What drawing comes to.
pub type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

fn rgb((r, g, b): Rgb) -> RGBColor {
    RGBColor(r, g, b)
}

fn name(recording: &Recording, group: usize) -> &str {
    let group = recording.header.groups.get(group);
    group.map_or("", |group| &group.name)
}

fn subtitle(recording: &Recording, group: usize) -> String {
    let host = &recording.header.host;
    let limit = layers::limit(recording, group)
        .map_or("no limit".into(), |l| format!("limit {}", units::bytes(l)));
    let name = name(recording, group);
    let outcome = match &recording.footer {
        Some(footer) => footer.outcome.as_str(),
        None => "the recording was cut",
    };
    format!(
        "{name}, {limit}; kernel {}, cgroup {}, {} LRU; {outcome}",
        host.kernel, host.cgroup, host.lru
    )
}

/// A number without trailing zeros, for axis labels.
pub(super) fn trim(n: f64) -> String {
    let text = format!("{n:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
