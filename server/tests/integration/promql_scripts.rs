//! PromQL's test scripts, loaded by remote write and queried over HTTP: the engine's results must reach clients
//! unchanged.

use std::path::Path;

use promqltest::{Spawned, run};

#[test]
fn every_script_gives_over_http_what_it_expects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/metrics/promql/tests/scripts");
    let mut target = Spawned::new(env!("CARGO_BIN_EXE_hyperscope"), &[]);
    let mut failures = Vec::new();
    let mut total = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let report = run(&std::fs::read_to_string(&path).unwrap(), &mut target, false);
        total += report.total;
        for (line, reason) in report.failures {
            failures.push(format!("{}:{line}: {reason}", path.display()));
        }
    }
    assert!(failures.is_empty(), "{} of {total} failed\n{}", failures.len(), failures.join("\n"));
    assert!(total > 100, "only {total} evaluations were found");
}
