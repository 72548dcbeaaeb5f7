//! The font of pictures: DejaVu Sans, which has the letters of Latin, Greek and Cyrillic, and the shapes that stand for states.
//!
//! Its licence is that of Bitstream Vera, which lets programs carry it; the terms and the names of its makers are in the font's own table of
//! names, and so in the program. The crate around it is under MIT or Apache 2.0.

use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb::{Database, Source};

/// Its name in `font-family`.
pub const FAMILY: &str = "DejaVu Sans";

/// The fonts that a picture is drawn with: regular and bold.
pub(crate) static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    for data in [dejavu::sans::regular(), dejavu::sans::bold()] {
        fonts.load_font_source(Source::Binary(Arc::new(data)));
    }
    fonts.set_sans_serif_family(FAMILY);
    Arc::new(fonts)
});
