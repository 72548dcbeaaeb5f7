//! Which releases of other programs the tests run beside.

/// Where those programs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peers {
    /// Debian 12: Prometheus 2.42, Alertmanager 0.25, VictoriaMetrics 1.79.
    Debian,
    /// The releases pinned in `peers/`, of which `scripts/test-peers.sh` puts the programs first in the path.
    Current,
}

impl Peers {
    /// What `HYPERSCOPE_PEERS` says; Debian's where it says nothing.
    pub fn chosen() -> Self {
        match std::env::var("HYPERSCOPE_PEERS").as_deref() {
            Ok("current") => Peers::Current,
            Ok("debian" | "") | Err(_) => Peers::Debian,
            Ok(other) => panic!("HYPERSCOPE_PEERS is {other:?}, and neither \"current\" nor \"debian\""),
        }
    }
}
