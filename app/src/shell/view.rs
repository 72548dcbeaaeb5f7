//! The parameters of the URL: path, time range and refresh, and links that change one and retain the others.

use leptos::prelude::*;
use model::{page::Boot, playlist::Playlist, range::TimeRange, route::PageRoute};

use super::{Location, Refresh, router::parameter};
use crate::{clock::Clock, panels::FirstRows};

/// The parsed URL of the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageUrl {
    /// Path, without a query.
    pub(crate) path: Memo<String>,
    query: RwSignal<String>,
    /// The time range shown.
    pub(crate) range: Memo<TimeRange>,
    /// Whether the URL has a range. If not, the page shows the default range.
    named: Memo<bool>,
    /// Why the range in the URL is invalid. The page then shows the default range.
    pub(crate) range_error: Memo<Option<String>>,
    /// The refresh of the page.
    pub(crate) refresh: Memo<Refresh>,
    /// Whether the URL requests all rows of a long table.
    all_rows: bool,
}

/// Most rows of a document if all are requested.
const ALL_ROWS: usize = 2_000;
/// Rows of a document for a kiosk display, where a panel may be as tall as the screen.
const KIOSK_ROWS: usize = 50;

impl PageUrl {
    /// The parameters of `location`, which change with it.
    pub(crate) fn follow(location: Location, clock: Clock) -> Self {
        let query = location.query;
        let parsed = Memo::new(move |_| {
            query.with(|query| {
                let (from, to) = (parameter(query, "from"), parameter(query, "to"));
                TimeRange::parse(from.as_deref(), to.as_deref(), clock.now_ms.get_untracked())
                    .map_err(|error| error.to_string())
            })
        });
        PageUrl {
            path: Memo::new(move |_| location.path.get()),
            query,
            range: Memo::new(move |_| parsed.get().unwrap_or_default()),
            named: Memo::new(move |_| {
                query.with(|query| parameter(query, "from").or(parameter(query, "to")).is_some())
            }),
            range_error: Memo::new(move |_| parsed.get().err()),
            refresh: Memo::new(move |_| query.with(|query| Refresh::parse(parameter(query, "refresh").as_deref()))),
            all_rows: query.with_untracked(|query| parameter(query, "rows").as_deref() == Some("all")),
        }
    }

    /// True on the pages of the kiosk form, without navigation and top bar.
    pub(crate) fn kiosk(self) -> Signal<bool> {
        let is_kiosk = |path: &String| PageRoute::at(path).is_some_and(|(route, _)| route.kind.is_without_chrome());
        Signal::derive(move || self.path.with(is_kiosk))
    }

    /// A parameter of the address as it is now.
    pub(crate) fn parameter(self, name: &str) -> Option<String> {
        self.query.with_untracked(|query| parameter(query, name))
    }

    /// The dashboards that a wall shows in turn whose path says `names`.
    pub(crate) fn playlist(self, names: &str, boot: &Boot) -> Playlist {
        let is_known = |uid: &str| boot.dashboards.iter().any(|link| link.uid == uid);
        Playlist::read(names, |name| self.parameter(name), is_known)
    }

    /// Path and query of this page as they are now, without a parameter.
    pub(crate) fn without_parameter(self, name: &str) -> String {
        let query = self.query.with_untracked(|query| pairs_but(query, name).join("&"));
        let path = self.path.get_untracked();
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// A link to this page with all that its address says now, and `value` for a parameter.
    pub(crate) fn with_parameter(self, name: &str, value: &str) -> String {
        let query = self.query.with_untracked(|query| with_parameter(query, name, value));
        format!("{}?{query}", self.path.get_untracked())
    }

    /// The rows of a long table in the document.
    pub(crate) fn first_rows(self) -> FirstRows {
        let count = match (self.all_rows, self.kiosk().get_untracked()) {
            (true, _) => ALL_ROWS,
            (false, true) => KIOSK_ROWS,
            (false, false) => FirstRows::default().count,
        };
        FirstRows { count, all_href: self.link_with("rows=all") }
    }

    /// A link to `path` with the same range and refresh.
    pub(crate) fn link_to(self, path: &str) -> String {
        href(path, self.named_range(), self.refresh.get())
    }

    /// A link to this page with another range.
    pub(crate) fn link_with_range(self, range: TimeRange) -> String {
        self.path.with(|path| href(path, Some(range), self.refresh.get()))
    }

    /// A link to this page with another refresh.
    pub(crate) fn link_with_refresh(self, refresh: Refresh) -> String {
        self.path.with(|path| href(path, self.named_range(), refresh))
    }

    /// A link to this page with an additional parameter.
    pub(crate) fn link_with(self, parameter: &str) -> String {
        let href = untrack(|| self.link_to(&self.path.get()));
        let separator = if href.contains('?') { '&' } else { '?' };
        format!("{href}{separator}{parameter}")
    }

    fn named_range(self) -> Option<TimeRange> {
        self.named.get().then(|| self.range.get())
    }
}

/// `path` with a range and a refresh. Nothing in it needs escaping: times and durations are letters, digits and `-`.
fn href(path: &str, range: Option<TimeRange>, refresh: Refresh) -> String {
    let mut parameters = Vec::new();
    if let Some(TimeRange { from, to }) = range {
        parameters.push(format!("from={from}"));
        parameters.push(format!("to={to}"));
    }
    parameters.extend(refresh.parameter().map(|value| format!("refresh={value}")));
    if parameters.is_empty() { path.to_owned() } else { format!("{path}?{}", parameters.join("&")) }
}

/// A query with `value` for a parameter, in place of the one that it has.
pub(crate) fn with_parameter(query: &str, name: &str, value: &str) -> String {
    let mut pairs = pairs_but(query, name);
    let pair = format!("{name}={value}");
    pairs.push(&pair);
    pairs.join("&")
}

/// The pairs of a query but those of a parameter.
fn pairs_but<'a>(query: &'a str, name: &str) -> Vec<&'a str> {
    query.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_replaced_and_the_others_stay() {
        assert_eq!(with_parameter("", "at", "1"), "at=1");
        assert_eq!(with_parameter("interval=30s&at=0&attic=2&x", "at", "1"), "interval=30s&attic=2&x&at=1");
    }

    #[test]
    fn links_include_range_and_refresh() {
        assert_eq!(href("/jobs", None, Refresh::Live), "/jobs");
        assert_eq!(
            href("/jobs", Some(TimeRange::last(21_600_000)), Refresh::Every(5)),
            "/jobs?from=now-6h&to=now&refresh=5s"
        );
    }
}
