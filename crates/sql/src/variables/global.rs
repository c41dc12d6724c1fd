//! The global values of system variables, shared by all sessions.
//!
//! The list is an immutable `Arc` that SET GLOBAL replaces, so a new session takes it by one reference
//! count and never sees half of a change. Values that hold for the process (address, version,
//! directories) are given at start as [`Facts`].

use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

use super::SystemValue;
use super::registry::{Initial, VARIABLES, find, position};
use crate::error::SqlError;
use crate::gtid::Executed;

/// What the process says about itself through read-only variables.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// `@@version`
    pub version: String,
    /// `@@hostname`
    pub hostname: String,
    /// `@@datadir`
    pub data_directory: String,
    /// `@@server_uuid`
    pub server_uuid: String,
    /// `@@innodb_buffer_pool_size`, in bytes
    pub buffer_pool_bytes: u64,
}

impl From<Initial> for SystemValue {
    fn from(initial: Initial) -> SystemValue {
        match initial {
            Initial::Bool(on) => SystemValue::Bool(on),
            Initial::Int(n) => SystemValue::Int(n),
            Initial::UInt(n) => SystemValue::UInt(n),
            Initial::Double(x) => SystemValue::Double(x),
            Initial::Text(text) => SystemValue::text(text),
            Initial::Null => SystemValue::Null,
        }
    }
}

/// One value per variable of [`VARIABLES`], by position.
pub(crate) type Values = Arc<Vec<SystemValue>>;

/// The global values.
pub struct GlobalVariables {
    values: RwLock<Values>,
    executed: OnceLock<Executed>,
}

impl GlobalVariables {
    /// Every variable at its initial value, with the process's facts.
    pub fn new(facts: &Facts) -> GlobalVariables {
        let mut values: Vec<SystemValue> = VARIABLES.iter().map(|v| v.initial.into()).collect();
        let mut put = |at: usize, value: SystemValue| {
            if let Some(slot) = values.get_mut(at) {
                *slot = value;
            }
        };
        put(const { position("version") }, SystemValue::text(facts.version.as_str()));
        put(const { position("hostname") }, SystemValue::text(facts.hostname.as_str()));
        put(const { position("datadir") }, SystemValue::text(facts.data_directory.as_str()));
        put(const { position("server_uuid") }, SystemValue::text(facts.server_uuid.as_str()));
        put(const { position("innodb_buffer_pool_size") }, SystemValue::UInt(facts.buffer_pool_bytes));
        GlobalVariables { values: RwLock::new(Arc::new(values)), executed: OnceLock::new() }
    }

    /// All values as they are now.
    pub fn snapshot(&self) -> Values {
        Arc::clone(&self.values.read())
    }

    /// Says which commits the server has executed, from where `@@server_uuid` and the like come.
    pub(crate) fn set_executed(&self, executed: Executed) {
        self.set(const { position("server_uuid") }, SystemValue::text(executed.server_uuid()));
        let _ = self.executed.set(executed);
    }

    /// Which commits the server has executed; None without a store.
    pub fn executed(&self) -> Option<&Executed> {
        self.executed.get()
    }

    /// The value at a position of [`VARIABLES`].
    pub fn get(&self, at: usize) -> SystemValue {
        const GTID_EXECUTED: usize = position("gtid_executed");
        const GTID_PURGED: usize = position("gtid_purged");
        match (at, self.executed()) {
            (GTID_EXECUTED, Some(executed)) => return SystemValue::text(executed.set().text()),
            (GTID_PURGED, Some(executed)) => return SystemValue::text(executed.purged().text()),
            _ => {}
        }
        self.values.read().get(at).cloned().unwrap_or(SystemValue::Null)
    }

    /// Replaces the value at a position; checking it was the caller's duty.
    pub fn set(&self, at: usize, value: SystemValue) {
        let mut values = self.values.write();
        if let Some(slot) = Arc::make_mut(&mut values).get_mut(at) {
            *slot = value;
        }
    }

    /// Gives a variable its value from the configuration or from the process at start: read-only ones
    /// too, but never a value that the variable could not hold.
    pub fn configure(&self, name: &str, value: SystemValue) -> Result<(), SqlError> {
        let (at, variable) = find(name).ok_or_else(|| SqlError::unknown_variable(name))?;
        let current = self.get(at);
        let value = match variable.access {
            super::Access::ReadOnly => value,
            _ => super::convert(variable, &value.to_value(), &current)?.value,
        };
        self.set(at, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_keeps_the_list_it_took() {
        let globals = GlobalVariables::new(&Facts { version: "8.4.6-x".into(), ..Facts::default() });
        let before = globals.snapshot();
        let at = position("wait_timeout");
        globals.configure("wait_timeout", SystemValue::UInt(5)).unwrap();
        assert_eq!(before[at], SystemValue::UInt(28_800));
        assert_eq!(globals.get(at), SystemValue::UInt(5));
        assert_eq!(globals.get(position("version")), SystemValue::text("8.4.6-x"));
        globals.configure("port", SystemValue::UInt(4000)).unwrap();
        assert_eq!(globals.get(position("port")), SystemValue::UInt(4000));
        assert_eq!(globals.configure("sql_mode", SystemValue::text("FOO")).unwrap_err().code, 1231);
    }
}
