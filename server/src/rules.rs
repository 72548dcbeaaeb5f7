//! Files of alert and recording rules, in Prometheus' format: read and checked.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use crate::config::{
    Period,
    yaml::{self, YamlError},
};

/// A file of rules.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Its groups; their names are distinct.
    #[serde(default)]
    pub groups: Vec<Spanned<Group>>,
}

/// Rules that are evaluated together, in order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Names it within its file.
    pub name: String,
    /// How often it is evaluated.
    #[serde(default)]
    pub interval: Option<Period>,
    /// How far back it is evaluated, so that late samples are in.
    #[serde(default)]
    pub query_offset: Option<Period>,
    /// Most series or alerts that one of its rules may make; 0 for no limit.
    #[serde(default)]
    pub limit: usize,
    /// Labels of all its rules.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its rules.
    #[serde(default)]
    pub rules: Vec<Spanned<Rule>>,
}

/// One rule: either `alert` or `record` is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name of the alert that it raises.
    #[serde(default)]
    pub alert: Option<String>,
    /// Name of the series that it records.
    #[serde(default)]
    pub record: Option<String>,
    /// What is evaluated.
    pub expr: Spanned<String>,
    /// How long the expression must hold before the alert fires.
    #[serde(default, rename = "for")]
    pub hold: Option<Period>,
    /// How long the alert goes on firing after the expression held last.
    #[serde(default)]
    pub keep_firing_for: Option<Period>,
    /// Labels added to what it makes.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What people read of the alert.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Reads a file of rules.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn read(file: &Path) -> Result<RuleFile, YamlError> {
    let rules: RuleFile = yaml::read(file)?;
    match check(&rules) {
        Ok(()) => Ok(rules),
        Err((at, message)) => {
            Err(YamlError::Content { file: file.to_owned(), line: at.line(), column: at.column(), message })
        }
    }
}

/// What is wrong, and where.
type Wrong = (Location, String);

fn check(file: &RuleFile) -> Result<(), Wrong> {
    let mut names = HashSet::new();
    for group in &file.groups {
        if group.value.name.is_empty() {
            return Err((group.referenced, "the group has no name".to_owned()));
        }
        if !names.insert(&group.value.name) {
            return Err((group.referenced, format!("another group is named {:?} too", group.value.name)));
        }
        check_labels(&group.value.labels, group.referenced)?;
        for rule in &group.value.rules {
            check_rule(rule)?;
        }
    }
    Ok(())
}

fn check_rule(rule: &Spanned<Rule>) -> Result<(), Wrong> {
    let (at, rule) = (rule.referenced, &rule.value);
    let wrong = |message: &str| Err((at, message.to_owned()));
    match (&rule.alert, &rule.record) {
        (Some(_), Some(_)) => return wrong("a rule either alerts or records: leave out `alert` or `record`"),
        (None, None) => return wrong("a rule needs a name: give `alert` or `record`"),
        (Some(alert), None) if alert.is_empty() => return wrong("the alert has no name"),
        (None, Some(record)) if !is_metric_name(record) => {
            return Err((at, format!("{record:?} is not a name of a series: use letters, digits, `_` and `:`")));
        }
        (None, Some(_)) if rule.hold.is_some() || rule.keep_firing_for.is_some() || !rule.annotations.is_empty() => {
            return wrong("`for`, `keep_firing_for` and `annotations` are for alerts: a recording rule has none");
        }
        _ => {}
    }
    check_labels(&rule.labels, at)?;
    check_labels(&rule.annotations, at)?;
    promql::parse(&rule.expr.value).map(|_| ()).map_err(|error| (rule.expr.referenced, error.to_string()))
}

fn check_labels(labels: &BTreeMap<String, String>, at: Location) -> Result<(), Wrong> {
    match labels.keys().find(|name| !is_label_name(name)) {
        Some(name) => Err((at, format!("{name:?} is not a name of a label: use letters, digits and `_`"))),
        None => Ok(()),
    }
}

fn is_metric_name(name: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | ':');
    name.chars().all(is_part) && name.chars().next().is_some_and(|first| !first.is_ascii_digit())
}

fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && !name.contains(':') && name != "__name__"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("r.yaml");
        std::fs::write(&file, text).unwrap();
        let error = read(&file).unwrap_err().to_string();
        error.strip_prefix(&format!("{}:", directory.path().join("r.yaml").display())).unwrap().to_owned()
    }

    #[test]
    fn a_good_file_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("r.yaml");
        let text = r#"
groups:
  - name: jobs
    interval: 30s
    rules:
      - alert: JobsFail
        expr: rate(hypersdk_jobs_failed_total[5m]) > 0.1
        for: 5m
        labels: { severity: warning }
        annotations: { summary: "{{ $value }} failures a second" }
      - record: job:rate5m
        expr: |
          sum by (provider) (
            rate(hypersdk_jobs_total[5m])
          )
"#;
        std::fs::write(&file, text).unwrap();
        let rules = read(&file).unwrap();
        assert_eq!(rules.groups[0].value.rules.len(), 2);
        assert!(rules.groups[0].value.rules[0].value.hold.is_some());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let rule = |rule: &str| complaint(&format!("groups:\n- name: a\n  rules:\n  - {rule}\n"));
        for (complaint, said) in [
            (complaint("groups:\n- name: a\n- name: a\n"), "3:3: another group"),
            (complaint("grups: []\n"), "1:1: unknown key `grups`: did you mean `groups`?"),
            (rule("{ expr: up }"), "4:5: a rule needs a name"),
            (rule("{ expr: up, alert: a, record: b }"), "4:5: a rule either"),
            (rule("{ expr: up, record: a-b }"), "4:5: \"a-b\" is not a name of a series"),
            (rule("{ expr: up, record: a, for: 5m }"), "4:5: `for`"),
            (rule("{ expr: up, alert: a, labels: { a-b: c } }"), "4:5: \"a-b\" is not a name of a label"),
            (rule("{ expr: up, alert: a, fro: 5m }"), "4:27: unknown key `fro`: did you mean `for`?"),
            (rule("{ expr: up, alert: a, for: 5 }"), "4:32: \"5\" is not a duration"),
            (rule("alert: a\n    expr: 'sum('"), "5:11: "),
        ] {
            assert!(complaint.starts_with(said), "{complaint} should start with {said}");
        }
    }
}
