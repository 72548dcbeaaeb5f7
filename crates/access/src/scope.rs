//! Which series a session may see: those that match the matchers of its token.

use std::{fmt, sync::Arc};

use labels::{MatchOp, Matcher};

use crate::scoped_query::selectors_of;

/// The series that a session may see. Cheap to clone; scopes with equal matchers are equal.
#[derive(Clone, Default)]
pub struct Scope(Option<Arc<Restriction>>);

/// Matchers that each series must match.
struct Restriction {
    /// As given; identifies the scope.
    text: String,
    matchers: Vec<Matcher>,
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Scope {}

impl std::hash::Hash for Scope {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "Scope({{{}}})", self.text())
    }
}

impl Scope {
    /// All series.
    #[must_use]
    pub fn all() -> Self {
        Scope::default()
    }

    /// The series that match `text`: matchers as inside the braces of a selector. Empty for all series.
    ///
    /// # Errors
    ///
    /// The text is not a list of matchers: what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Scope::all());
        }
        // A matcher that matches an empty value may not be the only one in a selector.
        let selector = format!(r#"{{__name__=~".+", {text}}}"#);
        let mut matchers = promql::parse_selector(&selector).map_err(|error| {
            format!("{text:?} is not a list of matchers ({}): write for example provider=\"aws\"", error.message)
        })?;
        matchers.remove(0);
        if matchers.is_empty() {
            return Err(format!("{text:?} holds no matcher: write for example provider=\"aws\""));
        }
        Ok(Scope(Some(Arc::new(Restriction { text: text.to_owned(), matchers }))))
    }

    /// Whether it includes all series.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// The matchers as given; empty for all series.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.as_ref().map_or("", |restriction| &restriction.text)
    }

    pub(crate) fn matchers(&self) -> &[Matcher] {
        self.0.as_ref().map_or(&[], |restriction| &restriction.matchers)
    }

    /// Whether an object other than a series, such as a job or an alert, is in the scope: each label of the scope's
    /// matchers must be known and match. An object with unknown labels is not visible.
    #[must_use]
    pub fn proves<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.matchers()
            .iter()
            .all(|matcher| label(&matcher.name).is_some_and(|value| !value.is_empty() && matcher.matches(value)))
    }

    /// Whether a known label of an object does not match the scope.
    #[must_use]
    pub fn excludes<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.matchers().iter().any(|matcher| label(&matcher.name).is_some_and(|value| !matcher.matches(value)))
    }

    /// Whether a series with these labels is in the scope, by PromQL's rule: a missing label counts as empty.
    #[must_use]
    pub fn has_series<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.matchers().iter().all(|matcher| matcher.matches(label(&matcher.name).unwrap_or_default()))
    }

    /// Whether a query reads no series that could be in the scope: each of its selectors contradicts the scope's
    /// matchers. A query without selectors, or one that cannot be parsed, is foreign too.
    #[must_use]
    pub fn is_foreign(&self, expr: &str) -> bool {
        !self.is_all() && promql::parse(expr).map_or(true, |query| self.is_foreign_to(&selectors_of(&query)))
    }

    /// The same for a parsed query with these [selectors](selectors_of).
    #[must_use]
    pub fn is_foreign_to(&self, selectors: &[Vec<Matcher>]) -> bool {
        !self.is_all() && selectors.iter().all(|matchers| self.contradicts(matchers))
    }

    fn contradicts(&self, selector: &[Matcher]) -> bool {
        let contradict = |one: &Matcher, other: &Matcher| match &one.op {
            MatchOp::Equal(value) => one.name == other.name && !other.matches(value),
            _ => false,
        };
        let pairs = || selector.iter().flat_map(|own| self.matchers().iter().map(move |other| (own, other)));
        pairs().any(|(own, other)| contradict(own, other) || contradict(other, own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_of_a_token_are_matchers_and_nothing_else() {
        for good in [r#"provider="aws""#, r#"a="b",c=~"d|e""#, r#""x.y"="z""#, r#"provider!="gcp""#, "a='b'"] {
            assert_eq!(Scope::parse(good).unwrap().text(), good);
        }
        for wrong in ["provider", "provider=aws", r#"a="b"} or {c="d""#, r#"a="b"} offset 5m"#, ",", r#"a=~"(""#, "{}"]
        {
            assert!(Scope::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Scope::parse(" ").unwrap().is_all());
    }

    #[test]
    fn a_query_is_foreign_if_each_of_its_selectors_contradicts_the_scope() {
        let scope = Scope::parse(r#"provider="aws", team!~"x|y""#).unwrap();
        for foreign in [
            r#"up{provider="gcp"} == 0"#,
            r#"sum(up{provider=~"gcp|azure"}) / sum(up{provider!="aws"})"#,
            r#"up{team="x"}"#,
            "vector(1)",
            "up{",
        ] {
            assert!(scope.is_foreign(foreign), "{foreign}");
        }
        for own in ["up", r#"up{provider="gcp"} or up"#, r#"up{provider=~"aws|gcp"}"#, r#"up{team="z"}"#] {
            assert!(!scope.is_foreign(own), "{own}");
        }
        assert!(!Scope::all().is_foreign("vector(1)"));
    }

    #[test]
    fn what_is_not_known_is_not_proven() {
        let scope = Scope::parse(r#"provider!="gcp""#).unwrap();
        let job = |provider: &'static str| move |name: &str| (name == "provider").then_some(provider);
        assert!(scope.proves(job("aws")));
        assert!(!scope.proves(job("gcp")));
        assert!(!scope.proves(job("")));
        assert!(!scope.proves(|_| None));
        assert!(scope.has_series(|_| None));
        assert!(Scope::all().proves(|_| None));
    }
}
