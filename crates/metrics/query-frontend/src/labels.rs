//! Labels that have another name in an engine: we send its name and show ours.
//!
//! Unlike metric aliases these are configured, not detected: an unrelated series may have a label with our name, and
//! permissions may depend on a label.

use std::collections::{BTreeMap, BTreeSet};

use labels::METRIC_NAME;

/// Label names that differ between us and one engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelNames {
    theirs: BTreeMap<String, String>,
    ours: BTreeMap<String, String>,
}

impl LabelNames {
    /// From pairs of our name and the engine's.
    ///
    /// # Errors
    ///
    /// A name would mean two labels: what to change.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut names = LabelNames::default();
        for (ours, theirs) in pairs {
            if [&ours, &theirs].into_iter().any(|name| name.is_empty() || name == METRIC_NAME) {
                return Err(format!("{ours:?} and {theirs:?}: both must be names of labels other than {METRIC_NAME}"));
            }
            if let Some(other) = names.ours.insert(theirs.clone(), ours.clone()) {
                return Err(format!("{theirs:?} is given as the engine's name of both {other:?} and {ours:?}"));
            }
            if names.theirs.insert(ours.clone(), theirs).is_some() {
                return Err(format!("{ours:?} is given two names"));
            }
        }
        match names.theirs.keys().find(|ours| names.ours.contains_key(*ours)) {
            Some(both) => Err(format!("{both:?} is given as a name of ours and as one of the engine's")),
            None => Ok(names),
        }
    }

    /// Whether all labels have the same name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.theirs.is_empty()
    }

    /// The engine's name for a label; other names are unchanged.
    #[must_use]
    pub fn theirs<'a>(&'a self, name: &'a str) -> &'a str {
        self.theirs.get(name).map_or(name, String::as_str)
    }

    /// Our name for an engine's label; other names are unchanged.
    #[must_use]
    pub fn ours<'a>(&'a self, name: &'a str) -> &'a str {
        self.ours.get(name).map_or(name, String::as_str)
    }

    /// A query or selector with the engine's names; `None` if it does not change, or we cannot parse it as PromQL.
    #[must_use]
    pub fn query(&self, text: &str) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let query = promql::parse(text).ok()?;
        let mut changed = false;
        let sent = query.with_label_names(|name| {
            if let Some(theirs) = self.theirs.get(name) {
                theirs.clone_into(name);
                changed = true;
            }
        });
        changed.then(|| sent.to_string())
    }

    /// Translates the label names in a response, sorted without duplicates.
    #[must_use]
    pub fn names(&self, theirs: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        theirs.into_iter().map(|name| self.ours(&name).to_owned()).collect()
    }

    /// Translates the labels of a series in a response. If the series also has a label with our name, that one stays.
    #[must_use]
    pub fn series<V>(&self, theirs: impl IntoIterator<Item = (String, V)>) -> BTreeMap<String, V> {
        let mut named = BTreeMap::new();
        for (name, value) in theirs {
            match self.ours.get(&name) {
                Some(ours) => {
                    named.insert(ours.clone(), value);
                }
                None => {
                    named.entry(name).or_insert(value);
                }
            }
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> LabelNames {
        let pair = |ours: &str, theirs: &str| (ours.to_owned(), theirs.to_owned());
        LabelNames::new([pair("provider", "vcenter"), pair("host", "the.node")]).unwrap()
    }

    #[test]
    fn every_place_of_a_query_that_names_a_label_gets_the_engines_name() {
        for (written, sent) in [
            ("up{provider=\"provider\"}", "up{vcenter=\"provider\"}"),
            ("sum by (provider, x) (rate(a{host!=\"\"}[5m]))", "sum by (vcenter, x) (rate(a{\"the.node\"!=\"\"}[5m]))"),
            ("sum without (host) (a)", "sum without (\"the.node\") (a)"),
            ("a * on (provider) group_left (host) b", "a * on (vcenter) group_left (\"the.node\") b"),
            ("a / ignoring (provider) b", "a / ignoring (vcenter) b"),
            ("max_over_time(count(a{provider=~\"x|y\"})[1h:1m])", "max_over_time(count(a{vcenter=~\"x|y\"})[1h:1m])"),
            (
                "label_replace(a, \"provider\", \"provider\", \"host\", \"host\")",
                "label_replace(a, \"vcenter\", \"provider\", \"the.node\", \"host\")",
            ),
            (
                "label_join(a, \"x\", \"host\", \"host\", \"provider\")",
                "label_join(a, \"x\", \"host\", \"the.node\", \"vcenter\")",
            ),
            ("count_values(\"provider\", a)", "count_values(\"vcenter\", a)"),
            ("topk(scalar(a{provider=\"x\"}), b)", "topk(scalar(a{vcenter=\"x\"}), b)"),
            ("sort_by_label(a, \"provider\")", "sort_by_label(a, \"vcenter\")"),
        ] {
            assert_eq!(names().query(written).as_deref(), Some(sent), "{written}");
            assert!(promql::parse(sent).is_ok(), "{sent}");
        }
    }

    #[test]
    fn what_names_no_such_label_stays() {
        for query in ["provider", "sum by (x) (a{y=\"provider\"})", "a{vcenter=\"x\"}", "not ( promql"] {
            assert_eq!(names().query(query), None, "{query}");
        }
        assert_eq!(LabelNames::default().query("a{provider=\"x\"}"), None);
    }

    #[test]
    fn answers_have_our_names() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(names().series(labels(&[("vcenter", "a"), ("x", "b")])), labels(&[("provider", "a"), ("x", "b")]));
        let both = labels(&[("vcenter", "a"), ("provider", "b"), ("the.node", "c"), ("host", "d")]);
        assert_eq!(names().series(both), labels(&[("provider", "a"), ("host", "c")]));
        let found = names().names(["vcenter", "provider", "x"].map(str::to_owned));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["provider", "x"]);
    }

    #[test]
    fn a_name_means_one_label() {
        let refused = |pairs: &[(&str, &str)]| {
            LabelNames::new(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))).is_err()
        };
        assert!(refused(&[("a", "x"), ("b", "x")]));
        assert!(refused(&[("a", "x"), ("a", "y")]));
        assert!(refused(&[("a", "b"), ("b", "c")]));
        assert!(refused(&[("a", "")]) && refused(&[("a", "a")]) && refused(&[("__name__", "x")]));
    }
}
