//! Mail, in parts; how it is put on the wire is the sender's.

use serde::{Deserialize, Serialize};

use super::{Pen, pagerduty::incident_key};
use crate::{config::Email, dispatch::Notification};

/// The parts of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Sender.
    pub from: String,
    /// Addressees, separated by commas.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Body in HTML, or empty.
    pub html: String,
    /// Body in plain text.
    pub text: String,
    /// Names the group: mails of one group are one thread.
    pub thread: String,
}

pub(super) fn mail(email: &Email, notification: &Notification, pen: &mut Pen<'_>) -> Mail {
    let mut mail = Mail {
        from: pen.text(&email.from),
        to: pen.text(&email.to),
        subject: String::new(),
        headers: Vec::new(),
        html: pen.html(&email.html),
        text: if email.text.is_empty() {
            pen.text(r#"{{ template "email.default.text" . }}"#)
        } else {
            pen.text(&email.text)
        },
        thread: incident_key(&notification.group_key),
    };
    for (name, template) in &email.headers {
        // A line break would begin another header.
        let value = pen.text(template).replace(['\r', '\n'], " ");
        match name.to_ascii_lowercase().as_str() {
            "subject" => mail.subject = value,
            "from" => mail.from = value,
            "to" => mail.to = value,
            _ => mail.headers.push((name.clone(), value)),
        }
    }
    if mail.subject.is_empty() {
        mail.subject = pen.text(r#"{{ template "email.default.subject" . }}"#).replace(['\r', '\n'], " ");
    }
    mail
}
