//! `/api/live`: live topics by long poll.

use access::Principal;
use axum::{
    extract::{OriginalUri, State},
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use budget::pairs;
use datasource::ErrorKind;
use live::{Poll, PollError, Room};

use crate::{
    http::{answers, api::error::ApiError},
    state::AppState,
};

/// `GET /api/live?topics=&query=&since=&timeout=`
pub(crate) async fn poll(
    State(state): State<AppState>,
    principal: Principal,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    // A poll is a socket to those that no socket reaches, and counts as one.
    let _admitted = match state.auth.admit_poll(&principal) {
        Ok(admitted) => admitted,
        Err(denied) => return Ok(denied.for_path(&uri)),
    };
    let pairs: Vec<_> = pairs::read(uri.query().unwrap_or_default().as_bytes())
        .map_err(|error| ApiError::bad_request(error.to_string()))?
        .collect();
    let poll = Poll::parse(pairs.iter().map(|(name, value)| (&**name, &**value))).map_err(ApiError::bad_request)?;
    if poll.topics.len() > state.limits.subscriptions {
        let limit = state.limits.subscriptions;
        return Err(ApiError::bad_request(format!("a poll has at most {limit} topics and queries")));
    }
    if !poll.topics.iter().all(|topic| super::upgrade::may_follow(&state, &principal, topic)) {
        return Err(ApiError::forbidden("this session is limited to what is on its dashboards"));
    }
    let room = Room { memory: state.budgets.answers.clone(), most_bytes: state.limits.response_bytes };
    let answer = match poll.answer(&state.hub, principal.scope(), &room).await {
        Ok(answer) => answer,
        Err(PollError::Busy(over)) => return Ok(answers::refusal(over).for_path(&uri)),
        Err(PollError::Query(error)) if matches!(error.kind, ErrorKind::TooMany | ErrorKind::Busy) => {
            return Err(error.into());
        }
        Err(other) => return Err(ApiError::bad_request(other.to_string())),
    };
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], answer.into_json()).into_response())
}
