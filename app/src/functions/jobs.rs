//! What a job's page asks for.

#![allow(missing_docs)] // the macro makes a struct of each function's arguments, whose fields have the names of those

use leptos::{prelude::*, server_fn::error::ServerFnError};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Change, carry_out};

/// Asks a daemon to cancel a job.
///
/// # Errors
/// There is no such job, its daemon refuses or cannot be reached, or the sender may not.
#[server(name = CancelJob, prefix = "/do", endpoint = "cancel-job")]
pub async fn cancel_job(daemon: String, id: String) -> Result<(), ServerFnError> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let page = format!("/jobs/{}/{}", encoded(&daemon), encoded(&id));
    carry_out(Change::CancelJob { daemon, id }, &page, &page).await
}
