//! Label sets: what names a series.

use std::{fmt, sync::Arc};

/// Name of the label that holds the metric name.
pub const METRIC_NAME: &str = "__name__";

/// The labels of one series: sorted by name, each name once, no empty value. Cheap to clone, hash and compare.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// A label set of these pairs. Pairs with an empty value are left out, as Prometheus does; of a repeated name the last wins.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut sorted: Vec<(Arc<str>, Arc<str>)> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        sorted.reverse();
        sorted.sort_by(|left, right| left.0.cmp(&right.0));
        sorted.dedup_by(|later, earlier| later.0 == earlier.0);
        sorted.retain(|(_, value)| !value.is_empty());
        Labels(sorted.into())
    }

    /// The value of a label; empty if there is none, which PromQL does not tell apart.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0
            .binary_search_by(|(candidate, _)| (**candidate).cmp(name))
            .ok()
            .and_then(|index| self.0.get(index))
            .map_or("", |(_, value)| value)
    }

    /// The metric name; empty if there is none.
    #[must_use]
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + '_ {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The shared pairs, for building another set without copying text.
    #[must_use]
    pub fn pairs(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }

    /// True for the empty set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Labels {
    fn default() -> Self {
        Labels(Arc::from([]))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}
