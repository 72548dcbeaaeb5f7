//! `/api/v1/rules` and `/api/v1/alerts`.

use std::collections::HashMap;

use access::{Principal, Reads, Scope};
use alerting::{RulesFilter, alert_json, reported_json};
use axum::extract::State;
use datasource::{Backend, ErrorKind, QueryError};
use serde_json::{Value, json};

use super::{
    Answer, bad_data,
    envelope::annotated_raw,
    params::{Params, not_a_number},
    scope_filter,
};
use crate::{http::api::listed::Listed, http::slices::AlertState};

/// The parameters of `/api/v1/rules`.
fn rules_filter(params: &Params) -> Result<RulesFilter, QueryError> {
    let all = |name: &str| params.all(name).map(str::to_owned).collect::<Vec<_>>();
    // Parsed like selectors of series, with the same limits.
    Scope::all().selectors(params.all("match[]"))?;
    let selectors = params.all("match[]").map(promql::parse_selector).collect::<Result<_, _>>();
    Ok(RulesFilter {
        is_alerting: match params.get("type").unwrap_or_default().to_ascii_lowercase().as_str() {
            "" => None,
            "alert" => Some(true),
            "record" => Some(false),
            other => {
                return Err(bad_data(format!("invalid parameter \"type\": not supported value {other:?}")));
            }
        },
        names: all("rule_name[]"),
        groups: all("rule_group[]"),
        files: all("file[]"),
        selectors: selectors.map_err(|error| bad_data(format!("invalid parameter \"match[]\": {error}")))?,
        leaves_out_alerts: match params.get("exclude_alerts").unwrap_or_default() {
            "" | "false" | "0" | "f" | "F" | "FALSE" | "False" => false,
            "true" | "1" | "t" | "T" | "TRUE" | "True" => true,
            other => {
                let message = format!(
                    "invalid parameter \"exclude_alerts\": error converting exclude_alerts: strconv.ParseBool: parsing {other:?}: invalid syntax"
                );
                return Err(bad_data(message));
            }
        },
    })
}

/// Pagination: the parameters `group_limit` and `group_next_token`.
struct Page {
    /// More than 0.
    limit: Option<usize>,
    /// Token of the first group; empty for the start.
    token: String,
}

impl Page {
    fn of(params: &Params) -> Result<Self, QueryError> {
        let wrong = |name: &str, reason: &str| bad_data(format!("invalid parameter {name:?}: {reason}"));
        let limit = params.get("group_limit").unwrap_or_default();
        let token = params.get("group_next_token").unwrap_or_default().to_owned();
        if limit.is_empty() {
            if token.is_empty() {
                return Ok(Page { limit: None, token });
            }
            let reason = "group_limit needs to be present in order to paginate over the groups";
            return Err(wrong("group_next_token", reason));
        }
        let limit: i64 = limit.parse().map_err(|error| {
            let reason = not_a_number(limit, &error).replace("Atoi", "ParseInt");
            wrong("group_limit", &format!("group_limit needs to be a valid number: {reason}"))
        })?;
        match usize::try_from(limit) {
            Ok(limit) if limit > 0 => Ok(Page { limit: Some(limit), token }),
            _ => Err(wrong("group_limit", "group_limit needs to be greater than 0")),
        }
    }

    /// Retains the groups of this page; returns the token of the next one.
    fn cut(&self, groups: &mut Vec<Value>) -> Result<Option<String>, QueryError> {
        let Some(limit) = self.limit else { return Ok(None) };
        if !self.token.is_empty() {
            let first = groups.iter().position(|group| page_token(group) == self.token).ok_or_else(|| {
                let reason = format!("invalid group_next_token '{}'. were rule groups changed?", self.token);
                bad_data(format!("invalid parameter \"group_next_token\": {reason}"))
            })?;
            groups.drain(..first);
        }
        let next = groups.get(limit).map(page_token);
        groups.truncate(limit);
        Ok(next)
    }
}

/// The token that identifies a group for pagination.
fn page_token(group: &Value) -> String {
    let text = |name: &str| group.get(name).and_then(Value::as_str).unwrap_or_default();
    let identity = labels::Labels::new([("file", text("file")), ("name", text("name")), ("source", text("source"))]);
    labels::Fingerprint::of(identity.iter()).to_string()
}

/// The response of a remote engine, with its name as a label of each item of `list`; or why it failed.
async fn upstream(
    backend: &Backend,
    principal: &Principal,
    path: &str,
    params: &Params,
    list: &str,
) -> Result<(Vec<Value>, Vec<String>), QueryError> {
    let Backend::Prometheus(engine) = backend else { return Ok((Vec::new(), Vec::new())) };
    let request = principal.scope().request(path, Reads::Nothing, params.pairs())?;
    let source = engine.status().name;
    match engine.json(&request).await {
        Ok(mut data) => {
            let mut items = match data.get_mut(list).map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                item.insert("source".to_owned(), source.clone().into());
            }
            Ok((items, Vec::new()))
        }
        Err(error) if error.kind == ErrorKind::BadData => Err(error),
        Err(error) => Ok((Vec::new(), vec![format!("{source}: {}", error.message)])),
    }
}

