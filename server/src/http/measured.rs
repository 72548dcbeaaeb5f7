//! Counts requests and their duration by route.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use telemetry::Telemetry;

/// The route of requests that match none: bundle files and unknown paths.
const OTHER: &str = "other";

pub(super) async fn layer(State(telemetry): State<Telemetry>, request: Request, next: Next) -> Response {
    // The template of the route, because paths would create a series for each job.
    let handler = request.extensions().get::<MatchedPath>().cloned();
    let begun = Instant::now();
    let response = next.run(request).await;
    let handler = handler.as_ref().map_or(OTHER, MatchedPath::as_str);
    telemetry.request_answered(handler, response.status().as_u16(), begun.elapsed());
    response
}
