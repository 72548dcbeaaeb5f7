//! Queries within a scope: its matchers are added to each selector before a query is evaluated.
//!
//! Engines only accept a [`ScopedQuery`] or [`ScopedSelectors`], and only a [`Scope`] can create these: no text of a
//! request can bypass it. The matchers are added to the syntax tree, so that no notation of a query can avoid them.

use std::collections::BTreeSet;

use labels::Matcher;
use promql::Query;

use crate::Scope;

/// Selects all series, for a request without selectors.
const ANY_SERIES: &str = r#"{__name__=~".+"}"#;
/// Maximum number of selectors in a request other than a query: each needs its own lookup.
const MOST_SELECTORS: usize = 1_000;

/// A query or a selector that is invalid, or that a token with matchers may not use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScopeError {
    /// What is wrong, where, and how to fix it.
    pub message: String,
}

impl Scope {
    /// The query limited to the scope.
    ///
    /// # Errors
    ///
    /// If the scope is limited: the query cannot be parsed, or it reads series without a selector.
    pub fn query(&self, expr: &str) -> Result<ScopedQuery, ScopeError> {
        let parsed = promql::parse(expr).map_err(|error| bad_data(error.to_string()));
        if self.is_all() {
            // Another engine may support what we cannot parse.
            return Ok(ScopedQuery { scope: self.clone(), text: expr.to_owned(), parsed, bare: None });
        }
        let query = parsed?;
        if query.calls("info") {
            let message = "info() reads series that no selector names: a token with matchers cannot use it";
            return Err(bad_data(message.to_owned()));
        }
        Ok(self.laid_on(query))
    }

    /// Adds the matchers to each selector of the query.
    fn laid_on(&self, bare: Query) -> ScopedQuery {
        let query = bare.with_selectors(|matchers| matchers.extend_from_slice(self.matchers()));
        ScopedQuery { scope: self.clone(), text: query.to_string(), parsed: Ok(query), bare: Some(bare) }
    }

    /// Selectors of the parameter `match[]`, limited to the scope. Without selectors, all series of the scope.
    ///
    /// # Errors
    ///
    /// One of them is not a selector, or there are too many.
    pub fn selectors<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Result<ScopedSelectors, ScopeError> {
        let wrong = |error: promql::ParseError| {
            if error.message.ends_with("must contain at least one non-empty matcher") {
                return bad_data("match[] must contain at least one non-empty matcher".to_owned());
            }
            bad_data(format!("invalid parameter \"match[]\": {error}"))
        };
        let mut scoped = ScopedSelectors { texts: Vec::new(), matchers: Vec::new() };
        let mut weight = 0_usize;
        for text in texts {
            check_count(scoped.texts.len() + 1)?;
            let mut matchers = promql::parse_selector(text).map_err(wrong)?;
            weight = matchers.iter().map(Matcher::weight).fold(weight, usize::saturating_add);
            if weight > labels::go_regex::MOST_WEIGHT {
                let message =
                    "the regular expressions of all match[] together are too complex: ask for fewer at a time";
                return Err(bad_data(message.to_owned()));
            }
            matchers.extend_from_slice(self.matchers());
            scoped.matchers.push(matchers);
            scoped.texts.push(if self.is_all() { text.to_owned() } else { self.query(text)?.text });
        }
        if scoped.texts.is_empty() {
            scoped.matchers.push(self.matchers().to_vec());
            if !self.is_all() {
                scoped.texts.push(self.query(ANY_SERIES)?.text);
            }
        }
        Ok(scoped)
    }
}

/// The matchers of each selector of a query.
pub fn selectors_of(query: &Query) -> Vec<Vec<Matcher>> {
    let bounds = query.selectors(0, 0, 1, &promql::Options::default());
    bounds.into_iter().map(|bounds| bounds.matchers).collect()
}

