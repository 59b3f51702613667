//! The curve as a picture and as a page.

use std::path::PathBuf;

use anyhow::bail;

use super::super::common::picture;
use super::Found;

/// Where the curve goes, beside the terminal.
#[derive(Debug, clap::Args)]
pub struct Drawn {
    /// Draw the curve of limit against cost: the name ends in `.svg` or `.png`.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Write everything as one HTML page that opens offline, with the curve.
    #[arg(short, long, value_name = "REPORT.html")]
    output: Option<PathBuf>,
}

impl Drawn {
    /// Says what is wrong before hours are spent on measuring.
    ///
    /// # Errors
    /// A name that no picture has, a folder that is not there, more than one curve for one picture.
    pub fn check(&self, programs: usize) -> anyhow::Result<()> {
        for path in [&self.plot, &self.output].into_iter().flatten() {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|p| !p.is_dir()) {
                bail!(
                    "{}: there is no folder {}",
                    path.display(),
                    folder.display()
                );
            }
        }
        if let Some(path) = &self.plot {
            picture(path)?;
            if programs > 1 {
                bail!(
                    "--plot draws one curve, and there are {programs}: `-o REPORT.html` has them all"
                );
            }
        }
        available(self)
    }

    /// Writes what was asked for.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn write(&self, found: &[Found]) -> anyhow::Result<()> {
        write(self, found)
    }
}

#[cfg(not(feature = "report"))]
fn available(drawn: &Drawn) -> anyhow::Result<()> {
    if drawn.plot.is_none() && drawn.output.is_none() {
        return Ok(());
    }
    Err(super::super::Failure::environment(
        "this memtide was built without the feature `report`, so it can't draw; build it with \
         `--features report`",
    ))
}

#[cfg(feature = "report")]
fn available(_: &Drawn) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(not(feature = "report"))]
fn write(drawn: &Drawn, _: &[Found]) -> anyhow::Result<()> {
    available(drawn)
}

#[cfg(feature = "report")]
fn write(drawn: &Drawn, found: &[Found]) -> anyhow::Result<()> {
    with_figures::write(drawn, found)
}

#[cfg(feature = "report")]
mod with_figures {
    use super::super::super::common::{picture, write_file};
    use super::super::{Found, print};
    use super::Drawn;
    use crate::need::{self, By, Measured, Verdict};
    use crate::plot::{Curve, Mark, Picture, Point, to_file, to_svg};
    use crate::report::html::{NeedPart, need_page};
    use crate::units;

    /// What people size by, and so what they look for in the picture.
    const MARKED: [&str; 3] = ["cadvisor_working_set", "rss", "usage"];

    pub fn write(drawn: &Drawn, found: &[Found]) -> anyhow::Result<()> {
        if let (Some(path), Some(one)) = (&drawn.plot, found.first()) {
            let curve = curve(&one.name, &one.measured);
            write_file(path, to_file(&curve, picture(path)?)?)?;
        }
        if let Some(path) = &drawn.output {
            let parts = found.iter().map(part).collect::<anyhow::Result<Vec<_>>>()?;
            write_file(path, need_page(&parts))?;
        }
        Ok(())
    }

    fn part(found: &Found) -> anyhow::Result<NeedPart> {
        let curve = curve(&found.name, &found.measured);
        Ok(NeedPart {
            name: found.name.clone(),
            sentences: print::sentences(&found.name, &found.measured).to_vec(),
            svg: to_svg(&curve)?,
            description: curve.description(),
            tables: vec![
                ("Under each limit".into(), print::curve(&found.measured)),
                (
                    "What each formula said at the highest limit".into(),
                    print::errors(&found.measured),
                ),
            ],
            notes: found.notes.clone(),
        })
    }

    fn curve(name: &str, measured: &Measured) -> Curve {
        let wanted = measured.wanted;
        let percent = wanted.by == By::Refaults;
        let points = measured.curve.iter().map(|tried| Point {
            limit: tried.limit,
            cost: tried
                .cost
                .map(|cost| if percent { 100.0 * cost } else { cost }),
            fits: tried.verdict == Verdict::Fits,
            said: print::said(tried, wanted.by),
        });
        let marks = need::formula_errors(measured).into_iter();
        let marks = marks.filter(|error| MARKED.contains(&error.formula));
        Curve {
            title: format!("{name} needs {}", units::bytes(measured.need)),
            subtitle: format!("the smallest limit at which {}", print::as_good(measured)),
            unit: match wanted.by {
                By::Time => "s".into(),
                By::Refaults => "% of the limit read again".into(),
                By::Less | By::More => String::new(),
            },
            points: points.collect(),
            interval: measured.interval,
            marks: marks
                .map(|error| Mark {
                    name: error.formula.into(),
                    bytes: u64::try_from(error.said).unwrap_or(0),
                })
                .collect(),
        }
    }
}
