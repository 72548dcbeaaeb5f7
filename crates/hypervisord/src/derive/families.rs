//! Metadata of the derived series.

use exposition::{Metadata, page::Kind};

/// Type and help text of each derived family.
pub(crate) fn metadata() -> Vec<Metadata> {
    [
        ("hypersdk_jobs_active", Kind::Gauge, "Running jobs."),
        ("hypersdk_jobs_pending", Kind::Gauge, "Pending jobs."),
        ("hypersdk_queue_length", Kind::Gauge, "Pending jobs."),
        ("hypersdk_jobs_total", Kind::Counter, "Ended jobs, by status."),
        ("hypersdk_jobs_completed_total", Kind::Counter, "Completed jobs."),
        ("hypersdk_jobs_failed_total", Kind::Counter, "Failed jobs."),
        ("hypersdk_jobs_cancelled_total", Kind::Counter, "Cancelled jobs."),
        ("hypersdk_job_duration_seconds", Kind::Histogram, "Run time of ended jobs."),
        ("hypersdk_provider_jobs_total", Kind::Counter, "Submitted jobs."),
        ("hypersdk_provider_jobs_failed", Kind::Counter, "Failed jobs."),
        ("hypersdk_export_bytes_total", Kind::Counter, "Bytes transferred by jobs."),
        ("hypersdk_http_requests_total", Kind::Counter, "HTTP requests to the daemon."),
        ("hypersdk_http_errors_total", Kind::Counter, "HTTP requests to the daemon that failed."),
        ("hypersdk_http_response_time_seconds", Kind::Histogram, "Response time of the daemon."),
        ("hypersdk_memory_bytes", Kind::Gauge, "Memory in use by the daemon."),
        ("hypersdk_cpu_usage", Kind::Gauge, "CPU usage of the daemon in percent."),
        ("hypersdk_goroutines", Kind::Gauge, "Goroutines of the daemon."),
        ("hypersdk_websocket_clients", Kind::Gauge, "Open WebSocket connections of the daemon."),
        ("hypersdk_websocket_connections", Kind::Gauge, "Open WebSocket connections of the daemon."),
        ("hypersdk_connections", Kind::Gauge, "Open connections of the daemon, by kind."),
    ]
    .into_iter()
    .map(|(name, kind, help)| Metadata { name: name.to_owned(), kind, help: help.to_owned(), unit: String::new() })
    .collect()
}
