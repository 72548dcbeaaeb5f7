//! What the panels of a page share.

use chart::plot::TimeSpan;
use leptos::prelude::*;
use model::{
    panel::PanelData,
    route::{PageKind, Reach},
    zone::Zone,
};

/// The part of time that a page shows, and the viewer's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Viewport {
    /// Earlier end, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Later end. In a live page it moves with the evaluations, not with the clock, so that charts do not have an empty edge.
    pub end_ms: i64,
    /// Time between the points of a query without gaps.
    pub step_ms: i64,
    /// The viewer's zone.
    pub zone: Zone,
}

impl Viewport {
    pub(crate) fn span(&self) -> TimeSpan {
        TimeSpan { start_ms: self.start_ms, end_ms: self.end_ms, step_ms: self.step_ms }
    }

    /// Whether this is `before` moved on: the same length and step, and part of what was shown is still shown.
    pub(crate) fn continues(&self, before: &Viewport) -> bool {
        let length_ms = self.end_ms - self.start_ms;
        let moved_ms = self.start_ms - before.start_ms;
        self.step_ms == before.step_ms
            && length_ms == before.end_ms - before.start_ms
            && (0..=length_ms).contains(&moved_ms)
    }
}

/// What the panels of a page share. A page makes one with [`PanelsContext::provide`].
#[derive(Debug, Clone, Copy)]
pub struct PanelsContext {
    /// What charts show of time. A panel that waits for the data of another range still shows the one before.
    pub viewport: Signal<Viewport>,
    /// The time that ages count to, in milliseconds since the Unix epoch: now, or that of the newest news where there are no more.
    pub now_ms: Signal<i64>,
    /// The time now, in milliseconds since the Unix epoch, moving on each second.
    pub(super) clock_ms: Signal<i64>,
    /// The time under the pointer, on whichever chart it is.
    pub hover: RwSignal<Option<i64>>,
    /// When alerts fired that concern the panels: as the data of one query, see [`model::page::Boot::marks`].
    pub marks: RwSignal<PanelData>,
    /// Which pages the viewer can open: panels have no links to others.
    reach: Reach,
    /// Counts changes of the theme: colours on a canvas have to be read again.
    #[cfg_attr(not(feature = "browser"), allow(dead_code))] // the server's pictures name their colours
    pub(super) theme: RwSignal<u32>,
}

/// Provided around panels that nobody follows: what they have is read, and nothing of it can be worked.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Still;

/// Whether the calling component is part of a panel that stands still. In the browser none is.
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
    /// Makes the context of a page and provides it to the panels below the caller. `reach` says which pages the viewer can open.
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

    /// The same page, for a panel that shows `viewport`, and ages as of `now_ms`.
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
