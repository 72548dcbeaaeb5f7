//! How a request reached this server: below which base path, and whether by HTTPS.
//!
//! Routes and links do not know the base path of a proxy: [`below_base`] removes it before routing, and [`finish`] adds
//! it to responses. So no route and no link can forget it.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{FromRequestParts, OriginalUri, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
        header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
        request::Parts,
        uri::PathAndQuery,
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};

use super::{
    auth::{self, FORM_TOKEN_FIELD, FormToken},
    rewrite::{self, Additions},
};
use crate::config::{Config, Network};

/// Maximum length of a base path from a proxy, in bytes.
const BASE_BYTES: usize = 256;

/// First segments of our own paths: a base path must not start with one of these, because it would be ambiguous.
const OWN_SEGMENTS: [&str; 23] = [
    "-",
    "alerts",
    "api",
    "d",
    "demo",
    "do",
    "explore",
    "federate",
    "fragments",
    "graph",
    "health",
    "jobs",
    "kiosk",
    "login",
    "logout",
    "metrics",
    "ready",
    "render",
    "settings",
    "system",
    "wall",
    "walls",
    "ws",
];

/// How a request reached this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    base: Arc<str>,
    https: bool,
}

impl Reached {
    /// The base path that browsers see, without a trailing slash; empty for the root.
    #[must_use]
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Whether the browser uses HTTPS, to us or to a proxy before us.
    #[must_use]
    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// The value for a request that did not pass [`below_base`].
    pub(crate) fn of(parts: &Parts, is_https: bool) -> Self {
        parts.extensions.get().cloned().unwrap_or(Reached { base: Arc::from(""), https: is_https })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Reached {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Reached::of(parts, false))
    }
}

/// Relevant settings.
#[derive(Debug, Clone)]
struct Settings {
    base: Arc<str>,
    https: bool,
    trusted: Arc<[Network]>,
}

/// Makes `router` available below the path of `public_url`, or below the path that a trusted proxy removed.
pub(crate) fn below_base(router: Router, config: &Config) -> Router {
    let settings = Settings {
        base: config.base_path().into(),
        https: config.is_https(),
        trusted: config.trusted_proxies.clone().into(),
    };
    // The path must be changed before routing.
    Router::new().fallback_service(router).layer(from_fn_with_state(settings, take_off))
}

async fn take_off(State(settings): State<Settings>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let said = auth::proxy_says(&parts, &settings.trusted);
    let by_proxy = said.prefix.filter(|prefix| is_base(prefix));
    // A proxy that reports a removed path has removed it, unless the path visibly still has it.
    let is_taken_off = by_proxy.as_deref().is_some_and(|base| own_segment(base).is_some());
    let base = by_proxy.map_or(settings.base, Arc::from);
    if !is_taken_off && let Some(uri) = without(&parts.uri, &base) {
        parts.uri = uri;
    }
    parts.extensions.insert(OriginalUri(parts.uri.clone()));
    parts.extensions.insert(Reached { base, https: settings.https || said.is_https });
    next.run(Request::from_parts(parts, body)).await
}

/// `uri` without the base path; `None` if it does not have it.
pub(crate) fn without(uri: &Uri, base: &str) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(base).filter(|_| !base.is_empty())?;
    let rest = match rest.chars().next() {
        Some('/') => rest.to_owned(),
        Some('?') | None => format!("/{rest}"),
        Some(_) => return None,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Uri::from_parts(parts).ok()
}

/// Whether `path` is a valid base path: segments of unreserved characters, which all proxies and browsers treat alike.
#[must_use]
pub(crate) fn is_base(path: &str) -> bool {
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    path.len() <= BASE_BYTES && path.strip_prefix('/').is_some_and(|path| path.split('/').all(is_segment))
}

/// The first segment of `base`, if it is one of ours.
#[must_use]
pub(crate) fn own_segment(base: &str) -> Option<&str> {
    base.split('/').nth(1).filter(|segment| OWN_SEGMENTS.contains(segment))
}

/// Adds the base path to the links of a response, and the form token to the forms of pages. Must be inside the
/// compression layer.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Reached { base, .. } = Reached::of(&parts, false);
    // If the browser sends `Sec-Fetch-Site`, forms need no token.
    let needs_token = !parts.headers.contains_key("sec-fetch-site");
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let form_token = response.extensions().get::<FormToken>().cloned().filter(|_| needs_token);
    if base.is_empty() && form_token.is_none() {
        return response;
    }
    if let Some(location) = response.headers().get(LOCATION).and_then(|location| location.to_str().ok())
        && let Ok(location) = HeaderValue::from_str(&rewrite::location(location, &base))
    {
        response.headers_mut().insert(LOCATION, location);
    }
    if is_html(response.headers()) { rewritten(response, &base, form_token.as_ref()).await } else { response }
}

fn is_html(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

async fn rewritten(response: Response, base: &str, form_token: Option<&FormToken>) -> Response {
    let (mut parts, body) = response.into_parts();
    // Pages are completely in memory already.
    let Ok(page) = to_bytes(body, usize::MAX).await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let field = form_token.map(|token| (FORM_TOKEN_FIELD, token.as_str()));
    let page = rewrite::html(&String::from_utf8_lossy(&page), Additions { base, field });
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(page))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_base_is_taken_off_whole_segments() {
        for (uri, base, expected) in [
            ("/scope/jobs?x=/scope", "/scope", Some("/jobs?x=/scope")),
            ("/scope", "/scope", Some("/")),
            ("/scope?x=1", "/scope", Some("/?x=1")),
            ("/scope/", "/scope", Some("/")),
            ("/a/b/jobs", "/a/b", Some("/jobs")),
            ("/scopes", "/scope", None),
            ("/jobs", "/scope", None),
            ("/jobs", "", None),
        ] {
            let rest = without(&uri.parse().unwrap(), base).map(|uri| uri.to_string());
            assert_eq!(rest.as_deref(), expected, "{uri} below {base:?}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_no_base() {
        for base in ["/scope", "/a/b-c.d_e~1"] {
            assert!(is_base(base), "{base}");
        }
        for base in ["", "/", "scope", "//evil.example", "/scope/", "/a//b", "/a/../b", "/a b", "/a\"><b", "/a%2fb"] {
            assert!(!is_base(base), "{base}");
        }
        assert_eq!(own_segment("/api/scope"), Some("api"));
        assert_eq!(own_segment("/scope/api"), None);
    }

    /// The integration tests compare the document's table with the routes.
    #[test]
    fn own_segments_are_those_of_all_routes() {
        let document = include_str!("../../../docs/security.md");
        let section = document.split("\n## Routes\n").nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| ") && line.contains("` | "));
        let segments: BTreeSet<&str> = rows
            .map(|row| row.split('`').nth(1).unwrap().split('/').nth(1).unwrap())
            .filter(|segment| !segment.is_empty())
            .collect();
        assert_eq!(BTreeSet::from(OWN_SEGMENTS), segments);
    }
}
