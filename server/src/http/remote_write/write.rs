//! `POST /api/v1/write`

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use labels::Labels;
use model::clock::now_ms;
use remote_write::{DecodeError, Limits, Rejected, Request};
use timeseries::{MAX_AHEAD_MS, Sample};
use tsdb::{Incoming, Ingested};

use super::{Ingest, IngestLimits, headers};
use crate::http::{answers::with_retry_after, prometheus::envelope::failure};

/// How long a request waits for earlier ones.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a request was not, or not completely, stored.
#[derive(Debug)]
enum Refused {
    /// Unsupported headers.
    MediaType(String),
    /// It is too large.
    TooLarge(String),
    /// It is invalid.
    Unreadable(String),
    /// Some samples were rejected; the rest is stored.
    Partly(String),
    /// The store cannot write now.
    Store(String),
    /// A bug.
    Internal(String),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, kind, message) = match self {
            Refused::MediaType(message) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_data", message),
            Refused::TooLarge(message) => (StatusCode::PAYLOAD_TOO_LARGE, "bad_data", message),
            Refused::Unreadable(message) | Refused::Partly(message) => (StatusCode::BAD_REQUEST, "bad_data", message),
            Refused::Store(error) => {
                // The store itself logs the start and the end of a failure.
                tracing::debug!(%error, "cannot store a remote write");
                let message = format!("the samples cannot be stored now: {error}");
                return with_retry_after(failure(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &message));
            }
            Refused::Internal(message) => {
                tracing::error!(message, "a remote write panicked");
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
            }
        };
        failure(status, kind, &message)
    }
}

pub(super) async fn write(State(ingest): State<Ingest>, headers: HeaderMap, body: Body) -> Response {
    match take(ingest, &headers, body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refused.into_response(),
    }
}

async fn take(ingest: Ingest, headers: &HeaderMap, body: Body) -> Result<(), Refused> {
    headers::check(headers).map_err(Refused::MediaType)?;
    let busy = || Refused::Store("too many writes wait for the disk".to_owned());
    let _request = ingest.requests.clone().try_acquire_owned().map_err(|_| busy())?;
    let limit = ingest.limits.body_bytes;
    let body = to_bytes(body, limit).await.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            if error.is::<http_body_util::LengthLimitError>() {
                let message = format!("the body is larger than {limit} bytes: send smaller requests");
                return Refused::TooLarge(message);
            }
            cause = error.source();
        }
        Refused::Unreadable(format!("the body could not be read: {error}"))
    })?;
    let slot = tokio::time::timeout(PATIENCE, ingest.slots.clone().acquire_owned()).await.map_err(|_| busy())?;
    let slot = slot.map_err(|error| Refused::Internal(error.to_string()))?;
    let stored = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        store(&ingest, &body)
    });
    stored.await.map_err(|error| Refused::Internal(error.to_string()))?
}

/// Decodes a body and stores its content.
fn store(ingest: &Ingest, body: &Bytes) -> Result<(), Refused> {
    let IngestLimits { decompressed_bytes, object_bytes, .. } = ingest.limits;
    let limits = Limits { decompressed_bytes, object_bytes };
    let decoded = remote_write::decompress(body, limits).and_then(|bytes| remote_write::decode(&bytes, limits));
    let mut request = decoded.map_err(|error| match error {
        DecodeError::TooLarge { .. } | DecodeError::TooManyObjects(_) => Refused::TooLarge(error.to_string()),
        _ => Refused::Unreadable(error.to_string()),
    })?;
    let mut rejections = Rejections { count: request.rejected, first: request.first_rejected.take() };
    let samples = samples(&request, now_ms().saturating_add(MAX_AHEAD_MS), &mut rejections);
    let families: Vec<_> = std::mem::take(&mut request.families)
        .into_iter()
        .filter(|family| !family.name.is_empty())
        .map(|family| {
            let kind = family.kind.name().to_owned();
            (family.name, tsdb::Metadata { kind, help: family.help, unit: family.unit })
        })
        .collect();
    if !families.is_empty() {
        ingest.store.set_metadata(&families).map_err(|error| Refused::Store(error.to_string()))?;
    }
    // Last, because this waits until earlier appends are in the log too.
    let ingested = ingest.store.ingest(&samples).map_err(|error| Refused::Store(error.to_string()))?;
    rejections.add_refused(&ingested, &samples);
    for series in request.series {
        ingest.exemplars.add(&series.labels, series.exemplars);
    }
    rejections.into_result()
}

/// The samples of a request, except those that are too far in the future.
fn samples(request: &Request, newest_ms: i64, rejections: &mut Rejections) -> Vec<Incoming> {
    let counts = request.series.iter().map(|series| series.samples.len() + series.histograms.len());
    let mut samples = Vec::with_capacity(counts.sum());
    for series in &request.series {
        let floats = series.samples.iter().map(|(time, value)| (*time, Sample::Float(*value)));
        let histograms = series.histograms.iter().map(|(time, value)| (*time, Sample::Histogram(Arc::clone(value))));
        for (timestamp_ms, value) in floats.chain(histograms) {
            if timestamp_ms > newest_ms {
                rejections.add(1, || Rejected {
                    series: shown(&series.labels, timestamp_ms),
                    reason: "out of bounds, the sample is more than 10 minutes in the future".to_owned(),
                });
                continue;
            }
            samples.push(Incoming { labels: series.labels.clone(), timestamp_ms, value });
        }
    }
    samples
}

fn shown(labels: &Labels, timestamp_ms: i64) -> String {
    format!("{labels} at {timestamp_ms} ms")
}

/// Rejected parts of a request.
struct Rejections {
    count: usize,
    first: Option<Rejected>,
}

impl Rejections {
    fn add(&mut self, count: usize, first: impl FnOnce() -> Rejected) {
        if count > 0 {
            self.count += count;
            self.first.get_or_insert_with(first);
        }
    }

    fn add_refused(&mut self, ingested: &Ingested, samples: &[Incoming]) {
        let first = ingested.refused.first();
        self.add(ingested.refused.len(), || {
            let sample = first.and_then(|refused| samples.get(refused.position));
            Rejected {
                series: sample.map_or_else(String::new, |sample| shown(&sample.labels, sample.timestamp_ms)),
                reason: first.map_or_else(String::new, |refused| refused.reason.to_string()),
            }
        });
    }

    fn into_result(self) -> Result<(), Refused> {
        match self.first {
            None => Ok(()),
            Some(first) if self.count == 1 => Err(Refused::Partly(first.to_string())),
            Some(first) => {
                let message = format!("{first} (and {} more were not stored; the rest was)", self.count - 1);
                Err(Refused::Partly(message))
            }
        }
    }
}
