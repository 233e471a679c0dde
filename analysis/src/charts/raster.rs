//! PNG from a chart's SVG, with the embedded font and no other.

use super::letters;
use resvg::{tiny_skia, usvg};
use std::sync::LazyLock;

static OPTIONS: LazyLock<usvg::Options<'static>> = LazyLock::new(|| {
    let mut options = usvg::Options { font_family: "Be Vietnam Pro".to_owned(), ..Default::default() };
    let fonts = options.fontdb_mut();
    fonts.load_font_data(letters::REGULAR.to_vec());
    fonts.load_font_data(letters::SEMIBOLD.to_vec());
    options
});

#[derive(Debug, thiserror::Error)]
pub enum RasterError {
    #[error("the drawing is not an SVG that can be rendered: {0}")]
    Svg(String),
    #[error("a picture of {width} × {height} pixels cannot be made; choose a smaller scale")]
    Size { width: u32, height: u32 },
    #[error("the picture could not be written as PNG: {0}")]
    Encode(String),
}

/// Renders a chart's SVG at `scale` pixels a pixel (2 is crisp in a document).
///
/// Errors: [`RasterError`], for an SVG that is not one, or a size beyond memory.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>, RasterError> {
    let tree = usvg::Tree::from_str(svg, &OPTIONS).map_err(|e| RasterError::Svg(e.to_string()))?;
    let (width, height) =
        ((tree.size().width() * scale).ceil() as u32, (tree.size().height() * scale).ceil() as u32);
    let mut pixels = tiny_skia::Pixmap::new(width, height).ok_or(RasterError::Size { width, height })?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| RasterError::Encode(e.to_string()))
}
