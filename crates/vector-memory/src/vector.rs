//! Vectors of length 1, side by side.

use crate::error::MemoryError;

/// The most numbers that a vector may have.
pub const MOST_DIMENSIONS: usize = 4096;

/// The vector scaled to length 1.
pub(crate) fn normalized(vector: &[f32], dimensions: usize) -> Result<Vec<f32>, MemoryError> {
    if vector.len() != dimensions {
        return Err(MemoryError::Dimensions { expected: dimensions, given: vector.len() });
    }
    // In f64: the squares of large f32 overflow.
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if !length.is_finite() || length <= f64::from(f32::MIN_POSITIVE) {
        return Err(MemoryError::NoDirection);
    }
    Ok(vector.iter().map(|x| (f64::from(*x) / length) as f32).collect())
}

/// The cosine of two vectors of length 1. Eight sums, so that the compiler uses wide registers.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// All vectors of a memory, by their number.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    dimensions: usize,
    numbers: Vec<f32>,
}

impl Vectors {
    pub(crate) fn new(dimensions: usize) -> Vectors {
        Vectors { dimensions, numbers: Vec::new() }
    }

    pub(crate) fn push(&mut self, vector: &[f32]) {
        self.numbers.extend_from_slice(vector);
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len() / self.dimensions.max(1)
    }

    pub(crate) fn get(&self, n: u32) -> &[f32] {
        let from = n as usize * self.dimensions;
        self.numbers.get(from..from + self.dimensions).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_direction_counts() {
        let a = normalized(&[3.0, 0.0, 4.0], 3).expect("a direction");
        let b = normalized(&[3e30, 0.0, 4e30], 3).expect("a direction");
        assert!((cosine(&a, &b) - 1.0).abs() < 1e-6);
        let long: Vec<f32> = (0..19).map(|n| n as f32).collect();
        let unit = normalized(&long, 19).expect("a direction");
        assert!((cosine(&unit, &unit) - 1.0).abs() < 1e-5, "the rest beyond multiples of eight counts");
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        for bad in [[0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0], [1e-45, 0.0]] {
            assert!(matches!(normalized(&bad, 2), Err(MemoryError::NoDirection)), "{bad:?}");
        }
        assert!(matches!(normalized(&[1.0], 2), Err(MemoryError::Dimensions { expected: 2, given: 1 })));
    }
}
