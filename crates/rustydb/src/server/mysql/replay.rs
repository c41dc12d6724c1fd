//! `rustydb mysql replay`: what a recording holds, what it answers, what a server answers otherwise.
//!
//! Without more it lists the statements of a journal by shape. With `-e` it answers statements from the journal,
//! with no server, and reports the nearest recordings where there is no answer. With `--compare` it asks a server
//! everything that the journal has, reads alone unless `--writes`, and tells what differs.

use super::table::Table;
use super::{ServerArguments, shown};
use rustydb_mysql::driver::{Address, Credential, Driver, Endpoint, Session};
use rustydb_mysql::simulation::{CompareOptions, Compared, Journal, Mode, ReplayingDriver, Verdict, compare};
use rustydb_mysql::{Error, ValueRef};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// The options of `rustydb mysql replay`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReplayArguments {
    /// The recording
    #[arg(value_name = "JOURNAL")]
    journal: PathBuf,
    /// Answer this statement from the recording, without a server; may be given several times
    #[arg(long, short = 'e', value_name = "SQL", conflicts_with = "compare")]
    execute: Vec<String>,
    /// Let a recording of the same shape answer where there is none of the same statement
    #[arg(long)]
    by_pattern: bool,
    /// Ask a server what the recording holds, and tell what differs
    #[arg(long)]
    compare: bool,
    /// Compare statements that may write, too
    #[arg(long, requires = "compare")]
    writes: bool,
    #[command(flatten)]
    servers: ServerArguments,
}

