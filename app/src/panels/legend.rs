//! Names of series.

use model::{
    dashboard::{Panel, Query},
    frame::Labels,
};

/// Name of a series of `query`: the legend with `{{label}}` replaced, or, where that is nothing, its labels as PromQL writes them.
pub(crate) fn series_name(query: &Query, labels: &Labels) -> String {
    let name = fill(&query.legend, labels);
    if name.is_empty() { selector(labels, &query.expr) } else { name }
}

/// Replaces each `{{label}}`, and each `{{label|other}}` by the first of the labels that the series has; one that has none is nothing.
fn fill(template: &str, labels: &Labels) -> String {
    let mut name = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((label, after)) = after.split_once("}}") else { break };
        name.push_str(before);
        let value = label.split('|').find_map(|label| labels.get(label.trim()));
        name.push_str(value.map_or("", String::as_str));
        rest = after;
    }
    name.push_str(rest);
    name.trim().to_owned()
}

/// `name{label="value"}`, or the expression if the series has no labels.
fn selector(labels: &Labels, expr: &str) -> String {
    let metric = labels.get("__name__").map_or("", String::as_str);
    let pairs: Vec<String> = labels
        .iter()
        .filter(|(label, _)| label.as_str() != "__name__")
        .map(|(label, value)| format!("{label}={value:?}"))
        .collect();
    match (metric.is_empty(), pairs.is_empty()) {
        (true, true) => expr.to_owned(),
        (false, true) => metric.to_owned(),
        (_, false) => format!("{metric}{{{}}}", pairs.join(", ")),
    }
}

/// What a person can do about a panel whose series are all absent.
pub(crate) fn absent(panel: &Panel) -> String {
    match panel.queries.first() {
        Some(query) => format!("No source has {} in this time.", shortened(&query.expr)),
        None => "The panel has no query.".to_owned(),
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST {
        text.to_owned()
    } else {
        let mut short: String = text.chars().take(MOST).collect();
        short.push('\u{2026}');
        short
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A panel with one query, which is JSON.
    pub(in crate::panels) fn panel(query: &str) -> Panel {
        let json = format!(
            r#"{{"id":"p","title":"Title","kind":"timeseries","width":12,"height":8,"unit":"short","queries":[{query}]}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn legends_are_filled_from_labels() {
        let labels = Labels::from([("__name__".into(), "up".into()), ("job".into(), "node".into())]);
        let name = |legend: &str| {
            let panel = panel(&format!(r#"{{"expr":"up == 1","legend":"{legend}"}}"#));
            series_name(&panel.queries[0], &labels)
        };
        assert_eq!(name("{{job}} {{ job }}"), "node node");
        assert_eq!(name("{{daemon|job}}"), "node");
        assert_eq!(name("p95"), "p95");
        assert_eq!(name("{{absent}}"), "up{job=\"node\"}");
        assert_eq!(name("{{job"), "{{job");
        assert_eq!(name(""), "up{job=\"node\"}");
    }

    #[test]
    fn a_series_without_labels_is_called_by_its_query() {
        let panel = panel(r#"{"expr":"sum(up)"}"#);
        assert_eq!(series_name(&panel.queries[0], &Labels::new()), "sum(up)");
    }
}
