//! The result of a query in messages and charts: series of columns.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    from_members,
    tree::{Faults, FromTree, Members, Tree},
};
use column::Column;

/// Label names and values of one series, sorted by name. The metric name is the label `__name__`.
pub type Labels = BTreeMap<String, String>;

/// One series: two columns of equal length, timestamps strictly increasing.
///
/// In JSON the columns are arrays; a value that JSON cannot represent is one of the strings `"NaN"`, `"+Inf"`,
/// `"-Inf"`. In a binary format they are byte strings of little-endian 64-bit integers and floats.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Labels. They need more memory than a few points, so a result and its deltas share them.
    #[serde(with = "shared")]
    pub labels: Arc<Labels>,
    /// Milliseconds since the Unix epoch.
    #[serde(with = "column")]
    pub timestamps: Vec<i64>,
    /// One value per timestamp.
    #[serde(with = "column")]
    pub values: Vec<f64>,
}

impl FromTree for Series {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        let mut members = Members::of(tree, faults);
        let labels = Arc::new(members.take("labels", faults));
        let (Column(timestamps), Column(values)) = (members.take("timestamps", faults), members.take("values", faults));
        Series { labels, timestamps, values }
    }
}

impl Series {
    /// The last point, if any.
    #[must_use]
    pub fn last(&self) -> Option<(i64, f64)> {
        Some((*self.timestamps.last()?, *self.values.last()?))
    }

    /// Points, ordered by time.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = (i64, f64)> + '_ {
        self.timestamps.iter().copied().zip(self.values.iter().copied())
    }

    /// Appends the points of `newer` that are later than the last one, and drops those before `start_ms`.
    pub fn extend(&mut self, newer: &Series, start_ms: i64) {
        let youngest = self.timestamps.last().copied().unwrap_or(i64::MIN);
        for (timestamp, value) in newer.points().filter(|(timestamp, _)| *timestamp > youngest) {
            self.timestamps.push(timestamp);
            self.values.push(value);
        }
        self.drop_before(start_ms);
    }

    /// Replaces the points in `span` by those of `newer`.
    fn replace(&mut self, newer: Option<&Series>, span: StepRange) {
        let of_span = |timestamps: &[i64]| {
            let from = timestamps.partition_point(|timestamp| *timestamp < span.0);
            from..timestamps.partition_point(|timestamp| *timestamp <= span.1).max(from)
        };
        let known = of_span(&self.timestamps);
        let (timestamps, values) = newer.map_or((&[][..], &[][..]), |newer| {
            let given = of_span(&newer.timestamps);
            match (newer.timestamps.get(given.clone()), newer.values.get(given)) {
                (Some(timestamps), Some(values)) => (timestamps, values),
                _ => (&[][..], &[][..]),
            }
        });
        if known.end <= self.values.len() {
            self.timestamps.splice(known.clone(), timestamps.iter().copied());
            self.values.splice(known, values.iter().copied());
        }
    }

    /// Drops the points before `start_ms`.
    pub fn drop_before(&mut self, start_ms: i64) {
        let stale = self.timestamps.partition_point(|timestamp| *timestamp < start_ms);
        self.timestamps.drain(..stale);
        self.values.drain(..stale);
    }
}

/// First and last step, both inclusive, in milliseconds since the Unix epoch.
pub type StepRange = (i64, i64);

/// All series of one query over one window: data of a `snapshot` or `delta` of the live topic `query`, and of a panel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Series in the order of the engine.
    pub series: Vec<Series>,
    /// In a delta: series that have no points in the window any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Labels>,
    /// In a delta: replaces all data of these steps, because samples arrived late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<StepRange>,
    /// Time of the last evaluated step, in milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// The engine's warnings and infos.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// Short remarks to show beside the values, about their precision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The query as it was sent, if metric names were replaced by the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// Whether counts over a window are estimates, because the engine does not support the modifier for whole counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

from_members!(Frame { series, replaces, end_ms, sent } or_default { removed, notices, remarks, estimated });

/// Quotes and separators around a name and a value in JSON.
const QUOTES_BYTES: usize = 6;
/// The rest of a series in JSON: names of members.
const SERIES_TEXT: usize = 48;
/// A timestamp in milliseconds and a value in JSON.
const POINT_TEXT: usize = 34;
/// Memory of a label beside its text: two strings, and the overhead of the allocator.
const LABEL_BYTES: usize = 2 * (size_of::<String>() + 8);
/// Memory of a set of labels beside them: a tree node with room for eleven, and the reference counts.
const NODE_BYTES: usize = 160;

fn weight_of_labels(labels: &Labels) -> usize {
    labels.iter().map(|(name, value)| LABEL_BYTES + name.len() + value.len()).sum::<usize>() + NODE_BYTES
}

