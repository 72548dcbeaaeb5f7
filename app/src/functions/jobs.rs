//! Server function of the form on a job's page.

#![allow(missing_docs)] // the macro generates a struct of the arguments of each function

use leptos::{prelude::*, server_fn::error::ServerFnError};

use super::{Change, carry_out};
use crate::panels::jobs::row;

/// Asks a daemon to cancel a job.
///
/// # Errors
/// There is no such job, its daemon refuses or cannot be reached, or the sender lacks the right.
#[server(name = CancelJob, prefix = "/do", endpoint = "cancel-job")]
pub async fn cancel_job(daemon: String, id: String) -> Result<(), ServerFnError> {
    let page = row::path(&daemon, &id);
    carry_out(Change::CancelJob { daemon, id }, &page, &page).await
}
