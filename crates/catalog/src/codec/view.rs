//! The byte form of a view's definition.

use super::{FORMAT, MISSING, Reader, WireError, WireResult, Writer};
use crate::definitions::{SqlSecurity, ViewAlgorithm, ViewCheck, ViewDef};

mod tag {
    pub(super) const ID: u64 = 1;
    pub(super) const VERSION: u64 = 2;
    pub(super) const COLUMN: u64 = 3;
    pub(super) const QUERY: u64 = 4;
    pub(super) const ALGORITHM: u64 = 5;
    pub(super) const DEFINER_USER: u64 = 6;
    pub(super) const DEFINER_HOST: u64 = 7;
    pub(super) const INVOKER: u64 = 8;
    pub(super) const CHECK: u64 = 9;
    pub(super) const UPDATABLE: u64 = 10;
    pub(super) const CHARACTER_SET: u64 = 11;
    pub(super) const COLLATION: u64 = 12;
    pub(super) const CREATED_MICROS: u64 = 13;
}

pub(crate) fn encode_view(def: &ViewDef) -> Vec<u8> {
    let mut writer = Writer::with_format(FORMAT);
    writer.number(tag::ID, def.id);
    writer.number(tag::VERSION, def.version);
    for column in &def.columns {
        writer.text(tag::COLUMN, column);
    }
    writer.text(tag::QUERY, &def.query);
    let algorithm = match def.algorithm {
        ViewAlgorithm::Undefined => 0,
        ViewAlgorithm::Merge => 1,
        ViewAlgorithm::TempTable => 2,
    };
    writer.number_unless_zero(tag::ALGORITHM, algorithm);
    writer.text(tag::DEFINER_USER, &def.definer.0);
    writer.text(tag::DEFINER_HOST, &def.definer.1);
    writer.flag(tag::INVOKER, def.security == SqlSecurity::Invoker);
    let check = match def.check {
        None => 0,
        Some(ViewCheck::Local) => 1,
        Some(ViewCheck::Cascaded) => 2,
    };
    writer.number_unless_zero(tag::CHECK, check);
    writer.flag(tag::UPDATABLE, def.updatable);
    writer.text(tag::CHARACTER_SET, &def.character_set_client);
    writer.text(tag::COLLATION, &def.collation_connection);
    writer.number(tag::CREATED_MICROS, def.created_micros);
    writer.finish()
}

pub(crate) fn decode_view(database: &str, name: &str, bytes: &[u8]) -> WireResult<ViewDef> {
    let mut reader = Reader::with_format(bytes, FORMAT)?;
    let (mut id, mut query, mut user, mut host) = (None, None, None, None);
    let mut def = ViewDef {
        id: 0,
        database: database.to_owned(),
        name: name.to_owned(),
        version: 0,
        columns: Vec::new(),
        query: String::new(),
        algorithm: ViewAlgorithm::Undefined,
        definer: (String::new(), String::new()),
        security: SqlSecurity::Definer,
        check: None,
        updatable: false,
        character_set_client: String::new(),
        collation_connection: String::new(),
        created_micros: 0,
    };
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            tag::ID => id = Some(payload.number()?),
            tag::VERSION => def.version = payload.number()?,
            tag::COLUMN => def.columns.push(payload.text()?),
            tag::QUERY => query = Some(payload.text()?),
            tag::ALGORITHM => {
                def.algorithm = match payload.number()? {
                    1 => ViewAlgorithm::Merge,
                    2 => ViewAlgorithm::TempTable,
                    _ => return Err(WireError::Newer),
                }
            }
            tag::DEFINER_USER => user = Some(payload.text()?),
            tag::DEFINER_HOST => host = Some(payload.text()?),
            tag::INVOKER => {
                def.security = if payload.flag()? { SqlSecurity::Invoker } else { SqlSecurity::Definer }
            }
            tag::CHECK => {
                def.check = Some(match payload.number()? {
                    1 => ViewCheck::Local,
                    2 => ViewCheck::Cascaded,
                    _ => return Err(WireError::Newer),
                })
            }
            tag::UPDATABLE => def.updatable = payload.flag()?,
            tag::CHARACTER_SET => def.character_set_client = payload.text()?,
            tag::COLLATION => def.collation_connection = payload.text()?,
            tag::CREATED_MICROS => def.created_micros = payload.number()?,
            _ => return Err(WireError::Newer),
        }
    }
    def.id = id.ok_or(MISSING)?;
    def.query = query.ok_or(MISSING)?;
    def.definer = (user.ok_or(MISSING)?, host.ok_or(MISSING)?);
    Ok(def)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> ViewDef {
        ViewDef {
            id: 7,
            database: "d".into(),
            name: "v".into(),
            version: 9,
            columns: vec!["a".into(), "b c".into()],
            query: "select 1 AS `1`".into(),
            algorithm: ViewAlgorithm::TempTable,
            definer: (String::new(), "%".into()),
            security: SqlSecurity::Invoker,
            check: Some(ViewCheck::Cascaded),
            updatable: true,
            character_set_client: "utf8mb4".into(),
            collation_connection: "utf8mb4_0900_ai_ci".into(),
            created_micros: 5,
        }
    }

    #[test]
    fn views_are_read_as_they_were_written() {
        let def = view();
        assert_eq!(decode_view("d", "v", &encode_view(&def)), Ok(def));
        let plain = ViewDef {
            columns: Vec::new(),
            algorithm: ViewAlgorithm::Undefined,
            security: SqlSecurity::Definer,
            check: None,
            updatable: false,
            ..view()
        };
        assert_eq!(decode_view("d", "v", &encode_view(&plain)), Ok(plain));
    }

    #[test]
    fn half_a_view_is_refused() {
        let bytes = encode_view(&view());
        for end in 0..bytes.len() {
            let _ = decode_view("d", "v", &bytes[..end]);
        }
        assert!(decode_view("d", "v", &bytes[..3]).is_err());
        assert!(decode_view("d", "v", &[1, 99, 0]).is_err());
    }
}
