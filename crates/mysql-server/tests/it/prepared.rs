//! Prepared statements: parameters of every kind, long data, cursors.

use crate::client::{Client, Column, Login, Outcome, USUAL};
use crate::script::Door;
use rustydb_mysql_protocol::row::binary;
use rustydb_mysql_protocol::statement::{
    CursorType, FetchRequest, LongDataRequest, PrepareOk, write_execute,
};
use rustydb_mysql_protocol::{Capabilities, Command, status};
use rustydb_value::{Date, DateTime, Decimal, ProtocolType, Time, ValueRef};

/// Prepares and reads all of the answer.
fn prepare(client: &mut Client, sql: &str) -> PrepareOk {
    client.request(&[b"\x16", sql.as_bytes()].concat());
    let ok = PrepareOk::parse(&client.receive().unwrap()).unwrap();
    for count in [ok.parameters, ok.columns] {
        for _ in 0..count {
            Column::parse(&client.receive().unwrap());
        }
        if count > 0 && !client.capabilities.has(Capabilities::DEPRECATE_EOF) {
            assert_eq!(client.receive().unwrap()[0], 0xfe);
        }
    }
    ok
}

fn send_execute(client: &mut Client, id: u32, cursor: CursorType, values: &[Option<ValueRef<'_>>]) {
    let mut body = vec![Command::StmtExecute as u8];
    write_execute(&mut body, id, cursor, values, &[], client.capabilities).unwrap();
    client.request(&body);
}

fn execute(client: &mut Client, id: u32, values: &[Option<ValueRef<'_>>]) -> Outcome {
    send_execute(client, id, CursorType::NoCursor, values);
    client.read_result().unwrap()
}

fn binary_texts(result: &Outcome) -> Vec<Vec<String>> {
    let types: Vec<_> = result
        .columns
        .iter()
        .map(|column| (ProtocolType::from_byte(column.column_type).unwrap(), false))
        .collect();
    let mut cells = Vec::new();
    let mut rows = Vec::new();
    for row in &result.rows {
        binary::read_row(row, &types, &mut cells).unwrap();
        rows.push(cells.iter().map(|cell| String::from_utf8(cell.to_text()).unwrap()).collect());
    }
    rows
}

fn send_long(client: &mut Client, id: u32, parameter: u16, data: &[u8]) {
    let mut body = vec![Command::StmtSendLongData as u8];
    LongDataRequest { statement_id: id, parameter, data }.write(&mut body);
    client.request(&body);
}

#[test]
fn parameters_of_every_kind_reach_the_statement() {
    let door = Door::open();
    for extra in [Capabilities::default(), Capabilities::QUERY_ATTRIBUTES] {
        for capabilities in [USUAL | extra, (USUAL | extra).without(Capabilities::DEPRECATE_EOF)] {
            let login = Login { capabilities, ..Login::default() };
            let mut client = Client::login(door.address, &login).unwrap();
            let statement = prepare(&mut client, "? ? ? ? ? ? ? ? ? ?");
            assert_eq!((statement.parameters, statement.columns), (10, 10));
            let date = Date::new(2024, 2, 29).unwrap();
            let values = [
                Some(ValueRef::Int(-5)),
                Some(ValueRef::UInt(u64::MAX)),
                Some(ValueRef::Null),
                Some(ValueRef::Text("héllo")),
                Some(ValueRef::Bytes(&[0, 0xff])),
                Some(ValueRef::Double(0.5)),
                Some(ValueRef::Decimal(Decimal::new(-12345, 2).unwrap())),
                Some(ValueRef::Date(date)),
                Some(ValueRef::Time(Time::new(true, 100, 2, 3, 0, 0).unwrap())),
                Some(ValueRef::DateTime(DateTime::new(date, 1, 2, 3, 4, 6).unwrap())),
            ];
            let result = execute(&mut client, statement.statement_id, &values);
            let row = binary_texts(&result).remove(0);
            let expected: Vec<_> =
                values.iter().map(|value| format!("{:?}", value.unwrap().to_owned())).collect();
            assert_eq!(row, expected);
        }
    }
}

#[test]
fn text_that_is_no_text_arrives_as_bytes() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let id = prepare(&mut client, "?").statement_id;
    // One parameter of type VAR_STRING with a byte that is no UTF-8.
    let mut body = vec![Command::StmtExecute as u8];
    body.extend_from_slice(&id.to_le_bytes());
    body.extend_from_slice(&[0, 1, 0, 0, 0, 0, 1, 253, 0, 2, b'a', 0xff]);
    client.request(&body);
    let result = client.read_result().unwrap();
    assert_eq!(binary_texts(&result), [["Bytes([97, 255])"]]);
}

#[test]
fn types_are_remembered_between_executions() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let id = prepare(&mut client, "?").statement_id;
    execute(&mut client, id, &[Some(ValueRef::Int(1))]);
    let mut body = vec![Command::StmtExecute as u8];
    body.extend_from_slice(&id.to_le_bytes());
    body.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0]);
    body.extend_from_slice(&77i64.to_le_bytes());
    client.request(&body);
    assert_eq!(binary_texts(&client.read_result().unwrap()), [["Int(77)"]]);
    // Another statement has not been told any.
    let other = prepare(&mut client, "?").statement_id;
    body[1..5].copy_from_slice(&other.to_le_bytes());
    client.request(&body);
    assert_eq!(client.read_result().unwrap_err().code(), 1835);
}

