//! The parameters of the URL: path, time range and refresh, and links that change one and retain the others.

use leptos::prelude::*;
use model::{
    range::TimeRange,
    route::{PageKind, PageRoute},
};

use super::{Location, Refresh, router::parameter};
use crate::{clock::Clock, panels::FirstRows};

/// The parsed URL of the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageUrl {
    /// Path, without a query.
    pub(crate) path: Memo<String>,
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
        let is_kiosk = |path: &String| PageRoute::at(path).is_some_and(|(route, _)| route.kind == PageKind::Kiosk);
        Signal::derive(move || self.path.with(is_kiosk))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_include_range_and_refresh() {
        assert_eq!(href("/jobs", None, Refresh::Live), "/jobs");
        assert_eq!(
            href("/jobs", Some(TimeRange::last(21_600_000)), Refresh::Every(5)),
            "/jobs?from=now-6h&to=now&refresh=5s"
        );
    }
}
