//! Live updates: what browsers see move.
//!
//! [`hub`] knows the topics and evaluates each distinct live query once; [`channel`] holds the subscribers of one topic;
//! [`update`] is one message, encoded once however many sockets it goes to; [`socket`] serves one browser over `/ws`, and
//! [`poll`] those that no socket reaches. Nothing here knows where jobs or samples come from.

pub mod channel;
mod correction_schedule;
mod corrections;
pub mod hub;
mod payers;
pub mod poll;
pub mod query_topic;
pub mod queue;
mod scoped;
pub mod starts;
pub mod update;
