//! Query parameters that a refused form adds to the URL of its page: the reason, and the typed values, so that they are not lost.

/// Parameter with the reason, in words.
pub(crate) const PROBLEM: &str = "problem";
/// Prefix of the parameters with typed values.
pub(crate) const TYPED: &str = "typed-";

/// `query` without the parameters of a refusal.
pub(crate) fn without_refusal(query: &str) -> String {
    let is_added = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        name == PROBLEM || name.starts_with(TYPED)
    };
    query.split('&').filter(|pair| !is_added(pair)).collect::<Vec<_>>().join("&")
}

/// `path`, with `query` if that is not empty.
pub(crate) fn address(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_parameters_of_a_refusal_are_removed() {
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
