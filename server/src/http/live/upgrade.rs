//! `/ws`: upgrades an admitted request to a live socket.

use access::Principal;
use axum::{
    extract::{Query, State, WebSocketUpgrade},
    response::{IntoResponse, Response},
};
use live::poll::topics;
use model::live::{BINARY_PROTOCOL, JSON_PROTOCOL};
use serde::Deserialize;

use super::socket::{self, MAX_CLIENT_MESSAGE_BYTES, READ_BUFFER_BYTES, SocketOptions, format_of};
use crate::http::{api::error::ApiError, auth::SocketAdmission, limited, slices::LiveState};

/// Parameters of the URL.
#[derive(Debug, Deserialize)]
pub(crate) struct Parameters {
    #[serde(default)]
    topics: String,
}

/// Upgrades an admitted request.
pub(crate) async fn upgrade(
    State(state): State<LiveState>,
    principal: Principal,
    admission: SocketAdmission,
    Query(parameters): Query<Parameters>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let topics = match topics(&parameters.topics) {
        Ok(topics) => topics,
        Err(message) => return ApiError::bad_request(message).into_response(),
    };
    let upgrade = upgrade
        .protocols([BINARY_PROTOCOL, JSON_PROTOCOL])
        .max_message_size(MAX_CLIENT_MESSAGE_BYTES)
        .max_frame_size(MAX_CLIENT_MESSAGE_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES);
    let format = format_of(upgrade.selected_protocol().and_then(|protocol| protocol.to_str().ok()));
    upgrade.on_upgrade(move |socket| async move {
        let _counted = state.telemetry.socket_opened();
        let _admitted = admission;
        let (follower, role) = (principal.clone(), principal.role());
        let known = state.dashboards.clone();
        let options = SocketOptions {
            format,
            role,
            topics,
            max_subscriptions: state.limits.subscriptions,
            memory: state.budgets.answers.clone(),
            scope: principal.scope().clone(),
            may_follow: Box::new(move |topic| limited::may_follow(&known.borrow().clone(), &follower, topic)),
            dashboards: state.dashboards,
        };
        let serving = socket::serve(socket, state.hub, options, principal.ended(), state.stop);
        principal.requester().scope(serving).await;
    })
}
