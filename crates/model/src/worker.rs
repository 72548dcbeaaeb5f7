//! Messages between a page without a server and its worker, beside those of the live protocol. They are JSON; live messages
//! are bytes, as on a socket. Types with secrets have no `Debug`.

use serde::{Deserialize, Serialize};

/// A message of the page.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FromPage {
    /// The first message.
    Start(Start),
    /// The page wants the live protocol from its beginning.
    Connect,
    /// A request, as to a server.
    Request(Asked),
    /// The daemon's API key or session, as the viewer gave it.
    Use(Credentials),
    /// A user of the daemon, as the viewer typed it.
    Login(Login),
}

/// What a worker needs to begin.
#[derive(Serialize, Deserialize)]
pub struct Start {
    /// URLs where the daemon may be, the likeliest first.
    pub daemons: Vec<String>,
    /// URL of the file with dashboards and rules.
    pub site: String,
    /// What the viewer gave before a reload.
    pub credentials: Option<Credentials>,
    /// Whether samples are kept over a reload.
    pub keeps_history: bool,
}

/// A request of the page.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Returned with the reply.
    pub id: u32,
    /// Whether it is a POST request.
    pub is_post: bool,
    /// Path and query.
    pub path: String,
}

/// A user of the daemon.
#[derive(Serialize, Deserialize)]
pub struct Login {
    /// Name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// What opens a daemon that asks for it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Credentials {
    /// An API key.
    Key(String),
    /// The token of a session.
    Session(String),
}

/// A message to the page.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToPage {
    /// The answer to a request.
    Reply {
        /// ID of the request.
        id: u32,
        /// HTTP status.
        status: u16,
        /// JSON.
        body: String,
    },
    /// The daemon asks for a key or a login.
    Locked {
        /// In words.
        reason: String,
    },
    /// The daemon answers: the page may keep the credentials until the tab is closed.
    Unlocked {
        /// `None` if it asks for none.
        credentials: Option<Credentials>,
    },
    /// What is wrong with the daemon, in sentences; empty if nothing is.
    Notices {
        /// All of them.
        sentences: Vec<String>,
    },
    /// The bundle is broken: nothing will come.
    Broken {
        /// In words.
        reason: String,
    },
}
