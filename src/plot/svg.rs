//! A figure as SVG text.

use plotters::prelude::*;

use crate::markup::escape_element;

use super::figure::{HEIGHT, Picture, PlotError, WIDTH};

/// A picture as an SVG document, shown at 800 by 450 pixels.
///
/// Its `metadata` element holds its numbers as JSON; title and description say it in words.
///
/// # Errors
/// The plotting library's.
pub fn to_svg(picture: &impl Picture) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let ground = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        let drawn = picture.draw(&ground).and_then(|()| ground.present());
        drawn.map_err(|e| PlotError::Draw(e.to_string()))?;
    }
    let (open, body) = text
        .find("<svg")
        .and_then(|from| Some(from + text[from..].find('>')? + 1))
        .map(|at| text.split_at(at))
        .ok_or_else(|| PlotError::Draw("the library wrote no svg element".into()))?;
    let open = open
        .replacen(
            &format!("width=\"{WIDTH}\""),
            "width=\"800\" role=\"img\"",
            1,
        )
        .replacen(&format!("height=\"{HEIGHT}\""), "height=\"450\"", 1);
    Ok(format!(
        "{open}\n<desc>{}</desc>\n<metadata>{}</metadata>{body}",
        escape_element(&picture.description()),
        escape_element(&picture.data().to_string()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Figure, testing};

    #[test]
    fn each_series_says_its_last_value() {
        let recording = testing::recording();
        let svg = to_svg(&Figure::new(&recording, 0, None, None).unwrap()).unwrap();
        // 145 MiB of growth on 4, 100 of it cache that was all read again, 3 of the kernel.
        for text in [
            "anon 149.0 MiB",
            "active_file 100.0 MiB",
            "kernel 3.0 MiB",
            "limit 256.0 MiB",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        let from = svg.find("<metadata>").unwrap() + "<metadata>".len();
        let json = &svg[from..svg.find("</metadata>").unwrap()];
        let last: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(last["rss"], 149 << 20);
        assert_eq!(last["inactive_file"], 0);
    }

    #[test]
    fn text_of_a_recording_cannot_become_markup() {
        let svg = to_svg(&Figure::new(&testing::recording(), 0, None, None).unwrap()).unwrap();
        assert!(!svg.contains("</script>"));
        if let Ok(path) = std::env::var("MEMTIDE_KEEP_FIGURE") {
            std::fs::write(path, svg).unwrap();
        }
    }
}
