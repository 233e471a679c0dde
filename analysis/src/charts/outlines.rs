//! Outlines of areas as a caller gives them, and what can be asked of them.

use serde_json::Value;

/// A closed line of longitudes and latitudes, or of pixels.
pub type Ring = Vec<(f64, f64)>;

/// An area with its outer ring, in degrees of longitude and latitude. Islands are outlines of their own with the
/// same code; what lies in a hole is drawn over it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    pub code: String,
    pub name: String,
    pub ring: Ring,
}

impl Outline {
    /// Reads a GeoJSON collection of polygons (also of several parts) with the properties `code` and `name`; what
    /// is no polygon is left out.
    pub fn read(geojson: &str) -> Result<Vec<Self>, serde_json::Error> {
        let collection: Value = serde_json::from_str(geojson)?;
        let features = collection["features"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(features.iter().flat_map(Self::of_feature).collect())
    }

    fn of_feature(feature: &Value) -> Vec<Self> {
        let geometry = &feature["geometry"];
        let outer = |polygon: &Value| ring_of(&polygon[0]);
        let rings: Vec<Ring> = match geometry["type"].as_str() {
            Some("Polygon") => outer(&geometry["coordinates"]).into_iter().collect(),
            Some("MultiPolygon") => {
                geometry["coordinates"].as_array().into_iter().flatten().filter_map(outer).collect()
            }
            _ => Vec::new(),
        };
        let text = |name: &str| feature["properties"][name].as_str().unwrap_or_default().to_owned();
        rings.into_iter().map(|ring| Self { code: text("code"), name: text("name"), ring }).collect()
    }

    /// The centre of the surface of the outer ring.
    pub fn middle(&self) -> (f64, f64) {
        let (mut x, mut y, mut twice) = (0.0, 0.0, 0.0);
        for (a, b) in edges(&self.ring) {
            let part = a.0 * b.1 - b.0 * a.1;
            twice += part;
            x += (a.0 + b.0) * part;
            y += (a.1 + b.1) * part;
        }
        if twice == 0.0 { self.ring[0] } else { (x / (3.0 * twice), y / (3.0 * twice)) }
    }
}

/// A ring of three points and more.
fn ring_of(line: &Value) -> Option<Ring> {
    let place = |point: &Value| Some((point.get(0)?.as_f64()?, point.get(1)?.as_f64()?));
    let ring: Ring = line.as_array()?.iter().filter_map(place).collect();
    (ring.len() >= 3).then_some(ring)
}

/// Pairs of neighbouring points, the last with the first.
pub(super) fn edges(ring: &[(f64, f64)]) -> impl Iterator<Item = ((f64, f64), (f64, f64))> + '_ {
    ring.iter().copied().zip(ring.iter().copied().cycle().skip(1))
}

pub(super) fn surface(ring: &[(f64, f64)]) -> f64 {
    edges(ring).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f64>().abs() / 2.0
}

/// True where the point lies in the ring.
pub(super) fn is_inside(ring: &[(f64, f64)], (x, y): (f64, f64)) -> bool {
    let crossed = edges(ring)
        .filter(|(a, b)| (a.1 > y) != (b.1 > y) && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0))
        .count();
    crossed % 2 == 1
}

/// How outlines lie on the paper.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sheet {
    west: f64,
    north: f64,
    /// Pixels per unit, east and north.
    scale: (f64, f64),
    left: f64,
    top: f64,
    pub bottom: f64,
}

impl Sheet {
    /// Fits all points into a width and a height below `top`, centred; `None` where they span no surface.
    /// `are_degrees`: a degree of longitude is then drawn as short as it is.
    pub fn fit<'a>(
        points: impl Iterator<Item = &'a (f64, f64)>,
        are_degrees: bool,
        (left, top): (f64, f64),
        (width, height): (f64, f64),
    ) -> Option<Self> {
        let (mut west, mut east, mut south, mut north) =
            (f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY);
        for (x, y) in points {
            (west, east) = (west.min(*x), east.max(*x));
            (south, north) = (south.min(*y), north.max(*y));
        }
        if !(east > west && north > south) {
            return None;
        }
        let narrow = if are_degrees { ((north + south) / 2.0).to_radians().cos() } else { 1.0 };
        let (wide, tall) = ((east - west) * narrow, north - south);
        let scale = (width / wide).min(height / tall);
        let left = left + (width - wide * scale) / 2.0;
        Some(Self { west, north, scale: (scale * narrow, scale), left, top, bottom: top + tall * scale })
    }

    pub fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.left + (x - self.west) * self.scale.0, self.top + (self.north - y) * self.scale.1)
    }
}
