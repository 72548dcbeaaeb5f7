//! The table of results.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// One figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What was measured.
    name: String,
    value: f64,
    unit: String,
    /// What it is compared with, measured in the same run.
    peer: Option<String>,
    peer_value: Option<f64>,
    /// `value / peer_value`.
    ratio: Option<f64>,
}

/// All figures, in the order of measuring.
#[derive(Debug, Default)]
pub(crate) struct Rows(Vec<Row>);

impl Rows {
    /// A figure by itself.
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &str) {
        self.0.push(Row { name: name.into(), value, unit: unit.into(), peer: None, peer_value: None, ratio: None });
    }

    /// A figure beside its peer's.
    pub(crate) fn compare(&mut self, name: &str, value: f64, unit: &str, peer: &str, peer_value: f64) {
        let ratio = (peer_value > 0.0).then_some(value / peer_value);
        self.0.push(Row {
            name: name.into(),
            value,
            unit: unit.into(),
            peer: Some(peer.into()),
            peer_value: Some(peer_value),
            ratio,
        });
    }

    /// The rows that another program measured.
    pub(crate) fn add_file(&mut self, file: &Path) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let rows: Vec<Row> =
            serde_json::from_str(&text).with_context(|| format!("{} does not hold rows", file.display()))?;
        self.0.extend(rows);
        Ok(())
    }

    #[allow(clippy::print_stdout)] // the table is what the program is for
    pub(crate) fn print(&self) {
        println!("{:<52} {:>12} {:<8} {:>12} {:>7}  peer", "benchmark", "value", "unit", "peer value", "ratio");
        for row in &self.0 {
            let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2}"));
            println!(
                "{:<52} {:>12} {:<8} {:>12} {:>7}  {}",
                row.name,
                number(Some(row.value)),
                row.unit,
                number(row.peer_value),
                number(row.ratio),
                row.peer.as_deref().unwrap_or_default()
            );
        }
    }

    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        std::fs::write(file, serde_json::to_vec_pretty(&self.0)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }
}
