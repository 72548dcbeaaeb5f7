//! The live queries of the hub: viewers of the same one share it, and their number is limited.

use std::{collections::HashMap, sync::Arc, time::Instant};

use access::Scope;
use budget::Requester;
use datasource::{Backend, ErrorKind, QueryError};
use model::{live::LiveQuery, panel::QueryState};

use super::{Hub, trouble_for};
use crate::{
    live_query::{QueryTopic, ResultVersion},
    payers::Payers,
    topic::Account,
};

/// Maximum number of distinct live queries.
const MAX_QUERIES: usize = 2_000;
/// Maximum number of those that one token started.
const MAX_QUERIES_OF_TOKEN: usize = 1_000;

/// Key by which viewers share a live query.
pub(super) type QueryKey = (Scope, LiveQuery);
/// The scope is part of the key, so that viewers with different permissions never share an evaluation.
pub(super) type Queries = HashMap<QueryKey, Arc<QueryTopic>>;

impl Hub {
    /// The current result of a live query for a panel; starts the query if it is not running.
    pub async fn query_state(&self, scope: &Scope, query: &LiveQuery) -> QueryState {
        match self.query(scope, query) {
            Ok(topic) => self.charged(topic.state().await),
            Err(error) => QueryState::Failed { message: error.message },
        }
    }

    /// Copies a result; the copy is charged to the requester while it exists.
    fn charged(&self, state: QueryState) -> QueryState {
        let QueryState::Ready { frame, .. } = &state else { return state };
        let weight = u64::try_from(frame.weight_without_labels()).unwrap_or(u64::MAX);
        match self.0.memory.charge(&Requester::current().account(), weight) {
            Ok(charge) => {
                Requester::hold(charge);
                state
            }
            Err(over) => QueryState::Failed { message: format!("{over}: try again in a moment") },
        }
    }

    /// The version of a live query's current result; `None` if there is none yet. Starts the query if it is not
    /// running.
    #[must_use]
    pub fn result_version(&self, scope: &Scope, query: &LiveQuery) -> Option<ResultVersion> {
        self.query(scope, query).ok()?.result_version()
    }

    /// The topic of a query, which is started if it is not running.
    pub(super) fn query(&self, scope: &Scope, query: &LiveQuery) -> Result<Arc<QueryTopic>, QueryError> {
        let key = (scope.clone(), query.clone());
        let requester = Requester::current();
        let token = requester.account();
        if let Some(topic) = running(&self.queries(), &key, &token)? {
            return Ok(topic);
        }
        // An invalid query counts too, because parsing it took time.
        if requester != Requester::Server {
            self.0.starts.count(&token, Instant::now()).map_err(|most| {
                let message =
                    format!("this token has started {most} live queries within a minute: try again in a moment");
                QueryError::new(ErrorKind::TooMany, message)
            })?;
        }
        let engine = self.0.engines.get(query.engine.as_deref())?;
        let account = Account { budget: self.0.memory.clone(), payers: Payers::new(Arc::clone(&token)) };
        // Without the shared lock, because parsing may take long.
        let topic = Arc::new(QueryTopic::new(query.clone(), scope, engine.clone(), self.0.sequence.clone(), account)?);
        let mut queries = self.queries();
        if let Some(other) = running(&queries, &key, &token)? {
            return Ok(other);
        }
        let trouble = self.0.trouble.lock().clone();
        if matches!(engine, Backend::Embedded(_)) {
            topic.channel.publish_status(trouble_for(scope, &trouble));
        }
        queries.insert(key.clone(), Arc::clone(&topic));
        let (hub, running) = (Arc::downgrade(&self.0), Arc::clone(&topic));
        let stop = self.0.stop.clone();
        let mut tasks = self.0.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            loop {
                running.run(stop.clone()).await;
                let Some(shared) = hub.upgrade() else { return };
                let mut queries = shared.queries.lock();
                // Under the lock nobody can subscribe: if it is still idle, it is removed.
                if stop.is_cancelled() || running.channel.is_idle() {
                    queries.remove(&key);
                    return;
                }
            }
        });
        Ok(topic)
    }
}

/// The running query with this key; adds `token` to its payers.
///
/// # Errors
///
/// It is not running, and a limit of queries is reached.
#[allow(clippy::mutable_key_type)] // scopes are compared by their text
fn running(queries: &Queries, key: &QueryKey, token: &Arc<str>) -> Result<Option<Arc<QueryTopic>>, QueryError> {
    if let Some(topic) = queries.get(key) {
        topic.touch();
        topic.asked_by(Arc::clone(token));
        return Ok(Some(Arc::clone(topic)));
    }
    let too_many = |whose: String| {
        let message = format!("{whose} different live queries already: close some pages, or use query_range");
        Err(QueryError::new(ErrorKind::TooMany, message))
    };
    if queries.len() >= MAX_QUERIES {
        return too_many(format!("there are {MAX_QUERIES}"));
    }
    if queries.values().filter(|topic| *topic.starter() == *token).count() >= MAX_QUERIES_OF_TOKEN {
        return too_many(format!("this token has {MAX_QUERIES_OF_TOKEN}"));
    }
    Ok(None)
}
