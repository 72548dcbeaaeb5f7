//! The rows of all runs, as a table and as JSON.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::row::Row;

/// Prints the rows of `files` as one table and writes them to `out`.
pub(crate) fn write(files: &[PathBuf], out: &Path) -> anyhow::Result<()> {
    let mut rows: Vec<Row> = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let more: Vec<Row> =
            serde_json::from_str(&text).with_context(|| format!("{} is not a list of rows", file.display()))?;
        rows.extend(more);
    }
    let widest = |text: fn(&Row) -> &str| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or_default();
    let (width, peer_width) = (widest(|row| &row.name), widest(|row| row.peer.as_deref().unwrap_or_default()));
    println!(
        "{:width$}  {:>12}  {:14}  {:peer_width$}  {:>12}  {:>6}",
        "what", "value", "unit", "beside", "its value", "ratio"
    );
    for row in &rows {
        let number = |value: Option<f64>| value.map(round).unwrap_or_default();
        let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        println!(
            "{:width$}  {:>12}  {:14}  {:peer_width$}  {:>12}  {ratio:>6}",
            row.name,
            round(row.value),
            row.unit,
            row.peer.as_deref().unwrap_or_default(),
            number(row.peer_value),
        );
    }
    save(&rows, out)
}

/// Writes rows as JSON.
pub(crate) fn save(rows: &[Row], out: &Path) -> anyhow::Result<()> {
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(out, serde_json::to_string_pretty(rows)? + "\n")
        .with_context(|| format!("cannot write {}", out.display()))
}

/// Rounds to three significant digits.
fn round(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_lists_of_rows() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two, out) = (dir.path().join("1.json"), dir.path().join("2.json"), dir.path().join("new/all.json"));
        let first = Row::new("bundle", 300.0, "KiB").goal(350.0);
        let second = Row::new("ready", 2.0, "s");
        save(std::slice::from_ref(&first), &one).unwrap();
        save(std::slice::from_ref(&second), &two).unwrap();
        write(&[one, two], &out).unwrap();
        let all: Vec<Row> = serde_json::from_str(&fs::read_to_string(out).unwrap()).unwrap();
        assert_eq!(all, [first, second]);
    }

    #[test]
    fn rounds_to_what_matters() {
        assert_eq!([1234.56, 12.345, 1.2345, 0.01].map(round), ["1235", "12.3", "1.23", "0.01"]);
    }
}
