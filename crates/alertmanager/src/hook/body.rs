//! Bodies of short-form webhooks, by format.

use model::{
    job::{Job, JobStatus},
    unit::Unit,
};
use serde_json::{Map, Value, json};

use super::{EventName, Format, HookEvent, Subject};
use crate::{
    alert::Alert,
    color,
    message::{incident_key, is_link, put, rfc3339},
};

/// Maximum length of a field, in characters: Slack accepts 2,000 and Discord 1,024.
const FIELD: usize = 1_000;
/// Maximum length of a Discord field, in characters: all of an embed may have 6,000.
const DISCORD_FIELD: usize = 400;
/// Maximum length of PagerDuty's dedup key, in characters.
const DEDUP_KEY: usize = 255;
/// Maximum length of a title, in characters: Slack accepts 150 and Discord 256.
const TITLE: usize = 140;

/// The body for an event, without PagerDuty's routing key. `external_url` is this server's URL, without a trailing
/// slash.
#[must_use]
pub fn body(format: Format, event: &HookEvent, delivery: &str, external_url: &str) -> Value {
    let content = Content::of(event, external_url);
    match format {
        Format::Slack => slack(&content),
        Format::Discord => discord(&content, event.at_ms),
        Format::PagerDuty => pagerduty(&content, event),
        Format::Auto | Format::Generic => json!({
            "id": delivery,
            "event": event.name.name(),
            "timestamp": rfc3339(event.at_ms),
            "data": data(&event.subject, &content.link),
        }),
    }
}

/// The text of an event.
struct Content {
    title: String,
    /// Names with values; no value is empty.
    fields: Vec<(&'static str, String)>,
    text: String,
    color: u32,
    link: String,
    action: &'static str,
}

impl Content {
    fn of(event: &HookEvent, external_url: &str) -> Self {
        match &event.subject {
            Subject::Job(job) => Content::job(event.name, job, external_url),
            Subject::Alert(alert) => Content::alert(event.name, alert, external_url),
        }
    }

    fn job(event: EventName, job: &Job, external_url: &str) -> Self {
        let (word, color) = match event {
            EventName::JobCompleted => ("completed", color::GREEN),
            EventName::JobFailed => ("failed", color::RED),
            EventName::JobCancelled => ("cancelled", color::ORANGE),
            EventName::JobStarted => ("started", color::BLUE),
            _ => ("created", color::BLUE),
        };
        let mut fields = vec![
            ("Job", job.id.clone()),
            ("VM", job.vm.clone()),
            ("Provider", job.provider.clone()),
            ("Daemon", job.daemon.clone()),
        ];
        fields.extend(job.format.clone().map(|format| ("Format", format)));
        if let Some(bytes) = job.bytes_transferred.filter(|bytes| *bytes > 0) {
            // Displayed with three digits.
            #[allow(clippy::cast_precision_loss)]
            fields.push(("Transferred", Unit::from_id("bytes").brief(bytes as f64)));
        }
        if let Some(seconds) = duration_seconds(job).filter(|_| job.status != JobStatus::Running) {
            fields.push(("Duration", Unit::from_id("s").brief(seconds)));
        }
        fields.retain(|(_, value)| !value.is_empty());
        let encoded = |text: &str| percent_encoded(text);
        Content {
            title: format!("Job {word}: {}", if job.name.is_empty() { &job.id } else { &job.name }),
            fields,
            text: job.error.clone().unwrap_or_default(),
            color,
            link: format!("{external_url}/jobs/{}/{}", encoded(&job.daemon), encoded(&job.id)),
            action: "Open job",
        }
    }

    fn alert(event: EventName, alert: &Alert, external_url: &str) -> Self {
        let is_over = event == EventName::AlertResolved;
        let color =
            if is_over { color::GREEN } else { color::of_severities(std::iter::once(label(alert, "severity"))) };
        let labels: Vec<String> = alert
            .labels
            .iter()
            .filter(|(name, _)| !["alertname", "severity", "__name__"].contains(&name.as_str()))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut fields = vec![("Severity", label(alert, "severity").to_owned()), ("Labels", labels.join(", "))];
        fields.extend(alert.value.map(|value| ("Value", Unit::from_id("short").brief(value))));
        fields.push(("Since", rfc3339(alert.starts_at_ms)));
        fields.retain(|(_, value)| !value.is_empty());
        let text = [annotation(alert, "summary"), annotation(alert, "description")].join("\n");
        Content {
            title: format!("{}: {}", if is_over { "Resolved" } else { "Firing" }, alert.name()),
            fields,
            text: text.trim().to_owned(),
            color,
            link: format!("{external_url}/alerts"),
            action: "Open alerts",
        }
    }
}

fn label<'a>(alert: &'a Alert, name: &str) -> &'a str {
    alert.labels.get(name).map_or("", String::as_str)
}

fn annotation<'a>(alert: &'a Alert, name: &str) -> &'a str {
    alert.annotations.get(name).map_or("", String::as_str)
}

