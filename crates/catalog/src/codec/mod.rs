//! The byte form of definitions: the values of the catalog's rows.
//!
//! A value is a format byte (1) and tagged fields (`wire`); constants and types have their own form
//! (`value`). The tags and numbers here are on disk: they are only ever added to.
//!
//! What is read is checked for what the rest of the program relies on ([`crate::check`]), so a definition that
//! comes out of here is consistent even if the bytes were hostile. Names of the database and of the object are in
//! the row's key ([`crate::rows`]) and not repeated.

mod constraints;
mod histogram;
mod value;
pub(crate) mod view;
mod wire;

use rustydb_storage::TreeId;
use rustydb_value::Value;

pub(crate) use wire::{WireError, WireResult};

use self::constraints::{
    read_check, read_foreign_key, read_recorded, write_check, write_foreign_key, write_recorded,
};
use self::histogram::{read_histogram, write_histogram};
use self::value::{decode_value, encode_value, read_collation, read_type, write_type};
use self::wire::{Reader, Writer};
use crate::check;
use crate::definitions::{
    AuthPlugin, ColumnDef, ColumnDefault, DatabaseDef, GeneratedColumn, IndexColumn, IndexDef, RowFormat,
    RowLayout, TableDef, TableOptions, UserDef, Verifier,
};

/// The format byte of every value.
const FORMAT: u8 = 1;

const MISSING: WireError = WireError::Damaged("a field is missing");

mod database {
    pub(super) const ID: u64 = 1;
    pub(super) const COLLATION: u64 = 2;
    pub(super) const VERSION: u64 = 3;
    pub(super) const SYSTEM: u64 = 4;
}

pub(crate) fn encode_database(def: &DatabaseDef) -> Vec<u8> {
    let mut writer = Writer::with_format(FORMAT);
    writer.number(database::ID, def.id);
    writer.number(database::COLLATION, u64::from(def.collation.id()));
    writer.number(database::VERSION, def.version);
    writer.flag(database::SYSTEM, def.system);
    writer.finish()
}

pub(crate) fn decode_database(name: &str, bytes: &[u8]) -> WireResult<DatabaseDef> {
    let mut reader = Reader::with_format(bytes, FORMAT)?;
    let (mut id, mut collation, mut version, mut system) = (None, None, 0, false);
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            database::ID => id = Some(payload.number()?),
            database::COLLATION => collation = Some(read_collation(payload)?),
            database::VERSION => version = payload.number()?,
            database::SYSTEM => system = payload.flag()?,
            _ => return Err(WireError::Newer),
        }
    }
    let (id, collation) = (id.ok_or(MISSING)?, collation.ok_or(MISSING)?);
    Ok(DatabaseDef { id, name: name.to_owned(), collation, version, system })
}

mod table {
    pub(super) const ID: u64 = 1;
    pub(super) const SCHEMA_VERSION: u64 = 2;
    pub(super) const VERSION: u64 = 3;
    pub(super) const COLUMN: u64 = 4;
    pub(super) const LAYOUT: u64 = 5;
    pub(super) const PRIMARY: u64 = 6;
    pub(super) const INDEX: u64 = 7;
    pub(super) const AUTO_INCREMENT: u64 = 8;
    pub(super) const COLLATION: u64 = 9;
    pub(super) const COMMENT: u64 = 10;
    pub(super) const OPTIONS: u64 = 11;
    pub(super) const CREATED_MICROS: u64 = 12;
    pub(super) const RECORDED_KEY: u64 = 13;
    pub(super) const FOREIGN_KEY: u64 = 14;
    pub(super) const CHECK: u64 = 15;
    pub(super) const HISTOGRAM: u64 = 16;
}

