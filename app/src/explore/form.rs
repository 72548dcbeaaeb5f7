//! The form of Explore: the query, its range, its step and its engine.

use leptos::prelude::*;
use model::{
    civil::Civil,
    range::{DurationMs, Instant, TimeRange},
    route::{PageKind, PageRoute},
    unit::whole_duration,
};

use super::{ExploreView, Kind};
use crate::view::view;

pub(super) fn draw(page: &ExploreView) -> AnyView {
    let address = &page.address;
    let kinds = Kind::ALL.map(|kind| {
        view! { <option value=kind.id() selected=address.kind == kind>{kind.title()}</option> }
    });
    let (start_ms, end_ms) = address.range.resolve(page.now_ms);
    let window_ms = end_ms.saturating_sub(start_ms);
    let mut windows = TimeRange::PRESETS_MS.to_vec();
    if !windows.contains(&window_ms) {
        windows.insert(0, window_ms);
    }
    let windows = windows.into_iter().map(|offered_ms| {
        view! {
            <option value=DurationMs(offered_ms).to_string() selected=offered_ms == window_ms>
                {whole_duration(offered_ms)}
            </option>
        }
    });
    // The field `datetime-local` takes a time to the minute, here in UTC.
    let until = match address.range.to {
        Instant::Ago(0) => String::new(),
        to => {
            let civil = Civil::utc(to.resolve(page.now_ms)).to_string();
            civil.get(..16).unwrap_or_default().replace(' ', "T")
        }
    };
    let usual_step = DurationMs(address.range.step_ms(page.now_ms)).to_string();
    let step = address.step_ms.map(|step_ms| DurationMs(step_ms).to_string()).unwrap_or_default();
    let engines = (page.engines.len() > 1).then(|| {
        let chosen = address.engine.as_ref().or(page.engines.first());
        let options = page.engines.iter().map(|engine| {
            view! { <option value=engine.clone() selected=chosen == Some(engine)>{engine.clone()}</option> }
        });
        view! {
            <label>
                <span>"Engine"</span>
                <select id="explore-engine" class="field" name="engine">{options.collect_view()}</select>
            </label>
        }
    });
    let metrics = page.metrics.iter().map(|name| view! { <option value=name.clone()></option> }).collect_view();
    let problem = address.problem.clone().map(|problem| view! { <p class="form-error" role="alert">{problem}</p> });
    view! {
        <form class="card explore-form" method="get" action=PageRoute::path_of(PageKind::Explore) data-live="sent" role="search">
            <label class="explore-expr">
                <span>"Query"</span>
                <input
                    id="explore-expr"
                    class="field"
                    name="expr"
                    list="explore-metrics"
                    value=address.expr.clone()
                    placeholder="sum by (status) (rate(hypersdk_jobs_total[5m]))"
                    spellcheck="false"
                    autocapitalize="off"
                    autocomplete="off"
                />
            </label>
            <datalist id="explore-metrics">{metrics}</datalist>
            <label>
                <span>"Evaluated"</span>
                <select id="explore-type" class="field" name="type">{kinds.into_iter().collect_view()}</select>
            </label>
            <label>
                <span>"Range"</span>
                <select id="explore-window" class="field" name="window">{windows.collect_view()}</select>
            </label>
            <label>
                <span>"Until (UTC)"</span>
                <input id="explore-to" class="field" type="datetime-local" name="to" value=until />
            </label>
            <label>
                <span>"Step"</span>
                <input id="explore-step" class="field" name="step" value=step placeholder=usual_step autocomplete="off" />
            </label>
            {engines}
            <button type="submit" class="button primary">"Run"</button>
            {problem}
        </form>
    }
}
