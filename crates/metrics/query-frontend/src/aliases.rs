//! Metric aliases: a query with one name of a series is rewritten to the name that the source has, in the syntax tree.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use labels::{METRIC_NAME, MatchOp, Matcher, metric_name};
use promql::{Options, Query};
use serde::{Deserialize, Serialize};

/// The content of a file of aliases.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// One entry per metric with several names.
    #[serde(default)]
    pub aliases: Vec<Alias>,
}

/// The names of one metric.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The name that our dashboards use.
    pub canonical: String,
    /// Other names, in order of preference.
    #[serde(default)]
    pub also: Vec<Spelling>,
    /// Whether these are names of histograms, whose series end with `_bucket`, `_sum` and `_count`.
    #[serde(default)]
    pub histogram: bool,
}

/// One name of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Spelling {
    /// The name of its series.
    Name(String),
    /// A more general metric; only its series with these labels are meant.
    Part {
        /// The series' name.
        name: String,
        /// Label names and values.
        with: BTreeMap<String, String>,
    },
}

impl Spelling {
    fn name(&self) -> &str {
        match self {
            Spelling::Name(name) | Spelling::Part { name, .. } => name,
        }
    }

    fn labels(&self) -> impl Iterator<Item = (&String, &String)> {
        let with = match self {
            Spelling::Name(_) => None,
            Spelling::Part { with, .. } => Some(with),
        };
        with.into_iter().flatten()
    }

    /// Whether a selector with these matchers means this metric.
    fn is_meant_by(&self, matchers: &[Matcher]) -> bool {
        self.labels().all(|(name, value)| {
            matchers.iter().any(|matcher| {
                matcher.name == *name && matches!(&matcher.op, MatchOp::Equal(wanted) if wanted == value)
            })
        })
    }
}

/// All names of one metric, the canonical one first.
type Names = Vec<Spelling>;

/// The known aliases.
#[derive(Debug, Clone, Default)]
pub struct Aliases {
    groups: Vec<Names>,
    /// Groups that contain a name; those with it as the canonical name first.
    by_name: HashMap<String, Vec<usize>>,
}

impl Aliases {
    /// Merges several tables; for the same canonical name, earlier ones have priority.
    #[must_use]
    pub fn new(tables: impl IntoIterator<Item = Table>) -> Self {
        let mut joined: Vec<Alias> = Vec::new();
        for alias in tables.into_iter().flat_map(|table| table.aliases) {
            match joined.iter_mut().find(|known| known.canonical == alias.canonical) {
                Some(known) => {
                    known.histogram |= alias.histogram;
                    known.also.extend(alias.also);
                }
                None => joined.push(alias),
            }
        }
        let mut aliases = Aliases::default();
        for alias in joined {
            let all = [Spelling::Name(alias.canonical)].into_iter().chain(alias.also);
            let all: Names = all.collect();
            let suffixes: &[&str] = if alias.histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
            for suffix in suffixes {
                aliases.add(all.iter().map(|spelling| ending_in(spelling, suffix)).collect());
            }
        }
        aliases
    }

    fn add(&mut self, names: Names) {
        let group = self.groups.len();
        for (place, spelling) in names.iter().enumerate() {
            let groups = self.by_name.entry(spelling.name().to_owned()).or_default();
            if place == 0 {
                groups.insert(0, group);
            } else if !groups.contains(&group) {
                groups.push(group);
            }
        }
        self.groups.push(names);
    }

    /// All names, to find out which ones a source has.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Whether a query uses a metric with aliases.
    #[must_use]
    pub fn concern(&self, query: &Query) -> bool {
        let selectors = query.selectors(0, 0, 1, &Options::default());
        selectors
            .iter()
            .any(|selector| metric_name(&selector.matchers).is_some_and(|name| self.by_name.contains_key(name)))
    }

    /// The query for a source with the metrics in `has`; `None` if it does not change.
    #[must_use]
    pub fn rewrite(&self, query: &Query, has: &BTreeSet<String>) -> Option<Query> {
        let mut changed = false;
        let rewritten = query.with_selectors(|matchers| {
            let Some(name) = metric_name(matchers).filter(|name| !has.contains(*name)) else { return };
            let Some((written, sent)) = self.replacement(name, matchers, has) else { return };
            matchers.retain(|matcher| {
                let of_written = written.labels().any(|(name, _)| *name == matcher.name) && matcher.is_equal();
                !(of_written || matcher.name == METRIC_NAME && matcher.is_equal())
            });
            let labels = sent.labels().map(|(name, value)| Matcher::equal(name, value));
            let named = [Matcher::equal(METRIC_NAME, sent.name())].into_iter().chain(labels);
            matchers.splice(0..0, named);
            changed = true;
        });
        changed.then_some(rewritten)
    }

