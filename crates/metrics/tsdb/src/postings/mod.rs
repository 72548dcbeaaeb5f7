//! The inverted index: sorted lists of series numbers by label, and the selection of series by matchers.

use std::{
    collections::{BTreeMap, HashSet, btree_map},
    ops::Bound,
    sync::Arc,
};

use labels::{Labels, MatchOp, Matcher};

use crate::pattern::{Pattern, analyse};

/// Number of a series, unique while the store is open.
pub(crate) type SeriesId = u32;

/// Lists of series by label name and value. Names and values without series are removed.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    all: Vec<SeriesId>,
    names: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Vec<SeriesId>>>,
}

impl Postings {
    /// Adds a series with a number higher than all others.
    pub(crate) fn add(&mut self, id: SeriesId, labels: &Labels) {
        self.all.push(id);
        for (name, value) in labels.pairs() {
            self.names.entry(name.clone()).or_default().entry(value.clone()).or_default().push(id);
        }
    }

    /// Removes series, sorted by number. Each list is traversed once, regardless of how many of its series are removed.
    pub(crate) fn remove(&mut self, gone: &[(SeriesId, Labels)]) {
        let ids: Vec<SeriesId> = gone.iter().map(|(id, _)| *id).collect();
        remove_from(&mut self.all, &ids);
        let pairs: HashSet<&(Arc<str>, Arc<str>)> = gone.iter().flat_map(|(_, labels)| labels.pairs()).collect();
        for (name, value) in pairs {
            let btree_map::Entry::Occupied(mut values) = self.names.entry(name.clone()) else { continue };
            if let btree_map::Entry::Occupied(mut list) = values.get_mut().entry(value.clone()) {
                remove_from(list.get_mut(), &ids);
                if list.get().is_empty() {
                    list.remove();
                }
            }
            if values.get().is_empty() {
                values.remove();
            }
        }
    }

    /// The values of a label with their series, sorted.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&Arc<str>, &[SeriesId])> {
        self.names.get(name).into_iter().flatten().map(|(value, list)| (value, list.as_slice()))
    }

    /// The label names, each with its values and their numbers of series.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = (&str, u64)>)> {
        self.names.iter().map(|(name, values)| {
            let values = values.iter().map(|(value, list)| (&**value, u64::try_from(list.len()).unwrap_or(u64::MAX)));
            (&**name, values)
        })
    }

    /// The series that match all matchers, sorted. `labels_of` returns the labels of a series.
    pub(crate) fn select<'a>(
        &self,
        matchers: &[Matcher],
        labels_of: impl Fn(SeriesId) -> Option<&'a Labels>,
    ) -> Vec<SeriesId> {
        let mut plans: Vec<Plan> = matchers.iter().map(|matcher| self.plan(matcher)).collect();
        // The most selective matcher first, so that the remaining list is short.
        plans.sort_by_key(|plan| plan.cost);
        let mut selected: Option<Vec<SeriesId>> = None;
        for plan in plans {
            let narrowed = match selected {
                Some(current) if current.len() < plan.cost => {
                    current.into_iter().filter(|id| labels_of(*id).is_some_and(|labels| plan.matches(labels))).collect()
                }
                Some(current) => {
                    let listed = self.listed(&plan);
                    if plan.keeps_listed { intersect(&current, &listed) } else { subtract(&current, &listed) }
                }
                None => {
                    let listed = self.listed(&plan);
                    if plan.keeps_listed { listed } else { subtract(&self.all, &listed) }
                }
            };
            if narrowed.is_empty() {
                return narrowed;
            }
            selected = Some(narrowed);
        }
        selected.unwrap_or_else(|| self.all.clone())
    }

    /// How to resolve a matcher. If an absent label matches, we list the series that do not match, and remove them.
    fn plan<'a>(&self, matcher: &'a Matcher) -> Plan<'a> {
        let values = self.names.get(matcher.name.as_str());
        let keeps_listed = !matcher.matches("");
        let (choice, cost) = match &matcher.op {
            MatchOp::Equal(value) | MatchOp::NotEqual(value) if !value.is_empty() => {
                let cost = values.and_then(|values| values.get(value.as_str())).map_or(0, Vec::len);
                (Choice::Values(vec![value.clone()]), cost)
            }
            MatchOp::Equal(_) | MatchOp::NotEqual(_) => (Choice::Every, self.all.len()),
            MatchOp::Regex(pattern) | MatchOp::NotRegex(pattern) if pattern.values().is_some() => {
                let wanted = pattern.values().unwrap_or_default().to_vec();
                let cost = wanted.len();
                (Choice::Values(wanted), cost)
            }
            MatchOp::Regex(regex) | MatchOp::NotRegex(regex) => match analyse(regex.as_str()) {
                Pattern::Literals(mut literals) if keeps_listed == matches!(matcher.op, MatchOp::Regex(_)) => {
                    // An anchor in the middle makes an alternative impossible.
                    literals.retain(|literal| matcher.matches(literal) == keeps_listed);
                    let cost = literals.len();
                    (Choice::Values(literals), cost)
                }
                Pattern::Literals(_) => (Choice::Scan(String::new()), values.map_or(0, BTreeMap::len)),
                Pattern::Prefix(prefix) if keeps_listed == matches!(matcher.op, MatchOp::Regex(_)) => {
                    (Choice::Scan(prefix), values.map_or(0, BTreeMap::len))
                }
                Pattern::Prefix(_) => (Choice::Scan(String::new()), values.map_or(0, BTreeMap::len)),
            },
        };
        Plan { matcher, keeps_listed, choice, cost }
    }

    /// The series of a plan: those with a matching label value or, if the plan removes, with a non-matching one.
    fn listed(&self, plan: &Plan) -> Vec<SeriesId> {
        let Some(values) = self.names.get(plan.matcher.name.as_str()) else { return Vec::new() };
        let lists: Vec<&Vec<SeriesId>> = match &plan.choice {
            Choice::Values(wanted) => wanted.iter().filter_map(|value| values.get(value.as_str())).collect(),
            Choice::Every => values.values().collect(),
            Choice::Scan(prefix) => values
                .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
                .take_while(|(value, _)| value.starts_with(prefix.as_str()))
                .filter(|(value, _)| plan.matcher.matches(value) == plan.keeps_listed)
                .map(|(_, list)| list)
                .collect(),
        };
        union(&lists)
    }

    /// Approximate heap size in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let lists = self.names.values().flat_map(BTreeMap::values);
        let entries = lists.map(|list| list.capacity() * size_of::<SeriesId>() + 48).sum::<usize>();
        entries + self.all.capacity() * size_of::<SeriesId>()
    }
}

