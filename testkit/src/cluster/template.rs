//! A data directory that is made once and copied for every node: making one takes seconds, copying it does not.
//!
//! It lies beside the clusters' folders and is named by the product's version. It is made in a folder of its own
//! and put in place by one rename, so that processes which need it at the same time do no harm to each other.

use super::Flavor;
use crate::programs::{find, output};
use crate::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The template of `flavor` under `near`, made when it is not there.
pub(super) fn ensure(flavor: Flavor, near: &Path) -> Result<PathBuf> {
    let mut version = flavor.server()?;
    let version = output(version.arg("--version"))?;
    let version: String =
        version.split_whitespace().skip_while(|word| *word != "Ver").nth(1).unwrap_or("0").into();
    let place = near.join(format!("template-{}-{version}", flavor.name()));
    if place.is_dir() {
        return Ok(place);
    }
    let folder = tempfile::Builder::new()
        .prefix("template-")
        .tempdir_in(near)
        .map_err(Error::io(format!("make a folder under {}", near.display())))?;
    let fresh = folder.path().join("data");
    match flavor {
        Flavor::MariaDb => {
            let mut install = Command::new(find("mariadb-install-db")?);
            install.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
            install.args([&format!("--datadir={}", fresh.display()), "--user=root"]);
            // A server that starts removes what others left in its folder for temporary tables, and what they have there.
            install.env("TMPDIR", folder.path());
            output(&mut install)?;
        }
        Flavor::MySql => {
            let accounts = folder.path().join("accounts.sql");
            let text =
                "CREATE USER root@'127.0.0.1';\nGRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n";
            fs::write(&accounts, text).map_err(Error::io("write the accounts"))?;
            let mut initialize = flavor.server()?;
            initialize.args(["--initialize-insecure", "--user=root", "--innodb-redo-log-capacity=8M"]);
            initialize.arg(format!("--datadir={}", fresh.display()));
            initialize.arg(format!("--init-file={}", accounts.display()));
            output(&mut initialize)?;
            // The identity of a server: each copy makes its own.
            fs::remove_file(fresh.join("auto.cnf")).map_err(Error::io("remove auto.cnf"))?;
        }
    }
    match fs::rename(&fresh, &place) {
        Ok(()) => Ok(place),
        // Somebody else was faster.
        Err(_) if place.is_dir() => Ok(place),
        Err(error) => Err(Error::io(format!("put {} in place", place.display()))(error)),
    }
}

/// Copies the files below `from` to `to`.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let copying = || Error::io(format!("copy {} to {}", from.display(), to.display()));
    fs::create_dir_all(to).map_err(copying())?;
    for entry in fs::read_dir(from).map_err(copying())? {
        let entry = entry.map_err(copying())?;
        let kind = entry.file_type().map_err(copying())?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target).map_err(copying())?;
        }
    }
    Ok(())
}
