//! Metadata of metric families.

use std::{collections::BTreeMap, sync::Arc};

use access::{Principal, Reads};
use axum::extract::State;
use datasource::{Backend, Embedded};
use serde::Serialize;

use super::{Answer, envelope::success, params::Params, pass_on, scope_filter, series::Selection};
use crate::http::api::listed::{Listed, Lists};

/// Type, help and unit of a metric family.
#[derive(Serialize)]
struct Family {
    r#type: String,
    help: String,
    unit: String,
}

pub(super) async fn metadata(
    State(embedded): State<Arc<Embedded>>,
    State(lists): State<Lists>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            let request = scope.request("metadata", Reads::Nothing, params.pairs())?;
            if scope.is_all() {
                return pass_on(engine, &request).await;
            }
            let names = engine.json(&scope.request("label/__name__/values", Reads::Selectors, &[])?).await?;
            let mut families = engine.json(&request).await?;
            scope_filter::families(&mut families, &scope_filter::names(&names));
            return Ok(success(&families));
        }
    };
    let limit = params.count("limit")?;
    // There is one metadata entry per family, so any limit allows it.
    params.count("limit_per_metric")?;
    let seen = if scope.is_all() {
        None
    } else {
        let all = Selection::of(scope, &Params::none())?;
        let names = all.gather(engine, |store, matchers, start_ms, end_ms| {
            store.label_values(labels::METRIC_NAME, matchers, start_ms, end_ms)
        });
        Some(names.await?.found.into_iter().collect())
    };
    let wanted = params.get("metric").filter(|metric| !metric.is_empty()).map(str::to_owned);
    let count = embedded.store().family_count();
    let make = move || {
        let families: BTreeMap<String, [Family; 1]> = embedded
            .store()
            .metadata()
            .into_iter()
            .filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| name == wanted))
            .filter(|(name, _)| seen.as_ref().is_none_or(|seen| scope_filter::has_family(seen, name)))
            .take(limit.unwrap_or(usize::MAX))
            .map(|(name, family)| (name, [Family { r#type: family.kind, help: family.help, unit: family.unit }]))
            .collect();
        success(&families)
    };
    Ok(lists.answer(Listed::Families(count), make).await?)
}
