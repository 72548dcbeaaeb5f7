//! Asks the viewer for the daemon's credentials: an API key, or a user and a password.

use leptos::{ev::SubmitEvent, html, prelude::*};

use super::worker;
use crate::view::view;

/// The dialog, shown while the daemon requires credentials. `locked` is the reason.
#[component]
pub(super) fn Unlock(locked: RwSignal<Option<String>>) -> impl IntoView {
    let key = NodeRef::<html::Input>::new();
    let user = NodeRef::<html::Input>::new();
    let password = NodeRef::<html::Input>::new();
    let take = |field: NodeRef<html::Input>| {
        let Some(field) = field.get_untracked() else { return String::new() };
        let value = field.value();
        field.set_value("");
        value
    };
    let send_key = move |event: SubmitEvent| {
        event.prevent_default();
        let key = take(key);
        if !key.is_empty() {
            worker::use_key(key);
        }
    };
    let send_user = move |event: SubmitEvent| {
        event.prevent_default();
        let name = user.get_untracked().map(|field| field.value()).unwrap_or_default();
        worker::log_in(name, take(password));
    };
    let is_locked = Memo::new(move |_| locked.with(Option::is_some));
    Effect::new(move |_| {
        if let (true, Some(field)) = (is_locked.get(), key.get()) {
            let _ = field.focus();
        }
    });
    view! {
        {move || is_locked.get().then(|| view! {
            <div class="unlock-over">
                <section class="unlock card" role="dialog" aria-modal="true" aria-labelledby="unlock-title">
                    <h2 id="unlock-title">"Open the daemon"</h2>
                    <p role="alert">{move || locked.get()}</p>
                    <form on:submit=send_key>
                        <label for="daemon-key">"API key"</label>
                        <input id="daemon-key" type="password" autocomplete="off" required node_ref=key />
                        <button type="submit" class="button">"Use this key"</button>
                    </form>
                    <form on:submit=send_user>
                        <label for="daemon-user">"User"</label>
                        <input id="daemon-user" type="text" autocomplete="username" required node_ref=user />
                        <label for="daemon-password">"Password"</label>
                        <input id="daemon-password" type="password" autocomplete="current-password" required node_ref=password />
                        <button type="submit" class="button">"Log in"</button>
                    </form>
                    <p class="quiet-words">"It stays in this tab until the tab is closed, and is sent to the daemon only."</p>
                </section>
            </div>
        })}
    }
}
