//! Live updates for browsers.
//!
//! [`hub`] has all topics and evaluates each distinct live query once; [`topic`] holds the subscribers of one topic;
//! [`message`] is one update, encoded once for all sockets; [`queue`] is the bounded queue of one socket; [`poll`] is
//! the long-poll fallback for browsers without a socket. Nothing here knows where jobs or samples come from.

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
pub use self::queue::{Next, QueueReceiver, QueueSender};
pub use self::starts::StartLimit;
pub use self::topic::SnapshotSource;