    /// The name as written in a selector, and the name that the source has.
    fn replacement(&self, name: &str, matchers: &[Matcher], has: &BTreeSet<String>) -> Option<(&Spelling, &Spelling)> {
        let groups = self.by_name.get(name)?.iter().filter_map(|group| self.groups.get(*group));
        let mut found: Vec<(&Spelling, &Spelling)> = groups
            .filter_map(|names| {
                let written =
                    names.iter().find(|spelling| spelling.name() == name && spelling.is_meant_by(matchers))?;
                let sent = names.iter().find(|spelling| has.contains(spelling.name()))?;
                Some((written, sent))
            })
            .collect();
        // A more specific name has priority; otherwise the order of the groups.
        found.sort_by_key(|(written, _)| std::cmp::Reverse(written.labels().count()));
        found.first().copied()
    }
}

fn ending_in(spelling: &Spelling, suffix: &str) -> Spelling {
    match spelling {
        Spelling::Name(name) => Spelling::Name(format!("{name}{suffix}")),
        Spelling::Part { name, with } => Spelling::Part { name: format!("{name}{suffix}"), with: with.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliases() -> Aliases {
        let name = |name: &str| Spelling::Name(name.into());
        let part = |name: &str, status: &str| Spelling::Part {
            name: name.into(),
            with: BTreeMap::from([("status".into(), status.into())]),
        };
        let alias = |canonical: &str, also: &[Spelling], histogram| Alias {
            canonical: canonical.into(),
            also: also.to_vec(),
            histogram,
        };
        Aliases::new([
            Table { aliases: vec![alias("active", &[name("mine")], false)] },
            Table {
                aliases: vec![
                    alias("active", &[name("running")], false),
                    alias("done", &[part("all", "completed"), name("finished")], false),
                    alias("failed", &[part("all", "failed")], false),
                    alias("all", &[name("everything")], false),
                    alias("took", &[name("lasted")], true),
                ],
            },
        ])
    }

    fn sent(query: &str, has: &[&str]) -> Option<String> {
        let has = has.iter().map(|name| (*name).to_owned()).collect();
        aliases().rewrite(&promql::parse(query).unwrap(), &has).map(|query| query.to_string())
    }

    #[test]
    fn what_the_source_has_stays_and_what_it_lacks_is_named_as_it_has_it() {
        assert_eq!(sent("sum(active)", &["active", "running"]), None);
        assert_eq!(sent("sum(active)", &[]), None);
        assert_eq!(sent("other + 1", &["running"]), None);
        assert_eq!(sent("sum(active{a=\"b\"})", &["running"]).unwrap(), "sum(running{a=\"b\"})");
        assert_eq!(sent("active or up", &["running", "mine"]).unwrap(), "mine or up");
        assert_eq!(sent("{__name__=~\"active\"}", &["running"]), None);
    }

    #[test]
    fn it_goes_both_ways_and_with_labels() {
        assert_eq!(sent("running", &["active"]).unwrap(), "active");
        assert_eq!(sent("rate(done[5m])", &["all"]).unwrap(), "rate(all{status=\"completed\"}[5m])");
        assert_eq!(sent("all{status=\"completed\", p=\"x\"}", &["done"]).unwrap(), "done{p=\"x\"}");
        assert_eq!(sent("all{status=\"failed\"}", &["failed", "done"]).unwrap(), "failed");
        assert_eq!(sent("all{status=\"failed\"}", &["everything"]).unwrap(), "everything{status=\"failed\"}");
        assert_eq!(sent("all", &["done"]), None, "all is more than done");
        assert_eq!(sent("finished", &["all"]).unwrap(), "all{status=\"completed\"}");
        assert_eq!(
            sent("histogram_quantile(0.9, sum by (le) (rate(took_bucket[5m])))", &["lasted_bucket"]).unwrap(),
            "histogram_quantile(0.9, sum by (le) (rate(lasted_bucket[5m])))"
        );
    }

    #[test]
    fn only_queries_with_such_names_are_concerned() {
        let concern = |query: &str| aliases().concern(&promql::parse(query).unwrap());
        assert!(concern("1 + max_over_time(sum(took_sum)[1h:])"));
        assert!(!concern("up") && !concern("time()") && !concern("{active=\"x\"}"));
    }
}
