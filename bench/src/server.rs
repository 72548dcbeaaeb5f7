//! Measurements without a browser, with the release binary's demo.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::attack;
use crate::fanout::{self, FanOut};
use crate::process::Process;
use crate::report;
use crate::request;
use crate::row::Row;

/// Admin token of the measured demo in this run.
const TOKEN: &str = "benchmark-token-of-this-run-only-0123456789";
/// Pause before memory is measured.
const REST: Duration = Duration::from_secs(120);
/// Requests per page.
const REQUESTS: usize = 50;
/// The subscription of each socket of the fan-out: one point of six series per second.
const SUBSCRIPTION: &str = r#"{"type":"subscribe","id":1,"topic":"query","expr":"sum by (provider) (hypersdk_jobs_active)","window_ms":60000,"step_ms":1000}"#;

/// Measures and writes the rows to `out`.
pub(crate) async fn measure(binary: &Path, out: &Path, sockets: usize) -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let data_dir = data.path().to_str().context("the temporary directory's name is not UTF-8")?;
    let args = ["demo", "--listen", "127.0.0.1:0", "--data-dir", data_dir];
    let demo = Process::start(binary, &args, &[("HYPERSCOPE_ADMIN_TOKEN", TOKEN)]).await?;
    let started = Instant::now();
    let mut rows = vec![Row::new("demo: start to ready", demo.ready_after.as_secs_f64(), "s").goal(5.0)];

    rows.extend(bundle(&demo).await?);
    for (name, path) in [("overview", "/"), ("job performance", "/jobs"), ("system resources", "/system")] {
        rows.extend(page(&demo, name, path).await?);
    }

    println!("Waiting until the demo has run for {} s, for its memory", REST.as_secs());
    tokio::time::sleep_until((started + REST).into()).await;
    let resident = demo.resident_bytes()?;
    rows.push(Row::new("demo: resident after 2 min", resident / MIB, "MiB").goal(120.0 * 1e6 / MIB));

    println!("Opening {sockets} sockets on the demo, then on a bare server, half a minute each");
    let ours = fanout::measure(&demo, Some(TOKEN), Some(SUBSCRIPTION), sockets).await?;
    demo.stop().await?;
    let bare = Process::start(&std::env::current_exe()?, &["bare"], &[]).await?;
    let theirs = fanout::measure(&bare, None, None, sockets).await?;
    bare.stop().await?;
    rows.extend(fan_out(&ours, &theirs, sockets));
    rows.extend(attack::measure(binary).await?);
    report::save(&rows, out)
}

const MIB: f64 = 1024.0 * 1024.0;

/// Compressed sizes of a first visit's downloads.
async fn bundle(demo: &Process) -> anyhow::Result<Vec<Row>> {
    let page = request::get(&demo.address, "/", TOKEN, "identity").await?;
    let page = String::from_utf8_lossy(&page.body);
    let mut total = 0.0;
    let mut rows = Vec::new();
    for kind in ["wasm", "js", "css"] {
        let Some(path) = asset(&page, kind) else {
            bail!("the page refers to no .{kind} file: was the binary built with a bundle?")
        };
        let size = kibibytes(request::get(&demo.address, path, TOKEN, "br").await?.body.len());
        total += size;
        rows.push(Row::new(&format!("bundle: {kind}"), size, "KiB brotli"));
    }
    rows.push(Row::new("bundle: in all", total, "KiB brotli").goal(350.0));
    Ok(rows)
}

/// The first quoted path in `page` that ends with `.kind`.
fn asset<'a>(page: &'a str, kind: &str) -> Option<&'a str> {
    page.split(['"', '\''])
        .find(|part| part.starts_with('/') && part.rsplit_once('.').is_some_and(|(_, extension)| extension == kind))
}

/// Time to the first byte of a page, and its compressed size.
async fn page(demo: &Process, name: &str, path: &str) -> anyhow::Result<Vec<Row>> {
    let mut times: Vec<Duration> = Vec::with_capacity(REQUESTS);
    let mut size = 0;
    for _ in 0..REQUESTS {
        let answer = request::get(&demo.address, path, TOKEN, "br").await?;
        times.push(answer.first_byte);
        size = answer.body.len();
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1_000.0);
    let first_byte = Row::new(&format!("{name}: time to first byte, median"), median, "ms");
    Ok(vec![
        if path == "/" { first_byte.goal(30.0) } else { first_byte },
        Row::new(&format!("{name}: page, with its charts"), kibibytes(size), "KiB brotli"),
    ])
}

/// Our measurements beside those of the bare server.
fn fan_out(ours: &FanOut, theirs: &FanOut, sockets: usize) -> Vec<Row> {
    const PEER: &str = "bare axum broadcast";
    let name = |what| format!("live query, {sockets} sockets: {what}");
    vec![
        Row::new(&name("delay behind the first, p50"), ours.p50_ms, "ms").beside(PEER, theirs.p50_ms),
        Row::new(&name("delay behind the first, p99"), ours.p99_ms, "ms").beside(PEER, theirs.p99_ms),
        Row::new(&name("resident a socket"), ours.bytes_per_socket / 1024.0, "KiB")
            .beside(PEER, theirs.bytes_per_socket / 1024.0),
        Row::new(&name("messages delivered"), ours.delivered * 100.0, "%").beside(PEER, theirs.delivered * 100.0),
    ]
}

#[allow(clippy::cast_precision_loss)] // Sizes of files, far below 2^52.
fn kibibytes(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bundle_in_a_page() {
        let page =
            r#"<link href="/main-1.css"><script>import init from '/browser-1.js';init('/browser-1_bg.wasm')</script>"#;
        assert_eq!(asset(page, "css"), Some("/main-1.css"));
        assert_eq!(asset(page, "js"), Some("/browser-1.js"));
        assert_eq!(asset(page, "wasm"), Some("/browser-1_bg.wasm"));
        assert_eq!(asset(page, "png"), None);
    }
}
