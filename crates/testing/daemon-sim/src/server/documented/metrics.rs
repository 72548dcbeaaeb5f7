//! `GET /metrics` and `/api/v1/metrics`: the canonical series.

use std::{io::Write, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};

use super::super::shared::Shared;
use crate::metrics_text::{TextFormat, write_metrics};

pub(super) async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let all = |name: HeaderName| {
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
    };
    let format = TextFormat::negotiate(&all(header::ACCEPT));
    let text = shared.change(|world| {
        let table = world.table();
        write_metrics(&table, world.sample(), format)
    });
    compressed(format.content_type(), text, &all(header::ACCEPT_ENCODING))
}

/// A text, compressed with gzip if the client accepts it.
pub(in crate::server) fn compressed(content_type: &'static str, text: String, accept_encoding: &str) -> Response {
    let wants_gzip = accept_encoding.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && !parts.any(|part| part == "q=0")
    });
    if wants_gzip {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        if let Ok(bytes) = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
            let headers = [
                (header::CONTENT_TYPE, content_type),
                (header::CONTENT_ENCODING, "gzip"),
                (header::VARY, "Accept-Encoding"),
            ];
            return (headers, bytes).into_response();
        }
    }
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
