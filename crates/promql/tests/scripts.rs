//! Runs the scripts beside this file: what the language means, in the format of Prometheus' own tests.

#[path = "../examples/promqltest/check.rs"]
mod check;
#[path = "../examples/promqltest/run.rs"]
mod run;
#[path = "../examples/promqltest/script.rs"]
mod script;
#[path = "../examples/promqltest/series.rs"]
mod series;
#[path = "../examples/promqltest/store.rs"]
mod store;

#[test]
fn every_evaluation_gives_what_its_script_expects() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    let mut failures = Vec::new();
    let mut total = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let report = run::run(&std::fs::read_to_string(&path).unwrap(), false);
        total += report.total;
        for (line, reason) in report.failures {
            failures.push(format!("{}:{line}: {reason}", path.display()));
        }
    }
    assert!(failures.is_empty(), "{} of {total} failed\n{}", failures.len(), failures.join("\n"));
    assert!(total > 100, "only {total} evaluations were found");
}
