//! Outlines of communes for overview maps: simplified to about 1 km, no legal boundary (`areas/SOURCE.md`).

/// The 124 communes of Tuyên Quang since 1 July 2025 as GeoJSON: `properties.code`, `properties.name`, one outer
/// ring each, in degrees of longitude and latitude.
pub const COMMUNES_TUYEN_QUANG: &str = include_str!("../areas/commune_outlines_tuyen_quang.geojson");
