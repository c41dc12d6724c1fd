//! Exact decimal numbers of up to 65 digits, 30 of them after the point, with MySQL's rules.
//!
//! A [`Decimal`] is a sign, a 256-bit magnitude and a scale: `-12.50` is 1250 with scale 2. The
//! scale is part of the value (it is printed), but not of its order: `1.5 == 1.50`. Rounding is half
//! away from zero. A result that needs more than 65 digits, or more than 30 after the point, loses
//! digits after the point by rounding; with more than 65 before it, it is [`Error::Overflow`]. (MySQL
//! keeps up to 81 digits inside an expression, in groups of nine, and cuts groups; here the last
//! digits of such results differ.)
//!
//! The stored forms are in [`crate::row`] and [`crate::key`]; both hold the magnitude at the
//! column's scale.

mod text;
mod wide;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::error::{Error, Result};

pub use text::ParsedDecimal;

/// The most digits of a decimal.
pub const MAX_PRECISION: u8 = 65;
/// The most digits after the point.
pub const MAX_SCALE: u8 = 30;

/// An exact decimal number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decimal {
    /// Below 10^65.
    magnitude: wide::Wide,
    scale: u8,
    /// Never set for zero.
    negative: bool,
}

impl Decimal {
    /// Zero without digits after the point.
    pub const ZERO: Self = Self { magnitude: wide::ZERO, scale: 0, negative: false };

    /// `unscaled` divided by ten to the `scale`. Scales above 30 are an error.
    pub fn new(unscaled: i128, scale: u8) -> Result<Self> {
        Self::build(wide::from_u128(unscaled.unsigned_abs()), scale, unscaled < 0)
    }

    /// A number of at most 30 digits after the point and 65 in all: what is beyond that after the
    /// point is rounded away, what is beyond before it is [`Error::Overflow`].
    fn fit(magnitude: wide::Wider, scale: u8, negative: bool) -> Result<Self> {
        if scale <= MAX_SCALE
            && let Some(small) = wide::narrow(&magnitude)
            && wide::cmp(&small, &wide::POW10[MAX_PRECISION as usize]) == Ordering::Less
        {
            return Self::build(small, scale, negative);
        }
        let beyond = wide::wider_digit_count(&magnitude).saturating_sub(MAX_PRECISION as usize);
        let drop = beyond.max(scale.saturating_sub(MAX_SCALE) as usize);
        let Some(scale) = scale.checked_sub(drop as u8) else { return Err(Error::Overflow) };
        let rounded = round_quotient(&magnitude, &power_of_ten(drop))?;
        let rounded = wide::narrow(&rounded).ok_or(Error::Overflow)?;
        match Self::build(rounded, scale, negative) {
            // Rounding gave a 66th digit, a 1 before 65 zeros.
            Err(_) if scale > 0 => {
                let mut shorter = rounded;
                wide::div_limb(&mut shorter, 10);
                Self::build(shorter, scale - 1, negative)
            }
            done => done,
        }
    }

    fn build(magnitude: wide::Wide, scale: u8, negative: bool) -> Result<Self> {
        if scale > MAX_SCALE || wide::cmp(&magnitude, &wide::POW10[MAX_PRECISION as usize]) != Ordering::Less
        {
            return Err(Error::Overflow);
        }
        Ok(Self { magnitude, scale, negative: negative && !wide::is_zero(&magnitude) })
    }

    /// The largest number of a `DECIMAL(precision, scale)`: all nines.
    pub fn max_of(precision: u8, scale: u8) -> Self {
        let precision = precision.clamp(1, MAX_PRECISION) as usize;
        let magnitude = wide::sub(&wide::POW10[precision], &wide::POW10[0]);
        Self { magnitude, scale: scale.min(MAX_SCALE), negative: false }
    }

    /// Digits after the point.
    #[inline]
    pub const fn scale(&self) -> u8 {
        self.scale
    }

