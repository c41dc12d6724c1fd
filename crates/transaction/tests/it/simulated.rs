//! A share of the seeded crash simulation; `cargo xtask crash --simulated N` runs more.

use crate::simulation::run;

#[test]
fn crashes_and_faults_lose_nothing() {
    for seed in 0..50 {
        let tally = run(seed).unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
        assert!(tally.steps > 0 && tally.crashes > 0, "seed {seed} has done nothing: {tally:?}");
    }
}
