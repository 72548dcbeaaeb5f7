//! The live protocol of a whole server: the guarantees for clients of `/ws` and `/api/live`.

mod crowd;
mod ends;
mod events;
mod forms;
mod poll;
mod queries;
mod resume;

use crate::common::{Server, Simulator, eventually};
use serde_json::Value;

/// A server connected to a daemon in which only the test causes events.
struct Rig {
    simulator: Simulator,
    server: Server,
}

impl Rig {
    async fn start() -> Self {
        let simulator = Simulator::start("documented", &["--jobs-per-minute", "0"]).await;
        let daemon = simulator.named("sim");
        let server = Server::serve(&["--daemon-url", &daemon, "--scrape-interval", "1s"]).await;
        let rig = Rig { simulator, server };
        rig.is_followed().await;
        rig
    }

    /// Waits until the daemon's events and samples arrive.
    async fn is_followed(&self) {
        eventually("a live link", async || {
            let sources = self.server.json("/api/upstreams").await;
            (sources["upstreams"][0]["state"] == "live").then_some(())
        })
        .await;
        eventually("a scrape", async || (!self.server.query("up").await.is_empty()).then_some(())).await;
    }
}

/// The times of all series of a frame, in milliseconds.
fn times(frame: &Value) -> Vec<i64> {
    let series = frame["series"].as_array().unwrap();
    series.iter().flat_map(|series| series["timestamps"].as_array().unwrap()).map(|ms| ms.as_i64().unwrap()).collect()
}
