//! Decimals to text and back.

use std::fmt;

use super::{Decimal, MAX_PRECISION, MAX_SCALE, wide};

/// Sign, point, a leading zero and 77 digits.
pub(super) const MAX_TEXT: usize = 80;

/// What was read at the head of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedDecimal {
    /// The number; all nines with the right sign where it does not fit 65 digits.
    pub value: Decimal,
    /// Bytes read, leading spaces included. 0 where no number was found.
    pub consumed: usize,
    /// Digits other than zero after the 30th (or the 65th of all) were rounded away.
    pub rounded: bool,
    /// The number has more than 65 digits before the point.
    pub overflow: bool,
}

impl Decimal {
    /// Appends the number with all digits of its scale: `-0.50`.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        let mut buffer = [0u8; MAX_TEXT];
        let len = self.format_into(&mut buffer);
        out.extend_from_slice(&buffer[..len]);
    }

    /// Formats at the head of the buffer and returns the length.
    pub(super) fn format_into(&self, buffer: &mut [u8; MAX_TEXT]) -> usize {
        // Digits from the end of a scratch buffer, lowest first.
        let mut digits = [b'0'; MAX_TEXT];
        let mut at = MAX_TEXT;
        let mut rest = self.magnitude;
        while !wide::is_zero(&rest) {
            let mut part = if rest[1] | rest[2] | rest[3] == 0 && rest[0] < wide::LIMB_POWER {
                std::mem::take(&mut rest[0])
            } else {
                wide::div_limb(&mut rest, wide::LIMB_POWER)
            };
            let more = !wide::is_zero(&rest);
            let stop = at.saturating_sub(wide::LIMB_DIGITS);
            while at > stop && (more || part != 0) {
                at -= 1;
                digits[at] = b'0' + (part % 10) as u8;
                part /= 10;
            }
        }
        let scale = self.scale as usize;
        // At least one digit before the point.
        let first = at.min(MAX_TEXT - scale - 1);
        let mut len = 0;
        if self.negative {
            buffer[0] = b'-';
            len = 1;
        }
        let point = MAX_TEXT - scale;
        let whole = &digits[first..point];
        buffer[len..len + whole.len()].copy_from_slice(whole);
        len += whole.len();
        if scale > 0 {
            buffer[len] = b'.';
            len += 1;
            buffer[len..len + scale].copy_from_slice(&digits[point..]);
            len += scale;
        }
        len
    }

    /// Reads the longest number at the head of a text: spaces, sign, digits, point, exponent.
    ///
    /// The scale is the number of digits written after the point (less the exponent), at most 30,
    /// rounded half away from zero. What follows the number is not looked at; see
    /// [`ParsedDecimal::consumed`].
    pub fn parse(text: &[u8]) -> ParsedDecimal {
        let mut at = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let negative = match text.get(at) {
            Some(b'-') => {
                at += 1;
                true
            }
            Some(b'+') => {
                at += 1;
                false
            }
            _ => false,
        };
        let digits_of = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let whole = &text[at..at + digits_of(at)];
        at += whole.len();
        let mut fraction: &[u8] = &[];
        if text.get(at) == Some(&b'.') {
            let len = digits_of(at + 1);
            if len > 0 || !whole.is_empty() {
                fraction = &text[at + 1..at + 1 + len];
                at += 1 + len;
            }
        }
        if whole.is_empty() && fraction.is_empty() {
            return ParsedDecimal { value: Self::ZERO, consumed: 0, rounded: false, overflow: false };
        }
        let mut exponent = 0i64;
        if matches!(text.get(at), Some(b'e' | b'E')) {
            let mut from = at + 1;
            let minus = text.get(from) == Some(&b'-');
            if minus || text.get(from) == Some(&b'+') {
                from += 1;
            }
            let len = digits_of(from);
            if len > 0 {
                for &digit in &text[from..from + len] {
                    exponent = (exponent * 10 + i64::from(digit - b'0')).min(1 << 40);
                }
                if minus {
                    exponent = -exponent;
                }
                at = from + len;
            }
        }
        let number = assemble(whole, fraction, exponent, negative);
        ParsedDecimal { consumed: at, ..number }
    }
}

/// The number `whole.fraction * 10^exponent`, in at most 65 digits of which 30 follow the point.
fn assemble(whole: &[u8], fraction: &[u8], exponent: i64, negative: bool) -> ParsedDecimal {
    let digits = || whole.iter().chain(fraction).copied();
    let count = (whole.len() + fraction.len()) as i64;
    let leading = digits().take_while(|&d| d == b'0').count() as i64;
    let done = |value, rounded, overflow| ParsedDecimal { value, consumed: 0, rounded, overflow };
    // Digits before the point once the exponent is applied, without leading zeros.
    let before = whole.len() as i64 + exponent - leading;
    let wanted_scale = (fraction.len() as i64 - exponent).clamp(0, i64::from(MAX_SCALE));
    if leading == count {
        let zero = Decimal { scale: wanted_scale as u8, ..Decimal::ZERO };
        return done(zero, false, false);
    }
    if before > i64::from(MAX_PRECISION) {
        let mut value = Decimal::max_of(MAX_PRECISION, 0);
        value.negative = negative;
        return done(value, false, true);
    }
    let scale = wanted_scale.min(i64::from(MAX_PRECISION) - before.max(0));
    // How many of the written digits are kept; the next one rounds.
    let keep = leading + before + scale;
    let mut magnitude = wide::ZERO;
    let mut rounded = false;
    let mut round_up = false;
    for (i, digit) in digits().enumerate().skip(leading as usize) {
        let i = i as i64;
        if i < keep {
            wide::mul_add_limb(&mut magnitude, 10, u64::from(digit - b'0'));
        } else {
            round_up |= i == keep && digit >= b'5';
            rounded |= digit != b'0';
        }
    }
    // Zeros that the exponent stands for; `keep` is bounded by 65 significant digits.
    if keep > count {
        wide::scale_up(&mut magnitude, (keep - count) as usize);
    }
    if round_up {
        wide::mul_add_limb(&mut magnitude, 1, 1);
    }
    match Decimal::build(magnitude, scale as u8, negative) {
        Ok(value) => done(value, rounded, false),
        // 65 nines that were rounded up: one digit after the point less, or an overflow.
        Err(_) if scale > 0 => {
            wide::div_limb(&mut magnitude, 10);
            let value = Decimal { magnitude, scale: scale as u8 - 1, negative };
            done(value, true, false)
        }
        Err(_) => {
            let mut value = Decimal::max_of(MAX_PRECISION, 0);
            value.negative = negative;
            done(value, true, true)
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0u8; MAX_TEXT];
        let len = self.format_into(&mut buffer);
        f.pad(std::str::from_utf8(&buffer[..len]).unwrap_or("?"))
    }
}
