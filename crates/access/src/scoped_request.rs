//! A request of the HTTP API to a remote engine: unchanged, or limited to a scope.

use crate::{Scope, ScopeError, ScopedQuery};

/// The parameter that selects the engine; it is ours and not sent.
pub const ENGINE: &str = "engine";
/// Parameters that select no series, so that they may always be sent.
const HARMLESS: [&str; 8] = ["time", "start", "end", "step", "timeout", "limit", "stats", "lookback_delta"];

/// Which parameters of a request select the series that it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The parameter `query`.
    Query,
    /// The parameters `match[]`.
    Selectors,
    /// None: it reads no series, or the response is filtered afterwards.
    Nothing,
}

/// A request that reads no series outside a scope. Only a [`Scope`] can create one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedRequest {
    path: String,
    pairs: Vec<(String, String)>,
    remark: Option<&'static str>,
}

impl ScopedRequest {
    /// The path below `/api/v1/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Replaces the query by another one with a scope's matchers.
    #[must_use]
    pub fn asking(mut self, query: &ScopedQuery, remark: Option<&'static str>) -> Self {
        self.pairs.retain(|(name, _)| name != "query");
        self.pairs.push(("query".to_owned(), query.text().to_owned()));
        self.remark = remark;
        self
    }

    /// A remark for the response.
    #[must_use]
    pub fn remark(&self) -> Option<&'static str> {
        self.remark
    }

    /// The parameters.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }
}

impl Scope {
    /// The request for `path` below `/api/v1/`, limited to the scope. For a scope of all series it is passed on
    /// unchanged; otherwise it only contains known parameters, so that no parameter specific to an engine can bypass
    /// the matchers.
    ///
    /// # Errors
    ///
    /// The query or a selector cannot be parsed.
    pub fn request(
        &self,
        path: impl Into<String>,
        reads: Reads,
        params: &[(String, String)],
    ) -> Result<ScopedRequest, ScopeError> {
        let path = path.into();
        if self.is_all() {
            let pairs = params.iter().filter(|(name, _)| name != ENGINE).cloned().collect();
            return Ok(ScopedRequest { path, pairs, remark: None });
        }
        let harmless = params.iter().filter(|(name, _)| HARMLESS.contains(&name.as_str()));
        let mut pairs: Vec<(String, String)> = harmless.cloned().collect();
        match reads {
            Reads::Query => {
                let query =
                    self.query(params.iter().find(|(name, _)| name == "query").map_or("", |(_, query)| query))?;
                pairs.push(("query".to_owned(), query.text().to_owned()));
            }
            Reads::Selectors => {
                let selectors =
                    self.selectors(params.iter().filter(|(name, _)| name == "match[]").map(|(_, text)| text.as_str()))?;
                pairs.extend(selectors.texts().iter().map(|text| ("match[]".to_owned(), text.clone())));
            }
            Reads::Nothing => pairs.extend(params.iter().filter(|(name, _)| name == "metric").cloned()),
        }
        Ok(ScopedRequest { path, pairs, remark: None })
    }
}
