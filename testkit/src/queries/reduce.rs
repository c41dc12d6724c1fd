//! Makes a failing case small: fewer rows, then fewer clauses, as long as it fails in the same way.

use super::oracle::{Case, Finding};
use super::schema::Schema;
use super::session::Session;
use std::time::{Duration, Instant};

/// The most that one reduction may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The servers that a case is tried on.
pub(super) struct Servers {
    pub(super) ours: Session,
    pub(super) peer: Option<Session>,
}

impl Servers {
    /// Makes the schema's database on both.
    pub(super) fn prepare(&mut self, schema: &Schema) -> Result<(), String> {
        let script = schema.script();
        (self.ours.folded, self.ours.collation) = (schema.folded, schema.collation);
        self.ours.fresh(&script).map_err(|why| format!("ours: {why}"))?;
        if let Some(peer) = &mut self.peer {
            (peer.folded, peer.collation) = (schema.folded, schema.collation);
            peer.fresh(&script).map_err(|why| format!("peer: {why}"))?;
        }
        Ok(())
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
