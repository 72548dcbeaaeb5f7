//! Live updates: what browsers see move.
//!
//! [`hub`] knows the topics and evaluates each distinct live query once; [`channel`] holds the subscribers of one topic;
//! [`update`] is one message, encoded once however many sockets it goes to; [`socket`] serves one browser over `/ws`, and
//! [`poll`] those that no socket reaches. Nothing here knows where jobs or samples come from.

mod correction_schedule;
mod corrections;
mod hub;
mod live_query;
mod message;
mod payers;
pub mod poll;
mod queue;
mod scoped;
mod starts;
mod topic;

pub use self::hub::{Hub, HubLimits, Sources, Subscription};
pub use self::message::Format;
pub use self::poll::{Poll, PollError, Room};
pub use self::queue::{Next, QueueSender};
pub use self::starts::StartLimit;
pub use self::topic::SnapshotSource;
