//! The panel kind `sources`: a table of the sources of data and their states.

use crate::view::view;
use chart::palette::Ink;
use leptos::prelude::*;
use model::{
    dashboard::Color,
    panel::PanelData,
    system::SystemMetrics,
    unit::{self, Unit},
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
};

use super::{context::PanelsContext, look::message_view, plot_series::ABSENT};

pub(super) fn body(data: Signal<PanelData>) -> AnyView {
    let now_ms = PanelsContext::of_page().now_ms;
    view! {
        <div class="look">
            {move || data.with(|data| match data {
                PanelData::Sources(sources, systems) if !sources.is_empty() => table(sources, systems, now_ms),
                PanelData::Sources(..) => {
                    message_view("empty", "No sources", "No daemon and no Prometheus is configured.".to_owned(), String::new())
                }
                _ => super::look::loading_view(model::dashboard::PanelKind::Sources),
            })}
        </div>
    }
}

fn table(sources: &[UpstreamStatus], systems: &[SystemMetrics], now_ms: Signal<i64>) -> AnyView {
    let rows = sources.iter().map(|source| {
        let system = systems.iter().find(|system| source.kind == UpstreamKind::Daemon && system.daemon == source.name);
        row(source, system, now_ms)
    });
    view! {
        <div class="table-scroll" tabindex="0" role="group" aria-label="Sources">
            <table class="table sources">
                <thead>
                    <tr>
                        <th scope="col">"Source"</th>
                        <th scope="col">"State"</th>
                        <th scope="col" class="is-number">"Last data"</th>
                        <th scope="col" class="is-number">"Reconnects"</th>
                        <th scope="col" class="is-number">"Scrape time"</th>
                        <th scope="col" class="is-number">"CPU"</th>
                        <th scope="col" class="is-number">"Memory"</th>
                        <th scope="col">"What it is"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
}

fn row(source: &UpstreamStatus, system: Option<&SystemMetrics>, now_ms: Signal<i64>) -> AnyView {
    let (color, shape) = look_of(source.state);
    let (since_ms, last_data_ms) = (source.since_ms, source.last_data_ms);
    let written = |unit: &str, value: Option<f64>| value.map(|value| Unit::from_id(unit).format(value, None));
    let absent = || ABSENT.to_owned();
    let what = [Some(kind_name(source.kind).to_owned()), source.detail.clone()];
    let what = what.into_iter().flatten().collect::<Vec<_>>().join(", ");
    view! {
        <tr>
            <th scope="row">{source.name.clone()}</th>
            <td class=Ink::Meaning(color).class()>
                <span class="chip">
                    <span aria-hidden="true">{shape}</span>
                    {source.state.name()}
                </span>
                <span class="source-since">{move || format!("for {}", unit::whole_duration(now_ms.get() - since_ms))}</span>
            </td>
            <td class="is-number">
                {move || last_data_ms.map_or_else(|| "never".to_owned(), |last_ms| unit::age(now_ms.get() - last_ms))}
            </td>
            <td class="is-number">{source.reconnects.to_string()}</td>
            <td class="is-number">{written("s", source.scrape_duration_seconds).unwrap_or_else(absent)}</td>
            <td class="is-number">
                {written("percent", system.and_then(|system| system.cpu_percent)).unwrap_or_else(absent)}
            </td>
            <td class="is-number">
                {written("bytes", system.and_then(|system| system.memory_bytes)).unwrap_or_else(absent)}
            </td>
            <td>{what} {source.error.clone().map(|error| view! { <span class="source-error">{error}</span> })}</td>
        </tr>
    }
}

pub(crate) fn kind_name(kind: UpstreamKind) -> &'static str {
    match kind {
        UpstreamKind::Daemon => "daemon",
        UpstreamKind::Prometheus => "Prometheus",
        UpstreamKind::Alertmanager => "Alertmanager",
        UpstreamKind::Store => "embedded store",
    }
}

pub(crate) fn look_of(state: UpstreamState) -> (Color, &'static str) {
    match state {
        UpstreamState::Live => (Color::Green, "\u{25cf}"),
        UpstreamState::Polling => (Color::Yellow, "\u{25d0}"),
        UpstreamState::Connecting => (Color::Blue, "\u{25cc}"),
        UpstreamState::Stale => (Color::Orange, "\u{25b2}"),
        UpstreamState::Down => (Color::Red, "\u{25c6}"),
    }
}
