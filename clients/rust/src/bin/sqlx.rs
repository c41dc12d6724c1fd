//! sqlx on its MySQL driver: connections and its pool.

use rustydb_clients::{Failure, Outcome, env, none, same, tell, values};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, Connection, Executor, Row, ValueRef};

fn options(password: &str) -> Result<MySqlConnectOptions, Failure> {
    let options = MySqlConnectOptions::new().host("127.0.0.1").port(env("DB_PORT").parse()?);
    let options = options.username(&env("DB_USER")).password(password).database(&env("DB_NAME"));
    Ok(options.ssl_mode(MySqlSslMode::Disabled))
}

async fn plain() -> Result<MySqlConnection, Failure> {
    Ok(MySqlConnection::connect_with(&options(&env("DB_PASSWORD"))?).await?)
}

async fn run(c: &mut MySqlConnection, sql: impl Into<String>) -> Outcome {
    c.execute(sqlx::raw_sql(AssertSqlSafe(sql.into()))).await?;
    Ok(())
}

async fn one(options: MySqlConnectOptions) -> Outcome {
    let mut c = MySqlConnection::connect_with(&options).await?;
    let found: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&mut c).await?;
    same(found, 1)?;
    Ok(c.close().await?)
}

fn refusal<T>(result: Result<T, sqlx::Error>) -> Result<(u16, String), Failure> {
    let Err(error) = result else { return Err("no error".into()) };
    let Some(refused) = error.as_database_error() else { return Err(error.into()) };
    let refused = refused.downcast_ref::<sqlx::mysql::MySqlDatabaseError>();
    Ok((refused.number(), refused.code().unwrap_or_default().to_owned()))
}

async fn password() -> Outcome {
    let refused = MySqlConnection::connect_with(&options("wrong")?).await;
    same(refusal(refused)?.0, 1045)
}

async fn text() -> Outcome {
    let mut c = plain().await?;
    run(&mut c, "CREATE TABLE text (id INT PRIMARY KEY, a VARCHAR(20))").await?;
    run(&mut c, "INSERT INTO text VALUES (1, 'Zoë 😀'), (2, NULL)").await?;
    let rows = c.fetch_all(sqlx::raw_sql("SELECT id, a FROM text ORDER BY id")).await?;
    let cell = |n: usize| rows[n].try_get::<Option<String>, _>(1);
    same((cell(0)?, cell(1)?), (Some("Zoë 😀".into()), None))
}

async fn prepared() -> Outcome {
    let mut c = plain().await?;
    run(&mut c, "CREATE TABLE prepared (id INT PRIMARY KEY, a VARCHAR(20), d DOUBLE)").await?;
    for n in 0..3 {
        let insert = sqlx::query("INSERT INTO prepared VALUES (?, ?, ?)");
        insert.bind(n).bind(format!("row {n}")).bind(f64::from(n) / 2.0).execute(&mut c).await?;
    }
    let select = sqlx::query_as("SELECT id, a, d FROM prepared WHERE id >= ?");
    let rows: Vec<(i32, String, f64)> = select.bind(2).fetch_all(&mut c).await?;
    same(rows, vec![(2, "row 2".into(), 1.0)])
}

async fn transactions() -> Outcome {
    let mut c = plain().await?;
    run(&mut c, "CREATE TABLE moves (id INT PRIMARY KEY)").await?;
    for commit in [false, true] {
        let mut transaction = c.begin().await?;
        sqlx::query("INSERT INTO moves VALUES (?)")
            .bind(i32::from(commit))
            .execute(&mut *transaction)
            .await?;
        if commit { transaction.commit().await? } else { transaction.rollback().await? }
    }
    let found: Vec<i32> = sqlx::query_scalar("SELECT id FROM moves").fetch_all(&mut c).await?;
    same(found, vec![1])
}