/// The remark about an [estimated](Frame::estimated) frame.
pub const ESTIMATED: &str = "estimated: this engine extrapolates";

impl Frame {
    /// Merges a delta into a complete frame with a window of `window_ms`; returns the labels of series that left the
    /// window.
    pub fn apply(&mut self, delta: &Frame, window_ms: i64) -> Vec<Labels> {
        self.end_ms = self.end_ms.max(delta.end_ms);
        self.notices.clone_from(&delta.notices);
        self.remarks.clone_from(&delta.remarks);
        self.sent.clone_from(&delta.sent);
        self.estimated = delta.estimated;
        let start_ms = self.end_ms.saturating_sub(window_ms);
        if !delta.removed.is_empty() {
            self.series.retain(|series| !delta.removed.contains(&*series.labels));
        }
        if let Some(span) = delta.replaces {
            self.series.iter_mut().for_each(|series| series.replace(None, span));
        }
        if window_ms == 0 {
            // Instant results are complete, and their order may matter: `topk`, `sort_desc`.
            let before = std::mem::replace(&mut self.series, delta.series.clone());
            let is_gone = |labels: &Labels| !self.series.iter().any(|series| *series.labels == *labels);
            return before.into_iter().map(|series| Arc::unwrap_or_clone(series.labels)).filter(is_gone).collect();
        }
        // Engines return series in the same order each time, so the next one usually matches.
        let mut next = 0;
        for newer in &delta.series {
            let found = (next..self.series.len())
                .chain(0..next.min(self.series.len()))
                .find(|index| self.series.get(*index).is_some_and(|series| series.labels == newer.labels));
            match found.and_then(|index| Some((index, self.series.get_mut(index)?))) {
                Some((index, series)) => {
                    if let Some(span) = delta.replaces {
                        series.replace(Some(newer), span);
                    }
                    series.extend(newer, start_ms);
                    next = index + 1;
                }
                // At the place where the engine would return it, because range results are sorted by labels.
                None => {
                    let place = self.series.partition_point(|series| series.labels < newer.labels);
                    self.series.insert(place, newer.clone());
                }
            }
        }
        let mut gone = Vec::new();
        self.series.retain_mut(|series| {
            series.drop_before(start_ms);
            let stays = !series.timestamps.is_empty();
            if !stays {
                gone.push(Arc::unwrap_or_clone(std::mem::take(&mut series.labels)));
            }
            stays
        });
        gone
    }

    /// Shares the labels that both frames have, so that they are in memory once. Series of both are usually in the same
    /// order.
    pub fn share_labels(&mut self, other: &Frame) {
        let mut by_labels: Option<BTreeMap<&Labels, &Arc<Labels>>> = None;
        for (place, series) in self.series.iter_mut().enumerate() {
            let shared = match other.series.get(place) {
                Some(known) if known.labels == series.labels => Some(&known.labels),
                _ => {
                    let all = by_labels.get_or_insert_with(|| {
                        other.series.iter().map(|known| (&*known.labels, &known.labels)).collect()
                    });
                    all.get(&*series.labels).copied()
                }
            };
            if let Some(shared) = shared {
                series.labels = Arc::clone(shared);
            }
        }
    }

    /// Approximate memory in bytes, without the labels of its series, which are shared.
    #[must_use]
    pub fn weight_without_labels(&self) -> usize {
        let series = self.series.iter().map(|series| {
            let points = series.timestamps.capacity() + series.values.capacity();
            size_of::<Series>() + points * size_of::<f64>()
        });
        let notes = self.notices.iter().chain(&self.remarks).map(String::len);
        let removed = self.removed.iter().map(weight_of_labels);
        series.sum::<usize>() + removed.sum::<usize>() + notes.sum::<usize>() + size_of::<Frame>()
    }

    /// Approximate memory in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.series.iter().map(|series| weight_of_labels(&series.labels)).sum::<usize>() + self.weight_without_labels()
    }

    /// Approximate length as JSON, in bytes.
    #[must_use]
    pub fn text_length(&self) -> usize {
        let labels = |labels: &Labels| -> usize {
            labels.iter().map(|(name, value)| name.len() + value.len() + QUOTES_BYTES).sum()
        };
        let series = self.series.iter();
        let series = series.map(|series| SERIES_TEXT + labels(&series.labels) + series.values.len() * POINT_TEXT);
        series.sum::<usize>() + self.removed.iter().map(labels).sum::<usize>() + SERIES_TEXT
    }

    /// True when no series has a point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.timestamps.is_empty())
    }
}

