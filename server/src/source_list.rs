//! All that a server takes data from, keeps it in, or hands alerts to.

use collect::Upstreams;
use datasource::Engines;
use model::upstream::UpstreamStatus;
use notify::Notifier;

use crate::storage::Storage;

/// Knows how each source is doing. A cheap handle.
#[derive(Clone)]
pub struct SourceList {
    /// The daemons.
    pub upstreams: Upstreams,
    /// The engines, of which those elsewhere are sources.
    pub engines: Engines,
    /// Hands alerts to Alertmanagers.
    pub notifier: Notifier,
    /// The embedded store.
    pub storage: Storage,
}

impl SourceList {
    /// The daemons, then the engines that are elsewhere, the Alertmanagers, and our own store.
    #[must_use]
    pub fn statuses(&self) -> Vec<UpstreamStatus> {
        let mut statuses = self.upstreams.statuses();
        statuses.extend(self.engines.statuses());
        statuses.extend(self.notifier.statuses());
        statuses.push(self.storage.source_status());
        statuses
    }
}
