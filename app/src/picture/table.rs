//! A table with columns as wide as their content, if there is room, and as many rows as fit.

use super::{
    canvas::{Anchor, Area, Canvas, Type, count},
    shares::rows_of,
};

const HEAD: f32 = 26.0;
const ROW: f32 = 29.0;
/// Space at the left and right of a cell together, in units of the SVG.
const PADDING: f32 = 24.0;
/// Minimum width of a column that is shortened, in units of the SVG.
const LEAST: f32 = 56.0;

/// The content of a cell.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// Text or a number, with its look.
    Words(String, Look),
    /// A word on a translucent ground of its colour, the colour, and text after it.
    Chip(String, &'static str, String),
    /// A bold name, smaller text after it, and the colour of that text.
    Name(String, String, &'static str),
    /// A progress bar with its percentage: the fraction, if it is known, and the colour.
    Progress(Option<f32>, &'static str),
}

/// Look of a cell's text.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    /// Name of the colour; empty for that of text.
    pub(super) color: String,
    pub(super) is_bold: bool,
    pub(super) meaning: &'static str,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) heading: String,
    /// Whether the column has numbers, which are aligned to the right.
    pub(super) is_number: bool,
}

/// A table to draw.
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    /// The rows, each with a cell for each column.
    pub(super) rows: Vec<Vec<Cell>>,
    /// Number of rows that are not in `rows`.
    pub(super) left_out: usize,
}

impl Cell {
    pub(super) fn words(words: impl Into<String>) -> Self {
        Cell::Words(words.into(), Look::default())
    }

    fn width(&self) -> f32 {
        PADDING
            + match self {
                Cell::Words(words, look) => {
                    let mark = if look.meaning.is_empty() { 0.0 } else { 12.0 };
                    Type { is_bold: look.is_bold, ..Type::plain("text") }.width(words) + mark
                }
                Cell::Chip(words, _, behind) => {
                    let behind = if behind.is_empty() { 0.0 } else { Type::small("muted").width(behind) + 8.0 };
                    Type::small("text").width(words) + 16.0 + behind
                }
                Cell::Name(name, note, _) => {
                    let note = if note.is_empty() { 0.0 } else { Type::small("muted").width(note) + 8.0 };
                    Type::bold("text").width(name) + note
                }
                Cell::Progress(..) => 104.0,
            }
    }

    fn draw(&self, canvas: &mut Canvas, area: Area, is_number: bool) {
        let baseline = area.y + area.height / 2.0 + 4.0;
        let (left, right) = (area.x + PADDING / 2.0, area.right() - PADDING / 2.0);
        let room = right - left;
        match self {
            Cell::Words(words, look) => {
                let color = if look.color.is_empty() { "text" } else { look.color.as_str() };
                let base = Type { is_bold: look.is_bold, ..Type::plain(color) };
                let mark = if look.meaning.is_empty() { 0.0 } else { 12.0 };
                let (x, anchor) = if is_number { (right - mark, Anchor::End) } else { (left, Anchor::Start) };
                let width = canvas.fitted((x, baseline), words, Type { anchor, ..base }, room - mark + 0.5);
                let mark_x = if is_number { right - 8.0 } else { left + width + 4.0 };
                canvas.mark((mark_x, baseline), 8.0, look.meaning, color);
            }
            Cell::Chip(words, color, behind) => {
                let width = canvas.chip((left, area.y + area.height / 2.0 - 10.0), words, color);
                let rest = room - width - 8.0;
                if rest > 20.0 {
                    canvas.fitted((left + width + 8.0, baseline), behind, Type::small("muted"), rest);
                }
            }
            Cell::Name(name, note, color) => {
                let width = canvas.fitted((left, baseline), name, Type::bold("text"), room + 0.5);
                let rest = room - width - 8.0;
                if rest > 20.0 {
                    canvas.fitted((left + width + 8.0, baseline), note, Type::small(color), rest);
                }
            }
            Cell::Progress(fraction, color) => progress(canvas, (left, right), area, *fraction, color),
        }
    }
}

