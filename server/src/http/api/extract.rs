//! Extractors for the body and the parameters of a request to the JSON API. Their rejections are errors of the API.

use axum::{
    Json,
    body::{Bytes, HttpBody},
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, Query, Request,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
};
use budget::json;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// Reads the body, and checks that its decoded size is within the limit for clients.
async fn weighed(request: Request) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    // The body limit of the route rejects a body that is too long.
    let bytes = match Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await {
        Ok(bytes) => bytes,
        Err(rejection) => {
            return Err(ApiError { status: rejection.status(), ..ApiError::bad_request(rejection.body_text()) });
        }
    };
    json::check(&bytes, json::OF_CLIENTS).map_err(|error| {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        ApiError { status, ..ApiError::bad_request(format!("the body is too large: {error}")) }
    })?;
    Ok(Request::from_parts(parts, axum::body::Body::from(bytes)))
}

/// The body, as JSON.
pub(crate) struct Body<T>(pub(crate) T);

/// The query string.
pub(crate) struct Parameters<T>(pub(crate) T);

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        // JSON that does not fit the type is the same error as invalid JSON.
        let status = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        ApiError { status, ..ApiError::bad_request(rejection.body_text()) }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        ApiError::bad_request(rejection.body_text())
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Json(body) = <Json<T> as FromRequest<S>>::from_request(weighed(request).await?, state).await?;
        Ok(Body(body))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        // Some clients send a content type without a body.
        if request.body().is_end_stream() {
            return Ok(None);
        }
        let body = <Json<T> as OptionalFromRequest<S>>::from_request(weighed(request).await?, state).await?;
        Ok(body.map(|Json(body)| Body(body)))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(parameters) = Query::<T>::from_request_parts(parts, state).await?;
        Ok(Parameters(parameters))
    }
}
