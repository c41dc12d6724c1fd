//! The product's database behind the door: what a real client sees of it.

use crate::client::{Client, Column, Failure, Login, Outcome, USUAL};
use crate::script::config;
use rustydb_mysql_protocol::row::binary;
use rustydb_mysql_protocol::statement::{
    CursorType, FetchRequest, LongDataRequest, PrepareOk, write_execute,
};
use rustydb_mysql_protocol::{Capabilities, Command, status};
use rustydb_mysql_server::{Config, Server, SqlBackend};
use rustydb_sql::{Database, OpenOptions};
use rustydb_storage::disk::SimulatedDisk;
use rustydb_telemetry::Registry;
use rustydb_value::{Date, DateTime, Decimal, ProtocolType, Time, ValueRef};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub(crate) struct Product {
    server: Server<SqlBackend>,
    address: SocketAddr,
}

impl Product {
    pub(crate) fn open() -> Product {
        Product::with(config())
    }

    fn with(config: Config) -> Product {
        Product::of(config, |_| {})
    }

    fn of(config: Config, change: impl FnOnce(&mut OpenOptions)) -> Product {
        let disk = SimulatedDisk::new(11);
        let clock = disk.clock();
        clock.set_wall_micros(1_767_323_045_000_000);
        let mut options = OpenOptions::new(Arc::new(disk.clone()), clock, Arc::new(disk.clone()));
        options.engine.background = false;
        change(&mut options);
        let database = Database::open(options).unwrap();
        let server = Server::start(SqlBackend::new(database), config, &Registry::new()).unwrap();
        let address = server.local_addresses()[0];
        Product { server, address }
    }

    fn client(&self) -> Client {
        self.client_that(Capabilities::MULTI_STATEMENTS)
    }

    /// A client with more capabilities than usual.
    pub(crate) fn client_that(&self, more: Capabilities) -> Client {
        let capabilities = USUAL | more;
        Client::login(self.address, &Login { capabilities, ..Login::default() }).unwrap()
    }

    /// A client in a fresh database `shop` with a table `t (id INT PRIMARY KEY, n INT, s VARCHAR(20))`.
    pub(crate) fn shop(&self) -> Client {
        let mut client = self.client();
        client.query("CREATE DATABASE shop").unwrap();
        client.query("USE shop").unwrap();
        client.query("CREATE TABLE t (id INT PRIMARY KEY, n INT, s VARCHAR(20))").unwrap();
        client.query("INSERT INTO t VALUES (1, 10, 'one'), (2, 20, 'two'), (3, 30, NULL)").unwrap();
        client
    }

    fn in_shop(&self) -> Client {
        let mut client = self.client();
        client.query("USE shop").unwrap();
        client
    }

