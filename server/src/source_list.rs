//! All sources of a server: daemons, engines, Alertmanagers, and our own store.

use collect::Upstreams;
use datasource::Engines;
use model::upstream::UpstreamStatus;
use notify::Notifier;

use crate::storage::Storage;

/// Collects the status of each source. Cheap to clone.
#[derive(Clone)]
pub struct SourceList {
    /// The daemons.
    pub upstreams: Upstreams,
    /// The engines; the remote ones are sources.
    pub engines: Engines,
    /// Knows the Alertmanagers.
    pub notifier: Notifier,
    /// The embedded store.
    pub storage: Storage,
}

impl SourceList {
    /// The daemons, then the remote engines, the Alertmanagers, and our own store.
    #[must_use]
    pub fn statuses(&self) -> Vec<UpstreamStatus> {
        let mut statuses = self.upstreams.statuses();
        statuses.extend(self.engines.statuses());
        statuses.extend(self.notifier.statuses());
        statuses.push(self.storage.source_status());
        statuses
    }
}
