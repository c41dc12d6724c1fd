//! Root's first password: chosen by the environment, or made here and kept in a file.
//!
//! The file is written and synced before the password is stored, so that a crash in between leaves a file
//! whose password is used at the next start, never an account that nobody can enter.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The variable that chooses it.
pub(crate) const VARIABLE: &str = "RUSTYDB_ROOT_PASSWORD";
/// The file that keeps a generated one, in the data directory.
const FILE: &str = "initial-root-password";
/// 24 of 57 characters: 140 bits.
const LENGTH: usize = 24;
/// Letters and digits that no font mixes up; nothing that a shell or a URL would read.
const ALPHABET: &[u8; 57] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// Where the first password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum First {
    /// The environment
    Chosen(String),
    /// The file, which holds one that was generated, now or at a start that did not come to its end
    Generated(String, PathBuf),
}

impl First {
    pub(crate) fn password(&self) -> &str {
        match self {
            First::Chosen(password) | First::Generated(password, _) => password,
        }
    }
}

/// Takes `chosen`, or else what the file in `data_dir` holds, or else makes a password and writes the file.
pub(crate) fn first(chosen: Option<String>, data_dir: &Path) -> io::Result<First> {
    if let Some(password) = chosen {
        return Ok(First::Chosen(password));
    }
    let path = data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => {
            std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            return Ok(First::Generated(text.trim().to_owned(), path));
        }
        // An empty file is one whose writing was cut short.
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let password = generate()?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(file, "{password}")?;
    file.sync_all()?;
    File::open(data_dir)?.sync_all()?;
    Ok(First::Generated(password, path))
}

fn generate() -> io::Result<String> {
    let mut source = File::open("/dev/urandom")?;
    let mut password = String::with_capacity(LENGTH);
    let mut byte = [0];
    while password.len() < LENGTH {
        source.read_exact(&mut byte)?;
        // Bytes above the last whole multiple are drawn again: every character is equally likely.
        let limit = u8::MAX - u8::MAX % ALPHABET.len() as u8;
        if byte[0] < limit {
            password.push(char::from(ALPHABET[usize::from(byte[0]) % ALPHABET.len()]));
        }
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_password_is_kept_for_its_owner_alone_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let made = first(None, folder.path()).unwrap();
        let First::Generated(password, path) = &made else { panic!("{made:?}") };
        assert_eq!(password.len(), LENGTH);
        assert!(password.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(first(None, folder.path()).unwrap(), made);
    }

    #[test]
    fn a_chosen_password_leaves_no_file_and_an_empty_file_is_filled() {
        let folder = tempfile::tempdir().unwrap();
        let chosen = first(Some("pa ss".into()), folder.path()).unwrap();
        assert_eq!(chosen, First::Chosen("pa ss".into()));
        assert!(!folder.path().join(FILE).exists());
        std::fs::write(folder.path().join(FILE), "").unwrap();
        assert_eq!(first(None, folder.path()).unwrap().password().len(), LENGTH);
    }

    #[test]
    fn two_passwords_differ() {
        assert_ne!(generate().unwrap(), generate().unwrap());
    }
}
