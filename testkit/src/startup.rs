//! From a clone to a server that answers, as somebody meets this project for the first time.
//!
//! Clones what is committed, with an empty target directory and, unless `--warm-registry` is given, an empty
//! cargo home, so that the download of every dependency counts too.

use crate::options::Options;
use crate::report::Report;
use mysql::prelude::Queryable;
use rustydb_testkit::programs::output;
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, Result, RustyDb};
use std::process::Command;
use std::time::Instant;

/// Most minutes from the clone to the first answer, on two cores.
const MOST_MINUTES: f64 = 10.0;

pub(crate) fn run(mut options: Options) -> Result<()> {
    let source = options.source()?;
    let server = options.server()?;
    let warm = options.flag("--warm-registry");
    options.finish()?;
    let near = server.ancestors().nth(2).unwrap_or(&source).to_owned();
    let folder = tempfile::Builder::new()
        .prefix("startup-")
        .tempdir_in(&near)
        .map_err(Error::io(format!("make a folder under {}", near.display())))?;
    let clone = folder.path().join("rustydb");

    let begin = Instant::now();
    output(Command::new("git").args(["clone", "--quiet", "--no-hardlinks"]).arg(&source).arg(&clone))?;
    let cloned = begin.elapsed().as_secs_f64();
    let mut build = Command::new("cargo");
    build.current_dir(&clone).args(["build", "--release"]).env_remove("CARGO_TARGET_DIR");
    if !warm {
        build.env("CARGO_HOME", folder.path().join("cargo-home"));
    }
    output(&mut build)?;
    let built = begin.elapsed().as_secs_f64();
    let home = Home::new(&clone.join("target/release/rustydb"), folder.path(), &["--socket", "off"])?;
    let server = RustyDb::start(&home)?;
    let answer: Option<u32> = server.address().connect()?.query_first("SELECT 1")?;
    let answered = begin.elapsed().as_secs_f64();
    if answer != Some(1) {
        return Err(Error::Broken(format!("SELECT 1 gave {answer:?}")));
    }
    let mut report = Report::new("startup", "");
    report.alone("clone s", cloned);
    report.alone("cargo build --release s", built - cloned);
    report.alone("first start to first answer s", answered - built);
    report.at_most("clone to answer min", answered / 60.0, MOST_MINUTES);
    report.finish()
}