    fn until(&self, what: &str, condition: impl Fn(&Database) -> bool) {
        for _ in 0..20_000 {
            if condition(self.server.backend().database()) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("never happened: {what}");
    }
}

fn error(result: Result<Outcome, Failure>) -> (u16, String, String) {
    let error = result.unwrap_err().server();
    (error.code, error.sqlstate, error.message)
}

fn texts(outcome: &Outcome) -> Vec<Vec<String>> {
    let text = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
    outcome.texts().into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}

#[test]
fn rows_written_are_read_in_both_protocols() {
    let product = Product::open();
    let mut client = product.shop();
    let rows = client.query("SELECT id, n, s FROM t ORDER BY id").unwrap();
    assert_eq!(texts(&rows), [["1", "10", "one"], ["2", "20", "two"], ["3", "30", "NULL"]]);
    assert_eq!(rows.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["id", "n", "s"]);
    assert_eq!(rows.columns[2].collation, 255);
    assert_eq!(rows.columns[2].length, 80);

    let id = prepare(&mut client, "SELECT id, s FROM t WHERE id = ?").statement_id;
    for _ in 0..3 {
        let found = execute(&mut client, id, &[Some(ValueRef::Int(2))]);
        assert_eq!(binary_texts(&found), [["2", "two"]]);
        assert!(execute(&mut client, id, &[Some(ValueRef::Int(9))]).rows.is_empty());
    }
    let update = client.query("UPDATE t SET n = n + 1 WHERE id < 3").unwrap();
    assert_eq!(update.affected_rows, 2);
    assert_eq!(update.info, "Rows matched: 2  Changed: 2  Warnings: 0");
}

#[test]
fn errors_are_mysqls() {
    let product = Product::open();
    let mut client = product.shop();
    let unknown_table = error(client.query("SELECT * FROM nope"));
    assert_eq!(unknown_table, (1146, "42S02".into(), "Table 'shop.nope' doesn't exist".into()));
    let (code, state, message) = error(client.query("SELECT 1 FORM t"));
    assert_eq!((code, state.as_str()), (1064, "42000"));
    assert!(message.ends_with("near 't' at line 1"), "{message}");
    let (code, _, message) = error(client.query("INSERT INTO t VALUES (1, 0, '')"));
    assert_eq!((code, message.as_str()), (1062, "Duplicate entry '1' for key 't.PRIMARY'"));
    assert_eq!(error(client.query("USE nope")).0, 1049);
    let login = Login { database: Some("nope"), ..Login::default() };
    assert_eq!(Client::login(product.address, &login).err().unwrap().code(), 1049);
    let login = Login { password: "wrong", ..Login::default() };
    assert_eq!(Client::login(product.address, &login).err().unwrap().code(), 1045);
    assert_eq!(error(client.query("CREATE USER ann IDENTIFIED BY 'x'")).0, 1235);
    client.query("SELECT 1").unwrap();
}

#[test]
fn limits_are_the_variables() {
    let product = Product::open();
    let mut client = product.client();
    client.query("SET GLOBAL max_connections = 1").unwrap();
    assert_eq!(Client::greet(product.address).err().unwrap().code(), 1040);
    client.query("SET GLOBAL max_connections = 100").unwrap();
    client.query("SET GLOBAL max_prepared_stmt_count = 1").unwrap();
    prepare(&mut client, "SELECT 1");
    client.request(b"\x16SELECT 2");
    let (code, state, _) = error(client.read_result());
    assert_eq!((code, state.as_str()), (1461, "42000"));
    client.request(&[Command::ResetConnection as u8]);
    client.read_result().unwrap();
    prepare(&mut client, "SELECT 1");

    client.query("SET GLOBAL max_allowed_packet = 1024").unwrap();
    let mut small = product.client();
    let sql = format!("SELECT '{}'", "x".repeat(1100));
    assert_eq!(error(small.query(&sql)).0, 1153);
    assert!(small.is_closed());
    // A session keeps the limit that it began with.
    client.query(&sql).unwrap();

    client.query("SET SESSION wait_timeout = 1").unwrap();
    client.expect_sequence(0);
    assert_eq!(error(client.read_result()).0, 4031);
    assert!(client.is_closed());
}

#[test]
fn a_lock_wait_ends_with_1205_and_a_deadlock_with_1213() {
    let product = Product::open();
    let mut first = product.shop();
    let mut second = product.in_shop();
    first.query("BEGIN").unwrap();
    first.query("UPDATE t SET n = 0 WHERE id = 1").unwrap();
    second.query("SET innodb_lock_wait_timeout = 1").unwrap();
    let (code, state, message) = error(second.query("UPDATE t SET n = 1 WHERE id = 1"));
    assert_eq!((code, state.as_str()), (1205, "HY000"));
    assert_eq!(message, "Lock wait timeout exceeded; try restarting transaction");

    second.query("SET innodb_lock_wait_timeout = 50").unwrap();
    second.query("BEGIN").unwrap();
    second.query("UPDATE t SET n = 2 WHERE id = 2").unwrap();
    second.request(b"\x03UPDATE t SET n = 2 WHERE id = 1");
    product.until("a waiting update", waits);
    let first_result = first.query("UPDATE t SET n = 1 WHERE id = 2");
    let second_result = match first_result {
        Ok(_) => second.read_result(),
        Err(ref failure) => {
            assert_eq!(failure.code(), 1213);
            Ok(second.read_result().unwrap())
        }
    };
    if first_result.is_ok() {
        assert_eq!(second_result.unwrap_err().code(), 1213);
    }
}

/// Whether a statement waits for a row lock.
fn waits(database: &Database) -> bool {
    !database.engine().locks().waits().is_empty()
}

#[test]
fn a_client_that_vanishes_rolls_back_and_lets_go_of_its_locks() {
    let product = Product::open();
    let mut owner = product.shop();
    let mut other = product.in_shop();
    other.query("BEGIN").unwrap();
    other.query("UPDATE t SET n = -1 WHERE id = 1").unwrap();
    // It waits for the owner's row and vanishes there.
    owner.query("BEGIN").unwrap();
    owner.query("UPDATE t SET n = -2 WHERE id = 2").unwrap();
    other.request(b"\x03UPDATE t SET n = -1 WHERE id = 2");
    product.until("a waiting update", waits);
    drop(other);
    product.until("the vanished session is gone", |database| database.processes().count() == 1);
    owner.query("UPDATE t SET n = n + 5 WHERE id = 1").unwrap();
    owner.query("COMMIT").unwrap();
    let rows = owner.query("SELECT n FROM t WHERE id < 3 ORDER BY id").unwrap();
    assert_eq!(texts(&rows), [["15"], ["-2"]]);
}

#[test]
fn a_disconnect_rolls_back_before_the_next_connection_looks() {
    let product = Product::open();
    let mut client = product.shop();
    for _ in 0..20 {
        let mut writer = product.in_shop();
        writer.query("BEGIN").unwrap();
        writer.query("UPDATE t SET n = 99 WHERE id = 1").unwrap();
        writer.request(&[Command::Quit as u8]);
        assert!(writer.is_closed());
        // The server closes after it has rolled back, so nothing is waited for here.
        client.query("SET innodb_lock_wait_timeout = 1").unwrap();
        client.query("UPDATE t SET n = n WHERE id = 1").unwrap();
        assert_eq!(texts(&client.query("SELECT n FROM t WHERE id = 1").unwrap()), [["10"]]);
    }
}

#[test]
fn kill_ends_statements_and_connections() {
    let product = Product::open();
    let mut owner = product.shop();
    let mut victim = product.in_shop();
    owner.query("BEGIN").unwrap();
    owner.query("UPDATE t SET n = 1 WHERE id = 1").unwrap();
    victim.request(b"\x03UPDATE t SET n = 2 WHERE id = 1");
    product.until("a waiting update", waits);
    owner.query(&format!("KILL QUERY {}", victim.connection_id)).unwrap();
    let (code, state, _) = error(victim.read_result());
    assert_eq!((code, state.as_str()), (1317, "70100"));
    victim.query("SELECT 1").unwrap();
    let list = owner.query("SHOW PROCESSLIST").unwrap();
    assert_eq!(list.rows.len(), 2);
    owner.query(&format!("KILL {}", victim.connection_id)).unwrap();
    assert!(victim.is_closed());
    assert_eq!(error(owner.query("KILL 424242")).0, 1094);
}

#[test]
fn status_bits_follow_the_transaction() {
    let product = Product::open();
    let mut client = product.shop();
    let bits = status::IN_TRANSACTION | status::AUTOCOMMIT;
    assert_eq!(client.query("BEGIN").unwrap().status & bits, bits);
    let rows = client.query("SELECT * FROM t").unwrap();
    assert_eq!(rows.status & bits, bits);
    assert_eq!(client.query("COMMIT").unwrap().status & bits, status::AUTOCOMMIT);
    assert_eq!(client.query("SET autocommit = 0").unwrap().status & bits, 0);
    client.query("INSERT INTO t VALUES (7, 7, '')").unwrap();
    client.request(&[Command::ResetConnection as u8]);
    assert_eq!(client.read_result().unwrap().status & bits, status::AUTOCOMMIT);
    assert!(client.query("SELECT * FROM t WHERE id = 7").unwrap().rows.is_empty(), "rolled back");
}

#[test]
fn session_changes_are_tracked() {
    let product = Product::open();
    product.shop();
    let capabilities = USUAL | Capabilities::SESSION_TRACK;
    let mut client = Client::login(product.address, &Login { capabilities, ..Login::default() }).unwrap();
    assert_eq!(client.query("USE shop").unwrap().changes, ["schema shop"]);
    let mut changes = client.query("SET NAMES latin1").unwrap().changes;
    changes.sort();
    assert_eq!(
        changes,
        ["character_set_client=latin1", "character_set_connection=latin1", "character_set_results=latin1"]
    );
    assert_eq!(client.query("SET autocommit = 0").unwrap().changes, ["autocommit=OFF"]);
    let mut client = Client::greet(product.address).unwrap();
    let login = Login { database: Some("shop"), capabilities, ..Login::default() };
    assert_eq!(client.log_in(&login).unwrap().changes, ["schema shop"]);
}

#[test]
fn character_sets_are_converted_at_the_door() {
    let product = Product::open();
    let mut client = product.shop();
    client.query("SET NAMES latin1").unwrap();
    client.query_bytes(b"INSERT INTO t VALUES (8, 8, 'caf\xe9')").unwrap();
    let rows = client.query_bytes(b"SELECT s FROM t WHERE s = 'caf\xe9'").unwrap();
    assert_eq!(rows.rows, [b"\x04caf\xe9"]);
    assert_eq!((rows.columns[0].collation, rows.columns[0].length), (8, 20));
    client.query("SET NAMES utf8mb4").unwrap();
    assert_eq!(client.query("SELECT s FROM t WHERE id = 8").unwrap().rows, ["\x05café".as_bytes()]);
    client.query("CREATE TABLE b (b VARBINARY(20))").unwrap();
    client.query_bytes(b"INSERT INTO b VALUES (_binary'\x00\xff\\'')").unwrap();
    assert_eq!(client.query("SELECT HEX(b) FROM b").unwrap().rows, [b"\x0600FF27"]);
}

#[test]
fn values_of_every_type_go_through_parameters_and_come_back() {
    let product = Product::open();
    let mut client = product.shop();
    client
        .query(
            "CREATE TABLE every (a TINYINT, b BIGINT UNSIGNED, c DOUBLE, d DECIMAL(10,2), e VARCHAR(20), \
             f BLOB, g DATE, h TIME(3), i DATETIME(6), j YEAR, k BIT(9), l ENUM('x','y'), m SET('p','q'), n FLOAT)",
        )
        .unwrap();
    let insert = prepare(&mut client, &format!("INSERT INTO every VALUES ({})", ["?"; 14].join(",")));
    let date = Date::new(2024, 2, 29).unwrap();
    let values = [
        ValueRef::Int(-5),
        ValueRef::UInt(u64::MAX),
        ValueRef::Double(0.1),
        ValueRef::Decimal(Decimal::new(-12345, 2).unwrap()),
        ValueRef::Text("héllo"),
        ValueRef::Bytes(&[0, 0xff, 7]),
        ValueRef::Date(date),
        ValueRef::Time(Time::new(true, 100, 2, 3, 4000, 6).unwrap()),
        ValueRef::DateTime(DateTime::new(date, 1, 2, 3, 4, 6).unwrap()),
        ValueRef::Int(2024),
        ValueRef::Int(257),
        ValueRef::Text("y"),
        ValueRef::Text("p,q"),
        ValueRef::Double(1.5),
    ];
    let parameters: Vec<_> = values.iter().map(|value| Some(*value)).collect();
    execute(&mut client, insert.statement_id, &parameters);
    let expected = [
        "-5",
        "18446744073709551615",
        "0.1",
        "-123.45",
        "héllo",
        "\0\u{fffd}\u{7}",
        "2024-02-29",
        "-100:02:03.004",
        "2024-02-29 01:02:03.000004",
        "2024",
        "\u{1}\u{1}",
        "y",
        "p,q",
        "1.5",
    ];
    assert_eq!(texts(&client.query("SELECT * FROM every").unwrap()), [expected]);
    let select = prepare(&mut client, "SELECT * FROM every");
    let result = execute(&mut client, select.statement_id, &[]);
    let types: Vec<_> = result
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| (ProtocolType::from_byte(column.column_type).unwrap(), index == 1))
        .collect();
    let mut cells = Vec::new();
    binary::read_row(&result.rows[0], &types, &mut cells).unwrap();
    assert_eq!(cells[0], ValueRef::Int(-5));
    assert_eq!(cells[1], ValueRef::UInt(u64::MAX));
    assert_eq!(cells[2], ValueRef::Double(0.1));
    assert_eq!(cells[3], ValueRef::Bytes(b"-123.45"));
    assert_eq!(cells[5], ValueRef::Bytes(&[0, 0xff, 7]));
    assert_eq!(cells[6], ValueRef::Date(date));
    assert_eq!(cells[7], ValueRef::Time(Time::new(true, 100, 2, 3, 4000, 3).unwrap()));
    assert_eq!(cells[8], values[8]);
    assert_eq!(cells[9], ValueRef::UInt(2024));
    assert_eq!(cells[10], ValueRef::Bytes(&[1, 1]));
    assert_eq!(cells[13], ValueRef::Float(1.5));
}