pub(crate) fn encode_table(def: &TableDef) -> Vec<u8> {
    let mut writer = Writer::with_format(FORMAT);
    writer.number(table::ID, def.id);
    writer.number(table::SCHEMA_VERSION, u64::from(def.schema_version));
    writer.number(table::VERSION, def.version);
    for column in &def.columns {
        writer.message(table::COLUMN, |w| write_column(w, column));
    }
    for layout in &def.layouts {
        // The version, then the ids.
        let ids = layout.columns.iter().map(|id| u64::from(*id));
        writer.numbers(table::LAYOUT, std::iter::once(u64::from(layout.schema_version)).chain(ids));
    }
    writer.message(table::PRIMARY, |w| write_index(w, &def.primary));
    for index in &def.indexes {
        writer.message(table::INDEX, |w| write_index(w, index));
    }
    if let Some(column) = def.auto_increment {
        writer.number(table::AUTO_INCREMENT, column as u64);
    }
    writer.number(table::COLLATION, u64::from(def.collation.id()));
    writer.text_unless_empty(table::COMMENT, &def.comment);
    if def.options != TableOptions::default() {
        writer.message(table::OPTIONS, |w| write_options(w, &def.options));
    }
    writer.number(table::CREATED_MICROS, def.created_micros);
    for key in &def.recorded {
        writer.message(table::RECORDED_KEY, |w| write_recorded(w, key));
    }
    for key in &def.foreign_keys {
        writer.message(table::FOREIGN_KEY, |w| write_foreign_key(w, key));
    }
    for check in &def.checks {
        writer.message(table::CHECK, |w| write_check(w, check));
    }
    for histogram in &def.histograms {
        writer.message(table::HISTOGRAM, |w| write_histogram(w, histogram));
    }
    writer.finish()
}

pub(crate) fn decode_table(database: &str, name: &str, bytes: &[u8]) -> WireResult<TableDef> {
    let mut reader = Reader::with_format(bytes, FORMAT)?;
    let (mut id, mut schema_version, mut version) = (None, None, 0);
    let (mut columns, mut layouts, mut primary, mut indexes) = (Vec::new(), Vec::new(), None, Vec::new());
    let (mut auto_increment, mut collation, mut comment) = (None, None, String::new());
    let (mut options, mut created_micros) = (TableOptions::default(), 0);
    let (mut recorded, mut foreign_keys, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    let mut histograms = Vec::new();
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            table::ID => id = Some(payload.number()?),
            table::SCHEMA_VERSION => schema_version = Some(payload.small()?),
            table::VERSION => version = payload.number()?,
            table::COLUMN => columns.push(read_column(payload.message())?),
            table::LAYOUT => layouts.push(read_layout(&payload.numbers()?)?),
            table::PRIMARY => primary = Some(read_index(payload.message())?),
            table::INDEX => indexes.push(read_index(payload.message())?),
            table::AUTO_INCREMENT => auto_increment = Some(payload.small()?),
            table::COLLATION => collation = Some(read_collation(payload)?),
            table::COMMENT => comment = payload.text()?,
            table::OPTIONS => options = read_options(payload.message())?,
            table::CREATED_MICROS => created_micros = payload.number()?,
            table::RECORDED_KEY => recorded.push(read_recorded(payload.message())?),
            table::FOREIGN_KEY => foreign_keys.push(read_foreign_key(payload.message())?),
            table::CHECK => checks.push(read_check(payload.message())?),
            table::HISTOGRAM => histograms.push(read_histogram(payload.message())?),
            _ => return Err(WireError::Newer),
        }
    }
    let def = TableDef {
        id: id.ok_or(MISSING)?,
        database: database.to_owned(),
        name: name.to_owned(),
        schema_version: schema_version.ok_or(MISSING)?,
        version,
        columns,
        layouts,
        primary: primary.ok_or(MISSING)?,
        indexes,
        recorded,
        foreign_keys,
        checks,
        auto_increment,
        collation: collation.ok_or(MISSING)?,
        comment,
        options,
        created_micros,
        histograms,
    };
    check::table(&def).map_err(WireError::Damaged)?;
    Ok(def)
}

