//! What a job's page asks for.

#![allow(missing_docs)] // the macro makes a struct of each function's arguments, whose fields have the names of those

use leptos::{prelude::*, server_fn::error::ServerFnError};

use super::{Change, carry_out};
use crate::panels::jobs::row;

/// Asks a daemon to cancel a job.
///
/// # Errors
/// There is no such job, its daemon refuses or cannot be reached, or the sender may not.
#[server(name = CancelJob, prefix = "/do", endpoint = "cancel-job")]
pub async fn cancel_job(daemon: String, id: String) -> Result<(), ServerFnError> {
    let page = row::path(&daemon, &id);
    carry_out(Change::CancelJob { daemon, id }, &page, &page).await
}
