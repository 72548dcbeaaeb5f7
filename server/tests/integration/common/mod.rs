//! Whole programs under test: started as a user starts them, on free ports of loopback, with their own directories.

mod engine_stub;
mod nginx;
mod peers;
mod process;
mod prometheus;
mod sender;
mod server;
mod simulator;
mod socket;

use std::time::Duration;

pub use engine_stub::EngineStub;
pub use nginx::Nginx;
pub use peers::Peers;
pub use process::Program;
pub use prometheus::Prometheus;
pub use sender::{body, series, with_body, write};
pub use server::{Server, TOKEN, arguments, client, launch, token, viewer};
pub use simulator::Simulator;
pub use socket::Live;

/// The program under test.
pub const HYPERSCOPE: &str = env!("CARGO_BIN_EXE_hyperscope");

/// Timeout of every wait; far more than a busy machine needs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Calls repeatedly until there is a result.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// Now, in milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// A directory in memory if the system has one: for tests that cannot wait for a disk.
pub fn in_memory() -> tempfile::TempDir {
    tempfile::TempDir::new_in("/dev/shm").or_else(|_| tempfile::TempDir::new()).unwrap()
}

/// A currently free port of loopback, for programs that cannot choose one themselves.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
