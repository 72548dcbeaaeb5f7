//! Notifications to receivers: delivered, pending and failed.

use leptos::prelude::*;

use super::{
    AlertsView, ShownDelivery,
    words::{moment, nothing},
};
use crate::{
    functions::{ResendNotification, path_of},
    view::view,
};

pub(super) fn draw(page: &AlertsView, deliveries: &[ShownDelivery]) -> AnyView {
    if deliveries.is_empty() {
        return nothing(
            "Nobody was told anything yet",
            "Receivers are set in the notifier's configuration file, or as webhooks.",
        );
    }
    view! { <section class="card">{list(page, deliveries)}</section> }
}

/// A list of notifications.
pub(super) fn list(page: &AlertsView, deliveries: &[ShownDelivery]) -> AnyView {
    let items = deliveries.iter().map(|delivery| item(page, delivery)).collect_view();
    view! { <ul class="delivery-list">{items}</ul> }
}

fn item(page: &AlertsView, delivery: &ShownDelivery) -> AnyView {
    let (word, color) = match delivery.state.as_str() {
        "delivered" => ("delivered", "ink-green"),
        "dead" => ("given up", "ink-red"),
        _ => ("waits", "ink-yellow"),
    };
    let again = (delivery.state == "dead" && page.may_operate).then(|| {
        view! {
            <form method="post" action={path_of::<ResendNotification>()}>
                <input type="hidden" name="id" value=delivery.id.clone() />
                <input type="hidden" name="back" value=page.address.href() />
                <button type="submit" class="button">"Send again"</button>
            </form>
        }
    });
    let tries = (delivery.attempts > 1).then(|| format!("{} tries", delivery.attempts));
    view! {
        <li class="delivery">
            <span class=format!("chip {color}")>{word}</span>
            <span class="delivery-receiver">{format!("{} ({})", delivery.receiver, delivery.kind)}</span>
            <span class="delivery-subject">{delivery.subject.clone()}</span>
            <span class="quiet-words">{moment(delivery.created_at, page.now_ms, page.zone)} " " {tries}</span>
            {delivery.error.clone().map(|error| view! { <span class="delivery-error">{error}</span> })}
            {again}
        </li>
    }
}