fn progress(canvas: &mut Canvas, (left, right): (f32, f32), area: Area, fraction: Option<f32>, color: &str) {
    let (middle, text_wide) = (area.y + area.height / 2.0, 40.0);
    let look = Type { anchor: Anchor::End, ..Type::plain("text") };
    let Some(fraction) = fraction else {
        canvas.text((right, middle + 4.0), crate::panels::plot_series::ABSENT, look);
        return;
    };
    let fraction = fraction.clamp(0.0, 1.0);
    let track = Area { x: left, y: middle - 3.0, width: (right - left - text_wide).max(1.0), height: 6.0 };
    canvas.rect(track, 3.0, "grid", None);
    if fraction > 0.0 {
        canvas.rect(Area { width: track.width * fraction, ..track }, 3.0, color, None);
    }
    canvas.text((right, middle + 4.0), &format!("{}%", (fraction * 100.0).floor()), look);
}

impl Table {
    /// Removes all columns except those at these indices.
    pub(super) fn keep(&mut self, places: &[usize]) {
        let kept = |index: &usize| places.contains(index);
        let mut index = 0..;
        self.columns.retain(|_| index.next().is_some_and(|index| kept(&index)));
        for row in &mut self.rows {
            let mut index = 0..;
            row.retain(|_| index.next().is_some_and(|index| kept(&index)));
        }
    }

    /// Draws the rows that fit into `area`, and the number of the others.
    pub(super) fn draw(&self, canvas: &mut Canvas, area: Area) {
        let widths = self.widths(area.width);
        let fitting = rows_of(area.height - HEAD - 4.0, ROW);
        let shown = if self.rows.len() + self.left_out.min(1) > fitting { fitting.saturating_sub(1) } else { fitting };
        let shown = shown.min(self.rows.len());
        let mut x = area.x;
        for (column, width) in self.columns.iter().zip(&widths) {
            let look = Type::small("muted");
            let room = width - PADDING;
            let (at, anchor) = if column.is_number {
                (x + width - PADDING / 2.0, Anchor::End)
            } else {
                (x + PADDING / 2.0, Anchor::Start)
            };
            canvas.fitted((at, area.y + 16.0), &column.heading, Type { anchor, ..look }, room + 0.5);
            x += width;
        }
        canvas.rule(area.x, area.y + HEAD - 1.0, area.width, "line");
        let mut y = area.y + HEAD;
        for row in self.rows.iter().take(shown) {
            let mut x = area.x;
            for ((cell, width), column) in row.iter().zip(&widths).zip(&self.columns) {
                cell.draw(canvas, Area { x, y, width: *width, height: ROW }, column.is_number);
                x += width;
            }
            y += ROW;
            canvas.rule(area.x, y - 1.0, area.width, "grid");
        }
        let more = self.rows.len() - shown + self.left_out;
        if more > 0 {
            let rows = if more == 1 { "row" } else { "rows" };
            canvas.text((area.x + PADDING / 2.0, y + 18.0), &format!("and {more} {rows} more"), Type::plain("muted"));
        }
    }

    /// Widths of the columns, which fill `room`. Spare room is shared equally. If there is too little room, the widest columns are shortened.
    fn widths(&self, room: f32) -> Vec<f32> {
        let mut widths: Vec<f32> =
            self.columns.iter().map(|column| Type::small("muted").width(&column.heading) + PADDING).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = width.max(cell.width());
            }
        }
        let sum: f32 = widths.iter().sum();
        if sum <= room {
            let each = (room - sum) / count(widths.len().max(1));
            widths.iter_mut().for_each(|width| *width += each);
            return widths;
        }
        // Find the width to which the widest columns are shortened, by bisection.
        let (mut low, mut high) = (LEAST, room);
        for _ in 0..24 {
            let level = f32::midpoint(low, high);
            let cut: f32 = widths.iter().map(|width| width.min(level)).sum();
            if cut > room { high = level } else { low = level }
        }
        widths.iter_mut().for_each(|width| *width = width.min(low));
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(words: &[&str]) -> Table {
        let column = |heading: &&str| Column { heading: (*heading).to_owned(), is_number: false };
        Table {
            columns: words.iter().map(column).collect(),
            rows: vec![words.iter().map(|word| Cell::words(*word)).collect()],
            left_out: 0,
        }
    }

    #[test]
    fn columns_fill_the_room_and_the_widest_is_shortened() {
        let long = "a long sentence that has no room beside the rest of what there is";
        let table = table(&["id", long]);
        for room in [300.0, 900.0] {
            let widths = table.widths(room);
            assert!((widths.iter().sum::<f32>() - room).abs() < 1.0, "{widths:?}");
            assert!(widths[0] >= Type::plain("text").width("id") + PADDING, "{widths:?}");
        }
    }
}
