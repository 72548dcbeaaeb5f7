//! Matchers of alerts in Alertmanager's syntax: `severity="critical"`, `{job=~"api|web", "service name"!="dev"}`.

mod classic;
mod utf8;

use std::{fmt, str::FromStr};

use model::label::{is_label_name, name_in_matcher, quoted};
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::alert::Labels;

/// Memory of a matcher besides its text, and per unit of its regular expression's weight.
const OWN_BYTES: usize = 64;
const WEIGHT_BYTES: usize = 64;

/// How a label's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
}

impl Operator {
    /// The operator as text.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Matches => "=~",
            Operator::NotMatches => "!~",
        }
    }

    /// The operator at the start of a text, and the remaining text.
    fn strip(text: &str) -> Option<(Self, &str)> {
        // Longer signs first, because `=~` starts with `=`.
        let signs = [Operator::Matches, Operator::NotEqual, Operator::NotMatches, Operator::Equal];
        signs.into_iter().find_map(|operator| Some((operator, text.strip_prefix(operator.sign())?)))
    }
}

/// A condition on one label. A missing label counts as empty.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// Name of the label.
    pub name: String,
    /// Operator.
    pub operator: Operator,
    /// Value to compare with.
    pub value: String,
    /// Compiled `value` of `=~` and `!~`.
    regex: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.operator, &self.value) == (&other.name, other.operator, &other.value)
    }
}

/// Why a text is not a matcher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongMatcher {
    /// There is no operator where one is expected.
    #[error(
        "{0:?} is not a matcher: write for example severity=\"critical\" or job=~\"api|web\", a name with spaces or signs in quotes"
    )]
    Form(String),
    /// A quote is not closed or not escaped.
    #[error("the value {0:?} has a quote too many: write a quote within a value as \\\"")]
    Quote(String),
    /// The regular expression is invalid.
    #[error("{regex:?} is not a regular expression: {reason}")]
    Regex {
        /// The regular expression.
        regex: String,
        /// What is wrong.
        reason: String,
    },
    /// The regular expressions exceed the limit of memory.
    #[error("the regular expressions are too many or too complex: repeat shorter pieces, or less often")]
    Weight,
    /// The label name is invalid.
    #[error("{0:?} is not a name of a label: it is empty")]
    Name(String),
}

impl Matcher {
    /// A condition. A regular expression must match the whole value.
    ///
    /// # Errors
    ///
    /// The regular expression is invalid.
    pub fn new(name: impl Into<String>, operator: Operator, value: impl Into<String>) -> Result<Self, WrongMatcher> {
        let (name, value) = (name.into(), value.into());
        let regex = match operator {
            Operator::Equal | Operator::NotEqual => None,
            Operator::Matches | Operator::NotMatches => {
                let anchored = labels::go_regex::compile(&format!("^(?:{value})$"));
                Some(anchored.map_err(|error| WrongMatcher::Regex { regex: value.clone(), reason: reason(&error) })?)
            }
        };
        Ok(Matcher { name, operator, value, regex })
    }

    /// Weight of the regular expression by [`labels::go_regex::weight`]; 0 without one.
    fn weight(&self) -> usize {
        if self.regex.is_some() { labels::go_regex::weight(&self.value) } else { 0 }
    }

    /// Approximate size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.name.len() + self.value.len() + OWN_BYTES + self.weight().saturating_mul(WEIGHT_BYTES)
    }

    /// Whether it matches these labels.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.name).map_or("", String::as_str);
        let found = self.regex.as_ref().map_or(value == self.value, |regex| regex.is_match(value));
        matches!(self.operator, Operator::Equal | Operator::Matches) == found
    }
}

/// Collects the matchers of one request, within the limit for compiled regular expressions.
#[derive(Debug, Default)]
pub struct Gathered {
    matchers: Vec<Matcher>,
    weight: usize,
}

impl Gathered {
    /// Adds one.
    ///
    /// # Errors
    ///
    /// The regular expressions exceed the limit.
    pub fn push(&mut self, matcher: Matcher) -> Result<(), WrongMatcher> {
        self.weight = self.weight.saturating_add(matcher.weight());
        if self.weight > labels::go_regex::MOST_WEIGHT {
            return Err(WrongMatcher::Weight);
        }
        self.matchers.push(matcher);
        Ok(())
    }

    /// The collected matchers.
    #[must_use]
    pub fn finish(self) -> Vec<Matcher> {
        self.matchers
    }
}

/// The last line of the library's message, which says what is wrong; the lines before it show the position.
fn reason(error: &regex::Error) -> String {
    let message = error.to_string();
    message.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl fmt::Display for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Matcher { name, operator, value, .. } = self;
        write!(formatter, "{}{}{}", name_in_matcher(name), operator.sign(), quoted(value))
    }
}

impl FromStr for Matcher {
    type Err = WrongMatcher;

    fn from_str(text: &str) -> Result<Self, WrongMatcher> {
        let Matchers(read) = text.parse()?;
        let one: Result<[Matcher; 1], _> = read.try_into();
        one.map(|[matcher]| matcher).map_err(|_| WrongMatcher::Form(text.trim().to_owned()))
    }
}