pub(super) async fn run(arguments: &ReplayArguments) -> Result<ExitCode, String> {
    let journal = Journal::open(&arguments.journal).map_err(|error| error.to_string())?;
    if journal.torn {
        eprintln!("the last line is cut: left out");
    }
    match (arguments.compare, arguments.execute.is_empty()) {
        (true, _) => against_server(arguments, &journal).await,
        (false, false) => answer(arguments, journal).await,
        (false, true) => {
            list(&journal);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The statements of a journal by shape.
fn list(journal: &Journal) {
    let header = &journal.header;
    let hidden = if header.redaction.is_empty() { "nothing" } else { header.redaction.as_str() };
    println!("{} exchanges with {}, {hidden} hidden", journal.exchanges.len(), header.subject);
    let mut shapes: BTreeMap<(String, String), Vec<(Duration, bool)>> = BTreeMap::new();
    for exchange in &journal.exchanges {
        let shape = rustydb_mysql::simulation::shape(&exchange.text);
        let seen = shapes.entry((exchange.operation.clone(), shape)).or_default();
        seen.push((exchange.latency, exchange.failure.is_some()));
    }
    let mut table = Table::new(&["TIMES", "FAILED", "MEDIAN", "MAX", "OPERATION", "STATEMENT"]);
    let mut shapes: Vec<_> = shapes.into_iter().collect();
    shapes.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.len()));
    for ((operation, shape), mut seen) in shapes {
        seen.sort();
        let failed = seen.iter().filter(|(_, failed)| *failed).count();
        let time = |n: usize| seen.get(n).map_or("-".to_owned(), |(time, _)| shown(*time));
        let (median, most) = (time(seen.len() / 2), time(seen.len().saturating_sub(1)));
        table.row([seen.len().to_string(), failed.to_string(), median, most, operation, shape]);
    }
    println!();
    table.print();
}

/// Answers statements from the journal.
async fn answer(arguments: &ReplayArguments, journal: Journal) -> Result<ExitCode, String> {
    let mode = if arguments.by_pattern { Mode::Pattern } else { Mode::Strict };
    let driver = ReplayingDriver::over(mode, journal).map_err(|error| error.to_string())?;
    let endpoint = Endpoint::new("replay", Address::tcp("replay", 0));
    let soon = || Instant::now() + Duration::from_secs(60);
    let connected = driver.connect(&endpoint, &Credential::new("", ""), soon()).await;
    let mut session = connected.map_err(|error| error.to_string())?;
    let mut failed = false;
    for sql in &arguments.execute {
        if let Err(error) = print_answer(&mut session, sql, soon()).await {
            failed = true;
            match error {
                // Whoever types the statement may see its values.
                Error::NoAnswer(why) => eprintln!("{}", why.with_values()),
                other => eprintln!("{other}"),
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn print_answer<S: Session>(
    session: &mut S,
    sql: &str,
    deadline: Instant,
) -> rustydb_mysql::Result<()> {
    let mut results = session.query(sql, deadline).await?;
    loop {
        if let Some(columns) = results.columns() {
            let names: Vec<&str> = columns.as_slice().iter().map(|column| column.name()).collect();
            println!("{}", names.join("\t"));
        }
        while let Some(row) = results.next_row().await? {
            println!("{}", row.values().map(cell).collect::<Vec<_>>().join("\t"));
        }
        if !results.next_result().await? {
            return Ok(());
        }
    }
}

fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Bool(v) => u8::from(v).to_string(),
        ValueRef::Int(v) => v.to_string(),
        ValueRef::UInt(v) => v.to_string(),
        ValueRef::Float(v) => v.to_string(),
        ValueRef::Double(v) => v.to_string(),
        ValueRef::String(v) | ValueRef::Json(v) => v.replace('\t', "\\t").replace('\n', "\\n"),
        ValueRef::Bytes(v) => format!("0x{}", v.iter().map(|byte| format!("{byte:02X}")).collect::<String>()),
        ValueRef::Date(v) => v.to_string(),
        ValueRef::Time(v) => v.to_string(),
        ValueRef::DateTime(v) | ValueRef::Timestamp(v) => v.to_string(),
        ValueRef::Decimal(v) => v.to_string(),
    }
}

/// Asks a server what the journal holds.
async fn against_server(arguments: &ReplayArguments, journal: &Journal) -> Result<ExitCode, String> {
    let servers = arguments.servers.resolve()?;
    let endpoint = servers.endpoints().remove(0);
    let deadline = Instant::now() + servers.timeout;
    let connected = servers.driver.connect(&endpoint, &servers.credential, deadline).await;
    let session = connected.map_err(|error| error.to_string())?;
    let mut options = CompareOptions::default();
    (options.writes, options.timeout) = (arguments.writes, servers.timeout);
    let mut all: Vec<Compared> = Vec::new();
    let compared = compare(journal, session, options, |compared| {
        match &compared.verdict {
            Verdict::Different(what) => println!("{}: {what}\n    {}", compared.number, compared.shape),
            Verdict::Reordered => {
                println!("{}: rows in another order\n    {}", compared.number, compared.shape)
            }
            _ => {}
        }
        all.push(compared);
    })
    .await;
    let count = |wanted: fn(&Verdict) -> bool| all.iter().filter(|one| wanted(&one.verdict)).count();
    let different = count(|verdict| matches!(verdict, Verdict::Different(_)));
    let asked: Vec<&Compared> =
        all.iter().filter(|one| !matches!(one.verdict, Verdict::Skipped(_))).collect();
    println!(
        "{} compared: {} equal, {} in another order, {different} different; {} not asked",
        asked.len(),
        count(|verdict| *verdict == Verdict::Equal),
        count(|verdict| *verdict == Verdict::Reordered),
        all.len() - asked.len(),
    );
    let median = |time: fn(&Compared) -> Duration| {
        let mut times: Vec<_> = asked.iter().map(|one| time(one)).collect();
        times.sort();
        times.get(times.len() / 2).map_or("-".to_owned(), |time| shown(*time))
    };
    println!("median time {} then, {} now", median(|one| one.recorded), median(|one| one.now));
    compared.map_err(|error| error.to_string())?;
    Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_printed_as_the_shell_prints_them() {
        assert_eq!(cell(ValueRef::Null), "NULL");
        assert_eq!(cell(ValueRef::Bytes(&[0, 255])), "0x00FF");
        assert_eq!(cell(ValueRef::String("a\tb\nc")), "a\\tb\\nc");
    }
}
