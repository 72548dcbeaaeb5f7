//! The context that the panels of a page share.

use chart::plot::TimeSpan;
use leptos::prelude::*;
use model::{
    panel::PanelData,
    route::{PageKind, Reach},
    zone::Zone,
};

/// The time range that a page shows, and the viewer's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Viewport {
    /// Start, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// End, in milliseconds since the Unix epoch. In a live page it moves with the evaluations, not with the clock, so that charts have no empty edge.
    pub end_ms: i64,
    /// Step of the queries, in milliseconds.
    pub step_ms: i64,
    /// The viewer's time zone.
    pub zone: Zone,
}

impl Viewport {
    pub(crate) fn span(&self) -> TimeSpan {
        TimeSpan { start_ms: self.start_ms, end_ms: self.end_ms, step_ms: self.step_ms }
    }

    /// Whether this is `before`, moved to a later time: with the same length and step, and overlapping it.
    pub(crate) fn continues(&self, before: &Viewport) -> bool {
        let length_ms = self.end_ms - self.start_ms;
        let moved_ms = self.start_ms - before.start_ms;
        self.step_ms == before.step_ms
            && length_ms == before.end_ms - before.start_ms
            && (0..=length_ms).contains(&moved_ms)
    }
}

/// The context that the panels of a page share. A page creates one with [`PanelsContext::provide`].
#[derive(Debug, Clone, Copy)]
pub struct PanelsContext {
    /// The time range of charts. A panel that waits for data of a new range shows the previous range until then.
    pub viewport: Signal<Viewport>,
    /// The time from which ages are counted, in milliseconds since the Unix epoch: now, or the time of the last update if updates have stopped.
    pub now_ms: Signal<i64>,
    /// The current time, in milliseconds since the Unix epoch, updated each second.
    pub(super) clock_ms: Signal<i64>,
    /// The time under the pointer, shared by all charts.
    pub hover: RwSignal<Option<i64>>,
    /// Annotations: when related alerts fired, as the data of one query; see [`model::page::Boot::marks`].
    pub marks: RwSignal<PanelData>,
    /// Pages that the viewer can open. Panels have no links to others.
    reach: Reach,
    /// Incremented when the theme changes, so that canvases read their colours again.
    #[cfg_attr(not(feature = "browser"), allow(dead_code))] // the server's SVG uses classes for colours
    pub(super) theme: RwSignal<u32>,
}

/// Context of static panels, which have no interactive parts.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Still;

/// Whether the calling component is part of a static panel. In the browser none is.
pub(super) fn is_still() -> bool {
    #[cfg(feature = "ssr")]
    return use_context::<Still>().is_some();
    #[cfg(not(feature = "ssr"))]
    false
}

fn no_marks() -> RwSignal<PanelData> {
    RwSignal::new(PanelData::Queries(Vec::new()))
}

impl PanelsContext {
    /// Creates the context of a page and provides it to the panels below the caller. `reach` says which pages the viewer can open.
    pub fn provide(viewport: Signal<Viewport>, now_ms: Signal<i64>, reach: Reach) -> Self {
        let context = PanelsContext {
            viewport,
            now_ms,
            clock_ms: now_ms,
            hover: RwSignal::new(None),
            marks: no_marks(),
            reach,
            theme: RwSignal::new(0),
        };
        #[cfg(feature = "browser")]
        super::timeseries::watch_theme(context.theme);
        provide_context(context);
        context
    }

    /// The same context for a panel that shows `viewport`, with ages counted from `now_ms`.
    #[must_use]
    pub fn showing(self, viewport: Signal<Viewport>, now_ms: Signal<i64>) -> Self {
        PanelsContext { viewport, now_ms, ..self }
    }

    /// Whether the viewer may open pages of this kind.
    pub(super) fn opens(self, kind: PageKind) -> bool {
        self.reach.has(kind)
    }

    /// The context of the page that the caller is on.
    pub(super) fn of_page() -> Self {
        use_context().unwrap_or_else(|| PanelsContext {
            viewport: Signal::stored(Viewport::default()),
            now_ms: Signal::stored(0),
            clock_ms: Signal::stored(0),
            hover: RwSignal::new(None),
            marks: no_marks(),
            reach: Reach::All,
            theme: RwSignal::new(0),
        })
    }
}
