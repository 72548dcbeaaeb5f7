//! Annotations of a result: Prometheus' warnings and infos, with its wording and positions.

use std::collections::BTreeMap;

use timeseries::format;

use crate::functions::clock::Moment;

/// Byte offset of an annotation in the query.
pub(crate) type Position = usize;

/// Warnings and infos of one evaluation; each text once, at its first position.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    warnings: BTreeMap<String, Position>,
    infos: BTreeMap<String, (Position, Option<Mended>)>,
}

/// What was corrected in the buckets of classic histograms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mended {
    /// The lowest and the highest upper bound of a bucket with a lower count than a bucket below it.
    pub(crate) bounds: (f64, f64),
    /// The maximum difference.
    pub(crate) difference: f64,
    /// The first and the last time, in milliseconds.
    pub(crate) times: (i64, i64),
    /// Number of histograms.
    pub(crate) samples: usize,
}

impl Mended {
    fn widen(&mut self, other: &Mended) {
        self.bounds = (self.bounds.0.min(other.bounds.0), self.bounds.1.max(other.bounds.1));
        self.difference = self.difference.max(other.difference);
        self.times = (self.times.0.min(other.times.0), self.times.1.max(other.times.1));
        self.samples += other.samples;
    }

    fn describe(&self) -> String {
        let (lowest, highest) = (format::general(self.bounds.0), format::general(self.bounds.1));
        let difference = format::general_rounded(self.difference, 2);
        let [from, to] = [self.times.0, self.times.1].map(|time| Moment::of_seconds(time / 1000).rfc3339());
        let samples = self.samples;
        format!(
            ", from buckets {lowest} to {highest}, with a max diff of {difference}, over {samples} samples from {from} to {to}"
        )
    }
}

impl Notes {
    /// A problem that probably makes the result wrong.
    pub(crate) fn warn(&mut self, position: Position, text: impl Into<String>) {
        self.warnings.entry(text.into()).or_insert(position);
    }

    /// Information about the result.
    pub(crate) fn info(&mut self, position: Position, text: impl Into<String>) {
        self.infos.entry(text.into()).or_insert((position, None));
    }

    /// Information about corrected histograms; their extents are merged.
    pub(crate) fn mended(&mut self, position: Position, text: impl Into<String>, mended: Mended) {
        self.note_info(text.into(), position, Some(mended));
    }

    fn note_info(&mut self, text: String, position: Position, mended: Option<Mended>) {
        let (_, known) = self.infos.entry(text).or_insert((position, None));
        match (known, mended) {
            (Some(known), Some(mended)) => known.widen(&mended),
            (known @ None, mended) => *known = mended,
            (Some(_), None) => {}
        }
    }

    /// Merges the annotations of another part of the evaluation.
    pub(crate) fn merge(&mut self, other: Notes) {
        for (text, position) in other.warnings {
            self.warn(position, text);
        }
        for (text, (position, mended)) in other.infos {
            self.note_info(text, position, mended);
        }
    }

    /// The texts in the format of Prometheus' API: `PromQL warning: … (line:column)`.
    pub(crate) fn into_texts(self, query: &str) -> (Vec<String>, Vec<String>) {
        let render = |kind: &str, position: Position, text: String| {
            let (line, column) = line_and_column(query, position);
            format!("PromQL {kind}: {text} ({line}:{column})")
        };
        let warnings = self.warnings.into_iter().map(|(text, position)| render("warning", position, text));
        let infos = self.infos.into_iter().map(|(text, (position, mended))| {
            let details = mended.map_or(String::new(), |mended| mended.describe());
            render("info", position, text + &details)
        });
        (warnings.collect(), infos.collect())
    }
}

/// Line and column of a byte offset, both from 1. Columns are in bytes, as in Prometheus.
pub(crate) fn line_and_column(query: &str, position: Position) -> (usize, usize) {
    let before = query.get(..position).unwrap_or(query);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, str::len) + 1;
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
        notes.warn(2, "odd");
        assert_eq!(notes.into_texts("sum(\n  a + b)"), (vec!["PromQL warning: odd (2:5)".to_owned()], vec![]));
    }

    #[test]
    fn what_was_mended_adds_up() {
        let mended = |bound: f64, time: i64| Mended {
            bounds: (bound, bound),
            difference: bound * 1.234,
            times: (time, time),
            samples: 1,
        };
        let mut notes = Notes::default();
        notes.mended(0, "odd", mended(2.5, 86_400_000));
        notes.mended(4, "odd", mended(100.0, 0));
        let text = "PromQL info: odd, from buckets 2.5 to 100, with a max diff of 1.2e+02, over 2 samples \
                    from 1970-01-01T00:00:00Z to 1970-01-02T00:00:00Z (1:1)";
        assert_eq!(notes.into_texts("a").1, [text]);
    }
}
