//! What reaches a person who does not look: a sound, and a notification of the browser. And what this browser was told of them.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AudioContext, HtmlSelectElement, Notification, NotificationOptions};

use crate::shell::bell::{NOTICE, OFF, SOUND};

/// Pitch of the sound, in hertz.
const PITCH: f32 = 784.0;
/// How long it lasts, in seconds.
const LENGTH_SECS: f64 = 0.3;
/// A quarter of the full volume.
const VOLUME: f32 = 0.25;

/// Where the tab remembers for which firings it has rung.
const RUNG: &str = "hyperscope-rung";

thread_local! {
    /// Browsers give a page a few of them.
    static AUDIO: Option<AudioContext> = AudioContext::new().ok();
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// What this browser was told to remember under `key`.
pub(crate) fn recall(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

/// Remembers what was chosen, under the id of the choice, and shows what it means. A browser that refuses forgets it.
pub(super) fn keep(choice: HtmlSelectElement) {
    let (id, value) = (choice.id(), choice.value());
    if let Some(storage) = storage() {
        let _ = storage.set_item(&id, &value);
    }
    if value == OFF {
        return;
    }
    if id == SOUND {
        beep();
    } else if id == NOTICE {
        super::spawn(async move {
            if !may_notify().await {
                choice.set_value(OFF);
                if let Ok(Some(said)) = document().query_selector(".bell [role=alert]") {
                    let _ = said.remove_attribute("hidden");
                }
                keep(choice);
            }
        });
    }
}

/// The firings for which this tab has rung, as it remembers them; `None` before its first list of alerts.
pub(crate) fn rung() -> Option<String> {
    super::tab_storage()?.get_item(RUNG).ok().flatten()
}

/// Remembers for which firings this tab has rung; false if the browser refuses.
pub(crate) fn remember_rung(rung: &str) -> bool {
    super::tab_storage().is_some_and(|storage| storage.set_item(RUNG, rung).is_ok())
}

/// Plays a short sound. Before somebody has clicked on the page, browsers keep quiet.
pub(crate) fn beep() {
    AUDIO.with(|audio| {
        let _ = audio.as_ref().map(play);
    });
}

fn play(audio: &AudioContext) -> Result<(), JsValue> {
    let _ = audio.resume()?;
    let (tone, volume) = (audio.create_oscillator()?, audio.create_gain()?);
    volume.gain().set_value(VOLUME);
    tone.connect_with_audio_node(&volume)?.connect_with_audio_node(&audio.destination())?;
    tone.frequency().set_value(PITCH);
    tone.start()?;
    tone.stop_with_when(audio.current_time() + LENGTH_SECS)
}

/// Asks for the right to show notifications, unless it was given or refused before.
async fn may_notify() -> bool {
    // An error: there is no such thing in this browser, or not on a page without TLS.
    let Ok(answer) = Notification::request_permission() else { return false };
    JsFuture::from(answer).await.is_ok_and(|answer| answer == "granted")
}

/// Shows a notification, which leads here. Several pages that show the one of the same `tag` show it once.
pub(crate) fn notify(title: &str, body: &str, tag: &str) {
    let options = NotificationOptions::new();
    options.set_body(body);
    options.set_tag(tag);
    if let Ok(shown) = Notification::new_with_options(title, &options) {
        let here = Closure::once_into_js(|| {
            let _ = window().focus();
        });
        shown.set_onclick(Some(here.as_ref().unchecked_ref()));
    }
}
