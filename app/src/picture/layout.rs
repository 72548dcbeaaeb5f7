//! Positions of panels on a dashboard: the page's grid of 24 columns, where later panels fill gaps.

use model::dashboard::{Dashboard, Panel, PanelKind};

use super::{
    GAP, HEAD,
    canvas::{Area, count},
};

const COLUMNS: usize = 24;
/// Height of a row without its gap, in units of the SVG.
const ROW: f32 = 38.0;
/// Below this width, the layout is that for a phone: panels below each other, except stats.
const NARROW: f32 = 640.0;
/// Below this width, a panel takes twice its columns. Less than on a page, because an image needs no space for a pointer.
const MIDDLING: f32 = 900.0;
/// Most rows that are searched for a free cell, far more than dashboards have.
const MOST_ROWS: usize = 10_000;

/// A panel and its position.
pub(super) struct Place<'a> {
    pub(super) panel: &'a Panel,
    pub(super) area: Area,
}

/// A panel's cell in the grid: column, row, columns, rows.
type Cell = (usize, usize, usize, usize);

/// Height of a dashboard of `width`, with rows as high as on a page, in units of the SVG.
#[must_use]
pub fn natural_height(dashboard: &Dashboard, width: f32) -> f32 {
    let rows = row_count(&cells(dashboard, width));
    HEAD + count(rows) * (ROW + GAP) + if rows == 0 { GAP } else { 0.0 }
}

/// The panels of a dashboard, with rows scaled so that they fill `height`.
pub(super) fn places(dashboard: &Dashboard, width: f32, height: f32) -> Vec<Place<'_>> {
    let cells = cells(dashboard, width);
    let rows = row_count(&cells).max(1);
    let column = (width - 2.0 * GAP + GAP) / count(COLUMNS);
    let row = ((height - HEAD) / count(rows)).max(GAP + 1.0);
    let place = |(panel, (x, y, columns, rows)): (_, Cell)| Place {
        panel,
        area: Area {
            x: GAP + count(x) * column,
            y: HEAD + count(y) * row,
            width: count(columns) * column - GAP,
            height: count(rows) * row - GAP,
        },
    };
    dashboard.panels.iter().zip(cells).map(place).collect()
}

fn row_count(cells: &[Cell]) -> usize {
    cells.iter().map(|(_, y, _, rows)| y + rows).max().unwrap_or(0)
}

fn cells(dashboard: &Dashboard, width: f32) -> Vec<Cell> {
    let mut taken: Vec<u32> = Vec::new();
    dashboard
        .panels
        .iter()
        .map(|panel| take(&mut taken, span(panel, width), usize::from(panel.height.max(1))))
        .collect()
}

/// Columns that a panel takes.
fn span(panel: &Panel, width: f32) -> usize {
    let wanted = usize::from(panel.width.clamp(1, 24));
    if width < NARROW {
        if panel.kind == PanelKind::Stat { COLUMNS / 2 } else { COLUMNS }
    } else if width < MIDDLING {
        (wanted * 2).min(COLUMNS)
    } else {
        wanted
    }
}

/// Finds and marks the first free cell of `columns` and `rows`. Each row in `taken` is a set of bits, one for each column.
fn take(taken: &mut Vec<u32>, columns: usize, rows: usize) -> Cell {
    let bits = (1_u32 << columns) - 1;
    for y in 0..MOST_ROWS {
        for x in 0..=COLUMNS - columns {
            let wanted = bits << x;
            if (y..y + rows).all(|row| taken.get(row).copied().unwrap_or(0) & wanted == 0) {
                taken.resize(taken.len().max(y + rows), 0);
                taken.iter_mut().skip(y).take(rows).for_each(|row| *row |= wanted);
                return (x, y, columns, rows);
            }
        }
    }
    (0, MOST_ROWS, columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dashboard(sizes: &[(u8, u8)]) -> Dashboard {
        let panel = |(id, (width, height)): (usize, &(u8, u8))| serde_json::json!({"id": id.to_string(), "title": "", "kind": "jobs", "width": width, "height": height});
        let panels: Vec<_> = sizes.iter().enumerate().map(panel).collect();
        serde_json::from_value(serde_json::json!({"uid": "d", "title": "D", "panels": panels})).unwrap()
    }

    #[test]
    fn later_panels_fill_gaps() {
        let cells = cells(&dashboard(&[(12, 4), (18, 2), (12, 4)]), 1_200.0);
        assert_eq!(cells, [(0, 0, 12, 4), (0, 4, 18, 2), (12, 0, 12, 4)]);
    }

    #[test]
    fn panels_fill_the_width_and_the_height() {
        let dashboard = dashboard(&[(12, 4), (12, 4), (24, 2)]);
        let height = natural_height(&dashboard, 1_200.0);
        assert_eq!(height, HEAD + 6.0 * 46.0);
        for height in [height, 900.0] {
            let places = places(&dashboard, 1_200.0, height);
            assert_eq!(places[1].area.right(), 1_200.0 - GAP);
            assert!((places[2].area.bottom() - (height - GAP)).abs() < 0.01);
        }
        let narrow: Vec<_> = places(&dashboard, 400.0, 2_000.0).iter().map(|place| place.area.width).collect();
        assert_eq!(narrow, [384.0, 384.0, 384.0]);
        assert_eq!(natural_height(&self::dashboard(&[]), 400.0), HEAD + GAP);
    }
}
