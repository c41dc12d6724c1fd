//! The order of documents, MySQL's: by kind first, then within the kind.

use std::cmp::Ordering;

use super::Json;
use crate::Decimal;

impl Json {
    /// The order of kinds; numbers of all kinds are one.
    fn rank(&self) -> u8 {
        match self {
            Json::Null => 0,
            Json::Int(_) | Json::UInt(_) | Json::Double(_) | Json::Decimal(_) => 1,
            Json::String(_) => 2,
            Json::Object(_) => 3,
            Json::Array(_) => 4,
            Json::Bool(_) => 5,
            Json::Date(_) => 6,
            Json::Time(_) => 7,
            Json::DateTime(_) => 8,
            Json::Opaque(16, _) => 10,
            Json::Opaque(249..=254 | 15, _) => 11,
            Json::Opaque(..) => 9,
        }
    }

    /// Which comes first.
    #[must_use]
    pub fn compare(&self, other: &Json) -> Ordering {
        match (self, other) {
            (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
            (Json::String(a), Json::String(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Json::Date(a), Json::Date(b)) => a.packed().cmp(&b.packed()),
            (Json::Time(a), Json::Time(b)) => a.micros().cmp(&b.micros()),
            (Json::DateTime(a), Json::DateTime(b)) => a.packed().cmp(&b.packed()),
            (Json::Opaque(kind_a, a), Json::Opaque(kind_b, b)) if self.rank() == other.rank() => {
                kind_a.cmp(kind_b).then_with(|| a.cmp(b))
            }
            (Json::Array(a), Json::Array(b)) => {
                let different = a.iter().zip(b).map(|(a, b)| a.compare(b)).find(|order| order.is_ne());
                different.unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            (Json::Object(a), Json::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
                let members = a.iter().zip(b.iter());
                let mut orders = members.map(|((name_a, a), (name_b, b))| {
                    super::name_order(name_a, name_b).then_with(|| a.compare(b))
                });
                orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            }),
            _ if self.rank() == 1 && other.rank() == 1 => compare_numbers(self, other),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl Json {
    /// Appends bytes whose order is [`Json::compare`]'s. Numbers that are equal have equal bytes, of whatever
    /// kind they are; of decimals that no double tells apart, 30 digits behind the double count.
    pub fn sort_key(&self, out: &mut Vec<u8>) {
        // Zero ends an array.
        out.push(self.rank() + 1);
        match self {
            Json::Null => {}
            Json::Bool(truth) => out.push(u8::from(*truth)),
            Json::Int(_) | Json::UInt(_) | Json::Double(_) | Json::Decimal(_) => number_key(self, out),
            Json::String(text) => bytes_key(text.as_bytes(), out),
            Json::Date(date) => signed_key(date.packed(), out),
            Json::Time(time) => signed_key(time.micros(), out),
            Json::DateTime(datetime) => signed_key(datetime.packed(), out),
            Json::Opaque(ty, data) => {
                out.push(*ty);
                bytes_key(data, out);
            }
            Json::Array(elements) => {
                elements.iter().for_each(|element| element.sort_key(out));
                out.push(0);
            }
            Json::Object(members) => {
                out.extend_from_slice(&(members.len() as u64).to_be_bytes());
                for (name, value) in members.iter() {
                    out.extend_from_slice(&(name.len() as u64).to_be_bytes());
                    out.extend_from_slice(name.as_bytes());
                    value.sort_key(out);
                }
            }
        }
    }
}

fn signed_key(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&((value as u64) ^ (1 << 63)).to_be_bytes());
}

/// Zero bytes are marked, so that none is the end.
fn bytes_key(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// The nearest double not above the number, and how far the number is above it.
fn number_key(number: &Json, out: &mut Vec<u8>) {
    let (double, above) = match number {
        Json::Double(double) => (*double + 0.0, 0),
        exact_number => {
            let exact = exact(exact_number).unwrap_or_default();
            let mut double = exact.to_f64();
            if compare_double(double, exact_number).is_gt() {
                double = double.next_down();
            }
            let above = Decimal::from_f64(double).and_then(|nearest| exact.sub(&nearest));
            (double, above.map_or(0, |above| scaled(&above)))
        }
    };
    let bits = double.to_bits();
    let turned = if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) };
    out.extend_from_slice(&turned.to_be_bytes());
    out.extend_from_slice(&above.to_be_bytes());
}

/// A small positive amount in units of 10^-30, as far as they fit.
fn scaled(amount: &Decimal) -> u128 {
    let mut units = 0u128;
    let digits = amount.round(30).unwrap_or(*amount).to_string();
    for digit in digits.bytes().filter(u8::is_ascii_digit) {
        units = units.saturating_mul(10).saturating_add(u128::from(digit - b'0'));
    }
    units
}

fn compare_numbers(a: &Json, b: &Json) -> Ordering {
    match (a, b) {
        (Json::Double(a), Json::Double(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Json::Double(a), b) => compare_double(*a, b),
        (a, Json::Double(b)) => compare_double(*b, a).reverse(),
        (a, b) => match (exact(a), exact(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => Ordering::Equal,
        },
    }
}

fn exact(number: &Json) -> Option<Decimal> {
    match number {
        Json::Int(value) => Decimal::new(i128::from(*value), 0).ok(),
        Json::UInt(value) => Decimal::new(i128::from(*value), 0).ok(),
        Json::Decimal(value) => Some(*value),
        _ => None,
    }
}

/// A floating point number beside an exact one: exactly, where the double has a whole part that fits, so
/// that the order stays one.
fn compare_double(double: f64, number: &Json) -> Ordering {
    // Beyond 65 digits nothing exact reaches.
    if double.abs() >= 1e65 {
        return if double > 0.0 { Ordering::Greater } else { Ordering::Less };
    }
    let Some(exact) = exact(number) else { return Ordering::Equal };
    let whole = double.trunc();
    let whole_order = match whole.abs() < 1e38 {
        true => {
            Decimal::new(whole as i128, 0).ok().map(|whole| whole.cmp(&exact.truncate(0).unwrap_or(exact)))
        }
        false => whole.partial_cmp(&exact.to_f64()),
    };
    match whole_order {
        Some(Ordering::Equal) | None => {
            let rest =
                exact.truncate(0).and_then(|whole| exact.sub(&whole)).map_or(0.0, |rest| rest.to_f64());
            (double - whole).partial_cmp(&rest).unwrap_or(Ordering::Equal)
        }
        Some(order) => order,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_in_mysqls_order() {
        let texts =
            ["null", "-1", "0.5", "1", "1.5", "2", "\"\"", "\"a\"", "{}", "[]", "[null]", "false", "true"];
        let documents: Vec<Json> = texts.iter().map(|text| Json::parse(text).unwrap()).collect();
        for (at, a) in documents.iter().enumerate() {
            for (bt, b) in documents.iter().enumerate() {
                assert_eq!(a.compare(b), at.cmp(&bt), "{} {}", texts[at], texts[bt]);
            }
        }
    }

    #[test]
    fn numbers_compare_across_kinds() {
        let large = (1u64 << 53) + 1;
        assert!(Json::UInt(large).compare(&Json::Double(2f64.powi(53))).is_gt());
        assert!(Json::Int(1).compare(&Json::Double(1.0)).is_eq());
        assert!(Json::Decimal(Decimal::new(15, 1).unwrap()).compare(&Json::Double(1.5)).is_eq());
        assert!(Json::Int(-1).compare(&Json::Double(-1.5)).is_gt());
    }
}
