//! Makes a failing case small: fewer rows, then fewer clauses, as long as it fails in the same way.

use super::oracle::{Case, Finding, THEIR_OWN};
use super::schema::Schema;
use super::session::{Answer, Session};
use std::time::{Duration, Instant};

/// The error of what is not built.
const NOT_BUILT: u16 = 1235;

/// The most that one reduction may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The servers that a case is tried on.
pub(super) struct Servers {
    pub(super) ours: Session,
    pub(super) peer: Option<Session>,
}

/// Why a schema could not be made.
pub(super) struct Refused {
    pub(super) why: String,
    /// Whether one server took what the other did not, and does not name it as not built
    pub(super) wrong: bool,
}

impl Servers {
    /// Makes the schema's database on both.
    pub(super) fn prepare(&mut self, schema: &Schema) -> Result<(), Refused> {
        let script = schema.script();
        (self.ours.folded, self.ours.collation) = (schema.folded, schema.collation);
        let ours = self.ours.fresh(&script);
        let peer = self.peer.as_mut().map(|peer| {
            (peer.folded, peer.collation) = (schema.folded, schema.collation);
            peer.fresh(&script)
        });
        match (ours, peer) {
            (Ok(()), None | Some(Ok(()))) => Ok(()),
            (Err((_, why)), None) => Err(Refused { why: format!("ours: {why}"), wrong: false }),
            (Err((NOT_BUILT, why)), Some(_)) => Err(Refused { why: format!("ours: {why}"), wrong: false }),
            (Err((ours, why)), Some(Err((theirs, _)))) if ours == theirs => {
                Err(Refused { why: format!("both: {why}"), wrong: false })
            }
            (Ok(()), Some(Err((code, why)))) => {
                Err(Refused { why: format!("peer alone: {why}"), wrong: !THEIR_OWN.contains(&code) })
            }
            (Err((_, ours)), Some(Err((_, theirs)))) => {
                Err(Refused { why: format!("ours: {ours}\npeer: {theirs}"), wrong: true })
            }
            (Err((code, why)), Some(Ok(()))) => {
                // MySQL makes views of views that cannot be read, and says so when they are.
                let view = why.split_once("CREATE VIEW ").and_then(|(_, rest)| rest.split(' ').next());
                let read = view.map(|view| format!("SELECT 1 FROM {view} LIMIT 0"));
                let told_when_read = read.zip(self.peer.as_mut()).is_some_and(
                    |(read, peer)| matches!(peer.ask(&read), Answer::Error(theirs, _) if theirs == code),
                );
                Err(Refused { why: format!("ours alone: {why}"), wrong: !told_when_read })
            }
        }
    }

    pub(super) fn judge(&mut self, case: &Case) -> Option<Finding> {
        case.judge(&mut self.ours, self.peer.as_mut())
    }
}

/// The smallest schema and case found that fail as `finding` does, and what they answer.
pub(super) fn reduce(
    servers: &mut Servers,
    mut schema: Schema,
    mut case: Case,
    mut finding: Finding,
) -> (Schema, Case, Finding) {
    let begin = Instant::now();
    // Clauses first: a small statement is tried fast, and then many rows can go at once.
    loop {
        let variants = case.tree().variants();
        let smaller = variants.into_iter().find_map(|tree| {
            if begin.elapsed() > PATIENCE {
                return None;
            }
            let candidate = case.with(tree);
            let found = servers.judge(&candidate).filter(|found| found.class == finding.class)?;
            Some((candidate, found))
        });
        match smaller {
            Some((candidate, found)) => (case, finding) = (candidate, found),
            None => break,
        }
    }
    let text = case.statements().join(";");
    let names: Vec<String> = schema.tables.iter().map(|table| table.name.clone()).collect();
    for name in names.iter().rev() {
        let used = |text: &str| text.contains(name.as_str());
        let by_view = |schema: &Schema| {
            schema.tables.iter().any(|table| table.name != *name && used(&table.definition))
        };
        if used(&text) || by_view(&schema) {
            continue;
        }
        let mut fewer = schema.clone();
        fewer.tables.retain(|table| table.name != *name);
        try_schema(servers, &mut schema, fewer, &case, &mut finding);
    }
    for t in 0..schema.tables.len() {
        while let Some(query) = schema.tables[t].view.clone().filter(|_| begin.elapsed() < PATIENCE) {
            let shrunk = query.variants().into_iter().any(|variant| {
                let mut smaller = schema.clone();
                smaller.tables[t] = smaller.tables[t].with_view(variant);
                begin.elapsed() < PATIENCE && try_schema(servers, &mut schema, smaller, &case, &mut finding)
            });
            if !shrunk {
                break;
            }
        }
    }
    for t in 0..schema.tables.len() {
        let mut size = schema.tables[t].rows.as_ref().map_or(0, Vec::len).div_ceil(2);
        while size > 0 && begin.elapsed() < PATIENCE {
            let mut at = 0;
            while at < schema.tables[t].rows.as_ref().map_or(0, Vec::len) && begin.elapsed() < PATIENCE {
                let mut fewer = schema.clone();
                if let Some(rows) = &mut fewer.tables[t].rows {
                    let end = (at + size).min(rows.len());
                    rows.drain(at..end);
                }
                if !try_schema(servers, &mut schema, fewer, &case, &mut finding) {
                    at += size;
                }
            }
            size /= 2;
        }
    }
    let _ = servers.prepare(&schema);
    (schema, case, finding)
}

fn try_schema(
    servers: &mut Servers,
    schema: &mut Schema,
    fewer: Schema,
    case: &Case,
    finding: &mut Finding,
) -> bool {
    if servers.prepare(&fewer).is_err() {
        return false;
    }
    match servers.judge(case).filter(|found| found.class == finding.class) {
        Some(found) => {
            *schema = fewer;
            *finding = found;
            true
        }
        None => false,
    }
}
