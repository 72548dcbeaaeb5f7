//! What the URL says about the page: path, time range and refresh, and links that keep the rest of it.

use leptos::prelude::*;
use model::{
    range::TimeRange,
    route::{PageKind, PageRoute},
};

use super::{Location, Refresh, router::parameter};
use crate::{clock::Clock, panels::FirstRows};

/// The page's URL in our words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageUrl {
    /// Path, without a query.
    pub(crate) path: Memo<String>,
    /// The time range shown.
    pub(crate) range: Memo<TimeRange>,
    /// Whether the URL names its range, or shows the default one.
    named: Memo<bool>,
    /// Why the range in the URL is not the one that is shown.
    pub(crate) range_error: Memo<Option<String>>,
    /// How the page renews itself.
    pub(crate) refresh: Memo<Refresh>,
    /// Whether the document was asked to bring every row of a long table.
    all_rows: bool,
}

/// Rows of a document that was asked for all of them.
const ALL_ROWS: usize = 2_000;
/// Rows on a wall, where a panel may be as tall as the screen.
const KIOSK_ROWS: usize = 50;

impl PageUrl {
    /// Follows `location`.
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

    /// Set on pages without chrome.
    pub(crate) fn kiosk(self) -> Signal<bool> {
        let is_kiosk = |path: &String| PageRoute::at(path).is_some_and(|(route, _)| route.kind == PageKind::Kiosk);
        Signal::derive(move || self.path.with(is_kiosk))
    }

    /// The rows that the document brings of a long table. A wall is taller than a desk, and has no one to wait for it.
    pub(crate) fn first_rows(self) -> FirstRows {
        let count = match (self.all_rows, self.kiosk().get_untracked()) {
            (true, _) => ALL_ROWS,
            (false, true) => KIOSK_ROWS,
            (false, false) => FirstRows::default().count,
        };
        FirstRows { count, all_href: self.link_with("rows=all") }
    }

    /// A link to `path` that keeps range and refresh.
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

    /// A link to this page as it is now, with another parameter.
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
    fn links_carry_what_is_chosen() {
        assert_eq!(href("/jobs", None, Refresh::Live), "/jobs");
        assert_eq!(
            href("/jobs", Some(TimeRange::last(21_600_000)), Refresh::Every(5)),
            "/jobs?from=now-6h&to=now&refresh=5s"
        );
    }
}
