//! Diesel on MariaDB's C connector, with r2d2's pool.

use diesel::connection::SimpleConnection;
use diesel::mysql::MysqlConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};
use rustydb_clients::{Failure, Outcome, env, none, same, tell, url, values};

diesel::table! {
    people (id) {
        id -> Integer,
        name -> Nullable<Text>,
        weight -> Nullable<Double>,
    }
}

#[derive(Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = people)]
struct Person {
    id: i32,
    name: Option<String>,
    weight: Option<f64>,
}

#[derive(QueryableByName)]
struct Cell {
    #[diesel(sql_type = Nullable<Text>)]
    s: Option<String>,
}

#[derive(QueryableByName)]
struct Bytes {
    #[diesel(sql_type = Binary)]
    a: Vec<u8>,
    #[diesel(sql_type = Binary)]
    b: Vec<u8>,
}

fn open(more: &str) -> Result<MysqlConnection, Failure> {
    Ok(MysqlConnection::establish(&format!("{}{more}", url(&env("DB_PASSWORD"))))?)
}

fn one(mut c: MysqlConnection) -> Outcome {
    same(diesel::select(1.into_sql::<Integer>()).get_result::<i32>(&mut c)?, 1)
}

fn password() -> Outcome {
    match MysqlConnection::establish(&url("wrong")) {
        Err(error) if error.to_string().contains("Access denied") => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err("was let in".into()),
    }
}

fn text() -> Outcome {
    let mut c = open("")?;
    c.batch_execute("CREATE TABLE text (id INT PRIMARY KEY, s VARCHAR(20)); INSERT INTO text VALUES (1, 'Zoë 😀'), (2, NULL)")?;
    let rows: Vec<Cell> = diesel::sql_query("SELECT s FROM text ORDER BY id").load(&mut c)?;
    same(rows.into_iter().map(|row| row.s).collect::<Vec<_>>(), vec![Some("Zoë 😀".into()), None])
}

fn prepared() -> Outcome {
    let mut c = open("")?;
    c.batch_execute("CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(20), weight DOUBLE)")?;
    let person = |id: i32| Person {
        id,
        name: Some(format!("row {id}")),
        weight: (id > 1).then_some(f64::from(id) / 2.0),
    };
    diesel::insert_into(people::table).values((0..3).map(person).collect::<Vec<_>>()).execute(&mut c)?;
    diesel::update(people::table.find(1)).set(people::name.eq(None::<String>)).execute(&mut c)?;
    let found =
        people::table.filter(people::id.ge(1)).order(people::id).select(Person::as_select()).load(&mut c)?;
    same(found, vec![Person { id: 1, name: None, weight: None }, person(2)])?;
    same(people::table.count().get_result::<i64>(&mut c)?, 3)
}

fn transactions() -> Outcome {
    let mut c = open("")?;
    c.batch_execute("CREATE TABLE moves (id INT PRIMARY KEY)")?;
    let rolled_back = c.transaction::<(), Error, _>(|c| {
        diesel::sql_query("INSERT INTO moves VALUES (1)").execute(c)?;
        Err(Error::RollbackTransaction)
    });
    same(rolled_back.is_err(), true)?;
    c.transaction::<_, Error, _>(|c| diesel::sql_query("INSERT INTO moves VALUES (2)").execute(c))?;
    let rows: Vec<Cell> = diesel::sql_query("SELECT CAST(id AS CHAR) AS s FROM moves").load(&mut c)?;
    same(rows.into_iter().map(|row| row.s).collect::<Vec<_>>(), vec![Some("2".into())])
}

fn types() -> Outcome {
    let mut c = open("")?;
    for (n, (kind, value)) in values().into_iter().enumerate() {
        c.batch_execute(&format!("CREATE TABLE types{n} (id INT PRIMARY KEY, v {kind})"))?;
        let insert = diesel::sql_query(format!("INSERT INTO types{n} VALUES (1, ?), (2, NULL)"));
        insert.bind::<Text, _>(&value).execute(&mut c)?;
        let select = format!("SELECT CAST(v AS CHAR) AS s FROM types{n} ORDER BY id");
        let rows: Vec<Cell> = diesel::sql_query(select).load(&mut c)?;
        let found = (rows[0].s.clone().unwrap_or_default(), rows[1].s.clone());
        if kind != "FLOAT" {
            same((&kind, found), (&kind, (value, None)))?;
        }
    }
    let raw: Vec<u8> = (0..=255).collect();
    c.batch_execute("CREATE TABLE raw (a VARBINARY(2000), b LONGBLOB, n BIGINT)")?;
    let insert = diesel::sql_query("INSERT INTO raw VALUES (?, ?, ?)");
    insert.bind::<Binary, _>(&raw).bind::<Binary, _>(&raw).bind::<BigInt, _>(i64::MIN).execute(&mut c)?;
    let found: Bytes =
        diesel::sql_query("SELECT a, b FROM raw WHERE n < -9223372036854775807").get_result(&mut c)?;
    same((found.a, found.b), (raw.clone(), raw))
}

fn big() -> Outcome {
    let mut c = open("")?;
    let value = "0123456789abcdef".repeat(20 * 65_536);
    c.batch_execute("CREATE TABLE big (s LONGTEXT)")?;
    diesel::sql_query("INSERT INTO big VALUES (?)").bind::<Text, _>(&value).execute(&mut c)?;
    let found: Cell = diesel::sql_query("SELECT s FROM big").get_result(&mut c)?;
    same(found.s == Some(value), true)
}

fn errors() -> Outcome {
    let mut c = open("")?;
    c.batch_execute("CREATE TABLE errors (id INT PRIMARY KEY); INSERT INTO errors VALUES (1)")?;
    let twice = diesel::sql_query("INSERT INTO errors VALUES (1)").execute(&mut c);
    same(matches!(twice, Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _))), true)?;
    let missing = diesel::sql_query("SELECT * FROM missing").execute(&mut c);
    same(missing.is_err_and(|error| error.to_string().contains("doesn't exist")), true)
}

fn pool() -> Outcome {
    let pool = Pool::builder()
        .max_size(2)
        .build(ConnectionManager::<MysqlConnection>::new(url(&env("DB_PASSWORD"))))?;
    for _ in 0..5 {
        same(diesel::select(1.into_sql::<Integer>()).get_result::<i32>(&mut pool.get()?)?, 1)?;
    }
    Ok(())
}

fn main() {
    tell("tcp", open("").and_then(one));
    tell("socket", open(&format!("?unix_socket={}", env("DB_SOCKET").replace('/', "%2F"))).and_then(one));
    tell(
        "tls",
        open(&format!("?ssl_mode=REQUIRED&ssl_ca={}", env("DB_CA").replace('/', "%2F"))).and_then(one),
    );
    tell("password", password());
    tell("text", text());
    tell("prepared", prepared());
    tell("transactions", transactions());
    tell("types", types());
    none("multi", "batch_execute in every step, its results are not given");
    tell("big", big());
    tell("errors", errors());
    none("user", "not in Diesel");
    tell("pool", pool());
    none("compression", "not in Diesel");
}
