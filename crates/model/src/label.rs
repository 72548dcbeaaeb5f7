//! Names of labels: which texts are valid, and how to write a name in a matcher.
//!
//! Names are UTF-8, as in Prometheus 3 and Alertmanager 0.27. The store, PromQL, rules, alerts, routes and silences all
//! use these functions, so that they accept the same names.

use std::{borrow::Cow, collections::BTreeMap};

/// Whether `name` is valid for a label or an annotation: any text except the empty one.
#[must_use]
pub fn is_label_name(name: &str) -> bool {
    !name.is_empty()
}

/// Whether a character ends a name without quotes in Alertmanager's syntax of matchers.
#[must_use]
pub fn is_reserved_in_matcher(character: char) -> bool {
    character.is_whitespace() || "{}!=~,\\\"'`".contains(character)
}

/// A label name in a matcher, quoted if necessary.
#[must_use]
pub fn name_in_matcher(name: &str) -> Cow<'_, str> {
    if name.is_empty() || name.contains(is_reserved_in_matcher) { quoted(name).into() } else { name.into() }
}

/// A text in double quotes, as in matchers.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// A PromQL selector of a series: names are quoted if necessary.
#[must_use]
pub fn selector(labels: &BTreeMap<String, String>) -> String {
    let metric = labels.get("__name__").map_or("", String::as_str);
    let bare = if is_word(metric) { metric } else { "" };
    let mut parts = Vec::new();
    if bare.is_empty() && !metric.is_empty() {
        parts.push(quoted(metric));
    }
    for (name, value) in labels.iter().filter(|(name, _)| *name != "__name__") {
        let name = if is_word(name) && !name.contains(':') { name.clone() } else { quoted(name) };
        parts.push(format!("{name}={}", quoted(value)));
    }
    if parts.is_empty() && !bare.is_empty() { bare.to_owned() } else { format!("{bare}{{{}}}", parts.join(", ")) }
}

/// Whether PromQL parses a name without quotes.
fn is_word(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '_' | ':'))
        && name.chars().all(|part| part.is_ascii_alphanumeric() || matches!(part, '_' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_quotes_where_it_needs_them() {
        for plain in ["job", "service.name", "caf\u{e9}", "1st", "a-b", "a:b"] {
            assert_eq!(name_in_matcher(plain), plain);
        }
        assert_eq!(name_in_matcher("a b"), "\"a b\"");
        assert_eq!(name_in_matcher("a\"b\\"), "\"a\\\"b\\\\\"");
        let selected = |pairs: &[(&str, &str)]| {
            selector(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(selected(&[("__name__", "up")]), "up");
        assert_eq!(selected(&[("__name__", "up"), ("a", "b\"")]), "up{a=\"b\\\"\"}");
        assert_eq!(selected(&[("__name__", "a.b"), ("c d", "e")]), "{\"a.b\", \"c d\"=\"e\"}");
        assert_eq!(selected(&[]), "{}");
        assert!(is_label_name("a b") && !is_label_name(""));
    }
}
