//! The page's URL as signals, and navigation by links without loading a document.

use leptos::prelude::*;

use crate::platform;

/// The page's URL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Location {
    /// Path, without a query.
    pub(crate) path: RwSignal<String>,
    /// Query, without its question mark.
    pub(crate) query: RwSignal<String>,
}

impl Location {
    /// The URL of the document. Links and the browser's history change it later.
    pub(crate) fn open() -> Self {
        let (path, query) = split(&platform::path_and_query());
        Location { path: RwSignal::new(path), query: RwSignal::new(query) }
    }

    /// Follows the browser's history, and handles the links to paths for which `has_page` is true.
    pub(crate) fn follow(self, has_page: impl Fn(&str) -> bool + 'static) {
        platform::on_history_moved(move || self.show(&platform::path_and_query()));
        platform::take_links(move |href, keeps_scroll| {
            let known = has_page(&split(href).0);
            if known {
                self.go(href, keeps_scroll);
            }
            known
        });
    }

    /// Navigates to `href`, a path with or without a query, as a link does.
    pub(crate) fn go(self, href: &str, keeps_scroll: bool) {
        if href != platform::path_and_query() {
            platform::push_url(href);
        }
        self.show(href);
        if !keeps_scroll {
            platform::scroll_to_top();
        }
    }

    /// Navigates to `href` and replaces the current history entry.
    pub(crate) fn replace(self, href: &str) {
        platform::replace_url(href);
        self.show(href);
    }

    fn show(self, href: &str) {
        let (path, query) = split(href);
        // The query first, because the page of the new path reads it. Effects run after both.
        if self.query.with_untracked(|shown| *shown != query) {
            self.query.set(query);
        }
        if self.path.with_untracked(|shown| *shown != path) {
            self.path.set(path);
        }
    }
}

fn split(path_and_query: &str) -> (String, String) {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    (path.to_owned(), query.to_owned())
}
