//! The audit log: who did what to which object, from which address, and the outcome. Each entry is a log event with
//! target `audit` and the fields `actor`, `role`, `token_id`, `address`, `action`, `object`, `outcome`, and optionally
//! `detail`.

use model::role::Role;

use crate::ClientAddress;

/// Audited actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A request that the token may not make. The object is method and path.
    Request,
    /// A login.
    Login,
    /// A logout.
    Logout,
    /// Sessions of a token are ended.
    EndSessions,
    /// A new token.
    CreateToken,
    /// The expiry of the first token is removed.
    KeepToken,
    /// A token is revoked.
    RevokeToken,
    /// Signed links to images are invalidated.
    WithdrawPictureLinks,
    /// A job is cancelled.
    CancelJob,
    /// A notification is resent.
    ResendNotification,
    /// A new silence.
    CreateSilence,
    /// A silence is changed.
    ChangeSilence,
    /// A silence is expired.
    ExpireSilence,
    /// An alert is acknowledged.
    AcknowledgeAlert,
    /// An acknowledgement is removed.
    UnacknowledgeAlert,
    /// A snapshot of the store.
    TakeSnapshot,
    /// A wall is asked to show something else.
    SteerWall,
}

impl Action {
    /// Name in the log.
    fn name(self) -> &'static str {
        match self {
            Action::Request => "request",
            Action::Login => "login",
            Action::Logout => "logout",
            Action::EndSessions => "session.end",
            Action::CreateToken => "token.create",
            Action::KeepToken => "token.keep",
            Action::RevokeToken => "token.revoke",
            Action::WithdrawPictureLinks => "picture-links.withdraw",
            Action::CancelJob => "job.cancel",
            Action::ResendNotification => "notification.resend",
            Action::CreateSilence => "silence.create",
            Action::ChangeSilence => "silence.change",
            Action::ExpireSilence => "silence.expire",
            Action::AcknowledgeAlert => "alert.acknowledge",
            Action::UnacknowledgeAlert => "alert.unacknowledge",
            Action::TakeSnapshot => "snapshot",
            Action::SteerWall => "wall.steer",
        }
    }

    /// Message of a successful action.
    fn words(self) -> &'static str {
        match self {
            Action::Request => "asked",
            Action::Login => "logged in",
            Action::Logout => "logged out",
            Action::EndSessions => "sessions ended",
            Action::CreateToken => "token made",
            Action::KeepToken => "token kept",
            Action::RevokeToken => "token revoked",
            Action::WithdrawPictureLinks => "links withdrawn",
            Action::CancelJob => "cancel of a job accepted",
            Action::ResendNotification => "notification sent again",
            Action::CreateSilence => "silence created",
            Action::ChangeSilence => "silence changed",
            Action::ExpireSilence => "silence expired",
            Action::AcknowledgeAlert => "alert acknowledged",
            Action::UnacknowledgeAlert => "acknowledgement taken back",
            Action::TakeSnapshot => "snapshot taken",
            Action::SteerWall => "wall steered",
        }
    }
}

/// Who acts: the holder of a token, or somebody without one.
#[derive(Debug)]
pub struct Actor<'a> {
    name: &'a str,
    role: &'a str,
    token_id: &'a str,
    address: String,
}

impl<'a> Actor<'a> {
    /// The holder of a token.
    pub fn holder(token_id: &'a str, name: &'a str, role: Role, from: ClientAddress) -> Self {
        Actor { name, role: role.name(), token_id, address: from.to_string() }
    }

    /// Somebody without a valid token.
    pub fn unknown(from: ClientAddress) -> Self {
        Actor { name: "", role: "", token_id: "", address: from.to_string() }
    }

    /// The user of the command line on this machine.
    pub fn command_line() -> Self {
        Actor { name: "", role: "", token_id: "", address: "command line".to_owned() }
    }

    /// Logs a successful action on `object`, an ID or a name. `detail` may be empty.
    pub fn did(&self, action: Action, object: &str, detail: &str) {
        let Actor { name: actor, role, token_id, address } = self;
        let (words, action) = (action.words(), action.name());
        let detail = (!detail.is_empty()).then_some(detail);
        tracing::info!(
            target: "audit", actor, role, token_id, address, action, object, outcome = "done", detail, "{words}"
        );
    }

    /// Logs a rejected action with the reason.
    pub fn was_refused(&self, action: Action, object: &str, why: &str) {
        let Actor { name: actor, role, token_id, address } = self;
        let action = action.name();
        tracing::warn!(
            target: "audit", actor, role, token_id, address, action, object, outcome = "refused", "refused: {why}"
        );
    }
}
