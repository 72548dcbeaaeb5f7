//! Which jobs, alerts and sources a token may see: those whose labels prove that they are in its scope.
//!
//! Lists of them are passed as [`Restricted`]. Only a [`Scope`] can turn that into [`Visible`] data; or
//! [`Restricted::for_all`], for data that is not shown to a token. So a handler that forgets the scope does not
//! compile.

use std::ops::Deref;

use model::{Labelled, live::SnapshotData};
use serde::Serialize;

use crate::Scope;

/// Data of which a token with matchers may see a part only.
///
/// With a scope it is read and written:
///
/// ```
/// # use access::{Restricted, Scope};
/// # use model::job::Job;
/// fn answer(jobs: Restricted<Vec<Job>>, scope: &Scope) -> String {
///     let jobs = jobs.visible_to(scope);
///     let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
///     format!("{names:?} {}", serde_json::to_string(&jobs).unwrap())
/// }
/// ```
///
/// What forgets the scope does not build, neither where it reads
///
/// ```compile_fail
/// # use access::Restricted;
/// # use model::job::Job;
/// fn names(jobs: Restricted<Vec<Job>>) -> Vec<String> {
///     jobs.iter().map(|job| job.name.clone()).collect()
/// }
/// ```
///
/// nor where it writes:
///
/// ```compile_fail
/// # use access::Restricted;
/// # use model::job::Job;
/// fn answer(jobs: Restricted<Vec<Job>>) -> String {
///     serde_json::to_string(&jobs).unwrap()
/// }
/// ```
#[derive(Clone)]
pub struct Restricted<T>(T);

impl<T> Restricted<T> {
    /// Restricts access to `all`.
    pub fn new(all: T) -> Self {
        Restricted(all)
    }

    /// All of it, for data that is not shown to a token: publishing with a later filter, sums, health.
    pub fn for_all(self) -> T {
        self.0
    }

    /// Converts the data.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Restricted<U> {
        Restricted(change(self.0))
    }
}

impl<T: Labelled> Restricted<Vec<T>> {
    /// The items that are in the scope.
    #[must_use]
    pub fn visible_to(self, scope: &Scope) -> Visible<Vec<T>> {
        let mut items = self.0;
        items.retain(|item| is_visible(scope, item));
        Visible(items)
    }
}

impl<T: Labelled> Restricted<Option<T>> {
    /// The item, if it is in the scope.
    #[must_use]
    pub fn visible_to(self, scope: &Scope) -> Visible<Option<T>> {
        Visible(self.0.filter(|item| is_visible(scope, item)))
    }
}

/// What a token may see. Only a [`Scope`] makes one; nobody can claim that something is visible:
///
/// ```compile_fail
/// # use access::Visible;
/// # use model::job::Job;
/// fn seen(jobs: Vec<Job>) -> Visible<Vec<Job>> {
///     Visible(jobs)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Visible<T>(T);

impl<T> Visible<T> {
    /// The visible data.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Visible<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Whether something is in the scope: each label of the scope's matchers is known and matches.
#[must_use]
pub fn is_visible(scope: &Scope, item: &impl Labelled) -> bool {
    scope.proves(|name| item.label(name))
}

/// The visible part of a topic's state. A query's result is already limited to the scope.
#[must_use]
pub fn visible_snapshot(scope: &Scope, data: SnapshotData) -> SnapshotData {
    match data {
        SnapshotData::Query(frame) => SnapshotData::Query(frame),
        SnapshotData::Jobs { mut jobs } => {
            jobs.retain(|one| is_visible(scope, one));
            SnapshotData::Jobs { jobs }
        }
        SnapshotData::System { system: mut all } => {
            all.retain(|one| is_visible(scope, one));
            SnapshotData::System { system: all }
        }
        SnapshotData::Upstreams { mut upstreams } => {
            upstreams.retain(|one| is_visible(scope, one));
            SnapshotData::Upstreams { upstreams }
        }
        SnapshotData::Alerts(mut list) => {
            list.alerts.retain(|one| is_visible(scope, one));
            SnapshotData::Alerts(list)
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{
        job::Job,
        upstream::{UpstreamKind, UpstreamStatus},
    };

    use super::*;

    #[test]
    fn what_is_not_known_to_be_in_the_scope_is_not_seen() {
        let job = |provider: &str, region: Option<&str>| Job {
            provider: provider.to_owned(),
            region: region.map(str::to_owned),
            ..Job::default()
        };
        let jobs = || Restricted::new(vec![job("aws", Some("eu")), job("aws", None), job("gcp", Some("eu"))]);
        let seen = |matchers: &str| jobs().visible_to(&Scope::parse(matchers).unwrap()).len();
        assert_eq!((seen(""), seen(r#"provider="aws""#), seen(r#"provider="aws", region="eu""#)), (3, 2, 1));
        // A matcher of an unknown label does not match.
        assert_eq!((seen(r#"region!="us""#), seen(r#"unknown!="x""#)), (2, 0));
        let status = |name: &str, kind| UpstreamStatus {
            name: name.to_owned(),
            kind,
            state: model::upstream::UpstreamState::Live,
            since_ms: 0,
            last_data_ms: None,
            reconnects: 0,
            scrape_duration_seconds: None,
            error: None,
            detail: None,
        };
        let source = |kind| status("one", kind);
        let sees = |matchers: &str, kind| is_visible(&Scope::parse(matchers).unwrap(), &source(kind));
        assert!(sees(r#"daemon="one""#, UpstreamKind::Daemon) && !sees(r#"daemon="two""#, UpstreamKind::Daemon));
        assert!(sees("", UpstreamKind::Prometheus) && !sees(r#"daemon="one""#, UpstreamKind::Prometheus));
    }
}