/// How to resolve one matcher.
struct Plan<'a> {
    matcher: &'a Matcher,
    /// Whether the listed series are selected; otherwise they are removed.
    keeps_listed: bool,
    choice: Choice,
    /// Approximate cost of the list.
    cost: usize,
}

impl Plan<'_> {
    fn matches(&self, labels: &Labels) -> bool {
        self.matcher.matches(labels.get(&self.matcher.name))
    }
}

/// Which values of the label to list.
enum Choice {
    /// These.
    Values(Vec<String>),
    /// All there are.
    Every,
    /// Values with this prefix that the matcher accepts (or rejects).
    Scan(String),
}

fn remove_from(list: &mut Vec<SeriesId>, gone: &[SeriesId]) {
    if list.len() < gone.len() {
        return list.retain(|id| gone.binary_search(id).is_err());
    }
    let mut gone = gone.iter().copied().peekable();
    list.retain(|id| {
        while gone.next_if(|next| next < id).is_some() {}
        gone.next_if_eq(id).is_none()
    });
}

/// The union of sorted lists without common numbers, sorted.
fn union(lists: &[&Vec<SeriesId>]) -> Vec<SeriesId> {
    match lists {
        [] => Vec::new(),
        [only] => (*only).clone(),
        _ => {
            let mut all = Vec::with_capacity(lists.iter().map(|list| list.len()).sum());
            lists.iter().for_each(|list| all.extend_from_slice(list));
            all.sort_unstable();
            all.dedup();
            all
        }
    }
}

/// Numbers of both sorted lists.
fn intersect(left: &[SeriesId], right: &[SeriesId]) -> Vec<SeriesId> {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let mut rest = long;
    let mut common = Vec::with_capacity(short.len());
    for id in short {
        rest = skip_below(rest, *id);
        if rest.first() == Some(id) {
            common.push(*id);
        }
    }
    common
}

/// Numbers of the first sorted list that are not in the second.
fn subtract(from: &[SeriesId], taken: &[SeriesId]) -> Vec<SeriesId> {
    let mut rest = taken;
    let mut left = Vec::with_capacity(from.len());
    for id in from {
        rest = skip_below(rest, *id);
        if rest.first() != Some(id) {
            left.push(*id);
        }
    }
    left
}

/// The tail of a sorted list from `id` on; cheap if that is near the start.
fn skip_below(list: &[SeriesId], id: SeriesId) -> &[SeriesId] {
    let mut width = 1;
    while list.get(width).is_some_and(|candidate| *candidate < id) {
        width *= 2;
    }
    let window = list.get(..=width).unwrap_or(list);
    let below = window.partition_point(|candidate| *candidate < id);
    list.get(below..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
