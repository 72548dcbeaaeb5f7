//! Layout of several values in one panel: how many fit, and in how many columns.

use model::dashboard::Panel;

/// Width of one of the 24 columns of a page, and height of a row with its gap, in CSS pixels, about as on a laptop.
const UNIT: (f64, f64) = (52.0, 46.0);
/// Height of a panel's heading, in CSS pixels.
const HEAD: f64 = 40.0;
/// Height of the line with the number of values that are not shown, in CSS pixels.
const MORE: f64 = 20.0;

/// Cells of equal size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cells {
    /// At least one.
    pub(crate) columns: usize,
    /// At least one.
    pub(crate) rows: usize,
    /// Values that are shown.
    pub(crate) shown: usize,
    /// Values that do not fit.
    pub(crate) left_out: usize,
}

impl Cells {
    /// Cells for `count` values in a panel, none smaller than `least` (width and height in CSS pixels).
    pub(crate) fn of_panel(panel: &Panel, count: usize, least: (f64, f64)) -> Self {
        let size = (f64::from(panel.width) * UNIT.0, f64::from(panel.height) * UNIT.1 - HEAD);
        Cells::new(size, count, least)
    }

    /// Cells for `count` values in a box, none smaller than `least`. They are as large as possible with the aspect ratio of `least`.
    pub(crate) fn new((width, height): (f64, f64), count: usize, least: (f64, f64)) -> Self {
        let most_columns = fitting(width, least.0);
        let all = most_columns * fitting(height, least.1);
        let (shown, height) = if count > all {
            let height = height - MORE;
            (most_columns * fitting(height, least.1), height)
        } else {
            (count.max(1), height)
        };
        let mut best = (0.0, 1);
        for columns in 1..=most_columns.min(shown) {
            let (across, down) = (number(columns), number(shown.div_ceil(columns)));
            let scale = (width / across / least.0).min(height / down / least.1);
            if scale >= best.0 {
                best = (scale, columns);
            }
        }
        let columns = best.1;
        Cells { columns, rows: shown.div_ceil(columns), shown, left_out: count.saturating_sub(shown) }
    }
}

/// How often `least` fits into `length`: from 1 to 32 times.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
fn fitting(length: f64, least: f64) -> usize {
    (length / least).clamp(1.0, 32.0) as usize
}

#[allow(clippy::cast_precision_loss)] // cells of a panel
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_fill_their_box_and_the_rest_is_counted() {
        let cells = |width, height, count| {
            let Cells { columns, rows, shown, left_out } = Cells::new((width, height), count, (100.0, 50.0));
            (columns, rows, shown, left_out)
        };
        assert_eq!(cells(300.0, 100.0, 1), (1, 1, 1, 0));
        assert_eq!(cells(300.0, 100.0, 3), (3, 1, 3, 0));
        assert_eq!(cells(200.0, 200.0, 6), (2, 3, 6, 0));
        assert_eq!(cells(300.0, 120.0, 6), (3, 2, 6, 0));
        assert_eq!(cells(300.0, 120.0, 7), (3, 2, 6, 1));
        assert_eq!(cells(300.0, 100.0, 7), (3, 1, 3, 4), "the line that counts them takes room as well");
        assert_eq!(cells(10.0, 10.0, 3), (1, 1, 1, 2));
    }
}
