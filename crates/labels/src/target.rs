//! Target labels.

use std::sync::Arc;

use crate::{Labels, METRIC_NAME};

/// The labels that a target adds to all its series.
#[derive(Debug, Clone)]
pub struct TargetLabels(Vec<(Arc<str>, Arc<str>)>);

impl TargetLabels {
    /// From names and values.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        TargetLabels(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The labels of a series of this target. As in Prometheus, a label that the target has too is renamed to
    /// `exported_<name>`.
    #[must_use]
    pub fn series(&self, name: &str, labels: &[(&str, &str)]) -> Labels {
        let own = |label: &str| self.0.iter().any(|(name, _)| **name == *label);
        let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(self.0.len() + 4);
        for (label, value) in labels.iter().copied() {
            if own(label) {
                let mut renamed = format!("exported_{label}");
                while own(&renamed) || labels.iter().any(|(name, _)| *name == renamed) {
                    renamed = format!("exported_{renamed}");
                }
                pairs.push((renamed.into(), value.into()));
            } else {
                pairs.push((label.into(), value.into()));
            }
        }
        pairs.extend(self.0.iter().cloned());
        pairs.push((METRIC_NAME.into(), name.into()));
        Labels::new(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicting_labels_are_exported() {
        let target = TargetLabels::new([("job", "hypersdk"), ("instance", "a:1")]);
        let labels = target.series("up", &[("job", "own"), ("exported_job", "x"), ("code", "200"), ("empty", "")]);
        let pairs: Vec<_> = labels.iter().collect();
        assert_eq!(
            pairs,
            [
                ("__name__", "up"),
                ("code", "200"),
                ("exported_exported_job", "own"),
                ("exported_job", "x"),
                ("instance", "a:1"),
                ("job", "hypersdk"),
            ]
        );
    }
}
