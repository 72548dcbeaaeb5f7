//! Remarks on a result that is given nevertheless: Prometheus' warnings and infos, with its wording and positions.

use std::collections::BTreeSet;

/// Where in the query's text a remark belongs, as a byte offset.
pub(crate) type Position = usize;

/// Warnings and infos of one evaluation; each text once.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    warnings: BTreeSet<(Position, String)>,
    infos: BTreeSet<(Position, String)>,
}

impl Notes {
    /// Something is probably wrong with the query or its data.
    pub(crate) fn warn(&mut self, position: Position, text: impl Into<String>) {
        self.warnings.insert((position, text.into()));
    }

    /// Something that may be worth knowing.
    pub(crate) fn info(&mut self, position: Position, text: impl Into<String>) {
        self.infos.insert((position, text.into()));
    }

    /// Takes over what another part of the evaluation noted.
    pub(crate) fn merge(&mut self, other: Notes) {
        self.warnings.extend(other.warnings);
        self.infos.extend(other.infos);
    }

    /// The texts as Prometheus' API gives them: `PromQL warning: … (line:column)`.
    pub(crate) fn into_texts(self, query: &str) -> (Vec<String>, Vec<String>) {
        let render = |kind: &str, notes: BTreeSet<(Position, String)>| {
            notes
                .into_iter()
                .map(|(position, text)| {
                    let (line, column) = line_and_column(query, position);
                    format!("PromQL {kind}: {text} ({line}:{column})")
                })
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect()
        };
        (render("warning", self.warnings), render("info", self.infos))
    }
}

/// Line and column of a byte offset, both from 1.
pub(crate) fn line_and_column(query: &str, position: Position) -> (usize, usize) {
    let before = query.get(..position).unwrap_or(query);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |text| text.chars().count()) + 1;
    (line, column)
}

/// ` for metric name "x"`, or nothing for a series without a name.
pub(crate) fn for_metric(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" for metric name {name:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_names_its_line_and_column() {
        let mut notes = Notes::default();
        notes.warn(9, "odd");
        notes.warn(9, "odd");
        assert_eq!(notes.into_texts("sum(\n  a + b)"), (vec!["PromQL warning: odd (2:5)".to_owned()], vec![]));
    }
}
