//! XA branches and SIGKILL: what was prepared waits for its decision with its locks, what was decided stays so.

use crate::home;
use mysql::Conn;
use mysql::prelude::Queryable;
use rustydb_testkit::client::code;
use rustydb_testkit::random::Random;
use rustydb_testkit::{Result, RustyDb};
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a branch is known to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Not prepared, as far as anybody has heard.
    Working,
    /// XA PREPARE was answered.
    Prepared,
    /// The coordinator has decided, and said so; XA COMMIT or XA ROLLBACK was not answered.
    Decided { commit: bool },
    /// It was answered.
    Over,
}

/// A coordinator that moves one from one row to another, branch by branch, and what it knows.
struct Coordinator {
    row: u64,
    branch: u64,
    step: Step,
    committed: u64,
}

impl Coordinator {
    fn name(&self) -> String {
        format!("'money-{}', '{}', 7", self.row, self.branch)
    }

    /// Runs branches until the server is gone.
    fn run(&mut self, mut client: Conn, mut random: Random, steps: &AtomicU64) {
        let mut query = |sql: String| client.query_drop(sql).is_ok();
        loop {
            self.branch += 1;
            self.step = Step::Working;
            let name = self.name();
            let from = self.row;
            let to = self.row + 100;
            let work = [
                format!("XA START {name}"),
                format!("UPDATE d.account SET n = n - 1 WHERE id = {from}"),
                format!("UPDATE d.account SET n = n + 1 WHERE id = {to}"),
                format!("INSERT INTO d.moved VALUES ({from}, {})", self.branch),
                format!("XA END {name}"),
                format!("XA PREPARE {name}"),
            ];
            if !work.into_iter().all(&mut query) {
                return;
            }
            self.step = Step::Prepared;
            steps.fetch_add(1, Ordering::SeqCst);
            let commit = !random.once_in(3);
            self.step = Step::Decided { commit };
            if !query(format!("XA {} {name}", if commit { "COMMIT" } else { "ROLLBACK" })) {
                return;
            }
            self.step = Step::Over;
            self.committed += u64::from(commit);
            steps.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Looks at what has become of the last branch, and ends it as decided; without a decision, by a rollback.
    fn recover(&mut self, client: &mut Conn, recovered: &[String]) -> Result<()> {
        let data = format!("money-{}{}", self.row, self.branch);
        let is_prepared = recovered.contains(&data);
        let mine = recovered.iter().filter(|name| name.starts_with(&format!("money-{}", self.row)));
        assert!(mine.count() <= 1, "{recovered:?}");
        match self.step {
            Step::Prepared => assert!(is_prepared, "{data} was prepared"),
            Step::Over => assert!(!is_prepared, "{data} was over"),
            Step::Working | Step::Decided { .. } => {}
        }
        let commit = self.step == Step::Decided { commit: true };
        // What was prepared can only have gone by the decision.
        self.committed += u64::from(commit);
        if is_prepared {
            for row in [self.row, self.row + 100] {
                let locked = client
                    .query_drop(format!("SELECT n FROM d.account WHERE id = {row} FOR UPDATE NOWAIT"))
                    .unwrap_err();
                assert_eq!(code(&locked), Some(3572), "{locked}");
            }
            client.query_drop(format!(
                "XA {} {}",
                if commit { "COMMIT" } else { "ROLLBACK" },
                self.name()
            ))?;
        }
        let sum = |client: &mut Conn, row: u64| -> Result<Option<i64>> {
            Ok(client.query_first(format!("SELECT n FROM d.account WHERE id = {row} FOR UPDATE NOWAIT"))?)
        };
        let committed = i64::try_from(self.committed).unwrap_or(i64::MAX);
        assert_eq!(sum(client, self.row)?, Some(-committed), "{data} {:?}", self.step);
        assert_eq!(sum(client, self.row + 100)?, Some(committed), "{data} {:?}", self.step);
        let rows = format!("SELECT COUNT(*) FROM d.moved WHERE id = {}", self.row);
        assert_eq!(client.query_first::<i64, _>(rows)?, Some(committed));
        Ok(())
    }
}

fn recovered(client: &mut Conn) -> Result<Vec<String>> {
    let rows: Vec<(u64, u64, u64, String)> = client.query("XA RECOVER")?;
    Ok(rows.into_iter().map(|(_, _, _, data)| data).collect())
}

#[test]
fn prepared_branches_outlive_kill_9_with_their_locks_and_wait_for_the_decision() -> Result<()> {
    let home = home(&[])?;
    let mut server = RustyDb::start(&home)?;
    let mut client = server.address().connect()?;
    client.query_drop("CREATE DATABASE d")?;
    client.query_drop("CREATE TABLE d.account (id INT PRIMARY KEY, n INT)")?;
    client.query_drop("CREATE TABLE d.moved (id INT, branch INT, PRIMARY KEY (id, branch))")?;
    let mut random = Random::new(29);
    let mut coordinators: Vec<Coordinator> =
        (1..=4).map(|row| Coordinator { row, branch: 0, step: Step::Over, committed: 0 }).collect();
    for row in 1..=4 {
        client.query_drop(format!("INSERT INTO d.account VALUES ({row}, 0), ({}, 0)", row + 100))?;
    }
    for round in 0..5 {
        let steps = AtomicU64::new(0);
        let address = server.address().clone();
        let until = 20 + random.below(60);
        let mut seeds: Vec<Random> = (0..4).map(|_| Random::new(random.draw())).collect();
        std::thread::scope(|scope| {
            for (coordinator, seed) in coordinators.iter_mut().zip(seeds.drain(..)) {
                let (address, steps) = (&address, &steps);
                scope.spawn(move || coordinator.run(address.connect().unwrap(), seed, steps));
            }
            while steps.load(Ordering::SeqCst) < until {
                std::thread::yield_now();
            }
            server.kill()
        })?;
        server = RustyDb::start(&home)?;
        client = server.address().connect()?;
        let names = recovered(&mut client)?;
        for coordinator in &mut coordinators {
            coordinator.recover(&mut client, &names)?;
        }
        assert!(recovered(&mut client)?.is_empty(), "round {round}");
    }
    // A branch that is left prepared is still so after a second crash, and after a stop in good order.
    client.query_drop("XA START 'left'")?;
    client.query_drop("UPDATE d.account SET n = 1000 WHERE id = 1")?;
    client.query_drop("XA END 'left'")?;
    client.query_drop("XA PREPARE 'left'")?;
    server.kill()?;
    RustyDb::start(&home)?.kill()?;
    assert!(RustyDb::start(&home)?.stop()?.success());
    server = RustyDb::start(&home)?;
    client = server.address().connect()?;
    assert_eq!(recovered(&mut client)?, ["left"]);
    let locked = client.query_drop("SELECT n FROM d.account WHERE id = 1 FOR UPDATE NOWAIT").unwrap_err();
    assert_eq!(code(&locked), Some(3572), "{locked}");
    client.query_drop("XA COMMIT 'left'")?;
    assert_eq!(client.query_first::<i64, _>("SELECT n FROM d.account WHERE id = 1")?, Some(1000));
    server.stop()?;
    home.check()?;
    Ok(())
}