#[test]
fn long_data_is_joined_used_once_and_forgotten_by_a_reset() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let id = prepare(&mut client, "? ?").statement_id;
    send_long(&mut client, id, 1, b"ab");
    send_long(&mut client, id, 1, b"cd");
    let result = execute(&mut client, id, &[Some(ValueRef::Int(1)), None]);
    assert_eq!(binary_texts(&result), [["Int(1)", "Bytes([97, 98, 99, 100])"]]);
    let values = [Some(ValueRef::Int(2)), Some(ValueRef::Text("x"))];
    assert_eq!(binary_texts(&execute(&mut client, id, &values)), [["Int(2)", "Text(\"x\")"]]);

    send_long(&mut client, id, 0, b"lost");
    let mut reset = vec![Command::StmtReset as u8];
    reset.extend_from_slice(&id.to_le_bytes());
    client.request(&reset);
    client.read_result().unwrap();
    assert_eq!(binary_texts(&execute(&mut client, id, &values)), [["Int(2)", "Text(\"x\")"]]);
}

#[test]
fn long_data_that_is_too_long_or_for_nobody_is_told_by_the_execution() {
    let door = Door::open();
    door.stage.max_allowed_packet.store(1000, std::sync::atomic::Ordering::Relaxed);
    let mut client = Client::connect(door.address);
    let id = prepare(&mut client, "?").statement_id;
    send_long(&mut client, id, 0, &[b'x'; 600]);
    send_long(&mut client, id, 0, &[b'x'; 600]);
    send_execute(&mut client, id, CursorType::NoCursor, &[None]);
    assert_eq!(client.read_result().unwrap_err().code(), 1105);
    send_long(&mut client, id, 9, b"x");
    send_execute(&mut client, id, CursorType::NoCursor, &[Some(ValueRef::Int(1))]);
    assert_eq!(client.read_result().unwrap_err().code(), 1210);
    send_long(&mut client, 999, 0, b"x");
    execute(&mut client, id, &[Some(ValueRef::Int(1))]);
}

#[test]
fn a_closed_or_unknown_statement_is_named_in_the_error() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let id = prepare(&mut client, "ok").statement_id;
    assert_eq!(execute(&mut client, id, &[]).affected_rows, 2);
    let mut close = vec![Command::StmtClose as u8];
    close.extend_from_slice(&id.to_le_bytes());
    client.request(&close);
    send_execute(&mut client, id, CursorType::NoCursor, &[]);
    let error = client.read_result().unwrap_err().server();
    assert_eq!(error.code, 1243);
    assert_eq!(
        error.message,
        format!("Unknown prepared statement handler ({id}) given to mysql_stmt_precheck")
    );
    client.request(b"\x16error");
    assert_eq!(client.read_result().unwrap_err().code(), 1064);
}

#[test]
fn types_that_no_client_may_send_are_wrong_arguments() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let id = prepare(&mut client, "?").statement_id;
    let mut body = vec![Command::StmtExecute as u8];
    body.extend_from_slice(&id.to_le_bytes());
    body.extend_from_slice(&[0, 1, 0, 0, 0, 0, 1, 14, 0, 1]);
    client.request(&body);
    let error = client.read_result().unwrap_err().server();
    assert_eq!((error.code, error.message.as_str()), (1210, "Incorrect arguments to mysqld_stmt_execute"));
}

