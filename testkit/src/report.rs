//! What a benchmark found: a table to read and a JSON file to keep, with what was wanted beside it.

use rustydb_testkit::{Error, Result};
use std::fmt::Write;

/// One figure of ours, beside the peer's where there is one.
#[derive(Debug, Clone)]
struct Line {
    metric: String,
    peer_name: String,
    ours: f64,
    peer: Option<f64>,
    ratio: Option<f64>,
    wanted: Option<String>,
    holds: Option<bool>,
}

/// The figures of one run.
#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
    peer_name: String,
    lines: Vec<Line>,
}

impl Report {
    pub(crate) fn new(name: &'static str, peer_name: impl Into<String>) -> Report {
        Report { name, peer_name: peer_name.into(), lines: Vec::new() }
    }

    fn push(&mut self, metric: impl Into<String>, ours: f64) -> &mut Line {
        self.lines.push(Line {
            metric: metric.into(),
            peer_name: self.peer_name.clone(),
            ours,
            peer: None,
            ratio: None,
            wanted: None,
            holds: None,
        });
        let last = self.lines.len() - 1;
        &mut self.lines[last]
    }

    /// A figure beside the peer's, without a bound.
    pub(crate) fn beside(&mut self, metric: impl Into<String>, ours: f64, peer: f64) {
        self.compared(metric, ours, peer);
    }

    /// The same; the ratio is no number where the peer has none, so that no bound on it holds.
    fn compared(&mut self, metric: impl Into<String>, ours: f64, peer: f64) -> (&mut Line, f64) {
        let line = self.push(metric, ours);
        line.peer = Some(peer);
        line.ratio = (peer > 0.0).then(|| ours / peer);
        let ratio = line.ratio.unwrap_or(f64::NAN);
        (line, ratio)
    }

    /// A rate (more is better) whose ratio to the peer's should be at least `wanted`.
    pub(crate) fn rate(&mut self, metric: impl Into<String>, ours: f64, peer: f64, wanted: Option<f64>) {
        let (line, ratio) = self.compared(metric, ours, peer);
        line.wanted = wanted.map(|least| format!("ratio >= {least:.1}"));
        line.holds = wanted.map(|least| ratio >= least);
    }

    /// A time (less is better) whose ratio to the peer's should be at most `wanted`.
    pub(crate) fn time(&mut self, metric: impl Into<String>, ours: f64, peer: f64, wanted: Option<f64>) {
        let (line, ratio) = self.compared(metric, ours, peer);
        line.wanted = wanted.map(|most| format!("ratio <= {most:.1}"));
        line.holds = wanted.map(|most| ratio <= most);
    }

    /// A figure of ours that should be at most `most`.
    pub(crate) fn at_most(&mut self, metric: impl Into<String>, ours: f64, most: f64) {
        let line = self.push(metric, ours);
        line.wanted = Some(format!("<= {}", show(most)));
        line.holds = Some(ours <= most);
    }

    /// A figure of ours to know.
    pub(crate) fn alone(&mut self, metric: impl Into<String>, ours: f64) {
        self.push(metric, ours);
    }

    /// The peer of the lines that follow.
    pub(crate) fn peer(&mut self, name: impl Into<String>) {
        self.peer_name = name.into();
    }

    /// Prints the table and writes `bench/NAME.json` into the target directory. A bound that does not hold
    /// is an error, after both.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n{}", self.table());
        let me = std::env::current_exe().map_err(Error::io("find my own place"))?;
        let folder = me.ancestors().nth(2).unwrap_or(&me).join("bench");
        std::fs::create_dir_all(&folder).map_err(Error::io(format!("make {}", folder.display())))?;
        let file = folder.join(format!("{}.json", self.name));
        std::fs::write(&file, self.json()).map_err(Error::io(format!("write {}", file.display())))?;
        println!("written to {}", file.display());
        let failed: Vec<_> = self.lines.iter().filter(|line| line.holds == Some(false)).collect();
        match failed.is_empty() {
            true => Ok(()),
            false => {
                let names: Vec<_> = failed.iter().map(|line| line.metric.as_str()).collect();
                Err(Error::Broken(format!("{}: not as wanted: {}", self.name, names.join(", "))))
            }
        }
    }

    fn table(&self) -> String {
        let mut out = String::new();
        let mut peer = None;
        for line in &self.lines {
            if peer != Some(&line.peer_name) {
                let name = line.peer_name.as_str();
                let _ =
                    writeln!(out, "{:<34} {:>12} {name:>16} {:>7}  wanted", self.name, "rustydb", "ratio");
                peer = Some(&line.peer_name);
            }
            let number = |value: Option<f64>| value.map_or(String::new(), show);
            let holds = match line.holds {
                Some(true) => "holds",
                Some(false) => "MISSED",
                None => "",
            };
            let ratio = line.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
            let wanted = line.wanted.as_deref().unwrap_or("");
            let row = format!(
                "{:<34} {:>12} {:>16} {ratio:>7}  {wanted} {holds}",
                line.metric,
                show(line.ours),
                number(line.peer)
            );
            let _ = writeln!(out, "{}", row.trim_end());
        }
        out
    }

    fn json(&self) -> String {
        let number = |value: Option<f64>| match value {
            Some(value) if value.is_finite() => format!("{value:.4}"),
            _ => "null".to_owned(),
        };
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| {
                format!(
                    "  {{\"metric\": {:?}, \"ours\": {}, \"peer\": {}, \"peer_name\": {:?}, \"ratio\": {}, \
                     \"wanted\": {}, \"holds\": {}}}",
                    line.metric,
                    number(Some(line.ours)),
                    number(line.peer),
                    line.peer_name,
                    number(line.ratio),
                    line.wanted.as_ref().map_or("null".into(), |wanted| format!("{wanted:?}")),
                    line.holds.map_or("null".into(), |holds| holds.to_string()),
                )
            })
            .collect();
        format!("[\n{}\n]\n", lines.join(",\n"))
    }
}

fn show(value: f64) -> String {
    match value.abs() {
        v if v >= 1_000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// The middle value; NaN of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_missed_bound_shows_in_table_and_json() {
        let mut report = Report::new("x", "MariaDB");
        report.rate("fast", 150.0, 100.0, Some(1.3));
        report.rate("slow", 90.0, 100.0, Some(1.0));
        report.at_most("memory MiB", 12.0, 100.0);
        let table = report.table();
        assert!(table.contains("1.50  ratio >= 1.3 holds"), "{table}");
        assert!(table.contains("0.90  ratio >= 1.0 MISSED"), "{table}");
        let json = report.json();
        assert!(json.contains("\"metric\": \"slow\"") && json.contains("\"holds\": false"), "{json}");
        assert!(json.contains("\"peer\": null"), "{json}");
    }
}
