//! The world as numbers: the values of all series, now or over hours of history.

use std::sync::Arc;

use super::{Provider, SeriesTable, Status, World, provider::PerProvider};
use crate::number::{milliseconds, real, real_bytes};

impl World {
    /// The series of [`World::sample`]. The table never changes, so look up each series once.
    #[must_use]
    pub fn table(&self) -> Arc<SeriesTable> {
        Arc::clone(&self.table)
    }

    /// The current values of all series, in the order of [`World::table`].
    pub fn sample(&mut self) -> &[f64] {
        let mut running = PerProvider::<usize>::default();
        let mut pending = PerProvider::<usize>::default();
        for job in &self.active {
            match job.status {
                Status::Pending => *pending.get_mut(job.provider) += 1,
                _ => *running.get_mut(job.provider) += 1,
            }
        }
        let system = self.system();
        let (rows, values) = (&self.rows, &mut self.values);
        for provider in Provider::ALL {
            values.set(*rows.active.get(provider), real(*running.get(provider)));
            values.set(*rows.pending.get(provider), real(*pending.get(provider)));
            values.set(*rows.queue.get(provider), real(*pending.get(provider)));
        }
        let gauges = [
            (rows.memory, system.memory),
            (rows.memory + 1, system.heap),
            (rows.memory + 2, system.stack),
            (rows.memory + 3, system.sys),
            (rows.cpu, system.cpu_percent),
            (rows.goroutines, real_bytes(system.goroutines)),
            (rows.websocket_clients, real_bytes(system.sockets)),
            (rows.websocket_connections, real_bytes(system.sockets)),
            (rows.connections, real_bytes(system.http_connections)),
            (rows.connections + 1, real_bytes(system.sockets)),
            (rows.connections + 2, real_bytes(system.pool_active)),
            (rows.connections + 3, real_bytes(system.pool_max)),
        ];
        for (row, value) in gauges {
            values.set(row, value);
        }
        self.values.all()
    }

    /// Generates history: advances by `hours`, and calls `each` every `step_seconds` with the time in milliseconds
    /// since the Unix epoch and the values of all series, in the order of [`World::table`]. Events of that time are
    /// dropped. Afterwards the world continues from there.
    pub fn run_history(&mut self, hours: f64, step_seconds: u32, mut each: impl FnMut(i64, &[f64])) {
        let step_ms = i64::from(step_seconds.max(1)) * 1000;
        let end_ms = self.now_ms + milliseconds(hours.max(0.0) * 3600.0);
        let mut next_ms = self.now_ms + step_ms;
        while next_ms <= end_ms {
            self.advance_to(next_ms);
            self.events.clear();
            each(next_ms, self.sample());
            next_ms += step_ms;
        }
    }
}
