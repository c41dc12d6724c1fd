//! Recording what a program asks of a server, then running it without one.
//!
//! ```text
//! cargo run -p rustydb-mysql --example record_and_replay
//! cargo run -p rustydb-mysql --example record_and_replay -- mysql://root@127.0.0.1:3306/sakila
//! ```
//!
//! Without a URL, a double written by hand stands in for the server.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod opening;

use opening::{Outcome, configuration, credential, driver, soon};
use rustydb_mysql::driver::{Address, Credential, Driver, Endpoint, Session};
use rustydb_mysql::simulation::{
    Effect, FaultRule, FaultScript, MockMysqlClient, MockRows, Mode, QueryPattern, Recorder, Redaction,
    ReplayingDriver, When,
};
use rustydb_mysql::{Error, params};

const FILM: &str = "SELECT title FROM film WHERE film_id = ?";

/// The program: it does not know what stands behind its session.
async fn title<S: Session>(session: &mut S, film: i64) -> rustydb_mysql::Result<String> {
    let (_, results) = session.prepare_execute(FILM, &params![film], soon()).await?;
    let (title,): (String,) = results.one().await?;
    Ok(title)
}

/// Runs the program on a server and writes down what was said.
async fn record<D: Driver>(
    recorder: &Recorder,
    server: D,
    endpoint: &Endpoint,
    login: &Credential,
) -> Outcome {
    let mut session = recorder.driver(server).connect(endpoint, login, soon()).await?;
    println!("recorded: {}", title(&mut session, 1).await?);
    session.close(soon()).await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let path = std::env::temp_dir().join(format!("film-{}.jsonl", std::process::id()));
    let endpoint = Endpoint::new("primary", Address::tcp("nowhere", 3306));
    let nobody = Credential::new("nobody", "");

    // Test data: values may be seen. Redaction::values() is for everything else.
    let recorder = Recorder::create(&path, Redaction::secrets())?;
    if std::env::args().len() > 1 {
        let config = configuration()?;
        let endpoint = Endpoint::new("primary", config.primary.clone());
        record(&recorder, driver(&config)?, &endpoint, &credential(&config)).await?;
    } else {
        let mock = MockMysqlClient::new();
        mock.query_response(QueryPattern::shape(FILM), MockRows::of(["title"]).row(["ACADEMY DINOSAUR"]));
        record(&recorder, mock.driver().clone(), &endpoint, &nobody).await?;
    }
    println!("{}", std::fs::read_to_string(&path)?);

    // No server and no network from here on.
    let replay = ReplayingDriver::open(&path, Mode::Strict)?;
    let mut session = replay.connect(&endpoint, &nobody, soon()).await?;
    println!("replayed: {}", title(&mut session, 1).await?);
    match title(&mut session, 2).await {
        Err(Error::NoAnswer(why)) => println!("{why}"),
        other => println!("{other:?}"),
    }

    // What would the program do if the first answer were a deadlock?
    let deadlock = Effect::Error { code: 1213, state: String::new(), message: String::new() };
    let faults = FaultScript::of([FaultRule::new(deadlock).operation("execute").when(When::Nth(1))]);
    let replay = ReplayingDriver::open(&path, Mode::Strict)?.faults(faults);
    let mut session = replay.connect(&endpoint, &nobody, soon()).await?;
    if let Err(error) = title(&mut session, 1).await {
        println!("faulty:   {error}");
    }
    println!("again:    {}", title(&mut session, 1).await?);
    std::fs::remove_file(&path)?;
    Ok(())
}
