//! The notifications that a demo would have sent: `/api/demo/receivers`, and `/demo/receivers` for people.

use alertmanager::message::Outgoing;
use axum::{
    Json,
    extract::State,
    response::{Html, IntoResponse, Response},
};
use model::route::{PageKind, PageRoute};
use notify::{Notifier, ShownMessage, time};
use serde_json::{Value, json};

use super::error::ApiError;
use crate::http::auth::escape;

/// Interval at which the page reloads, in seconds.
const REFRESH_SECS: u32 = 5;
const STYLE: &str = "\
:root{color-scheme:light dark}body{margin:0 auto;max-width:960px;padding:16px;font:14px/1.45 system-ui,sans-serif}\
article{margin:12px 0;padding:12px 16px;border:1px solid #8886;border-radius:8px}h1{font-size:20px}h2{margin:0 0 4px;font-size:15px}\
p{margin:4px 0}pre{margin:8px 0 0;max-height:320px;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;font-size:12px}";

fn shown(notifier: &Notifier) -> Result<Vec<ShownMessage>, ApiError> {
    notifier.shown().ok_or_else(|| {
        ApiError::not_found(
            "only a demo without receivers of its own shows messages; here they are sent: see /api/notifications",
        )
    })
}

/// `GET /api/demo/receivers`
pub(super) async fn list(State(notifier): State<Notifier>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "messages": shown(&notifier)? })))
}

/// `GET /demo/receivers`
pub(crate) async fn page(State(notifier): State<Notifier>) -> Response {
    let messages = match shown(&notifier) {
        Ok(messages) => messages,
        Err(error) => return error.into_response(),
    };
    let mut body = format!(
        "<h1>What receivers would have got</h1><p>Nothing leaves this demo. With receivers of your own, messages are sent. <a href=\"{}\">Alerts</a></p>",
        PageRoute::path_of(PageKind::Alerts)
    );
    if messages.is_empty() {
        body.push_str("<p>Nothing yet: the first messages come within half a minute.</p>");
    }
    for message in &messages {
        let (title, text) = match &message.message {
            Outgoing::Mail(mail) => (mail.subject.clone(), mail.text.clone()),
            Outgoing::Json(json) => (headline(json), serde_json::to_string_pretty(json).unwrap_or_default()),
        };
        body.push_str(&format!(
            "<article><h2>{}</h2><p>{} to <b>{}</b>, <time>{}</time></p><details><summary>Message</summary><pre>{}</pre></details></article>",
            escape(&title),
            escape(&message.kind),
            escape(&message.receiver),
            time(message.at),
            escape(&text),
        ));
    }
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"refresh\" content=\"{REFRESH_SECS}\"><title>Receivers - hyperscope</title><link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\"><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    ))
    .into_response()
}

/// The title of a message, from the first field of the known formats that it has.
fn headline(json: &Value) -> String {
    let places = [
        "/attachments/0/title",
        "/embeds/0/title",
        "/blocks/0/text/text",
        "/payload/summary",
        "/description",
        "/event",
        "/groupKey",
    ];
    places.iter().find_map(|place| json.pointer(place)?.as_str()).unwrap_or("A message").to_owned()
}
