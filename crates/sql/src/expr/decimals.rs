//! Columns of exact numbers in as few bits as their values need: 64, 128, or 256.
//!
//! A DECIMAL has up to 65 digits, but nearly all values fit in 64 bits once their point is taken away, and arithmetic
//! on 256 bits costs ten times as much. So the width is that of the data, not of the type: whoever makes a column
//! takes the narrowest width that its values fit in, whoever reads one gets [`Decimals`] and either asks for
//! 256 bits, value by value, or takes a loop over a narrow width. A number is the same in each width, and so is
//! everything that is made of it (sort keys, hashes, results).
//!
//! The kernels here are exact or do not answer: a loop that overflows its width is run again in the next one, and
//! None says that the general way (`rustydb_value::Decimal`, 256 bits) has to be taken, which knows MySQL's rules
//! for what is too long, out of range, or to be rounded.

use arrow_buffer::{NullBuffer, i256};

use super::types::{Class, ExprType};
use super::vector::{Slots, Vector};

/// The values of a column of decimals, at the scale of its type.
#[derive(Clone, Copy)]
pub enum Decimals<'a> {
    /// In 64 bits.
    Short(Slots<'a, i64>),
    /// In 128 bits.
    Long(Slots<'a, i128>),
    /// In 256 bits.
    Wide(Slots<'a, i256>),
}

impl Decimals<'_> {
    /// The value of a row; meaningless where it is NULL.
    #[inline]
    pub fn at(&self, row: usize) -> i256 {
        match self {
            Decimals::Short(values) => i256::from_i128(i128::from(values.at(row))),
            Decimals::Long(values) => i256::from_i128(values.at(row)),
            Decimals::Wide(values) => values.at(row),
        }
    }

    /// The same in 128 bits, which a wide column may not fit in.
    #[inline]
    fn long_at(&self, row: usize) -> i128 {
        match self {
            Decimals::Short(values) => i128::from(values.at(row)),
            Decimals::Long(values) => values.at(row),
            Decimals::Wide(_) => 0,
        }
    }

    fn is_wide(&self) -> bool {
        matches!(self, Decimals::Wide(_))
    }
}

/// Scaled integers in the narrowest width that all of them so far fit in.
#[derive(Debug)]
pub enum Scaled {
    /// In 64 bits.
    Short(Vec<i64>),
    /// In 128 bits.
    Long(Vec<i128>),
    /// In 256 bits.
    Wide(Vec<i256>),
}

impl Scaled {
    /// None yet, with room for some.
    pub fn with_capacity(values: usize) -> Scaled {
        Scaled::Short(Vec::with_capacity(values))
    }

    /// Adds one.
    pub fn push(&mut self, value: i256) {
        if let Scaled::Short(values) = self {
            match value.to_i128().map(i64::try_from) {
                Some(Ok(short)) => return values.push(short),
                Some(Err(_)) => *self = Scaled::Long(values.iter().map(|v| i128::from(*v)).collect()),
                None => {
                    *self = Scaled::Wide(values.iter().map(|v| i256::from_i128(i128::from(*v))).collect());
                }
            }
        }
        if let Scaled::Long(values) = self {
            match value.to_i128() {
                Some(long) => return values.push(long),
                None => *self = Scaled::Wide(values.iter().map(|v| i256::from_i128(*v)).collect()),
            }
        }
        if let Scaled::Wide(values) = self {
            values.push(value);
        }
    }

    /// The column of them.
    pub fn finish(self, nulls: Option<NullBuffer>) -> Vector {
        match self {
            Scaled::Short(values) => Vector::short_decimals(values, nulls),
            Scaled::Long(values) => Vector::long_decimals(values, nulls),
            Scaled::Wide(values) => Vector::wide_decimals(values, nulls),
        }
    }
}

/// Ten to the power of `exponent`, if 64 bits hold it.
fn short_power(exponent: u8) -> Option<i64> {
    10i64.checked_pow(u32::from(exponent))
}

/// The sum (or difference) of columns whose values are first multiplied by ten to some powers.
pub fn sum(
    (a, up_a): (&Vector, u8),
    (b, up_b): (&Vector, u8),
    is_difference: bool,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Option<Vector> {
    let (x, y) = (a.as_decimals(), b.as_decimals());
    if let (Decimals::Short(x), Decimals::Short(y), Some(p), Some(q)) =
        (x, y, short_power(up_a), short_power(up_b))
    {
        let mut over = false;
        let out = Slots::zip(x, y, rows, |x, y| {
            let ((x, a), (y, b)) = (x.overflowing_mul(p), y.overflowing_mul(q));
            let (sum, c) = if is_difference { x.overflowing_sub(y) } else { x.overflowing_add(y) };
            over |= a | b | c;
            sum
        });
        if !over {
            return Some(Vector::short_decimals(out, nulls));
        }
    }
    if x.is_wide() || y.is_wide() {
        return None;
    }
    let (p, q) = (10i128.checked_pow(u32::from(up_a))?, 10i128.checked_pow(u32::from(up_b))?);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let (x, y) = (x.long_at(row).checked_mul(p)?, y.long_at(row).checked_mul(q)?);
        out.push(if is_difference { x.checked_sub(y)? } else { x.checked_add(y)? });
    }
    Some(Vector::long_decimals(out, nulls))
}

/// The product of two columns, at the sum of their scales.
pub fn product(a: &Vector, b: &Vector, rows: usize, nulls: Option<NullBuffer>) -> Option<Vector> {
    let (x, y) = (a.as_decimals(), b.as_decimals());
    if let (Decimals::Short(x), Decimals::Short(y)) = (x, y) {
        let mut over = false;
        let out = Slots::zip(x, y, rows, |x, y| {
            let (product, beyond) = x.overflowing_mul(y);
            over |= beyond;
            product
        });
        if !over {
            return Some(Vector::short_decimals(out, nulls));
        }
        let out = Slots::zip(x, y, rows, |x, y| i128::from(x) * i128::from(y));
        return Some(Vector::long_decimals(out, nulls));
    }
    if x.is_wide() || y.is_wide() {
        return None;
    }
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        out.push(x.long_at(row).checked_mul(y.long_at(row))?);
    }
    Some(Vector::long_decimals(out, nulls))
}

