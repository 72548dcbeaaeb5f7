//! Elements that the pages rendered only by the server share.

use leptos::prelude::*;
use model::{live::Alert, unit, zone::Zone};

use crate::view::view;

/// The age of a time, which the page updates. The tooltip has the time.
pub(super) fn moment(at_ms: i64, now_ms: i64, zone: Zone) -> AnyView {
    let at = zone.civil(at_ms).to_string();
    view! { <time title=at data-since=at_ms.to_string()>{unit::age(now_ms.saturating_sub(at_ms))}</time> }
}

/// The state of an alert and how long it has lasted, which the page updates.
pub(super) fn lasting(alert: &Alert, now_ms: i64, zone: Zone) -> AnyView {
    let words = alert.state_words(now_ms);
    let Some(began_ms) = alert.began_at() else { return view! { {words} }.into_any() };
    let at = zone.civil(began_ms).to_string();
    view! { <time title=at data-lasting=began_ms.to_string() data-state=alert.state.word()>{words}</time> }
}

/// A label and its value.
pub(super) fn label_chip(name: &str, value: &str) -> AnyView {
    view! {
        <span class="label-chip">
            <span class="label-name">{name.to_owned()}</span>
            {value.to_owned()}
        </span>
    }
}

/// The notice in place of an empty list.
pub(crate) fn nothing(title: &str, text: &str) -> AnyView {
    view! {
        <div class="card alerts-empty">
            <p class="notice-title">{title.to_owned()}</p>
            <p class="quiet-words">{text.to_owned()}</p>
        </div>
    }
}
