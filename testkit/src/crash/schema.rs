//! The tables and views of the crash test, and how a row's number stands for its whole content.

use mysql::Conn;
use mysql::prelude::Queryable;
use rustydb_testkit::Result;

/// Accounts that all clients share.
pub(crate) const ACCOUNTS: u64 = 40;
/// What each holds at first; it may fall below zero.
pub(crate) const BALANCE: i64 = 1_000;

const TABLES: [&str; 8] = [
    "CREATE TABLE items (client INT NOT NULL, seq BIGINT NOT NULL, content BIGINT UNSIGNED NOT NULL, \
     pad LONGTEXT NOT NULL, PRIMARY KEY (client, seq), KEY by_content (content), UNIQUE KEY by_seq (seq, client))",
    "CREATE TABLE transfers (client INT NOT NULL, seq BIGINT NOT NULL, src INT NOT NULL, dst INT NOT NULL, \
     amount INT NOT NULL, PRIMARY KEY (client, seq), KEY by_src (src))",
    "CREATE TABLE accounts (id INT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL)",
    "CREATE TABLE numbers (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, client INT NOT NULL)",
    "CREATE TABLE parents (client INT NOT NULL, seq BIGINT NOT NULL, code BIGINT UNSIGNED NOT NULL, \
     PRIMARY KEY (client, seq), UNIQUE KEY by_code (code))",
    "CREATE TABLE children (client INT NOT NULL, seq BIGINT NOT NULL, code BIGINT UNSIGNED NOT NULL, \
     parent BIGINT UNSIGNED NOT NULL, PRIMARY KEY (client, seq), KEY by_code (code), \
     CONSTRAINT child_of FOREIGN KEY (code) REFERENCES parents (code) ON DELETE CASCADE ON UPDATE CASCADE)",
    // A view that is materialised and one that is merged.
    "CREATE VIEW families AS SELECT p.client, p.seq, p.code, COUNT(c.seq) AS children \
     FROM parents p LEFT JOIN children c ON c.code = p.code GROUP BY p.client, p.seq, p.code",
    "CREATE VIEW kin AS SELECT c.client, c.seq, c.parent, p.client AS parent_client, p.seq AS parent_seq \
     FROM children c JOIN parents p ON p.code = c.code",
];

/// Makes the tables and the accounts, all acknowledged.
pub(crate) fn create(connection: &mut Conn) -> Result<()> {
    connection.query_drop("CREATE DATABASE crash")?;
    connection.query_drop("USE crash")?;
    for table in TABLES {
        connection.query_drop(table)?;
    }
    let rows: Vec<_> = (0..ACCOUNTS).map(|id| format!("({id}, {BALANCE})")).collect();
    connection.query_drop(format!("INSERT INTO accounts VALUES {}", rows.join(", ")))?;
    Ok(())
}

/// The text that belongs to `content`: as long as the number says (less a million), of letters that follow
/// from it, so that a torn or mixed-up row shows.
pub(crate) fn pad(content: u64) -> String {
    let length = (content % 1_000_000) as usize;
    let letter =
        |n: usize| char::from(b'a' + ((content as usize).wrapping_mul(31).wrapping_add(n) % 26) as u8);
    (0..length).map(letter).collect()
}

/// A transfer as one number.
pub(crate) fn transfer(from: u64, to: u64, amount: u64) -> u64 {
    (from << 40) | (to << 20) | amount
}
