//! The frame of a panel: its heading, its menu, and its body, first as the server's HTML and then live.

use crate::view::view;
use leptos::prelude::*;
#[cfg(feature = "ssr")]
use model::route::Reach;
use model::{
    dashboard::{Panel, PanelKind},
    panel::{PanelData, Staleness},
};

#[cfg(feature = "ssr")]
use super::context::{PanelsContext, Viewport};
use super::{
    alerts, gauge, heatmap, jobs,
    look::{self, with_look, with_mark},
    menu::panel_menu,
    shares, sources, stat, table, timeseries,
};

/// One panel of a dashboard.
#[component]
pub fn PanelView(
    /// The panel's definition.
    panel: Panel,
    /// Width on a narrow page, in columns of 12.
    #[prop(default = 12)]
    narrow: u8,
    /// Its data: on the server the evaluated data, in the browser [`super::loading`] until the first live data is complete.
    #[prop(into)]
    data: Signal<PanelData>,
    /// Set while the data of a panel without queries (jobs, alerts, sources) is stale.
    #[prop(optional, into)]
    stale: Signal<Option<Staleness>>,
    /// Words for the pending request while the data is not of the page's range. The panel is dimmed.
    #[prop(optional, into)]
    waiting: Signal<Option<&'static str>>,
    /// True while the panel shows current data on a page whose range is in the past.
    #[prop(optional, into)]
    present: Signal<bool>,
) -> impl IntoView {
    let live = RwSignal::new(false);
    Effect::new(move |_| {
        if !live.get_untracked() && data.with(look::has_come) {
            live.set(true);
        }
    });
    let (id, kind) = (panel.id.clone(), panel.kind);
    let (anchor, heading) = (format!("panel-{id}"), format!("panel-{id}-title"));
    let (title, description) = (panel.title.clone(), panel.description.clone());
    let place = format!("--w:{};--h:{};--n:{narrow}", panel.width.clamp(1, 24), panel.height.max(1));
    let panel = StoredValue::new(panel);
    let picture = StoredValue::new(picture(panel, data, stale));
    view! {
        <section
            class=format!("panel panel-{}", kind_name(kind))
            id=anchor
            style=place
            aria-labelledby=heading.clone()
            tabindex="-1"
            aria-busy=move || waiting.get().map(|_| "true")
        >
            <header class="panel-head">
                <h2 class="panel-title" id=heading.clone()>{title}</h2>
                {move || present.get().then(|| view! {
                    <span class="panel-present" title="As it is now, not at the time of the page">"now"</span>
                })}
                {(!description.is_empty()).then(|| describe(&id, description))}
                {panel_menu(panel, data, live)}
            </header>
            <div class="panel-body">
                {move || {
                    if live.get() {
                        view! { <div class="panel-live">{body(panel, data, stale)}</div> }
                    } else {
                        view! { <div class="panel-picture" inner_html=picture.get_value()></div> }
                    }
                }}
                {move || waiting.get().map(|words| view! { <span class="badge panel-waits" role="status">{words}</span> })}
            </div>
        </section>
    }
}

/// A button that shows the description of a panel while it is hovered or focused.
fn describe(id: &str, description: String) -> AnyView {
    let tip = format!("panel-{id}-tip");
    view! {
        <span class="panel-info">
            <button type="button" class="icon-button" aria-label="Description" aria-describedby=tip.clone()>
                <span aria-hidden="true">"i"</span>
            </button>
            <span class="tip" role="tooltip" id=tip>{description}</span>
        </span>
    }
}

/// The body of a panel without a frame, as static HTML, for a page without live data.
#[cfg(feature = "ssr")]
pub(crate) fn still(panel: Panel, data: PanelData, viewport: Viewport, now_ms: i64) -> AnyView {
    PanelsContext::provide(Signal::stored(viewport), Signal::stored(now_ms), Reach::All);
    provide_context(super::context::Still);
    body(StoredValue::new(panel), Signal::stored(data), Signal::stored(None))
}

/// The HTML of the body on the server.
#[cfg(feature = "ssr")]
fn picture(
    panel: StoredValue<Panel>,
    data: Signal<PanelData>,
    stale: Signal<Option<Staleness>>,
) -> std::sync::Arc<str> {
    let draw = || body(panel, data, stale).to_html();
    match use_context::<crate::payload::Pictures>() {
        Some(pictures) => panel.with_value(|panel| pictures.picture(&panel.id, draw)),
        None => draw().into(),
    }
}

/// In the browser, hydration keeps the server's HTML. In a page without it, the panel shows that it is loading.
#[cfg(not(feature = "ssr"))]
fn picture(_panel: StoredValue<Panel>, _data: Signal<PanelData>, _stale: Signal<Option<Staleness>>) -> String {
    concat!(
        r#"<div class="look"><div class="message message-loading" role="status"><div class="skeleton" aria-hidden="true">"#,
        r#"<i></i><i></i><i></i><i></i></div><span class="message-title">Loading</span></div></div>"#
    )
    .to_owned()
}

fn body(panel: StoredValue<Panel>, data: Signal<PanelData>, stale: Signal<Option<Staleness>>) -> AnyView {
    match panel.with_value(|panel| panel.kind) {
        PanelKind::Stat => with_look(panel, data, stat::body),
        PanelKind::Timeseries => with_look(panel, data, timeseries::body),
        PanelKind::Gauge => with_look(panel, data, gauge::body),
        PanelKind::Pie => with_look(panel, data, shares::pie),
        PanelKind::Bars => with_look(panel, data, shares::bars),
        PanelKind::Table => with_look(panel, data, table::body),
        PanelKind::Heatmap => with_look(panel, data, heatmap::body),
        PanelKind::Jobs => with_mark(stale, jobs::body(data)),
        PanelKind::Alerts => with_mark(stale, alerts::body(data)),
        PanelKind::Sources => with_mark(stale, sources::body(data)),
    }
}

fn kind_name(kind: PanelKind) -> &'static str {
    match kind {
        PanelKind::Stat => "stat",
        PanelKind::Timeseries => "timeseries",
        PanelKind::Gauge => "gauge",
        PanelKind::Pie => "pie",
        PanelKind::Bars => "bars",
        PanelKind::Table => "table",
        PanelKind::Heatmap => "heatmap",
        PanelKind::Jobs => "jobs",
        PanelKind::Alerts => "alerts",
        PanelKind::Sources => "sources",
    }
}
