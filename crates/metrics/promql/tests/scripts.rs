//! Runs the scripts beside this file, in the format of Prometheus' own tests.

use promqltest::{Memory, run};

#[test]
fn every_evaluation_gives_what_its_script_expects() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    let mut failures = Vec::new();
    let mut total = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let report = run(&std::fs::read_to_string(&path).unwrap(), &mut Memory::default(), false);
        total += report.total;
        for (line, reason) in report.failures {
            failures.push(format!("{}:{line}: {reason}", path.display()));
        }
    }
    assert!(failures.is_empty(), "{} of {total} failed\n{}", failures.len(), failures.join("\n"));
    assert!(total > 100, "only {total} evaluations were found");
}
