//! The audit log: who did what to what, from where, and what came of it. Each is a line of the log under the target `audit`, and all have
//! the same fields: `actor`, `role`, `token_id`, `address`, `action`, `object`, `outcome`, and where there is more to say, `detail`.

use model::role::Role;

use crate::ClientAddress;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Anything that a token may not do. The object is the method and path.
    Request,
    /// A login.
    Login,
    /// A logout.
    Logout,
    /// The end of sessions of one token.
    EndSessions,
    /// A new token.
    CreateToken,
    /// The first token is made to last.
    KeepToken,
    /// A token is revoked.
    RevokeToken,
    /// Links to images are withdrawn.
    WithdrawPictureLinks,
    /// A job is cancelled.
    CancelJob,
    /// A notification is sent again.
    ResendNotification,
    /// A new silence.
    CreateSilence,
    /// A silence is changed.
    ChangeSilence,
    /// A silence is ended.
    ExpireSilence,
    /// An alert is acknowledged.
    AcknowledgeAlert,
    /// An acknowledgement is taken back.
    UnacknowledgeAlert,
    /// A snapshot of the store.
    TakeSnapshot,
}

impl Action {
    /// Its name in the log.
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
        }
    }

    /// What a person reads once it is done.
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
        }
    }
}

/// Who acts: the holder of a token, or somebody who has none.
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

    /// Somebody without a token that is valid.
    pub fn unknown(from: ClientAddress) -> Self {
        Actor { name: "", role: "", token_id: "", address: from.to_string() }
    }

    /// Whoever has the command line on this machine.
    pub fn command_line() -> Self {
        Actor { name: "", role: "", token_id: "", address: "command line".to_owned() }
    }

    /// Writes down that it was done to `object`, an id or a name. `detail` says more, or is empty.
    pub fn did(&self, action: Action, object: &str, detail: &str) {
        let Actor { name: actor, role, token_id, address } = self;
        let (words, action) = (action.words(), action.name());
        let detail = (!detail.is_empty()).then_some(detail);
        tracing::info!(
            target: "audit", actor, role, token_id, address, action, object, outcome = "done", detail, "{words}"
        );
    }

    /// Writes down that it was refused, and why.
    pub fn was_refused(&self, action: Action, object: &str, why: &str) {
        let Actor { name: actor, role, token_id, address } = self;
        let action = action.name();
        tracing::warn!(
            target: "audit", actor, role, token_id, address, action, object, outcome = "refused", "refused: {why}"
        );
    }
}
