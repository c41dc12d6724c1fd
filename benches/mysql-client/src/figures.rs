//! What was measured, what was wanted, and the table of both; also as a file for programs.

use crate::Failure;
use std::process::ExitCode;

/// One line of the table.
pub(crate) struct Figure {
    name: String,
    ours: String,
    theirs: String,
    ratio: String,
    wanted: String,
    missed: bool,
    value: f64,
    /// The peer's, where there is one.
    beside: Option<f64>,
}

fn shown(value: f64, unit: &str) -> String {
    match unit {
        "/s" => format!("{value:.0}{unit}"),
        _ => format!("{value:.2} {unit}"),
    }
}

impl Figure {
    /// A figure beside a peer's.
    pub(crate) fn shown(name: &str, unit: &str, ours: f64, theirs: f64) -> Figure {
        Figure {
            name: name.to_owned(),
            ours: shown(ours, unit),
            theirs: shown(theirs, unit),
            ratio: format!("{:.2}", ours / theirs),
            wanted: String::new(),
            missed: false,
            value: ours,
            beside: Some(theirs),
        }
    }

    /// A rate that has to be so many times the peer's.
    pub(crate) fn at_least(name: &str, unit: &str, ours: f64, theirs: f64, wanted: f64) -> Figure {
        let missed = ours / theirs < wanted;
        Figure { wanted: format!(">= {wanted}"), missed, ..Figure::shown(name, unit, ours, theirs) }
    }

    /// A time that may be so many times the peer's.
    pub(crate) fn at_most(name: &str, unit: &str, ours: f64, theirs: f64, wanted: f64) -> Figure {
        let missed = ours / theirs > wanted;
        Figure { wanted: format!("<= {wanted}"), missed, ..Figure::shown(name, unit, ours, theirs) }
    }

    /// A time that may be so long.
    pub(crate) fn below(name: &str, unit: &str, ours: f64, limit: f64) -> Figure {
        Figure {
            name: name.to_owned(),
            ours: shown(ours, unit),
            theirs: String::new(),
            ratio: String::new(),
            wanted: format!("<= {limit} {unit}"),
            missed: ours > limit,
            value: ours,
            beside: None,
        }
    }

    /// How fairly waits are shared out.
    pub(crate) fn waits(name: &str, mut waits: Vec<f64>) -> Figure {
        waits.sort_by(f64::total_cmp);
        let at = |share: f64| waits.get((waits.len() as f64 * share) as usize).copied().unwrap_or_default();
        let most = waits.last().copied().unwrap_or_default();
        let (middle, tail) = (at(0.5), at(0.99));
        Figure {
            name: format!("  wait, {name}"),
            ours: format!("p50 {middle:.0} us"),
            theirs: format!("p99 {tail:.0} us"),
            ratio: format!("max/median {:.1}", most / middle),
            wanted: String::new(),
            missed: false,
            value: most / middle,
            beside: None,
        }
    }

    /// As a line of the file: whose figure it stands beside is the end of its name.
    fn json(&self) -> String {
        let number = |value: Option<f64>| match value {
            Some(value) if value.is_finite() => format!("{value:.4}"),
            _ => "null".to_owned(),
        };
        let name = self.name.trim();
        let (wanted, holds) = match self.wanted.is_empty() {
            true => ("null".to_owned(), "null".to_owned()),
            false => (format!("{:?}", self.wanted), (!self.missed).to_string()),
        };
        format!(
            "{{\"metric\": {name:?}, \"ours\": {}, \"peer\": {}, \"peer_name\": {:?}, \"ratio\": {}, \"wanted\": {wanted}, \
             \"holds\": {holds}}}",
            number(Some(self.value)),
            number(self.beside),
            name.rsplit_once("beside ").map_or("", |(_, peer)| peer),
            number(self.beside.map(|beside| self.value / beside)),
        )
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Prints the table and writes `bench/mysql-client.json` into the target directory; fails where a figure that is wanted is
/// missed.
pub(crate) fn tell(figures: &[Figure]) -> Result<ExitCode, Failure> {
    println!("{:<44} {:>14} {:>14} {:>16} {:>12}", "", "ours", "theirs", "ratio", "wanted");
    for figure in figures {
        let Figure { name, ours, theirs, ratio, wanted, missed, .. } = figure;
        let mark = if *missed { "  MISSED" } else { "" };
        println!("{name:<44} {ours:>14} {theirs:>14} {ratio:>16} {wanted:>12}{mark}");
    }
    let me = std::env::current_exe()?;
    let folder = me.ancestors().nth(2).unwrap_or(&me).join("bench");
    std::fs::create_dir_all(&folder)?;
    let lines: Vec<String> = figures.iter().map(Figure::json).collect();
    std::fs::write(folder.join("mysql-client.json"), format!("[\n{}\n]\n", lines.join(",\n")))?;
    Ok(match figures.iter().any(|figure| figure.missed) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}