mod column {
    pub(super) const ID: u64 = 1;
    pub(super) const NAME: u64 = 2;
    pub(super) const TYPE: u64 = 3;
    pub(super) const NULLABLE: u64 = 4;
    pub(super) const DEFAULT_LITERAL: u64 = 5;
    pub(super) const DEFAULT_NOW: u64 = 6;
    pub(super) const ON_UPDATE_NOW: u64 = 7;
    pub(super) const AUTO_INCREMENT: u64 = 8;
    pub(super) const INVISIBLE: u64 = 9;
    pub(super) const COMMENT: u64 = 10;
    pub(super) const ABSENT: u64 = 11;
    pub(super) const DEFAULT_EXPRESSION: u64 = 12;
    pub(super) const DEFAULT_DROPPED: u64 = 13;
    pub(super) const GENERATED_VIRTUAL: u64 = 14;
    pub(super) const GENERATED_STORED: u64 = 15;
    pub(super) const EXPLICIT_COLLATION: u64 = 16;
    pub(super) const FUNCTIONAL: u64 = 17;
}

fn write_column(writer: &mut Writer, def: &ColumnDef) {
    writer.number(column::ID, u64::from(def.id));
    writer.text(column::NAME, &def.name);
    writer.message(column::TYPE, |w| write_type(w, &def.ty));
    writer.flag(column::NULLABLE, def.nullable);
    match &def.default {
        None => {}
        Some(ColumnDefault::Literal(value)) => writer.bytes(column::DEFAULT_LITERAL, &encode_value(value)),
        Some(ColumnDefault::CurrentTimestamp { fsp }) => writer.number(column::DEFAULT_NOW, u64::from(*fsp)),
        Some(ColumnDefault::Expression(text)) => writer.text(column::DEFAULT_EXPRESSION, text),
        Some(ColumnDefault::Dropped) => writer.flag(column::DEFAULT_DROPPED, true),
    }
    if let Some(fsp) = def.on_update_now {
        writer.number(column::ON_UPDATE_NOW, u64::from(fsp));
    }
    writer.flag(column::AUTO_INCREMENT, def.auto_increment);
    writer.flag(column::INVISIBLE, !def.visible);
    writer.text_unless_empty(column::COMMENT, &def.comment);
    if !def.absent.is_null() {
        writer.bytes(column::ABSENT, &encode_value(&def.absent));
    }
    match &def.generated {
        Some(GeneratedColumn { expression, stored: true }) => {
            writer.text(column::GENERATED_STORED, expression)
        }
        Some(GeneratedColumn { expression, .. }) => writer.text(column::GENERATED_VIRTUAL, expression),
        None => {}
    }
    writer.flag(column::EXPLICIT_COLLATION, def.explicit_collation);
    writer.flag(column::FUNCTIONAL, def.functional);
}

fn read_column(mut reader: Reader<'_>) -> WireResult<ColumnDef> {
    let (mut id, mut name, mut ty) = (None, None, None);
    let (mut nullable, mut auto_increment, mut visible) = (false, false, true);
    let (mut default, mut on_update_now) = (None, None);
    let (mut comment, mut absent) = (String::new(), Value::Null);
    let (mut generated, mut explicit_collation, mut functional) = (None, false, false);
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            column::ID => id = Some(payload.small()?),
            column::NAME => name = Some(payload.text()?),
            column::TYPE => ty = Some(read_type(payload.message())?),
            column::NULLABLE => nullable = payload.flag()?,
            column::DEFAULT_LITERAL => default = Some(ColumnDefault::Literal(decode_value(payload.0)?)),
            column::DEFAULT_NOW => default = Some(ColumnDefault::CurrentTimestamp { fsp: payload.small()? }),
            column::ON_UPDATE_NOW => on_update_now = Some(payload.small()?),
            column::AUTO_INCREMENT => auto_increment = payload.flag()?,
            column::INVISIBLE => visible = !payload.flag()?,
            column::COMMENT => comment = payload.text()?,
            column::ABSENT => absent = decode_value(payload.0)?,
            column::DEFAULT_EXPRESSION => default = Some(ColumnDefault::Expression(payload.text()?)),
            column::DEFAULT_DROPPED => default = payload.flag()?.then_some(ColumnDefault::Dropped),
            column::GENERATED_VIRTUAL => {
                generated = Some(GeneratedColumn { expression: payload.text()?, stored: false });
            }
            column::GENERATED_STORED => {
                generated = Some(GeneratedColumn { expression: payload.text()?, stored: true });
            }
            column::EXPLICIT_COLLATION => explicit_collation = payload.flag()?,
            column::FUNCTIONAL => functional = payload.flag()?,
            _ => return Err(WireError::Newer),
        }
    }
    let (id, name, ty) = (id.ok_or(MISSING)?, name.ok_or(MISSING)?, ty.ok_or(MISSING)?);
    Ok(ColumnDef {
        id,
        name,
        ty,
        nullable,
        default,
        on_update_now,
        auto_increment,
        visible,
        comment,
        generated,
        explicit_collation,
        functional,
        absent,
    })
}

