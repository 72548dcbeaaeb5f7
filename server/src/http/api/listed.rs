//! Lists of jobs, alerts, rules and so on. They can be long, so they are built as reads that are charged to the requester.

use alerting::CurrentAlerts;
use axum::{
    extract::FromRef,
    response::{IntoResponse, Response},
};
use datasource::{QueryError, ReadScheduler};

use crate::state::AppState;

/// Approximate memory of a job in a list with its JSON, in bytes.
const JOB_BYTES: usize = 2 << 10;
/// Approximate memory of a rule or a silence, in bytes.
const RULE_BYTES: usize = 4 << 10;
/// Approximate memory of all targets, in bytes: there are few, and each has one series.
const TARGETS_BYTES: u64 = 1 << 20;
/// Approximate memory of a token with its matchers and dashboards, in bytes.
const TOKEN_BYTES: usize = 4 << 10;
/// Approximate memory of the metadata of a metric family, in bytes.
const FAMILY_BYTES: usize = 1 << 10;
/// Copies of an alert while a list is built: as a value, as a JSON tree, and as text.
const COPIES: u64 = 3;

/// The content of a list, for an estimate of its memory.
pub(crate) enum Listed<'a> {
    /// This number of jobs.
    Jobs(usize),
    /// Alerts.
    Alerts(&'a CurrentAlerts),
    /// This number of rules or silences.
    Rules(usize),
    /// This number of rules or silences, with their alerts.
    RulesWithAlerts(usize, &'a CurrentAlerts),
    /// This number of metric families.
    Families(usize),
    /// At most this number of tokens.
    Tokens(u32),
    /// Daemons with their newest samples.
    Targets,
    /// This number of changes of alerts.
    Changes(usize),
}

impl Listed<'_> {
    /// Approximate memory of the list while it is built, in bytes.
    pub(crate) fn weight(&self) -> u64 {
        let of = |count: usize, each: usize| u64::try_from(count.saturating_mul(each)).unwrap_or(u64::MAX);
        match self {
            Listed::Jobs(count) => of(*count, JOB_BYTES),
            Listed::Alerts(alerts) => alerts.weight().saturating_mul(COPIES),
            Listed::RulesWithAlerts(count, alerts) => {
                alerts.weight().saturating_mul(COPIES).saturating_add(of(*count, RULE_BYTES))
            }
            Listed::Families(count) => of(*count, FAMILY_BYTES),
            Listed::Tokens(count) => of(usize::try_from(*count).unwrap_or(usize::MAX), TOKEN_BYTES),
            Listed::Targets => TARGETS_BYTES,
            Listed::Changes(count) | Listed::Rules(count) => of(*count, RULE_BYTES),
        }
    }
}

/// Builds lists as reads of the requester. A cheap handle.
#[derive(Clone)]
pub(crate) struct Lists(ReadScheduler);

impl FromRef<AppState> for Lists {
    fn from_ref(state: &AppState) -> Self {
        Lists(state.embedded.reads().clone())
    }
}

impl Lists {
    /// Cost of a list as a read, in bytes.
    pub(crate) fn cost(&self, listed: &Listed) -> u64 {
        within(listed.weight(), &self.0)
    }

    /// Builds a list as a read.
    ///
    /// # Errors
    /// The read does not start in time, or too many reads wait.
    pub(crate) async fn list<T: Send + 'static>(
        &self,
        listed: Listed<'_>,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        self.0.read(self.cost(&listed), make).await
    }

    /// Builds a list as a response. The response is serialized in the same read.
    ///
    /// # Errors
    /// As [`Lists::list`].
    pub(crate) async fn answer<T: IntoResponse>(
        &self,
        listed: Listed<'_>,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Response, QueryError> {
        self.list(listed, move || make().into_response()).await
    }

    /// Awaits a read from the database, then builds a list of its result as a read.
    ///
    /// # Errors
    /// As [`Lists::list`].
    pub(crate) async fn answer_after<T: Send + 'static, R: Send + 'static>(
        &self,
        listed: Listed<'_>,
        found: impl Future<Output = T> + Send,
        make: impl FnOnce(T) -> R + Send + 'static,
    ) -> Result<R, QueryError> {
        self.0.read_after(self.cost(&listed), found, make).await
    }
}

/// `weight`, but at most half of the memory that a read may use. A longer list could never be read otherwise, and the page that shows it is charged as
/// well.
fn within(weight: u64, reads: &ReadScheduler) -> u64 {
    weight.min(reads.most_bytes() / 2)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use budget::{Budgets, Requester};

    use super::*;

    #[tokio::test]
    async fn the_longest_list_fits_beside_the_page_that_shows_it() {
        let reads = ReadScheduler::new(&Budgets::of(256 << 20), 2, Duration::from_millis(50));
        let viewer = Requester::Token("a".into());
        let _page = reads.memory().charge(&viewer.account(), 512 << 10).unwrap();
        let list = async {
            let cost = within(u64::MAX, &reads);
            reads.read(cost, || "listed").await
        };
        assert_eq!(viewer.scope(list).await.unwrap(), "listed");
    }
}
