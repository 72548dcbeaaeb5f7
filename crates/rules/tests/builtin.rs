//! The built-in rules: each fires on suitable data, and none after a fresh start. promtool runs the same test file.

#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use rules::{
    RuleFile,
    unit::{self, TestFile},
};

fn tests_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/builtin.yml")
}

fn rule_files() -> Vec<(String, RuleFile)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut files: Vec<(String, RuleFile)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.display().to_string(), RuleFile::parse(&text).unwrap())
        })
        .collect();
    files.sort_by(|left, right| left.0.cmp(&right.0));
    files
}

#[test]
fn each_rule_fires_on_data_made_for_it() {
    let text = std::fs::read_to_string(tests_file()).unwrap();
    let problems = unit::run(&TestFile::parse(&text).unwrap(), &rule_files());
    assert_eq!(problems, []);
    let tested: BTreeSet<&str> = text.lines().filter_map(|line| line.trim_start().strip_prefix("- name: ")).collect();
    for (_, file) in rule_files() {
        for rule in file.groups.iter().flat_map(|group| &group.value.rules) {
            let name = format!("{}{}", rule.value.alert, rule.value.record);
            assert!(tested.contains(name.as_str()), "{name} has no test");
        }
    }
}

#[test]
fn promtool_sees_the_same() {
    let output = Command::new("promtool").args(["test", "rules"]).arg(tests_file()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
