//! Server functions of the forms on the alert page.

#![allow(missing_docs)] // the macro generates a struct of the arguments of each function

use leptos::{prelude::*, server_fn::error::ServerFnError};
use model::route::{PageKind, PageRoute};

use super::{Change, SilenceRequest, carry_out};

async fn from_alerts(change: Change, back: &str) -> Result<(), ServerFnError> {
    carry_out(change, PageRoute::path_of(PageKind::Alerts), back).await
}

/// Silences the alerts that `matchers` select.
///
/// # Errors
/// The matchers or the duration are invalid, or the sender lacks the right.
#[server(name = CreateSilence, prefix = "/do", endpoint = "silence")]
pub async fn silence(
    matchers: String,
    duration: String,
    #[server(default)] comment: String,
    #[server(default)] back: String,
) -> Result<(), ServerFnError> {
    from_alerts(Change::CreateSilence(SilenceRequest { matchers, duration, comment }), &back).await
}

/// Extends a silence by two hours.
///
/// # Errors
/// There is no such silence, or the sender lacks the right.
#[server(name = ExtendSilence, prefix = "/do", endpoint = "extend-silence")]
pub async fn extend_silence(id: String, #[server(default)] back: String) -> Result<(), ServerFnError> {
    from_alerts(Change::ExtendSilence(id), &back).await
}

/// Ends a silence now.
///
/// # Errors
/// There is no such silence, or the sender lacks the right.
#[server(name = ExpireSilence, prefix = "/do", endpoint = "expire-silence")]
pub async fn expire_silence(id: String, #[server(default)] back: String) -> Result<(), ServerFnError> {
    from_alerts(Change::ExpireSilence(id), &back).await
}

/// Acknowledges an alert: the sender takes care of it.
///
/// # Errors
/// No such alert fires, or the sender lacks the right.
#[server(name = AcknowledgeAlert, prefix = "/do", endpoint = "acknowledge")]
pub async fn acknowledge(fingerprint: String, #[server(default)] back: String) -> Result<(), ServerFnError> {
    from_alerts(Change::AcknowledgeAlert(fingerprint), &back).await
}

/// Removes the acknowledgement of an alert.
///
/// # Errors
/// No such alert is acknowledged, or the sender lacks the right.
#[server(name = UnacknowledgeAlert, prefix = "/do", endpoint = "unacknowledge")]
pub async fn unacknowledge(fingerprint: String, #[server(default)] back: String) -> Result<(), ServerFnError> {
    from_alerts(Change::UnacknowledgeAlert(fingerprint), &back).await
}

/// Sends a failed notification again.
///
/// # Errors
/// There is no such notification, or the sender lacks the right.
#[server(name = ResendNotification, prefix = "/do", endpoint = "resend-notification")]
pub async fn resend_notification(id: String, #[server(default)] back: String) -> Result<(), ServerFnError> {
    from_alerts(Change::ResendNotification(id), &back).await
}