    /// Whether it is below zero.
    #[inline]
    pub const fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether it is zero, at any scale.
    #[inline]
    pub fn is_zero(&self) -> bool {
        wide::is_zero(&self.magnitude)
    }

    /// Digits without leading zeros: 3 for `1.50`, 0 for `0.00`.
    pub fn digits(&self) -> u8 {
        wide::digit_count(&self.magnitude) as u8
    }

    /// Digits before the point: 1 for `1.50`, 0 for `0.5`.
    pub fn integer_digits(&self) -> u8 {
        self.digits().saturating_sub(self.scale)
    }

    /// Whether a `DECIMAL(precision, scale)` holds the value without loss.
    pub fn fits(&self, precision: u8, scale: u8) -> bool {
        self.integer_digits() <= precision.saturating_sub(scale)
            && (self.scale <= scale || self.strip_trailing_zeros().scale <= scale)
    }

    /// The absolute value.
    pub const fn abs(mut self) -> Self {
        self.negative = false;
        self
    }

    /// The value with the opposite sign.
    #[allow(clippy::should_implement_trait, reason = "the other operations can fail and are methods too")]
    pub fn neg(mut self) -> Self {
        self.negative = !self.negative && !self.is_zero();
        self
    }

    /// The sum, with the larger of the two scales.
    pub fn add(&self, other: &Self) -> Result<Self> {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.rescaled_wider(scale), other.rescaled_wider(scale));
        if self.negative == other.negative {
            return Self::fit(wide::add(&a, &b), scale, self.negative);
        }
        match wide::cmp(&a, &b) {
            Ordering::Less => Self::fit(wide::sub(&b, &a), scale, other.negative),
            _ => Self::fit(wide::sub(&a, &b), scale, self.negative),
        }
    }

    /// The difference, with the larger of the two scales.
    pub fn sub(&self, other: &Self) -> Result<Self> {
        self.add(&other.neg())
    }

    /// The product, with the sum of the scales.
    pub fn mul(&self, other: &Self) -> Result<Self> {
        let product = wide::mul(&self.magnitude, &other.magnitude);
        Self::fit(product, self.scale + other.scale, self.negative != other.negative)
    }

    /// The quotient rounded to `scale` digits after the point (MySQL's `/` asks for the dividend's
    /// scale plus `div_precision_increment`). `Err(DivisionByZero)` for a zero divisor.
    pub fn div(&self, other: &Self, scale: u8) -> Result<Self> {
        self.quotient(other, scale, scale.saturating_sub(self.scale))
    }

    /// The quotient as [`Self::div`] has it, of a dividend with digits behind those that `scale` counts from: MySQL computes
    /// `increment` digits more than the dividend has, and rounds those to `scale`.
    pub fn quotient(&self, other: &Self, scale: u8, increment: u8) -> Result<Self> {
        if other.is_zero() {
            return Err(Error::DivisionByZero);
        }
        let scale = scale.min(MAX_SCALE);
        let mut dividend = wide::widen(&self.magnitude);
        let mut divisor = wide::widen(&other.magnitude);
        // self/10^a / (other/10^b) * 10^scale = self * 10^(scale + b) / (other * 10^a)
        let up = i32::from(scale) + i32::from(other.scale) - i32::from(self.scale);
        let fits = if up >= 0 {
            wide::scale_up(&mut dividend, up as usize)
        } else {
            wide::scale_up(&mut divisor, up.unsigned_abs() as usize)
        };
        if !fits {
            return Err(Error::Overflow);
        }
        let negative = self.negative != other.negative;
        let (quotient, remainder) = wide::div_rem(&dividend, &divisor).ok_or(Error::DivisionByZero)?;
        if wide::wider_digit_count(&quotient) > MAX_PRECISION as usize {
            // The digits that are dropped decide the rounding; the remainder cannot change it.
            return Self::fit(quotient, scale, negative);
        }
        // MySQL has computed whole words of nine digits, without a look at the remainder, and rounds from there: a
        // quotient that fills its last word is cut.
        if self.quotient_digits(other, increment) == u32::from(scale) {
            return Self::fit(quotient, scale, negative);
        }
        Self::fit(round_up_by(quotient, &remainder, &divisor), scale, negative)
    }

    /// How many digits after the point MySQL computes of a quotient that shall have so many more than its dividend.
    fn quotient_digits(&self, other: &Self, increment: u8) -> u32 {
        let words = |digits: u32| digits.div_ceil(9) * 9;
        let (own, theirs) = (u32::from(self.scale), u32::from(other.scale));
        let spare = words(own) - own + words(theirs) - theirs;
        let more = u32::from(increment).saturating_sub(spare);
        words(words(own) + words(theirs) + more)
    }

    /// The integer quotient, cut towards zero (MySQL's `DIV`).
    pub fn div_integer(&self, other: &Self) -> Result<Self> {
        let (quotient, _) = self.quotient_and_remainder(other)?;
        Self::build(wide::narrow(&quotient).ok_or(Error::Overflow)?, 0, self.negative != other.negative)
    }

    /// The remainder, with the sign of the dividend and the larger scale (MySQL's `%`).
    pub fn rem(&self, other: &Self) -> Result<Self> {
        let (_, remainder) = self.quotient_and_remainder(other)?;
        Self::build(
            wide::narrow(&remainder).ok_or(Error::Overflow)?,
            self.scale.max(other.scale),
            self.negative,
        )
    }

    fn quotient_and_remainder(&self, other: &Self) -> Result<(wide::Wider, wide::Wider)> {
        let scale = self.scale.max(other.scale);
        let mut dividend = wide::widen(&self.magnitude);
        let mut divisor = wide::widen(&other.magnitude);
        wide::scale_up(&mut dividend, (scale - self.scale) as usize);
        wide::scale_up(&mut divisor, (scale - other.scale) as usize);
        wide::div_rem(&dividend, &divisor).ok_or(Error::DivisionByZero)
    }

    /// The value with `scale` digits after the point, rounded half away from zero.
    pub fn round(&self, scale: u8) -> Result<Self> {
        let scale = scale.min(MAX_SCALE);
        if scale >= self.scale {
            return Self::build(self.rescale_up(scale)?, scale, self.negative);
        }
        let rounded =
            round_quotient(&wide::widen(&self.magnitude), &power_of_ten((self.scale - scale) as usize))?;
        Self::build(wide::narrow(&rounded).ok_or(Error::Overflow)?, scale, self.negative)
    }

    /// The value with `scale` digits after the point, cut towards zero.
    pub fn truncate(&self, scale: u8) -> Result<Self> {
        let scale = scale.min(MAX_SCALE);
        if scale >= self.scale {
            return Self::build(self.rescale_up(scale)?, scale, self.negative);
        }
        let mut magnitude = self.magnitude;
        scale_down(&mut magnitude, (self.scale - scale) as usize);
        Self::build(magnitude, scale, self.negative)
    }

    /// Rounded to a power of ten left of the point: `ROUND(1250, -2)` has `digits` 2. Scale 0.
    pub fn round_left(&self, digits: u8) -> Result<Self> {
        if digits > MAX_PRECISION {
            return Ok(Self::ZERO);
        }
        let divisor = power_of_ten(digits as usize + self.scale as usize);
        let rounded = round_quotient(&wide::widen(&self.magnitude), &divisor)?;
        let mut magnitude = wide::narrow(&rounded).ok_or(Error::Overflow)?;
        if !wide::scale_up(&mut magnitude, digits as usize) {
            return Err(Error::Overflow);
        }
        Self::build(magnitude, 0, self.negative)
    }

    /// Cut to a power of ten left of the point: `TRUNCATE(1250, -2)` has `digits` 2. Scale 0.
    pub fn truncate_left(&self, digits: u8) -> Self {
        if digits > MAX_PRECISION {
            return Self::ZERO;
        }
        let mut magnitude = self.magnitude;
        scale_down(&mut magnitude, digits as usize + self.scale as usize);
        // Not above what it was before the cut, so neither step can fail.
        wide::scale_up(&mut magnitude, digits as usize);
        Self { magnitude, scale: 0, negative: self.negative && !wide::is_zero(&magnitude) }
    }

    /// The largest integer not above the value.
    pub fn floor(&self) -> Result<Self> {
        let cut = self.truncate(0)?;
        if self.negative && cut != *self { cut.sub(&Self::from(1i64)) } else { Ok(cut) }
    }

    /// The smallest integer not below the value.
    pub fn ceiling(&self) -> Result<Self> {
        let cut = self.truncate(0)?;
        if !self.negative && cut != *self { cut.add(&Self::from(1i64)) } else { Ok(cut) }
    }

    /// The same value with the fewest digits after the point.
    pub fn strip_trailing_zeros(&self) -> Self {
        let mut out = *self;
        if out.is_zero() {
            return Self::ZERO;
        }
        while out.scale > 0 {
            let mut shorter = out.magnitude;
            if wide::div_limb(&mut shorter, 10) != 0 {
                break;
            }
            out.magnitude = shorter;
            out.scale -= 1;
        }
        out
    }

    /// Rounded half away from zero to a signed integer.
    pub fn to_i64(&self) -> Result<i64> {
        let rounded = self.round(0)?;
        let magnitude = wide::as_u64(&rounded.magnitude).ok_or(Error::Overflow)?;
        if rounded.negative {
            0i64.checked_sub_unsigned(magnitude).ok_or(Error::Overflow)
        } else {
            i64::try_from(magnitude).map_err(|_| Error::Overflow)
        }
    }

    /// Rounded half away from zero to an unsigned integer.
    pub fn to_u64(&self) -> Result<u64> {
        let rounded = self.round(0)?;
        if rounded.negative {
            return Err(Error::Overflow);
        }
        wide::as_u64(&rounded.magnitude).ok_or(Error::Overflow)
    }

    /// The nearest double-precision number.
    pub fn to_f64(&self) -> f64 {
        const EXACT: u64 = 1 << 53;
        if let Some(small) = wide::as_u64(&self.magnitude)
            && small <= EXACT
            && self.scale <= 22
        {
            // Both operands are exact, so the one division rounds once.
            let value = small as f64
                / wide::POW10_U64
                    .get(self.scale as usize)
                    .map_or_else(|| 10f64.powi(i32::from(self.scale)), |&power| power as f64);
            return if self.negative { -value } else { value };
        }
        let mut buffer = [0u8; text::MAX_TEXT];
        let len = self.format_into(&mut buffer);
        // Digits, sign and point only: the parser takes them and rounds to nearest.
        std::str::from_utf8(&buffer[..len]).ok().and_then(|s| s.parse().ok()).unwrap_or(0.0)
    }

    /// The decimal of a double-precision number's shortest text, with as many digits after the
    /// point as it needs (at most 30). `Err(Overflow)` for what is not finite or above 65 digits.
    pub fn from_f64(value: f64) -> Result<Self> {
        if !value.is_finite() {
            return Err(Error::Overflow);
        }
        let mut text = Vec::with_capacity(32);
        crate::float_text::write_shortest(value, &mut text);
        let parsed = Self::parse(&text);
        if parsed.overflow { Err(Error::Overflow) } else { Ok(parsed.value.strip_trailing_zeros()) }
    }

    /// The signed unscaled value at the decimal's own scale, as 256-bit two's complement in
    /// little-endian bytes: the form of Arrow's `Decimal256`.
    pub fn to_le_bytes(&self) -> [u8; 32] {
        let mut out = [0u8; 32];
        let mut carry = self.negative;
        for (chunk, &limb) in out.chunks_exact_mut(8).zip(&self.magnitude) {
            let mut limb = limb;
            if self.negative {
                let (negated, over) = (!limb).overflowing_add(u64::from(carry));
                limb = negated;
                carry = over;
            }
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        out
    }

    /// The decimal of [`Self::to_le_bytes`] at `scale`. `Err(Overflow)` above 65 digits.
    pub fn from_le_bytes(bytes: [u8; 32], scale: u8) -> Result<Self> {
        let negative = bytes[31] & 0x80 != 0;
        let mut magnitude = wide::ZERO;
        let mut carry = negative;
        for (limb, chunk) in magnitude.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut raw = [0u8; 8];
            raw.copy_from_slice(chunk);
            *limb = u64::from_le_bytes(raw);
            if negative {
                let (negated, over) = (!*limb).overflowing_add(u64::from(carry));
                *limb = negated;
                carry = over;
            }
        }
        Self::build(magnitude, scale, negative)
    }

    /// The magnitude at a larger or equal scale; 65 digits and 30 more fit 512 bits.
    fn rescaled_wider(&self, scale: u8) -> wide::Wider {
        let mut magnitude = wide::widen(&self.magnitude);
        wide::scale_up(&mut magnitude, (scale - self.scale) as usize);
        magnitude
    }

    /// The magnitude at a larger or equal scale.
    fn rescale_up(&self, scale: u8) -> Result<wide::Wide> {
        let mut magnitude = self.magnitude;
        if wide::scale_up(&mut magnitude, (scale - self.scale) as usize) {
            Ok(magnitude)
        } else {
            Err(Error::Overflow)
        }
    }
}

