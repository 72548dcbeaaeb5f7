//! Panels as they were drawn last, for the next who looks at the same.

use std::{collections::HashMap, sync::Arc};

use access::Scope;
use model::{frame::Labels, zone::Zone};
use parking_lot::{Mutex, MutexGuard};

/// What the pictures may take, in bytes of HTML and addresses.
const MAX_BYTES: usize = 16 << 20;
/// A picture that nobody asked for so long goes first.
const UNUSED_MS: i64 = 60_000;

/// Pictures of panels, each as it was drawn last. A cheap handle.
#[derive(Clone, Default)]
pub struct PanelHtmlCache(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    pictures: HashMap<CacheKey, Picture>,
    bytes: usize,
}

struct Picture {
    shown: ContentVersion,
    html: Arc<str>,
    used_ms: i64,
}

/// Whose picture of what: there is one for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CacheKey {
    /// What the viewer may see.
    pub(super) scope: Scope,
    /// Path and query of the page: they name the dashboard, the range and the rows of tables.
    pub(super) url: String,
    /// The viewer's zone.
    pub(super) zone: Zone,
    /// The panel's id.
    pub(super) panel: String,
}

impl CacheKey {
    fn bytes(&self) -> usize {
        size_of::<(CacheKey, Picture)>() + self.url.len() + self.panel.len()
    }
}

/// All that a picture shows and that changes: two with the same are the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContentVersion {
    /// Numbers of the results of the panel's queries, or of the newest change of jobs.
    pub(super) versions: Vec<u64>,
    /// Where the charts of the page end, in milliseconds since the Unix epoch.
    pub(super) end_ms: Option<i64>,
    /// When alerts fired that concern the panel.
    pub(super) marks: Vec<(Labels, Vec<i64>)>,
    /// Seconds since the Unix epoch, where the picture has ages.
    pub(super) second: Option<i64>,
}

impl PanelHtmlCache {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock()
    }

    /// The picture of a place, if it shows this.
    pub(super) fn find(&self, place: &CacheKey, shown: &ContentVersion, now_ms: i64) -> Option<Arc<str>> {
        let mut kept = self.lock();
        let picture = kept.pictures.get_mut(place).filter(|picture| picture.shown == *shown)?;
        picture.used_ms = now_ms;
        Some(Arc::clone(&picture.html))
    }

    /// Puts a picture up in place of the one before.
    pub(super) fn keep(&self, place: CacheKey, shown: ContentVersion, html: Arc<str>, now_ms: i64) {
        let added = place.bytes() + html.len();
        if added > MAX_BYTES {
            return;
        }
        let mut kept = self.lock();
        if kept.bytes + added > MAX_BYTES {
            kept.pictures.retain(|_, picture| now_ms.saturating_sub(picture.used_ms) < UNUSED_MS);
            kept.bytes = kept.pictures.iter().map(|(place, picture)| place.bytes() + picture.html.len()).sum();
        }
        if kept.bytes + added > MAX_BYTES {
            kept.pictures.clear();
            kept.bytes = 0;
        }
        kept.bytes += added;
        let bytes = place.bytes();
        if let Some(before) = kept.pictures.insert(place, Picture { shown, html, used_ms: now_ms }) {
            kept.bytes = kept.bytes.saturating_sub(bytes + before.html.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(panel: &str) -> CacheKey {
        CacheKey { scope: Scope::default(), url: "/".into(), zone: Zone::UTC, panel: panel.into() }
    }

    fn shown(version: u64) -> ContentVersion {
        ContentVersion { versions: vec![version], end_ms: Some(1), marks: Vec::new(), second: None }
    }

    #[test]
    fn a_picture_is_there_until_something_else_is_to_be_shown() {
        let drawn_panels = PanelHtmlCache::default();
        drawn_panels.keep(place("a"), shown(1), "one".into(), 0);
        assert_eq!(drawn_panels.find(&place("a"), &shown(1), 1).as_deref(), Some("one"));
        for other in [
            shown(2),
            ContentVersion { end_ms: None, ..shown(1) },
            ContentVersion { second: Some(1), ..shown(1) },
            ContentVersion { marks: vec![(Labels::new(), vec![1])], ..shown(1) },
        ] {
            assert_eq!(drawn_panels.find(&place("a"), &other, 1), None, "{other:?}");
        }
        for other in [
            place("b"),
            CacheKey { url: "/?from=now-6h&to=now".into(), ..place("a") },
            CacheKey { zone: Zone::Fixed(60), ..place("a") },
            CacheKey { scope: Scope::parse(r#"daemon="a""#).unwrap(), ..place("a") },
        ] {
            assert_eq!(drawn_panels.find(&other, &shown(1), 1), None, "{other:?}");
        }
        drawn_panels.keep(place("a"), shown(2), "two".into(), 2);
        assert_eq!(drawn_panels.find(&place("a"), &shown(2), 3).as_deref(), Some("two"));
    }

    #[test]
    fn it_is_never_full_of_what_nobody_looks_at() {
        let drawn_panels = PanelHtmlCache::default();
        let large: Arc<str> = "x".repeat(MAX_BYTES / 8).into();
        for (number, now_ms) in (0_u64..40).zip((0..).step_by(10_000)) {
            drawn_panels.keep(place(&number.to_string()), shown(number), Arc::clone(&large), now_ms);
            drawn_panels.find(&place("0"), &shown(0), now_ms);
            assert!(drawn_panels.lock().bytes <= MAX_BYTES);
        }
        assert!(drawn_panels.find(&place("0"), &shown(0), 400_000).is_some(), "what is looked at stays");
        assert!(drawn_panels.find(&place("39"), &shown(39), 400_000).is_some(), "and the newest");
        drawn_panels.keep(place("40"), shown(40), "x".repeat(MAX_BYTES).into(), 400_000);
        assert_eq!(drawn_panels.find(&place("40"), &shown(40), 400_000), None, "larger than all that is kept");
        let kept = drawn_panels.lock();
        let sum: usize = kept.pictures.iter().map(|(place, picture)| place.bytes() + picture.html.len()).sum();
        assert_eq!(kept.bytes, sum);
    }
}
