//! The frame of the alert page: the tabs, a banner for problems with an Alertmanager, and the content of the tab.

use chart::palette::Ink;
use leptos::prelude::*;

use super::{AlertsView, Content, Tab, deliveries, history, list, rules, silences, words::nothing};
use crate::view::view;

/// Renders the page's content as HTML.
#[must_use]
pub fn draw(page: &AlertsView) -> String {
    let owner = Owner::new_root(None);
    let html = owner.with(|| content(page).to_html());
    owner.unset_with_forced_cleanup();
    html
}

fn content(page: &AlertsView) -> AnyView {
    let tabs = Tab::ALL.map(|tab| {
        let current = (page.address.tab == tab).then_some("page");
        let count = (tab == Tab::Alerts && page.firing.active > 0).then(|| {
            let ink = Ink::Meaning(page.firing.worst.color()).class();
            view! { <span class=format!("count {ink}")>{page.firing.active} <span class="sr-only">" firing"</span></span> }
        });
        view! {
            <li>
                <a class="tab" href=page.address.with_tab(tab).href() aria-current=current>{tab.title()} {count}</a>
            </li>
        }
    });
    let body = match &page.content {
        Content::Alerts(list) => list::draw(page, list),
        Content::Silences { silences, draft } => silences::draw(page, silences, draft.as_ref()),
        Content::Rules(groups) => rules::draw(page, groups),
        Content::History { start_ms, transitions } => history::draw(page, *start_ms, transitions),
        Content::Deliveries(deliveries) => deliveries::draw(page, deliveries),
        Content::Unavailable(reason) => nothing("Not to be had", reason),
    };
    let troubles = page.troubles.clone().map(|troubles| {
        view! { <p class="banner banner-problem" role="status">{troubles}</p> }
    });
    view! {
        <nav class="tabs" aria-label="Parts of the alert page">
            <ul>{tabs.into_iter().collect_view()}</ul>
        </nav>
        {troubles}
        {body}
    }
}
