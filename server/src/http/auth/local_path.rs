//! Redirect targets after a login: only paths of this server.

use axum::http::Uri;
use model::route::{FUNCTIONS, PageRoute};
use redact::Secret;
use reqwest::Url;

/// Query parameter of a login link that our own page has requested again.
pub(super) const AGAIN: &str = "again";

/// What the paths of walls begin with that the server knows by name.
const WALLS: &str = "/wall/";

/// The token in the URL of a display or frame, and the same URL without it.
pub(super) fn token_of_kiosk_link(uri: &Uri) -> Option<(Secret, String)> {
    let path = Some(uri.path()).filter(|path| is_kiosk(path))?;
    let with_token = here(uri.path_and_query()?.as_str())?;
    let token = with_token.query_pairs().find(|(name, _)| name == "token").map(|(_, token)| Secret::new(token))?;
    let mut bare = here(path)?;
    bare.query_pairs_mut().extend_pairs(with_token.query_pairs().filter(|(name, _)| name != "token" && name != AGAIN));
    Some((token, local_path(Some(path_and_query(&bare).trim_end_matches('?')), "")?))
}

/// Whether `path` is that of a display or frame.
pub(super) fn is_kiosk(path: &str) -> bool {
    PageRoute::at(path).is_some_and(|(route, _)| route.kind.is_without_chrome()) || path.starts_with(WALLS)
}

/// The path of the login page that redirects to `next` after the login.
pub(super) fn login_path(next: &str) -> String {
    let Some(mut login) = here("/login") else { return "/login".to_owned() };
    login.query_pairs_mut().append_pair("next", next);
    path_and_query(&login)
}

/// `path` as a URL on this server; `None` if a browser would resolve it to another host.
pub(super) fn here(path: &str) -> Option<Url> {
    let here = Url::parse("http://here.invalid/").ok()?;
    here.join(path).ok().filter(|joined| joined.origin() == here.origin())
}

/// Path and query of `url`.
pub(super) fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

/// `next` as path and query on this server; `None` if it leads to another site, to a server function, or back to the login.
pub(super) fn local_path(next: Option<&str>, base: &str) -> Option<String> {
    // The path may include the base path at which browsers reach the server.
    let next = next.map(|next| next.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(next));
    let next = next.filter(|next| {
        next.starts_with('/') && !next.chars().any(|character| character == '\\' || character.is_control())
    })?;
    let url = here(next)?;
    // Server functions accept only POST: a redirect there would give 405.
    let is_page = !["//", FUNCTIONS].iter().any(|start| url.path().starts_with(start))
        && !["/login", "/logout"].contains(&url.path());
    is_page.then(|| path_and_query(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_redirect_targets() {
        for (next, expected) in [
            ("/jobs?from=now-6h", Some("/jobs?from=now-6h")),
            ("/", Some("/")),
            ("/d/a/../b", Some("/d/b")),
            ("//evil.example", None),
            ("/..//evil.example", None),
            ("/.//evil.example", None),
            ("/\\evil.example", None),
            ("/\t/evil.example", None),
            ("https://evil.example/", None),
            ("javascript:alert(1)", None),
            ("jobs", None),
            ("", None),
            ("/login?next=/login", None),
            ("/do/create-token", None),
            ("/logout", None),
        ] {
            assert_eq!(local_path(Some(next), "").as_deref(), expected, "{next:?}");
        }
    }

    #[test]
    fn a_path_may_include_the_base_path() {
        for (next, expected) in [
            ("/scope/jobs", Some("/jobs")),
            ("/jobs", Some("/jobs")),
            ("/scopes", Some("/scopes")),
            ("/scope//evil.example", None),
            ("/scope/login", None),
        ] {
            assert_eq!(local_path(Some(next), "/scope").as_deref(), expected, "{next:?}");
        }
    }

    #[test]
    fn only_the_token_is_removed_from_a_kiosk_link() {
        let link = |uri: &str| {
            token_of_kiosk_link(&uri.parse().unwrap()).map(|(token, rest)| (token.expose().to_owned(), rest))
        };
        assert_eq!(link("/kiosk/a?token=t"), Some(("t".into(), "/kiosk/a".into())));
        assert_eq!(link("/kiosk/a?from=now-1h&token=t%2B&x=1"), Some(("t+".into(), "/kiosk/a?from=now-1h&x=1".into())));
        assert_eq!(link("/kiosk/a?from=now-1h"), None);
        assert_eq!(link("/d/a/p?token=t"), Some(("t".into(), "/d/a/p".into())));
        assert_eq!(link("/wall/hall?token=t"), Some(("t".into(), "/wall/hall".into())));
        assert_eq!(link("/d/a?token=t"), None);
    }
}
