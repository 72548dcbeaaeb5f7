//! Counts requests by route, with how long they take.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use telemetry::Telemetry;

/// What is counted of requests that no route takes: files of the bundle, and paths that there are not.
const OTHER: &str = "other";

pub(super) async fn layer(State(telemetry): State<Telemetry>, request: Request, next: Next) -> Response {
    // The template of the route: a path would be another series for each job.
    let handler = request.extensions().get::<MatchedPath>().cloned();
    let begun = Instant::now();
    let response = next.run(request).await;
    let handler = handler.as_ref().map_or(OTHER, MatchedPath::as_str);
    telemetry.request_answered(handler, response.status().as_u16(), begun.elapsed());
    response
}
