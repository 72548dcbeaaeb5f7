//! Regular expressions of matchers. An expression that only lists alternatives is looked up and never compiled:
//! compiling hundreds of alternatives takes longer than most queries.

use std::sync::Arc;

use regex::Regex;

use crate::go_regex;

/// Characters with a special meaning in an expression.
const META: &str = r"\.+*?()[]{}^$";

/// Weight of a list of alternatives: it is not compiled, but the parser compiles a replacement.
const OF_CHOICE: usize = 50;

/// Prefix and suffix of an anchored expression.
const BEGIN: &str = "^(?s:";
const END: &str = ")$";

/// The pattern of a regular expression matcher, anchored at both ends; `.` matches a line feed too. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Choice(Arc<Choice>),
    Expression(Arc<Expression>),
}

#[derive(Debug)]
struct Expression {
    written: String,
    regex: Regex,
}

#[derive(Debug)]
struct Choice {
    /// The anchored expression.
    text: String,
    /// Sorted, without duplicates.
    values: Vec<String>,
}

impl Pattern {
    /// A list of alternatives, if `expression` is one: non-empty texts separated by `|`.
    #[must_use]
    pub fn choice(expression: &str) -> Option<Self> {
        if !is_choice(expression) {
            return None;
        }
        let mut values: Vec<String> = expression.split('|').map(str::to_owned).collect();
        values.sort_unstable();
        values.dedup();
        Some(Pattern(Kind::Choice(Arc::new(Choice { text: anchored(expression), values }))))
    }

    /// Matches any of these texts, which must not be empty but may contain any characters.
    #[must_use]
    pub fn one_of(mut values: Vec<String>) -> Self {
        values.sort_unstable();
        values.dedup();
        let text = anchored(&values.iter().map(|value| regex::escape(value)).collect::<Vec<_>>().join("|"));
        Pattern(Kind::Choice(Arc::new(Choice { text, values })))
    }

    /// Compiles an expression like Prometheus; `None` if it is invalid.
    #[must_use]
    pub fn compile(expression: &str) -> Option<Self> {
        Self::choice(expression).or_else(|| {
            let regex = go_regex::compile_anchored(expression).ok()?;
            Some(Pattern(Kind::Expression(Arc::new(Expression { written: expression.to_owned(), regex }))))
        })
    }

    /// Weight of an expression, before it is compiled: see [`go_regex::weight`].
    #[must_use]
    pub fn weight_of(expression: &str) -> usize {
        if is_choice(expression) { OF_CHOICE } else { go_regex::weight(expression) }
    }

    /// Its weight.
    #[must_use]
    pub fn weight(&self) -> usize {
        match &self.0 {
            Kind::Choice(_) => OF_CHOICE,
            Kind::Expression(expression) => go_regex::weight(&expression.written),
        }
    }

    /// Whether the whole `value` matches.
    #[must_use]
    pub fn is_match(&self, value: &str) -> bool {
        match &self.0 {
            Kind::Choice(choice) => choice.values.binary_search_by(|one| one.as_str().cmp(value)).is_ok(),
            Kind::Expression(expression) => expression.regex.is_match(value),
        }
    }

    /// The anchored expression in the syntax of the crate `regex`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Choice(choice) => &choice.text,
            Kind::Expression(expression) => expression.regex.as_str(),
        }
    }

    /// The expression as written, in Prometheus' syntax.
    #[must_use]
    pub fn written(&self) -> &str {
        match &self.0 {
            Kind::Choice(choice) => {
                let inside = choice.text.strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END));
                inside.unwrap_or(&choice.text)
            }
            Kind::Expression(expression) => &expression.written,
        }
    }

    /// The only values that match, sorted, without duplicates; `None` if unknown. None of them is empty.
    #[must_use]
    pub fn values(&self) -> Option<&[String]> {
        match &self.0 {
            Kind::Choice(choice) => Some(&choice.values),
            Kind::Expression(_) => None,
        }
    }
}

/// Whether an expression is a list of non-empty texts separated by `|`.
fn is_choice(expression: &str) -> bool {
    let is_plain = |text: &str| !text.is_empty() && !text.contains(|c: char| META.contains(c) || c.is_control());
    expression.split('|').all(is_plain)
}

fn anchored(expression: &str) -> String {
    format!("{BEGIN}{expression}{END}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_matches_as_the_expression_does() {
        for expression in ["a", "aws|gcp|azure", "b|a|b", "vm-1|vm 2|\u{e9}", "a/b:c_d|x=y,z", "A|a", "10|1"] {
            let (choice, regex) = (Pattern::choice(expression).unwrap(), Regex::new(&anchored(expression)).unwrap());
            assert_eq!(choice.as_str(), regex.as_str());
            for value in [
                "",
                "a",
                "b",
                "aws",
                "gcp|azure",
                "az",
                "vm-1",
                "vm 2",
                "\u{e9}",
                "a/b:c_d",
                "x=y,z",
                "A",
                "1",
                "10",
                "100",
            ] {
                assert_eq!(choice.is_match(value), regex.is_match(value), "{expression} {value}");
            }
        }
        assert_eq!(Pattern::choice("b|a|b").unwrap().values().unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_says_more_is_compiled() {
        for expression in
            ["", "a|", "|a", "a||b", "a.b", "a*", "(a|b)", "[ab]", "a{2}", "^a", "a$", "a\\.b", "a\nb", "(?i:a)"]
        {
            assert!(Pattern::choice(expression).is_none(), "{expression}");
            assert!(Pattern::compile(expression).unwrap().values().is_none(), "{expression}");
        }
        assert!(Pattern::compile("(").is_none());
    }
}
