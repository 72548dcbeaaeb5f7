//! Images of panels and dashboards: for `/render`, for `hyperscope render`, for notifications.
//!
//! [`data`] evaluates the queries, the app draws SVG, and the crate `picture` converts it to PNG. Drawing is CPU-bound:
//! it runs on separate threads, with limited concurrency and fair between tokens; when the queue is full, callers get
//! 503 with Retry-After. Images of alerts have their own limit, so that viewers cannot block them.

mod alert_image;
mod data;
mod draw;
mod notification_images;
pub mod params;
mod signed_links;
mod waiting;
pub mod zones;

pub use self::params::{PANEL, ParamsError};

use std::{sync::Arc, time::Duration};

use budget::{Budgets, Requester};
use datasource::{ErrorKind, ReadScheduler};

use crate::waiting::{Admitted, Begun};

pub use crate::{alert_image::AlertPictures, notification_images::AlertImages, signed_links::PictureLinks};
pub use crate::{
    data::narrowed,
    draw::{Format, RenderRequest, Subject},
};

/// Maximum number of queued images per concurrent image.
const WAITING: usize = 16;

/// Limits of images.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Maximum time in the queue.
    pub longest_wait: Duration,
    /// Maximum number of pixels per image.
    pub most_pixels: u64,
}

/// Draws images with limited concurrency. Cheap to clone.
#[derive(Clone)]
pub struct Pictures(Arc<Shared>);

struct Shared {
    begun: Begun,
    /// Schedules drawing.
    drawing: ReadScheduler,
    most_pixels: u64,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum PictureFailure {
    /// The queue is full.
    #[error("too many pictures are being drawn: come again in a moment")]
    Busy,
    /// It would exceed the memory limit.
    #[error("the picture would take too much memory: ask for less width or height, or raise limits.memory")]
    TooLarge,
    /// It would exceed the size limit.
    #[error(transparent)]
    Picture(#[from] picture::PictureError),
    /// Drawing panicked.
    #[error("the picture could not be drawn: see the server's log")]
    Broken,
}

impl Pictures {
    /// Draws `at_a_time` images concurrently, within the server's budgets.
    #[must_use]
    pub fn new(budgets: &Budgets, options: Options, at_a_time: usize) -> Self {
        Pictures(Arc::new(Shared {
            begun: Begun::new(at_a_time.saturating_mul(WAITING)),
            drawing: ReadScheduler::new(budgets, at_a_time, options.longest_wait),
            most_pixels: options.most_pixels,
        }))
    }

    /// Admits one more image, until the returned guard is dropped.
    pub fn begin(&self) -> Result<Admitted, PictureFailure> {
        self.0.begun.begin(Requester::current().account()).ok_or(PictureFailure::Busy)
    }

    /// The scheduler of drawing.
    #[must_use]
    pub fn drawing(&self) -> &ReadScheduler {
        &self.0.drawing
    }

    /// Maximum number of pixels per image.
    pub fn most_pixels(&self) -> u64 {
        self.0.most_pixels
    }

    /// Draws the image when it is its turn.
    pub async fn draw(&self, order: RenderRequest, format: Format) -> Result<Vec<u8>, PictureFailure> {
        let most_pixels = self.0.most_pixels;
        let cost = order.cost(format);
        let drawn = self.0.drawing.read(cost, move || order.draw(format, most_pixels)).await;
        drawn.map_err(|error| match error.kind {
            ErrorKind::Busy | ErrorKind::TooMany => PictureFailure::Busy,
            ErrorKind::Execution => PictureFailure::TooLarge,
            _ => PictureFailure::Broken,
        })?
    }
}
