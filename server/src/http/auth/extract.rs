//! The principal of a request, as an argument of handlers behind [`super::require`].

use access::Principal;
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::Response,
};

use super::{Auth, rejection::Denied};
use crate::state::AppState;

impl FromRequestParts<AppState> for Principal {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Response> {
        principal(parts).ok_or_else(|| missing(parts))
    }
}

impl FromRequestParts<Auth> for Principal {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Auth) -> Result<Self, Response> {
        principal(parts).ok_or_else(|| missing(parts))
    }
}

fn principal(parts: &Parts) -> Option<Principal> {
    parts.extensions.get::<Principal>().cloned()
}

fn missing(parts: &Parts) -> Response {
    Denied::new(StatusCode::UNAUTHORIZED, "unauthorized", "a token is needed").for_path(&parts.uri)
}
