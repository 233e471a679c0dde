//! Charts, drawn once and written as SVG or PNG.
