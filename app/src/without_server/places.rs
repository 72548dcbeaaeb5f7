//! URLs of the bundle's files, and candidates for the daemon's URL.

use leptos::prelude::{document, window};

/// Path below which daemons serve the bundle.
const OF_DAEMONS: &str = "web/dashboard/";

/// Attribute of the document's root with the file name of the worker's script.
const WORKER: &str = "data-worker";
/// Attribute with the name of the file with dashboards and rules.
const SITE: &str = "data-site";
/// Attribute with the daemon's URL, relative to the page, if it is not one of [`candidates`].
const DAEMON: &str = "data-daemon";
/// Attribute that is present if samples are kept over a reload.
const KEEPS_HISTORY: &str = "data-keeps-history";

/// URL of the worker's script.
pub(super) fn worker_script() -> Option<String> {
    file(WORKER)
}

/// URL of `site.json`.
pub(super) fn site() -> Option<String> {
    file(SITE)
}

/// Candidates for the daemon's URL, the most likely first.
pub(super) fn daemons() -> Vec<String> {
    if let Some(daemon) = attribute(DAEMON) {
        return resolved(&daemon).into_iter().collect();
    }
    candidates(&folder())
}

/// Whether samples are kept over a reload.
pub(super) fn keeps_history() -> bool {
    attribute(KEEPS_HISTORY).is_some()
}

fn file(name: &str) -> Option<String> {
    resolved(&attribute(name)?)
}

fn attribute(name: &str) -> Option<String> {
    document().document_element()?.get_attribute(name)
}

fn resolved(address: &str) -> Option<String> {
    web_sys::Url::new_with_base(address, &folder()).ok().map(|url| url.href())
}

/// URL of the page's folder, with a trailing slash.
fn folder() -> String {
    let location = window().location();
    let path = location.pathname().unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{}{folder}/", location.origin().unwrap_or_default())
}

/// The daemon is above the bundle's path, in the folder of the bundle, or at the root of the host.
fn candidates(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(folder.strip_suffix(OF_DAEMONS).map(str::to_owned));
    found.push(folder.to_owned());
    let root = folder.split('/').take(3).collect::<Vec<_>>().join("/");
    found.push(format!("{root}/"));
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::candidates;

    #[test]
    fn a_daemon_is_looked_for_above_the_bundle_and_beside_it() {
        assert_eq!(
            candidates("http://h:8080/web/dashboard/"),
            ["http://h:8080/", "http://h:8080/web/dashboard/", "http://h:8080/"]
        );
        assert_eq!(
            candidates("https://h/site/a/web/dashboard/"),
            ["https://h/site/a/", "https://h/site/a/web/dashboard/", "https://h/"]
        );
        assert_eq!(candidates("http://h/"), ["http://h/"]);
    }
}