/// Integers or decimals as the decimals of a type with no fewer digits behind the point, if all of them are in range.
pub fn converted(
    input: &Vector,
    from: &ExprType,
    to: &ExprType,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Option<Vector> {
    let scale = if from.class() == Class::Decimal { from.decimals } else { 0 };
    let up = to.decimals.checked_sub(scale)?;
    let (int, _) = to.digits();
    let digits = int + u32::from(to.decimals);
    let values = match from.class() {
        Class::Int => Decimals::Short(input.as_ints()),
        Class::Decimal => input.as_decimals(),
        _ => return None,
    };
    if let (Decimals::Short(values), Some(power)) = (values, short_power(up)) {
        let limit = 10i64.checked_pow(digits).map_or(u64::MAX, i64::unsigned_abs);
        let mut outside = false;
        let out = values.map(rows, |value| {
            let (scaled, over) = value.overflowing_mul(power);
            outside |= over | (scaled.unsigned_abs() >= limit) | (to.unsigned & (scaled < 0));
            scaled
        });
        if !outside {
            return Some(Vector::short_decimals(out, nulls));
        }
    }
    if values.is_wide() {
        return None;
    }
    let power = 10i128.checked_pow(u32::from(up))?;
    let limit = 10i128.checked_pow(digits).map_or(u128::MAX, i128::unsigned_abs);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let scaled = values.long_at(row).checked_mul(power)?;
        if scaled.unsigned_abs() >= limit || (to.unsigned && scaled < 0) {
            return None;
        }
        out.push(scaled);
    }
    Some(Vector::long_decimals(out, nulls))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::number::{decimal_from_i256, i256_from_decimal};
    use crate::expr::vector::Builder;
    use proptest::prelude::*;
    use rustydb_value::{Decimal, ValueRef};

    /// Scaled integers of every width, many of them close to where a width ends.
    fn scaled() -> impl Strategy<Value = i256> {
        prop_oneof![
            any::<i64>().prop_map(|v| i256::from_i128(i128::from(v % 1_000_000))),
            any::<i64>().prop_map(|v| i256::from_i128(i128::from(v))),
            any::<i128>().prop_map(|v| i256::from_i128(v >> 20)),
            (any::<i128>(), any::<u16>())
                .prop_map(|(v, m)| i256::from_i128(v).wrapping_mul(i256::from_i128(i128::from(m)))),
        ]
    }

    fn vector(values: &[i256], scale: u8) -> Vector {
        let mut builder = Builder::new(Class::Decimal, scale, values.len());
        for value in values {
            builder.push(ValueRef::Decimal(decimal_from_i256(*value, scale)));
        }
        builder.finish()
    }

    proptest! {
        /// Whatever a kernel here answers is what `Decimal` says.
        #[test]
        fn kernels_agree_with_exact_arithmetic(
            pairs in proptest::collection::vec((scaled(), scaled()), 1..20),
            (sa, sb) in (0u8..10, 0u8..10),
        ) {
            let (left, right): (Vec<i256>, Vec<i256>) = pairs.into_iter().unzip();
            let rows = left.len();
            let (a, b) = (vector(&left, sa), vector(&right, sb));
            for row in 0..rows {
                prop_assert_eq!(a.as_decimals().at(row), left[row]);
            }
            let scale = sa.max(sb);
            let decimal = |v: &Vector, row: usize, s: u8| decimal_from_i256(v.as_decimals().at(row), s);
            for is_difference in [false, true] {
                if let Some(sums) = sum((&a, scale - sa), (&b, scale - sb), is_difference, rows, None) {
                    for row in 0..rows {
                        let (x, y) = (decimal(&a, row, sa), decimal(&b, row, sb));
                        let exact = if is_difference { x.sub(&y) } else { x.add(&y) };
                        prop_assert_eq!(exact.map(|v| i256_from_decimal(v, scale)), Ok(sums.as_decimals().at(row)));
                    }
                }
            }
            if let Some(products) = product(&a, &b, rows, None) {
                for row in 0..rows {
                    let exact = decimal(&a, row, sa).mul(&decimal(&b, row, sb));
                    prop_assert_eq!(exact.map(|v| i256_from_decimal(v, sa + sb)), Ok(products.as_decimals().at(row)));
                }
            }
            let from = ExprType::decimal(65, sa, false);
            for precision in [5, 18, 19, 38, 39, 65] {
                for unsigned in [false, true] {
                    let to = ExprType::decimal(precision, scale, unsigned);
                    if let Some(out) = converted(&a, &from, &to, rows, None) {
                        for row in 0..rows {
                            let exact = decimal(&a, row, sa).round(scale).unwrap_or(Decimal::ZERO);
                            prop_assert!(exact.fits(precision.max(u32::from(scale)) as u8, scale));
                            prop_assert!(!(unsigned && exact.is_negative()));
                            prop_assert_eq!(i256_from_decimal(exact, scale), out.as_decimals().at(row));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn short_values_stay_short() {
        let a = vector(&[i256::from_i128(150), i256::from_i128(-3)], 2);
        let b = vector(&[i256::from_i128(4), i256::from_i128(i128::from(i64::MAX))], 0);
        assert!(matches!(product(&a, &a, 2, None).unwrap().as_decimals(), Decimals::Short(_)));
        assert!(matches!(product(&a, &b, 2, None).unwrap().as_decimals(), Decimals::Long(_)));
        assert!(matches!(sum((&a, 0), (&b, 2), false, 2, None).unwrap().as_decimals(), Decimals::Long(_)));
    }
}
