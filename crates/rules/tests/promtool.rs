//! Compares our checks of rule files and our templates with the real promtool.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests fail as tests do

use std::{path::Path, process::Command};

use rules::{
    RuleFile,
    unit::{self, TestFile},
};

/// Runs promtool; returns whether it succeeded, and its output.
fn promtool(arguments: &[&str], directory: &Path) -> (bool, String) {
    let output = Command::new("promtool").args(arguments).current_dir(directory).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

fn rule(text: &str) -> String {
    format!("groups:\n- name: a\n  rules:\n  - {text}\n")
}

/// Valid and invalid files.
fn files() -> Vec<String> {
    let mut files: Vec<String> = [
        "",
        "# nothing\n",
        "groups: []\n",
        "groups:\n",
        "{}\n",
        "---\ngroups: []\n",
        "grups: []\n",
        "groups: {}\n",
        "groups: a\n",
        "[]\n",
        "groups:\n- name: a\n",
        "groups:\n- name: a\n- name: a\n",
        "groups:\n- name: a\n- name: b\n",
        "groups:\n- name: ''\n",
        "groups:\n- rules: []\n",
        "groups:\n- name: a\n  rules:\n",
        "groups:\n- name: a\n  interval: 1m\n  limit: 10\n",
        "groups:\n- name: a\n  interval: 1h30m\n",
        "groups:\n- name: a\n  interval: 0s\n",
        "groups:\n- name: a\n  interval: 0\n",
        "groups:\n- name: a\n  interval: 5\n",
        "groups:\n- name: a\n  interval: -5m\n",
        "groups:\n- name: a\n  interval: 1.5m\n",
        "groups:\n- name: a\n  interval: 30s1m\n",
        "groups:\n- name: a\n  interval: ''\n",
        "groups:\n- name: a\n  limit: x\n",
        "groups:\n- name: a\n  limit: -1\n",
        "groups:\n- name: a\n  source_tenants: [x]\n",
        "groups:\n- name: a\n  name: b\n",
        "groups:\n  - name: a\n   rules: []\n",
        "groups:\n\t- name: a\n",
        "groups: [\n",
        "groups:\n- name: 1\n",
        "groups:\n- name: true\n",
    ]
    .map(str::to_owned)
    .to_vec();
    files.extend(
        [
            "{ record: a, expr: up }",
            "{ record: 'a:b:c', expr: 'sum(rate(x[5m]))' }",
            "{ alert: a, expr: up }",
            "{ alert: 'any name at all!', expr: up }",
            "{ expr: up }",
            "{ alert: a }",
            "{ alert: a, expr: '' }",
            "{ alert: a, expr: }",
            "{ alert: a, expr: 1 }",
            "{ alert: 1, expr: up }",
            "{ alert: a, record: b, expr: up }",
            "{ alert: '', record: b, expr: up }",
            "{ record: a, expr: up, for: 5m }",
            "{ record: a, expr: up, for: 0s }",
            "{ record: a, expr: up, keep_firing_for: 5m }",
            "{ record: a, expr: up, annotations: { a: b } }",
            "{ record: a, expr: up, annotations: {} }",
            "{ record: a, expr: up, labels: { a: b } }",
            "{ record: a, expr: up, labels: { a: '{{ broken' } }",
            "{ record: a, expr: up, labels: { __name__: b } }",
            "{ alert: a, expr: up, labels: { '': c } }",
            "{ alert: a, expr: up, labels: { a: 1 } }",
            "{ alert: a, expr: up, labels: { a: true } }",
            "{ alert: a, expr: up, labels: { a: } }",
            "{ alert: a, expr: up, labels: { a: [b] } }",
            "{ alert: a, expr: up, labels: [a] }",
            "{ alert: a, expr: up, labels: }",
            "{ alert: a, expr: up, labels: { a: b, a: c } }",
            "{ alert: a, expr: up, labels: { alertname: c } }",
            "{ alert: a, expr: up, labels: { __x: c } }",
            "{ alert: a, expr: up, annotations: { __name__: c } }",
            "{ alert: a, expr: up, annotations: { a: 1.5 } }",
            "{ alert: a, expr: up, for: 5m, keep_firing_for: 10m }",
            "{ alert: a, expr: up, for: 5 }",
            "{ alert: a, expr: up, for: '' }",
            "{ alert: a, expr: up, for: }",
            "{ alert: a, expr: up, for: 1d2h3m4s5ms }",
            "{ alert: a, expr: up, for: 5m3h }",
            "{ alert: a, expr: up, for: 1y1w }",
            "{ alert: a, expr: up, for: 5M }",
            "{ alert: a, expr: up, fro: 5m }",
            "{ alert: a, expr: up, for: 5m, for: 6m }",
            "{ alert: a, expr: 'sum(' }",
            "{ alert: a, expr: 'up > ' }",
            "{ alert: a, expr: 'up{' }",
            "{ alert: a, expr: 'up{job=a}' }",
            "{ alert: a, expr: 'rate(up)' }",
            "{ alert: a, expr: 'nofunction(up)' }",
            "{ alert: a, expr: '1 > 2' }",
            "{ alert: a, expr: 'up[5m]' }",
            "{ alert: a, expr: '\"text\"' }",
            "{ alert: a, expr: 'sum by (a) (up) / on (a) group_left sum by (a, b) (up)' }",
            "{ alert: a, expr: 'up{job=~\"(\"}' }",
            "{ alert: a, expr: '{}' }",
            "{ alert: a, expr: 'up offset -5m' }",
            "{ alert: a, expr: 'up @ start()' }",
            "{ alert: a, expr: 'max_over_time(up[5m:1m])' }",
        ]
        .map(rule),
    );
    files.extend(
        [
            "{{ $value }}",
            "{{ $labels.a }}",
            "{{ .Labels.a }} {{ .Value }}",
            "{{ $externalLabels.a }} {{ $externalURL }}",
            "{{ $nothing }}",
            "{{ $value",
            "{{ $value }",
            "{{ }}",
            "{{ if }}x{{ end }}",
            "{{ if $value }}x",
            "{{ if $value }}x{{ else }}y{{ end }}",
            "{{ end }}",
            "{{ nofunction 1 }}",
            "{{ humanize $value }} {{ humanize1024 $value }} {{ humanizeDuration $value }} {{ humanizePercentage $value }}",
            "{{ query \"up\" | first | value }}",
            "{{ with query \"up\" }}{{ . | first | label \"a\" }}{{ end }}",
            "{{ range query \"up\" }}{{ .Value }}{{ end }}",
            "{{ range $i, $e := query \"up\" }}{{ $i }}{{ end }}",
            "{{ printf \"%.2f\" $value }}",
            "{{ $value | printf \"%.2f\" | toUpper }}",
            "{{ $x := 1 }}{{ $x }}",
            "{{ $x = 1 }}",
            "{{ define \"t\" }}a{{ end }}{{ template \"t\" }}",
            "{{ template \"none\" }}",
            "{{ template none }}",
            "{{/* note */}}a",
            "{{- $value -}}",
            "{{ 1 | 2 }}",
            "{{ (1 }}",
            "{{ \"a }}",
            "{{ `a` }}",
            "{{ .Labels.a-b }}",
            "{{ stripPort \"a:1\" }} {{ stripDomain \"a.b\" }} {{ externalURL }} {{ pathPrefix }} {{ args 1 }} {{ safeHtml \"a\" }}",
            "{{ match \"a\" \"b\" }} {{ reReplaceAll \"a\" \"b\" \"c\" }} {{ title \"a\" }} {{ toLower \"a\" }} {{ parseDuration \"5m\" }}",
            "{{ tableLink \"up\" }} {{ graphLink \"up\" }} {{ sortByLabel \"a\" (query \"up\") }} {{ strvalue (query \"up\" | first) }}",
            "{{ humanizeTimestamp $value }} {{ $value | toTime }}",
        ]
        .map(|text| rule(&format!("{{ alert: a, expr: up, annotations: {{ t: '{text}' }} }}"))),
    );
    files
}

/// Accepted by newer versions of Prometheus, but not by Debian's promtool 2.42.
fn newer() -> Vec<String> {
    vec![
        "groups:\n- name: a\n  query_offset: 1m\n".to_owned(),
        "groups:\n- name: a\n  labels: { a: b }\n".to_owned(),
        rule("{ alert: a, expr: up, annotations: { t: '{{ now }} {{ toDuration 5 }} {{ urlQueryEscape \"a b\" }}' } }"),
        rule("{ alert: a, expr: 'up offset 5' }"),
        rule("{ record: a, expr: 'sort_by_label(up, \"a\")' }"),
        rule("{ record: a-b, expr: up }"),
        rule("{ record: 1, expr: up }"),
        rule("{ record: 'a b', expr: up }"),
        rule("{ record: 1a, expr: up }"),
        rule("{ alert: a, expr: up, labels: { a-b: c } }"),
        rule("{ alert: a, expr: up, labels: { 'ä': c } }"),
        rule("{ alert: a, expr: up, annotations: { a-b: c } }"),
        rule("{ alert: a, expr: '{\"service.name\"=\"x\"}', labels: { service.name: c } }"),
    ]
}

#[test]
fn promtool_refuses_what_we_refuse() {
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for text in files() {
        std::fs::write(directory.path().join("r.yml"), &text).unwrap();
        let (theirs, said) = promtool(&["check", "rules", "r.yml"], directory.path());
        let ours = RuleFile::parse(&text);
        if theirs != ours.is_ok() {
            wrong.push(format!("{text}\npromtool: {said}\nwe: {ours:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for text in newer() {
        assert!(RuleFile::parse(&text).is_ok(), "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let complaint = |text: &str| RuleFile::parse(text).unwrap_err().first().unwrap().to_string();
    for (complaint, said) in [
        (complaint("groups:\n- name: a\n- name: a\n"), "3:3: another group"),
        (complaint("grups: []\n"), "1:1: unknown key `grups`"),
        (complaint(&rule("{ expr: up }")), "4:5: a rule needs a name"),
        (complaint(&rule("{ expr: up, record: a, for: 5m }")), "4:5: `for` is for alerts"),
        (complaint(&rule("{ expr: up, alert: a, for: 5 }")), "4:32: \"5\" is not a duration"),
        (complaint(&rule("alert: a\n    expr: 'sum('")), "5:11: could not parse expression"),
        (
            complaint(&rule("{ expr: up, alert: a, annotations: { b: '{{ x }}' } }")),
            "4:5: annotation \"b\": could not parse template",
        ),
    ] {
        assert!(complaint.starts_with(said), "{complaint} should start with {said}");
    }
}

/// Like Prometheus we accept these, and the alert fires with the error instead of the text; we add a warning.
#[test]
fn a_text_that_can_never_be_filled_in_is_taken_with_a_warning() {
    let warnings = |text: &str| {
        let rule = rule(&format!("{{ alert: a, expr: up, annotations: {{ t: '{text}' }} }}"));
        let warnings = RuleFile::parse(&rule).unwrap().warnings();
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (text, reason) in [
        ("{{ .Foo }}", "4:5: annotation \"t\" cannot be filled in: template: __alert_a:1:"),
        ("{{ gt $value 1 }}", "incompatible types for comparison: float64 and int"),
        ("{{ $labels.a.b }}", "can't evaluate field b in type string"),
        ("{{ query \"up\" | value }}", "expected *template.sample; got []*template.sample"),
        ("{{ (query \"up\" | first).Vlaue }}", "it has Labels, Value"),
        ("{{ ($value | toTime).Plus 5 }}", "can't evaluate field Plus in type time.Time"),
        ("{{ template \"none\" }}", "template \"none\" not defined"),
    ] {
        let found = warnings(text);
        assert!(found.len() == 1 && found[0].contains(reason), "{text}: {found:?}");
    }
    let sound: Vec<&str> = TEMPLATES
        .iter()
        .copied()
        .filter(|text| {
            !["{{ gt $value 1.0 }}", "{{ $labels.a.b", "{{ .Foo", "{{ len 3", "{{ define \"t\"", "{{ range 3.5"]
                .iter()
                .any(|wrong| text.starts_with(wrong))
        })
        .collect();
    assert!(sound.len() > 20);
    for text in sound {
        assert_eq!(warnings(&text.replace('\'', "\'\'")), Vec::<String>::new(), "{text}");
    }
}

/// Templates for a series `x{a="1",z="q"}` with the value 42.5.
const TEMPLATES: &[&str] = &[
    "{{ $value }} {{ .Value }} {{ $labels.a }} {{ .Labels.a }} {{ $labels.missing }} {{ $labels }}",
    "{{ $externalLabels.region }} {{ .ExternalLabels }} {{ $externalURL }}",
    "{{ range $i, $e := $labels }}{{ $i }}={{ $e }};{{ end }}",
    "{{ 0.000123 | humanize }} {{ 123456789.0 | humanize }} {{ 0.0 | humanize }} {{ -1500.0 | humanize }} {{ humanize 12 }} {{ humanize \"1e6\" }}",
    "{{ humanize1024 0.5 }} {{ humanize1024 1048576.0 }} {{ humanize1024 -5000.0 }} {{ humanize1024 1e30 }}",
    "{{ humanizeDuration 0.0 }} {{ humanizeDuration 1.5 }} {{ humanizeDuration 59.99 }} {{ humanizeDuration 61.0 }} {{ humanizeDuration 3661.0 }} {{ humanizeDuration 90061.5 }} {{ humanizeDuration -61.0 }} {{ humanizeDuration 0.0015 }} {{ humanizeDuration -0.1 }}",
    "{{ humanizePercentage 0.1234567 }} {{ humanizePercentage 1.0 }} {{ $value | humanizePercentage }}",
    "{{ humanizeTimestamp 1435065584.128 }} {{ humanizeTimestamp 0.0 }} {{ 1435065584.128 | toTime }} {{ (1435065584.128 | toTime).Year }}",
    "{{ \"aa bb-cC_dd\" | title }} {{ toUpper \"aB\" }} {{ toLower \"aB\" }}",
    "{{ match \"a+\" \"baab\" }} {{ match \"^a+$\" \"baab\" }} {{ reReplaceAll \"(a)b\" \"x$1\" \"abab\" }} {{ reReplaceAll \"[0-9]+\" \"N\" \"a1b22\" }}",
    "{{ stripPort \"a.b:80\" }} {{ stripPort \"a.b\" }} {{ stripPort \"[::1]:80\" }} {{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"a.b\" }} {{ stripDomain \"1.2.3.4:80\" }} {{ stripDomain \"1.2.3.4\" }}",
    "{{ tableLink \"up{a=\\\"b\\\"} > 1\" }} {{ graphLink \"sum(x)\" }}",
    "{{ args 1 \"b\" }} {{ (args 1 \"b\").arg1 }} {{ safeHtml \"<b>\" }} {{ parseDuration \"1h30m\" }}",
    "{{ query \"sort(x)\" | first | value }} {{ query \"sort(x)\" | first | label \"a\" }} {{ (query \"sort(x)\" | first).Labels.a }} {{ query \"none\" | len }}",
    "{{ range query \"sort(x)\" }}{{ .Labels.a }}:{{ .Value }} {{ end }}",
    "{{ range (sortByLabel \"a\" (query \"x\")) }}{{ .Labels.a }} {{ end }}",
    "{{ with query \"x > 50\" }}{{ . | first | value }}{{ else }}none{{ end }} {{ with query \"x > 500\" }}a{{ else }}none{{ end }}",
    "{{ first (query \"none\") }}",
    "{{ query \"sum(\" }}",
    "{{ gt $value 1.0 }} {{ if and (gt $value 1.0) (lt $value 100.0) }}mid{{ end }} {{ gt $value 1 }}",
    "{{ $labels.a.b }}",
    "{{ .Foo }}",
    "{{ len 3 }}",
    "{{ index $labels \"a\" }} {{ index (query \"x\") 5 }}",
    "{{ printf \"%.2f %s %d %v\" $value $labels.a 3 $value }} {{ printf \"%d\" $value }}",
    "{{ define \"t\" }}[{{ . }}]{{ end }}{{ template \"t\" $value }} {{ template \"none\" }}",
    "{{ range 3.5 }}x{{ end }}",
    "{{ 1000000.0 }} {{ 123456789.0 }} {{ 0.00001 }} {{ 1e100 }} {{ -0.5 }} {{ print 1 2 \"a\" 3 }}",
    "a  {{- \" b \" -}}  c {{/* note */}}d",
];

#[test]
fn templates_give_what_prometheus_gives() {
    let directory = tempfile::tempdir().unwrap();
    let mut rules = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: x{a='1'} > 0\n    labels: { l: '{{ $value }}' }\n    annotations:\n".to_owned();
    for (index, template) in TEMPLATES.iter().enumerate() {
        rules += &format!("      t{index:03}: {template:?}\n");
    }
    let tests = "rule_files: [r.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  external_labels: { region: eu }\n  external_url: http://h/p\n  input_series:\n  - { series: 'x{a=\"1\",z=\"q\"}', values: '1.5 42.5' }\n  - { series: 'x{a=\"2\",z=\"q\"}', values: '7 70' }\n  alert_rule_test:\n  - { eval_time: 1m, alertname: A, exp_alerts: [] }\n";
    std::fs::write(directory.path().join("r.yml"), &rules).unwrap();
    std::fs::write(directory.path().join("t.yml"), tests).unwrap();
    let (_, theirs) = promtool(&["test", "rules", "t.yml"], directory.path());

    let file = RuleFile::parse(&rules).unwrap();
    let ours = unit::run(&TestFile::parse(tests).unwrap(), &[("r.yml".to_owned(), file)]);
    let ours = ours.first().expect("one alert fires").to_string();
    let mut wrong = Vec::new();
    for (index, template) in TEMPLATES.iter().enumerate() {
        let find = |said: &str, sign: &str| {
            let key = format!("t{index:03}");
            let start = said.find(&format!("{key}{sign}")).or_else(|| said.find(&format!("\"{key}\"{sign}")))?;
            let rest = said.get(start..)?;
            let rest = rest.get(rest.find(&format!("{sign}\""))? + sign.len()..)?;
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, next)| {
                let ends = *next == '"' && !escaped;
                escaped = *next == '\\' && !escaped;
                ends
            })?;
            rest.get(..=end.0).map(str::to_owned)
        };
        let (theirs, ours) = (find(&theirs, "="), find(&ours, ": "));
        if theirs.is_none() || theirs != ours {
            wrong.push(format!("{template}\n  promtool: {theirs:?}\n  we:       {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
