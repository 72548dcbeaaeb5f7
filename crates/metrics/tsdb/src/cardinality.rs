//! Which metrics and labels have the most series.

use std::{cmp::Reverse, collections::BinaryHeap};

use labels::METRIC_NAME;

use crate::head::Head;

/// A name and its count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// Count.
    pub count: u64,
    /// Name.
    pub name: String,
}

/// Which metrics and labels have the most series. Each list is sorted by count, descending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Number of distinct label pairs.
    pub label_pairs: u64,
    /// Number of series per metric name.
    pub series_by_metric: Vec<Counted>,
    /// Number of distinct values per label name.
    pub values_by_label: Vec<Counted>,
    /// Total length of a label's values over all series, in bytes. The store holds each value once, so this is what it
    /// would need without that.
    pub bytes_by_label: Vec<Counted>,
    /// Number of series per label pair, as `name=value`.
    pub series_by_pair: Vec<Counted>,
}

impl Cardinality {
    pub(crate) fn of(head: &Head, limit: usize) -> Self {
        let mut result = Cardinality::default();
        let [mut metrics, mut labels, mut bytes, mut pairs] = std::array::from_fn(|_| Most::new(limit));
        for (name, values) in head.postings.names() {
            let (mut count, mut length) = (0, 0);
            for (value, series) in values {
                count += 1;
                length += size(value.len()) * series;
                if name == METRIC_NAME {
                    metrics.add(series, || value.to_owned());
                }
                pairs.add(series, || format!("{name}={value}"));
            }
            result.label_pairs += count;
            labels.add(count, || name.to_owned());
            bytes.add(length, || name.to_owned());
        }
        result.series_by_metric = metrics.into_list();
        result.values_by_label = labels.into_list();
        result.bytes_by_label = bytes.into_list();
        result.series_by_pair = pairs.into_list();
        result
    }
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The largest counts added; of equal counts the ones added first.
struct Most {
    limit: usize,
    /// Min-heap.
    kept: BinaryHeap<Reverse<Counted>>,
}

impl Most {
    fn new(limit: usize) -> Self {
        Most { limit, kept: BinaryHeap::new() }
    }

    fn add(&mut self, count: u64, name: impl FnOnce() -> String) {
        if self.kept.len() >= self.limit && self.kept.peek().is_none_or(|Reverse(least)| least.count >= count) {
            return;
        }
        self.kept.push(Reverse(Counted { count, name: name() }));
        if self.kept.len() > self.limit {
            self.kept.pop();
        }
    }

    fn into_list(self) -> Vec<Counted> {
        let mut list: Vec<Counted> = self.kept.into_iter().map(|Reverse(counted)| counted).collect();
        list.sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.name.cmp(&right.name)));
        list
    }
}
