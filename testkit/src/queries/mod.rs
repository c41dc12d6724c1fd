//! `cargo xtask queries`: random queries, against everything that can show a wrong answer.
//!
//! ```text
//! --minutes N   how long (1)              --seed S     the first schema's seed (1); each schema has the next
//! --peer PORT   a MySQL to compare with (root without a password)
//! --port PORT   ours, running already (root without a password, or RUSTYDB_ROOT_PASSWORD); else one is started
//! --most N      findings after which to stop (25)
//! --items N     nothing but queries for the peer, each of N expressions over one table (0: all kinds of cases)
//! ```
//!
//! A schema gets [`PER_SCHEMA`] statements: queries for the peer, queries with rules turned off, conditions for
//! partitioning and the reference, changes. A case that fails is made small and printed as a script. A connection
//! that is lost or silent, and memory above [`MOST_MEMORY`], are findings as well. The run fails when there was one.

mod change;
mod expression;
mod generator;
mod oracle;
mod reduce;
mod rewordings;
mod schema;
mod session;
mod tree;

use crate::options::Options;
use generator::Generator;
use oracle::{Case, Finding};
use reduce::{Refused, Servers, reduce};
use rustydb_testkit::client::Address;
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, Result, RustyDb};
use schema::Schema;
use session::{Answer, Session};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tree::Tree;

/// Statements for a schema.
const PER_SCHEMA: u64 = 120;
/// Resident memory of our server, in MiB, beyond which something is wrong: its settings below come to less.
const MOST_MEMORY: u64 = 700;

struct Run {
    servers: Servers,
    own: Option<RustyDb>,
    rules: Vec<String>,
    /// Expressions of a query where there is nothing else to be tried
    items: u64,
    statements: u64,
    answered: u64,
    refused: BTreeMap<String, u64>,
    classes: BTreeMap<String, u32>,
}

pub(crate) fn run(mut options: Options) -> Result<()> {
    let minutes = options.number("--minutes", 1)?;
    let first = options.number("--seed", 1)?;
    let most = options.number("--most", 25)?;
    let peer = options.number("--peer", 0)?;
    let port = options.number("--port", 0)?;
    let items = options.number("--items", 0)?;
    let binary = options.server()?;
    let source = options.source()?;
    options.finish()?;
    let database = format!("queries_{}", std::process::id());
    let open = |port: u64, password: String| {
        let port = u16::try_from(port).map_err(|_| Error::Usage(format!("{port} is no port")))?;
        Ok::<_, Error>(Session::new(Address { port, user: "root".into(), password }, &database))
    };
    let peer = if peer > 0 { Some(open(peer, String::new())?) } else { None };
    let (ours, own, _home) = match port {
        0 => {
            let near = binary.parent().unwrap_or(&binary);
            let words = [
                "--socket",
                "off",
                "--durability",
                "second",
                "--buffer-pool-size",
                "64M",
                "--statement-memory",
                "64M",
            ];
            let home = Home::new(&binary, near, &words)?;
            let server = RustyDb::start(&home)?;
            (Session::new(server.address().clone(), &database), Some(server), Some(home))
        }
        port => (open(port, std::env::var("RUSTYDB_ROOT_PASSWORD").unwrap_or_default())?, None, None),
    };
    let mut run = Run {
        servers: Servers { ours, peer },
        own,
        rules: rules(&source)?,
        items,
        statements: 0,
        answered: 0,
        refused: BTreeMap::new(),
        classes: BTreeMap::new(),
    };
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    let mut seed = first;
    while Instant::now() < end && run.classes.values().map(|count| u64::from(*count)).sum::<u64>() < most {
        run.schema(seed, end)?;
        seed += 1;
    }
    run.servers.ours.ask(&format!("DROP DATABASE {database}"));
    if let Some(peer) = &mut run.servers.peer {
        peer.ask(&format!("DROP DATABASE {database}"));
    }
    println!("{} schemas, {} cases, {} answered", seed - first, run.statements, run.answered);
    for (why, count) in &run.refused {
        println!("refused {count}: {why}");
    }
    match run.classes.is_empty() {
        true => Ok(()),
        false => Err(Error::Broken(format!("wrong: {:?}", run.classes))),
    }
}