fn read_layout(numbers: &[u64]) -> WireResult<RowLayout> {
    let small = |number: &u64| u32::try_from(*number).map_err(|_| WireError::Damaged("a number in a layout"));
    let (version, ids) = numbers.split_first().ok_or(MISSING)?;
    Ok(RowLayout {
        schema_version: small(version)?,
        columns: ids.iter().map(small).collect::<WireResult<_>>()?,
    })
}

mod index {
    pub(super) const ID: u64 = 1;
    pub(super) const NAME: u64 = 2;
    pub(super) const TREE: u64 = 3;
    pub(super) const UNIQUE: u64 = 4;
    pub(super) const COLUMN: u64 = 5;
    pub(super) const INVISIBLE: u64 = 6;
    pub(super) const COMMENT: u64 = 7;
    pub(super) const COLLATION_VERSION: u64 = 8;
    pub(super) const MADE_FOR_FOREIGN_KEY: u64 = 9;
}

mod index_column {
    pub(super) const POSITION: u64 = 1;
    pub(super) const PREFIX: u64 = 2;
    pub(super) const DESCENDING: u64 = 3;
}

fn write_index(writer: &mut Writer, def: &IndexDef) {
    writer.number(index::ID, u64::from(def.id));
    writer.text(index::NAME, &def.name);
    writer.number(index::TREE, u64::from(def.tree.0));
    writer.flag(index::UNIQUE, def.unique);
    for part in &def.columns {
        writer.message(index::COLUMN, |w| {
            w.number(index_column::POSITION, part.column as u64);
            if let Some(prefix) = part.prefix {
                w.number(index_column::PREFIX, u64::from(prefix));
            }
            w.flag(index_column::DESCENDING, part.descending);
        });
    }
    writer.flag(index::INVISIBLE, !def.visible);
    writer.text_unless_empty(index::COMMENT, &def.comment);
    for (collation, version) in &def.collation_versions {
        writer.numbers(index::COLLATION_VERSION, [u64::from(*collation), u64::from(*version)].into_iter());
    }
    writer.flag(index::MADE_FOR_FOREIGN_KEY, def.made_for_foreign_key);
}

fn read_index(mut reader: Reader<'_>) -> WireResult<IndexDef> {
    let (mut id, mut name, mut tree) = (None, None, None);
    let (mut unique, mut visible, mut comment) = (false, true, String::new());
    let (mut columns, mut collation_versions, mut made_for_foreign_key) = (Vec::new(), Vec::new(), false);
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            index::ID => id = Some(payload.small()?),
            index::NAME => name = Some(payload.text()?),
            index::TREE => tree = Some(TreeId(payload.small()?)),
            index::UNIQUE => unique = payload.flag()?,
            index::COLUMN => columns.push(read_index_column(payload.message())?),
            index::INVISIBLE => visible = !payload.flag()?,
            index::COMMENT => comment = payload.text()?,
            index::MADE_FOR_FOREIGN_KEY => made_for_foreign_key = payload.flag()?,
            index::COLLATION_VERSION => match payload.numbers()?.as_slice() {
                [collation, version] => match (u16::try_from(*collation), u32::try_from(*version)) {
                    (Ok(collation), Ok(version)) => collation_versions.push((collation, version)),
                    _ => return Err(WireError::Damaged("a collation's version")),
                },
                _ => return Err(WireError::Damaged("a collation's version")),
            },
            _ => return Err(WireError::Newer),
        }
    }
    let (id, name, tree) = (id.ok_or(MISSING)?, name.ok_or(MISSING)?, tree.ok_or(MISSING)?);
    Ok(IndexDef {
        id,
        name,
        tree,
        unique,
        columns,
        visible,
        comment,
        collation_versions,
        made_for_foreign_key,
    })
}