/// Run time of a job, in seconds.
fn duration_seconds(job: &Job) -> Option<f64> {
    let ms = job.completed_at.or(job.updated_at)?.checked_sub(job.started_at?)?;
    // Milliseconds of a job are far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    (ms >= 0).then(|| ms as f64 / 1_000.0)
}

fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The subject in our own JSON format.
fn data(subject: &Subject, link: &str) -> Value {
    let (mut data, further) = match subject {
        Subject::Job(job) => {
            let further = vec![("job_id", json!(job.id)), ("duration_seconds", json!(duration_seconds(job)))];
            (serde_json::to_value(job).unwrap_or_default(), further)
        }
        Subject::Alert(alert) => {
            let further = vec![
                ("name", json!(alert.name())),
                ("severity", json!(label(alert, "severity"))),
                ("summary", json!(annotation(alert, "summary"))),
                ("description", json!(annotation(alert, "description"))),
            ];
            (serde_json::to_value(&**alert).unwrap_or_default(), further)
        }
    };
    if let Some(fields) = data.as_object_mut() {
        fields.extend(further.into_iter().map(|(name, value)| (name.to_owned(), value)));
        fields.insert("url".to_owned(), json!(link));
    }
    data
}

fn shortened(text: &str, most: usize) -> String {
    crate::message::shortened(text.to_owned(), most)
}

/// Escapes Slack's markup; the result has at most `most` characters.
fn escaped(text: &str, most: usize) -> String {
    let part = |character: char| match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        other => other.to_string(),
    };
    let length = |text: &str| text.chars().count();
    let whole: String = text.chars().map(part).collect();
    if length(&whole) <= most {
        return whole;
    }
    // Never cuts an escape in two, and leaves room for the ellipsis.
    let mut room = most.saturating_sub(1);
    let mut output = String::new();
    for part in text.chars().map(part) {
        let Some(rest) = room.checked_sub(length(&part)) else { break };
        room = rest;
        output.push_str(&part);
    }
    output.push('\u{2026}');
    output
}

fn slack(content: &Content) -> Value {
    let title = shortened(&content.title, TITLE);
    let mut blocks = vec![json!({ "type": "header", "text": { "type": "plain_text", "text": title } })];
    if !content.text.is_empty() {
        let text = escaped(&content.text, FIELD);
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }));
    }
    // A section has one to ten fields.
    let fields: Vec<Value> = content
        .fields
        .iter()
        .take(10)
        .map(|(name, value)| json!({ "type": "mrkdwn", "text": format!("*{name}*\n{}", escaped(value, FIELD)) }))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if is_link(&content.link) {
        blocks.push(json!({
            "type": "actions",
            "elements": [{ "type": "button", "text": { "type": "plain_text", "text": content.action }, "url": content.link }],
        }));
    }
    json!({ "text": escaped(&title, FIELD), "blocks": blocks })
}

fn discord(content: &Content, at_ms: i64) -> Value {
    // Title, text and ten fields stay below the limit of 6,000 characters for an embed.
    let fields: Vec<Value> = content
        .fields
        .iter()
        .take(25)
        .map(|(name, value)| json!({ "name": name, "value": shortened(value, DISCORD_FIELD), "inline": true }))
        .collect();
    let mut embed = Map::new();
    put(&mut embed, "title", shortened(&content.title, TITLE));
    put(&mut embed, "description", shortened(&content.text, FIELD));
    if is_link(&content.link) {
        put(&mut embed, "url", content.link.clone());
    }
    if !fields.is_empty() {
        embed.insert("fields".to_owned(), Value::Array(fields));
    }
    embed.insert("color".to_owned(), json!(content.color));
    embed.insert("timestamp".to_owned(), json!(rfc3339(at_ms)));
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

fn pagerduty(content: &Content, event: &HookEvent) -> Value {
    let (key, source) = match &event.subject {
        Subject::Job(job) => (format!("job/{}/{}", job.daemon, job.id), job.daemon.clone()),
        Subject::Alert(alert) => (format!("alert/{}", alert.fingerprint), String::new()),
    };
    let key = if key.chars().count() > DEDUP_KEY { incident_key(&key) } else { key };
    let ends = matches!(event.name, EventName::JobCompleted | EventName::AlertResolved);
    let severity = match content.color {
        color::RED => "error",
        color::ORANGE => "warning",
        _ => "info",
    };
    let details: Map<String, Value> = content
        .fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::String(shortened(value, FIELD))))
        .collect();
    let summary =
        if content.text.is_empty() { content.title.clone() } else { format!("{}: {}", content.title, content.text) };
    let mut body = json!({
        "event_action": if ends { "resolve" } else { "trigger" },
        "dedup_key": key,
        "client": "hyperscope",
        "payload": {
            "summary": shortened(&summary, FIELD),
            "source": if source.is_empty() { "hyperscope" } else { &source },
            "severity": severity,
            "timestamp": rfc3339(event.at_ms),
            "custom_details": details,
        },
    });
    if let (true, Some(fields)) = (is_link(&content.link), body.as_object_mut()) {
        fields.insert("client_url".to_owned(), json!(content.link));
        fields.insert("links".to_owned(), json!([{ "href": content.link, "text": content.action }]));
    }
    body
}
