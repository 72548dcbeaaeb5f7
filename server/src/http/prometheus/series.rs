//! Lists series, label names and label values.

use std::{collections::BTreeMap, sync::Arc};

use access::{Principal, Reads, Scope, ScopedSelectors};
use axum::{
    extract::{Path, rejection::PathRejection},
    response::Response,
};
use datasource::{Backend, Embedded, QueryError, Reading, cost};
use labels::Matcher;
use serde::Serialize;

use super::{Answer, bad_data, envelope::success_with, params::Params, pass_on, query::TRUNCATED};

/// The parameters `match[]`, `start` and `end`.
pub(super) struct Selection {
    /// Selectors.
    selectors: ScopedSelectors,
    start_ms: i64,
    end_ms: i64,
    limit: Option<usize>,
}

/// The result of a selection.
pub(super) struct Found<T> {
    pub(super) found: Vec<T>,
    /// Whether the result exceeds the limit.
    truncated: bool,
}

impl<T> Found<T> {
    fn answer<D: Serialize>(&self, data: &D) -> Response {
        success_with(data, if self.truncated { &[TRUNCATED] } else { &[] })
    }
}

impl Selection {
    pub(super) fn of(scope: &Scope, params: &Params) -> Result<Self, QueryError> {
        Ok(Selection {
            selectors: scope.selectors(params.all("match[]"))?,
            start_ms: params.time_ms("start")?.unwrap_or(i64::MIN / 2),
            end_ms: params.time_ms("end")?.unwrap_or(i64::MAX / 2),
            limit: params.limit()?,
        })
    }

    /// Runs `ask` on the store for each selector, on a read thread, and merges the results: sorted, without
    /// duplicates.
    pub(super) async fn gather<T: Ord + Send + 'static>(
        self,
        engine: &Arc<Embedded>,
        ask: impl Fn(&tsdb::Store, &[Matcher], i64, i64) -> Vec<T> + Send + 'static,
    ) -> Result<Found<T>, QueryError> {
        let (store, sized, selectors) = (engine.store().clone(), engine.store().clone(), self.selectors.clone());
        let times = (self.start_ms, self.end_ms);
        let size = move |reading: &Reading| cost::of_list(&sized, selectors.matchers(), times, reading);
        let read = move |reading: &Reading| {
            let mut found = Vec::new();
            for matchers in self.selectors.matchers() {
                reading.check()?;
                found.extend(ask(&store, matchers, self.start_ms, self.end_ms));
            }
            found.sort();
            found.dedup();
            let limit = self.limit.unwrap_or(usize::MAX);
            let truncated = found.len() > limit;
            found.truncate(limit);
            Ok(Found { found, truncated })
        };
        engine.reads().read_sized(size, read).await
    }
}

pub(super) async fn labels(backend: Backend, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            return pass_on(engine, &scope.request("labels", Reads::Selectors, params.pairs())?).await;
        }
    };
    let names = Selection::of(scope, &params)?
        .gather(engine, |store, matchers, start_ms, end_ms| store.label_names(matchers, start_ms, end_ms))
        .await?;
    Ok(names.answer(&names.found))
}

pub(super) async fn label_values(
    backend: Backend,
    principal: Principal,
    name: Result<Path<String>, PathRejection>,
    params: Params,
) -> Answer {
    let scope = principal.scope();
    let Ok(Path(name)) = name else {
        return Err(bad_data("invalid label name: it is not UTF-8").into());
    };
    let name = unescaped(name);
    if name.is_empty() {
        return Err(bad_data(format!("invalid label name: {name:?}")).into());
    }
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            let name = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
            let request = scope.request(format!("label/{name}/values"), Reads::Selectors, params.pairs())?;
            return pass_on(engine, &request).await;
        }
    };
    let values = Selection::of(scope, &params)?
        .gather(engine, move |store, matchers, start_ms, end_ms| store.label_values(&name, matchers, start_ms, end_ms))
        .await?;
    Ok(values.answer(&values.found))
}

pub(super) async fn series(backend: Backend, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            if !scope.is_all() && params.get("match[]").is_none() {
                return Err(bad_data("no match[] parameter provided").into());
            }
            return pass_on(engine, &scope.request("series", Reads::Selectors, params.pairs())?).await;
        }
    };
    if params.get("match[]").is_none() {
        return Err(bad_data("no match[] parameter provided").into());
    }
    let selection = Selection::of(scope, &params)?;
    let found =
        selection.gather(engine, |store, matchers, start_ms, end_ms| store.series(matchers, start_ms, end_ms)).await?;
    let as_maps: Vec<BTreeMap<&str, &str>> = found.found.iter().map(|labels| labels.iter().collect()).collect();
    Ok(found.answer(&as_maps))
}

/// Decodes a label name in Prometheus' "values" escaping: `U__` as prefix, `_` doubled, other characters as hexadecimal
/// code points between underscores. A name without it is used as it is.
fn unescaped(name: String) -> String {
    let Some(mut rest) = name.strip_prefix("U__") else { return name };
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('_') {
        plain.push_str(before);
        if let Some(after) = after.strip_prefix('_') {
            plain.push('_');
            rest = after;
            continue;
        }
        let character = after.split_once('_').and_then(|(number, after)| {
            let number = u32::from_str_radix(number, 16).ok().filter(|_| (1..=6).contains(&number.len()))?;
            Some((char::from_u32(number)?, after))
        });
        let Some((character, after)) = character else { return name };
        plain.push(character);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_written_in_plain_letters_are_read() {
        for (written, meant) in [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b_20_c", "a_b c"),
            ("U__snow_2603_", "snow\u{2603}"),
            ("U__broken_zz_", "U__broken_zz_"),
            ("U__open_2e", "U__open_2e"),
            ("U__", ""),
        ] {
            assert_eq!(unescaped(written.to_owned()), meant);
        }
    }
}
