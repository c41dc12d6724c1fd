//! Results of every shape and size, for clients with and without DEPRECATE_EOF.

use crate::client::{Client, Login, USUAL};
use crate::script::Door;
use rustydb_mysql_protocol::{Capabilities, status};
use std::sync::atomic::Ordering;

fn clients(door: &Door) -> [Client; 2] {
    let capabilities = USUAL | Capabilities::MULTI_STATEMENTS;
    [capabilities, capabilities.without(Capabilities::DEPRECATE_EOF)]
        .map(|capabilities| Client::login(door.address, &Login { capabilities, ..Login::default() }).unwrap())
}

#[test]
fn an_ok_tells_counts_and_summary() {
    let door = Door::open();
    for mut client in clients(&door) {
        let ok = client.query("ok").unwrap();
        assert_eq!((ok.affected_rows, ok.last_insert_id, ok.warnings), (2, 7, 1));
        assert_eq!(ok.info, "Rows matched: 2  Changed: 2  Warnings: 1");
        assert_eq!(client.query("silent").unwrap().status, status::AUTOCOMMIT);
    }
}

#[test]
fn rows_arrive_whole_and_in_order() {
    let door = Door::open();
    for mut client in clients(&door) {
        for count in [0, 1, 2, 1000, 50_000] {
            let result = client.query(&format!("rows {count}")).unwrap();
            assert_eq!(result.columns[0].name, "id");
            assert_eq!(result.rows.len(), count);
            let texts = result.texts();
            for (index, row) in texts.iter().enumerate() {
                let name = (index % 3 != 2).then(|| format!("row {index}"));
                assert_eq!(row, &[Some(index.to_string()), name]);
            }
        }
    }
}

#[test]
fn a_row_over_16_mib_is_split_and_joined() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    for length in [0xff_ffff - 4, 0xff_ffff - 3, 0xff_ffff, 40_000_000] {
        let result = client.query(&format!("bytes {length}")).unwrap();
        assert_eq!(result.texts()[0][0].as_ref().unwrap().len(), length);
    }
    client.query("ok").unwrap();
}

#[test]
fn several_results_follow_each_other() {
    let door = Door::open();
    for mut client in clients(&door) {
        let more = status::MORE_RESULTS_EXISTS;
        let first = client.query("rows 2; ok; rows 0; ok").unwrap();
        assert_eq!((first.rows.len(), first.status & more), (2, more));
        let second = client.read_result().unwrap();
        assert_eq!((second.affected_rows, second.status & more), (2, more));
        let third = client.read_result().unwrap();
        assert_eq!((third.columns.len(), third.rows.len(), third.status & more), (2, 0, more));
        assert_eq!(client.read_result().unwrap().status & more, 0);
        client.query("ok").unwrap();
    }
}

#[test]
fn an_error_in_a_later_statement_follows_the_earlier_results() {
    let door = Door::open();
    for mut client in clients(&door) {
        let first = client.query("rows 1; error 1234; ok").unwrap();
        assert_ne!(first.status & status::MORE_RESULTS_EXISTS, 0);
        assert_eq!(client.read_result().unwrap_err().code(), 1234);
        client.query("ok").unwrap();
    }
}

#[test]
fn an_error_among_rows_takes_the_place_of_the_next_one() {
    let door = Door::open();
    for mut client in clients(&door) {
        for count in [0, 3, 20_000] {
            assert_eq!(client.query(&format!("broken {count}")).unwrap_err().code(), 1317);
            client.query("ok").unwrap();
        }
    }
}

#[test]
fn a_row_that_does_not_fit_its_columns_is_not_sent() {
    let door = Door::open();
    for mut client in clients(&door) {
        assert_eq!(client.query("mismatch").unwrap_err().code(), 1105);
        client.query("ok").unwrap();
    }
}

#[test]
fn a_slow_reader_slows_the_statement_and_memory_does_not_grow() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    client.request(b"\x03endless");
    client.receive().unwrap();
    // The statement stands still once the socket's buffers are full: it sends nothing while we look twice.
    let before = std::cell::Cell::new(0);
    door.until("a statement that stands still", |door| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let now = door.stage.sent.load(Ordering::SeqCst);
        now > 0 && before.replace(now) == now
    });
    let before = before.get();
    assert!(before < 100_000, "{before} rows of a kilobyte are on their way");
    // It goes on when the client reads.
    for _ in 0..before + 100 {
        client.receive().unwrap();
    }
    assert!(door.stage.sent.load(Ordering::SeqCst) > before);
}
