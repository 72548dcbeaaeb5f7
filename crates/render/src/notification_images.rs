//! Images for notifications.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use notify::{AlertSubject, ImageRenderer};

use crate::{AlertPictures, PictureLinks};

/// Draws images of alerts and creates links to them.
#[derive(Clone)]
pub struct AlertImages {
    /// Draws them.
    pub pictures: AlertPictures,
    /// Creates signed links to them.
    pub links: PictureLinks,
}

impl ImageRenderer for AlertImages {
    fn draw<'a>(&'a self, subject: &'a AlertSubject) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        async { self.pictures.draw(subject).await.map_err(|error| error.to_string()) }.boxed()
    }

    fn link(&self, subject: &AlertSubject, now_ms: i64, life: Duration) -> Option<String> {
        self.links.make(subject.clone(), now_ms, life)
    }
}