/// The rule groups in Prometheus' format that `principal` may see, and warnings.
///
/// # Errors
///
/// A parameter is invalid.
pub(crate) async fn rule_groups(
    state: &AlertState,
    backend: &Backend,
    principal: &Principal,
    params: &Params,
) -> Result<(Value, Vec<String>), QueryError> {
    let mut wanted = rules_filter(params)?;
    // A rule's state depends on its visible alerts, so these are removed only afterwards.
    let leaves_out_later = wanted.leaves_out_alerts && !principal.scope().is_all();
    wanted.leaves_out_alerts &= !leaves_out_later;
    // Pagination applies to all groups, ours and theirs.
    let whole = params.without(&["group_limit", "group_next_token"]);
    let (theirs, warnings) = upstream(backend, principal, "rules", &whole, "groups").await?;
    let (views, scope) = (state.alerting.rule_groups(), principal.scope().clone());
    let count = views.iter().map(|view| view.rules.len()).sum::<usize>().saturating_add(theirs.len());
    let current = state.alerting.current().await;
    let listed = if wanted.leaves_out_alerts { Listed::Rules(count) } else { Listed::RulesWithAlerts(count, &current) };
    let groups = state.lists.list(listed, move || {
        let mut groups: Vec<Value> = views.iter().filter_map(|view| view.json(&wanted)).collect();
        groups.extend(theirs);
        let mut data = json!({ "groups": groups });
        if !scope.is_all() {
            // Our queries are already parsed.
            let ours: HashMap<&str, bool> =
                views.iter().flat_map(|view| &view.rules).map(|rule| rule.is_foreign(&scope)).collect();
            let is_foreign = |expr: &str| ours.get(expr).copied().unwrap_or_else(|| scope.is_foreign(expr));
            scope_filter::rules(&mut data, &scope, is_foreign);
            if leaves_out_later {
                scope_filter::without_alerts(&mut data);
            }
        }
        data.get_mut("groups").map(Value::take).unwrap_or_default()
    });
    Ok((groups.await?, warnings))
}

/// `GET /api/v1/rules`
pub(super) async fn rules(
    State(state): State<AlertState>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    let page = Page::of(&params)?;
    let (mut groups, warnings) = rule_groups(&state, &backend, &principal, &params).await?;
    let next = groups.as_array_mut().map(|groups| page.cut(groups)).transpose()?.flatten();
    let mut data = json!({ "groups": groups });
    if let (Some(next), Some(data)) = (next, data.as_object_mut()) {
        data.insert("groupNextToken".to_owned(), next.into());
    }
    Ok(annotated_raw(&data.to_string(), &warnings, &[]))
}

/// `GET /api/v1/alerts`
pub(super) async fn alerts(
    State(state): State<AlertState>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    let (theirs, warnings) = upstream(&backend, &principal, "alerts", &params, "alerts").await?;
    let current = state.alerting.current().await;
    let lists = state.lists.clone();
    let make = move || {
        let views = state.alerting.rule_groups();
        let ours = views.iter().flat_map(|view| &view.rules).flat_map(|rule| &rule.alerts);
        let mut alerts: Vec<Value> = ours.map(alert_json).collect();
        alerts.extend(state.alerting.reported_alerts().visible_to(principal.scope()).iter().map(reported_json));
        alerts.extend(theirs);
        let mut data = json!({ "alerts": alerts });
        if !principal.scope().is_all() {
            scope_filter::alerts(&mut data, principal.scope());
        }
        annotated_raw(&data.to_string(), &warnings, &[])
    };
    Ok(lists.answer(Listed::Alerts(&current), make).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: &str, token: &str) -> Result<Page, QueryError> {
        let pairs = [("group_limit", limit), ("group_next_token", token)];
        Page::of(&Params::of(&pairs))
    }

    #[test]
    fn groups_come_page_by_page_until_there_are_no_more() {
        let all: Vec<Value> = ["a", "b", "c"].map(|name| json!({ "name": name, "file": "f" })).into();
        let (mut token, mut seen) = (String::new(), Vec::new());
        for is_last in [false, true] {
            let mut groups = all.clone();
            let next = page("2", &token).unwrap().cut(&mut groups).unwrap();
            assert_eq!(next.is_none(), is_last);
            seen.extend(groups);
            token = next.unwrap_or_default();
        }
        assert_eq!(seen, all);
        let gone = page("2", "nothing").unwrap().cut(&mut all.clone()).unwrap_err();
        assert!(gone.message.contains("were rule groups changed?"), "{gone}");
        for (limit, token) in [("0", ""), ("-1", ""), ("x", ""), ("", "token")] {
            assert!(page(limit, token).is_err(), "{limit} {token}");
        }
        assert!(page("", "").unwrap().limit.is_none());
    }
}
