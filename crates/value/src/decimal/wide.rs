//! Unsigned 256- and 512-bit arithmetic, as much as exact decimals need.
//!
//! Numbers are little-endian arrays of 64-bit limbs. 256 bits hold any 77 digits, so 65-digit
//! values have room for a carry and for rounding; products and scaled dividends use 512 bits
//! (154 digits). Division is Knuth's algorithm D (TAOCP volume 2, 4.3.1) on 64-bit digits.

use std::cmp::Ordering;

/// A 256-bit magnitude.
pub(super) type Wide = [u64; 4];
/// A 512-bit magnitude.
pub(super) type Wider = [u64; 8];

pub(super) const ZERO: Wide = [0; 4];

/// The largest power of ten in a 64-bit limb, and its exponent.
pub(super) const LIMB_POWER: u64 = 10_000_000_000_000_000_000;
pub(super) const LIMB_DIGITS: usize = 19;

/// The powers of ten that fit 64 bits.
pub(super) const POW10_U64: [u64; 20] = {
    let mut table = [1u64; 20];
    let mut i = 1;
    while i < 20 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// The powers of ten that fit 256 bits.
pub(super) static POW10: [Wide; 78] = {
    let mut table = [[0u64; 4]; 78];
    table[0][0] = 1;
    let mut i = 1;
    while i < 78 {
        let mut carry = 0u128;
        let mut limb = 0;
        while limb < 4 {
            let product = table[i - 1][limb] as u128 * 10 + carry;
            table[i][limb] = product as u64;
            carry = product >> 64;
            limb += 1;
        }
        i += 1;
    }
    table
};

#[inline]
pub(super) fn is_zero(a: &[u64]) -> bool {
    a.iter().all(|&limb| limb == 0)
}

#[inline]
pub(super) fn from_u128(v: u128) -> Wide {
    [v as u64, (v >> 64) as u64, 0, 0]
}

/// The value as 64 bits, where it fits.
#[inline]
pub(super) fn as_u64(a: &Wide) -> Option<u64> {
    (a[1] | a[2] | a[3] == 0).then_some(a[0])
}

pub(super) fn cmp(a: &[u64], b: &[u64]) -> Ordering {
    debug_assert_eq!(a.len(), b.len());
    a.iter().rev().cmp(b.iter().rev())
}

/// `a + b`, for sums below 2^512.
pub(super) fn add(a: &Wider, b: &Wider) -> Wider {
    let mut out = [0u64; 8];
    let mut carry = false;
    for i in 0..8 {
        let (sum, over) = a[i].overflowing_add(b[i]);
        let (sum, over_carry) = sum.overflowing_add(u64::from(carry));
        out[i] = sum;
        carry = over | over_carry;
    }
    out
}

/// `a - b`, for `a >= b`.
pub(super) fn sub<const N: usize>(a: &[u64; N], b: &[u64; N]) -> [u64; N] {
    let mut out = [0u64; N];
    let mut borrow = false;
    for i in 0..N {
        let (difference, under) = a[i].overflowing_sub(b[i]);
        let (difference, under_borrow) = difference.overflowing_sub(u64::from(borrow));
        out[i] = difference;
        borrow = under | under_borrow;
    }
    out
}

/// Multiplies in place by one limb and adds one; the limb that falls out at the top.
pub(super) fn mul_add_limb(a: &mut [u64], factor: u64, addend: u64) -> u64 {
    let mut carry = u128::from(addend);
    for limb in a.iter_mut() {
        let product = u128::from(*limb) * u128::from(factor) + carry;
        *limb = product as u64;
        carry = product >> 64;
    }
    carry as u64
}

/// Divides in place by one limb; the remainder.
pub(super) fn div_limb(a: &mut [u64], divisor: u64) -> u64 {
    let mut remainder = 0u128;
    for limb in a.iter_mut().rev() {
        let dividend = (remainder << 64) | u128::from(*limb);
        *limb = (dividend / u128::from(divisor)) as u64;
        remainder = dividend % u128::from(divisor);
    }
    remainder as u64
}

/// The full product.
pub(super) fn mul(a: &Wide, b: &Wide) -> Wider {
    let mut out = [0u64; 8];
    for (i, &x) in a.iter().enumerate() {
        if x == 0 {
            continue;
        }
        let mut carry = 0u128;
        for (j, &y) in b.iter().enumerate() {
            let sum = u128::from(x) * u128::from(y) + u128::from(out[i + j]) + carry;
            out[i + j] = sum as u64;
            carry = sum >> 64;
        }
        out[i + 4] = carry as u64;
    }
    out
}

pub(super) fn widen(a: &Wide) -> Wider {
    [a[0], a[1], a[2], a[3], 0, 0, 0, 0]
}

/// The low half, where the high half is zero.
pub(super) fn narrow(a: &Wider) -> Option<Wide> {
    is_zero(&a[4..]).then_some([a[0], a[1], a[2], a[3]])
}

/// Multiplies by a power of ten; false where the product does not fit.
pub(super) fn scale_up(a: &mut [u64], mut digits: usize) -> bool {
    while digits > 0 {
        let step = digits.min(LIMB_DIGITS);
        if mul_add_limb(a, POW10_U64[step], 0) != 0 {
            return false;
        }
        digits -= step;
    }
    true
}

/// The number of decimal digits, 0 for zero.
pub(super) fn digit_count(a: &Wide) -> usize {
    if let Some(small) = as_u64(a) {
        return small.checked_ilog10().map_or(0, |log| log as usize + 1);
    }
    POW10.partition_point(|power| cmp(power, a) != Ordering::Greater)
}

/// The number of decimal digits, 0 for zero.
pub(super) fn wider_digit_count(a: &Wider) -> usize {
    if let Some(small) = narrow(a) {
        return digit_count(&small);
    }
    match div_rem(a, &widen(&POW10[77])) {
        Some((quotient, _)) => 77 + narrow(&quotient).map_or(77, |quotient| digit_count(&quotient)),
        None => 0,
    }
}

/// Quotient and remainder. `None` for a zero divisor.
pub(super) fn div_rem(dividend: &Wider, divisor: &Wider) -> Option<(Wider, Wider)> {
    let n = 8 - divisor.iter().rev().take_while(|&&limb| limb == 0).count();
    let m = 8 - dividend.iter().rev().take_while(|&&limb| limb == 0).count();
    if n == 0 {
        return None;
    }
    if cmp(dividend, divisor) == Ordering::Less {
        return Some(([0; 8], *dividend));
    }
    if n == 1 {
        let mut quotient = *dividend;
        let mut remainder = [0u64; 8];
        remainder[0] = div_limb(&mut quotient, divisor[0]);
        return Some((quotient, remainder));
    }
    // Normalise: the divisor's highest bit is set, so that a guessed quotient digit is at most two off.
    let shift = divisor[n - 1].leading_zeros();
    let shl = |limbs: &[u64], i: usize| {
        let low = if i == 0 || shift == 0 { 0 } else { limbs[i - 1] >> (64 - shift) };
        let high = if i < limbs.len() { limbs[i] << shift } else { 0 };
        high | low
    };
    let mut v = [0u64; 8];
    for (i, limb) in v.iter_mut().enumerate().take(n) {
        *limb = shl(divisor, i);
    }
    let mut u = [0u64; 9];
    for (i, limb) in u.iter_mut().enumerate().take(m + 1) {
        *limb = shl(dividend, i);
    }
    let mut quotient = [0u64; 8];
    for j in (0..=m - n).rev() {
        let top = (u128::from(u[j + n]) << 64) | u128::from(u[j + n - 1]);
        let mut guess = top / u128::from(v[n - 1]);
        let mut rest = top % u128::from(v[n - 1]);
        while guess >> 64 != 0 || guess * u128::from(v[n - 2]) > ((rest << 64) | u128::from(u[j + n - 2])) {
            guess -= 1;
            rest += u128::from(v[n - 1]);
            if rest >> 64 != 0 {
                break;
            }
        }
        let mut carry = 0u128;
        let mut borrow = false;
        for i in 0..n {
            let product = guess * u128::from(v[i]) + carry;
            carry = product >> 64;
            let (difference, under) = u[i + j].overflowing_sub(product as u64);
            let (difference, under_borrow) = difference.overflowing_sub(u64::from(borrow));
            u[i + j] = difference;
            borrow = under | under_borrow;
        }
        let (difference, under) = u[j + n].overflowing_sub(carry as u64);
        let (difference, under_borrow) = difference.overflowing_sub(u64::from(borrow));
        u[j + n] = difference;
        if under | under_borrow {
            guess -= 1;
            let mut carry = false;
            for i in 0..n {
                let (sum, over) = u[i + j].overflowing_add(v[i]);
                let (sum, over_carry) = sum.overflowing_add(u64::from(carry));
                u[i + j] = sum;
                carry = over | over_carry;
            }
            u[j + n] = u[j + n].wrapping_add(u64::from(carry));
        }
        quotient[j] = guess as u64;
    }
    let mut remainder = [0u64; 8];
    for i in 0..n {
        let high = if shift == 0 { 0 } else { u[i + 1] << (64 - shift) };
        remainder[i] = (u[i] >> shift) | high;
    }
    Some((quotient, remainder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rebuild(quotient: &Wider, divisor: &Wider, remainder: &Wider) -> Option<Wider> {
        let mut out = [0u64; 8];
        for (i, &x) in quotient.iter().enumerate() {
            let mut carry = 0u128;
            for (j, &y) in divisor.iter().enumerate() {
                if i + j >= 8 {
                    if x != 0 && y != 0 {
                        return None;
                    }
                    continue;
                }
                let sum = u128::from(x) * u128::from(y) + u128::from(out[i + j]) + carry;
                out[i + j] = sum as u64;
                carry = sum >> 64;
            }
        }
        let mut carry = false;
        for i in 0..8 {
            let (sum, a) = out[i].overflowing_add(remainder[i]);
            let (sum, b) = sum.overflowing_add(u64::from(carry));
            out[i] = sum;
            carry = a | b;
        }
        Some(out)
    }

    fn limb() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(1 << 63), Just((1 << 63) - 1), any::<u64>()]
    }

    proptest! {
        #[test]
        fn division_is_undone_by_multiplication(
            dividend in prop::array::uniform8(limb()), mut divisor in prop::array::uniform8(limb()),
            keep in 1usize..=8,
        ) {
            divisor[keep..].fill(0);
            match div_rem(&dividend, &divisor) {
                None => prop_assert!(is_zero(&divisor)),
                Some((quotient, remainder)) => {
                    prop_assert_eq!(cmp(&remainder, &divisor), Ordering::Less);
                    prop_assert_eq!(rebuild(&quotient, &divisor, &remainder), Some(dividend));
                }
            }
        }

        #[test]
        fn sums_and_differences_undo_each_other(mut a in prop::array::uniform8(limb()), mut b in prop::array::uniform8(limb())) {
            a[7] >>= 1;
            b[7] >>= 1;
            prop_assert_eq!(sub(&add(&a, &b), &b), a);
        }
    }

    #[test]
    fn digits_are_counted_at_the_powers() {
        assert_eq!(digit_count(&ZERO), 0);
        for (exponent, power) in POW10.iter().enumerate() {
            assert_eq!(digit_count(power), exponent + 1);
            if exponent > 0 {
                assert_eq!(digit_count(&sub(power, &POW10[0])), exponent);
            }
            let mut wider = widen(power);
            assert!(scale_up(&mut wider, 70));
            assert_eq!(wider_digit_count(&wider), exponent + 71);
            assert_eq!(wider_digit_count(&sub(&wider, &widen(&POW10[0]))), exponent + 70);
        }
    }
}
