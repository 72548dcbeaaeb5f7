//! Responses for unknown paths and methods.

use axum::{
    Router,
    extract::{OriginalUri, Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use tower::ServiceExt;

use super::{api::error::ApiError, auth::Denied, prometheus::envelope::failure};
use crate::http::assets::Assets;

/// The response to an unknown method. `OPTIONS` works everywhere, and allows nothing to other origins.
pub(super) async fn other_method(OriginalUri(uri): OriginalUri, request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let message = format!("{} does not take {}", uri.path(), request.method());
    Denied::new(StatusCode::METHOD_NOT_ALLOWED, "bad_data", message).for_path(&uri)
}

/// A bundle file (public); otherwise the 404 page, for readers only.
pub(super) async fn bundle_or_page(
    State(assets): State<Assets>,
    OriginalUri(uri): OriginalUri,
    request: Request,
    unknown: Router,
) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let message = format!("there is no endpoint {} {}", request.method(), uri.path());
    match assets.respond(path, request.headers()) {
        Some(file) => file,
        None if path.starts_with("api/v1/") => failure(StatusCode::NOT_FOUND, "not_found", &message),
        None if path.starts_with("api/") => ApiError::not_found(message).into_response(),
        None => match unknown.oneshot(request).await {
            Ok(page) => page,
            Err(never) => match never {},
        },
    }
}