fn read_index_column(mut reader: Reader<'_>) -> WireResult<IndexColumn> {
    let (mut column, mut prefix, mut descending) = (None, None, false);
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            index_column::POSITION => column = Some(payload.small()?),
            index_column::PREFIX => prefix = Some(payload.small()?),
            index_column::DESCENDING => descending = payload.flag()?,
            _ => return Err(WireError::Newer),
        }
    }
    Ok(IndexColumn { column: column.ok_or(MISSING)?, prefix, descending })
}

mod options {
    pub(super) const ROW_FORMAT: u64 = 1;
    pub(super) const KEY_BLOCK_SIZE: u64 = 2;
    pub(super) const STATS_PERSISTENT: u64 = 3;
    pub(super) const STATS_AUTO_RECALC: u64 = 4;
    pub(super) const STATS_SAMPLE_PAGES: u64 = 5;
    pub(super) const AVG_ROW_LENGTH: u64 = 6;
    pub(super) const MIN_ROWS: u64 = 7;
    pub(super) const MAX_ROWS: u64 = 8;
    pub(super) const CHECKSUM: u64 = 9;
    pub(super) const DELAY_KEY_WRITE: u64 = 10;
    pub(super) const PACK_KEYS: u64 = 11;
}

const ROW_FORMATS: [(RowFormat, u64); 6] = [
    (RowFormat::Default, 1),
    (RowFormat::Dynamic, 2),
    (RowFormat::Compact, 3),
    (RowFormat::Redundant, 4),
    (RowFormat::Compressed, 5),
    (RowFormat::Fixed, 6),
];

fn write_options(writer: &mut Writer, def: &TableOptions) {
    let code = ROW_FORMATS.iter().find(|(format, _)| Some(*format) == def.row_format);
    writer.number_unless_zero(options::ROW_FORMAT, code.map_or(0, |(_, code)| *code));
    writer.number_unless_zero(options::KEY_BLOCK_SIZE, u64::from(def.key_block_size));
    writer.optional_bool(options::STATS_PERSISTENT, def.stats_persistent);
    writer.optional_bool(options::STATS_AUTO_RECALC, def.stats_auto_recalc);
    if let Some(pages) = def.stats_sample_pages {
        writer.number(options::STATS_SAMPLE_PAGES, u64::from(pages));
    }
    writer.number_unless_zero(options::AVG_ROW_LENGTH, def.avg_row_length);
    writer.number_unless_zero(options::MIN_ROWS, def.min_rows);
    writer.number_unless_zero(options::MAX_ROWS, def.max_rows);
    writer.optional_bool(options::CHECKSUM, def.checksum);
    writer.optional_bool(options::DELAY_KEY_WRITE, def.delay_key_write);
    writer.optional_bool(options::PACK_KEYS, def.pack_keys);
}

