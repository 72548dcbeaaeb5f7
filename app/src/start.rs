//! Start in the browser: hydrates the page that the server rendered, or mounts one into an empty document.

use leptos::{mount, prelude::*};
use model::{
    frame::Frame,
    page::{Boot, DashboardLink, Session},
    range::TimeRange,
    tree::read_json,
};

use crate::{
    App, PageSet,
    payload::{PAYLOAD_ELEMENT, Payload},
    platform::{self, FetchError},
    view::view,
};

/// Runs the program with these pages in the document that loaded it.
pub fn start(pages: PageSet) {
    console_error_panic_hook::set_once();
    let rendered = document().document_element().is_some_and(|root| root.has_attribute("data-ssr"));
    match read_payload() {
        Some(payload) if rendered => {
            let zone = payload.first_zone(platform::own_zone());
            mount::hydrate_body(move || view! { <App pages payload zone /> });
        }
        Some(payload) => mount::mount_to_body(move || view! { <App pages payload zone=platform::own_zone() /> }),
        None => platform::spawn(start_alone(pages)),
    }
}

/// The payload of the document, if there is one that this version can read.
fn read_payload() -> Option<Payload> {
    let json = document().get_element_by_id(PAYLOAD_ELEMENT)?.text_content()?;
    match read_json(&json) {
        Ok(payload) => Some(payload),
        Err(error) => {
            leptos::logging::error!("the page's own data cannot be read: {error}");
            None
        }
    }
}

/// Whether a hyperscope server answers at the root of this host.
pub(crate) async fn has_server() -> bool {
    match platform::probe("/api/session").await {
        Some((200, body)) => read_json::<Session>(&body).is_ok(),
        // The refusal of hyperscope. A daemon that requires its API key refuses with plain text, another program in another form.
        Some((401, body)) => body.contains("\"code\":\"unauthorized\""),
        _ => false,
    }
}

/// Starts without a payload: fetches the session and the list of dashboards first.
pub(crate) async fn start_alone(pages: PageSet) {
    match ask_for_boot().await {
        Ok(boot) => {
            let payload = Payload { boot, job: None, zone: String::new(), offset_min: 0 };
            mount::mount_to_body(move || view! { <App pages payload zone=platform::own_zone() /> });
        }
        Err(FetchError::LoggedOut) => platform::go_to_login(),
        Err(error) => cannot_start(error.words()),
    }
}

/// Shows `reason` in place of the page.
pub(crate) fn cannot_start(reason: String) {
    mount::mount_to_body(move || {
        view! {
            <main class="notice" role="alert">
                <h1>"hyperscope cannot start"</h1>
                <p>{reason.clone()}</p>
                <p>"Reload the page to try again."</p>
            </main>
        }
    });
}

/// The response of `/api/dashboards`.
struct Links {
    dashboards: Vec<DashboardLink>,
}

model::from_members!(Links { dashboards });

async fn ask_for_boot() -> Result<Boot, FetchError> {
    let session: Session = platform::get_json("/api/session").await?;
    let Links { dashboards } = platform::get_json("/api/dashboards").await?;
    Ok(Boot {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        boot_id: String::new(),
        now_ms: platform::now_ms(),
        session,
        dashboards_version: String::new(),
        warning: String::new(),
        dashboards,
        dashboard: None,
        firing: model::live::FiringCount::default(),
        marks: Frame::default(),
        range: TimeRange::default(),
        kiosk: false,
        theme: None,
        standalone: false,
    })
}
