//! What scraping decides, without I/O: from the response of a source to points for the store.
//!
//! A scrape loop waits for [`Ticker::due`], sends [`PageReader::request`], passes the response through
//! [`Endpoint::read`] to [`PageReader::read`], adds the series of [`report`] and the stale markers of
//! [`StalenessTracker`], and appends the points. [`TrackedStatus`] is the status that people see. Times and responses
//! are arguments.

mod endpoint;
mod page;
pub mod report;
mod staleness_tracker;
mod status;
mod ticker;

pub use endpoint::{Answer, CallError, Endpoint, Request, Response, instance};
pub use page::{PageLimits, PageReader, Scrape, ScrapeError};
pub use staleness_tracker::StalenessTracker;
pub use status::TrackedStatus;
pub use ticker::{Ticker, millis};
