//! Parameters of an execution as SQL values.

use super::statements::{Statement, wrong_arguments};
use crate::charset::decode_text;
use rustydb_mysql_protocol::statement::{ExecuteRequest, Parameter};
use rustydb_mysql_protocol::{Capabilities, Error};
use rustydb_sql::SqlError;
use rustydb_value::{Charset, Decimal, ProtocolType, Value, ValueRef};

/// Reads the parameters of an execution into `values`. Long data is used up.
///
/// # Errors
/// 1835 for a malformed request, 1210 for types that no client may send.
pub(crate) fn read<P>(
    request: &ExecuteRequest<'_>,
    count: usize,
    statement: &mut Statement<P>,
    charset: Charset,
    capabilities: Capabilities,
    values: &mut Vec<Value>,
) -> Result<(), SqlError> {
    values.clear();
    if let Some(error) = statement.long_data.take_error() {
        statement.long_data.clear();
        return Err(error);
    }
    let mut long_data = std::mem::take(&mut statement.long_data);
    let result = request.parameters(
        count,
        &mut statement.types,
        |index| long_data.has(index),
        capabilities,
        |parameter| values.push(value_of(parameter, charset)),
    );
    match result {
        Ok(_attributes) => {}
        Err(Error::Malformed("parameter type")) => return Err(wrong_arguments("mysqld_stmt_execute")),
        Err(_) => return Err(malformed()),
    }
    for (index, (value, parameter_type)) in values.iter_mut().zip(&statement.types).enumerate() {
        if long_data.has(index) {
            let bytes = long_data.take(index);
            *value = if parameter_type.is_binary() { Value::Bytes(bytes) } else { string(&bytes, charset) };
        }
    }
    Ok(())
}

/// 1835.
pub(crate) fn malformed() -> SqlError {
    SqlError::new(1835, b"HY000", "Malformed communication packet.")
}

fn value_of(parameter: Parameter<'_>, charset: Charset) -> Value {
    match parameter.value {
        // It came as long data and is filled in by the caller.
        None => Value::Null,
        Some(ValueRef::Bytes(bytes)) if parameter.parameter_type.is_binary() => Value::Bytes(bytes.to_vec()),
        Some(ValueRef::Bytes(bytes)) => match parameter.parameter_type.protocol_type {
            ProtocolType::NewDecimal | ProtocolType::Decimal => decimal(bytes, charset),
            _ => string(bytes, charset),
        },
        Some(value) => value.to_owned(),
    }
}

/// A string parameter. Drivers send binary values under text types too, so bytes that are no text stay bytes.
fn string(bytes: &[u8], charset: Charset) -> Value {
    match decode_text(bytes, charset) {
        Ok(text) => Value::Text(text.into_owned()),
        Err(_) => Value::Bytes(bytes.to_vec()),
    }
}

fn decimal(bytes: &[u8], charset: Charset) -> Value {
    let parsed = Decimal::parse(bytes);
    if parsed.consumed == bytes.len() && !bytes.is_empty() && !parsed.overflow {
        Value::Decimal(parsed.value)
    } else {
        string(bytes, charset)
    }
}
