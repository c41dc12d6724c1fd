//! The byte form of foreign keys, CHECK constraints and keys that are recorded only.

use super::MISSING;
use super::wire::{Reader, WireError, WireResult, Writer};
use crate::definitions::{CheckDef, ForeignKeyDef, RecordedKey, RecordedKind, ReferenceAction};

mod recorded {
    pub(super) const ID: u64 = 1;
    pub(super) const NAME: u64 = 2;
    pub(super) const KIND: u64 = 3;
    pub(super) const COLUMNS: u64 = 4;
    pub(super) const INVISIBLE: u64 = 5;
    pub(super) const COMMENT: u64 = 6;
    pub(super) const PARSER: u64 = 7;
}

pub(super) fn write_recorded(writer: &mut Writer, def: &RecordedKey) {
    writer.number(recorded::ID, u64::from(def.id));
    writer.text(recorded::NAME, &def.name);
    let kind = match def.kind {
        RecordedKind::FullText => 1,
        RecordedKind::Spatial => 2,
    };
    writer.number(recorded::KIND, kind);
    writer.numbers(recorded::COLUMNS, def.columns.iter().map(|at| *at as u64));
    writer.flag(recorded::INVISIBLE, !def.visible);
    writer.text_unless_empty(recorded::COMMENT, &def.comment);
    writer.text_unless_empty(recorded::PARSER, &def.parser);
}

pub(super) fn read_recorded(mut reader: Reader<'_>) -> WireResult<RecordedKey> {
    let (mut id, mut name, mut kind, mut columns) = (None, None, None, Vec::new());
    let (mut visible, mut comment, mut parser) = (true, String::new(), String::new());
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            recorded::ID => id = Some(payload.small()?),
            recorded::NAME => name = Some(payload.text()?),
            recorded::KIND => {
                kind = Some(match payload.number()? {
                    1 => RecordedKind::FullText,
                    2 => RecordedKind::Spatial,
                    _ => return Err(WireError::Newer),
                });
            }
            recorded::COLUMNS => columns = positions(&payload.numbers()?)?,
            recorded::INVISIBLE => visible = !payload.flag()?,
            recorded::COMMENT => comment = payload.text()?,
            recorded::PARSER => parser = payload.text()?,
            _ => return Err(WireError::Newer),
        }
    }
    let (id, name, kind) = (id.ok_or(MISSING)?, name.ok_or(MISSING)?, kind.ok_or(MISSING)?);
    Ok(RecordedKey { id, name, kind, columns, visible, comment, parser })
}

fn positions(numbers: &[u64]) -> WireResult<Vec<usize>> {
    let position = |number: &u64| usize::try_from(*number).map_err(|_| WireError::Damaged("a position"));
    numbers.iter().map(position).collect()
}

mod foreign_key {
    pub(super) const NAME: u64 = 1;
    pub(super) const COLUMNS: u64 = 2;
    pub(super) const PARENT_DATABASE: u64 = 3;
    pub(super) const PARENT_TABLE: u64 = 4;
    pub(super) const PARENT_COLUMN: u64 = 5;
    pub(super) const ON_DELETE: u64 = 6;
    pub(super) const ON_UPDATE: u64 = 7;
}

const ACTIONS: [(ReferenceAction, u64); 4] = [
    (ReferenceAction::NoAction, 0),
    (ReferenceAction::Restrict, 1),
    (ReferenceAction::Cascade, 2),
    (ReferenceAction::SetNull, 3),
];

fn action_code(action: ReferenceAction) -> u64 {
    ACTIONS.iter().find(|(known, _)| *known == action).map_or(0, |(_, code)| *code)
}

fn action(code: u64) -> WireResult<ReferenceAction> {
    ACTIONS.iter().find(|(_, known)| *known == code).map(|(action, _)| *action).ok_or(WireError::Newer)
}

pub(super) fn write_foreign_key(writer: &mut Writer, def: &ForeignKeyDef) {
    writer.text(foreign_key::NAME, &def.name);
    writer.numbers(foreign_key::COLUMNS, def.columns.iter().map(|at| *at as u64));
    writer.text(foreign_key::PARENT_DATABASE, &def.parent_database);
    writer.text(foreign_key::PARENT_TABLE, &def.parent_table);
    for column in &def.parent_columns {
        writer.text(foreign_key::PARENT_COLUMN, column);
    }
    writer.number_unless_zero(foreign_key::ON_DELETE, action_code(def.on_delete));
    writer.number_unless_zero(foreign_key::ON_UPDATE, action_code(def.on_update));
}

pub(super) fn read_foreign_key(mut reader: Reader<'_>) -> WireResult<ForeignKeyDef> {
    let (mut name, mut columns, mut parent_columns) = (None, Vec::new(), Vec::new());
    let (mut parent_database, mut parent_table) = (None, None);
    let (mut on_delete, mut on_update) = (ReferenceAction::NoAction, ReferenceAction::NoAction);
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            foreign_key::NAME => name = Some(payload.text()?),
            foreign_key::COLUMNS => columns = positions(&payload.numbers()?)?,
            foreign_key::PARENT_DATABASE => parent_database = Some(payload.text()?),
            foreign_key::PARENT_TABLE => parent_table = Some(payload.text()?),
            foreign_key::PARENT_COLUMN => parent_columns.push(payload.text()?),
            foreign_key::ON_DELETE => on_delete = action(payload.number()?)?,
            foreign_key::ON_UPDATE => on_update = action(payload.number()?)?,
            _ => return Err(WireError::Newer),
        }
    }
    Ok(ForeignKeyDef {
        name: name.ok_or(MISSING)?,
        columns,
        parent_database: parent_database.ok_or(MISSING)?,
        parent_table: parent_table.ok_or(MISSING)?,
        parent_columns,
        on_delete,
        on_update,
    })
}

mod check {
    pub(super) const NAME: u64 = 1;
    pub(super) const EXPRESSION: u64 = 2;
    pub(super) const NOT_ENFORCED: u64 = 3;
}

pub(super) fn write_check(writer: &mut Writer, def: &CheckDef) {
    writer.text(check::NAME, &def.name);
    writer.text(check::EXPRESSION, &def.expression);
    writer.flag(check::NOT_ENFORCED, !def.enforced);
}

pub(super) fn read_check(mut reader: Reader<'_>) -> WireResult<CheckDef> {
    let (mut name, mut expression, mut enforced) = (None, None, true);
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            check::NAME => name = Some(payload.text()?),
            check::EXPRESSION => expression = Some(payload.text()?),
            check::NOT_ENFORCED => enforced = !payload.flag()?,
            _ => return Err(WireError::Newer),
        }
    }
    Ok(CheckDef { name: name.ok_or(MISSING)?, expression: expression.ok_or(MISSING)?, enforced })
}
