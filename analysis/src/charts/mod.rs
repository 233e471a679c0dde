//! Charts, drawn once and written as SVG or PNG.
//!
//! House style: the title says the finding, the subtitle the question and its base, the last line the method
//! and n; one left edge; values written on the marks; few grid lines; colours that stay apart for the
//! colour-blind; labels wrapped by measuring the letters, never cut; decimal comma; hollow and grey on a
//! small base; hatched where a figure is held back. The same input gives the same bytes.
//!
//! Charts take figures of the gate ([`crate::disclosure::Figure`]), counts of fieldwork and of the sample, and
//! published totals only.

mod axis;
mod bars;
mod canvas;
mod estimate_map;
mod funnel;
mod histogram;
mod intervals;
mod letters;
mod likert;
mod map;
mod map_labels;
pub mod numerals;
mod outlines;
mod page;
mod palette;
mod pyramid;
mod raster;
mod tiles;
mod trend;
mod words;

pub use bars::{BarGroup, GroupedBars};
pub use estimate_map::{EstimateMap, MapArea, Places};
pub use funnel::{Funnel, Stage};
pub use histogram::Histogram;
pub use intervals::{DotInterval, DotRow, Order};
pub use likert::{Likert, LikertRow};
pub use map::AreaMap;
pub use outlines::{Outline, Ring};
pub use page::{Caption, Width};
pub use pyramid::{Pyramid, PyramidBand};
pub use raster::{RasterError, png};
pub use tiles::{Tile, TileError};
pub use trend::{Break, Series, Trend};

use crate::disclosure::SafeTable;

/// The family of every text on a chart, with what a reader without it gets.
pub const FONT_FAMILY: &str = "Be Vietnam Pro, Noto Sans, Arial, sans-serif";
/// The typeface, for pages that show charts.
pub const REGULAR_WOFF2: &[u8] = include_bytes!("../../fonts/BeVietnamPro-Regular.woff2");
pub const SEMIBOLD_WOFF2: &[u8] = include_bytes!("../../fonts/BeVietnamPro-SemiBold.woff2");

/// What every kind of chart can do.
pub trait Chart {
    /// The drawing as an SVG document, with title and description for those who do not see it.
    fn svg(&self, width: Width) -> String;

    /// The chart's figures as a table.
    fn table(&self) -> SafeTable;

    fn caption(&self) -> &Caption;

    /// The kind of the chart and its first figures in words, without a full stop.
    fn spoken(&self) -> String;

    /// What a reader who does not see the chart is told.
    fn alternative_text(&self) -> String {
        let caption = self.caption();
        let spoken = self.spoken();
        let sentences: Vec<&str> = [caption.title.as_str(), caption.subtitle.as_str(), spoken.as_str()]
            .into_iter()
            .map(|text| text.trim_end_matches('.'))
            .filter(|text| !text.is_empty())
            .collect();
        sentences.join(". ") + "."
    }
}

/// How the values of a chart are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Shares 0–1, drawn in per cent.
    Percent,
    /// Numbers with so many decimals.
    Number(usize),
}

impl Unit {
    fn scale(self, value: f64) -> f64 {
        if self == Self::Percent { value * 100.0 } else { value }
    }

    /// The value as written on a mark; `value` is on the chart's scale.
    fn mark(self, value: f64) -> String {
        match self {
            Self::Percent => numerals::decimal(value, 0),
            Self::Number(digits) => numerals::decimal(value, digits),
        }
    }

    /// An estimate as in a sentence: `62%`.
    fn with_sign(self, estimate: f64) -> String {
        let text = self.mark(self.scale(estimate));
        if self == Self::Percent { text + "%" } else { text }
    }

    fn tick(self, value: f64, step: f64) -> String {
        let digits = if step >= 1.0 { 0 } else { (-step.log10()).ceil() as usize };
        let text = numerals::decimal(value, digits);
        if self == Self::Percent { text + "%" } else { text }
    }

    fn share_cell(self, figure: &crate::disclosure::Figure) -> crate::disclosure::Cell {
        match self {
            Self::Percent => crate::disclosure::Cell::Share(figure.clone()),
            Self::Number(digits) => crate::disclosure::Cell::Number(figure.clone(), digits),
        }
    }

    fn interval_cell(self, figure: &crate::disclosure::Figure) -> crate::disclosure::Cell {
        match self {
            Self::Percent => crate::disclosure::Cell::ShareInterval(figure.clone()),
            Self::Number(digits) => crate::disclosure::Cell::NumberInterval(figure.clone(), digits),
        }
    }
}
