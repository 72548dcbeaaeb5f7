//! The canonical series: a table that never changes, and one value per row.

use std::sync::Arc;

use super::{
    http::ROUTES,
    job::{JobType, Status},
    provider::{PerProvider, Provider},
};

/// Upper bounds of the buckets of `hypersdk_job_duration_seconds`.
pub(crate) const DURATION_BOUNDS: [f64; 14] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0];
/// Upper bounds of the buckets of `hypersdk_http_response_time_seconds`.
pub(crate) const LATENCY_BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The results of jobs, in the order in which series list them.
pub(crate) const OUTCOMES: [Status; 3] = [Status::Completed, Status::Failed, Status::Cancelled];
/// Values of the label `type` of `hypersdk_memory_bytes`.
const MEMORY_TYPES: [&str; 3] = ["heap", "stack", "sys"];
/// Values of the label of `hypersdk_connections`.
const CONNECTION_KINDS: [&str; 4] = ["http", "websocket", "pool_active", "pool_max"];

/// Type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only increases, except for restarts.
    Counter,
    /// Increases and decreases.
    Gauge,
    /// Cumulative buckets, sum and count.
    Histogram,
}

/// A metric with all its series, which are consecutive in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Name without the suffixes of a histogram.
    pub name: &'static str,
    /// One sentence for `# HELP`.
    pub help: &'static str,
    /// Type.
    pub kind: MetricKind,
    /// Row of its first series.
    pub first: usize,
    /// Number of its series.
    pub len: usize,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Name with the suffix, as a sample has it.
    pub name: String,
    /// Labels in the order of their names, without `job` and `instance`.
    pub labels: Vec<(&'static str, String)>,
}

/// Every series of a world: row `i` here belongs to value `i` of a sample.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeriesTable {
    /// All series.
    pub series: Vec<Series>,
    /// The same series, grouped by metric.
    pub families: Vec<Family>,
}

/// A histogram's rows: one for each bound, then `+Inf`, sum, count.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Histogram {
    first: usize,
    bounds: &'static [f64],
}

/// Rows of the table by meaning.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    pub(crate) active: PerProvider<usize>,
    pub(crate) pending: PerProvider<usize>,
    pub(crate) queue: PerProvider<usize>,
    /// First of the rows by job type, and for each by result.
    jobs: PerProvider<usize>,
    completed: PerProvider<usize>,
    failed: PerProvider<usize>,
    cancelled: PerProvider<usize>,
    pub(crate) duration: PerProvider<Histogram>,
    pub(crate) submitted: PerProvider<usize>,
    pub(crate) provider_failed: PerProvider<usize>,
    pub(crate) bytes: PerProvider<usize>,
    /// First of the rows by route, and for each by status.
    requests: usize,
    pub(crate) http_errors: usize,
    latency: Vec<Histogram>,
    /// Total, heap, stack, sys.
    pub(crate) memory: usize,
    pub(crate) cpu: usize,
    pub(crate) goroutines: usize,
    pub(crate) websocket_clients: usize,
    pub(crate) websocket_connections: usize,
    /// HTTP, WebSocket, active pool, maximum pool.
    pub(crate) connections: usize,
}

impl Rows {
    pub(crate) fn outcome(&self, provider: Provider, outcome: Status) -> Option<usize> {
        match outcome {
            Status::Completed => Some(*self.completed.get(provider)),
            Status::Failed => Some(*self.failed.get(provider)),
            Status::Cancelled => Some(*self.cancelled.get(provider)),
            Status::Pending | Status::Running => None,
        }
    }

    pub(crate) fn jobs(&self, provider: Provider, job_type: JobType, outcome: Status) -> Option<usize> {
        let kind = JobType::ALL.iter().position(|kind| *kind == job_type)?;
        let end = OUTCOMES.iter().position(|status| *status == outcome)?;
        Some(self.jobs.get(provider) + kind * OUTCOMES.len() + end)
    }

