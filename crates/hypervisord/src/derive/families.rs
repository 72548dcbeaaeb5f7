//! What the derived series mean.

use exposition::{Metadata, page::Kind};

/// Type and meaning of each derived family.
pub fn metadata() -> Vec<Metadata> {
    [
        ("hypersdk_jobs_active", Kind::Gauge, "Jobs that run."),
        ("hypersdk_jobs_pending", Kind::Gauge, "Jobs that wait to start."),
        ("hypersdk_queue_length", Kind::Gauge, "Jobs that wait to start."),
        ("hypersdk_jobs_total", Kind::Counter, "Jobs that ended, by how."),
        ("hypersdk_jobs_completed_total", Kind::Counter, "Jobs that ended well."),
        ("hypersdk_jobs_failed_total", Kind::Counter, "Jobs that failed."),
        ("hypersdk_jobs_cancelled_total", Kind::Counter, "Jobs that were cancelled."),
        ("hypersdk_job_duration_seconds", Kind::Histogram, "Time from the start to the end of a job."),
        ("hypersdk_provider_jobs_total", Kind::Counter, "Jobs that were submitted."),
        ("hypersdk_provider_jobs_failed", Kind::Counter, "Jobs that failed."),
        ("hypersdk_export_bytes_total", Kind::Counter, "Bytes moved by jobs."),
        ("hypersdk_http_requests_total", Kind::Counter, "HTTP requests to the daemon."),
        ("hypersdk_http_errors_total", Kind::Counter, "HTTP requests that the daemon answered with an error."),
        ("hypersdk_http_response_time_seconds", Kind::Histogram, "Time that the daemon took to answer."),
        ("hypersdk_memory_bytes", Kind::Gauge, "Memory in use by the daemon."),
        ("hypersdk_cpu_usage", Kind::Gauge, "Processor use of the daemon in percent."),
        ("hypersdk_goroutines", Kind::Gauge, "Goroutines of the daemon."),
        ("hypersdk_websocket_clients", Kind::Gauge, "Open WebSocket connections of the daemon."),
        ("hypersdk_websocket_connections", Kind::Gauge, "Open WebSocket connections of the daemon."),
        ("hypersdk_connections", Kind::Gauge, "Open connections of the daemon, by kind."),
    ]
    .into_iter()
    .map(|(name, kind, help)| Metadata { name: name.to_owned(), kind, help: help.to_owned(), unit: String::new() })
    .collect()
}
