//! Turns the value of a SET into the value of a variable, or into MySQL's refusal.
//!
//! Numbers out of bounds are moved to the nearest bound with warning 1292, as MySQL does outside
//! STRICT_ALL_TABLES. A text where a number belongs is error 1232; a word that a variable does not
//! know is error 1231.

use rustydb_value::{Charset, Collation, TimeZone, Value};

use super::registry::{Access, Kind, Scope, Variable};
use super::{OptimizerSwitch, SqlMode, SystemValue, double, integer, quoted};
use crate::error::SqlError;
use crate::plan::rules::RuleSet;

/// A converted value.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigned {
    /// What the variable now holds.
    pub value: SystemValue,
    /// The text of the value that was moved to a bound, for warning 1292.
    pub moved: Option<String>,
}

/// Checks that `variable` may be set at this scope at all.
pub fn check_scope(variable: &Variable, global: bool) -> Result<(), SqlError> {
    match (variable.access, variable.scope) {
        (Access::ReadOnly, _) => Err(SqlError::incorrect_variable_scope(variable.name, "read only")),
        (_, Scope::Global) if !global => Err(SqlError::global_variable(variable.name)),
        (_, Scope::Session) if global => Err(SqlError::local_variable(variable.name)),
        (Access::GlobalOnly, _) if !global => Err(SqlError::session_read_only(variable.name)),
        _ => Ok(()),
    }
}

/// The value that `variable` takes when it is set to `value`; `current` is what a fixed one holds.
pub fn convert(variable: &Variable, value: &Value, current: &SystemValue) -> Result<Assigned, SqlError> {
    let assigned = convert_kind(variable, value, current)?;
    if variable.access == Access::Fixed && !same(&assigned.value, current) {
        return Err(SqlError::wrong_value_for_variable(variable.name, quoted(value)));
    }
    Ok(assigned)
}

