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
pub use figure::{Figure, PlotError};
