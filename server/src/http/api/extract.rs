//! What a request of the JSON API gives: its body and its parameters. What cannot be read is told in the API's own shape.

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

/// The request with a body that holds no more than is taken.
async fn weighed(request: Request) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    // What is too long, the limit of bodies says.
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
        // That JSON is read but does not fit is no other mistake than that it cannot be read.
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
        // Clients name the type of each body that they could have sent.
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
