//! Label sets of series.

use std::{fmt, sync::Arc};

/// Name of the label that holds the metric name.
pub const METRIC_NAME: &str = "__name__";

/// True for the labels of a metric's schema: its name, and its type and unit if they are labels. Operations that change
/// the meaning of the value drop them.
#[must_use]
pub fn is_schema_label(name: &str) -> bool {
    matches!(name, METRIC_NAME | "__type__" | "__unit__")
}

/// The labels of one series: sorted by name, each name once, no empty value. Cheap to clone, hash and compare.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// A label set of these pairs. As in Prometheus, pairs with an empty value are dropped; for a repeated name the
    /// last one is used.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut sorted: Vec<(Arc<str>, Arc<str>)> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        sorted.reverse();
        sorted.sort_by(|left, right| left.0.cmp(&right.0));
        sorted.dedup_by(|later, earlier| later.0 == earlier.0);
        sorted.retain(|(_, value)| !value.is_empty());
        Labels(sorted.into())
    }

    /// The value of a label; empty if it is missing, which PromQL does not distinguish.
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

    /// The shared pairs, to build another set without copying text.
    #[must_use]
    pub fn pairs(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }

    /// The set without metric name, and without type and unit labels.
    #[must_use]
    pub fn without_name(&self) -> Self {
        let has_any = self.0.iter().any(|(name, _)| is_schema_label(name));
        if has_any { self.filtered(|name| !is_schema_label(name)) } else { self.clone() }
    }

    /// The labels for whose names `keep` is true.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Labels(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    /// The set with one label changed; an empty value removes it.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs: Vec<_> = self.0.to_vec();
        match pairs.binary_search_by(|(candidate, _)| (**candidate).cmp(name)) {
            Ok(index) if value.is_empty() => drop(pairs.remove(index)),
            Ok(index) => {
                if let Some(pair) = pairs.get_mut(index) {
                    pair.1 = value.into();
                }
            }
            Err(_) if value.is_empty() => return self.clone(),
            Err(index) => pairs.insert(index, (name.into(), value.into())),
        }
        Labels(pairs.into())
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

impl fmt::Display for Labels {
    /// Prometheus' format: `{__name__="up", job="node"}`.
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}{name}={value:?}")?;
        }
        formatter.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_and_the_last_of_a_name_wins() {
        let labels = Labels::new([("b", "2"), ("a", "1"), ("b", "3"), ("c", "")]);
        assert_eq!(labels.to_string(), r#"{a="1", b="3"}"#);
    }

    #[test]
    fn with_replaces_adds_and_removes() {
        let labels = Labels::new([("a", "1"), ("c", "3")]);
        assert_eq!(labels.with("b", "2").to_string(), r#"{a="1", b="2", c="3"}"#);
        assert_eq!(labels.with("a", "9").get("a"), "9");
        assert!(labels.with("a", "").with("c", "").is_empty());
        assert_eq!(labels.with("x", ""), labels);
    }
}
