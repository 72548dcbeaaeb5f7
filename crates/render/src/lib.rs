//! Pictures of panels and dashboards: for `/render`, for `hyperscope render`, for messages.
//!
//! [`data`] asks the queries, the app draws SVG, the crate `picture` makes PNG of it. Drawing is work for the processor: it is done
//! on threads for that, a few at a time and fair between tokens, and who comes when too many wait is told to come again. Pictures of
//! alerts have a share of their own, so that no viewer keeps a message without one.

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

/// For each picture that is drawn, so many may wait.
const WAITING: usize = 16;

/// What pictures may take.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Longest wait for its turn.
    pub longest_wait: Duration,
    /// Most pixels of one picture.
    pub most_pixels: u64,
}

/// Draws pictures, a few at a time. A cheap handle.
#[derive(Clone)]
pub struct Pictures(Arc<Shared>);

struct Shared {
    begun: Begun,
    /// Lets them be drawn.
    drawing: ReadScheduler,
    most_pixels: u64,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureFailure {
    /// Too many want one.
    #[error("too many pictures are being drawn: come again in a moment")]
    Busy,
    /// It would take more memory than one may.
    #[error("the picture would take too much memory: ask for less width or height, or raise limits.memory")]
    TooLarge,
    /// It would be too large.
    #[error(transparent)]
    Picture(#[from] picture::PictureError),
    /// The drawing broke off.
    #[error("the picture could not be drawn: see the server's log")]
    Broken,
}

impl Pictures {
    /// `at_a_time`, within the budgets of a server.
    #[must_use]
    pub fn new(budgets: &Budgets, options: Options, at_a_time: usize) -> Self {
        Pictures(Arc::new(Shared {
            begun: Begun::new(at_a_time.saturating_mul(WAITING)),
            drawing: ReadScheduler::new(budgets, at_a_time, options.longest_wait),
            most_pixels: options.most_pixels,
        }))
    }

    /// Lets one more begin, for as long as what is returned is kept.
    pub fn begin(&self) -> Result<Admitted, PictureFailure> {
        self.0.begun.begin(Requester::current().account()).ok_or(PictureFailure::Busy)
    }

    /// What lets them be drawn.
    #[must_use]
    pub fn drawing(&self) -> &ReadScheduler {
        &self.0.drawing
    }

    /// Most pixels of one picture.
    pub fn most_pixels(&self) -> u64 {
        self.0.most_pixels
    }

    /// Draws what was ordered, once it is its turn.
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