/// Serializes shared labels as labels.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Labels;

    pub(super) fn serialize<S: Serializer>(labels: &Arc<Labels>, serializer: S) -> Result<S::Ok, S::Error> {
        labels.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Labels>, D::Error> {
        Labels::deserialize(deserializer).map(Arc::new)
    }
}

/// A column as an array in text formats and as packed little-endian bytes in binary ones.
mod column {
    use serde::{Deserialize, Deserializer, Serializer, de::Error, ser::SerializeSeq};

    use crate::tree::{self, Faults, FromTree, Tree};

    /// An 8-byte number of a column.
    pub(super) trait Cell: Copy + FromTree {
        fn to_bytes(self) -> [u8; 8];
        fn from_bytes(bytes: [u8; 8]) -> Self;
        fn serialize<S: SerializeSeq>(self, seq: &mut S) -> Result<(), S::Error>;
        /// The number with this name, if there is one.
        fn named(word: &str) -> Option<Self>;
    }

    impl Cell for i64 {
        fn to_bytes(self) -> [u8; 8] {
            self.to_le_bytes()
        }
        fn from_bytes(bytes: [u8; 8]) -> Self {
            i64::from_le_bytes(bytes)
        }
        fn serialize<S: SerializeSeq>(self, seq: &mut S) -> Result<(), S::Error> {
            seq.serialize_element(&self)
        }
        fn named(_: &str) -> Option<Self> {
            None
        }
    }

    impl Cell for f64 {
        fn to_bytes(self) -> [u8; 8] {
            self.to_le_bytes()
        }
        fn from_bytes(bytes: [u8; 8]) -> Self {
            f64::from_le_bytes(bytes)
        }
        fn serialize<S: SerializeSeq>(self, seq: &mut S) -> Result<(), S::Error> {
            if self.is_finite() {
                seq.serialize_element(&self)
            } else if self.is_nan() {
                seq.serialize_element("NaN")
            } else if self > 0.0 {
                seq.serialize_element("+Inf")
            } else {
                seq.serialize_element("-Inf")
            }
        }
        fn named(word: &str) -> Option<Self> {
            match word {
                "NaN" => Some(f64::NAN),
                "+Inf" => Some(f64::INFINITY),
                "-Inf" => Some(f64::NEG_INFINITY),
                _ => None,
            }
        }
    }

