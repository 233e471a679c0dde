//! Areas and distances on a sphere, as the form engines reckon them.

/// Latitude and longitude in degrees.
pub(super) type Point = (f64, f64);

const EARTH_RADIUS_METRES: f64 = 6_378_100.0;

/// Points of `lat lon alt acc; lat lon …`; `None` where one of them is none.
pub(super) fn points(text: &str) -> Option<Vec<Point>> {
    let on_earth = |point: &Point| point.0.abs() <= 90.0 && point.1.abs() <= 180.0;
    points_anywhere(text).filter(|points| points.iter().all(on_earth))
}

/// Like [`points`], whatever the degrees.
pub(super) fn points_anywhere(text: &str) -> Option<Vec<Point>> {
    let mut found = Vec::new();
    let text = text.trim();
    let text = text.strip_suffix(';').unwrap_or(text);
    for part in text.split(';') {
        let numbers: Vec<&str> = part.split_whitespace().collect();
        if !(2..=4).contains(&numbers.len()) {
            return None;
        }
        let latitude: f64 = numbers[0].parse().ok()?;
        let longitude: f64 = numbers[1].parse().ok()?;
        if !latitude.is_finite() || !longitude.is_finite() {
            return None;
        }
        found.push((latitude, longitude));
    }
    Some(found)
}

/// Square metres inside the ring.
pub(super) fn area(points: &[Point]) -> f64 {
    if points.len() < 3 {
        return 0.0;
    }
    let mut total = 0.0;
    for (i, start) in points.iter().enumerate() {
        let end = points[(i + 1) % points.len()];
        total +=
            (end.1 - start.1).to_radians() * (2.0 + end.0.to_radians().sin() + start.0.to_radians().sin());
    }
    (total * EARTH_RADIUS_METRES * EARTH_RADIUS_METRES / 2.0).abs()
}

/// Square metres inside the ring as JavaRosa reckons them: triangles from the first point, on a map
/// whose metres a degree are those of each point's latitude.
pub(super) fn flat_area(points: &[Point]) -> f64 {
    if points.len() < 3 {
        return 0.0;
    }
    // In JavaRosa's order of operations, so that the last digit agrees too.
    let circle = 2.0 * EARTH_RADIUS_METRES * std::f64::consts::PI;
    let from = points[0];
    let east = |point: &Point| (point.1 - from.1) * circle * point.0.to_radians().cos() / 360.0;
    let flat: Vec<(f64, f64)> =
        points[1..].iter().map(|point| (east(point), (point.0 - from.0) * circle / 360.0)).collect();
    let triangle = |pair: &[(f64, f64)]| (pair[0].1 * pair[1].0 - pair[0].0 * pair[1].1) / 2.0;
    flat.windows(2).map(triangle).sum::<f64>().abs()
}

/// Metres along the points.
pub(super) fn distance(points: &[Point]) -> f64 {
    points
        .windows(2)
        .map(|pair| {
            let (a, b) = (pair[0], pair[1]);
            if a == b {
                return 0.0;
            }
            let delta = (a.1 - b.1).to_radians();
            let (a, b) = (a.0.to_radians(), b.0.to_radians());
            let cosine = a.sin() * b.sin() + a.cos() * b.cos() * delta.cos();
            cosine.clamp(-1.0, 1.0).acos() * EARTH_RADIUS_METRES
        })
        .sum()
}

/// To the centimetre, as the tablet's engine gives areas and distances.
pub(super) fn hundredths(metres: f64) -> f64 {
    (metres * 100.0).round() / 100.0
}

/// Whether the point lies inside the ring (ray casting; the border is undecided).
pub(super) fn inside(point: Point, ring: &[Point]) -> bool {
    let mut inside = false;
    for (i, a) in ring.iter().enumerate() {
        let b = ring[(i + ring.len() - 1) % ring.len()];
        if (a.0 > point.0) != (b.0 > point.0) && point.1 < (b.1 - a.1) * (point.0 - a.0) / (b.0 - a.0) + a.1 {
            inside = !inside;
        }
    }
    inside
}

/// Whether a line through the points crosses itself.
pub(super) fn intersects(points: &[Point]) -> bool {
    let lines: Vec<(Point, Point)> =
        points.windows(2).map(|pair| (pair[0], pair[1])).filter(|(a, b)| a != b).collect();
    let closed = points.first() == points.last();
    for (i, one) in lines.iter().enumerate() {
        for (j, other) in lines.iter().enumerate().skip(i + 2) {
            // Neighbours share a point, as do the two ends of a ring.
            if closed && i == 0 && j + 1 == lines.len() {
                continue;
            }
            if cross(*one, *other) {
                return true;
            }
        }
    }
    false
}

fn cross((a, b): (Point, Point), (c, d): (Point, Point)) -> bool {
    let turn = |p: Point, q: Point, r: Point| {
        let product = (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0);
        if product == 0.0 { 0.0 } else { product.signum() }
    };
    let between = |p: Point, q: Point, r: Point| {
        r.0 >= p.0.min(q.0) && r.0 <= p.0.max(q.0) && r.1 >= p.1.min(q.1) && r.1 <= p.1.max(q.1)
    };
    let (abc, abd, cda, cdb) = (turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b));
    (abc != abd && cda != cdb)
        || (abc == 0.0 && between(a, b, c))
        || (abd == 0.0 && between(a, b, d))
        || (cda == 0.0 && between(c, d, a))
        || (cdb == 0.0 && between(c, d, b))
}
