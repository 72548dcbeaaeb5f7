//! The parts of a mail; the sender encodes them for SMTP.

use serde::{Deserialize, Serialize};

use super::{Pen, addresses::with_safe_addresses, pagerduty::incident_key, shortened};
use crate::{config::Email, dispatch::Notification};

/// Maximum length of a subject, in characters: mail clients show less, and RFC 5322 limits a line to 998.
const SUBJECT: usize = 900;

const DEFAULT_SUBJECT: &str = r#"{{ template "email.default.subject" . }}"#;
const DEFAULT_TEXT: &str = r#"{{ template "email.default.text" . }}"#;

/// The parts of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Envelope sender (`MAIL FROM`).
    pub from: String,
    /// Envelope recipients (`RCPT TO`), separated by commas.
    pub to: String,
    /// The header `From` if it differs from `from`. It is only displayed.
    #[serde(default)]
    pub shown_from: Option<String>,
    /// The header `To` if it differs from `to`. It is only displayed.
    #[serde(default)]
    pub shown_to: Option<String>,
    /// Subject, on one line.
    pub subject: String,
    /// Additional headers. They are only displayed: `Cc` and `Bcc` add no recipients.
    pub headers: Vec<(String, String)>,
    /// HTML body, or empty.
    pub html: String,
    /// Plain text body.
    pub text: String,
    /// Identifies the group: mails of one group form a thread.
    pub thread: String,
}

pub(super) fn mail(email: &Email, notification: &Notification, pen: &mut Pen<'_>) -> Mail {
    let mut mail = Mail {
        from: one_line(&pen.text(&email.from)),
        to: one_line(&pen.text(&email.to)),
        shown_from: None,
        shown_to: None,
        subject: String::new(),
        headers: Vec::new(),
        html: with_safe_addresses(&pen.html(&email.html)),
        text: pen.text(if email.text.is_empty() { DEFAULT_TEXT } else { &email.text }),
        thread: incident_key(&notification.group_key),
    };
    if mail.html.trim().is_empty() {
        mail.html.clear();
        if mail.text.trim().is_empty() {
            mail.text = pen.text(DEFAULT_TEXT);
        }
    }
    for (name, template) in &email.headers {
        let value = one_line(&pen.text(template));
        if value.is_empty() {
            continue;
        }
        match name.to_ascii_lowercase().as_str() {
            "subject" => mail.subject = value,
            "from" => mail.shown_from = Some(value),
            "to" => mail.shown_to = Some(value),
            _ => mail.headers.push((name.clone(), value)),
        }
    }
    if mail.subject.is_empty() {
        mail.subject = one_line(&pen.text(DEFAULT_SUBJECT));
    }
    mail.subject = shortened(mail.subject, SUBJECT);
    mail
}

/// Joins lines, because a line break would start another header.
fn one_line(text: &str) -> String {
    text.trim().replace(['\r', '\n'], " ")
}
