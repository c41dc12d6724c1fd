//! Credentials from files: one file per key below a folder, as orchestrators mount them.
//!
//! A file holds the secret itself (one line break at its end does not belong to it), or a JSON object with
//! `password` and perhaps `username`. A new file in the place of the old one is a new credential, found at the
//! next look.
//!
//! A file that others than its owner may read is refused, unless it was said that this is meant
//! ([`Files::shared`]): in a container the mount is the fence. Limits: 64 KiB a file.

use crate::credential::Credential;
use crate::error::SecretError;
use crate::fields::Fields;
use crate::key::CredentialKey;
use crate::provider::{Answer, Provider};
use rustydb_resilience::Deadline;
use secrecy::SecretString;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const NAME: &str = "file";
const LARGEST: u64 = 64 * 1024;

/// A folder of secrets.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
    may_be_shared: bool,
}

impl Files {
    /// Files below `folder` that only their owner may read.
    pub fn new(folder: impl Into<PathBuf>) -> Files {
        Files { folder: folder.into(), may_be_shared: false }
    }

    /// Files below `folder`, whoever may read them.
    pub fn shared(folder: impl Into<PathBuf>) -> Files {
        Files { folder: folder.into(), may_be_shared: true }
    }
}

impl Provider for Files {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fetch<'a>(&'a self, key: &'a CredentialKey, deadline: Deadline) -> Answer<'a, Credential> {
        let (path, key, may_be_shared) = (self.folder.join(key.as_str()), key.clone(), self.may_be_shared);
        Box::pin(async move {
            // Disks hang too: the read has a thread of its own, and the deadline holds for it.
            let read = tokio::task::spawn_blocking(move || read_credential(&path, &key, may_be_shared));
            match deadline.bound(read).await {
                Ok(Ok(found)) => found,
                Ok(Err(_)) => {
                    Err(SecretError::Unavailable { provider: NAME, why: "the read was given up".to_owned() })
                }
                Err(_) => Err(SecretError::Deadline { provider: NAME }),
            }
        })
    }
}

fn read_credential(path: &Path, key: &CredentialKey, may_be_shared: bool) -> Result<Credential, SecretError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            SecretError::NotFound { provider: NAME, key: key.clone() }
        }
        ErrorKind::PermissionDenied => {
            SecretError::Denied { provider: NAME, key: key.clone(), why: "may not be read".to_owned() }
        }
        kind => SecretError::Unavailable { provider: NAME, why: kind.to_string() },
    };
    let malformed = |why| SecretError::Malformed { provider: NAME, key: key.clone(), why };
    let file = std::fs::File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(malformed("not a file"));
    }
    if !may_be_shared && is_shared(&found) {
        let why = "others than its owner may read it (chmod 600)".to_owned();
        return Err(SecretError::Denied { provider: NAME, key: key.clone(), why });
    }
    // With its whole room from the start: a buffer that grows leaves unwiped copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(LARGEST as usize + 1));
    file.take(LARGEST + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > LARGEST {
        return Err(malformed("larger than 64 KiB"));
    }
    let text = std::str::from_utf8(&content).map_err(|_| malformed("not UTF-8"))?;
    if let Some(fields) = Fields::parse(text.as_bytes()) {
        let password = fields.text("password").ok_or_else(|| malformed("an object without 'password'"))?;
        let username = fields.text("username").map(str::to_owned);
        return Ok(Credential::new(username, SecretString::from(password)));
    }
    let secret = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if secret.is_empty() {
        return Err(malformed("empty"));
    }
    Ok(Credential::new(None, SecretString::from(secret)))
}

#[cfg(unix)]
fn is_shared(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    found.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_shared(_found: &std::fs::Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;

    fn write(folder: &Path, name: &str, content: &[u8], mode: u32) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("made");
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
    }

    async fn fetch(files: &Files, key: &str) -> Result<(Option<String>, String), SecretError> {
        let key = CredentialKey::new(key).expect("a key");
        let found = files.fetch(&key, Deadline::NEVER).await?;
        Ok((found.username().map(str::to_owned), found.secret().expose_secret().to_owned()))
    }

    #[tokio::test]
    async fn a_file_is_a_secret_or_an_object() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "mysql/a", b" p w \r\n", 0o600);
        write(folder.path(), "mysql/b", br#"{"username":"app","password":"p\n"}"#, 0o400);
        let files = Files::new(folder.path());
        assert_eq!(fetch(&files, "mysql/a").await.expect("a"), (None, " p w ".to_owned()));
        assert_eq!(fetch(&files, "mysql/b").await.expect("b"), (Some("app".to_owned()), "p\n".to_owned()));
        write(folder.path(), "mysql/a", b"next", 0o600);
        assert_eq!(fetch(&files, "mysql/a").await.expect("a"), (None, "next".to_owned()));
    }

    #[tokio::test]
    async fn what_cannot_be_a_secret_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "open", b"M4RKED", 0o644);
        write(folder.path(), "no-password", br#"{"token":"M4RKED"}"#, 0o600);
        write(folder.path(), "empty", b"\n", 0o600);
        write(folder.path(), "binary", b"M4RKED\xff", 0o600);
        write(folder.path(), "large", &vec![b'M'; 65 * 1024], 0o600);
        let files = Files::new(folder.path());
        for key in ["open", "no-password", "empty", "binary", "large", "missing", "open/below", "."] {
            let Ok(key) = CredentialKey::new(key) else { continue };
            let error = files.fetch(&key, Deadline::NEVER).await.expect_err(key.as_str());
            assert!(!format!("{error} {error:?}").contains("M4RKED"), "{error:?}");
        }
        assert_eq!(fetch(&Files::shared(folder.path()), "open").await.expect("meant").1, "M4RKED");
    }
}
