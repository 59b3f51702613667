//! A figure as PNG. The font comes from a crate: a bare container has none.

use std::io::Read;
use std::sync::OnceLock;

use flate2::read::ZlibDecoder;
use plotters::prelude::*;

use super::figure::{HEIGHT, Picture, PlotError, WIDTH};

/// A picture as PNG of 1600 by 900 pixels, meant to be shown at half that size.
///
/// # Errors
/// The plotting library's.
pub fn to_png(picture: &impl Picture) -> Result<Vec<u8>, PlotError> {
    register_font()?;
    let mut pixels = vec![0; (WIDTH * HEIGHT * 3) as usize];
    {
        let ground = BitMapBackend::with_buffer(&mut pixels, (WIDTH, HEIGHT)).into_drawing_area();
        let drawn = picture.draw(&ground).and_then(|()| ground.present());
        drawn.map_err(|e| PlotError::Draw(e.to_string()))?;
    }
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.add_text_chunk("Description".into(), latin1(&picture.description()))?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(out)
}

/// PNG text chunks are Latin-1.
fn latin1(text: &str) -> String {
    text.chars()
        .map(|c| if (c as u32) < 0x100 { c } else { '?' })
        .collect()
}

/// DejaVu Sans as build.rs packed it. One style: it is used for bold, too.
const FONT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/font.ttf.zlib"));

fn register_font() -> Result<(), PlotError> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let register = || {
        let mut font = Vec::new();
        ZlibDecoder::new(FONT)
            .read_to_end(&mut font)
            .map_err(|e| e.to_string())?;
        // The library keeps fonts for good, so this one may stay in memory.
        plotters::style::register_font("sans-serif", FontStyle::Normal, font.leak())
            .map_err(|_| "it is no font".to_string())
    };
    let done = DONE.get_or_init(register).clone();
    done.map_err(|why| PlotError::Draw(format!("the font can't be read: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Figure, testing};

    #[test]
    fn a_png_is_drawn_without_fonts_on_the_machine() {
        let png = to_png(&Figure::new(&testing::recording(), 0, None, None).unwrap()).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        // The label at the right is text: without a font there would be white only.
        let dark = pixels
            .chunks_exact(3)
            .filter(|p| p.iter().all(|c| *c < 0x60))
            .count();
        assert!(dark > 5_000, "{dark} dark pixels");
        if let Ok(path) = std::env::var("MEMTIDE_KEEP_PICTURE") {
            std::fs::write(path, png).unwrap();
        }
    }
}
