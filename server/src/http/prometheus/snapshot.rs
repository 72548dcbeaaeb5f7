//! `/api/v1/admin/tsdb/snapshot`: a copy of the store while it is in use.

use access::{Action, Principal};
use axum::extract::{RawQuery, State};
use datasource::{ErrorKind, QueryError};
use serde::Serialize;
use tsdb::Extent;

use super::{Answer, envelope::success};
use crate::storage::Storage;

#[derive(Serialize)]
struct Taken {
    name: String,
}

/// `POST /api/v1/admin/tsdb/snapshot`. The copy contains all acknowledged samples; with Prometheus' `skip_head=true`
/// only the chunk files.
pub(super) async fn take(State(storage): State<Storage>, principal: Principal, RawQuery(query): RawQuery) -> Answer {
    let query = query.unwrap_or_default();
    let extent = match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "skip_head") {
        None => Extent::All,
        Some((_, value)) => match &*value {
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Extent::All,
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Extent::Chunks,
            _ => return Err(bad("skip_head must be true or false").into()),
        },
    };
    match storage.snapshot(extent).await {
        Ok(snapshot) => {
            principal.actor().did(Action::TakeSnapshot, &snapshot.name, &format!("{} are kept", snapshot.kept));
            Ok(success(&Taken { name: snapshot.name }))
        }
        Err(error) => {
            tracing::warn!(%error, "cannot take a snapshot");
            let message =
                "the snapshot could not be taken: the server's log says why. See that the disk has room, and try again";
            Err(QueryError::new(ErrorKind::Unavailable, message).into())
        }
    }
}

fn bad(message: &str) -> QueryError {
    QueryError::new(ErrorKind::BadData, message)
}
