//! The releases of other programs that the tests use.

/// The origin of the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peers {
    /// Debian 12: Prometheus 2.42, Alertmanager 0.25, VictoriaMetrics 1.79.
    Debian,
    /// The releases pinned in `peers/`; `scripts/test-peers.sh` puts these programs first in the path.
    Current,
}

impl Peers {
    /// The value of `HYPERSCOPE_PEERS`; Debian's releases by default.
    pub fn chosen() -> Self {
        match std::env::var("HYPERSCOPE_PEERS").as_deref() {
            Ok("current") => Peers::Current,
            Ok("debian" | "") | Err(_) => Peers::Debian,
            Ok(other) => panic!("HYPERSCOPE_PEERS is {other:?}, and neither \"current\" nor \"debian\""),
        }
    }
}
