//! Unmodified programs against the real server.

use crate::{home, server};
use rustydb_testkit::rustydb::PASSWORD;
use rustydb_testkit::{Result, RustyDb, programs};
use std::process::Command;

#[test]
fn the_mariadb_client_runs_a_script_over_tcp_and_over_the_socket() -> Result<()> {
    if !programs::require(&["mariadb"])? {
        return Ok(());
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let socket = socket.to_str().unwrap();
    let home = home(&["--socket", socket])?;
    let server = RustyDb::start(&home)?;
    let script = "CREATE DATABASE c; USE c; \
        CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20), price DECIMAL(8,2), at DATETIME); \
        INSERT INTO t (name, price, at) VALUES ('milk', 1.5, '2026-01-02 03:04:05'), ('bread', NULL, NULL); \
        SELECT * FROM t ORDER BY id; UPDATE t SET price = price + 1 WHERE name = 'milk'; \
        SELECT name, price FROM t WHERE price > 2; SHOW TABLES; DESCRIBE t;";
    let mut tcp = Command::new(programs::find("mariadb")?);
    tcp.arg("--no-defaults").args(server.address().words()).arg(format!("--password={PASSWORD}"));
    let text = programs::output(tcp.args(["--batch", "--execute", script]))?;
    assert!(text.contains("1\tmilk\t1.50\t2026-01-02 03:04:05\n2\tbread\tNULL\tNULL\n"), "{text}");
    assert!(text.contains("milk\t2.50\n"), "{text}");
    let mut local = Command::new(programs::find("mariadb")?);
    local.arg("--no-defaults").arg(format!("--socket={socket}")).args(["--user=root", "--batch"]);
    local.arg(format!("--password={PASSWORD}")).args(["--execute", "SELECT COUNT(*) FROM c.t"]);
    assert!(programs::output(&mut local)?.contains('2'));
    Ok(())
}

#[test]
fn pymysql_writes_reads_rolls_back_and_sees_error_numbers() -> Result<()> {
    if !programs::require(&["pymysql"])? {
        return Ok(());
    }
    let (server, _home) = server()?;
    let program = "
import pymysql, sys, datetime, decimal
connect = dict(host='127.0.0.1', port=int(sys.argv[1]), user='root', password=sys.argv[2])
c = pymysql.connect(**connect)
with c.cursor() as cursor:
    cursor.execute('CREATE DATABASE py')
    cursor.execute('CREATE TABLE py.t (id INT PRIMARY KEY, name VARCHAR(20), d DECIMAL(6,2), at DATETIME(3))')
    rows = [(1, 'Zoë', decimal.Decimal('3.25'), datetime.datetime(2026, 1, 2, 3, 4, 5, 600000)), (2, None, None, None)]
    assert cursor.executemany('INSERT INTO py.t VALUES (%s, %s, %s, %s)', rows) == 2
    c.commit()
    cursor.execute('DELETE FROM py.t')
    c.rollback()
    cursor.execute('SELECT * FROM py.t ORDER BY id')
    assert list(cursor.fetchall()) == rows, rows
    # NOT NULL, BINARY, UNSIGNED; the flag of numbers (32768) is one that clients set themselves.
    cursor.execute('SELECT 1, CONNECTION_ID(), name FROM py.t')
    assert [field.flags for field in cursor._result.fields] == [129, 161, 0]
    def number(sql, **more):
        try:
            pymysql.connect(**{**connect, **more}).cursor().execute(sql)
        except pymysql.MySQLError as error:
            return error.args[0]
    assert number('SELECT 1', password='wrong') == 1045
    assert number('SELECT 1', database='nowhere') == 1049
    assert number('SELECT * FROM py.missing') == 1146
    assert number('SELEC 1') == 1064
    assert number('INSERT INTO py.t (id) VALUES (1)') == 1062
print('fine')
";
    let mut python = Command::new(programs::python_with_pymysql()?);
    python.args(["-c", program, &server.address().port.to_string(), PASSWORD]);
    assert_eq!(programs::output(&mut python)?.trim(), "fine");
    Ok(())
}

#[test]
fn sysbench_prepares_runs_and_cleans_up() -> Result<()> {
    if !programs::require(&["sysbench", "mariadb"])? {
        return Ok(());
    }
    let (server, home) = server()?;
    let address = server.address();
    let mut create = Command::new(programs::find("mariadb")?);
    create.arg("--no-defaults").args(address.words()).arg(format!("--password={PASSWORD}"));
    programs::output(create.args(["--execute", "CREATE DATABASE sbtest"]))?;
    let sysbench = |script: &str, words: &[&str]| -> Result<String> {
        let mut command = Command::new(programs::find("sysbench")?);
        command.arg(script).args(["--db-driver=mysql", "--mysql-host=127.0.0.1", "--mysql-user=root"]);
        command.args([format!("--mysql-port={}", address.port), format!("--mysql-password={PASSWORD}")]);
        programs::output(command.args(["--tables=2", "--table-size=1000", "--threads=4"]).args(words))
    };
    sysbench("oltp_read_write", &["prepare"])?;
    for script in ["oltp_point_select", "oltp_read_only", "oltp_read_write", "oltp_write_only"] {
        for ps in ["--db-ps-mode=auto", "--db-ps-mode=disable"] {
            let text = sysbench(script, &[ps, "--events=200", "--time=0", "run"])?;
            assert!(text.contains("total number of events:              200"), "{script}: {text}");
        }
    }
    sysbench("oltp_read_write", &["cleanup"])?;
    assert!(server.stop()?.success());
    home.check()?;
    Ok(())
}
