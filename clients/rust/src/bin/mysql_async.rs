//! mysql_async: a connection and its pool.

use mysql_async::prelude::*;
use mysql_async::{Compression, Conn, Error, Opts, OptsBuilder, Params, Pool, SslOpts, TxOpts, Value};
use rustydb_clients::{Failure, Outcome, env, same, tell, url, values};

fn options(password: &str) -> Result<OptsBuilder, Failure> {
    let builder = OptsBuilder::from_opts(Opts::from_url(&url(password))?);
    Ok(builder.prefer_socket(false).max_allowed_packet(Some(64 << 20)))
}

async fn plain() -> Result<Conn, Failure> {
    Ok(Conn::new(options(&env("DB_PASSWORD"))?).await?)
}

async fn one(mut c: Conn) -> Outcome {
    same(c.query_first::<u32, _>("SELECT 1").await?, Some(1))?;
    Ok(c.disconnect().await?)
}

async fn socket() -> Outcome {
    let options = options(&env("DB_PASSWORD"))?.prefer_socket(true).socket(Some(env("DB_SOCKET")));
    one(Conn::new(options).await?).await
}

async fn secure() -> Outcome {
    let roots = vec![std::path::PathBuf::from(env("DB_CA")).into()];
    let ssl = SslOpts::default().with_root_certs(roots).with_danger_tls_hostname_override(Some("localhost"));
    one(Conn::new(options(&env("DB_PASSWORD"))?.ssl_opts(ssl)).await?).await
}

fn refusal<T>(result: mysql_async::Result<T>) -> Result<(u16, String), Failure> {
    match result {
        Err(Error::Server(error)) => Ok((error.code, error.state)),
        Err(error) => Err(error.into()),
        Ok(_) => Err("no error".into()),
    }
}

async fn password() -> Outcome {
    same(refusal(Conn::new(options("wrong")?).await)?, (1045, "28000".into()))
}

async fn text() -> Outcome {
    let mut c = plain().await?;
    c.query_drop("CREATE TABLE text (id INT PRIMARY KEY, a VARCHAR(20))").await?;
    c.query_drop("INSERT INTO text VALUES (1, 'Zoë 😀'), (2, NULL)").await?;
    let rows: Vec<(i32, Option<String>)> = c.query("SELECT * FROM text ORDER BY id").await?;
    same(rows, vec![(1, Some("Zoë 😀".into())), (2, None)])
}

async fn prepared() -> Outcome {
    let mut c = plain().await?;
    c.query_drop("CREATE TABLE prepared (id INT PRIMARY KEY, a VARCHAR(20), d DOUBLE)").await?;
    let rows = (0..3).map(|n| (n, format!("row {n}"), f64::from(n) / 2.0));
    c.exec_batch("INSERT INTO prepared VALUES (?, ?, ?)", rows).await?;
    let rows: Vec<(i32, String, f64)> = c.exec("SELECT * FROM prepared WHERE id >= ?", (2,)).await?;
    same(rows, vec![(2, "row 2".into(), 1.0)])
}

async fn transactions() -> Outcome {
    let mut c = plain().await?;
    c.query_drop("CREATE TABLE moves (id INT PRIMARY KEY)").await?;
    let mut rolled_back = c.start_transaction(TxOpts::default()).await?;
    rolled_back.query_drop("INSERT INTO moves VALUES (1)").await?;
    rolled_back.rollback().await?;
    let mut committed = c.start_transaction(TxOpts::default()).await?;
    committed.query_drop("INSERT INTO moves VALUES (2)").await?;
    committed.commit().await?;
    same(c.query::<i32, _>("SELECT * FROM moves").await?, vec![2])
}

