//! Where the page is: the URL as signals, and links that lead on without loading a document again.

use leptos::prelude::*;

use crate::platform;

/// The page's address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Location {
    /// Path, without a query.
    pub(crate) path: RwSignal<String>,
    /// Query, without its question mark.
    pub(crate) query: RwSignal<String>,
}

impl Location {
    /// The address of the document, and from then on the one that links and the browser's history lead to.
    pub(crate) fn open() -> Self {
        let (path, query) = split(&platform::path_and_query());
        Location { path: RwSignal::new(path), query: RwSignal::new(query) }
    }

    /// Follows the browser's history, and takes over the links to the paths of which `has_page` says that this program has the page.
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

    /// Leads to `href`, a path with or without a query, as a link does.
    pub(crate) fn go(self, href: &str, keeps_scroll: bool) {
        if href != platform::path_and_query() {
            platform::push_url(href);
        }
        self.show(href);
        if !keeps_scroll {
            platform::scroll_to_top();
        }
    }

    /// Leads to `href` in place of where the page is: going back skips it.
    pub(crate) fn replace(self, href: &str) {
        platform::replace_url(href);
        self.show(href);
    }

    fn show(self, href: &str) {
        let (path, query) = split(href);
        // The query first: a page that is built for the new path reads it. Effects run after both.
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
