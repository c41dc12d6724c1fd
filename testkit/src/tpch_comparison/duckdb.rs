//! DuckDB from PyPI as a peer: `benches/duckdb_peer.py` in a virtual environment of the target directory.

use crate::clients::python_with;
use rustydb_testkit::tpch::{Answer, TABLES, write_files};
use rustydb_testkit::{Error, Result};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// Its process, gone when dropped.
pub(super) struct DuckDb {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: TempDir,
}

impl DuckDb {
    /// An empty database file under `near`.
    pub(super) fn start(source: &Path, near: &Path, threads: u64, memory_mib: u64) -> Result<DuckDb> {
        let installed = near.join("../clients");
        std::fs::create_dir_all(&installed).map_err(Error::io("make a folder for DuckDB"))?;
        let python = python_with(&["duckdb"], &installed)?;
        let folder = tempfile::Builder::new()
            .prefix("duckdb-")
            .tempdir_in(near)
            .map_err(Error::io(format!("make a folder under {}", near.display())))?;
        let mut child = Command::new(python)
            .arg(source.join("benches/duckdb_peer.py"))
            .arg(folder.path().join("tpch.duckdb"))
            .args([threads.to_string(), format!("{memory_mib}MiB")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::io("start DuckDB"))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Broken("DuckDB's process has no pipes".into()));
        };
        Ok(DuckDb { child, requests, answers: BufReader::new(answers), folder })
    }

    /// Loads the tables from files and gives the seconds that it took, without the writing of the files.
    pub(super) fn load(&mut self, scale: f64) -> Result<f64> {
        let files = self.folder.path().join("files");
        std::fs::create_dir_all(&files).map_err(Error::io("make a folder for tables"))?;
        write_files(&files, scale)?;
        let mut seconds = 0.0;
        for table in TABLES {
            let file = files.join(format!("{}.tbl", table.name));
            let request = format!("load {} {} {}", file.display(), table.name, table.columns);
            seconds += self.request(&request)?.0.iter().sum::<f64>();
        }
        std::fs::remove_dir_all(&files).map_err(Error::io("remove the tables' files"))?;
        Ok(seconds)
    }

    /// Runs a query `times` times: the seconds of each, and the rows.
    pub(super) fn ask(&mut self, sql: &str, times: usize) -> Result<(Vec<f64>, Answer)> {
        self.request(&format!("ask {times} {}", sql.replace(['\n', '\t'], " ")))
    }

    fn request(&mut self, request: &str) -> Result<(Vec<f64>, Answer)> {
        writeln!(self.requests, "{request}").map_err(Error::io("ask DuckDB"))?;
        let head = self.line()?;
        let broken = || Error::Broken(format!("DuckDB: {head}\n{request}"));
        let mut words = head.strip_prefix("ok ").ok_or_else(broken)?.split(' ');
        let mut seconds = Vec::new();
        for word in words.by_ref().take_while(|word| *word != "rows") {
            seconds.push(word.parse().map_err(|_| broken())?);
        }
        let rows: usize = words.next().and_then(|word| word.parse().ok()).ok_or_else(broken)?;
        let rows =
            (0..rows).map(|_| Ok(self.line()?.split('\t').map(|cell| cell.trim().to_owned()).collect()));
        Ok((seconds, Answer(rows.collect::<Result<_>>()?)))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line).map_err(Error::io("read from DuckDB"))? {
            0 => Err(Error::Broken("DuckDB's process has ended".into())),
            _ => Ok(line.trim_end_matches('\n').to_owned()),
        }
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // Gone already, or ended here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
