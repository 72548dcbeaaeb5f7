//! Requests by raw path, ids included: the labels of the coded daemon's own metrics.

use std::collections::BTreeMap;

use super::{
    http::{ROUTES, Request},
    series::LATENCY_BOUNDS,
};
use crate::number::real;

/// Maximum number of stored paths; requests to other paths are not recorded. The real daemon has no such limit.
const PATH_LIMIT: usize = 2_000;

/// Requests to one path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endpoint {
    /// Counts by position in the route's statuses.
    statuses: Vec<f64>,
    /// Requests within each bound.
    pub(crate) buckets: [f64; LATENCY_BOUNDS.len()],
    /// Total duration of all requests in seconds.
    pub(crate) sum: f64,
}

impl Endpoint {
    /// Number of requests.
    pub(crate) fn count(&self) -> f64 {
        self.statuses.iter().sum()
    }

    /// Requests by status, without statuses that never occurred.
    pub(crate) fn by_status(&self, route: usize) -> impl Iterator<Item = (u16, f64)> + '_ {
        let statuses = ROUTES.get(route).map_or(&[][..], |route| route.statuses);
        statuses.iter().map(|(status, _)| *status).zip(self.statuses.iter().copied()).filter(|(_, count)| *count > 0.0)
    }
}

/// Requests by position of the route in [`ROUTES`] and by raw path.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    paths: BTreeMap<(usize, String), Endpoint>,
}

impl Endpoints {
    /// Counts a request; `id` replaces the id in the route's path.
    pub(super) fn record(&mut self, request: Request, id: &str) {
        let Some(route) = ROUTES.get(request.route) else { return };
        let key = (request.route, route.path.replace("{id}", id));
        if self.paths.len() >= PATH_LIMIT && !self.paths.contains_key(&key) {
            return;
        }
        let endpoint = self.paths.entry(key).or_default();
        endpoint.statuses.resize(route.statuses.len(), 0.0);
        if let Some(count) = endpoint.statuses.get_mut(request.status) {
            *count += 1.0;
        }
        for (count, bound) in endpoint.buckets.iter_mut().zip(LATENCY_BOUNDS) {
            *count += real(usize::from(request.seconds <= bound));
        }
        endpoint.sum += request.seconds;
    }

    /// Position of the route in [`ROUTES`], raw path, and the requests of each path.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &str, &Endpoint)> {
        self.paths.iter().map(|((route, path), endpoint)| (*route, path.as_str(), endpoint))
    }
}