    /// Row of the counter of `hypersdk_http_requests_total` for a status of a route, both by position in [`ROUTES`].
    pub(crate) fn requests(&self, route: usize, status: usize) -> usize {
        self.requests + ROUTES.iter().take(route).map(|route| route.statuses.len()).sum::<usize>() + status
    }

    /// The histogram of a route, by position in [`ROUTES`].
    pub(crate) fn latency(&self, route: usize) -> Histogram {
        self.latency.get(route).copied().unwrap_or_default()
    }

    /// The histograms of all routes.
    pub(crate) fn latencies(&self) -> &[Histogram] {
        &self.latency
    }
}

/// The values of all series.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    values: Vec<f64>,
}

impl Values {
    pub(crate) fn zero(table: &SeriesTable) -> Self {
        Values { values: vec![0.0; table.series.len()] }
    }

    pub(crate) fn all(&self) -> &[f64] {
        &self.values
    }

    pub(crate) fn get(&self, row: usize) -> f64 {
        self.values.get(row).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn set(&mut self, row: usize, value: f64) {
        if let Some(slot) = self.values.get_mut(row) {
            *slot = value;
        }
    }

    pub(crate) fn add(&mut self, row: usize, value: f64) {
        if let Some(slot) = self.values.get_mut(row) {
            *slot += value;
        }
    }

    pub(crate) fn observe(&mut self, histogram: Histogram, value: f64) {
        let buckets = histogram.bounds.len();
        for (bucket, bound) in histogram.bounds.iter().enumerate() {
            if value <= *bound {
                self.add(histogram.first + bucket, 1.0);
            }
        }
        self.add(histogram.first + buckets, 1.0);
        self.add(histogram.first + buckets + 1, value);
        self.add(histogram.first + buckets + 2, 1.0);
    }

    /// Observations so far: within each bound, then in total.
    pub(crate) fn buckets(&self, histogram: Histogram) -> impl Iterator<Item = f64> + '_ {
        (0..=histogram.bounds.len()).map(move |bucket| self.get(histogram.first + bucket))
    }
}

/// The table of the canonical series, and their rows by meaning.
pub(crate) fn canonical() -> (Arc<SeriesTable>, Rows) {
    use MetricKind::{Counter, Gauge, Histogram as Histo};
    let mut t = Builder::default();
    let mut rows = Rows {
        active: t.by_provider("hypersdk_jobs_active", "Jobs that run now.", Gauge),
        pending: t.by_provider("hypersdk_jobs_pending", "Jobs that wait for a slot.", Gauge),
        queue: t.by_provider("hypersdk_queue_length", "Length of the queue.", Gauge),
        jobs: {
            t.family("hypersdk_jobs_total", "Jobs that ended, each counted once.", Counter);
            PerProvider::new(|provider| {
                let first = t.next();
                for kind in JobType::ALL {
                    for outcome in OUTCOMES {
                        t.row(
                            "",
                            &[("job_type", kind.name()), ("provider", provider.name()), ("status", outcome.name())],
                        );
                    }
                }
                first
            })
        },
        completed: t.by_provider("hypersdk_jobs_completed_total", "Jobs that ended well.", Counter),
        failed: t.by_provider("hypersdk_jobs_failed_total", "Jobs that failed.", Counter),
        cancelled: t.by_provider("hypersdk_jobs_cancelled_total", "Jobs that were cancelled.", Counter),
        duration: {
            t.family("hypersdk_job_duration_seconds", "From a job's start to its end.", Histo);
            PerProvider::new(|provider| t.histogram(&[("provider", provider.name())], &DURATION_BOUNDS))
        },
        submitted: t.by_provider("hypersdk_provider_jobs_total", "Jobs submitted.", Counter),
        provider_failed: t.by_provider("hypersdk_provider_jobs_failed", "Jobs that failed.", Counter),
        bytes: t.by_provider("hypersdk_export_bytes_total", "Bytes moved by jobs.", Counter),
        ..Rows::default()
    };
    t.family("hypersdk_http_requests_total", "HTTP requests answered.", Counter);
    rows.requests = t.next();
    for route in &ROUTES {
        for (status, _) in route.statuses {
            t.row("", &[("method", route.method), ("path", route.path), ("status", &status.to_string())]);
        }
    }
    t.family("hypersdk_http_errors_total", "HTTP requests answered with a status of 400 or more.", Counter);
    rows.http_errors = t.row("", &[]);
    t.family("hypersdk_http_response_time_seconds", "Time to answer a request.", Histo);
    rows.latency =
        ROUTES.iter().map(|r| t.histogram(&[("method", r.method), ("path", r.path)], &LATENCY_BOUNDS)).collect();
    t.family("hypersdk_memory_bytes", "Memory in use: in all, and by type.", Gauge);
    rows.memory = t.row("", &[]);
    for kind in MEMORY_TYPES {
        t.row("", &[("type", kind)]);
    }
    rows.cpu = t.gauge("hypersdk_cpu_usage", "Processor use, percent.");
    rows.goroutines = t.gauge("hypersdk_goroutines", "Goroutines.");
    rows.websocket_clients = t.gauge("hypersdk_websocket_clients", "Clients of the live feed.");
    rows.websocket_connections = t.gauge("hypersdk_websocket_connections", "Open WebSocket connections.");
    t.family("hypersdk_connections", "Connections by kind.", Gauge);
    rows.connections = t.next();
    for kind in CONNECTION_KINDS {
        t.row("", &[("kind", kind)]);
    }
    (Arc::new(t.table), rows)
}

