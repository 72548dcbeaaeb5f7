//! Metrics of the machine and this process, with the names of Prometheus' node exporter and process collector.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::{Kind, Metric};

/// Reads the machine's state; caches values for differences.
pub(crate) struct Host {
    /// `None` if the system is not supported.
    system: Option<System>,
    pid: Option<Pid>,
}

impl Default for Host {
    fn default() -> Self {
        Host { system: System::new().ok(), pid: sysinfo::get_current_pid().ok() }
    }
}

impl Host {
    #[allow(clippy::cast_precision_loss)] // bytes and seconds, far below 2^53
    pub(crate) fn gather(&mut self, metrics: &mut Vec<Metric>) {
        let Some(system) = &mut self.system else { return };
        let mut gauge = |name, help, value| metrics.push(Metric { name, help, kind: Kind::Gauge, value });
        system.refresh_memory();
        system.refresh_cpu_usage();
        gauge("node_memory_MemTotal_bytes", "Memory of the machine.", system.total_memory() as f64);
        gauge("node_memory_MemAvailable_bytes", "Available memory of the machine.", system.available_memory() as f64);
        if let Ok(load) = System::load_average() {
            gauge("node_load1", "Load of the machine over one minute.", load.one);
        }
        gauge(
            "hyperscope_host_cpu_percent",
            "CPU usage of the machine since the last reading, 0 to 100.",
            f64::from(system.global_cpu_usage()),
        );
        let Some(pid) = self.pid else { return };
        system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[pid]),
            false,
            ProcessRefreshKind::nothing().with_memory().with_cpu(),
        );
        let Some(process) = system.process(pid) else { return };
        gauge("process_resident_memory_bytes", "Memory of this process.", process.memory() as f64);
        gauge(
            "process_start_time_seconds",
            "When this process started, in seconds since the Unix epoch.",
            process.start_time() as f64,
        );
        let cpu_secs = process.accumulated_cpu_time() as f64 / 1_000.0;
        metrics.push(Metric {
            name: "process_cpu_seconds_total",
            help: "CPU time of this process.",
            kind: Kind::Counter,
            value: cpu_secs,
        });
    }
}
