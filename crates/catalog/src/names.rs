//! What may be a name.
//!
//! The catalog takes any UTF-8 text of 1 to 255 bytes without a NUL as the name of a database, table, column
//! or index, case-sensitive, dots allowed. A door narrows that to what its language allows: MySQL's to 64
//! characters and its own forbidden ones.

use crate::error::{Error, Result};

/// The most bytes of a name.
pub const MAX_NAME_BYTES: usize = 255;

/// Checks a name.
///
/// # Errors
/// [`Error::Name`]
pub fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains('\0') {
        return Err(Error::Name { name: name.to_owned() });
    }
    Ok(())
}

/// Checks the parts of an account's name; the user's may be empty, for the anonymous account.
pub(crate) fn check_account(user: &str, host: &str) -> Result<()> {
    check_name(host)?;
    if user.is_empty() { Ok(()) } else { check_name(user) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_hold_no_nul() {
        for good in ["a", "a.b", "Größe", "a b", &"x".repeat(255)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a\0b", &"x".repeat(256), &"ü".repeat(128)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_account("", "%").is_ok() && check_account("root", "").is_err());
    }
}
