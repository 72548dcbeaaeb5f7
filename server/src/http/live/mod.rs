//! Live topics over sockets and by long poll.

pub(super) mod long_poll;
mod session;
mod socket;
pub(crate) mod upgrade;
