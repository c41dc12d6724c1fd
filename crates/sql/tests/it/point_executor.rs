//! The point executor answers as the general one: a share of what `cargo xtask points` runs.

use crate::points::run;

#[test]
fn the_point_executor_answers_as_the_general_one() {
    for seed in 1..=12 {
        if let Err(difference) = run(seed, 400) {
            panic!("{difference}");
        }
    }
}
