//! Tokens, sessions and roles over real sockets: what gets in, and above all what does not.

mod api;
mod carriers;
mod login;
mod logins;
mod server;
mod sockets;
mod tokens;
