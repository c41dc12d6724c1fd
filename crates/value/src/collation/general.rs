//! The weights of `utf8mb4_general_ci`: one for a character, its simple upper case without marks.
//!
//! The table is `tables/general.bin`, made by `tables/generate.py`; its layout is told there. Only
//! eleven blocks of 256 code points are folded, everything else weighs its code point.

/// Magic, layout version, number of pages.
const HEAD: usize = 6;
const INDEX: usize = 256;
const PAGES: usize = 11;
const TABLE: &[u8; HEAD + INDEX + PAGES * 512] = include_bytes!("../../tables/general.bin");

const _: () = {
    let [b'R', b'G', b'E', b'N', 1, pages, ..] = *TABLE else { panic!("general.bin is of another layout") };
    assert!(pages as usize == PAGES);
};

/// The weight of a character. All above the Basic Multilingual Plane weigh the same.
#[inline]
pub(super) fn weight(character: char) -> u16 {
    if character.is_ascii() {
        return u16::from((character as u8).to_ascii_uppercase());
    }
    let Ok(code) = u16::try_from(u32::from(character)) else { return 0xfffd };
    let page = usize::from(TABLE[HEAD + usize::from(code >> 8)]);
    let at = HEAD + INDEX + page * 512 + usize::from(code & 0xff) * 2;
    match TABLE.get(at..at + 2) {
        Some(bytes) => u16::from_le_bytes([bytes[0], bytes[1]]),
        None => code,
    }
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn letters_fold_to_their_base() {
        for (character, expected) in [
            ('a', 'A'),
            ('Z', 'Z'),
            ('é', 'E'),
            ('ß', 'S'),
            ('ñ', 'N'),
            ('ω', 'Ω'),
            ('ё', 'Е'),
            ('й', 'Й'),
            ('ａ', 'Ａ'),
            ('中', '中'),
            (' ', ' '),
        ] {
            assert_eq!(weight(character), expected as u16, "{character}");
        }
        assert_eq!(weight('😀'), 0xfffd);
        assert_eq!(weight('𐍈'), 0xfffd);
    }

    #[test]
    fn ascii_agrees_with_the_table() {
        for code in 0..0x80u8 {
            let at = super::HEAD + super::INDEX + usize::from(code) * 2;
            assert_eq!(super::TABLE[at], code.to_ascii_uppercase());
            assert_eq!(super::TABLE[at + 1], 0);
        }
    }
}