async fn types() -> Outcome {
    let mut c = plain().await?;
    for (n, (kind, value)) in values().into_iter().enumerate() {
        c.query_drop(format!("CREATE TABLE types{n} (id INT PRIMARY KEY, v {kind})")).await?;
        c.exec_drop(format!("INSERT INTO types{n} VALUES (1, ?), (2, NULL)"), (&value,)).await?;
        let sql = format!("SELECT CAST(v AS CHAR), v FROM types{n} ORDER BY id");
        let rows: Vec<(Option<String>, Value)> = c.exec(&sql, Params::Empty).await?;
        if kind != "FLOAT" {
            same((&kind, rows[0].0.as_deref()), (&kind, Some(value.as_str())))?;
        }
        same(rows[1].clone(), (None, Value::NULL))?;
        same((&kind, rows[0].1 == Value::NULL), (&kind, false))?;
        let rows: Vec<(Option<String>, Option<Vec<u8>>)> = c.query(&sql).await?;
        if !kind.contains("FLOAT") && !kind.contains("DOUBLE") {
            same((&kind, rows[0].1.as_deref()), (&kind, Some(value.as_bytes())))?;
        }
    }
    let raw: Vec<u8> = (0..=255).collect();
    c.query_drop("CREATE TABLE raw (a VARBINARY(2000), b LONGBLOB, c BIT(64))").await?;
    c.exec_drop("INSERT INTO raw VALUES (?, ?, b'1010')", (&raw, &raw)).await?;
    let found: Option<(Vec<u8>, Vec<u8>)> = c.query_first("SELECT a, b FROM raw").await?;
    same(found, Some((raw.clone(), raw)))
}

async fn multi() -> Outcome {
    let mut c = plain().await?;
    let mut results = c.query_iter("SELECT 1; DO 0; SELECT 2").await?;
    let first: Vec<i32> = results.collect().await?;
    results.collect::<i32>().await?;
    same((first, results.collect().await?), (vec![1], vec![2]))
}

async fn big() -> Outcome {
    let mut c = plain().await?;
    let value = "0123456789abcdef".repeat(20 * 65_536);
    c.query_drop("CREATE TABLE big (v LONGTEXT)").await?;
    c.exec_drop("INSERT INTO big VALUES (?)", (&value,)).await?;
    same(c.query_first::<String, _>("SELECT v FROM big").await? == Some(value), true)
}

async fn errors() -> Outcome {
    let mut c = plain().await?;
    c.query_drop("CREATE TABLE errors (id INT PRIMARY KEY)").await?;
    c.query_drop("INSERT INTO errors VALUES (1)").await?;
    same(refusal(c.query_drop("INSERT INTO errors VALUES (1)").await)?, (1062, "23000".into()))?;
    same(refusal(c.exec_drop("SELECT * FROM missing", ()).await)?, (1146, "42S02".into()))?;
    same(refusal(c.query_drop("SELEC 1").await)?, (1064, "42000".into()))
}

async fn user() -> Outcome {
    let mut c = plain().await?;
    c.query_drop("SET @x = 1").await?;
    c.change_user(mysql_async::ChangeUserOpts::default()).await?;
    same(c.query_first::<Option<i32>, _>("SELECT @x").await?, Some(None))
}

async fn pool() -> Outcome {
    let pool = Pool::new(options(&env("DB_PASSWORD"))?);
    for _ in 0..10 {
        let mut c = pool.get_conn().await?;
        same(c.query_first::<Option<i32>, _>("SELECT @x").await?, Some(None))?;
        c.query_drop("SET @x = 1").await?;
    }
    Ok(pool.disconnect().await?)
}

async fn compression() -> Outcome {
    let options = options(&env("DB_PASSWORD"))?.compression(Some(Compression::default()));
    let mut c = Conn::new(options).await?;
    let found: Option<String> = c.query_first("SELECT REPEAT('ab', 500000)").await?;
    same(found.map(|text| text.len()), Some(1_000_000))?;
    let rows: Vec<u32> = c.query("SELECT 1 UNION ALL SELECT 2").await?;
    same(rows, vec![1, 2])?;
    one(c).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tell("tcp", async { one(plain().await?).await }.await);
    tell("socket", socket().await);
    tell("tls", secure().await);
    tell("password", password().await);
    tell("text", text().await);
    tell("prepared", prepared().await);
    tell("transactions", transactions().await);
    tell("types", types().await);
    tell("multi", multi().await);
    tell("big", big().await);
    tell("errors", errors().await);
    tell("user", user().await);
    tell("pool", pool().await);
    tell("compression", compression().await);
}
