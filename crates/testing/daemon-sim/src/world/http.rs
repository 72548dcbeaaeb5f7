//! Simulated requests of other clients: by route and status, with a latency distribution that has a tail.

use super::series::{Rows, Values};
use crate::{dice::Dice, number::real};

/// A route and its usual answers.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Path with placeholders for ids.
    pub(crate) path: &'static str,
    /// Share of the requests.
    weight: f64,
    /// Usual duration in seconds.
    median: f64,
    /// Statuses with their shares; the first is the usual one, and those from 500 on become more frequent in an
    /// incident.
    pub(crate) statuses: &'static [(u16, f64)],
}

/// Routes by position, as the rows of the series refer to them.
pub(crate) static ROUTES: [Route; 11] = [
    Route { method: "GET", path: "/health", weight: 0.20, median: 0.0012, statuses: &[(200, 1.0)] },
    Route { method: "GET", path: "/status", weight: 0.14, median: 0.0025, statuses: &[(200, 0.999), (503, 0.001)] },
    Route {
        method: "GET",
        path: "/jobs/query",
        weight: 0.17,
        median: 0.012,
        statuses: &[(200, 0.996), (401, 0.002), (500, 0.002)],
    },
    Route {
        method: "POST",
        path: "/jobs/query",
        weight: 0.06,
        median: 0.011,
        statuses: &[(200, 0.985), (400, 0.013), (500, 0.002)],
    },
    Route {
        method: "GET",
        path: "/jobs/{id}",
        weight: 0.14,
        median: 0.004,
        statuses: &[(200, 0.986), (404, 0.012), (500, 0.002)],
    },
    Route {
        method: "GET",
        path: "/jobs/progress/{id}",
        weight: 0.13,
        median: 0.0035,
        statuses: &[(200, 0.99), (404, 0.009), (500, 0.001)],
    },
    Route {
        method: "GET",
        path: "/jobs/logs/{id}",
        weight: 0.04,
        median: 0.006,
        statuses: &[(200, 0.98), (404, 0.02)],
    },
    Route {
        method: "POST",
        path: "/jobs/submit",
        weight: 0.03,
        median: 0.018,
        statuses: &[(200, 0.975), (400, 0.018), (500, 0.007)],
    },
    Route { method: "POST", path: "/jobs/cancel", weight: 0.005, median: 0.006, statuses: &[(200, 0.97), (400, 0.03)] },
    Route { method: "GET", path: "/metrics", weight: 0.055, median: 0.007, statuses: &[(200, 1.0)] },
    Route {
        method: "GET",
        path: "/vms/list",
        weight: 0.03,
        median: 0.17,
        statuses: &[(200, 0.97), (500, 0.02), (503, 0.01)],
    },
];

/// A simulated request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Request {
    /// Position in [`ROUTES`].
    pub(crate) route: usize,
    /// Position in the route's statuses.
    pub(crate) status: usize,
    /// Duration.
    pub(crate) seconds: f64,
}

/// Sums over all requests.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Traffic {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) seconds: f64,
}

impl Traffic {
    /// Generates the requests of a tick of `tick_seconds` at `rate` requests per second; `strain` is 1 normally and
    /// grows in an incident.
    pub(crate) fn tick(
        &mut self,
        dice: &mut Dice,
        (rows, values): (&Rows, &mut Values),
        rate: f64,
        tick_seconds: f64,
        strain: f64,
        mut each: impl FnMut(Request),
    ) {
        for _ in 0..dice.poisson(rate * tick_seconds) {
            let request = draw(dice, strain);
            let failed = ROUTES
                .get(request.route)
                .and_then(|route| route.statuses.get(request.status))
                .is_some_and(|(status, _)| *status >= 400);
            self.requests += 1;
            self.errors += u64::from(failed);
            self.seconds += request.seconds;
            values.add(rows.requests(request.route, request.status), 1.0);
            values.observe(rows.latency(request.route), request.seconds);
            if failed {
                values.add(rows.http_errors, 1.0);
            }
            each(request);
        }
    }
}

fn draw(dice: &mut Dice, strain: f64) -> Request {
    let weights: f64 = ROUTES.iter().map(|route| route.weight).sum();
    let mut left = dice.unit() * weights;
    let mut chosen = (0, &ROUTES[0]);
    for (position, route) in ROUTES.iter().enumerate() {
        chosen = (position, route);
        left -= route.weight;
        if left < 0.0 {
            break;
        }
    }
    let (position, route) = chosen;
    let status = pick_status(dice, route, strain);
    let mut seconds = dice.log_normal(route.median, 0.55) * strain;
    if dice.chance(0.012) {
        seconds *= dice.between(6.0, 40.0);
    }
    Request { route: position, status, seconds: seconds.min(30.0) }
}

fn pick_status(dice: &mut Dice, route: &Route, strain: f64) -> usize {
    let mut left = dice.unit();
    for (position, (status, share)) in route.statuses.iter().enumerate().rev() {
        left -= if *status >= 500 { share * (1.0 + 8.0 * (strain - 1.0)) } else { *share };
        if left < 0.0 {
            return position;
        }
    }
    0
}

/// Requests per second of users: more during the day, and more with more jobs.
pub(crate) fn rate(rhythm: f64, active: usize) -> f64 {
    6.0 * rhythm + 0.22 * real(active.min(200))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::series::canonical;

    #[test]
    fn traffic_has_a_tail_few_errors_and_more_of_both_under_strain() {
        let (table, rows) = canonical();
        let run = |strain: f64| {
            let mut values = Values::zero(&table);
            let mut traffic = Traffic::default();
            let mut dice = Dice::new(11);
            let mut latencies = Vec::new();
            for _ in 0..2_000 {
                traffic.tick(&mut dice, (&rows, &mut values), 10.0, 1.0, strain, |request| {
                    latencies.push(request.seconds)
                });
            }
            latencies.sort_by(f64::total_cmp);
            let p99 = latencies[latencies.len() * 99 / 100];
            (traffic, latencies[latencies.len() / 2], p99)
        };
        let (calm, median, p99) = run(1.0);
        assert!(calm.requests > 19_000 && median < 0.02 && p99 > 20.0 * median, "{calm:?} {median} {p99}");
        assert!(calm.errors * 100 < calm.requests * 2, "{calm:?}");
        let (strained, slower, _) = run(5.0);
        assert!(slower > 3.0 * median && strained.errors > 2 * calm.errors, "{strained:?}");
    }
}
