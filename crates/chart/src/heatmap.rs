//! Heatmaps: the number of observations per bucket and time, as cells in eight shades.

use model::sort::sort_by;
use plotters::{coord::Shift, drawing::DrawingArea, element::Rectangle, style::Color as _};
use plotters_backend::DrawingBackend;

use crate::{
    palette::{HEAT_STEPS, Ink},
    plot::TimeSpan,
    svg::{self, Paint},
};

const SIZE: (u32, u32) = (2_000, 600);
/// Maximum number of columns.
const MOST_COLUMNS: i64 = 120;

/// One cumulative bucket over time, as returned by `sum by (le) (increase(..._bucket[...]))`.
#[derive(Debug, Clone, Copy)]
pub struct Bucket<'a> {
    /// Its label `le`.
    pub upper: f64,
    /// Milliseconds since the Unix epoch, ascending.
    pub timestamps: &'a [i64],
    /// One per timestamp.
    pub values: &'a [f64],
}

/// A grid of cells: rows are buckets from lowest to highest, columns are equal parts of the time span.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// The displayed time span.
    pub span: TimeSpan,
    /// Upper bounds of the rows, ascending.
    pub bounds: Vec<f64>,
    columns: usize,
    /// Counts row by row; NaN without data.
    cells: Vec<f64>,
    most: f64,
}

/// Neighbouring cells of the same shade; coordinates are fractions from the left and bottom edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Shade, 0 to 7.
    pub shade: u8,
    /// Left edge.
    pub left: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
    /// Upper edge.
    pub top: f64,
}

impl Heatmap {
    /// Counts the observations per bucket and column. Buckets may be in any order.
    #[must_use]
    pub fn new(buckets: &[Bucket<'_>], span: TimeSpan) -> Self {
        let mut buckets: Vec<Bucket<'_>> = buckets.iter().copied().filter(|bucket| !bucket.upper.is_nan()).collect();
        sort_by(&mut buckets, |one, other| one.upper.total_cmp(&other.upper));
        let steps = (span.end_ms - span.start_ms) / span.step_ms.max(1);
        let columns = usize::try_from(steps.clamp(1, MOST_COLUMNS)).unwrap_or(1);
        let mut below = vec![0.0; columns];
        let mut cells = Vec::with_capacity(columns * buckets.len());
        let mut bounds = Vec::new();
        // Series with the same bound, in whatever notation, are one bucket.
        for same in buckets.chunk_by(|one, other| one.upper.total_cmp(&other.upper).is_eq()) {
            bounds.extend(same.first().map(|bucket| bucket.upper));
            let mut upto = vec![f64::NAN; columns];
            for bucket in same {
                for (sum, count) in upto.iter_mut().zip(cumulative(bucket, &span, columns)) {
                    *sum = if sum.is_nan() { count } else { *sum + if count.is_nan() { 0.0 } else { count } };
                }
            }
            // Buckets that were read at slightly different times may seem to shrink; a negative count is set to zero.
            cells.extend(
                upto.iter()
                    .zip(&below)
                    .map(|(upto, below)| if upto.is_nan() { *upto } else { (upto - below).max(0.0) }),
            );
            for (below, upto) in below.iter_mut().zip(upto) {
                if !upto.is_nan() {
                    *below = upto;
                }
            }
        }
        let most = cells.iter().copied().filter(|cell| cell.is_finite()).fold(0.0, f64::max);
        Heatmap { span, bounds, columns, cells, most }
    }

    /// SVG for a page, stretched to its box.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::document("plot plot-heat", SIZE, false, |out| {
            svg::group(out, "plot-cells", SIZE, |area| self.draw(area, SIZE));
        })
    }

    /// SVG of `width` times `height` units at the origin.
    #[must_use]
    pub fn drawing(&self, (width, height): (f32, f32), paint: Paint<'_>) -> String {
        let size = (svg::fine(width), svg::fine(height));
        svg::finely(|out| svg::painted(out, "stroke=\"none\"", size, paint, |area| self.draw(area, size)))
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>, size: (u32, u32)) -> Option<()> {
        let mut runs = self.runs();
        sort_by(&mut runs, |one, other| one.shade.cmp(&other.shade));
        runs.iter().try_for_each(|run| {
            let corners = [
                (place(run.left, size.0), place(1.0 - run.top, size.1)),
                (place(run.right, size.0), place(1.0 - run.bottom, size.1)),
            ];
            area.draw(&Rectangle::new(corners, Ink::Heat(run.shade).packed().filled())).ok()
        })
    }

    /// The non-empty cells; neighbours of the same shade are joined.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let (columns, rows) = (count(self.columns), count(self.bounds.len()));
        for (row, cells) in self.cells.chunks(self.columns.max(1)).enumerate() {
            let (bottom, top) = (count(row) / rows, count(row + 1) / rows);
            let mut open: Option<Run> = None;
            for (column, cell) in cells.iter().enumerate() {
                let shade = self.shade(*cell);
                let right = count(column + 1) / columns;
                match (&mut open, shade) {
                    (Some(run), Some(shade)) if run.shade == shade => run.right = right,
                    (_, shade) => {
                        runs.extend(open.take());
                        open = shade.map(|shade| Run { shade, left: count(column) / columns, right, bottom, top });
                    }
                }
            }
            runs.extend(open);
        }
        runs
    }

    /// Counts at a time, from the lowest bucket to the highest.
    #[must_use]
    pub fn column_at(&self, at_ms: i64) -> Vec<f64> {
        let column = column_of(self.span.position(at_ms), self.columns);
        self.cells.chunks(self.columns.max(1)).filter_map(|row| row.get(column?).copied()).collect()
    }

    /// Shades follow the square root of the count, because small counts are easier to distinguish than large ones.
    fn shade(&self, cell: f64) -> Option<u8> {
        if !(cell > 0.0 && self.most > 0.0) {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 8
        let shade = ((cell / self.most).sqrt() * f64::from(HEAT_STEPS)) as u8;
        Some(shade.min(HEAT_STEPS - 1))
    }
}

