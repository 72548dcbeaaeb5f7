//! The image of a message, for receivers that can show one.
//!
//! It is drawn when the message is sent, not when it is stored in the outbox, and never delays a message: an image that
//! is not ready in time is left out, and if a receiver rejects a message with an image, we send it again without.

use std::{collections::BTreeMap, time::Duration};

use alertmanager::{dispatch::Notification, message::Outgoing};
use budget::Requester;
use futures_util::future::BoxFuture;
use model::clock::now_ms;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Shared;

/// File name of the image in a message.
pub(crate) const FILE_NAME: &str = "alert.png";

/// A message as the outbox stores it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredMessage {
    #[serde(flatten)]
    pub outgoing: Outgoing,
    /// What to draw, if the message can have an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<AlertSubject>,
}

/// The data from which an alert's image is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertSubject {
    /// Name of its rule.
    pub name: String,
    /// The expression of its rule.
    pub expr: String,
    /// The alert's labels.
    pub labels: BTreeMap<String, String>,
    /// When it started, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// End of the time range to show.
    pub until_ms: i64,
}

/// Draws the images that go with messages.
pub trait ImageRenderer: Send + Sync {
    /// Draws the PNG of an alert; the error says why there is none.
    fn draw<'a>(&'a self, subject: &'a AlertSubject) -> BoxFuture<'a, Result<Vec<u8>, String>>;

    /// A signed path to the image of an alert, which needs no login and is valid for `life`.
    fn link(&self, subject: &AlertSubject, now_ms: i64, life: Duration) -> Option<String>;
}

/// What to draw for a message: the first firing alert whose expression is known, otherwise the first alert whose
/// expression is known.
pub(crate) fn subject(notification: &Notification, now_ms: i64) -> Option<AlertSubject> {
    let notified = notification.alerts.iter().filter_map(|(alert, is_resolved)| {
        let expr = expression(&alert.generator_url)?;
        Some((*is_resolved, alert, expr))
    });
    let (_, alert, expr) = notified.min_by_key(|(is_resolved, ..)| *is_resolved)?;
    Some(AlertSubject {
        name: alert.name().to_owned(),
        expr,
        labels: alert.labels.clone().into_iter().collect(),
        since_ms: alert.starts_at_ms,
        until_ms: now_ms,
    })
}

/// The expression in a generator URL that links to Prometheus' graph page.
fn expression(generator_url: &str) -> Option<String> {
    let (_, query) = generator_url.split_once('?')?;
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "g0.expr").map(|(_, expr)| expr.into_owned()).filter(|expr| !expr.is_empty())
}

impl Shared {
    /// Draws the image of a message; `None` if it has none or drawing takes too long.
    pub(crate) async fn picture(&self, of: Option<&AlertSubject>) -> Option<Vec<u8>> {
        let (subject, images) = (of?, self.images.as_ref()?);
        if !self.options.pictures {
            return None;
        }
        let drawn = Requester::Pictures.scope(images.draw(subject));
        match tokio::time::timeout(self.options.picture_time, drawn).await {
            Ok(Ok(picture)) => Some(picture),
            Ok(Err(error)) => {
                tracing::warn!(alert = subject.name, %error, "sending a message without its image");
                None
            }
            Err(_) => {
                tracing::warn!(alert = subject.name, "sending a message without its image: drawing takes too long");
                None
            }
        }
    }

    /// The signed URL of the image of a message, if links to images are enabled.
    pub(crate) fn picture_link(&self, of: Option<&AlertSubject>) -> Option<String> {
        let (subject, images) = (of?, self.images.as_ref()?);
        let life = self.options.picture_links?;
        let path = images.link(subject, now_ms(), life)?;
        Some(format!("{}{path}", self.external_url))
    }
}

/// Adds the image URL to the first attachment of a Slack message, unless it has an image already.
pub(crate) fn link_from_slack(body: &mut Value, address: String) {
    if let Some(attachment) = body.pointer_mut("/attachments/0").and_then(Value::as_object_mut) {
        attachment.entry("image_url").or_insert(Value::String(address));
    }
}

/// A Discord message as a form with the image as a file, which the first embed shows.
pub(crate) fn form_for_discord(mut body: Value, picture: &[u8], headers: &mut HeaderMap, boundary: &str) -> Vec<u8> {
    if let Some(embed) = body.pointer_mut("/embeds/0").and_then(Value::as_object_mut) {
        embed.insert("image".to_owned(), json!({ "url": format!("attachment://{FILE_NAME}") }));
    }
    if let Ok(value) = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}")) {
        headers.insert(CONTENT_TYPE, value);
    }
    let mut form = Vec::with_capacity(picture.len() + 4_096);
    let mut part = |name: &str, kind: &str, content: &[u8]| {
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {kind}\r\n\r\n");
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    };
    part("name=\"payload_json\"", "application/json", body.to_string().as_bytes());
    part(&format!("name=\"files[0]\"; filename=\"{FILE_NAME}\""), "image/png", picture);
    form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_read_from_the_link_of_its_rule() {
        let read = |url: &str| expression(url);
        assert_eq!(read("http://p:9090/graph?g0.expr=sum%28up%29+%3E+5&g0.tab=1").as_deref(), Some("sum(up) > 5"));
        assert_eq!(read("http://p:9090/graph?g0.tab=1"), None);
        assert_eq!(read("http://p/graph?g0.expr="), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn messages_written_before_are_read_as_well() {
        let old: StoredMessage = serde_json::from_str(r#"{"json":{"text":"x"}}"#).unwrap();
        assert_eq!((old.outgoing, old.of), (Outgoing::Json(json!({ "text": "x" })), None));
        let of =
            AlertSubject { name: "a".into(), expr: "up".into(), labels: Default::default(), since_ms: 1, until_ms: 2 };
        let packed = StoredMessage { outgoing: Outgoing::Json(json!({ "n": 1.5 })), of: Some(of.clone()) };
        let read: StoredMessage = serde_json::from_str(&serde_json::to_string(&packed).unwrap()).unwrap();
        assert_eq!((read.outgoing, read.of), (packed.outgoing, Some(of)));
    }

    #[test]
    fn a_form_has_the_message_and_the_file() {
        let mut headers = HeaderMap::new();
        let form = form_for_discord(json!({ "embeds": [{ "title": "t" }] }), b"\x89PNG", &mut headers, "xyz");
        let text = String::from_utf8_lossy(&form);
        assert!(text.starts_with("--xyz\r\n") && text.ends_with("--xyz--\r\n"), "{text}");
        assert!(text.contains("attachment://alert.png") && text.contains("filename=\"alert.png\""), "{text}");
        assert_eq!(headers[CONTENT_TYPE], "multipart/form-data; boundary=xyz");
    }

    #[test]
    fn an_image_of_the_template_stays() {
        let mut body = json!({ "attachments": [{ "image_url": "https://own" }] });
        link_from_slack(&mut body, "https://ours".into());
        assert_eq!(body["attachments"][0]["image_url"], "https://own");
        let mut body = json!({ "attachments": [{}] });
        link_from_slack(&mut body, "https://ours".into());
        assert_eq!(body["attachments"][0]["image_url"], "https://ours");
    }
}