/// Appends rows to a table.
#[derive(Default)]
struct Builder {
    table: SeriesTable,
}

impl Builder {
    fn next(&self) -> usize {
        self.table.series.len()
    }

    fn family(&mut self, name: &'static str, help: &'static str, kind: MetricKind) {
        self.table.families.push(Family { name, help, kind, first: self.next(), len: 0 });
    }

    /// Adds a series to the last family.
    fn row(&mut self, suffix: &str, labels: &[(&'static str, &str)]) -> usize {
        let row = self.next();
        if let Some(family) = self.table.families.last_mut() {
            family.len += 1;
            self.table.series.push(Series {
                name: format!("{}{suffix}", family.name),
                labels: labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            });
        }
        row
    }

    fn gauge(&mut self, name: &'static str, help: &'static str) -> usize {
        self.family(name, help, MetricKind::Gauge);
        self.row("", &[])
    }

    fn by_provider(&mut self, name: &'static str, help: &'static str, kind: MetricKind) -> PerProvider<usize> {
        self.family(name, help, kind);
        PerProvider::new(|provider| self.row("", &[("provider", provider.name())]))
    }

    fn histogram(&mut self, labels: &[(&'static str, &str)], bounds: &'static [f64]) -> Histogram {
        let first = self.next();
        for bound in bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]) {
            let mut with_bound = vec![("le", bound.as_str())];
            with_bound.extend_from_slice(labels);
            self.row("_bucket", &with_bound);
        }
        self.row("_sum", labels);
        self.row("_count", labels);
        Histogram { first, bounds }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_series_is_unique_and_its_labels_are_sorted() {
        let (table, _) = canonical();
        let mut seen = HashSet::new();
        for series in &table.series {
            assert!(series.labels.is_sorted(), "{series:?}");
            assert!(seen.insert((series.name.clone(), series.labels.clone())), "{series:?} twice");
        }
        assert_eq!(table.families.iter().map(|family| family.len).sum::<usize>(), table.series.len());
    }

    #[test]
    fn observing_fills_the_buckets_from_the_value_up() {
        let (table, rows) = canonical();
        let mut values = Values::zero(&table);
        let histogram = *rows.duration.get(Provider::Gcp);
        values.observe(histogram, 300.0);
        values.observe(histogram, 1e9);
        let buckets: Vec<f64> = values.buckets(histogram).collect();
        assert_eq!(buckets.len(), 15);
        assert_eq!(buckets[8..], [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0]);
        assert!((values.get(histogram.first + 15) - 1_000_000_300.0).abs() < 1e-3);
    }
}
