//! The pages and their paths: one table for the server's routes, the navigation, the router of the app and walls.

use percent_encoding::percent_decode_str;

/// What the paths of server functions begin with. The macro that makes them takes only literals: a test compares them.
pub const FUNCTIONS: &str = "/do/";

/// UID of the dashboard that shows the alerts where there is no server.
pub const STANDALONE_ALERTS: &str = "hyperscope-alerts";

/// What a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// A dashboard.
    Dashboard,
    /// Dashboards in turn without chrome, sized to the screen.
    Kiosk,
    /// One panel of a dashboard alone, as large as its window or frame.
    Panel,
    /// One job.
    Job,
    /// Alerts, silences, rules, notifications.
    Alerts,
    /// One query and its result.
    Explore,
    /// Session, tokens, server, and what the browser remembers.
    Settings,
    /// The walls: what each shows.
    Walls,
}

/// A program of the bundle. A page loads one; a link to a page of the other one loads a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Dashboards, jobs, walls: small, for every screen.
    Viewer,
    /// Pages to work in.
    Workbench,
}

impl PageKind {
    /// The program that its documents load.
    #[must_use]
    pub const fn program(self) -> Program {
        match self {
            PageKind::Dashboard | PageKind::Kiosk | PageKind::Panel | PageKind::Job => Program::Viewer,
            PageKind::Alerts | PageKind::Explore | PageKind::Settings | PageKind::Walls => Program::Workbench,
        }
    }

    /// Whether a session that is limited to some dashboards has this page.
    #[must_use]
    pub const fn is_for_limited_sessions(self) -> bool {
        matches!(self, PageKind::Dashboard | PageKind::Kiosk | PageKind::Panel | PageKind::Settings)
    }

    /// Whether it is for displays and frames: nothing is around the panels, and nobody scrolls.
    #[must_use]
    pub const fn is_without_chrome(self) -> bool {
        matches!(self, PageKind::Kiosk | PageKind::Panel)
    }

    /// The heading of a page that has no title of its own.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            PageKind::Dashboard | PageKind::Kiosk | PageKind::Panel => "Dashboard",
            PageKind::Job => "Job",
            PageKind::Alerts => "Alerts",
            PageKind::Explore => "Explore",
            PageKind::Settings => "Settings",
            PageKind::Walls => "Walls",
        }
    }
}

/// Which pages a viewer can open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// All.
    #[default]
    All,
    /// Those of a session that is limited to some dashboards.
    Limited,
    /// Those that need no server: what the daemon alone tells.
    Standalone,
}

impl Reach {
    /// Whether it includes pages of this kind.
    #[must_use]
    pub const fn has(self, kind: PageKind) -> bool {
        match self {
            Reach::All => true,
            Reach::Limited => kind.is_for_limited_sessions(),
            Reach::Standalone => {
                matches!(
                    kind,
                    PageKind::Dashboard | PageKind::Kiosk | PageKind::Panel | PageKind::Job | PageKind::Alerts
                )
            }
        }
    }
}

/// A page and its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRoute {
    /// The path as axum writes it: `/jobs/{daemon}/{id}`.
    pub path: &'static str,
    /// What is there.
    pub kind: PageKind,
    /// The dashboard that has this path for itself, by uid.
    pub home_of: Option<&'static str>,
}

/// All pages. Those with a path of their own come in the order of the navigation.
pub const PAGES: [PageRoute; 11] = [
    PageRoute::home("/", "hypersdk-overview"),
    PageRoute::home("/jobs", "hypersdk-jobs"),
    PageRoute::home("/system", "hypersdk-system"),
    PageRoute::new("/d/{uid}", PageKind::Dashboard),
    PageRoute::new("/d/{uid}/{panel}", PageKind::Panel),
    PageRoute::new("/kiosk/{uid}", PageKind::Kiosk),
    PageRoute::new("/jobs/{daemon}/{id}", PageKind::Job),
    PageRoute::new("/alerts", PageKind::Alerts),
    PageRoute::new("/explore", PageKind::Explore),
    PageRoute::new("/settings", PageKind::Settings),
    PageRoute::new("/walls", PageKind::Walls),
];

impl PageRoute {
    const fn new(path: &'static str, kind: PageKind) -> Self {
        PageRoute { path, kind, home_of: None }
    }

    const fn home(path: &'static str, uid: &'static str) -> Self {
        PageRoute { path, kind: PageKind::Dashboard, home_of: Some(uid) }
    }

