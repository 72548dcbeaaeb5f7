//! What a refused form adds to the address of its page: what was wrong, and what was typed, so that it is not lost.

/// Parameter with what was wrong, in words.
pub(crate) const PROBLEM: &str = "problem";
/// What the names of the parameters with typed fields begin with.
pub(crate) const TYPED: &str = "typed-";

/// `query` without what a refusal added.
pub(crate) fn without_refusal(query: &str) -> String {
    let is_added = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        name == PROBLEM || name.starts_with(TYPED)
    };
    query.split('&').filter(|pair| !is_added(pair)).collect::<Vec<_>>().join("&")
}

/// `path` with `query`, if there is one.
pub(crate) fn address(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_refusal_added_is_taken_off_and_nothing_else() {
        for (query, expected) in [
            ("problem=no&typed-name=hall&typed-role=", ""),
            ("view=silences&problem=no", "view=silences"),
            ("problem=no&filter=problem%3D1&matchers=", "filter=problem%3D1&matchers="),
            ("problems=1&name=typed-", "problems=1&name=typed-"),
            ("", ""),
        ] {
            assert_eq!(without_refusal(query), expected, "{query}");
        }
        assert_eq!(address("/settings", ""), "/settings");
        assert_eq!(address("/alerts", "view=rules"), "/alerts?view=rules");
    }
}
