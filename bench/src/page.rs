//! A page, and the server at rest: start time, time to first byte, memory.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::{
    process::{Demo, TOKEN},
    rows::Rows,
    statistics::percentile,
};

/// Requests of each page.
const REQUESTS: usize = 200;
/// How long the demo runs before its memory is read.
const SETTLE: Duration = Duration::from_secs(120);

#[allow(clippy::cast_precision_loss)] // bytes, far below 2^53
pub(crate) async fn measure(binary: &Path, rows: &mut Rows) -> anyhow::Result<()> {
    let demo = Demo::start(binary).await?;
    let started = Instant::now();
    rows.add("demo, start to ready", demo.ready_after.as_secs_f64(), "s");
    let client = reqwest::Client::new();
    for path in ["/", "/jobs", "/system"] {
        let url = format!("{}{path}", demo.url);
        let mut times = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            let asked = Instant::now();
            let mut answer = client.get(&url).bearer_auth(TOKEN).send().await?.error_for_status()?;
            ensure!(answer.chunk().await?.is_some(), "{url} is empty");
            times.push(asked.elapsed().as_secs_f64() * 1_000.0);
            while answer.chunk().await?.is_some() {}
        }
        rows.add(&format!("time to first byte of {path}, p50"), percentile(&mut times, 0.5), "ms");
        rows.add(&format!("time to first byte of {path}, p99"), percentile(&mut times, 0.99), "ms");
    }
    tokio::time::sleep(SETTLE.saturating_sub(started.elapsed())).await;
    rows.add("demo, resident after 2 min", demo.resident_bytes()? as f64 / f64::from(1 << 20), "MiB");
    demo.stop().await
}