    /// The route of the page at `path`, and the values of its parameters in their order, decoded.
    #[must_use]
    pub fn at(path: &str) -> Option<(Self, Vec<String>)> {
        let decoded = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
        PAGES.into_iter().find_map(|route| Some((route, route.values_in(path)?.into_iter().map(decoded).collect())))
    }

    /// The only path of a page of `kind`; `/` if it has parameters.
    #[must_use]
    pub fn path_of(kind: PageKind) -> &'static str {
        let mut fixed = PAGES.iter().filter(|route| !route.path.contains('{'));
        fixed.find(|route| route.kind == kind).map_or("/", |route| route.path)
    }

    /// The path of the page of `kind` that has parameters of these values, percent-encoded where they need to be; `/` if there is none.
    #[must_use]
    pub fn path_to(kind: PageKind, values: &[&str]) -> String {
        let mut of_kind = PAGES.iter().filter(|route| route.kind == kind);
        let route = of_kind.find(|route| route.parameters().count() == values.len());
        let mut values = values.iter();
        let segments = route.map_or("/", |route| route.path).split('/').map(|segment| match parameter_in(segment) {
            Some(_) => values.next().copied().unwrap_or_default(),
            None => segment,
        });
        segments.collect::<Vec<_>>().join("/")
    }

    /// The values of its parameters in `path`, percent-encoded as there; `None` if the path is another page's.
    #[must_use]
    pub fn values_in(self, path: &str) -> Option<Vec<&str>> {
        let (mut expected, mut given) = (self.path.split('/'), path.split('/'));
        let mut values = Vec::new();
        loop {
            match (expected.next(), given.next()) {
                (None, None) => return Some(values),
                (Some(segment), Some(value)) if parameter_in(segment).is_some() && !value.is_empty() => {
                    values.push(value)
                }
                (Some(expected), Some(given)) if expected == given => {}
                _ => return None,
            }
        }
    }

    /// The names of its parameters, in their order.
    pub fn parameters(self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(parameter_in)
    }
}

/// The name of the parameter that a segment of a [`PageRoute`]'s path stands for.
#[must_use]
pub fn parameter_in(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_pages() {
        let at = |path| PageRoute::at(path).map(|(route, values)| (route.kind, values));
        let is = |kind, values: &[&str]| Some((kind, values.iter().map(|value| (*value).to_owned()).collect()));
        assert_eq!(at("/jobs"), is(PageKind::Dashboard, &[]));
        assert_eq!(PageRoute::at("/jobs").unwrap().0.home_of, Some("hypersdk-jobs"));
        assert_eq!(at("/d/a%20b"), is(PageKind::Dashboard, &["a b"]));
        assert_eq!(at("/d/a/b"), is(PageKind::Panel, &["a", "b"]));
        assert_eq!(at("/kiosk/hypersdk-jobs,b"), is(PageKind::Kiosk, &["hypersdk-jobs,b"]));
        assert_eq!(at("/jobs/d%2F1/export%252F7"), is(PageKind::Job, &["d/1", "export%2F7"]));
        assert_eq!(at("/settings"), is(PageKind::Settings, &[]));
        for path in ["", "/api/jobs", "/jobs/one", "/d", "/d/", "/jobs//7", "/settings/more", "/alerts/", "/login"] {
            assert_eq!(at(path), None, "{path}");
        }
    }

    #[test]
    fn parameters_have_names() {
        let names = |path| PageRoute::at(path).unwrap().0.parameters().collect::<Vec<_>>();
        assert_eq!(names("/jobs/site/7"), ["daemon", "id"]);
        assert_eq!(names("/kiosk/x"), ["uid"]);
        assert!(names("/").is_empty());
    }

    #[test]
    fn each_kind_has_its_path() {
        assert_eq!(PageRoute::path_of(PageKind::Alerts), "/alerts");
        assert_eq!(PageRoute::path_of(PageKind::Explore), "/explore");
        assert_eq!(PageRoute::path_of(PageKind::Job), "/");
        assert_eq!(PageRoute::path_to(PageKind::Kiosk, &["wall"]), "/kiosk/wall");
        assert_eq!(PageRoute::path_to(PageKind::Dashboard, &["a"]), "/d/a");
        assert_eq!(PageRoute::path_to(PageKind::Job, &["d%2F1", "7"]), "/jobs/d%2F1/7");
        assert_eq!(PageRoute::path_to(PageKind::Alerts, &[]), "/alerts");
        assert_eq!(PageRoute::path_to(PageKind::Job, &["one"]), "/");
    }
}
