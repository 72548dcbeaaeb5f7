//! Our store and engine beside Prometheus: the same samples written remotely into both, then the same questions over HTTP.

mod data;
mod queries;
pub(crate) mod subject;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use self::data::Data;
use self::subject::Subject;
use crate::report;
use crate::row::Row;

/// What the figures are beside.
pub(crate) const PEER: &str = "Prometheus 2.42";
/// After loading, until memory is looked at: both clean up behind a load.
const REST: Duration = Duration::from_secs(90);

/// Most that may be asked of both.
pub(crate) struct Size {
    /// Steady series.
    pub(crate) series: usize,
    /// How long they go back.
    pub(crate) hours: i64,
}

/// Measures and writes the rows to `out`.
pub(crate) async fn measure(binary: &Path, prometheus: &Path, out: &Path, size: &Size) -> anyhow::Result<()> {
    // The client asks for one even where nothing is encrypted. Another one can only have been installed by ourselves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut ours = Subject::hyperscope(binary).await?;
    let mut theirs = Subject::prometheus(prometheus).await?;
    let data = Data::new(size.series, size.hours)?;
    let mut rows = Vec::new();

    println!("Writing {:.1} million samples into each of both", data.count() / 1e6);
    let (our_rate, their_rate) = load(&data, &ours, &theirs).await?;
    // Time for the same samples, so that less is better, as in every row.
    rows.push(Row::new("ingest: 1 M samples by remote write", 1e3 / our_rate, "ms").beside(PEER, 1e3 / their_rate));
    rows.push(Row::new("ingest: samples", our_rate * 1e6, "samples/s").beside(PEER, their_rate * 1e6));

    println!("Waiting {} s, for memory and disk", REST.as_secs());
    tokio::time::sleep(REST).await;
    let per_sample = |bytes: f64| bytes / data.count();
    let name = "resident, all of it, a sample";
    rows.push(Row::new(name, per_sample(ours.resident_bytes()?), "bytes").goal(4.0));
    rows.push(
        Row::new(name, per_sample(ours.resident_bytes()?), "bytes").beside(PEER, per_sample(theirs.resident_bytes()?)),
    );
    let name = "disk, all of it, a sample";
    rows.push(Row::new(name, per_sample(ours.disk_bytes()?), "bytes").goal(2.5));
    rows.push(Row::new(name, per_sample(ours.disk_bytes()?), "bytes").beside(PEER, per_sample(theirs.disk_bytes()?)));

    ours.kill_and_start().await.context("hyperscope after kill -9")?;
    theirs.kill_and_start().await.context("Prometheus after kill -9")?;
    rows.push(
        Row::new("start to ready after kill -9", ours.ready_after.as_secs_f64(), "s")
            .beside(PEER, theirs.ready_after.as_secs_f64()),
    );

    for query in queries::all(data.end_ms()) {
        rows.push(queries::compare(&query, &ours, &theirs).await?);
    }
    let ratios = rows.iter().filter(|row| row.name.starts_with("query: ")).filter_map(|row| row.ratio);
    let mut ratios: Vec<f64> = ratios.collect();
    rows.push(Row::new("queries: median of the ratios", crate::statistics::percentile(&mut ratios, 0.5), "").goal(1.0));
    ours.stop().await?;
    theirs.stop().await?;
    report::save(&rows, out)
}

/// Writes everything into both, a part of the time at a time, as no sample may be much older than others; gives millions of samples
/// a second of each.
async fn load(data: &Data, ours: &Subject, theirs: &Subject) -> anyhow::Result<(f64, f64)> {
    let (mut our_time, mut their_time) = (Duration::ZERO, Duration::ZERO);
    for band in data.bands() {
        let bodies = data.bodies(&band)?;
        our_time += ours.write(&bodies).await?;
        their_time += theirs.write(&bodies).await?;
    }
    let millions = data.count() / 1e6;
    Ok((millions / our_time.as_secs_f64(), millions / their_time.as_secs_f64()))
}
