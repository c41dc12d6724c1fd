//! What being observed costs: the client with its metrics and spans on, beside the same client with both off.
//!
//! "On" means that somebody listens, as an exporter does: beginning, fields and end of every span are written into a
//! batch as they come. At INFO that is one span a statement, with its shape and the `db.*` attributes; at DEBUG the
//! spans of its steps as well. The listener is the process's own, as in a program; while "off" runs its level is OFF.
//!
//! The two take turns in short blocks, each round in the other order, so that what changes on the machine meanwhile
//! changes both; a side's figure is the median of all its turns.

use crate::Failure;
use crate::figures::{Figure, median};
use crate::server::{DATABASE, POINT, ROWS, Server};
use parking_lot::Mutex;
use rustydb_mysql::config::{Address, ClientConfig, PoolConfig, SslMode};
use rustydb_mysql::{MysqlClient, Services};
use rustydb_telemetry::Registry;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Bytes that are written before they are sent away, which here is to be forgotten.
const BATCH: usize = 32 << 10;
/// Turns of each side in a round.
const TURNS: u32 = 10;

/// What is listened to: nothing, INFO, DEBUG.
static LEVEL: AtomicUsize = AtomicUsize::new(0);

fn level() -> LevelFilter {
    match LEVEL.load(Ordering::Relaxed) {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    }
}

/// Listens to this from now on.
fn listen(level: usize) {
    LEVEL.store(level, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Writes spans as exporters do: numbers as bytes, texts with their length before them, fields by their place in what is
/// known of their callsite.
#[derive(Clone)]
struct Exporter {
    begun: Instant,
    batch: Arc<Mutex<Batch>>,
}

#[derive(Default)]
struct Batch {
    now: Vec<u8>,
    /// What was sent last.
    sent: Vec<u8>,
}

/// What a record of the batch tells.
#[derive(Clone, Copy)]
enum Mark {
    Begins = 1,
    Is = 2,
    Ends = 3,
}

impl Exporter {
    /// A record of a span: when, and what `write` adds.
    fn write(&self, mark: Mark, id: &Id, write: impl FnOnce(&mut Vec<u8>)) {
        let now = self.begun.elapsed().as_nanos() as u64;
        let mut batch = self.batch.lock();
        let batch = &mut *batch;
        if batch.now.len() > BATCH {
            std::mem::swap(&mut batch.now, &mut batch.sent);
            batch.now.clear();
        }
        let batch = &mut batch.now;
        batch.push(mark as u8);
        batch.extend_from_slice(&id.into_u64().to_le_bytes());
        batch.extend_from_slice(&now.to_le_bytes());
        write(batch);
    }
}

struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push(field.index() as u8);
        self.text(value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push(field.index() as u8);
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        let _ = write!(self.0, "{value:?}");
        let length = (self.0.len() - at - 4) as u32;
        self.0[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Exporter {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if *metadata.level() <= level() { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(level())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        self.write(Mark::Begins, id, |batch| {
            let mut fields = Fields(batch);
            fields.text(attributes.metadata().name());
            attributes.record(&mut fields);
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.write(Mark::Is, id, |batch| values.record(&mut Fields(batch)));
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.write(Mark::Ends, &id, |_| ());
    }
}

async fn client(server: &Server, observe: bool, registry: &Registry) -> Result<MysqlClient, Failure> {
    let mut config = ClientConfig::builder()
        .primary(Address::tcp("127.0.0.1", server.port))
        .database(DATABASE)
        .ssl_mode(SslMode::Disabled)
        .observe(observe)
        .build()?;
    config.pool = PoolConfig::sized(1, 1);
    let services = Services { registry: registry.clone(), ..Services::default() };
    Ok(MysqlClient::connect(config, services).await?)
}

/// Point queries in a second, one after the other, on a worker.
async fn points(client: &MysqlClient, count: u32) -> Result<f64, Failure> {
    let client = client.clone();
    let work = async move {
        let start = Instant::now();
        for number in 0..count {
            let id = i64::from(number * 7919 % ROWS);
            let row = client.query_one(POINT, &[id]).await?.ok_or("no row")?;
            if row.get::<i64>(0)? != id {
                return Err(Failure::from(format!("no row {id}")));
            }
        }
        Ok(f64::from(count) / start.elapsed().as_secs_f64())
    };
    tokio::spawn(work).await?
}

/// Queries in a second with metrics and spans at `level`, and without either.
async fn compared(
    server: &Server,
    exporter: &Exporter,
    level: usize,
    rounds: usize,
    count: u32,
) -> Result<(f64, f64), Failure> {
    let registry = Registry::new();
    let on = client(server, true, &registry).await?;
    let off = client(server, false, &Registry::new()).await?;
    let each = (count / TURNS).max(1);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        for turn in 0..2 * TURNS {
            let is_on = (turn as usize + round).is_multiple_of(2);
            listen(if is_on { level } else { 0 });
            let rate = points(if is_on { &on } else { &off }, each).await?;
            let rates = if is_on { &mut with } else { &mut without };
            rates.extend((round > 0).then_some(rate));
        }
    }
    listen(0);
    // Nothing was measured unless all of it was seen.
    let asked = f64::from(each * TURNS) * (rounds + 1) as f64;
    let counted = registry.samples().into_iter().find(|sample| sample.name == "mysql.queries.count");
    let batch = std::mem::take(&mut *exporter.batch.lock());
    let has = |part: &str| {
        let all = [&batch.sent, &batch.now];
        all.into_iter().any(|bytes| bytes.windows(part.len()).any(|bytes| bytes == part.as_bytes()))
    };
    let seen = ["mysql.query", "select", DATABASE].into_iter().all(has);
    if counted.as_ref().is_none_or(|sample| sample.value.number() != asked) || !seen {
        return Err(format!("{counted:?} of {asked} statements observed, or not all of their spans").into());
    }
    Ok((median(with), median(without)))
}

/// The lines of the table.
pub(crate) async fn figures(server: &Server, rounds: usize, count: u32) -> Result<[Figure; 2], Failure> {
    let exporter = Exporter { begun: Instant::now(), batch: Arc::default() };
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(exporter.clone()))?;
    let (info, off) = compared(server, &exporter, 1, rounds, count).await?;
    let (debug, still_off) = compared(server, &exporter, 2, rounds, count).await?;
    Ok([
        Figure::at_least("metrics and spans on, beside off", "/s", info, off, 0.95),
        Figure::shown("  with the spans of every step (DEBUG)", "/s", debug, still_off),
    ])
}
