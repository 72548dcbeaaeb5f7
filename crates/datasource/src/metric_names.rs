//! Metric names for completion in the query editor.

use access::{Reads, Scope};
use labels::METRIC_NAME;
use model::clock::now_ms;

use crate::{Backend, QueryError, names::LOOK_BACK_MS};

/// Approximate memory of a list of names, in bytes.
const NAMES_COST: u64 = 1 << 20;

impl Backend {
    /// Names of metrics with recent samples that `scope` may see: sorted, the first `limit` of them.
    ///
    /// # Errors
    ///
    /// The engine rejects the request, or is not reachable.
    pub async fn metric_names(&self, scope: &Scope, limit: usize) -> Result<Vec<String>, QueryError> {
        let mut names = match self {
            Backend::Embedded(engine) => {
                let (store, selectors, now_ms) = (engine.store().clone(), scope.selectors([])?, now_ms());
                let ask = move || {
                    let start_ms = now_ms.saturating_sub(LOOK_BACK_MS);
                    let of = |matchers| store.label_values(METRIC_NAME, matchers, start_ms, now_ms);
                    let names = selectors.matchers().iter().flat_map(|matchers| of(matchers));
                    names.map(|name| name.to_string()).collect::<Vec<String>>()
                };
                engine.reads().read(NAMES_COST, ask).await?
            }
            Backend::Prometheus(engine) => {
                let request = scope.request("label/__name__/values", Reads::Selectors, &[])?;
                let answer = engine.json(&request).await?;
                let names = answer.as_array().into_iter().flatten();
                names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
            }
        };
        names.sort_unstable();
        names.dedup();
        names.truncate(limit);
        Ok(names)
    }
}
