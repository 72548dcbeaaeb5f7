//! Which page a path leads to.

use model::page::DashboardLink;
use percent_encoding::percent_decode_str;

use crate::pages::{DrawnPart, JobAddress};

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// A dashboard, by uid.
    Dashboard(String),
    /// A job.
    Job(JobAddress),
    /// A page that the server draws.
    Drawn(DrawnPart),
    /// No page of the app; the server may have something else there.
    Unknown,
}

impl Route {
    /// The page at `path`, where `dashboards` may have paths of their own.
    pub(crate) fn of(path: &str, dashboards: &[DashboardLink]) -> Self {
        if let Some(link) = dashboards.iter().find(|link| link.path == path) {
            return Route::Dashboard(link.uid.clone());
        }
        let segments: Vec<String> = path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect();
        match segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["d" | "kiosk", uid] => Route::Dashboard(uid.to_owned()),
            ["jobs", daemon, id] => Route::Job(JobAddress { daemon: daemon.to_owned(), id: id.to_owned() }),
            ["alerts"] => Route::Drawn(DrawnPart::Alerts),
            ["explore"] => Route::Drawn(DrawnPart::Explore),
            ["settings"] => Route::Drawn(DrawnPart::Settings),
            _ => Route::Unknown,
        }
    }
}

/// The value of the parameter `name` of a URL's query.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decoded(&value.replace('+', " ")))
}

/// `text` without percent-encoding (RFC 3986, section 2.1).
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_pages() {
        let links = [DashboardLink { uid: "hypersdk-jobs".into(), title: "Jobs".into(), path: "/jobs".into() }];
        let route = |path| Route::of(path, &links);
        assert_eq!(route("/jobs"), Route::Dashboard("hypersdk-jobs".into()));
        assert_eq!(route("/d/a%20b"), Route::Dashboard("a b".into()));
        assert_eq!(route("/kiosk/hypersdk-jobs"), Route::Dashboard("hypersdk-jobs".into()));
        assert_eq!(
            route("/jobs/d%2F1/export-7"),
            Route::Job(JobAddress { daemon: "d/1".into(), id: "export-7".into() })
        );
        assert_eq!(route("/alerts"), Route::Drawn(DrawnPart::Alerts));
        assert_eq!(route("/explore"), Route::Drawn(DrawnPart::Explore));
        assert_eq!(route("/settings"), Route::Drawn(DrawnPart::Settings));
        for path in ["/", "/api/jobs", "/jobs/one", "/d", "/settings/more", "/login"] {
            assert_eq!(route(path), Route::Unknown, "{path}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let query = "from=2026-11-20T12%3A00&to=now&note=a+b&flag";
        assert_eq!(parameter(query, "from").as_deref(), Some("2026-11-20T12:00"));
        assert_eq!(parameter(query, "note").as_deref(), Some("a b"));
        assert_eq!(parameter(query, "flag").as_deref(), Some(""));
        assert_eq!(parameter(query, "rom"), None);
    }
}
