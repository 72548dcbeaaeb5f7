//! Backups: a copy of the store while it is in use.

use std::path::Path;

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use model::civil::Civil;
use serde::Serialize;
use store::Extent;

use super::{SERIES, SNAPSHOTS, Storage};
use crate::{
    audit::Action,
    auth::Principal,
    clock::now_ms,
    query::{ErrorKind, QueryError, envelope::success},
};

/// Random bytes of a name, which keep two copies of one second apart.
const NAME_BYTES: usize = 8;
/// What a copy is called besides its name until it is complete.
const UNFINISHED: &str = "unfinished";

#[derive(Serialize)]
struct Taken {
    name: String,
}

/// `POST /api/v1/admin/tsdb/snapshot`. The copy holds everything that was acknowledged; with Prometheus' `skip_head=true` only what is
/// in files of chunks.
pub(super) async fn take(
    State(storage): State<Storage>,
    principal: Principal,
    RawQuery(query): RawQuery,
) -> Result<Response, QueryError> {
    let query = query.unwrap_or_default();
    let extent = match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "skip_head") {
        None => Extent::All,
        Some((_, value)) => match &*value {
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Extent::All,
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Extent::Chunks,
            _ => return Err(bad("skip_head must be true or false")),
        },
    };
    let _one_at_a_time = storage.copying.lock().await;
    let name = name().map_err(internal)?;
    let (data_dir, store) = (storage.data_dir.clone(), storage.store.clone());
    let directory = data_dir.join(SNAPSHOTS);
    let (copy, named) = (directory.join(format!("{name}.{UNFINISHED}")), directory.join(&name));
    let copied = tokio::task::spawn_blocking(move || {
        remove_unfinished(&directory);
        let copied = store
            .snapshot(&copy.join(SERIES), extent)
            .map_err(anyhow::Error::from)
            .and_then(|()| finish(&copy, &named))
            .map(|()| count(&data_dir));
        if copied.is_err() {
            // The error that is told is the first one; what is left of the copy is of no use.
            let _ = std::fs::remove_dir_all(&copy);
        }
        copied
    });
    match copied.await.map_err(internal)? {
        Ok(kept) => {
            principal.actor().did(Action::TakeSnapshot, &name, &format!("{kept} are kept"));
            Ok(success(&Taken { name }))
        }
        Err(error) => {
            tracing::warn!(%error, "a snapshot could not be taken");
            let message =
                "the snapshot could not be taken: the server's log says why. See that the disk has room, and try again";
            Err(QueryError::new(ErrorKind::Unavailable, message))
        }
    }
}

/// How many complete copies there are. They stay until somebody removes them.
pub(super) fn count(data_dir: &Path) -> usize {
    let entries = std::fs::read_dir(data_dir.join(SNAPSHOTS)).into_iter().flatten().filter_map(Result::ok);
    entries.filter(|entry| entry.path().extension().is_none()).count()
}

/// Removes what a server that was killed has left half done.
fn remove_unfinished(directory: &Path) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    for path in entries.filter(|path| path.extension().is_some_and(|extension| extension == UNFINISHED)) {
        if let Err(error) = std::fs::remove_dir_all(&path) {
            tracing::warn!(%error, path = %path.display(), "half a snapshot cannot be removed");
        }
    }
}

/// Gives a complete copy its name, so that under a name there is never half of one.
fn finish(copy: &Path, named: &Path) -> anyhow::Result<()> {
    std::fs::rename(copy, named)?;
    if let Some(parent) = named.parent() {
        std::fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// As Prometheus names them: the time in UTC, and something that no other one has.
fn name() -> Result<String, getrandom::Error> {
    let mut random = [0_u8; NAME_BYTES];
    getrandom::fill(&mut random)?;
    let Civil { year, month, day, hour, minute, second, .. } = Civil::utc(now_ms());
    let unique = u64::from_be_bytes(random);
    Ok(format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z-{unique:016x}"))
}

fn bad(message: &str) -> QueryError {
    QueryError::new(ErrorKind::BadData, message)
}

fn internal(error: impl std::fmt::Display) -> QueryError {
    tracing::error!(%error, "a snapshot broke off");
    QueryError::new(ErrorKind::Internal, "the snapshot broke off: the server's log says why")
}
