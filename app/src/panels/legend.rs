//! Names of series.

use model::{
    dashboard::{Panel, Query},
    frame::Labels,
    label::selector,
    sort::sort_by,
};

use super::plot_series::Shown;

/// Name of a series of `query`: the legend with `{{label}}` replaced. If that is empty, it is the value of the only label, else the labels as
/// PromQL writes them. A series without labels has the title of its panel, which is easier to read than the query.
pub(crate) fn series_name(panel: &Panel, query: &Query, labels: &Labels) -> String {
    let name = fill(&query.legend, labels);
    let mut values = labels.values();
    match (values.next(), values.next()) {
        _ if !name.is_empty() => name,
        (None, _) => panel.title.clone(),
        (Some(only), None) => only.clone(),
        _ => selector(labels),
    }
}

/// Column headings of a table whose rows are series: the legend of each query without the labels that differ between series.
pub(crate) fn column_names(panel: &Panel) -> Vec<String> {
    let name = |query| series_name(panel, query, &Labels::new());
    let names: Vec<String> = panel.queries.iter().map(name).collect();
    let is_double = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
    let told = |(index, name)| if is_double(name) { with_number(name, index) } else { name.clone() };
    names.iter().enumerate().map(told).collect()
}

/// Makes equal names of series distinct: appends the labels in which the series differ, or else the number of the query.
pub(super) fn tell_apart(shown: &mut [Shown<'_>]) {
    for twins in of_one_name(shown) {
        let labels = |index: &usize| shown.get(*index).map(|shown| &*shown.series.labels);
        let all: Vec<&Labels> = twins.iter().filter_map(labels).collect();
        let first = all.first().copied();
        let differs =
            |name: &String| all.iter().any(|labels| labels.get(name) != first.and_then(|first| first.get(name)));
        let told = |labels: &&Labels| {
            let mut told = (*labels).clone();
            told.retain(|name, _| differs(name));
            if told.is_empty() { String::new() } else { selector(&told) }
        };
        let told: Vec<String> = all.iter().map(told).collect();
        for (index, told) in twins.into_iter().zip(told) {
            if let Some(shown) = shown.get_mut(index).filter(|_| !told.is_empty()) {
                shown.name = format!("{} {told}", shown.name);
            }
        }
    }
    for twins in of_one_name(shown) {
        for index in twins {
            if let Some(shown) = shown.get_mut(index) {
                shown.name = with_number(&shown.name, shown.index);
            }
        }
    }
}

/// Indices of series with equal names, one group for each name, in their order.
fn of_one_name(shown: &[Shown<'_>]) -> Vec<Vec<usize>> {
    let name = |index: &usize| shown.get(*index).map(|shown| shown.name.as_str());
    let mut by_name: Vec<usize> = (0..shown.len()).collect();
    sort_by(&mut by_name, |one, other| name(one).cmp(&name(other)));
    let groups = by_name.chunk_by(|one, other| name(one) == name(other));
    groups.filter(|group| group.len() > 1).map(<[usize]>::to_vec).collect()
}

fn with_number(name: &str, query: usize) -> String {
    format!("{name} (query {})", query + 1)
}

/// Replaces each `{{label}}` with the value of the label, and each `{{label|other}}` with the value of the first label that the series has. A label that is
/// absent is replaced with nothing.
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

/// The text of a panel whose series are all absent. It does not repeat the query, which is in the panel's menu.
pub(crate) fn absent(panel: &Panel) -> &'static str {
    if panel.queries.is_empty() { "The panel has no query." } else { "No source has it in this time." }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A panel with these queries, given as JSON.
    pub(in crate::panels) fn panel(query: &str) -> Panel {
        let json = format!(
            r#"{{"id":"p","title":"Title","kind":"timeseries","width":12,"height":8,"unit":"short","queries":[{query}]}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn legends_are_filled_with_label_values() {
        let labels = Labels::from([("__name__".into(), "up".into()), ("job".into(), "node".into())]);
        let name = |legend: &str| {
            let panel = panel(&format!(r#"{{"expr":"up == 1","legend":"{legend}"}}"#));
            series_name(&panel, &panel.queries[0], &labels)
        };
        assert_eq!(name("{{job}} {{ job }}"), "node node");
        assert_eq!(name("{{daemon|job}}"), "node");
        assert_eq!(name("p95"), "p95");
        assert_eq!(name("{{absent}}"), "up{job=\"node\"}");
        assert_eq!(name("{{job"), "{{job");
        assert_eq!(name(""), "up{job=\"node\"}");
        let by = panel(r#"{"expr":"sum by (job) (up)"}"#);
        assert_eq!(series_name(&by, &by.queries[0], &Labels::from([("job".into(), "node".into())])), "node");
    }

    #[test]
    fn a_series_without_labels_has_the_title_of_its_panel() {
        let panel = panel(r#"{"expr":"sum(up)"}"#);
        assert_eq!(series_name(&panel, &panel.queries[0], &Labels::new()), "Title");
    }

    #[test]
    fn column_headings_are_not_empty_and_are_unique() {
        let panel = panel(
            r#"{"expr":"a","legend":"{{provider}} jobs"},{"expr":"b"},{"expr":"c","legend":"{{job}}"},{"expr":"d","legend":"Time"}"#,
        );
        assert_eq!(column_names(&panel), ["jobs", "Title (query 2)", "Title (query 3)", "Time"]);
    }
}
