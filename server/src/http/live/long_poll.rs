//! `/api/live`: live topics by long poll.

use access::Principal;
use axum::{
    extract::{OriginalUri, State},
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use budget::{Budgets, pairs};
use dashboards::DashboardRegistry;
use datasource::ErrorKind;
use live::{Hub, Poll, PollError, Room};

use crate::{
    config::Limits,
    http::{answers, api::error::ApiError, auth::Auth, limited},
};

/// `GET /api/live?topics=&query=&since=&timeout=`
pub(crate) async fn poll(
    State(auth): State<Auth>,
    State(library): State<DashboardRegistry>,
    State(limits): State<Limits>,
    State(budgets): State<Budgets>,
    State(hub): State<Hub>,
    principal: Principal,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    // A poll is a replacement for a socket, and counts as one.
    let _admitted = match auth.admit_poll(&principal) {
        Ok(admitted) => admitted,
        Err(denied) => return Ok(denied.for_path(&uri)),
    };
    let pairs: Vec<_> = pairs::read(uri.query().unwrap_or_default().as_bytes())
        .map_err(|error| ApiError::bad_request(error.to_string()))?
        .collect();
    let poll = Poll::parse(pairs.iter().map(|(name, value)| (&**name, &**value))).map_err(ApiError::bad_request)?;
    if poll.topics.len() > limits.subscriptions {
        let limit = limits.subscriptions;
        return Err(ApiError::bad_request(format!("a poll has at most {limit} topics and queries")));
    }
    if !poll.topics.iter().all(|topic| limited::may_follow(&library, &principal, topic)) {
        return Err(ApiError::forbidden("this session is limited to what is on its dashboards"));
    }
    let room = Room { memory: budgets.answers.clone(), most_bytes: limits.response_bytes };
    let answer = match poll.answer(&hub, principal.scope(), &room).await {
        Ok(answer) => answer,
        Err(PollError::Busy(over)) => return Ok(answers::refusal(over).for_path(&uri)),
        Err(PollError::Query(error)) if matches!(error.kind, ErrorKind::TooMany | ErrorKind::Busy) => {
            return Err(error.into());
        }
        Err(other) => return Err(ApiError::bad_request(other.to_string())),
    };
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], answer.into_json()).into_response())
}