#[test]
fn large_values_go_through_in_every_way() {
    let product = Product::open();
    let mut client = product.shop();
    client.query("CREATE TABLE large (id INT PRIMARY KEY, b LONGBLOB)").unwrap();
    let length = (16 << 20) + 12_345;
    let text = "z".repeat(length);
    client.query(&format!("INSERT INTO large VALUES (1, '{text}')")).unwrap();

    let insert = prepare(&mut client, "INSERT INTO large VALUES (?, ?)").statement_id;
    for piece in text.as_bytes().chunks(3 << 20) {
        let mut body = vec![Command::StmtSendLongData as u8];
        LongDataRequest { statement_id: insert, parameter: 1, data: piece }.write(&mut body);
        client.request(&body);
    }
    execute(&mut client, insert, &[Some(ValueRef::Int(2)), None]);
    let rows = client.query("SELECT b FROM large ORDER BY id").unwrap();
    assert_eq!(rows.rows.len(), 2);
    for row in rows.texts() {
        assert!(row[0].as_deref() == Some(text.as_str()), "the value came back changed");
    }
}

#[test]
fn a_cursor_over_a_real_table_is_fetched_in_portions() {
    let product = Product::open();
    let mut client = product.shop();
    let statement = prepare(&mut client, "SELECT id FROM t ORDER BY id");
    send_execute(&mut client, statement.statement_id, CursorType::ReadOnly, &[]);
    (0..3).for_each(|_| drop(client.receive().unwrap()));
    let mut ids = Vec::new();
    loop {
        let mut body = vec![Command::StmtFetch as u8];
        FetchRequest { statement_id: statement.statement_id, rows: 2 }.write(&mut body);
        client.request(&body);
        let part = client.read_rows().unwrap();
        ids.extend(part.rows.iter().map(|row| row[2]));
        if part.status & status::LAST_ROW_SENT != 0 {
            break;
        }
    }
    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn several_statements_in_one_text() {
    let product = Product::open();
    let mut client = product.shop();
    let first =
        client.query("INSERT INTO t VALUES (4, 40, 'four'); SELECT id FROM t WHERE id = 4; SELECT").unwrap();
    assert_eq!(first.affected_rows, 1);
    assert_eq!(texts(&client.read_result().unwrap()), [["4"]]);
    assert_eq!(error(client.read_result()).0, 1064);
}

#[test]
fn a_new_password_counts_from_then_on() {
    let product = Product::open();
    let mut client = product.client();
    client.query("ALTER USER root@localhost IDENTIFIED BY 's3cret'").unwrap();
    assert_eq!(Client::login(product.address, &Login::default()).err().unwrap().code(), 1045);
    let login = Login { password: "s3cret", ..Login::default() };
    let first = Client::login(product.address, &login).unwrap();
    assert_eq!(first.auth_trace, ["full", "key"]);
    assert_eq!(Client::login(product.address, &login).unwrap().auth_trace, ["fast"]);
    client.query("ALTER USER root@localhost IDENTIFIED BY 'n3w'").unwrap();
    assert_eq!(Client::login(product.address, &login).err().unwrap().code(), 1045);
    Client::login(product.address, &Login { password: "n3w", ..Login::default() }).unwrap();
}

#[test]
fn many_idle_connections_lose_their_threads_and_keep_their_sessions() {
    let product = Product::with(Config { doze_after: Duration::from_millis(20), ..config() });
    let mut client = product.shop();
    client.query("SET GLOBAL max_connections = 1000").unwrap();
    let mut many: Vec<Client> = (0..200).map(|_| product.in_shop()).collect();
    for (index, client) in many.iter_mut().enumerate() {
        client.query(&format!("SET @mine = {index}")).unwrap();
    }
    let server = &product.server;
    product.until("all are parked", |_| server.parked_count() == 201);
    for (index, client) in many.iter_mut().enumerate() {
        assert_eq!(texts(&client.query("SELECT @mine").unwrap()), [[index.to_string()]]);
    }
}

fn prepare(client: &mut Client, sql: &str) -> PrepareOk {
    client.request(&[b"\x16", sql.as_bytes()].concat());
    let packet = client.receive().unwrap();
    let ok = PrepareOk::parse(&packet).unwrap_or_else(|error| panic!("{error}: {packet:?}"));
    for _ in 0..ok.parameters + ok.columns {
        Column::parse(&client.receive().unwrap());
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
        rows.push(cells.iter().map(|cell| String::from_utf8_lossy(&cell.to_text()).into_owned()).collect());
    }
    rows
}

/// What a client that tracks ids is told with each OK.
#[test]
fn commits_tell_their_global_transaction_ids() {
    let product = Product::open();
    let capabilities = USUAL | Capabilities::SESSION_TRACK;
    let mut client = Client::login(product.address, &Login { capabilities, ..Login::default() }).unwrap();
    client.query("CREATE DATABASE d").unwrap();
    client.query("CREATE TABLE d.t (id INT PRIMARY KEY)").unwrap();
    assert!(client.query("INSERT INTO d.t VALUES (1)").unwrap().changes.is_empty());
    client.query("SET session_track_gtids = OWN_GTID").unwrap();
    let uuid = client.query("SELECT @@server_uuid").unwrap().texts()[0][0].clone().unwrap();
    let executed = |client: &mut Client| {
        let text = client.query("SELECT @@gtid_executed").unwrap().texts()[0][0].clone().unwrap();
        text.rsplit('-').next().unwrap().parse::<u64>().unwrap()
    };
    let before = executed(&mut client);
    let own = |number: u64| vec![format!("gtids {uuid}:{number}")];
    assert_eq!(client.query("INSERT INTO d.t VALUES (2)").unwrap().changes, own(before + 1));
    client.query("BEGIN").unwrap();
    assert!(client.query("INSERT INTO d.t VALUES (3)").unwrap().changes.is_empty());
    assert_eq!(client.query("COMMIT").unwrap().changes, own(before + 2));
    assert!(client.query("DELETE FROM d.t WHERE id = 9").unwrap().changes.is_empty());
    assert_eq!(client.query("CREATE TABLE d.u (id INT)").unwrap().changes, own(before + 3));
    client.query("SET session_track_gtids = ALL_GTIDS").unwrap();
    let all = vec![format!("gtids {uuid}:1-{}", before + 4)];
    assert_eq!(client.query("INSERT INTO d.t VALUES (4)").unwrap().changes, all);
}

#[test]
fn an_idle_transaction_gives_its_locks_back_and_its_client_is_told() {
    let product = Product::with(Config { doze_after: Duration::from_millis(5), ..config() });
    let mut idle = product.shop();
    let mut other = product.in_shop();
    idle.query("SET idle_write_transaction_timeout = 1").unwrap();
    for last in ["COMMIT", "SELECT 1", "ROLLBACK"] {
        idle.query("BEGIN").unwrap();
        idle.query("UPDATE t SET n = n + 1").unwrap();
        // It waits until the idle one is gone: for a second, and not for the fifty that it would.
        other.query("UPDATE t SET n = 7 WHERE id < 3").unwrap();
        match last {
            "ROLLBACK" => drop(idle.query(last).unwrap()),
            _ => {
                let (code, state, message) = error(idle.query(last));
                assert_eq!((code, state.as_str()), (1213, "40001"), "{last}");
                assert!(message.contains("idle_transaction_timeout"), "{message}");
            }
        }
        // Only once.
        let rows = idle.query("SELECT n FROM t ORDER BY id").unwrap();
        assert_eq!(texts(&rows), [["7"], ["7"], ["30"]]);
    }
    // Who only reads is under the other limit, and who is silent for longer than wait_timeout has to leave.
    idle.query("SET wait_timeout = 2").unwrap();
    idle.query("BEGIN").unwrap();
    idle.query("SELECT * FROM t").unwrap();
    idle.expect_sequence(0);
    assert_eq!(error(idle.read_result()).0, 4031);
    assert!(idle.is_closed());
}

#[test]
fn release_closes_the_connection_behind_its_answer() {
    let product = Product::open();
    for text in ["COMMIT RELEASE", "ROLLBACK RELEASE", "COMMIT"] {
        let mut client = product.client();
        client.query("SET completion_type = 'RELEASE'").unwrap();
        client.query("BEGIN").unwrap();
        assert_eq!(client.query(text).unwrap().info, "");
        assert!(client.is_closed(), "{text}");
    }
}

#[test]
fn who_needs_more_locks_than_there_are_gives_all_of_them_back() {
    let product = Product::of(config(), |options| options.engine.max_row_locks = 640);
    let mut greedy = product.shop();
    let mut other = product.in_shop();
    let rows: Vec<String> = (10..3_000).map(|id| format!("({id}, 0, NULL)")).collect();
    greedy.query(&format!("INSERT INTO t VALUES {}", rows.join(","))).unwrap();
    other.query("BEGIN").unwrap();
    other.query("UPDATE t SET n = 21 WHERE id = 2").unwrap();

    greedy.query("BEGIN").unwrap();
    greedy.query("UPDATE t SET n = 11 WHERE id = 1").unwrap();
    let refused = error(greedy.query("SELECT COUNT(*) FROM t WHERE id > 2 FOR UPDATE"));
    assert_eq!(
        refused,
        (1206, "HY000".into(), "The total number of locks exceeds the lock table size".into())
    );
    // As in InnoDB the transaction is gone, so that others have room again.
    let ended = greedy.query("DO 1").unwrap();
    assert_eq!(ended.status & status::IN_TRANSACTION, 0);
    other.query("UPDATE t SET n = 12 WHERE id = 1").unwrap();
    other.query("COMMIT").unwrap();
    let rows = greedy.query("SELECT n FROM t WHERE id < 3 ORDER BY id").unwrap();
    assert_eq!(texts(&rows), [["12"], ["21"]]);
    // A statement of its own, too, and what it had done.
    assert_eq!(error(greedy.query("UPDATE t SET n = n + 1")).0, 1206);
    let rows = greedy.query("SELECT COUNT(*) FROM t WHERE n IN (13, 22, 1)").unwrap();
    assert_eq!(texts(&rows), [["0"]]);
    // XA hears of it as of every branch that was rolled back.
    greedy.query("XA START 'x'").unwrap();
    assert_eq!(error(greedy.query("UPDATE t SET n = n + 1")).0, 1206);
    assert_eq!(error(greedy.query("XA END 'x'")).0, 1402);
    greedy.query("XA ROLLBACK 'x'").unwrap();
    greedy.query("UPDATE t SET n = 1 WHERE id < 100").unwrap();
}
