//! The checks of Prometheus' `rulefmt`, and no others.

use std::collections::{BTreeMap, HashSet};

use model::label::is_label_name;
use yaml::Problem;

use crate::{
    file::{Placed, RuleDuration, RuleFile, RuleSpec},
    template,
};

/// All problems of a file.
pub(crate) fn problems(file: &RuleFile) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut names = HashSet::new();
    for group in &file.groups {
        let mut add = |message: String| {
            found.push(Problem { line: group.line, column: group.column, message });
        };
        if group.value.name.is_empty() {
            add("the group has no name: give it one by `name`".to_owned());
        }
        if !names.insert(&group.value.name) {
            add(format!("another group of this file is named {:?} too: rename one", group.value.name));
        }
        check_labels(&group.value.labels, &mut add);
        for rule in &group.value.rules {
            check_rule(rule, &mut found);
        }
    }
    found
}

/// What Prometheus accepts but can never work: templates that fail for any alert. The alert fires nevertheless, with
/// the error instead of the text.
pub(crate) fn warnings(file: &RuleFile) -> Vec<Problem> {
    let mut found = Vec::new();
    for rule in file.groups.iter().flat_map(|group| &group.value.rules).filter(|rule| !rule.value.alert.is_empty()) {
        for (kind, texts) in [("label", &rule.value.labels), ("annotation", &rule.value.annotations)] {
            for (name, text) in texts {
                let faults = template::Text::parse(&rule.value.alert, text).map(|text| text.faults());
                found.extend(faults.into_iter().flatten().map(|fault| Problem {
                    line: rule.line,
                    column: rule.column,
                    message: format!("{kind} {name:?} cannot be filled in: {fault}"),
                }));
            }
        }
    }
    found
}

fn check_rule(placed: &Placed<RuleSpec>, found: &mut Vec<Problem>) {
    let rule = &placed.value;
    let at_expr = rule.expr.as_ref().map_or((placed.line, placed.column), |expr| (expr.line, expr.column));
    let mut add = |message: String| found.push(Problem { line: placed.line, column: placed.column, message });
    match (rule.alert.is_empty(), rule.record.is_empty()) {
        (false, false) => add("a rule either alerts or records: leave out `alert` or `record`".to_owned()),
        (true, true) => add("a rule needs a name: give `alert` or `record`".to_owned()),
        _ => {}
    }
    if !rule.record.is_empty() {
        let is_set = |span: Option<RuleDuration>| span.is_some_and(|span| span.ms != 0);
        for (is_there, key) in [
            (!rule.annotations.is_empty(), "annotations"),
            (is_set(rule.hold), "for"),
            (is_set(rule.keep_firing_for), "keep_firing_for"),
        ] {
            if is_there {
                add(format!("`{key}` is for alerts: leave it out of a recording rule"));
            }
        }
        // Prometheus accepts any name; but one with braces is an expression in the wrong field.
        if rule.record.contains(['{', '}']) {
            add(format!("{:?} is not a name of a series: an expression goes into `expr`", rule.record));
        }
    }
    check_labels(&rule.labels, &mut add);
    for name in rule.annotations.keys().filter(|name| !is_label_name(name)) {
        add(format!("{name:?} is not a name of an annotation: it is empty"));
    }
    if !rule.alert.is_empty() {
        for (kind, texts) in [("label", &rule.labels), ("annotation", &rule.annotations)] {
            for (name, text) in texts {
                if let Err(error) = template::Text::parse(&rule.alert, text) {
                    add(format!("{kind} {name:?}: {error}"));
                }
            }
        }
    }
    let expr = rule.expr.as_ref().map_or("", |expr| expr.value.as_str());
    let message = if expr.is_empty() {
        "a rule needs an expression: give `expr`".to_owned()
    } else {
        match promql::parse(expr) {
            Ok(_) => return,
            Err(error) => format!("could not parse expression: {error}"),
        }
    };
    found.push(Problem { line: at_expr.0, column: at_expr.1, message });
}

fn check_labels(labels: &BTreeMap<String, String>, add: &mut impl FnMut(String)) {
    for name in labels.keys().filter(|name| !is_label_name(name) || *name == "__name__") {
        add(format!("{name:?} is not a name of a label: it is empty or __name__"));
    }
}
