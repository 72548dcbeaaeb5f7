//! A page of the static bundle, which any file server can serve. The page looks for a hyperscope server. If there is none, a worker
//! does the server's work (crate `standalone`) and connects to the daemon beside the bundle.

mod notices;
mod places;
mod unlock;
mod worker;

use leptos::{mount, prelude::*};
use model::page::Boot;

use crate::{
    App, PageSet, live, pages,
    payload::{Payload, THEME_COOKIE},
    platform,
    start::{self, cannot_start},
    view::view,
};
use notices::Notices;
use unlock::Unlock;
use worker::{Told, Worker};

/// The pages that need no server.
const STANDALONE: PageSet = pages::standalone(live::connect_by::<Worker>);

/// Runs the program in the document that loaded it.
pub fn start_standalone() {
    console_error_panic_hook::set_once();
    platform::spawn(async {
        if start::has_server().await {
            start::start_alone(crate::VIEWER).await;
        } else {
            start_with_worker().await;
        }
    });
}

async fn start_with_worker() {
    platform::use_fragments();
    let theme = platform::cookie(THEME_COOKIE);
    platform::set_theme(theme.as_deref());
    let told = Told { locked: RwSignal::new(None), notices: RwSignal::new(Vec::new()), failure: RwSignal::new(None) };
    if let Err(reason) = worker::start(told) {
        return cannot_start(reason);
    }
    platform::answer_by(worker::ask);
    match platform::get_json::<Boot>("/api/boot").await {
        Ok(boot) => {
            let payload = Payload { boot: Boot { theme, ..boot }, job: None, zone: String::new(), offset_min: 0 };
            mount::mount_to_body(move || {
                view! {
                    <App pages=STANDALONE payload zone=platform::own_zone() />
                    <Notices told />
                    <Unlock locked=told.locked />
                }
            });
        }
        Err(error) => cannot_start(told.failure.get_untracked().unwrap_or_else(|| error.words())),
    }
}
