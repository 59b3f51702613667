//! Pictures of recordings: what a chart shows, and figures as SVG and PNG.
//!
//! [`layers`], [`steps`] and [`thin`] say what is shown; the HTML report and the demo draw the same.

#[cfg(feature = "plot")]
mod curve;
#[cfg(feature = "plot")]
mod figure;
#[cfg(feature = "plot")]
mod labels;
pub mod layers;
pub mod palette;
#[cfg(feature = "plot")]
mod png_image;
pub mod steps;
#[cfg(feature = "plot")]
mod svg;
#[cfg(test)]
pub(crate) mod testing;
pub mod thin;

#[cfg(feature = "plot")]
pub use curve::{Curve, Mark, Point};
#[cfg(feature = "plot")]
pub use figure::{Drawn, Figure, Picture, PlotError};
#[cfg(feature = "plot")]
pub use png_image::to_png;
#[cfg(feature = "plot")]
pub use svg::to_svg;

/// A picture as a file of this extension: SVG text, else PNG.
///
/// # Errors
/// The plotting library's.
#[cfg(feature = "plot")]
pub fn to_file(picture: &impl Picture, extension: &str) -> Result<Vec<u8>, PlotError> {
    match extension {
        "svg" => to_svg(picture).map(String::into_bytes),
        _ => to_png(picture),
    }
}
