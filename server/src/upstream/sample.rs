//! What the links write besides samples: which labels name a target, and what its metrics mean.

use std::sync::Arc;

use exposition::page::Kind;
use labels::Labels;

/// Type and meaning of a metric family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Name of the family.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it means; may be empty.
    pub help: String,
    /// Its unit; may be empty.
    pub unit: String,
}

/// Where metadata goes: what `/api/v1/metadata` answers from.
pub trait MetadataSink: Send + Sync {
    /// These families were seen at a target. Told once, and again when something changes.
    fn describe(&self, metadata: &[Metadata]);
}

/// Nobody wants it.
impl MetadataSink for () {
    fn describe(&self, _: &[Metadata]) {}
}

/// The labels that a target gives to all its series.
#[derive(Debug, Clone)]
pub(super) struct TargetLabels(Vec<(Arc<str>, Arc<str>)>);

impl TargetLabels {
    pub(super) fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        TargetLabels(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The labels of a series of this target. A label that the target has too is kept as `exported_<name>`, as Prometheus does.
    pub(super) fn series(&self, name: &str, labels: &[(&str, &str)]) -> Labels {
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
        pairs.push((labels::METRIC_NAME.into(), name.into()));
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