/// The names of the planner's rules, from the list that the planner itself has.
fn rules(source: &Path) -> Result<Vec<String>> {
    let file = source.join("crates/sql/src/plan/rules/switch.rs");
    let code = std::fs::read_to_string(&file).map_err(Error::io(format!("read {}", file.display())))?;
    let list =
        code.split_once("rules! {\n").and_then(|(_, rest)| rest.split_once('}')).map_or("", |(list, _)| list);
    let names: Vec<String> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    match names.is_empty() {
        true => Err(Error::Broken(format!("{} has no list of rules", file.display()))),
        false => Ok(names),
    }
}

impl Run {
    fn schema(&mut self, seed: u64, end: Instant) -> Result<()> {
        let mut generator = Generator::new(seed);
        if let Err(Refused { why, wrong }) = self.servers.prepare(&generator.schema) {
            println!("-- schema of seed {seed} {}: {why}\n", if wrong { "refused" } else { "left out" });
            match wrong {
                true => {
                    generator.schema.script().iter().for_each(|statement| println!("{statement};"));
                    println!();
                    *self.classes.entry("schema".into()).or_default() += 1;
                }
                false => *self.refused.entry("a schema".into()).or_default() += 1,
            }
            return Ok(());
        }
        for number in 0..PER_SCHEMA {
            if Instant::now() > end {
                break;
            }
            let Some(case) = self.case(&mut generator) else { continue };
            self.statements += 1;
            let finding = self.servers.judge(&case);
            self.watch(seed, &case)?;
            if let Some(finding) = finding {
                self.report(seed, number, &generator.schema, case, finding)?;
                // Of one view or column there would be many.
                if self.items > 0 || self.servers.prepare(&generator.schema).is_err() {
                    break;
                }
            } else if let Case::Peer(tree, _) = &case
                && number % 8 == 0
            {
                self.tell_of_refusals(tree);
            }
        }
        Ok(())
    }

    fn case(&mut self, generator: &mut Generator) -> Option<Case> {
        if self.items > 0 {
            return Some(Case::Peer(generator.items(self.items).tree, false));
        }
        let peer = self.servers.peer.is_some();
        let draw = generator.random.below(10);
        generator.for_peer = draw > 3;
        Some(match draw {
            0 => Case::Partition(Tree::Seq(generator.parts().to_vec())),
            1 => Case::Reference(Tree::Seq(generator.parts().to_vec())),
            2 | 3 => {
                let mut off: Vec<&str> = self.rules.iter().map(String::as_str).collect();
                // All of them, or one or two.
                if generator.random.once_in(2) {
                    let kept = 1 + generator.random.below(2);
                    off = (0..kept).filter_map(|_| generator.random.pick(&off).copied()).collect();
                }
                Case::Rules(generator.query().tree, off.join(","))
            }
            4 if peer => {
                let (tree, table) = generator.change()?;
                Case::Change(tree, table)
            }
            _ => {
                let select = generator.query();
                Case::Peer(select.tree, select.ordered)
            }
        })
    }

    /// Counts by message what is not built, so that it is known what was not tested.
    fn tell_of_refusals(&mut self, tree: &Tree) {
        match self.servers.ours.ask(&tree.to_string()) {
            Answer::Error(1235, message) => *self.refused.entry(message).or_default() += 1,
            Answer::Rows(_) => self.answered += 1,
            _ => {}
        }
    }

    /// Memory within its bound, and the server still there.
    fn watch(&mut self, seed: u64, case: &Case) -> Result<()> {
        let Some(server) = &self.own else { return Ok(()) };
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap_or_default();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse::<u64>().ok());
        let sql = case.statements().join(";\n");
        match resident {
            Some(kib) if kib / 1024 <= MOST_MEMORY => Ok(()),
            Some(kib) => Err(server.error(format!("seed {seed}: {} MiB of memory after\n{sql}", kib / 1024))),
            None => Err(server.error(format!("seed {seed}: ended after\n{sql}"))),
        }
    }

    fn report(
        &mut self,
        seed: u64,
        number: u64,
        schema: &Schema,
        case: Case,
        finding: Finding,
    ) -> Result<()> {
        *self.classes.entry(finding.class.clone()).or_default() += 1;
        let (schema, case, finding) = reduce(&mut self.servers, schema.clone(), case, finding);
        println!(
            "-- {} (seed {seed}, statement {number}, {})",
            finding.class,
            if schema.folded { "folded" } else { "plain" }
        );
        for statement in schema.script().iter().chain(&case.statements()) {
            println!("{statement};");
        }
        for line in finding.shown.lines() {
            println!("--   {line}");
        }
        println!();
        self.watch(seed, &case)
    }
}
