//! The state of a daemon's process from its `/metrics`, for display while its WebSocket is down.

use timeseries::Point;

use crate::feed::SystemReading;

/// Metric names of each number, the documented one first.
const CPU: [&str; 1] = ["hypersdk_cpu_usage"];
const MEMORY: [&str; 2] = ["hypersdk_memory_bytes", "process_resident_memory_bytes"];
const GOROUTINES: [&str; 2] = ["hypersdk_goroutines", "go_goroutines"];
const CLIENTS: [&str; 2] = ["hypersdk_websocket_clients", "hypersdk_websocket_connections"];
const CONNECTIONS: &str = "hypersdk_connections";
/// A connection kind that is a limit rather than a number of connections.
const LIMIT_KIND: &str = "pool_max";

/// Reads the state from the points of one scrape. `None` if none of the metrics exist.
pub(crate) fn read(points: &[Point]) -> Option<SystemReading> {
    // For memory, the series without the label `type` is the total.
    let first = |names: &[&str]| {
        names.iter().find_map(|name| {
            let is_it = |point: &&Point| point.labels.metric_name() == *name && point.labels.get("type").is_empty();
            points.iter().find(is_it).map(|point| point.value).filter(|value| value.is_finite())
        })
    };
    let mut connections = points
        .iter()
        .filter(|point| point.labels.metric_name() == CONNECTIONS && point.labels.get("kind") != LIMIT_KIND)
        .map(|point| point.value)
        .peekable();
    let reading = SystemReading {
        cpu_percent: first(&CPU),
        memory_bytes: first(&MEMORY),
        goroutines: first(&GOROUTINES),
        connections: connections.peek().is_some().then(|| connections.sum()),
        websocket_clients: first(&CLIENTS),
    };
    (reading != SystemReading::default()).then_some(reading)
}

#[cfg(test)]
mod tests {
    use labels::Labels;

    use super::*;

    #[test]
    fn the_total_is_the_memory_and_a_limit_is_no_connection() {
        let point = |name: &str, label: (&str, &str), value| Point {
            labels: Labels::new([("__name__", name), label]),
            timestamp_ms: 0,
            value,
        };
        let points = [
            point("hypersdk_memory_bytes", ("type", "heap"), 1.0),
            point("hypersdk_memory_bytes", ("type", ""), 7.0),
            point("hypersdk_connections", ("kind", "http"), 2.0),
            point("hypersdk_connections", ("kind", "websocket"), 3.0),
            point("hypersdk_connections", ("kind", "pool_max"), 50.0),
        ];
        let reading = read(&points).unwrap();
        assert_eq!((reading.memory_bytes, reading.connections, reading.cpu_percent), (Some(7.0), Some(5.0), None));
        assert_eq!(read(&[]), None);
    }
}
