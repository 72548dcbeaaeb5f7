//! Filters alerts, rules and metadata of an engine's response by scope.

use std::collections::BTreeSet;

use access::Scope;
use serde_json::Value;

/// Suffixes of a family's series.
const SUFFIXES: [&str; 6] = ["", "_total", "_bucket", "_sum", "_count", "_info"];

/// The names in a response of label values.
pub(super) fn names(values: &Value) -> BTreeSet<String> {
    values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether one of the series belongs to this metric family.
pub(super) fn has_family(series: &BTreeSet<String>, family: &str) -> bool {
    SUFFIXES.iter().any(|suffix| series.contains(&format!("{family}{suffix}")))
}

/// Filters the data of `/metadata` to families with visible series.
pub(super) fn families(data: &mut Value, series: &BTreeSet<String>) {
    if let Some(families) = data.as_object_mut() {
        families.retain(|family, _| has_family(series, family));
    }
}

fn keep_alerts(alerts: &mut Value, scope: &Scope) {
    if let Some(alerts) = alerts.as_array_mut() {
        alerts.retain(|alert| scope.proves(|name| alert.get("labels")?.get(name)?.as_str()));
    }
}

/// Filters the data of `/alerts` to alerts in the scope.
pub(crate) fn alerts(data: &mut Value, scope: &Scope) {
    if let Some(alerts) = data.get_mut("alerts") {
        keep_alerts(alerts, scope);
    }
}

/// Filters the data of `/rules` to alerts in the scope. A rule's state becomes that of the remaining alerts, and groups
/// without rules are removed. `is_foreign` says whether a rule's query is [foreign](Scope::is_foreign) to the scope.
pub(crate) fn rules(data: &mut Value, scope: &Scope, is_foreign: impl Fn(&str) -> bool) {
    let mut groups = data.get_mut("groups").and_then(Value::as_array_mut);
    let of_group = |group: &'_ mut Value| -> Vec<Value> {
        group.get_mut("rules").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default()
    };
    for group in groups.iter_mut().flat_map(|groups| groups.iter_mut()) {
        let mut rules = of_group(group);
        for alerts in rules.iter_mut().filter_map(|rule| rule.get_mut("alerts")) {
            keep_alerts(alerts, scope);
        }
        // Removes rules whose labels the scope excludes, and foreign rules without visible alerts.
        rules.retain(|rule| {
            let label = |name: &str| rule.get("labels")?.get(name)?.as_str().filter(|value| !value.is_empty());
            let has_alerts = || rule.get("alerts").and_then(Value::as_array).is_some_and(|alerts| !alerts.is_empty());
            let is_foreign = || rule.get("query").and_then(Value::as_str).is_some_and(&is_foreign);
            !scope.excludes(label) && (!is_foreign() || has_alerts())
        });
        for rule in rules.iter_mut().filter_map(Value::as_object_mut) {
            // The text of an error may mention series.
            rule.remove("lastError");
            let Some(alerts) = rule.get("alerts") else { continue };
            let has = |state: &str| {
                alerts.as_array().into_iter().flatten().any(|alert| alert.get("state").is_some_and(|is| is == state))
            };
            let state = ["firing", "pending"].into_iter().find(|state| has(state)).unwrap_or("inactive");
            rule.insert("state".to_owned(), state.into());
        }
        if let Some(place) = group.get_mut("rules") {
            *place = Value::Array(rules);
        }
    }
    // The name of a group is information about its rules.
    if let Some(groups) = groups {
        groups.retain(|group| group.get("rules").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty()));
    }
}

/// Removes the alerts of all rules.
pub(crate) fn without_alerts(data: &mut Value) {
    let groups = data.get_mut("groups").and_then(Value::as_array_mut).into_iter().flatten();
    let rules = groups.filter_map(|group| group.get_mut("rules")?.as_array_mut()).flatten();
    for alerts in rules.filter_map(|rule| rule.get_mut("alerts")?.as_array_mut()) {
        alerts.clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn alerts_outside_the_scope_are_gone_and_do_not_show_in_a_rules_state() {
        let scope = Scope::parse(r#"provider="aws""#).unwrap();
        let alert = |provider: &str, state: &str| json!({"labels": {"provider": provider}, "state": state});
        let mut data = json!({"groups": [{"name": "g", "rules": [
            {"name": "A", "state": "firing", "lastError": "x", "alerts": [alert("gcp", "firing"), alert("aws", "pending")]},
            {"name": "B", "state": "firing", "alerts": [{"labels": {}, "state": "firing"}]},
            {"name": "C", "labels": {"provider": "gcp"}, "alerts": []},
            {"name": "D", "query": "up{provider=\"gcp\"}", "alerts": [alert("gcp", "firing")]},
            {"name": "r", "type": "recording"}
        ]}, {"name": "of gcp", "rules": [{"name": "E", "query": "up{provider=\"gcp\"}"}]}]});
        rules(&mut data, &scope, |expr| scope.is_foreign(expr));
        assert_eq!(data["groups"].as_array().unwrap().len(), 1, "a group without visible rules is left out");
        assert_eq!(
            data["groups"][0]["rules"],
            json!([
                {"name": "A", "state": "pending", "alerts": [alert("aws", "pending")]},
                {"name": "B", "state": "inactive", "alerts": []},
                {"name": "r", "type": "recording"}
            ])
        );
        without_alerts(&mut data);
        assert_eq!(data["groups"][0]["rules"][0], json!({"name": "A", "state": "pending", "alerts": []}));
        let mut data = json!({"alerts": [alert("gcp", "firing"), alert("aws", "firing")]});
        alerts(&mut data, &scope);
        assert_eq!(data, json!({"alerts": [alert("aws", "firing")]}));
    }
}
