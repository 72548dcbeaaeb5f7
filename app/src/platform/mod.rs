//! What the components want from where they run. The server has none of it: there, effects and event handlers never run,
//! and these functions answer as a page answers that is not connected to anything.

#[cfg(feature = "browser")]
mod bell;
#[cfg(feature = "browser")]
mod browser;
#[cfg(feature = "browser")]
mod drawn;
#[cfg(feature = "browser")]
mod links;
#[cfg(not(feature = "browser"))]
mod server;
#[cfg(feature = "browser")]
mod time;

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

/// Why an answer is not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FetchError {
    /// The session is over.
    #[cfg_attr(not(feature = "browser"), allow(dead_code))] // only a browser asks
    LoggedOut,
    /// Nobody answers: the server is gone, or the way to it.
    #[cfg_attr(not(feature = "browser"), allow(dead_code))] // only a browser asks
    Unreachable,
    /// What went wrong, in words for a person.
    Failed(String),
}

impl FetchError {
    /// What went wrong, in words for a person.
    pub(crate) fn words(self) -> String {
        match self {
            FetchError::LoggedOut => "the session is over".to_owned(),
            FetchError::Unreachable => "the server cannot be reached".to_owned(),
            FetchError::Failed(message) => message,
        }
    }
}

/// The error envelope of our API, and of Prometheus' API.
#[cfg(any(feature = "browser", test))]
mod envelope {
    use model::tree::{Tree, read_json};

    /// The message inside an answer that is not a success.
    pub(super) fn message(status: u16, body: &str) -> String {
        let member = |tree: &Tree, name: &str| {
            let mut members = tree.as_map()?.iter();
            members.find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value.clone())
        };
        let error = read_json::<Tree>(body).ok().and_then(|envelope| member(&envelope, "error"));
        let said = error.and_then(|error| member(&error, "message").unwrap_or(error).into_text().ok());
        said.unwrap_or_else(|| format!("the server answered with status {status}"))
    }

    #[cfg(test)]
    mod tests {
        use super::message;

        #[test]
        fn both_envelopes_give_their_message() {
            assert_eq!(message(404, r#"{"error":{"code":"not_found","message":"no such job"}}"#), "no such job");
            assert_eq!(message(400, r#"{"status":"error","errorType":"bad_data","error":"parse"}"#), "parse");
            assert_eq!(message(502, "<html>"), "the server answered with status 502");
        }
    }
}
