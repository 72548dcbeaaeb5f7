//! Lists of what is watched, made and written as reads of whoever asks: they are as long as there are jobs, alerts or rules.

use alerting::CurrentAlerts;
use axum::{
    extract::FromRef,
    response::{IntoResponse, Response},
};
use datasource::{QueryError, ReadScheduler};

use crate::state::AppState;

/// What a job takes in a list, with its JSON, about, in bytes.
const JOB_BYTES: usize = 2 << 10;
/// What a rule or a silence takes.
const RULE_BYTES: usize = 4 << 10;
/// What all targets take: there are few, and each has one series.
const TARGETS_BYTES: u64 = 1 << 20;
/// What a token takes, with its matchers and dashboards.
const TOKEN_BYTES: usize = 4 << 10;
/// What is said about a metric family.
const FAMILY_BYTES: usize = 1 << 10;
/// Copies of an alert in a list: as a value, as a tree of JSON, as its text.
const COPIES: u64 = 3;

/// What a list is of.
pub(crate) enum Listed<'a> {
    /// So many jobs.
    Jobs(usize),
    /// Alerts.
    Alerts(&'a CurrentAlerts),
    /// So many rules or silences.
    Rules(usize),
    /// The same with their alerts.
    RulesWithAlerts(usize, &'a CurrentAlerts),
    /// So many metric families.
    Families(usize),
    /// At most so many tokens.
    Tokens(u32),
    /// Daemons with their newest samples.
    Targets,
    /// So many changes of alerts.
    Changes(usize),
}

impl Listed<'_> {
    /// What the list takes while it is made, about, in bytes.
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

/// Makes lists as reads of whoever asks. A cheap handle.
#[derive(Clone)]
pub(crate) struct Lists(ReadScheduler);

impl FromRef<AppState> for Lists {
    fn from_ref(state: &AppState) -> Self {
        Lists(state.embedded.reads().clone())
    }
}

impl Lists {
    /// What a list of this costs as a read.
    pub(crate) fn cost(&self, listed: &Listed) -> u64 {
        within(listed.weight(), &self.0)
    }

    /// Makes a list as a read.
    ///
    /// # Errors
    /// It is not its turn in time, or too many wait.
    pub(crate) async fn list<T: Send + 'static>(
        &self,
        listed: Listed<'_>,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        self.0.read(self.cost(&listed), make).await
    }

    /// The same as an answer, which is written there as well.
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

    /// Reads from the database, then makes an answer of what was found as a read.
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

/// As much as that, but no more than half of what a read may have: nobody could ask for a shorter list, and a page that shows it is charged
/// for more than the list.
fn within(weight: u64, reads: &ReadScheduler) -> u64 {
    weight.min(reads.most_bytes() / 2)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use budget::{Budgets, Requester};

    use super::*;

    #[tokio::test]
    async fn the_longest_list_has_room_beside_the_page_that_shows_it() {
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
