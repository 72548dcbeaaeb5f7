//! Renders an SVG document to pixels.

use std::sync::Arc;

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{ImageHrefResolver, Options, Tree},
};

use crate::font::{FAMILY, FONTS};

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The document is not SVG.
    #[error("the drawing cannot be read: {0}")]
    Svg(String),
    /// Too many pixels, or none.
    #[error("a picture of {width} x {height} pixels is outside of what is drawn, which is up to {most} pixels in all")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Maximum total number of pixels.
        most: u64,
    },
    /// The PNG encoder failed.
    #[error("the picture cannot be packed: {0}")]
    Png(String),
}

/// Renders an SVG document as PNG with `zoom` pixels per unit, and at most `most_pixels` in total. References to files
/// or other documents are ignored.
///
/// # Errors
///
/// The document is invalid or too large.
pub fn png(svg: &str, zoom: f32, most_pixels: u64) -> Result<Vec<u8>, PictureError> {
    let nothing: ImageHrefResolver<'_> =
        ImageHrefResolver { resolve_data: Box::new(|_, _, _| None), resolve_string: Box::new(|_, _| None) };
    let options = Options {
        font_family: FAMILY.to_owned(),
        fontdb: Arc::clone(&FONTS),
        image_href_resolver: nothing,
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).map_err(|error| PictureError::Svg(error.to_string()))?;
    let (width, height) = (pixels(tree.size().width() * zoom), pixels(tree.size().height() * zoom));
    let outside = || PictureError::Size { width, height, most: most_pixels };
    if u64::from(width) * u64::from(height) > most_pixels {
        return Err(outside());
    }
    let mut pixmap = Pixmap::new(width, height).ok_or_else(outside)?;
    resvg::render(&tree, Transform::from_scale(zoom, zoom), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| PictureError::Png(error.to_string()))
}

/// A length in whole pixels; 0 if it is not a valid length.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
fn pixels(length: f32) -> u32 {
    if length.is_finite() { length.round().clamp(0.0, 1e6) as u32 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = 1_000_000;

    fn document(body: &str) -> String {
        format!(r#"<svg xmlns="http://www.w3.org/2000/svg" width="60" height="30" viewBox="0 0 60 30">{body}</svg>"#)
    }

    fn draw(body: &str, zoom: f32) -> Pixmap {
        Pixmap::decode_png(&png(&document(body), zoom, MOST).unwrap()).unwrap()
    }

    fn color_at(pixmap: &Pixmap, x: u32, y: u32) -> (u8, u8, u8, u8) {
        let pixel = pixmap.pixel(x, y).unwrap().demultiply();
        (pixel.red(), pixel.green(), pixel.blue(), pixel.alpha())
    }

    fn inked(pixmap: &Pixmap) -> usize {
        pixmap.pixels().iter().filter(|pixel| pixel.alpha() > 127).count()
    }

    #[test]
    fn shapes_have_their_colours_at_any_zoom() {
        for zoom in [1.0, 2.0] {
            let pixmap = draw(r##"<path fill="#c3261f" d="M0 0h30v30h-30z"/>"##, zoom);
            let at = |x: f32, y: f32| color_at(&pixmap, pixels(x * zoom), pixels(y * zoom));
            assert_eq!((pixmap.width(), pixmap.height()), (pixels(60.0 * zoom), pixels(30.0 * zoom)));
            assert_eq!(at(15.0, 15.0), (0xc3, 0x26, 0x1f, 255));
            assert_eq!(at(45.0, 15.0), (0, 0, 0, 0));
        }
    }

    #[test]
    fn text_is_letters_and_no_empty_boxes() {
        let text = |text: &str, weight: &str| {
            draw(&format!(r#"<text x="2" y="22" font-size="20" font-weight="{weight}">{text}</text>"#), 1.0)
        };
        let unknown = text("\u{10ffff}", "400");
        for shown in ["g", "Ж", "é", "▲", "◆", "●", "◐", "✓", "✕", "⊘", "…", "–"] {
            let drawn = text(shown, "400");
            assert!(inked(&drawn) > 5, "{shown} is not drawn");
            assert_ne!(drawn.data(), unknown.data(), "{shown} is drawn as what is unknown");
        }
        assert_ne!(text("i", "400").data(), text("m", "400").data());
        assert!(inked(&text("Jobs", "600")) > inked(&text("Jobs", "400")));
    }

    #[test]
    fn what_is_too_large_is_not_begun() {
        let size = |zoom: f32, most: u64| png(&document(""), zoom, most).unwrap_err().to_string();
        assert!(size(1.0, 1_799).contains("60 x 30 pixels"));
        assert!(size(f32::NAN, MOST).contains("0 x 0 pixels"));
        assert!(matches!(png("<html/>", 1.0, MOST), Err(PictureError::Svg(_))));
    }

    #[test]
    fn no_file_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/none.svg");
        let pixmap = draw(&format!(r#"<image href="{path}" width="60" height="30"/>"#), 1.0);
        assert_eq!(inked(&pixmap), 0);
    }
}
