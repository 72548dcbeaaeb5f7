//! Runs every seed, and every input that once failed.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

use std::{fs, path::Path};

use fuzz_targets::{
    Target,
    mutate::{Dice, mutated},
};

fn inputs(folder: &str, target: Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz").join(folder).join(target.name());
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn what_was_a_fault_is_none_any_more() {
    for target in Target::ALL {
        for input in inputs("found", target) {
            target.run(&input);
        }
    }
}

#[test]
fn seeds_and_what_is_made_of_them_are_no_faults() {
    for target in Target::ALL {
        let mut known = inputs("seeds", target);
        let lines: Vec<Vec<u8>> =
            known.iter().flat_map(|seed| seed.split(|byte| *byte == b'\n')).map(<[u8]>::to_vec).collect();
        known.extend(lines);
        assert!(known.len() > 3, "no seeds of {target:?}");
        let mut dice = Dice(7);
        for index in 0..2_000 {
            let input = known.get(index).cloned().unwrap_or_else(|| mutated(target, &known, &mut dice));
            target.run(&input);
        }
    }
}