/// The maximum of a bucket in each column.
fn cumulative(bucket: &Bucket<'_>, span: &TimeSpan, columns: usize) -> Vec<f64> {
    let mut greatest = vec![f64::NAN; columns];
    for (at_ms, value) in bucket.timestamps.iter().zip(bucket.values) {
        let cell = column_of(span.position(*at_ms), columns).and_then(|column| greatest.get_mut(column));
        if let Some(cell) = cell {
            *cell = cell.max(*value);
        }
    }
    greatest
}

fn column_of(position: f64, columns: usize) -> Option<usize> {
    if !(0.0..=1.0).contains(&position) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a fraction of the columns
    let column = (position * count(columns)) as usize;
    Some(column.min(columns.saturating_sub(1)))
}

#[allow(clippy::cast_precision_loss)] // rows and columns of a picture
fn count(number: usize) -> f64 {
    number as f64
}

#[allow(clippy::cast_possible_truncation)] // a fraction of the picture's size
fn place(fraction: f64, size: u32) -> i32 {
    (fraction * f64::from(size)).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: TimeSpan = TimeSpan { start_ms: 0, end_ms: 4_000, step_ms: 1_000 };

    fn heatmap() -> Heatmap {
        let times = [0, 1_000, 3_000];
        Heatmap::new(
            &[
                Bucket { upper: f64::INFINITY, timestamps: &times, values: &[5.0, 20.0, 4.0] },
                Bucket { upper: 1.0, timestamps: &times, values: &[4.0, 4.0, 0.0] },
            ],
            SPAN,
        )
    }

    #[test]
    fn buckets_are_differences() {
        let heatmap = heatmap();
        assert_eq!(heatmap.bounds, [1.0, f64::INFINITY]);
        assert_eq!(heatmap.column_at(0), [4.0, 1.0]);
        assert_eq!(heatmap.column_at(1_500), [4.0, 16.0]);
        assert!(heatmap.column_at(2_500).iter().all(|cell| cell.is_nan()));
        assert_eq!(heatmap.column_at(4_000), [0.0, 4.0]);
        assert!(heatmap.column_at(-1).is_empty());
    }

    #[test]
    fn series_of_one_bound_are_one_bucket() {
        let times = [0];
        let bucket = |upper, values| Bucket { upper, timestamps: &times, values };
        let heatmap =
            Heatmap::new(&[bucket(1.0, &[2.0]), bucket(2.0, &[5.0]), bucket(1.0, &[3.0]), bucket(2.0, &[4.0])], SPAN);
        assert_eq!(heatmap.bounds, [1.0, 2.0]);
        assert_eq!(heatmap.column_at(0), [5.0, 4.0]);
    }

    #[test]
    fn neighbours_of_one_shade_are_one_run() {
        let runs = heatmap().runs();
        assert_eq!(runs.first(), Some(&Run { shade: 4, left: 0.0, right: 0.5, bottom: 0.0, top: 0.5 }));
        assert_eq!(runs.iter().map(|run| run.shade).collect::<Vec<_>>(), [4, 2, 7, 4]);
        let svg = heatmap().svg();
        assert!(svg.contains("<path class=\"fill ink-heat-3\" d=\"M0 0h500v300h-500z\"/>"), "{svg}");
    }

    #[test]
    fn nothing_is_a_picture_too() {
        assert!(Heatmap::new(&[], SPAN).runs().is_empty());
        assert!(Heatmap::new(&[], TimeSpan { start_ms: 0, end_ms: 0, step_ms: 0 }).svg().starts_with("<svg"));
    }
}
