//! Collations against a real server.
//!
//! The digests and `weights-0900.txt` were taken from MySQL 9.7: `HEX(WEIGHT_STRING(...))` of every
//! code point (surrogates aside) and of texts full of what could contract.

use std::cmp::Ordering;

use proptest::prelude::*;
use rustydb_value::{Charset, Collation};

/// FNV-1a over the length and the bytes of every weight string.
fn digest(texts: impl Iterator<Item = String>, collation: Collation) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut weights = Vec::new();
    for text in texts {
        weights.clear();
        collation.weight_string(&text, &mut weights);
        for byte in std::iter::once(weights.len() as u8).chain(weights.iter().copied()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    hash
}

fn named(name: &str) -> Collation {
    Collation::from_name(name).unwrap()
}

fn every_character() -> impl Iterator<Item = String> {
    (0..=0x10_ffff).filter_map(char::from_u32).map(String::from)
}

#[test]
fn every_code_point_weighs_what_it_weighs_in_mysql() {
    assert_eq!(every_character().count(), 1_112_064);
    for (collation, expected) in [
        (Collation::UTF8MB4_0900_AI_CI, 0x0e8a_7e71_e34b_48f2),
        (Collation::UTF8MB4_GENERAL_CI, 0x91f1_b61a_a287_0518),
        (Collation::UTF8MB4_BIN, 0x324a_8cfd_2866_a325),
        (Collation::UTF8MB4_0900_BIN, 0xf9be_ef57_d278_2525),
        (named("utf8mb4_unicode_520_ci"), 0xc65c_7825_aebb_8efa),
        (named("utf8mb4_0900_as_cs"), 0xe658_141c_0d9e_0763),
        (named("utf8mb4_0900_as_ci"), 0xec64_2c31_efff_9bae),
    ] {
        assert_eq!(digest(every_character(), collation), expected, "{}", collation.name());
    }
}

/// The numbers of UCA 4.0.0's weights are not MySQL's, their order is: each weight as its rank.
#[test]
fn unicode_ci_orders_every_code_point_as_mysql_does() {
    let words = |text: String| -> Vec<u16> {
        let mut bytes = Vec::new();
        named("utf8mb4_unicode_ci").weight_string(&text, &mut bytes);
        bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
    };
    let all: Vec<Vec<u16>> = every_character().map(words).collect();
    let distinct: std::collections::BTreeSet<u16> = all.iter().flatten().copied().collect();
    let ranks: std::collections::HashMap<u16, u16> = distinct.into_iter().zip(0..).collect();
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for word in &all {
        let bytes: Vec<u8> = word.iter().flat_map(|weight| ranks[weight].to_be_bytes()).collect();
        for byte in std::iter::once(bytes.len() as u8).chain(bytes) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    assert_eq!(hash, 0x5c71_3f3d_abbd_c566);
}

#[test]
fn levels_decide_in_their_order() {
    let (cs, ci) = (named("utf8mb4_0900_as_cs"), named("utf8mb4_0900_as_ci"));
    assert_eq!(cs.compare("a", "A"), Ordering::Less);
    assert_eq!(ci.compare("a", "A"), Ordering::Equal);
    assert_eq!(ci.compare("e", "é"), Ordering::Less);
    // A mark in front weighs less than a letter behind, whatever its case.
    assert_eq!(cs.compare("éa", "eb"), Ordering::Less);
    assert_eq!(cs.compare("Ea", "éa"), Ordering::Less);
    assert_eq!(cs.compare("a", "a "), Ordering::Less);
}

#[test]
fn every_byte_of_latin1_weighs_what_it_weighs_in_mysql() {
    let bytes = (0..=255).map(|byte| rustydb_value::collation::latin1_char(byte).to_string());
    assert_eq!(digest(bytes, Collation::LATIN1_SWEDISH_CI), 0xfda6_1a3b_3023_1b75);
}

#[test]
fn texts_weigh_what_they_weigh_in_mysql() {
    let unhex = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    };
    let mut lines = 0;
    for line in include_str!("weights-0900.txt").lines() {
        let (text, expected) = line.split_once(' ').unwrap();
        let text = String::from_utf8(unhex(text)).unwrap();
        let mut weights = Vec::new();
        Collation::UTF8MB4_0900_AI_CI.weight_string(&text, &mut weights);
        assert_eq!(weights, unhex(expected), "{text:?}");
        lines += 1;
    }
    assert!(lines > 300, "{lines}");
}

#[test]
fn names_and_numbers_agree() {
    for collation in Collation::all() {
        assert_eq!(Collation::from_id(collation.id()), Some(collation));
        assert_eq!(Collation::from_name(&collation.name().to_uppercase()), Some(collation));
        assert!(
            collation.name().starts_with(collation.charset().name()),
            "{} is not of {}",
            collation.name(),
            collation.charset().name()
        );
    }
    for charset in Charset::ALL {
        assert_eq!(Charset::from_name(charset.name()), Some(charset));
        assert!(charset.default_collation().is_default());
        assert_eq!(charset.default_collation().charset(), charset);
    }
    assert_eq!(Collation::from_name("utf8_general_ci"), Some(Collation::UTF8MB3_GENERAL_CI));
    assert_eq!(Charset::from_name("UTF8"), Some(Charset::Utf8mb3));
    assert_eq!(Collation::from_id(1), None);
    assert_eq!(Collation::from_name("utf8_é"), None);
    assert_eq!(Collation::default().id(), 255);
}

#[test]
fn latin1_bytes_and_characters_undo_each_other() {
    use rustydb_value::collation::{latin1_byte, latin1_char};
    for byte in 0..=255u8 {
        assert_eq!(latin1_byte(latin1_char(byte)), Some(byte));
    }
    assert_eq!(latin1_char(0x80), '€');
    assert_eq!(latin1_byte('中'), None);
}

fn built() -> Vec<Collation> {
    Collation::all().filter(|collation| collation.is_built()).collect()
}

/// Texts that collide: few letters, many spaces, characters around the space, marks, contractions.
fn text() -> impl Strategy<Value = String> {
    let near = "aAbB  \t\0!lL\u{b7}éÉßsS\u{301}\u{a0}中😀\u{e40}\u{e01}".chars().collect::<Vec<_>>();
    let character = prop_oneof![6 => prop::sample::select(near), 1 => any::<char>()];
    prop::collection::vec(character, 0..7).prop_map(String::from_iter)
}

/// Comparison as the manual tells it: weights, the shorter text extended with spaces or not.
fn told(collation: Collation, a: &str, b: &str) -> Ordering {
    let wide = [8, 11, 47, 65, 46, 83, 63, 309].iter().all(|&id| id != collation.id());
    let weights = |text: &str| -> Vec<u16> {
        let mut bytes = Vec::new();
        collation.weight_string(text, &mut bytes);
        if matches!(collation.id(), 46 | 83) {
            // Three bytes of code point; the order of UTF-8 is the same.
            bytes = text.as_bytes().to_vec();
        }
        if wide {
            bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        } else {
            bytes.into_iter().map(u16::from).collect()
        }
    };
    let (mut x, mut y) = (weights(a), weights(b));
    if collation.pad_attribute() == rustydb_value::PadAttribute::PadSpace {
        let space = weights(" ").first().copied().unwrap_or(0x20);
        let longest = x.len().max(y.len());
        x.resize(longest, space);
        y.resize(longest, space);
    }
    x.cmp(&y)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn comparing_texts_is_what_the_manual_tells(a in text(), b in text()) {
        for collation in built() {
            prop_assert_eq!(collation.compare(&a, &b), told(collation, &a, &b), "{}", collation.name());
        }
    }

    #[test]
    fn comparing_sort_keys_is_comparing_texts(a in text(), b in text()) {
        for collation in built() {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            collation.sort_key(&a, &mut x);
            collation.sort_key(&b, &mut y);
            prop_assert_eq!(x.cmp(&y), collation.compare(&a, &b), "{}", collation.name());
        }
    }
}
