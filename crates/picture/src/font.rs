//! The font of images: DejaVu Sans, which has Latin, Greek and Cyrillic letters, and the symbols for states.
//!
//! The Bitstream Vera licence allows programs to embed it; the terms and authors are in the font's name table, and so
//! in the program. The crate that contains it has the licence MIT or Apache 2.0.

use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb::{Database, Source};

/// Its name in `font-family`.
pub const FAMILY: &str = "DejaVu Sans";

/// The fonts of an image: regular and bold.
pub(crate) static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    for data in [dejavu::sans::regular(), dejavu::sans::bold()] {
        fonts.load_font_source(Source::Binary(Arc::new(data)));
    }
    fonts.set_sans_serif_family(FAMILY);
    Arc::new(fonts)
});
