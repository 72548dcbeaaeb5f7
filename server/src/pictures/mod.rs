//! Pictures of panels and dashboards: for `/render`, for `hyperscope render`, for messages.
//!
//! [`data`] asks the queries, the app draws SVG, the crate `picture` makes PNG of it. Drawing is work for the processor: it is done
//! on threads for that, a few at a time, and who comes when too many wait is told to come again.

mod alert;
pub(crate) mod alone;
mod data;
mod draw;
mod link;
mod request;
pub mod routes;

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

pub use self::{alert::AlertPictures, link::PictureLinks};
pub(crate) use self::{
    alert::AlertSubject,
    data::narrowed,
    draw::{Format, Order},
};
use crate::config::Limits;

/// For each picture that is drawn, so many may wait.
const WAITING: usize = 16;

/// Draws pictures, a few at a time. A cheap handle.
#[derive(Clone)]
pub struct Pictures(Arc<Shared>);

struct Shared {
    /// Those who have begun: queries are asked, or a picture is drawn or waits for that.
    begun: Semaphore,
    /// Those who draw.
    drawing: Semaphore,
    most_pixels: u64,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureFailure {
    /// Too many want one.
    #[error("too many pictures are being drawn: come again in a moment")]
    Busy,
    /// It would be too large.
    #[error(transparent)]
    Picture(#[from] picture::PictureError),
    /// The drawing broke off.
    #[error("the picture could not be drawn: see the server's log")]
    Broken,
}

impl Pictures {
    /// Within the limits of a server.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Pictures(Arc::new(Shared {
            begun: Semaphore::new(limits.pictures.saturating_mul(WAITING)),
            drawing: Semaphore::new(limits.pictures),
            most_pixels: u64::try_from(limits.picture_pixels).unwrap_or(u64::MAX),
        }))
    }

    /// Lets one more begin, for as long as what is returned is kept.
    pub(crate) fn begin(&self) -> Result<SemaphorePermit<'_>, PictureFailure> {
        self.0.begun.try_acquire().map_err(|_| PictureFailure::Busy)
    }

    /// Most pixels of one picture.
    pub(crate) fn most_pixels(&self) -> u64 {
        self.0.most_pixels
    }

    /// Draws what was ordered, once it is its turn.
    pub(crate) async fn draw(&self, order: Order, format: Format) -> Result<Vec<u8>, PictureFailure> {
        // The semaphore is never closed.
        let _turn = self.0.drawing.acquire().await.map_err(|_| PictureFailure::Broken)?;
        let most_pixels = self.0.most_pixels;
        let drawn = tokio::task::spawn_blocking(move || order.draw(format, most_pixels)).await;
        drawn.map_err(|error| {
            tracing::error!(%error, "a picture broke off");
            PictureFailure::Broken
        })?
    }
}