fn power_of_ten(exponent: usize) -> wide::Wider {
    let mut out = [0u64; 8];
    out[0] = 1;
    wide::scale_up(&mut out, exponent);
    out
}

/// Divides by a power of ten, cutting.
fn scale_down(a: &mut [u64], mut digits: usize) {
    while digits > 0 {
        let step = digits.min(wide::LIMB_DIGITS);
        wide::div_limb(a, wide::POW10_U64[step]);
        digits -= step;
    }
}

/// The quotient rounded half up (the caller keeps the sign).
fn round_quotient(dividend: &wide::Wider, divisor: &wide::Wider) -> Result<wide::Wider> {
    let (quotient, remainder) = wide::div_rem(dividend, divisor).ok_or(Error::DivisionByZero)?;
    Ok(round_up_by(quotient, &remainder, divisor))
}

/// One more where the remainder is at least half of the divisor.
fn round_up_by(mut quotient: wide::Wider, remainder: &wide::Wider, divisor: &wide::Wider) -> wide::Wider {
    let mut twice = *remainder;
    let over = wide::mul_add_limb(&mut twice, 2, 0);
    if over != 0 || wide::cmp(&twice, divisor) != Ordering::Less {
        wide::mul_add_limb(&mut quotient, 1, 1);
    }
    quotient
}

impl From<i64> for Decimal {
    #[inline]
    fn from(v: i64) -> Self {
        Self { magnitude: [v.unsigned_abs(), 0, 0, 0], scale: 0, negative: v < 0 }
    }
}

impl From<u64> for Decimal {
    #[inline]
    fn from(v: u64) -> Self {
        Self { magnitude: [v, 0, 0, 0], scale: 0, negative: false }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (negative, _) => {
                let order = compare_magnitudes(self, other);
                if negative { order.reverse() } else { order }
            }
        }
    }
}

fn compare_magnitudes(a: &Decimal, b: &Decimal) -> Ordering {
    if a.scale == b.scale {
        return wide::cmp(&a.magnitude, &b.magnitude);
    }
    let scale = a.scale.max(b.scale);
    wide::cmp(&a.rescaled_wider(scale), &b.rescaled_wider(scale))
}

impl Hash for Decimal {
    /// Equal numbers hash alike, whatever their scales.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let plain = self.strip_trailing_zeros();
        plain.magnitude.hash(state);
        plain.scale.hash(state);
        plain.negative.hash(state);
    }
}
