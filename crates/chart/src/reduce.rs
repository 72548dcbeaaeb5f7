//! Reduces points to pixel columns: only the first, minimum, maximum and last value of a column are visible.

/// A point to draw: x in pixels, y as a value.
pub type Point = (f64, f64);

/// Calls `emit` with the visible points of `points` (ascending in x), at most four per pixel column, and with `None`
/// where the line is interrupted: at a NaN, and between neighbours more than `gap` pixels apart.
pub fn columns(points: impl Iterator<Item = Point>, gap: f64, mut emit: impl FnMut(Option<Point>)) {
    let mut column: Option<Column> = None;
    let mut previous: Option<f64> = None;
    for (x, y) in points {
        if !y.is_finite() {
            if let Some(done) = column.take() {
                done.emit(&mut emit);
            }
            if previous.take().is_some() {
                emit(None);
            }
            continue;
        }
        if previous.is_some_and(|previous| x - previous > gap) {
            if let Some(done) = column.take() {
                done.emit(&mut emit);
            }
            emit(None);
        }
        previous = Some(x);
        match &mut column {
            Some(current) if current.number == x.floor() => current.add((x, y)),
            _ => {
                if let Some(done) = column.take() {
                    done.emit(&mut emit);
                }
                column = Some(Column::new((x, y)));
            }
        }
    }
    if let Some(done) = column {
        done.emit(&mut emit);
    }
}

struct Column {
    number: f64,
    first: Point,
    least: Point,
    greatest: Point,
    last: Point,
}

impl Column {
    fn new(point: Point) -> Self {
        Column { number: point.0.floor(), first: point, least: point, greatest: point, last: point }
    }

    fn add(&mut self, point: Point) {
        if point.1 < self.least.1 {
            self.least = point;
        }
        if point.1 > self.greatest.1 {
            self.greatest = point;
        }
        self.last = point;
    }

    fn emit(self, emit: &mut impl FnMut(Option<Point>)) {
        let (earlier, later) =
            if self.least.0 <= self.greatest.0 { (self.least, self.greatest) } else { (self.greatest, self.least) };
        let mut drawn = self.first;
        emit(Some(drawn));
        for point in [earlier, later, self.last] {
            if point != drawn {
                emit(Some(point));
                drawn = point;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduced(points: &[Point], gap: f64) -> Vec<Option<Point>> {
        let mut out = Vec::new();
        columns(points.iter().copied(), gap, |point| out.push(point));
        out
    }

    #[test]
    fn sparse_points_are_all_kept() {
        let points = [(0.0, 1.0), (5.0, 2.0), (10.0, 3.0)];
        assert_eq!(reduced(&points, 6.0), points.map(Some));
    }

    #[test]
    fn a_column_keeps_its_extremes_in_order() {
        let points = [(0.0, 5.0), (0.2, 9.0), (0.4, 1.0), (0.6, 4.0), (0.8, 6.0), (1.5, 7.0)];
        assert_eq!(
            reduced(&points, 6.0),
            [Some((0.0, 5.0)), Some((0.2, 9.0)), Some((0.4, 1.0)), Some((0.8, 6.0)), Some((1.5, 7.0))]
        );
    }

    #[test]
    fn gaps_and_non_numbers_break_the_line() {
        assert_eq!(reduced(&[(0.0, 1.0), (9.0, 2.0)], 6.0), [Some((0.0, 1.0)), None, Some((9.0, 2.0))]);
        assert_eq!(
            reduced(&[(0.0, 1.0), (1.0, f64::NAN), (2.0, f64::INFINITY), (3.0, 2.0)], 6.0),
            [Some((0.0, 1.0)), None, Some((3.0, 2.0))]
        );
    }

    #[test]
    fn a_million_points_become_a_few_a_column() {
        let points = (0..1_000_000).map(|index| (f64::from(index) / 1_000.0, f64::from(index % 977)));
        let mut count = 0;
        columns(points, 6.0, |_| count += 1);
        assert!(count <= 4_000, "{count}");
    }
}