/// Matchers that must all match.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matchers(pub Vec<Matcher>);

impl Matchers {
    /// Whether all match these labels.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.matches(labels))
    }

    /// Sorts them as in group keys.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by(|one, other| {
            (&one.name, &one.value, one.operator.sign()).cmp(&(&other.name, &other.value, other.operator.sign()))
        });
    }
}

impl fmt::Display for Matchers {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("{")?;
        for (at, matcher) in self.0.iter().enumerate() {
            write!(formatter, "{}{matcher}", if at == 0 { "" } else { "," })?;
        }
        formatter.write_str("}")
    }
}

impl FromStr for Matchers {
    type Err = WrongMatcher;

    /// Parses matchers separated by commas, with or without braces. As in Alertmanager, the classic syntax is tried
    /// first, so that old text keeps its meaning; the UTF-8 syntax parses the rest.
    fn from_str(text: &str) -> Result<Self, WrongMatcher> {
        let read = classic::parse(text).or_else(|error| match error {
            WrongMatcher::Form(_) | WrongMatcher::Quote(_) => utf8::parse(text).map_err(|newer| match newer {
                WrongMatcher::Form(_) => error,
                newer => newer,
            }),
            error => Err(error),
        });
        read.map(Matchers)
    }
}

/// A matcher in the JSON of Alertmanager's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatcherJson {
    /// Name of the label.
    pub name: String,
    /// Value to compare with.
    pub value: String,
    /// Whether the value is a regular expression.
    #[serde(rename = "isRegex", default)]
    pub is_regex: bool,
    /// Whether it must match, rather than not match.
    #[serde(rename = "isEqual", default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

impl From<&Matcher> for MatcherJson {
    fn from(matcher: &Matcher) -> Self {
        MatcherJson {
            name: matcher.name.clone(),
            value: matcher.value.clone(),
            is_regex: matcher.regex.is_some(),
            is_equal: matches!(matcher.operator, Operator::Equal | Operator::Matches),
        }
    }
}

impl TryFrom<MatcherJson> for Matcher {
    type Error = WrongMatcher;

    fn try_from(json: MatcherJson) -> Result<Self, WrongMatcher> {
        if !is_label_name(&json.name) {
            return Err(WrongMatcher::Name(json.name));
        }
        let operator = match (json.is_regex, json.is_equal) {
            (false, true) => Operator::Equal,
            (false, false) => Operator::NotEqual,
            (true, true) => Operator::Matches,
            (true, false) => Operator::NotMatches,
        };
        Matcher::new(json.name, operator, json.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn matchers_are_read_as_alertmanager_reads_them() {
        for (text, shown) in [
            ("a=b", r#"{a="b"}"#),
            (r#"{a="b",c=~"d.*"}"#, r#"{a="b",c=~"d.*"}"#),
            (r#" a != "b,c" , d !~ e|f ,"#, r#"{a!="b,c",d!~"e|f"}"#),
            (r#"a="say \"no\"\n\d""#, r#"{a="say \"no\"\n\\d"}"#),
            ("a=", r#"{a=""}"#),
            ("", "{}"),
            ("{}", "{}"),
            // Only the UTF-8 syntax accepts these.
            (r#"service.name="api""#, r#"{service.name="api"}"#),
            (
                r#"{"service name"=~"a|b", café!=x, a-b=c, 1a=b, a:b="c",}"#,
                r#"{"service name"=~"a|b",café!="x",a-b="c",1a="b",a:b="c"}"#,
            ),
            (r#"a.b="\x41\u00e9\t""#, "{a.b=\"Aé\t\"}"),
            (r#""q\"\\"="=,}""#, r#"{"q\"\\"="=,}"}"#),
        ] {
            let read = text.parse::<Matchers>();
            assert_eq!(read.as_ref().map(ToString::to_string), Ok(shown.to_owned()), "{text}");
            // Silences and group keys are stored in this form.
            assert_eq!(shown.parse::<Matchers>(), read, "{text}");
        }
        for wrong in
            ["a", "=b", "a b=c", r#"a="b"#, r#"a="b"c""#, r#"a=b""#, "a=~[", "a=b,,c=d", "\"\"=b", "{\"a b\"=c"]
        {
            assert!(wrong.parse::<Matchers>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_label_that_is_not_there_is_empty() {
        let holds = |matchers: &str| matchers.parse::<Matchers>().unwrap().matches(&labels(&[("a", "bb")]));
        assert!(holds("a=bb") && holds("a=~b+") && holds("c=") && holds("c!=d") && holds("a!~b") && holds("c=~.*"));
        assert!(!holds("a=~b") && !holds("c!=") && !holds("a=bb,c=d") && !holds("a!~b."));
    }

    #[test]
    fn the_form_of_the_api_reads_back() {
        for text in ["\"a b\"=\"c\"", "a.b=\"c\"", "a=\"b\"", "a!=\"b\"", "a=~\"b\"", "a!~\"b\""] {
            let matcher: Matcher = text.parse().unwrap();
            assert_eq!(Matcher::try_from(MatcherJson::from(&matcher)).unwrap().to_string(), text);
        }
    }
}
