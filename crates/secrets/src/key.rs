//! Names of credentials: `mysql/production/primary`.
//!
//! A key becomes part of a path, a URL and a variable's name, so it is narrow from the start: segments of
//! letters, digits, `_`, `-` and `.`, joined by `/`, none of them `.` or `..`, at most 256 bytes in all.

use std::fmt;

/// A name that is safe in a path, a URL and a variable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialKey(String);

/// The text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a credential key is letters, digits, '_', '-' and '.' in segments joined by '/', at most 256 bytes")]
pub struct InvalidKey;

impl CredentialKey {
    /// The key that `text` spells.
    pub fn new(text: &str) -> Result<CredentialKey, InvalidKey> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let is_segment = |segment: &str| {
            !segment.is_empty() && segment.chars().all(is_allowed) && !matches!(segment, "." | "..")
        };
        if text.len() > 256 || !text.split('/').all(is_segment) {
            return Err(InvalidKey);
        }
        Ok(CredentialKey(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CredentialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for CredentialKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<CredentialKey, InvalidKey> {
        CredentialKey::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_cannot_leave_their_folder_are_keys() {
        for good in ["mysql/production/primary", "a", "a.b/c-d_e", "v1/..x"] {
            assert_eq!(CredentialKey::new(good).expect(good).as_str(), good);
        }
        let long = "a".repeat(257);
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a b", "a?b", "a%2e", "ä", "a\0", &long] {
            assert_eq!(CredentialKey::new(bad), Err(InvalidKey), "{bad:?}");
        }
    }
}
