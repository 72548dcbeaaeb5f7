//! The files of a dashboard, as Go's `http.FileServer` sends them: as they are, without a word on caching or security.

use std::path::Path;

use axum::Router;
use tower_http::services::ServeDir;

/// Serves `directory` at `/web/dashboard/`, beside `routes` and without their checks, in all dialects.
pub(super) fn beside(routes: Router, directory: Option<&Path>) -> Router {
    match directory {
        Some(directory) => Router::new().nest_service("/web/dashboard", ServeDir::new(directory)).merge(routes),
        None => routes,
    }
}
