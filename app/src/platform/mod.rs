//! Platform functions for the components: the browser's, and stand-ins for the server. On the server, effects and event handlers never run, so the
//! stand-ins do nothing, or return what a page without a connection has.

#[cfg(feature = "browser")]
mod bell;
#[cfg(feature = "browser")]
mod browser;
#[cfg(feature = "browser")]
mod drawn;
#[cfg(feature = "browser")]
mod links;
#[cfg(any(feature = "browser", test))]
mod screens;
#[cfg(not(feature = "browser"))]
mod server;
#[cfg(feature = "browser")]
mod time;
#[cfg(feature = "browser")]
mod wall;

#[cfg(feature = "browser")]
pub(crate) use bell::*;
#[cfg(feature = "browser")]
pub(crate) use browser::*;
#[cfg(feature = "browser")]
pub(crate) use drawn::*;
#[cfg(feature = "browser")]
pub(crate) use links::*;
#[cfg(not(feature = "browser"))]
pub(crate) use server::*;
#[cfg(feature = "browser")]
pub(crate) use time::*;
#[cfg(feature = "browser")]
pub(crate) use wall::*;

/// A key that a wall knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "browser"), allow(dead_code))] // only a browser has keys
pub(crate) enum Key {
    Space,
    Left,
    Right,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FetchError {
    /// The session has ended.
    #[cfg_attr(not(feature = "browser"), allow(dead_code))] // only a browser asks
    LoggedOut,
    /// The server, or the network to it, is down.
    #[cfg_attr(not(feature = "browser"), allow(dead_code))] // only a browser asks
    Unreachable,
    /// The reason, for a person.
    Failed(String),
}

impl FetchError {
    /// The reason, for a person.
    pub(crate) fn words(self) -> String {
        match self {
            FetchError::LoggedOut => "the session is over".to_owned(),
            FetchError::Unreachable => "the server cannot be reached".to_owned(),
            FetchError::Failed(message) => message,
        }
    }
}

/// The error envelopes of hyperscope's API and of Prometheus' API.
#[cfg(any(feature = "browser", test))]
mod envelope {
    use model::tree::{Tree, read_json};

    use super::FetchError;

    /// The error in a response without success. A status from 502 to 504 without an envelope comes from a proxy that cannot reach the server.
    pub(super) fn error(status: u16, body: &str) -> FetchError {
        let member = |tree: &Tree, name: &str| {
            let mut members = tree.as_map()?.iter();
            members.find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value.clone())
        };
        let error = read_json::<Tree>(body).ok().and_then(|envelope| member(&envelope, "error"));
        let said = error.and_then(|error| member(&error, "message").unwrap_or(error).into_text().ok());
        match said {
            Some(message) => FetchError::Failed(message),
            None if matches!(status, 502..=504) => FetchError::Unreachable,
            None => FetchError::Failed(format!("the server answered with status {status}")),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::{FetchError, error};

        #[test]
        fn the_message_of_both_envelopes_is_read() {
            let failed = |message: &str| FetchError::Failed(message.to_owned());
            assert_eq!(error(404, r#"{"error":{"code":"not_found","message":"no such job"}}"#), failed("no such job"));
            let prometheus = r#"{"status":"error","errorType":"unavailable","error":"no engine"}"#;
            assert_eq!(error(503, prometheus), failed("no engine"), "the server is there");
            assert_eq!(error(500, "<html>"), failed("the server answered with status 500"));
        }

        #[test]
        fn an_error_of_a_proxy_means_that_the_server_is_unreachable() {
            for status in [502, 503, 504] {
                for body in ["<html><h1>Bad Gateway</h1></html>", "", "upstream connect error", "{}"] {
                    assert_eq!(error(status, body), FetchError::Unreachable, "{status} {body}");
                }
            }
        }
    }
}