fn read_options(mut reader: Reader<'_>) -> WireResult<TableOptions> {
    let mut def = TableOptions::default();
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            options::ROW_FORMAT => {
                let number = payload.number()?;
                let known = ROW_FORMATS.iter().find(|(_, code)| *code == number);
                def.row_format = Some(known.ok_or(WireError::Newer)?.0);
            }
            options::KEY_BLOCK_SIZE => def.key_block_size = payload.small()?,
            options::STATS_PERSISTENT => def.stats_persistent = Some(payload.bool()?),
            options::STATS_AUTO_RECALC => def.stats_auto_recalc = Some(payload.bool()?),
            options::STATS_SAMPLE_PAGES => def.stats_sample_pages = Some(payload.small()?),
            options::AVG_ROW_LENGTH => def.avg_row_length = payload.number()?,
            options::MIN_ROWS => def.min_rows = payload.number()?,
            options::MAX_ROWS => def.max_rows = payload.number()?,
            options::CHECKSUM => def.checksum = Some(payload.bool()?),
            options::DELAY_KEY_WRITE => def.delay_key_write = Some(payload.bool()?),
            options::PACK_KEYS => def.pack_keys = Some(payload.bool()?),
            _ => return Err(WireError::Newer),
        }
    }
    Ok(def)
}

mod user {
    pub(super) const PLUGIN: u64 = 1;
    pub(super) const VERIFIER: u64 = 2;
    pub(super) const LOCKED: u64 = 3;
    pub(super) const PASSWORD_EXPIRED: u64 = 4;
    pub(super) const REQUIRE_TLS: u64 = 5;
    pub(super) const PASSWORD_CHANGED_MICROS: u64 = 6;
    pub(super) const VERSION: u64 = 7;
}

mod verifier {
    pub(super) const PLUGIN: u64 = 1;
    pub(super) const TEXT: u64 = 2;
}

pub(crate) fn encode_user(def: &UserDef) -> Vec<u8> {
    let mut writer = Writer::with_format(FORMAT);
    writer.text(user::PLUGIN, def.plugin.name());
    for one in &def.verifiers {
        writer.message(user::VERIFIER, |w| {
            w.text(verifier::PLUGIN, one.plugin.name());
            w.bytes(verifier::TEXT, &one.text);
        });
    }
    writer.flag(user::LOCKED, def.locked);
    writer.flag(user::PASSWORD_EXPIRED, def.password_expired);
    writer.flag(user::REQUIRE_TLS, def.require_tls);
    writer.number(user::PASSWORD_CHANGED_MICROS, def.password_changed_micros);
    writer.number(user::VERSION, def.version);
    writer.finish()
}

pub(crate) fn decode_user(name: &str, host: &str, bytes: &[u8]) -> WireResult<UserDef> {
    let mut reader = Reader::with_format(bytes, FORMAT)?;
    let (mut method, mut verifiers) = (None, Vec::new());
    let (mut locked, mut password_expired, mut require_tls) = (false, false, false);
    let (mut password_changed_micros, mut version) = (0, 0);
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            user::PLUGIN => method = Some(plugin(&payload.text()?)?),
            user::VERIFIER => verifiers.push(read_verifier(payload.message())?),
            user::LOCKED => locked = payload.flag()?,
            user::PASSWORD_EXPIRED => password_expired = payload.flag()?,
            user::REQUIRE_TLS => require_tls = payload.flag()?,
            user::PASSWORD_CHANGED_MICROS => password_changed_micros = payload.number()?,
            user::VERSION => version = payload.number()?,
            _ => return Err(WireError::Newer),
        }
    }
    Ok(UserDef {
        name: name.to_owned(),
        host: host.to_owned(),
        plugin: method.ok_or(MISSING)?,
        verifiers,
        locked,
        password_expired,
        require_tls,
        password_changed_micros,
        version,
    })
}

fn read_verifier(mut reader: Reader<'_>) -> WireResult<Verifier> {
    let (mut method, mut text) = (None, None);
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            verifier::PLUGIN => method = Some(plugin(&payload.text()?)?),
            verifier::TEXT => text = Some(payload.0.to_vec()),
            _ => return Err(WireError::Newer),
        }
    }
    Ok(Verifier { plugin: method.ok_or(MISSING)?, text: text.ok_or(MISSING)? })
}

/// A method that this version does not know must not let anybody in, nor be written over.
fn plugin(name: &str) -> WireResult<AuthPlugin> {
    AuthPlugin::from_name(name).ok_or(WireError::Newer)
}

#[cfg(test)]
mod tests;