/// The same without duplicates.
///
/// # Errors
///
/// There are too many.
pub fn distinct_selectors_of(query: &Query) -> Result<Vec<Vec<Matcher>>, ScopeError> {
    let mut seen = BTreeSet::new();
    let mut selectors = selectors_of(query);
    selectors.retain(|matchers| seen.insert(format!("{matchers:?}")));
    check_count(selectors.len())?;
    Ok(selectors)
}

fn check_count(selectors: usize) -> Result<(), ScopeError> {
    if selectors <= MOST_SELECTORS {
        return Ok(());
    }
    Err(bad_data(format!("a request has at most {MOST_SELECTORS} selectors: ask for fewer at a time")))
}

fn bad_data(message: String) -> ScopeError {
    ScopeError { message }
}

/// A query with a scope's matchers in each selector.
#[derive(Debug, Clone)]
pub struct ScopedQuery {
    scope: Scope,
    text: String,
    parsed: Result<Query, ScopeError>,
    /// The query without the scope's matchers.
    bare: Option<Query>,
}

impl ScopedQuery {
    /// The scope of its matchers.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The text to send to a remote engine.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The query with its selectors changed by `change`, and the scope's matchers added afterwards; `None` if nothing
    /// changes. `change` does not see the matchers, so that it cannot remove them.
    pub fn renamed(&self, change: impl FnOnce(&Query) -> Option<Query>) -> Option<Self> {
        let bare = change(self.bare.as_ref().or(self.parsed.as_ref().ok())?)?;
        Some(self.scope.laid_on(bare))
    }

    /// Whether it lacks the modifier for whole counts over a window that `written` has.
    #[must_use]
    pub fn estimates(&self, written: &ScopedQuery) -> bool {
        let is_anchored = |query: &ScopedQuery| query.parsed().is_ok_and(Query::is_anchored);
        is_anchored(written) && !is_anchored(self)
    }

    /// The parsed query for our engine.
    ///
    /// # Errors
    ///
    /// We cannot parse the text as PromQL.
    pub fn parsed(&self) -> Result<&Query, ScopeError> {
        self.parsed.as_ref().map_err(Clone::clone)
    }
}

/// Selectors with a scope's matchers in each.
#[derive(Debug, Clone)]
pub struct ScopedSelectors {
    texts: Vec<String>,
    matchers: Vec<Vec<Matcher>>,
}

