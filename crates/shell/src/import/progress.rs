//! How far an import is: a bar on a terminal, nothing elsewhere, and a closing line.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the bar is drawn at most.
const REDRAW: Duration = Duration::from_millis(100);
/// Characters of the bar.
const WIDTH: usize = 30;

/// How far an import is.
#[derive(Debug)]
pub(super) struct Progress {
    /// Bytes of all files; none where one of them is no file.
    total: Option<u64>,
    read: u64,
    statements: u64,
    begin: Instant,
    drawn: Option<Instant>,
    shown: bool,
    quiet: bool,
}

impl Progress {
    pub(super) fn start(files: &[PathBuf], quiet: bool) -> Progress {
        let sizes = files.iter().map(|file| {
            let file = std::fs::metadata(file).ok()?;
            file.is_file().then_some(file.len())
        });
        let total = sizes.sum::<Option<u64>>();
        let shown = !quiet && io::stderr().is_terminal();
        Progress { total, read: 0, statements: 0, begin: Instant::now(), drawn: None, shown, quiet }
    }

    pub(super) fn read(&mut self, bytes: u64) {
        self.read += bytes;
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() > REDRAW);
        if self.shown && due {
            self.drawn = Some(Instant::now());
            let line = bar(self.read, self.total, self.statements, self.begin.elapsed());
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }

    pub(super) fn statements(&mut self, count: u64) {
        self.statements += count;
    }

    /// Says something between two drawings of the bar.
    pub(super) fn tell(&mut self, text: &str) {
        let clear = if self.shown { "\r\x1b[K" } else { "" };
        self.drawn = None;
        let _ = writeln!(io::stderr(), "{clear}{text}");
    }

    pub(super) fn finish(&mut self, all: bool) {
        if self.quiet {
            return;
        }
        let took = self.begin.elapsed().as_secs_f64();
        let what = if all { "" } else { "; not everything was carried out" };
        let (statements, size) = (self.statements, size(self.read));
        self.tell(&format!("{statements} statements, {size} in {took:.1} s{what}"));
    }
}

fn bar(read: u64, total: Option<u64>, statements: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(0.001);
    let rate = read as f64 / seconds;
    let mut line = String::new();
    if let Some(total) = total.filter(|total| *total > 0) {
        let part = (read as f64 / total as f64).min(1.0);
        let full = (part * WIDTH as f64) as usize;
        let left = (total.saturating_sub(read) as f64 / rate.max(1.0)) as u64;
        let (full, empty) = ("#".repeat(full), "-".repeat(WIDTH - full));
        let _ =
            write!(line, "[{full}{empty}] {:>3.0} %  {}:{:02} left  ", part * 100.0, left / 60, left % 60);
    }
    let _ = write!(line, "{}  {}/s  {statements} statements", size(read), size(rate as u64));
    line
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} KB", bytes / 1_000),
        10_000_000..=9_999_999_999 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_how_far_how_fast_and_how_long() {
        let line = bar(50_000_000, Some(200_000_000), 1234, Duration::from_secs(10));
        assert_eq!(
            line,
            "[#######-----------------------]  25 %  0:30 left  50 MB  5000 KB/s  1234 statements"
        );
        assert_eq!(bar(500, None, 1, Duration::from_secs(1)), "500 B  500 B/s  1 statements");
        assert!(bar(9, Some(3), 0, Duration::ZERO).contains("100 %"), "a file that grew");
    }
}
