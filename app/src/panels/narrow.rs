//! Widths of panels on a narrow page, which has half the columns. Each row is full, so that there is no gap before a panel that does not fit.

use model::dashboard::Panel;

/// Columns of a narrow page.
const COLUMNS: u8 = 12;
/// Columns by which the panels of a row may exceed it. The widest panel becomes narrower by them.
const SPARE: u8 = 2;

/// The width of each of `panels` on a narrow page, in columns.
pub(crate) fn narrow_widths(panels: &[Panel]) -> Vec<u8> {
    let mut widths: Vec<u8> = panels.iter().map(|panel| panel.width.clamp(1, COLUMNS)).collect();
    let mut rest = widths.as_mut_slice();
    while !rest.is_empty() {
        let mut taken = 0;
        let fits = |width: &&u8| {
            taken += **width;
            taken <= COLUMNS + SPARE
        };
        let count = rest.iter().take_while(fits).count();
        let (row, after) = rest.split_at_mut(count);
        let sum: u8 = row.iter().sum();
        if let Some(widest) = row.iter_mut().max() {
            *widest = (*widest + COLUMNS).saturating_sub(sum);
        }
        rest = after;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_narrow_page_are_full() {
        let widths = |widths: &[u8]| {
            let panel = |width: &u8| Panel { width: *width, ..crate::panels::legend::tests::panel(r#"{"expr":"up"}"#) };
            narrow_widths(&widths.iter().map(panel).collect::<Vec<_>>())
        };
        assert_eq!(widths(&[4, 4, 4, 5, 7, 8, 8, 8, 17, 7]), [4, 4, 4, 5, 7, 12, 12, 12, 12, 12]);
        assert_eq!(widths(&[10, 10, 4, 12]), [12, 8, 4, 12]);
        assert_eq!(widths(&[6, 6, 24, 3]), [6, 6, 12, 12]);
        assert_eq!(widths(&[0, 200]), [1, 11]);
        assert!(widths(&[]).is_empty());
    }
}