    pub(super) fn serialize<T: Cell, S: Serializer>(cells: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let mut seq = serializer.serialize_seq(Some(cells.len()))?;
            for cell in cells {
                cell.serialize(&mut seq)?;
            }
            seq.end()
        } else {
            let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_bytes()).collect();
            serializer.serialize_bytes(&bytes)
        }
    }

    pub(super) fn deserialize<'de, T: Cell, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        tree::read(Tree::deserialize(deserializer)?).map(|Column(cells)| cells).map_err(D::Error::custom)
    }

    /// A column in either format.
    pub(super) struct Column<T>(pub(super) Vec<T>);

    impl<T: Cell> FromTree for Column<T> {
        fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
            let cell = |tree: Tree, faults: &mut Faults| match tree.as_text().and_then(T::named) {
                Some(number) => number,
                None => T::from_tree(tree, faults),
            };
            Column(match tree {
                Tree::Bytes(bytes) => {
                    let (cells, rest) = bytes.as_chunks::<8>();
                    if !rest.is_empty() {
                        faults.note(&"the byte string ends within a number");
                    }
                    cells.iter().map(|bytes| T::from_bytes(*bytes)).collect()
                }
                Tree::Array(cells) => cells.into_iter().map(|tree| cell(tree, faults)).collect(),
                _ => {
                    faults.note(&"a list of numbers was expected, or a byte string of them");
                    Vec::new()
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(i64, f64)]) -> Series {
        Series {
            labels: Labels::from([("a".into(), "b".into())]).into(),
            timestamps: points.iter().map(|point| point.0).collect(),
            values: points.iter().map(|point| point.1).collect(),
        }
    }

    #[test]
    fn json_spells_what_it_has_no_number_for() {
        let written = serde_json::to_string(&series(&[(1, 1.5), (2, f64::INFINITY), (3, f64::NAN)])).unwrap();
        assert_eq!(written, r#"{"labels":{"a":"b"},"timestamps":[1,2,3],"values":[1.5,"+Inf","NaN"]}"#);
        let read: Series = serde_json::from_str(&written).unwrap();
        assert_eq!(read.timestamps, [1, 2, 3]);
        assert!(read.values[2].is_nan());
    }

    fn named(name: &str, at_ms: i64) -> Series {
        let labels = Labels::from([("name".into(), name.into())]);
        Series { labels: labels.into(), timestamps: vec![at_ms], values: vec![1.0] }
    }

    fn names(frame: &Frame) -> Vec<&str> {
        frame.series.iter().map(|series| series.labels["name"].as_str()).collect()
    }

    #[test]
    fn a_series_that_comes_stands_where_a_new_answer_has_it() {
        let mut frame = Frame { series: vec![named("a", 0), named("c", 0)], ..Frame::default() };
        frame.apply(
            &Frame { series: vec![named("b", 10), named("c", 10), named("d", 10)], end_ms: 10, ..Frame::default() },
            10,
        );
        assert_eq!(names(&frame), ["a", "b", "c", "d"]);
    }

    #[test]
    fn what_is_new_shares_its_labels_with_what_is_known() {
        let whole = Frame { series: vec![named("a", 0), named("b", 0), named("c", 0)], ..Frame::default() };
        let alone = Frame { series: vec![named("d", 10), named("b", 10), named("a", 10)], ..Frame::default() };
        let mut delta = alone.clone();
        delta.share_labels(&whole);
        assert_eq!(delta, alone);
        assert!(Arc::ptr_eq(&delta.series[1].labels, &whole.series[1].labels));
        assert!(Arc::ptr_eq(&delta.series[2].labels, &whole.series[0].labels));
        assert!(delta.weight_without_labels() + 3 * NODE_BYTES <= delta.weight());
        let written = serde_json::to_string(&delta).unwrap().len();
        assert!((written / 2..written * 2).contains(&delta.text_length()), "{written} {}", delta.text_length());
    }

    #[test]
    fn newest_values_are_in_the_order_of_the_newest_answer() {
        let mut frame = Frame { series: vec![named("a", 0), named("b", 0), named("c", 0)], ..Frame::default() };
        let gone = frame.apply(&Frame { series: vec![named("c", 5), named("a", 5)], end_ms: 5, ..Frame::default() }, 0);
        assert_eq!(names(&frame), ["c", "a"]);
        assert_eq!(gone, [Labels::clone(&named("b", 0).labels)]);
    }

    #[test]
    fn a_delta_moves_the_window() {
        let mut frame = Frame { series: vec![series(&[(0, 1.0), (10, 2.0)])], end_ms: 10, ..Frame::default() };
        let gone =
            frame.apply(&Frame { series: vec![series(&[(10, 9.0), (20, 3.0)])], end_ms: 20, ..Frame::default() }, 10);
        assert!(gone.is_empty());
        assert_eq!(frame.series, [series(&[(10, 2.0), (20, 3.0)])]);
    }

    #[test]
    fn a_delta_may_replace_steps_in_the_middle_and_at_the_end() {
        let whole = |points: &[(i64, f64)], end_ms| Frame { series: vec![series(points)], end_ms, ..Frame::default() };
        let mut frame = whole(&[(0, 1.0), (30, 4.0), (40, 5.0)], 40);
        let hole = Frame { replaces: Some((10, 20)), ..whole(&[(10, 2.0), (20, 3.0)], 40) };
        assert!(frame.apply(&hole, 100).is_empty());
        assert_eq!(frame, whole(&[(0, 1.0), (10, 2.0), (20, 3.0), (30, 4.0), (40, 5.0)], 40));
        let tail = Frame { replaces: Some((30, 50)), ..whole(&[(40, 5.5), (50, 6.0)], 50) };
        frame.apply(&tail, 100);
        assert_eq!(frame, whole(&[(0, 1.0), (10, 2.0), (20, 3.0), (40, 5.5), (50, 6.0)], 50));
        // A series without points in any step is removed; others that the delta does not mention lose these steps too.
        let mut other = series(&[(60, 1.0)]);
        Arc::make_mut(&mut other.labels).insert("c".into(), "d".into());
        let away = Frame { series: vec![other.clone()], replaces: Some((0, 60)), end_ms: 60, ..Frame::default() };
        assert_eq!(frame.apply(&away, 100), [Labels::clone(&series(&[]).labels)]);
        assert_eq!(frame.series, [other]);
        let written = serde_json::to_string(&tail).unwrap();
        assert!(written.contains(r#""replaces":[30,50]"#), "{written}");
        assert_eq!(serde_json::from_str::<Frame>(&written).unwrap(), tail);
    }

    #[test]
    fn an_estimate_says_so_and_what_is_none_says_nothing() {
        let mut frame = Frame::default();
        assert!(!serde_json::to_string(&frame).unwrap().contains("estimated"));
        frame.apply(&serde_json::from_str(r#"{"series":[],"end_ms":1,"estimated":true}"#).unwrap(), 10);
        assert!(frame.estimated && serde_json::to_string(&frame).unwrap().contains(r#""estimated":true"#));
    }
}
