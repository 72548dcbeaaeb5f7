//! A request of the HTTP API for an engine elsewhere: as it came, or with a scope's matchers on all that it reads.

use crate::{Scope, ScopeError, ScopedQuery};

/// Names the engine that answers; ours, and not passed on.
pub const ENGINE: &str = "engine";
/// Parameters that choose no series, and that an engine may get from anyone.
const HARMLESS: [&str; 8] = ["time", "start", "end", "step", "timeout", "limit", "stats", "lookback_delta"];

/// What of a request chooses the series that it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The parameter `query`.
    Query,
    /// The parameters `match[]`.
    Selectors,
    /// Nothing: it reads no series, or what it reads is looked through afterwards.
    Nothing,
}

/// A request that reads no more than a scope has. Only a [`Scope`] makes one.
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

    /// The request with another query, which has a scope's matchers as well.
    #[must_use]
    pub fn asking(mut self, query: &ScopedQuery, remark: Option<&'static str>) -> Self {
        self.pairs.retain(|(name, _)| name != "query");
        self.pairs.push(("query".to_owned(), query.text().to_owned()));
        self.remark = remark;
        self
    }

    /// What there is to say of its answer.
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
    /// The request for `path` below `/api/v1/` that sees only what the scope has. Whoever sees everything has it passed on as it
    /// came; for others it is put together of the parameters that we know, so that none of an engine's own gets around the matchers.
    ///
    /// # Errors
    /// The query or a selector cannot be read.
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