fn same(a: &SystemValue, b: &SystemValue) -> bool {
    match (a, b) {
        (SystemValue::Text(a), SystemValue::Text(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => a == b,
    }
}

fn convert_kind(variable: &Variable, value: &Value, current: &SystemValue) -> Result<Assigned, SqlError> {
    let wrong = || SqlError::wrong_value_for_variable(variable.name, quoted(value));
    let wrong_type = || SqlError::wrong_type_for_variable(variable.name);
    let plain = |value| Ok(Assigned { value, moved: None });
    match variable.kind {
        Kind::Bool => match value {
            Value::Text(word) => plain(SystemValue::Bool(switch(word).ok_or_else(wrong)?)),
            Value::Null => Err(wrong()),
            other => match integer(other) {
                Some(0) => plain(SystemValue::Bool(false)),
                Some(1) => plain(SystemValue::Bool(true)),
                Some(_) => Err(wrong()),
                None => Err(wrong_type()),
            },
        },
        Kind::Int(low, high) => {
            let n = integer(value).ok_or_else(wrong_type)?;
            let kept = n.clamp(i128::from(low), i128::from(high));
            Ok(Assigned { value: SystemValue::Int(kept as i64), moved: (kept != n).then(|| n.to_string()) })
        }
        Kind::UInt(low, high, unit) => {
            let n = integer(value).ok_or_else(wrong_type)?;
            let kept = n.clamp(i128::from(low), i128::from(high)) as u64;
            let kept = kept - kept % unit.max(1);
            Ok(Assigned {
                value: SystemValue::UInt(kept),
                moved: (i128::from(kept) != n).then(|| n.to_string()),
            })
        }
        Kind::Double(low, high) => {
            let x = double(value).ok_or_else(wrong_type)?;
            if x.is_nan() {
                return Err(wrong());
            }
            let kept = x.clamp(low, high);
            Ok(Assigned { value: SystemValue::Double(kept), moved: (kept != x).then(|| x.to_string()) })
        }
        Kind::Enum(words) => {
            let found = match value {
                Value::Text(word) => words.iter().find(|w| w.eq_ignore_ascii_case(word)),
                Value::Null => None,
                other => {
                    let n = integer(other).ok_or_else(wrong_type)?;
                    usize::try_from(n).ok().and_then(|n| words.get(n))
                }
            };
            match found {
                Some(word) => plain(SystemValue::text(*word)),
                None if variable.name.ends_with("storage_engine") => {
                    Err(SqlError::unknown_engine(quoted(value)))
                }
                None => Err(wrong()),
            }
        }
        Kind::Text => match value {
            Value::Text(text) => plain(SystemValue::text(text.as_str())),
            Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => plain(SystemValue::text(text)),
                Err(_) => Err(wrong()),
            },
            Value::Null => Err(wrong()),
            _ => Err(wrong_type()),
        },
        Kind::Charset | Kind::CharsetOrNull => charset(variable, value).and_then(plain),
        Kind::Collation => collation(variable, value).and_then(plain),
        Kind::OptimizerSwitch => match value {
            Value::Text(text) => {
                let now = OptimizerSwitch::default().assigned(current.as_text()).unwrap_or_default();
                plain(SystemValue::text(now.assigned(text)?.text()))
            }
            Value::Null => Err(wrong()),
            other => {
                let bits = u64::try_from(integer(other).ok_or_else(wrong_type)?).map_err(|_| wrong())?;
                plain(SystemValue::text(OptimizerSwitch::from_bits(bits)?.text()))
            }
        },
        Kind::Rules => match value {
            Value::Text(text) => plain(SystemValue::text(RuleSet::all_but(text)?.missing())),
            Value::Null => Err(wrong()),
            _ => Err(wrong_type()),
        },
        Kind::SqlMode => match value {
            Value::Text(text) => plain(SystemValue::text(SqlMode::parse(text)?.text())),
            Value::Null => Err(wrong()),
            other => {
                let bits = u64::try_from(integer(other).ok_or_else(wrong_type)?).map_err(|_| wrong())?;
                plain(SystemValue::text(SqlMode::from_bits(bits)?.text()))
            }
        },
        Kind::TimeZone => match value {
            Value::Text(text) => {
                let zone = time_zone(text).ok_or_else(|| SqlError::unknown_time_zone(text))?;
                plain(SystemValue::text(zone))
            }
            Value::Null => Err(wrong()),
            other => Err(SqlError::unknown_time_zone(quoted(other))),
        },
    }
}

fn switch(word: &str) -> Option<bool> {
    if word.eq_ignore_ascii_case("ON") || word.eq_ignore_ascii_case("TRUE") {
        Some(true)
    } else if word.eq_ignore_ascii_case("OFF") || word.eq_ignore_ascii_case("FALSE") {
        Some(false)
    } else {
        None
    }
}

fn charset(variable: &Variable, value: &Value) -> Result<SystemValue, SqlError> {
    let found = match value {
        Value::Null if variable.kind == Kind::CharsetOrNull => return Ok(SystemValue::Null),
        Value::Null => return Err(SqlError::wrong_value_for_variable(variable.name, "NULL")),
        Value::Text(name) => Charset::from_name(name).ok_or_else(|| SqlError::unknown_charset(name))?,
        other => {
            let n = integer(other).ok_or_else(|| SqlError::wrong_type_for_variable(variable.name))?;
            let id = u16::try_from(n).map_err(|_| SqlError::unknown_charset(n))?;
            Collation::from_id(id).ok_or_else(|| SqlError::unknown_charset(n))?.charset()
        }
    };
    Ok(SystemValue::text(found.name()))
}

fn collation(variable: &Variable, value: &Value) -> Result<SystemValue, SqlError> {
    let found = match value {
        Value::Null => return Err(SqlError::wrong_value_for_variable(variable.name, "NULL")),
        Value::Text(name) => Collation::from_name(name).ok_or_else(|| SqlError::unknown_collation(name))?,
        other => {
            let n = integer(other).ok_or_else(|| SqlError::wrong_type_for_variable(variable.name))?;
            let id = u16::try_from(n).map_err(|_| SqlError::unknown_collation(n))?;
            Collation::from_id(id).ok_or_else(|| SqlError::unknown_collation(n))?
        }
    };
    Ok(SystemValue::text(found.name()))
}

/// The name under which a time zone is shown, when the server knows it.
fn time_zone(text: &str) -> Option<String> {
    if text.eq_ignore_ascii_case("SYSTEM") {
        return Some("SYSTEM".to_string());
    }
    let minutes = TimeZone::parse_offset(text)?.offset_seconds / 60;
    let sign = if text.starts_with('-') { '-' } else { '+' };
    Some(format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variables::registry::find;

    fn set(name: &str, value: Value) -> Result<SystemValue, u16> {
        let (_, variable) = find(name).unwrap();
        let current = SystemValue::from(variable.initial);
        convert(variable, &value, &current).map(|a| a.value).map_err(|e| e.code)
    }

    #[test]
    fn switches_take_words_and_bits() {
        assert_eq!(set("autocommit", Value::Int(0)), Ok(SystemValue::Bool(false)));
        assert_eq!(set("autocommit", "on".into()), Ok(SystemValue::Bool(true)));
        assert_eq!(set("autocommit", Value::Int(2)), Err(1231));
        assert_eq!(set("autocommit", Value::Double(0.5)), Err(1232));
        assert_eq!(set("autocommit", Value::Null), Err(1231));
    }

    #[test]
    fn numbers_stop_at_their_bounds() {
        assert_eq!(set("max_allowed_packet", Value::Int(1025)), Ok(SystemValue::UInt(1024)));
        assert_eq!(set("wait_timeout", Value::Int(0)), Ok(SystemValue::UInt(1)));
        assert_eq!(set("wait_timeout", "10".into()), Err(1232));
        let (_, variable) = find("wait_timeout").unwrap();
        let moved = convert(variable, &Value::Int(-5), &SystemValue::UInt(1)).unwrap();
        assert_eq!(moved.moved.as_deref(), Some("-5"));
    }

    #[test]
    fn a_fixed_variable_takes_its_own_value_only() {
        assert_eq!(set("default_storage_engine", "innodb".into()), Ok(SystemValue::text("InnoDB")));
        assert_eq!(set("default_storage_engine", "MyISAM".into()), Err(1286));
        assert_eq!(set("sql_auto_is_null", Value::Int(0)), Ok(SystemValue::Bool(false)));
        assert_eq!(set("sql_auto_is_null", Value::Int(1)), Err(1231));
    }

    #[test]
    fn time_zones_are_offsets() {
        assert_eq!(set("time_zone", "+02:00".into()), Ok(SystemValue::text("+02:00")));
        assert_eq!(set("time_zone", "system".into()), Ok(SystemValue::text("SYSTEM")));
        assert_eq!(set("time_zone", "-00:30".into()), Ok(SystemValue::text("-00:30")));
        assert_eq!(set("time_zone", "Mars/Olympus".into()), Err(1298));
    }

    #[test]
    fn character_sets_by_name_number_and_null() {
        assert_eq!(set("character_set_results", Value::Null), Ok(SystemValue::Null));
        assert_eq!(set("character_set_client", Value::Null), Err(1231));
        assert_eq!(set("character_set_client", "utf8".into()), Ok(SystemValue::text("utf8mb3")));
        assert_eq!(set("character_set_client", "klingon".into()), Err(1115));
        assert_eq!(set("collation_connection", "klingon_ci".into()), Err(1273));
    }
}
