//! Sounds and browser notifications for alerts, and the choices for them that this browser stores.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AudioContext, HtmlSelectElement, Notification, NotificationOptions};

use crate::shell::bell::{NOTICE, OFF, SOUND};

/// Frequency of the sound, in hertz.
const PITCH: f32 = 784.0;
/// Duration of the sound, in seconds.
const LENGTH_SECS: f64 = 0.3;
/// Gain of the sound: a quarter of the full volume.
const VOLUME: f32 = 0.25;

/// Key in the session storage for the firings that this tab has announced.
const RUNG: &str = "hyperscope-rung";

thread_local! {
    /// Created once, because browsers limit the number of audio contexts of a page.
    static AUDIO: Option<AudioContext> = AudioContext::new().ok();
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// The value that this browser stores under `key`.
pub(crate) fn recall(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

/// Stores the chosen value under the element's id, and demonstrates it: plays the sound, or asks for the permission to notify. If the browser
/// refuses to store, the choice is lost with the page.
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

/// The firings that this tab has announced, as [`remember_rung`] stored them; `None` before its first list of alerts.
pub(crate) fn rung() -> Option<String> {
    super::tab_storage()?.get_item(RUNG).ok().flatten()
}

/// Stores the firings that this tab has announced; false if the browser refuses.
pub(crate) fn remember_rung(rung: &str) -> bool {
    super::tab_storage().is_some_and(|storage| storage.set_item(RUNG, rung).is_ok())
}

/// Plays a short sound. Browsers play none until the user has clicked on the page.
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

/// Whether the page may show notifications. Asks the user unless they answered before.
async fn may_notify() -> bool {
    // An error means that the browser has no notifications, or none for a page without TLS.
    let Ok(answer) = Notification::request_permission() else { return false };
    JsFuture::from(answer).await.is_ok_and(|answer| answer == "granted")
}

/// Shows a notification; a click on it focuses this page. Notifications of several pages with the same `tag` appear once.
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
