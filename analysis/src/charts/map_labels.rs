//! Where on a map a label has room: inside its area, or beside it with a line.

use super::canvas::Area;
use super::outlines::{Ring, is_inside};

/// Pixels a side of one cell.
const CELL: f64 = 3.0;
/// Free room around a label.
const MARGIN: f64 = 3.0;

/// Which area owns each small square of the map.
pub(super) struct Grid {
    all: Area,
    columns: usize,
    rows: usize,
    /// Row by row; 0 = nobody, else index of the area + 1.
    owners: Vec<usize>,
    /// The middle of each area's own squares; `None` for an area without any.
    middles: Vec<Option<(f64, f64)>>,
}

/// The middle of a label; where it stands outside its area, the end of the line in the area.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub at: (f64, f64),
    pub from: Option<(f64, f64)>,
}

impl Spot {
    /// The rectangle of a label of this size.
    pub fn area(&self, (w, h): (f64, f64)) -> Area {
        Area { x: self.at.0 - w / 2.0, y: self.at.1 - h / 2.0, w, h }
    }
}

impl Grid {
    /// `areas`: how many there are. `places`: ring in pixels and index of its area, what lies on top last.
    pub fn new(all: Area, areas: usize, places: &[(Option<usize>, &Ring)]) -> Self {
        let (columns, rows) = ((all.w / CELL).ceil() as usize, (all.h / CELL).ceil() as usize);
        let mut grid =
            Self { all, columns, rows, owners: vec![0; columns * rows], middles: vec![None; areas] };
        for (area, ring) in places {
            let low = |part: fn(&(f64, f64)) -> f64| ring.iter().map(part).fold(f64::INFINITY, f64::min);
            let high = |part: fn(&(f64, f64)) -> f64| ring.iter().map(part).fold(f64::NEG_INFINITY, f64::max);
            let span = |from: f64, to: f64, start: f64, most: usize| {
                let index = |v: f64| (((v - start) / CELL).floor().max(0.0) as usize).min(most);
                index(from)..(index(to) + 1).min(most)
            };
            for row in span(low(|p| p.1), high(|p| p.1), all.y, rows) {
                for column in span(low(|p| p.0), high(|p| p.0), all.x, columns) {
                    if is_inside(ring, grid.center(column, row)) {
                        grid.owners[row * columns + column] = area.map_or(0, |i| i + 1);
                    }
                }
            }
            // For an area smaller than a cell; others are given their middle below.
            if let Some(i) = area {
                grid.middles[*i] = grid.middles[*i].or(ring.first().copied());
            }
        }
        let mut sums = vec![(0.0, 0.0, 0.0); areas];
        for (i, owner) in grid.owners.iter().enumerate().filter(|(_, owner)| **owner > 0) {
            let at = grid.center(i % columns, i / columns);
            let sum = &mut sums[owner - 1];
            *sum = (sum.0 + at.0, sum.1 + at.1, sum.2 + 1.0);
        }
        for (middle, (x, y, count)) in grid.middles.iter_mut().zip(sums) {
            if count > 0.0 {
                *middle = Some((x / count, y / count));
            }
        }
        grid
    }

    /// True where the area has a place on the map.
    pub fn has(&self, area: usize) -> bool {
        self.middles[area].is_some()
    }

    /// The area that owns this point.
    pub fn owner(&self, (x, y): (f64, f64)) -> Option<usize> {
        let (column, row) = (((x - self.all.x) / CELL).floor(), ((y - self.all.y) / CELL).floor());
        let inside = column >= 0.0 && row >= 0.0 && column < self.columns as f64 && row < self.rows as f64;
        inside.then(|| self.owners[row as usize * self.columns + column as usize])?.checked_sub(1)
    }

    fn center(&self, column: usize, row: usize) -> (f64, f64) {
        (self.all.x + (column as f64 + 0.5) * CELL, self.all.y + (row as f64 + 0.5) * CELL)
    }

    /// The spot nearest the area's middle where a label of this size lies wholly inside it.
    pub fn inside(&self, area: usize, (w, h): (f64, f64)) -> Option<Spot> {
        let middle = self.middles[area]?;
        // sums[r][c]: own squares above row r and left of column c.
        let wide = self.columns + 1;
        let mut sums = vec![0_u32; wide * (self.rows + 1)];
        for row in 0..self.rows {
            for column in 0..self.columns {
                let own = u32::from(self.owners[row * self.columns + column] == area + 1);
                sums[(row + 1) * wide + column + 1] =
                    own + sums[row * wide + column + 1] + sums[(row + 1) * wide + column]
                        - sums[row * wide + column];
            }
        }
        let fits = |(x, y): (f64, f64)| {
            let low = |v: f64, start: f64, size: f64| ((v - size / 2.0 - MARGIN - start) / CELL).floor();
            let high = |v: f64, start: f64, size: f64| ((v + size / 2.0 + MARGIN - start) / CELL).ceil();
            let (left, top) = (low(x, self.all.x, w), low(y, self.all.y, h));
            let (right, bottom) = (high(x, self.all.x, w), high(y, self.all.y, h));
            if left < 0.0 || top < 0.0 || right > self.columns as f64 || bottom > self.rows as f64 {
                return false;
            }
            let (left, top, right, bottom) = (left as usize, top as usize, right as usize, bottom as usize);
            let own = sums[bottom * wide + right] + sums[top * wide + left]
                - sums[top * wide + right]
                - sums[bottom * wide + left];
            own as usize == (right - left) * (bottom - top)
        };
        if fits(middle) {
            return Some(Spot { at: middle, from: None });
        }
        let distance = |(x, y): (f64, f64)| (x - middle.0).powi(2) + (y - middle.1).powi(2);
        (0..self.owners.len())
            .filter(|i| self.owners[*i] == area + 1)
            .map(|i| self.center(i % self.columns, i / self.columns))
            .filter(|at| fits(*at))
            .min_by(|a, b| distance(*a).total_cmp(&distance(*b)))
            .map(|at| Spot { at, from: None })
    }

    /// The nearest spot around the area where a label of this size meets none of `taken`.
    pub fn beside(&self, area: usize, (w, h): (f64, f64), taken: &[Area]) -> Option<Spot> {
        let middle = self.middles[area]?;
        let is_free = |a: &Area| {
            let all = &self.all;
            let within =
                a.x >= all.x && a.y >= all.y && a.x + a.w <= all.x + all.w && a.y + a.h <= all.y + all.h;
            within
                && taken.iter().all(|t| {
                    a.x + a.w + MARGIN <= t.x
                        || t.x + t.w + MARGIN <= a.x
                        || a.y + a.h + MARGIN <= t.y
                        || t.y + t.h + MARGIN <= a.y
                })
        };
        (3..60).find_map(|ring| {
            let radius = f64::from(ring) * 5.0;
            (0..24).find_map(|turn| {
                let angle = f64::from(turn) * std::f64::consts::TAU / 24.0;
                let at = (middle.0 + radius * angle.cos(), middle.1 - radius * angle.sin());
                let spot = Spot { at, from: Some(middle) };
                is_free(&spot.area((w, h))).then_some(spot)
            })
        })
    }
}
