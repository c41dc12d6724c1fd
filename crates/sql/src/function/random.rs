//! The numbers of `RAND(seed)`: the same for every statement, whatever the batches in which its rows come.

use hashbrown::HashMap;

use crate::expr::BoundExpr;

/// MySQL's generator: two linear sequences modulo 2^30 - 1.
#[derive(Debug)]
pub struct Generator {
    first: u64,
    second: u64,
}

impl Generator {
    const MODULUS: u64 = 0x3fff_ffff;

    /// The sequence of a seed.
    pub fn seeded(seed: u32) -> Generator {
        let first = seed.wrapping_mul(0x10001).wrapping_add(55_555_555);
        let second = seed.wrapping_mul(0x1000_0001);
        Generator { first: u64::from(first) % Self::MODULUS, second: u64::from(second) % Self::MODULUS }
    }

    /// The next number, from 0 up to 1.
    pub fn draw(&mut self) -> f64 {
        self.first = (self.first * 3 + self.second) % Self::MODULUS;
        self.second = (self.first + self.second + 33) % Self::MODULUS;
        self.first as f64 / Self::MODULUS as f64
    }
}

/// The sequences that a statement has begun, one for each call in its text.
#[derive(Debug, Default)]
pub struct Sequences(HashMap<(usize, u32), Generator>);

impl Sequences {
    /// That of a call, which stays where it is as long as the statement runs.
    pub fn of(&mut self, call: &BoundExpr, seed: u32) -> &mut Generator {
        let place = std::ptr::from_ref(call) as usize;
        self.0.entry((place, seed)).or_insert_with(|| Generator::seeded(seed))
    }

    /// The next statement begins its own.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
