use labels::Pattern;
use proptest::prelude::*;

use super::*;

fn matcher(name: &str, op: u8, value: &str) -> Matcher {
    let pattern = || Pattern::compile(value).unwrap();
    let op = match op {
        0 => MatchOp::Equal(value.to_owned()),
        1 => MatchOp::NotEqual(value.to_owned()),
        2 => MatchOp::Regex(pattern()),
        _ => MatchOp::NotRegex(pattern()),
    };
    Matcher { name: name.to_owned(), op }
}

fn filled(sets: &[Labels]) -> Postings {
    let mut postings = Postings::default();
    for (labels, id) in sets.iter().zip(0..) {
        postings.add(id, labels);
    }
    postings
}

fn selected(postings: &Postings, sets: &[Labels], matchers: &[Matcher]) -> Vec<SeriesId> {
    postings.select(matchers, |id| sets.get(usize::try_from(id).unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Each plan gives the same result as testing each series.
    #[test]
    fn selecting_is_trying_each_series(
        sets in prop::collection::vec(prop::collection::vec(("[abc]", "[xyz]{0,2}"), 0..4), 0..40),
        matchers in prop::collection::vec(("[abcd]", 0_u8..4, prop::sample::select(vec!["", "x", "xy", "x|y|xy", "z?", "(x|y)z", ".*", ".+", "x.*", "[xy]", "|x", "x^y|y", "(?i:X)", "x{2}|y+"])), 0..4),
        removed in prop::collection::vec(0_usize..40, 0..5),
    ) {
        let sets: Vec<Labels> = sets.into_iter().map(|pairs| Labels::new(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())))).collect();
        let mut postings = filled(&sets);
        for position in &removed {
            if let Some(labels) = sets.get(*position) {
                postings.remove(&[(u32::try_from(*position).unwrap(), (*labels).clone())]);
            }
        }
        let matchers: Vec<Matcher> = matchers.iter().map(|(name, op, value)| {
            matcher(name, *op, value)
        }).collect();
        let expected: Vec<SeriesId> = sets
            .iter()
            .enumerate()
            .filter(|(position, labels)| !removed.contains(position) && matchers.iter().all(|m| m.matches(labels.get(&m.name))))
            .map(|(position, _)| u32::try_from(position).unwrap())
            .collect();
        prop_assert_eq!(selected(&postings, &sets, &matchers), expected);
    }

    #[test]
    fn set_operations_agree_with_sets(left in prop::collection::btree_set(0_u32..200, 0..100), right in prop::collection::btree_set(0_u32..200, 0..100)) {
        let (l, r): (Vec<_>, Vec<_>) = (left.iter().copied().collect(), right.iter().copied().collect());
        prop_assert_eq!(intersect(&l, &r), left.intersection(&right).copied().collect::<Vec<_>>());
        prop_assert_eq!(subtract(&l, &r), left.difference(&right).copied().collect::<Vec<_>>());
    }
}

#[test]
fn an_absent_label_is_empty() {
    let sets = [Labels::new([("__name__", "up"), ("job", "a")]), Labels::new([("__name__", "up")])];
    let postings = filled(&sets);
    assert_eq!(selected(&postings, &sets, &[matcher("job", 0, "")]), [1]);
    assert_eq!(selected(&postings, &sets, &[matcher("job", 1, "")]), [0]);
    assert_eq!(selected(&postings, &sets, &[matcher("job", 1, "a")]), [1]);
    assert_eq!(selected(&postings, &sets, &[matcher("job", 2, "b|")]), [1]);
    assert_eq!(selected(&postings, &sets, &[matcher("job", 3, "a|b")]), [1]);
    assert_eq!(selected(&postings, &sets, &[matcher("job", 2, ".*")]), [0, 1]);
    assert_eq!(selected(&postings, &sets, &[matcher("nothing", 0, "")]), [0, 1]);
    assert_eq!(selected(&postings, &sets, &[matcher("nothing", 0, "x")]), [] as [u32; 0]);
}

#[test]
fn a_removed_series_leaves_nothing_behind() {
    let labels = Labels::new([("a", "x")]);
    let mut postings = filled(std::slice::from_ref(&labels));
    postings.remove(&[(0, labels)]);
    assert_eq!(postings.names.len(), 0);
    assert_eq!(postings.values("a").count(), 0);
}
