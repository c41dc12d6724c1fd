//! Brings what a client needs, where it is absent.

use super::catalogue::{Client, Source};
use rustydb_testkit::programs::output;
use rustydb_testkit::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where programs stand and where their libraries are installed.
#[derive(Debug)]
pub(super) struct Place {
    /// The repository's `clients` folder
    pub(super) programs: PathBuf,
    /// A folder of the target directory
    pub(super) installed: PathBuf,
}

/// Installs what is missing; gives the command that runs the client's program.
pub(super) fn ensure(client: &Client, place: &Place) -> Result<Command> {
    let missing: Vec<_> = client
        .debian
        .iter()
        .filter(|(file, _)| !Path::new(file).exists())
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        debian(&missing)?;
    }
    std::fs::create_dir_all(&place.installed).map_err(Error::io("make a folder for the clients"))?;
    let file = |word: &&str| match word.strip_prefix('@') {
        Some(path) => place.programs.join(path).into_os_string(),
        None => word.into(),
    };
    let words: Vec<_> = client.words.iter().map(file).collect();
    let (first, rest) = words.split_first().ok_or_else(|| Error::Usage("a client without words".into()))?;
    let mut command = match client.source {
        Source::Debian => Command::new(first),
        Source::Python(packages) => Command::new(python(packages, &place.installed)?),
        Source::Node(packages) => {
            let mut node = Command::new("node");
            node.env("NODE_PATH", modules(packages, place)?);
            node
        }
        Source::Rust(program) => Command::new(rust(program, place)?),
    };
    command.args(rest);
    // Debian's Go packages lie on the old path and are no modules.
    command.env("GOPATH", "/usr/share/gocode").env("GO111MODULE", "off");
    command.env("GOCACHE", place.installed.join("go"));
    Ok(command)
}

fn debian(packages: &[&str]) -> Result<()> {
    println!("installing {}", packages.join(", "));
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=300", "-q"]);
        output(command.args(words)).map(drop)
    };
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

/// The python of a virtual environment that has these packages.
pub(crate) fn python(packages: &[&str], installed: &Path) -> Result<PathBuf> {
    let folder = installed.join("python");
    let python = folder.join("bin/python");
    if !python.exists() {
        output(Command::new("/usr/bin/python3").args(["-m", "venv"]).arg(&folder))?;
    }
    let listed = output(Command::new(&python).args(["-m", "pip", "list", "--format=freeze"]))?.to_lowercase();
    let present = |package: &&str| {
        let wanted = package.to_lowercase();
        listed
            .lines()
            .any(|line| line == wanted || line.split_once("==").is_some_and(|(name, _)| name == wanted))
    };
    if !packages.iter().all(present) {
        println!("installing {} from PyPI", packages.join(", "));
        output(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(packages))?;
    }
    Ok(python)
}

/// A folder with these packages of npm.
fn modules(packages: &[&str], place: &Place) -> Result<PathBuf> {
    let modules = place.installed.join("node_modules");
    if packages.iter().any(|package| !modules.join(package).exists()) {
        println!("installing {} from npm", packages.join(", "));
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix"])
            .arg(&place.installed);
        output(npm.args(packages))?;
    }
    Ok(modules)
}

/// A program of the Rust workspace.
fn rust(program: &str, place: &Place) -> Result<PathBuf> {
    let target = place.installed.join("rust");
    // A target directory of its own: the product's build stays as it is.
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--bin", program, "--target-dir"]).arg(&target);
    output(cargo.arg("--manifest-path").arg(place.programs.join("rust/Cargo.toml")))?;
    Ok(target.join("debug").join(program))
}
