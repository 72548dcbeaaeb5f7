//! Compares our store and engine with Prometheus and others: writes the same samples to each by remote write, then runs
//! the same queries over HTTP.

mod data;
mod queries;
pub(crate) mod subject;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use self::data::Data;
use self::subject::Subject;
use crate::report;
use crate::row::Row;

/// Pause after loading before memory is measured: all servers clean up after a load.
const REST: Duration = Duration::from_secs(90);

/// The programs to compare with.
pub(crate) struct Peers {
    pub(crate) prometheus: Vec<PathBuf>,
    pub(crate) victoria_metrics: Vec<PathBuf>,
}

/// The amount of data.
pub(crate) struct Size {
    /// Number of steady series.
    pub(crate) series: usize,
    /// Their length in hours.
    pub(crate) hours: i64,
}

/// Measures and writes the rows to `out`.
pub(crate) async fn measure(binary: &Path, peers: &Peers, out: &Path, size: &Size) -> anyhow::Result<()> {
    // The client requires a crypto provider even without encryption. Installing it again fails, which is no error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut ours = Subject::hyperscope(binary).await?;
    let mut others = Vec::new();
    for binary in &peers.prometheus {
        others.push(Subject::prometheus(binary).await?);
    }
    for binary in &peers.victoria_metrics {
        others.push(Subject::victoria_metrics(binary).await?);
    }
    let data = Data::new(size.series, size.hours)?;
    let mut rows = Vec::new();

    println!("Writing {:.1} million samples into each of {}", data.count() / 1e6, 1 + others.len());
    let rates = load(&data, &ours, &others).await?;
    let (our_rate, their_rates) = rates.split_first().context("nothing was written")?;
    for (other, rate) in others.iter().zip(their_rates) {
        // Time per million samples, so that less is better, as in every row.
        let row = Row::new("ingest: 1 M samples by remote write", 1e3 / our_rate, "ms");
        rows.push(row.beside(&other.name, 1e3 / rate));
        rows.push(Row::new("ingest: samples", our_rate * 1e6, "samples/s").beside(&other.name, rate * 1e6));
    }

    println!("Waiting {} s, for memory and disk", REST.as_secs());
    tokio::time::sleep(REST).await;
    let per_sample = |bytes: f64| bytes / data.count();
    let row = Row::new("resident, all of it, a sample", per_sample(ours.resident_bytes()?), "bytes");
    rows.push(row.clone().goal(4.0));
    for other in &others {
        rows.push(row.clone().beside(&other.name, per_sample(other.resident_bytes()?)));
    }
    let row = Row::new("disk, all of it, a sample", per_sample(ours.disk_bytes()?), "bytes");
    rows.push(row.clone().goal(2.5));
    for other in &others {
        rows.push(row.clone().beside(&other.name, per_sample(other.disk_bytes()?)));
    }

    ours.kill_and_start().await.context("hyperscope after kill -9")?;
    for other in &mut others {
        other.kill_and_start().await.with_context(|| format!("{} after kill -9", other.name))?;
        let row = Row::new("start to ready after kill -9", ours.ready_after.as_secs_f64(), "s");
        rows.push(row.beside(&other.name, other.ready_after.as_secs_f64()));
    }

    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); others.len()];
    for query in queries::all(data.end_ms()) {
        for (row, ratios) in queries::compare(&query, &ours, &others).await?.into_iter().zip(&mut ratios) {
            ratios.extend(row.ratio);
            rows.push(row);
        }
    }
    for (other, ratios) in others.iter().zip(&mut ratios) {
        let name = format!("queries: median of the ratios to {}", other.name);
        rows.push(Row::new(&name, crate::statistics::percentile(ratios, 0.5), "").goal(1.0));
    }
    ours.stop().await?;
    for other in others {
        other.stop().await?;
    }
    report::save(&rows, out)
}

/// Writes all samples to each server, one part of the time range after another, because a sample must not be much older
/// than others. Returns millions of samples per second: ours, then the others'.
async fn load(data: &Data, ours: &Subject, others: &[Subject]) -> anyhow::Result<Vec<f64>> {
    let mut times = vec![Duration::ZERO; 1 + others.len()];
    for band in data.bands() {
        let bodies = data.bodies(&band)?;
        for (subject, time) in std::iter::once(ours).chain(others).zip(&mut times) {
            *time += subject.write(&bodies).await?;
        }
    }
    let millions = data.count() / 1e6;
    Ok(times.into_iter().map(|time| millions / time.as_secs_f64()).collect())
}
