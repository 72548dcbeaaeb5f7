//! A page of the static bundle, served by anything that serves files. It asks whether a hyperscope server is there; if not, a worker
//! does a server's work (crate `standalone`), and speaks to the daemon beside which the bundle lies.

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

/// Runs the program for the document that loaded it.
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
    let told = Told { locked: RwSignal::new(None), notices: RwSignal::new(Vec::new()) };
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
        Err(error) => cannot_start(error.words()),
    }
}
