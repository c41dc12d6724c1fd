//! Numbers against a real server.
//!
//! `floats.txt` (bits of a DOUBLE, what Python prints, what MySQL 9.7 prints as DOUBLE and as FLOAT)
//! and `decimals.txt` (operation, operands, result; `E1690` for out of range) were taken from MySQL
//! 9.7 with random and extreme operands.

use proptest::prelude::*;
use rustydb_value::convert::number;
use rustydb_value::{Decimal, Error, ValueRef};

fn text(value: ValueRef<'_>) -> String {
    String::from_utf8(value.to_text()).unwrap()
}

fn decimal(text: &str) -> Decimal {
    let parsed = Decimal::parse(text.as_bytes());
    assert_eq!((parsed.consumed, parsed.overflow), (text.len(), false), "{text}");
    parsed.value
}

#[test]
fn floats_print_as_in_mysql() {
    let mut wrong = Vec::new();
    for line in include_str!("floats.txt").lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let value = f64::from_bits(u64::from_str_radix(fields[0], 16).unwrap());
        // The literal -0.0 is an exact zero in SQL.
        if value != 0.0 && text(ValueRef::Double(value)) != fields[2] {
            wrong.push(format!("{line}: {}", text(ValueRef::Double(value))));
        }
        let single = value as f32;
        if value.abs() < 3.4e38 && value != 0.0 && text(ValueRef::Float(single)) != fields[3] {
            wrong.push(format!("{line}: {}", text(ValueRef::Float(single))));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn decimal_arithmetic_is_mysqls() {
    let mut wrong = Vec::new();
    for line in include_str!("decimals.txt").lines() {
        let [operation, left, right, expected] = *line.split(' ').collect::<Vec<_>>() else {
            panic!("{line}")
        };
        let a = decimal(left);
        let digits = || right.parse::<i32>().unwrap();
        let result = match operation {
            "+" => a.add(&decimal(right)),
            "-" => a.sub(&decimal(right)),
            "*" => a.mul(&decimal(right)),
            "/" => a.div(&decimal(right), a.scale() + 4),
            "%" => a.rem(&decimal(right)),
            // The result of DIV is a BIGINT.
            "div" => a.div_integer(&decimal(right)).and_then(|v| v.to_i64().map(Decimal::from)),
            "round" if digits() < 0 => a.round_left(digits().unsigned_abs() as u8),
            "round" => a.round(a.scale().min(digits() as u8)),
            "truncate" if digits() < 0 => Ok(a.truncate_left(digits().unsigned_abs() as u8)),
            "truncate" => a.truncate(a.scale().min(digits() as u8)),
            "floor" => a.floor(),
            "ceiling" => a.ceiling(),
            "abs" => Ok(a.abs()),
            "cmp" => Ok(Decimal::from(a.cmp(&decimal(right)) as i64)),
            other => panic!("{other}"),
        };
        let got = match result {
            Ok(value) => value.to_string(),
            Err(Error::DivisionByZero) => "NULL".to_string(),
            Err(_) => "E1690".to_string(),
        };
        if got != expected {
            wrong.push(format!("{line}: {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
}

/// An exact number of up to 30 digits before the point and 15 after it.
fn number() -> impl Strategy<Value = Decimal> {
    ("-?[0-9]{1,30}", "[0-9]{0,15}").prop_map(|(whole, fraction)| decimal(&format!("{whole}.{fraction}")))
}

proptest! {
    #[test]
    fn text_and_bytes_give_the_number_back(a in number()) {
        prop_assert_eq!(decimal(&a.to_string()), a);
        prop_assert_eq!(decimal(&a.to_string()).scale(), a.scale());
        prop_assert_eq!(Decimal::from_le_bytes(a.to_le_bytes(), a.scale()).unwrap(), a);
    }

    #[test]
    fn arithmetic_agrees_with_itself(a in number(), b in number()) {
        prop_assert_eq!(a.add(&b).unwrap().sub(&b).unwrap(), a);
        prop_assert_eq!(a.cmp(&b), a.sub(&b).unwrap().cmp(&Decimal::ZERO));
        if !b.is_zero() {
            let quotient = a.div_integer(&b).unwrap();
            let back = quotient.mul(&b).unwrap().add(&a.rem(&b).unwrap()).unwrap();
            prop_assert_eq!(back, a);
            prop_assert!(a.rem(&b).unwrap().abs() < b.abs());
        }
    }

    #[test]
    fn rounding_is_to_the_nearest(a in number(), scale in 0..20u8) {
        let (near, cut) = (a.round(scale).unwrap(), a.truncate(scale).unwrap());
        let half = Decimal::new(5, scale + 1).unwrap();
        prop_assert!(near.sub(&a).unwrap().abs() <= half);
        prop_assert!(cut.abs() <= a.abs() && a.sub(&cut).unwrap().abs() < half.add(&half).unwrap());
        prop_assert_eq!(near.scale(), scale);
    }

    #[test]
    fn floats_survive_their_text(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        if value.is_finite() {
            let text = text(ValueRef::Double(value));
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits() << 1, bits << 1, "{}", text);
            prop_assert_eq!(number::parse_f64(text.as_bytes()).value, value);
        }
    }

    #[test]
    fn conversion_to_double_is_the_nearest(a in number()) {
        prop_assert_eq!(a.to_f64(), a.to_string().parse::<f64>().unwrap());
    }

    #[test]
    fn integers_survive_their_text(value in any::<i64>(), unsigned in any::<u64>()) {
        prop_assert_eq!(text(ValueRef::Int(value)), value.to_string());
        prop_assert_eq!(text(ValueRef::UInt(unsigned)), unsigned.to_string());
        prop_assert_eq!(number::parse_i64(value.to_string().as_bytes()).value, value);
        prop_assert_eq!(Decimal::from(value).to_i64(), Ok(value));
        prop_assert_eq!(Decimal::from(unsigned).to_u64(), Ok(unsigned));
        prop_assert_eq!(decimal(&value.to_string()), Decimal::from(value));
    }

    #[test]
    fn any_text_can_be_read(text in any::<Vec<u8>>()) {
        let exact = number::parse_decimal(&text);
        let float = number::parse_f64(&text);
        let integer = number::parse_i64(&text);
        prop_assert_eq!(exact.found, integer.found);
        prop_assert!(float.value.is_finite());
    }
}

#[test]
fn numbers_at_the_head_of_texts() {
    let read = |text: &str| {
        let parsed = number::parse_f64(text.as_bytes());
        (parsed.value, parsed.found, parsed.garbage)
    };
    assert_eq!(read("12abc"), (12.0, true, true));
    assert_eq!(read("  1.5e3  "), (1500.0, true, false));
    assert_eq!(read("1e"), (1.0, true, true));
    assert_eq!(read(".5"), (0.5, true, false));
    assert_eq!(read("5."), (5.0, true, false));
    assert_eq!(read("."), (0.0, false, true));
    assert_eq!(read(""), (0.0, false, true));
    assert_eq!(read("-"), (0.0, false, true));
    assert_eq!(read("inf"), (0.0, false, true));
    assert_eq!(read("nan"), (0.0, false, true));
    let far = number::parse_f64(b"-1e999");
    assert_eq!((far.value, far.out_of_range), (f64::MIN, true));
    assert_eq!(number::parse_i64(b"1.5").value, 2);
    assert_eq!(number::parse_i64(b"-1.5").value, -2);
    let far = number::parse_i64(b"9223372036854775808");
    assert_eq!((far.value, far.out_of_range), (i64::MAX, true));
    let far = number::parse_i64(b"-1e60");
    assert_eq!((far.value, far.out_of_range), (i64::MIN, true));
}

#[test]
fn decimals_end_at_65_digits() {
    let most = Decimal::max_of(65, 0);
    assert_eq!(most.to_string(), "9".repeat(65));
    assert_eq!(most.add(&Decimal::from(1i64)), Err(Error::Overflow));
    assert_eq!(most.neg().sub(&Decimal::from(1i64)), Err(Error::Overflow));
    assert_eq!(most.mul(&Decimal::from(2i64)), Err(Error::Overflow));
    assert_eq!(most.div(&Decimal::new(1, 1).unwrap(), 4), Err(Error::Overflow));
    assert_eq!(Decimal::from(1i64).div(&Decimal::ZERO, 4), Err(Error::DivisionByZero));
    assert!(Decimal::parse("9".repeat(66).as_bytes()).overflow);
    assert!(Decimal::parse(b"1e65").overflow && !Decimal::parse(b"1e64").overflow);
    let tiny = Decimal::parse(b"1e-31");
    assert!(tiny.rounded && tiny.value.is_zero());
    assert_eq!(Decimal::parse(b"5e-31").value, Decimal::new(1, 30).unwrap());
    // 65 nines of which the last are rounded up.
    let nines = Decimal::parse(format!("{}.95", "9".repeat(64)).as_bytes());
    assert_eq!(nines.value.to_string(), format!("1{}", "0".repeat(64)));
    assert_eq!(Decimal::from_f64(f64::NAN), Err(Error::Overflow));
    assert_eq!(Decimal::from_f64(1e300), Err(Error::Overflow));
    assert_eq!(Decimal::from_f64(-0.125).unwrap().to_string(), "-0.125");
    assert_eq!(Decimal::new(-5, 1).unwrap().to_i64(), Ok(-1));
    assert_eq!(Decimal::new(-4, 1).unwrap().to_string(), "-0.4");
    assert_eq!(Decimal::new(-4, 1).unwrap().round(0).unwrap().to_string(), "0");
}
