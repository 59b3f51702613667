//! Limit against what a run costs: where more memory stops to help.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::figure::{Drawn, FONT, Frame, INK, Picture, QUIET, Scale, WIDTH, trim};
use super::labels;
use crate::units;

/// All runs under one limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Bytes.
    pub limit: u64,
    /// What a run cost; none where none did its work.
    pub cost: Option<f64>,
    /// Whether it fits.
    pub fits: bool,
    /// What the runs say together (`killed`).
    pub said: String,
}

/// A number of bytes with a name, drawn as an upright line.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// One line.
    pub title: String,
    /// Another.
    pub subtitle: String,
    /// The unit of costs.
    pub unit: String,
    /// The highest limit first or last.
    pub points: Vec<Point>,
    /// Nothing fitted at the first, everything at the second; bytes.
    pub interval: (u64, u64),
    /// What formulas said.
    pub marks: Vec<Mark>,
}

const GREEN: RGBColor = RGBColor(0x1B, 0x7F, 0x3B);
const RED: RGBColor = RGBColor(0xB0, 0x00, 0x20);
const TOP: i32 = 150;

impl Curve {
    fn scale(&self) -> Scale {
        let limits = self.points.iter().map(|p| p.limit);
        let marks = self.marks.iter().map(|m| m.bytes);
        Scale::for_top(limits.chain(marks).max().unwrap_or(0))
    }

    /// The right end of the limits' axis, in its unit.
    fn right(&self) -> f64 {
        let limits = self.points.iter().map(|p| p.limit);
        self.scale().of(limits.max().unwrap_or(1).max(1)) * 1.05
    }

    /// The top of the costs' axis.
    fn top(&self) -> f64 {
        let costs = self.points.iter().filter_map(|p| p.cost);
        let most = costs.fold(0.0, f64::max);
        if most > 0.0 { most * 1.25 } else { 1.0 }
    }
}

impl Picture for Curve {
    fn draw<DB: DrawingBackend>(&self, ground: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let (scale, top) = (self.scale(), self.top());
        let frame = Frame {
            title: &self.title,
            subtitle: labels::fit(&self.subtitle, 32.0, f64::from(WIDTH) - 60.0),
            top: TOP,
            left: 170,
            right: 40,
            label: 30,
        };
        let mut chart = frame.chart(
            ground,
            (self.right(), top),
            &|x| format!("{} {}", trim(*x), scale.unit),
            &|y| format!("{} {}", trim(*y), self.unit),
        )?;
        let (from, to) = (scale.of(self.interval.0), scale.of(self.interval.1));
        let band = Rectangle::new([(from, 0.0), (to, top)], GREEN.mix(0.2).filled());
        chart.draw_series(std::iter::once(band))?;
        let mut points: Vec<&Point> = self.points.iter().collect();
        points.sort_by_key(|p| p.limit);
        let line = points
            .iter()
            .filter_map(|p| Some((scale.of(p.limit), p.cost?)));
        chart.draw_series(LineSeries::new(line, INK.stroke_width(4)))?;
        for point in &points {
            let colour = if point.fits { GREEN } else { RED };
            let at = (scale.of(point.limit), point.cost.unwrap_or(top * 0.9));
            if point.cost.is_some() {
                let dot = Circle::new(at, 9, colour.filled());
                chart.draw_series(std::iter::once(dot))?;
            } else {
                let cross = Cross::new(at, 10, colour.stroke_width(5));
                chart.draw_series(std::iter::once(cross))?;
            }
        }
        let text = |left| {
            (FONT, 26)
                .into_font()
                .color(&QUIET)
                .pos(labels::anchor(left))
        };
        for (n, mark) in self.marks.iter().enumerate() {
            let x = scale.of(mark.bytes);
            if x > self.right() {
                continue;
            }
            let line = vec![(x, 0.0), (x, top)];
            let grey = RGBColor(0x66, 0x66, 0x99).stroke_width(3);
            chart.draw_series(DashedLineSeries::new(line, 8, 8, grey))?;
            // One below the other: what formulas say is often the same.
            let (px, py) = chart.backend_coord(&(x, top));
            let left = px > WIDTH as i32 * 3 / 4;
            let at = (px + if left { -8 } else { 8 }, py + 8 + 32 * n as i32);
            ground.draw(&Text::new(mark.name.clone(), at, text(left)))?;
        }
        Ok(())
    }

    fn description(&self) -> String {
        let points = self.points.iter().map(|p| {
            let cost = p
                .cost
                .map_or(String::new(), |c| format!(" {} {}", trim(c), self.unit));
            format!("{}{cost} {}", units::bytes(p.limit), p.said)
        });
        let points: Vec<String> = points.collect();
        format!("{}. {}. {}.", self.title, self.subtitle, points.join(", "))
    }

    fn data(&self) -> serde_json::Value {
        let points = self.points.iter().map(|p| {
            serde_json::json!({
                "limit_bytes": p.limit, "cost": p.cost, "fits": p.fits, "said": p.said,
            })
        });
        serde_json::json!({
            "interval_bytes": [self.interval.0, self.interval.1],
            "points": points.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{to_png, to_svg};

    fn curve() -> Curve {
        let point = |mib: u64, cost, fits, said: &str| Point {
            limit: mib << 20,
            cost,
            fits,
            said: said.into(),
        };
        Curve {
            title: "a < b needs 60 MiB".into(),
            subtitle: "within 5 %".into(),
            unit: "s".into(),
            points: vec![
                point(128, Some(1.0), true, "as fast"),
                point(64, Some(1.02), true, "as fast"),
                point(56, Some(2.5), false, "slower"),
                point(32, None, false, "killed"),
            ],
            interval: (56 << 20, 64 << 20),
            marks: vec![Mark {
                name: "rss".into(),
                bytes: 40 << 20,
            }],
        }
    }

    #[test]
    fn every_point_is_in_the_picture_and_nothing_becomes_markup() {
        let svg = to_svg(&curve()).unwrap();
        assert!(svg.contains("56.0 MiB 2.5 s slower") && svg.contains("32.0 MiB killed"));
        assert!(svg.contains("a &lt; b") && !svg.contains("a < b"));
        // The three with a cost are dots.
        assert_eq!(svg.matches("<circle").count(), 3);
        let png = to_png(&curve()).unwrap();
        assert_eq!(&png[1..4], b"PNG");
    }

    #[test]
    fn a_curve_without_any_cost_is_drawn() {
        let mut none = curve();
        for point in &mut none.points {
            point.cost = None;
        }
        assert!(to_svg(&none).unwrap().contains("killed"));
    }
}