async fn types() -> Outcome {
    let mut c = plain().await?;
    for (n, (kind, value)) in values().into_iter().enumerate() {
        run(&mut c, format!("CREATE TABLE types{n} (id INT PRIMARY KEY, v {kind})")).await?;
        let insert = format!("INSERT INTO types{n} VALUES (1, ?), (2, NULL)");
        sqlx::query(AssertSqlSafe(insert)).bind(&value).execute(&mut c).await?;
        let select = format!("SELECT CAST(v AS CHAR) AS s, v FROM types{n} ORDER BY id");
        let rows = sqlx::query(AssertSqlSafe(select.clone())).fetch_all(&mut c).await?;
        if kind != "FLOAT" {
            same((&kind, rows[0].try_get::<String, _>(0)?), (&kind, value.clone()))?;
        }
        same(
            (&kind, rows[0].try_get_raw(1)?.is_null(), rows[1].try_get_raw(1)?.is_null()),
            (&kind, false, true),
        )?;
        let rows = c.fetch_all(sqlx::raw_sql(AssertSqlSafe(select))).await?;
        if !kind.contains("FLOAT") && !kind.contains("DOUBLE") {
            same((&kind, rows[0].try_get_unchecked::<String, _>(1)?), (&kind, value))?;
        }
    }
    let raw: Vec<u8> = (0..=255).collect();
    run(&mut c, "CREATE TABLE raw (a VARBINARY(2000), b LONGBLOB, c BIT(64))").await?;
    sqlx::query("INSERT INTO raw VALUES (?, ?, b'1010')").bind(&raw).bind(&raw).execute(&mut c).await?;
    let found: (Vec<u8>, Vec<u8>, u64) = sqlx::query_as("SELECT a, b, c FROM raw").fetch_one(&mut c).await?;
    same(found, (raw.clone(), raw, 10))
}

async fn multi() -> Outcome {
    let mut c = plain().await?;
    let rows = c.fetch_all(sqlx::raw_sql("SELECT 1; DO 0; SELECT 2")).await?;
    let found: Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    same(found?, vec![1, 2])
}

async fn big() -> Outcome {
    let mut c = plain().await?;
    let value = "0123456789abcdef".repeat(20 * 65_536);
    run(&mut c, "CREATE TABLE big (v LONGTEXT)").await?;
    sqlx::query("INSERT INTO big VALUES (?)").bind(&value).execute(&mut c).await?;
    let found: String = sqlx::query_scalar("SELECT v FROM big").fetch_one(&mut c).await?;
    same(found == value, true)
}

async fn errors() -> Outcome {
    let mut c = plain().await?;
    run(&mut c, "CREATE TABLE errors (id INT PRIMARY KEY); INSERT INTO errors VALUES (1)").await?;
    for (sql, code, state) in [
        ("INSERT INTO errors VALUES (1)", 1062, "23000"),
        ("SELECT * FROM missing", 1146, "42S02"),
        ("SELEC 1", 1064, "42000"),
    ] {
        same(refusal(sqlx::query(sql).execute(&mut c).await)?, (code, state.to_owned()))?;
    }
    Ok(())
}

async fn pool() -> Outcome {
    let pool = MySqlPoolOptions::new().max_connections(3).connect_with(options(&env("DB_PASSWORD"))?).await?;
    for n in 0..10i64 {
        let found: i64 = sqlx::query_scalar("SELECT ?").bind(n).fetch_one(&pool).await?;
        same(found, n)?;
    }
    pool.close().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let password_of = env("DB_PASSWORD");
    tell("tcp", async { one(options(&password_of)?).await }.await);
    tell("socket", async { one(options(&password_of)?.socket(env("DB_SOCKET"))).await }.await);
    let secure = async {
        let options = options(&password_of)?.ssl_mode(MySqlSslMode::VerifyCa).ssl_ca(env("DB_CA"));
        one(options).await
    };
    tell("tls", secure.await);
    tell("password", password().await);
    tell("text", text().await);
    tell("prepared", prepared().await);
    tell("transactions", transactions().await);
    tell("types", types().await);
    tell("multi", multi().await);
    tell("big", big().await);
    tell("errors", errors().await);
    none("user", "not in sqlx");
    tell("pool", pool().await);
    none("compression", "not in sqlx");
}