impl ScopedSelectors {
    /// Values of `match[]` to send to a remote engine; empty for all series.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Matchers for our store; a series is selected if it matches all matchers of one of these. Never empty.
    #[must_use]
    pub fn matchers(&self) -> &[Vec<Matcher>] {
        &self.matchers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scoped(expr: &str) -> String {
        Scope::parse(r#"provider="aws""#).unwrap().query(expr).unwrap().text().to_owned()
    }

    #[test]
    fn every_selector_of_a_query_gets_the_matchers() {
        for (written, sent) in [
            ("up", r#"up{provider="aws"}"#),
            ("a or b", r#"a{provider="aws"} or b{provider="aws"}"#),
            (r#"{__name__=~".+"}"#, r#"{__name__=~".+", provider="aws"}"#),
            (r#"a{provider="gcp"}"#, r#"a{provider="gcp", provider="aws"}"#),
            (r#"a{provider!="aws"}"#, r#"a{provider!="aws", provider="aws"}"#),
            ("rate(a[5m] @ 0 offset 1d)", r#"rate(a{provider="aws"}[5m] @ 0 offset 1d)"#),
            ("max_over_time(sum(a)[1h:1m] @ end())", r#"max_over_time(sum(a{provider="aws"})[1h:1m] @ end())"#),
            ("topk(scalar(count(a)), b)", r#"topk(scalar(count(a{provider="aws"})), b{provider="aws"})"#),
            (
                r#"label_replace(a, "provider", "aws", "", "")"#,
                r#"label_replace(a{provider="aws"}, "provider", "aws", "", "")"#,
            ),
            (r#"{"a.b"} # }"#, r#"{__name__="a.b", provider="aws"}"#),
            (r#"{"a.b", "c d"="e"}"#, r#"{__name__="a.b", "c d"="e", provider="aws"}"#),
            ("-a ^ (b unless on (x) c)", r#"-a{provider="aws"} ^ (b{provider="aws"} unless on (x) c{provider="aws"})"#),
            (
                "absent(a) + absent_over_time(a[1m])",
                r#"absent(a{provider="aws"}) + absent_over_time(a{provider="aws"}[1m])"#,
            ),
            ("1 + time()", "1 + time()"),
        ] {
            assert_eq!(scoped(written), sent, "{written}");
        }
    }

    #[test]
    fn what_is_sent_reads_back_with_the_matchers_on_each_selector() {
        let scope = Scope::parse(r#"provider="a\"b", "the.zone"=~"eu|us""#).unwrap();
        for expr in ["a or b{x=~\"}|{\"}", "sum by (a) (rate({\"x y\"}[5m:1m])) / on () group_left () c @ start()"] {
            let sent = scope.query(expr).unwrap();
            let selectors = promql::parse(sent.text()).unwrap().selectors(0, 0, 1, &promql::Options::default());
            assert_eq!(selectors.len(), 2, "{expr}");
            for selector in selectors {
                let text: Vec<String> = selector.matchers.iter().map(|matcher| format!("{matcher:?}")).collect();
                assert!(text.iter().any(|one| one.contains(r#"Equal("a\"b")"#)), "{text:?}");
                assert!(text.iter().any(|one| one.contains("the.zone")), "{text:?}");
            }
        }
    }

    #[test]
    fn what_reads_series_unseen_or_cannot_be_read_is_refused() {
        let scope = Scope::parse(r#"provider="aws""#).unwrap();
        for expr in ["info(up)", "sum(info(up, {a=\"b\"}))", "sum(", "a{x=\"1\" or y=\"2\"}", "up[5m", ""] {
            assert!(scope.query(expr).is_err(), "{expr}");
        }
        assert!(Scope::all().query("WITH (x = y) x").is_ok());
        for selector in ["up or down", "up offset 5m", "sum(up)", "up}", ""] {
            assert!(scope.selectors([selector]).is_err(), "{selector}");
        }
    }

    #[test]
    fn a_request_without_a_selector_sees_the_scope_and_no_more() {
        let scope = Scope::parse(r#"provider!="gcp""#).unwrap();
        let selectors = scope.selectors([]).unwrap();
        assert_eq!(selectors.texts(), [r#"{__name__=~".+", provider!="gcp"}"#]);
        assert_eq!(selectors.matchers().len(), 1);
        let all = Scope::all().selectors([]).unwrap();
        assert!(all.texts().is_empty());
        assert!(all.matchers().len() == 1 && all.matchers().iter().all(Vec::is_empty));
    }

    #[test]
    fn a_request_has_so_many_selectors() {
        let selectors = |count: usize| Scope::all().selectors(std::iter::repeat_n("up", count));
        assert_eq!(selectors(MOST_SELECTORS).unwrap().matchers().len(), MOST_SELECTORS);
        let refused = selectors(MOST_SELECTORS + 1).unwrap_err();
        assert!(refused.message.contains("at most 1000 selectors"), "{refused}");

        let query = |names: &[String]| promql::parse(&names.join(" or ")).unwrap();
        let same = query(&vec!["up{a=\"b\"}".to_owned(); MOST_SELECTORS + 1]);
        assert_eq!(distinct_selectors_of(&same).unwrap().len(), 1);
        let other = query(&["up{a=~\"b|c\"}", "up{a=~\"b|d\"}", "up{a!~\"b|c\"}", "up"].map(str::to_owned));
        assert_eq!(distinct_selectors_of(&other).unwrap().len(), 4);
        let many: Vec<String> = (0..=MOST_SELECTORS).map(|number| format!("m{number}")).collect();
        assert!(distinct_selectors_of(&query(&many)).is_err());
    }
}