fn fetch(client: &mut Client, id: u32, rows: u32) {
    let mut body = vec![Command::StmtFetch as u8];
    FetchRequest { statement_id: id, rows }.write(&mut body);
    client.request(&body);
}

#[test]
fn a_cursor_gives_its_rows_in_portions() {
    let door = Door::open();
    for capabilities in [USUAL, USUAL.without(Capabilities::DEPRECATE_EOF)] {
        let mut client = Client::login(door.address, &Login { capabilities, ..Login::default() }).unwrap();
        let id = prepare(&mut client, "rows 7").statement_id;
        send_execute(&mut client, id, CursorType::ReadOnly, &[]);
        // The definitions end with the word that a cursor is open, and no row follows.
        assert_eq!(client.receive().unwrap(), [2]);
        let columns = [(); 2].map(|()| Column::parse(&client.receive().unwrap()));
        let end = client.receive().unwrap();
        assert_eq!(client.read_end(&end).status & status::CURSOR_EXISTS, status::CURSOR_EXISTS);

        let mut seen = Vec::new();
        for (count, rows, bit) in [
            (3, 3, status::CURSOR_EXISTS),
            (0, 0, status::CURSOR_EXISTS),
            (4, 4, status::CURSOR_EXISTS),
            (5, 0, status::LAST_ROW_SENT),
        ] {
            fetch(&mut client, id, count);
            let part = client.read_rows().unwrap();
            let both = status::CURSOR_EXISTS | status::LAST_ROW_SENT;
            assert_eq!((part.rows.len(), part.status & both), (rows, bit));
            seen.extend(binary_texts(&Outcome { columns: columns.to_vec(), ..part }));
        }
        let ids: Vec<_> = seen.iter().map(|row| row[0].clone()).collect();
        assert_eq!(ids, ["0", "1", "2", "3", "4", "5", "6"]);
        fetch(&mut client, id, 1);
        let error = client.read_result().unwrap_err().server();
        assert_eq!(error.code, 1421);
        assert_eq!(error.message, format!("The statement ({id}) has no open cursor."));
    }
}

#[test]
fn a_cursor_is_closed_by_reset_and_by_the_next_execution() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let id = prepare(&mut client, "rows 3").statement_id;
    let open = |client: &mut Client| {
        send_execute(client, id, CursorType::ReadOnly, &[]);
        (0..4).for_each(|_| drop(client.receive().unwrap()));
    };
    open(&mut client);
    let mut reset = vec![Command::StmtReset as u8];
    reset.extend_from_slice(&id.to_le_bytes());
    client.request(&reset);
    client.read_result().unwrap();
    fetch(&mut client, id, 1);
    assert_eq!(client.read_result().unwrap_err().code(), 1421);
    open(&mut client);
    assert_eq!(execute(&mut client, id, &[]).rows.len(), 3);
    fetch(&mut client, id, 1);
    assert_eq!(client.read_result().unwrap_err().code(), 1421);
}

#[test]
fn a_cursor_for_a_statement_without_rows_is_a_plain_ok() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let id = prepare(&mut client, "ok").statement_id;
    send_execute(&mut client, id, CursorType::ReadOnly, &[]);
    assert_eq!(client.read_result().unwrap().affected_rows, 2);
}

#[test]
fn a_cursor_that_grows_too_large_or_fails_is_an_error() {
    let config = rustydb_mysql_server::Config { max_cursor_bytes: 10_000, ..crate::script::config() };
    let door = Door::with(crate::script::stage(), config);
    let mut client = Client::connect(door.address);
    for (sql, code) in [("rows 5000", 1114), ("broken 3", 1317), ("mismatch", 1105)] {
        let id = prepare(&mut client, sql).statement_id;
        send_execute(&mut client, id, CursorType::ReadOnly, &[]);
        assert_eq!(client.read_result().unwrap_err().code(), code, "{sql}");
        fetch(&mut client, id, 1);
        assert_eq!(client.read_result().unwrap_err().code(), 1421);
    }
}
