//! Where a login goes on to: paths of this server, and no others.

use axum::http::Uri;
use model::route::{FUNCTIONS, PageRoute};
use redact::Secret;
use reqwest::Url;

/// Parameter of a login link that a page of ours follows once more.
pub(super) const AGAIN: &str = "again";

/// What the paths of walls begin with that the server knows by name.
const WALLS: &str = "/wall/";

/// The token in the URL of a page for displays and frames, and the same URL without it.
pub(super) fn token_of_kiosk_link(uri: &Uri) -> Option<(Secret, String)> {
    let path = Some(uri.path()).filter(|path| is_kiosk(path))?;
    let with_token = here(uri.path_and_query()?.as_str())?;
    let token = with_token.query_pairs().find(|(name, _)| name == "token").map(|(_, token)| Secret::new(token))?;
    let mut bare = here(path)?;
    bare.query_pairs_mut().extend_pairs(with_token.query_pairs().filter(|(name, _)| name != "token" && name != AGAIN));
    Some((token, local_path(Some(path_and_query(&bare).trim_end_matches('?')), "")?))
}

/// Whether it is the path of a page for displays and frames.
pub(super) fn is_kiosk(path: &str) -> bool {
    PageRoute::at(path).is_some_and(|(route, _)| route.kind.is_without_chrome()) || path.starts_with(WALLS)
}

/// The path of the login, from where it goes on to `next`.
pub(super) fn login_path(next: &str) -> String {
    let Some(mut login) = here("/login") else { return "/login".to_owned() };
    login.query_pairs_mut().append_pair("next", next);
    path_and_query(&login)
}

/// `path` as a URL on this server, joined as a browser would, so that what it would take for another host is seen as one.
pub(super) fn here(path: &str) -> Option<Url> {
    let here = Url::parse("http://here.invalid/").ok()?;
    here.join(path).ok().filter(|joined| joined.origin() == here.origin())
}

/// Path and query of `url`.
pub(super) fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

/// `next` as path and query on this server, or `None` if it leads elsewhere or back to the login.
pub(super) fn local_path(next: Option<&str>, base: &str) -> Option<String> {
    // Whoever names it as browsers see it means the same.
    let next = next.map(|next| next.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(next));
    let next = next.filter(|next| {
        next.starts_with('/') && !next.chars().any(|character| character == '\\' || character.is_control())
    })?;
    let url = here(next)?;
    // Only forms send to the server functions: a GET there is a 405.
    let is_page = !["//", FUNCTIONS].iter().any(|start| url.path().starts_with(start))
        && !["/login", "/logout"].contains(&url.path());
    is_page.then(|| path_and_query(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_gone_on_to() {
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
    fn a_path_may_be_named_as_browsers_see_it() {
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
    fn a_kiosk_link_loses_its_token_alone() {
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
