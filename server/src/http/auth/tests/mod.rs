//! Tests of tokens, sessions and roles over real sockets: which requests are accepted, and which are refused.

mod api;
mod carriers;
mod login;
mod logins;
mod server;
mod sockets;
mod tokens;
