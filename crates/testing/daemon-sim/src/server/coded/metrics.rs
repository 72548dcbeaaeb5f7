//! `/metrics` of the custom dialect: the names that the code declares; most of them never have samples.

use std::{fmt::Write, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};

use super::{
    super::{documented::compressed, shared::Shared},
    VERSION,
};
use crate::{
    metrics_text::{TextFormat, write_labels, write_value},
    number::{real_bytes, seconds},
    world::{LATENCY_BOUNDS, ROUTES, World},
};

/// Bounds of a histogram that is declared but never observed.
const DEFAULT_BOUNDS: [f64; 11] = LATENCY_BOUNDS;

pub(super) async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let encodings = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let text = shared.change(|world| write(world));
    compressed(TextFormat::Prometheus.content_type(), text, encodings)
}

fn write(world: &World) -> String {
    let mut text = Text(String::with_capacity(16 << 10));
    text.requests(world);
    text.head("hypersdk_active_jobs", "Number of currently active jobs", "gauge");
    text.sample("hypersdk_active_jobs", &[], 0.0);
    text.head("hypersdk_queued_jobs", "Number of queued jobs", "gauge");
    text.sample("hypersdk_queued_jobs", &[], 0.0);
    text.head("hypersdk_build_info", "Build information", "gauge");
    text.sample("hypersdk_build_info", &[("go_version", "go1.24"), ("version", VERSION)], 1.0);
    text.head("hypersdk_ovf_generation_duration_seconds", "Time to generate OVF files", "histogram");
    text.histogram("hypersdk_ovf_generation_duration_seconds", &[], &[0.0; DEFAULT_BOUNDS.len()], 0.0, 0.0);
    text.process(world);
    text.0
}

/// The text written so far.
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        write_labels(&mut self.0, labels.iter().copied());
        self.0.push(' ');
        write_value(&mut self.0, value);
        self.0.push('\n');
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], buckets: &[f64], sum: f64, count: f64) {
        let bounds = DEFAULT_BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (bound, within) in bounds.zip(buckets.iter().copied().chain([count])) {
            let mut labels = labels.to_vec();
            labels.push(("le", &bound));
            self.sample(&format!("{name}_bucket"), &labels, within);
        }
        self.sample(&format!("{name}_sum"), labels, sum);
        self.sample(&format!("{name}_count"), labels, count);
    }

    /// The only two families that the code updates, by raw path and with the status as text.
    fn requests(&mut self, world: &World) {
        let method = |route: usize| ROUTES.get(route).map_or("", |route| route.method);
        let name = "hypersdk_api_requests_total";
        self.head(name, "Total number of API requests", "counter");
        for (route, path, endpoint) in world.endpoints().iter() {
            for (status, count) in endpoint.by_status(route) {
                let text = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("");
                self.sample(name, &[("endpoint", path), ("method", method(route)), ("status_code", text)], count);
            }
        }
        let name = "hypersdk_api_request_duration_seconds";
        self.head(name, "API request duration in seconds", "histogram");
        for (route, path, endpoint) in world.endpoints().iter() {
            let labels = [("endpoint", path), ("method", method(route))];
            self.histogram(name, &labels, &endpoint.buckets, endpoint.sum, endpoint.count());
        }
    }

    /// The metrics that the client library adds.
    fn process(&mut self, world: &World) {
        let system = world.system();
        let traffic = world.traffic();
        let uptime = seconds(world.uptime_ms());
        let started = seconds(world.now_ms()) - uptime;
        let gauges = [
            ("go_goroutines", "Number of goroutines that currently exist.", real_bytes(system.goroutines)),
            ("go_memstats_alloc_bytes", "Number of bytes allocated in heap and currently in use.", system.heap),
            ("go_memstats_heap_alloc_bytes", "Number of heap bytes allocated and currently in use.", system.heap),
            ("go_memstats_stack_inuse_bytes", "Number of bytes in use by the stack allocator.", system.stack),
            ("go_memstats_sys_bytes", "Number of bytes obtained from system.", system.sys),
            ("process_max_fds", "Maximum number of open file descriptors.", 1_048_576.0),
            ("process_open_fds", "Number of open file descriptors.", 14.0 + real_bytes(system.http_connections)),
            ("process_resident_memory_bytes", "Resident memory size in bytes.", system.memory),
            ("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", started),
            ("process_virtual_memory_bytes", "Virtual memory size in bytes.", system.sys * 3.1),
            ("promhttp_metric_handler_requests_in_flight", "Current number of scrapes being served.", 1.0),
        ];
        for (name, help, value) in gauges {
            self.head(name, help, "gauge");
            self.sample(name, &[], value);
        }
        self.head("go_info", "Information about the Go environment.", "gauge");
        self.sample("go_info", &[("version", "go1.24")], 1.0);
        self.head("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "counter");
        self.sample("process_cpu_seconds_total", &[], uptime * 0.21 + traffic.seconds * 0.1);
        self.head("promhttp_metric_handler_requests_total", "Total number of scrapes by HTTP status code.", "counter");
        for (code, count) in [("200", uptime / 15.0), ("500", 0.0), ("503", 0.0)] {
            self.sample("promhttp_metric_handler_requests_total", &[("code", code)], count.floor());
        }
        self.head("go_gc_duration_seconds", "A summary of the pause duration of garbage collection cycles.", "summary");
        let pauses = [("0", 0.000_021), ("0.25", 0.000_06), ("0.5", 0.000_11), ("0.75", 0.000_2), ("1", 0.004_1)];
        for (quantile, pause) in pauses {
            self.sample("go_gc_duration_seconds", &[("quantile", quantile)], pause);
        }
        let collections = (uptime / 120.0).floor();
        self.sample("go_gc_duration_seconds_sum", &[], collections * 0.000_14);
        self.sample("go_gc_duration_seconds_count", &[], collections);
    }
}
