//! Cache of rendered panel HTML, for the next viewer of the same page.

use std::sync::Arc;

use access::Scope;
use axum::http::Uri;
use model::{frame::Labels, zone::Zone};
use moka::{policy::EvictionPolicy, sync::Cache};

/// Maximum size of the cache, in bytes of keys, versions and HTML.
const MAX_BYTES: u64 = 16 << 20;

/// The last HTML of each panel. A cheap handle.
#[derive(Clone)]
pub struct PanelHtmlCache(Cache<CacheKey, Arc<Picture>>);

struct Picture {
    shown: ContentVersion,
    html: Arc<str>,
}

/// Identifies a panel on a page of a viewer. There is one entry for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CacheKey {
    /// The series and alerts that the viewer may see.
    pub(super) scope: Scope,
    /// Whether the viewer's session is limited to some dashboards, which changes the links.
    pub(super) is_limited: bool,
    /// The page's path with the parameters on which its panels depend: [`panel_url`].
    pub(super) url: String,
    /// The viewer's time zone.
    pub(super) zone: Zone,
    /// The panel's id.
    pub(super) panel: String,
}

/// Parameters of a page on which the HTML of its panels depends: the range, the refresh interval in links, and the rows of tables.
const PANEL_PARAMETERS: [&str; 4] = ["from", "to", "refresh", "rows"];

/// The path of a page with those parameters alone, so that others do not give each viewer entries of their own.
pub(super) fn panel_url(uri: &Uri) -> String {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut url = form_urlencoded::Serializer::for_suffix(format!("{}?", uri.path()), uri.path().len() + 1);
    for name in PANEL_PARAMETERS {
        if let Some((_, value)) = pairs.clone().find(|(candidate, _)| candidate == name) {
            url.append_pair(name, &value);
        }
    }
    url.finish()
}

/// Version of the content of a panel. Equal versions give equal HTML.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContentVersion {
    /// Versions of the results of the panel's queries, or of the list of jobs.
    pub(super) versions: Vec<u64>,
    /// End of the page's charts, in milliseconds since the Unix epoch.
    pub(super) end_ms: Option<i64>,
    /// The annotations of the panel.
    pub(super) marks: Vec<(Labels, Vec<i64>)>,
    /// Seconds since the Unix epoch, if the HTML has ages.
    pub(super) second: Option<i64>,
}

impl Default for PanelHtmlCache {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(weight)
            // The least recently used entries are evicted first.
            .eviction_policy(EvictionPolicy::lru());
        PanelHtmlCache(cache.build())
    }
}

impl PanelHtmlCache {
    /// The HTML of `place`, if it is of the version `shown`.
    pub(super) fn find(&self, place: &CacheKey, shown: &ContentVersion) -> Option<Arc<str>> {
        let picture = self.0.get(place).filter(|picture| picture.shown == *shown)?;
        Some(Arc::clone(&picture.html))
    }

    /// Stores HTML, replacing the previous one of `place`.
    pub(super) fn keep(&self, place: CacheKey, shown: ContentVersion, html: Arc<str>) {
        self.0.insert(place, Arc::new(Picture { shown, html }));
        // moka evicts entries above the capacity only when it runs its pending tasks.
        self.0.run_pending_tasks();
    }
}

fn weight(place: &CacheKey, picture: &Arc<Picture>) -> u32 {
    let ContentVersion { versions, marks, .. } = &picture.shown;
    let of_mark = |(labels, times): &(Labels, Vec<i64>)| {
        let texts: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        size_of_val(labels) + texts + size_of_val(times.as_slice())
    };
    let bytes = size_of::<(CacheKey, Picture)>()
        + place.url.len()
        + place.panel.len()
        + picture.html.len()
        + size_of_val(versions.as_slice())
        + marks.iter().map(of_mark).sum::<usize>();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(panel: &str) -> CacheKey {
        CacheKey { scope: Scope::default(), is_limited: false, url: "/".into(), zone: Zone::UTC, panel: panel.into() }
    }

    fn shown(version: u64) -> ContentVersion {
        ContentVersion { versions: vec![version], end_ms: Some(1), marks: Vec::new(), second: None }
    }

    #[test]
    fn html_is_found_only_for_the_same_place_and_version() {
        let drawn_panels = PanelHtmlCache::default();
        drawn_panels.keep(place("a"), shown(1), "one".into());
        assert_eq!(drawn_panels.find(&place("a"), &shown(1)).as_deref(), Some("one"));
        for other in [
            shown(2),
            ContentVersion { end_ms: None, ..shown(1) },
            ContentVersion { second: Some(1), ..shown(1) },
            ContentVersion { marks: vec![(Labels::new(), vec![1])], ..shown(1) },
        ] {
            assert_eq!(drawn_panels.find(&place("a"), &other), None, "{other:?}");
        }
        for other in [
            place("b"),
            CacheKey { url: "/?from=now-6h&to=now".into(), ..place("a") },
            CacheKey { is_limited: true, ..place("a") },
            CacheKey { zone: Zone::Fixed(60), ..place("a") },
            CacheKey { scope: Scope::parse(r#"daemon="a""#).unwrap(), ..place("a") },
        ] {
            assert_eq!(drawn_panels.find(&other, &shown(1)), None, "{other:?}");
        }
        drawn_panels.keep(place("a"), shown(2), "two".into());
        assert_eq!(drawn_panels.find(&place("a"), &shown(2)).as_deref(), Some("two"));
    }

    #[test]
    fn only_parameters_of_the_panels_make_an_entry() {
        let url = |uri: &str| panel_url(&uri.parse().unwrap());
        assert_eq!(url("/?x=1&to=now&from=now-6h&x=2"), url("/?from=now-6h&to=now"));
        assert_eq!(url("/d/a?from=2026-11-20T12:00&rows=all"), "/d/a?from=2026-11-20T12%3A00&rows=all");
        assert_ne!(url("/d/a"), url("/d/b"));
        assert_ne!(url("/?from=now-1h"), url("/?from=now-6h"));
    }

    #[test]
    fn annotations_count_as_bytes() {
        let marks = vec![(Labels::from([("alertname".into(), "a".repeat(1_000))]), vec![0; 1_000])];
        let of = |marks| {
            weight(&place("a"), &Arc::new(Picture { shown: ContentVersion { marks, ..shown(1) }, html: "".into() }))
        };
        assert!(of(marks) >= of(Vec::new()) + 9_000);
    }

    #[test]
    fn the_least_recently_used_html_is_evicted() {
        let drawn_panels = PanelHtmlCache::default();
        let large: Arc<str> = "x".repeat(2 << 20).into();
        for number in 0_u64..40 {
            drawn_panels.keep(place(&number.to_string()), shown(number), Arc::clone(&large));
            assert!(drawn_panels.find(&place("0"), &shown(0)).is_some(), "what is looked at stays");
            assert!(drawn_panels.0.weighted_size() <= MAX_BYTES);
        }
        assert!(drawn_panels.find(&place("39"), &shown(39)).is_some(), "and the newest");
        drawn_panels.keep(place("40"), shown(40), "x".repeat(16 << 20).into());
        assert_eq!(drawn_panels.find(&place("40"), &shown(40)), None, "larger than all that is kept");
    }
}
