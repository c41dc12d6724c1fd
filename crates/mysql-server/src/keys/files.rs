//! Key files: read, or made once.
//!
//! A file is written under another name, synced, and renamed, so that a crash leaves either no file or a
//! whole one.

use crate::error::Error;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The text of the file, which is made first where it does not exist.
pub(super) fn load_or_make(
    path: &Path,
    make: impl FnOnce() -> Result<String, Error>,
) -> Result<String, Error> {
    let failed = |source| Error::KeyFile { path: path.to_path_buf(), source };
    match fs::read_to_string(path) {
        Ok(text) => return Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let text = make()?;
    write_new(path, &text).map_err(failed)?;
    Ok(text)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let fresh = path.with_file_name(name);
    // A leftover of a crash could be open to others; it must not lend its mode to the key.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    fs::File::open(folder)?.sync_all()
}

/// An empty folder for one test.
#[cfg(test)]
pub(super) fn scratch(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("rustydb-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_leftover_of_a_crash_is_replaced_with_a_tight_mode() {
        let folder = scratch("leftover");
        let leftover = folder.join("key.pem.new");
        fs::write(&leftover, "half").unwrap();
        fs::set_permissions(&leftover, fs::Permissions::from_mode(0o666)).unwrap();
        let path = folder.join("key.pem");
        assert_eq!(load_or_make(&path, || Ok("whole".into())).unwrap(), "whole");
        assert_eq!(load_or_make(&path, || Ok("other".into())).unwrap(), "whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!leftover.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let folder = scratch("no-folder");
        fs::write(folder.join("file"), "").unwrap();
        let error = load_or_make(&folder.join("file/key.pem"), || Ok("text".into())).unwrap_err();
        assert!(matches!(error, Error::KeyFile { .. }));
        fs::remove_dir_all(folder).unwrap();
    }
}
