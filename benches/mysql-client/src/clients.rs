//! The same two questions to each client, in the way that its own documentation shows.

use crate::Failure;
use crate::server::{DATABASE, FETCH, POINT, Server, driver};
use mysql_async::prelude::Queryable;
use rustydb_mysql::config::PoolConfig;
use rustydb_mysql::connection::ServerDriver;
use rustydb_mysql::driver::{Credential, Session};
use rustydb_mysql::pool::{Pool, PooledConnection};
use rustydb_mysql::statements::CachingDriver;
use rustydb_mysql::value::NO_PARAMETERS;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode};
use std::time::Duration;
use tokio::time::Instant;

/// One of the clients.
pub(crate) enum Client {
    Ours(Ours),
    Theirs(Theirs),
    Third(Third),
}

impl Client {
    /// A point query on a connection of the pool.
    pub(crate) async fn point(&self, id: i64) -> Result<(), Failure> {
        let row = match self {
            Client::Ours(client) => client.point(id).await?,
            Client::Theirs(client) => client.point(id).await?,
            Client::Third(client) => client.point(id).await?,
        };
        match row {
            Some((found, _, _)) if found == id => Ok(()),
            _ => Err(format!("no row {id}").into()),
        }
    }

    /// All rows, kept; says how many.
    pub(crate) async fn fetch(&self) -> Result<usize, Failure> {
        match self {
            Client::Ours(client) => client.fetch().await,
            Client::Theirs(client) => client.fetch().await,
            Client::Third(client) => client.fetch().await,
        }
    }
}

type Point = Option<(i64, String, f64)>;
type OurPool = CachingDriver<ServerDriver>;

pub(crate) struct Ours {
    pool: Pool<OurPool>,
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

impl Ours {
    pub(crate) async fn connect(server: &Server, connections: usize) -> Result<Ours, Failure> {
        let mut config = PoolConfig::sized(connections, connections);
        config.max_waiters = Some(1000);
        let (root, timeout) = (Credential::new("root", ""), Duration::from_secs(10));
        let pool = Pool::new(driver(Some(DATABASE))?, server.endpoint(), root, timeout, config)?;
        pool.warm_up(soon()).await?;
        Ok(Ours { pool })
    }

    pub(crate) async fn acquire(&self) -> Result<PooledConnection<OurPool>, Failure> {
        Ok(self.pool.acquire().await?)
    }

    /// Statements that the server has been sent.
    pub(crate) async fn questions(&self) -> Result<u64, Failure> {
        let mut connection = self.pool.acquire().await?;
        let results = connection.query("SHOW GLOBAL STATUS LIKE 'Questions'", soon()).await?;
        let (_, count): (String, String) = results.one().await?;
        Ok(count.parse()?)
    }

    async fn point(&self, id: i64) -> Result<Point, Failure> {
        let mut connection = self.pool.acquire().await?;
        let results = connection.execute_cached(POINT, &[id], soon()).await?;
        Ok(results.first().await?)
    }

    async fn fetch(&self) -> Result<usize, Failure> {
        let mut connection = self.pool.acquire().await?;
        let mut results = connection.execute_cached(FETCH, NO_PARAMETERS, soon()).await?;
        let rows: Vec<(i64, String, f64, rustydb_mysql::value::DateTime)> = results.rows().await?;
        Ok(rows.len())
    }
}

pub(crate) struct Theirs {
    pool: mysql_async::Pool,
}

impl Theirs {
    pub(crate) fn connect(server: &Server, connections: usize, reset: bool) -> Theirs {
        let constraints = mysql_async::PoolConstraints::new(connections, connections);
        let pool = mysql_async::PoolOpts::default().with_reset_connection(reset);
        let pool = pool.with_constraints(constraints.unwrap_or_default());
        let options = mysql_async::OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(server.port)
            .user(Some("root"))
            .db_name(Some(DATABASE))
            .prefer_socket(false)
            .stmt_cache_size(256)
            .pool_opts(pool);
        Theirs { pool: mysql_async::Pool::new(options) }
    }

    async fn point(&self, id: i64) -> Result<Point, Failure> {
        let mut connection = self.pool.get_conn().await?;
        Ok(connection.exec_first(POINT, (id,)).await?)
    }

    async fn fetch(&self) -> Result<usize, Failure> {
        let mut connection = self.pool.get_conn().await?;
        let rows: Vec<(i64, String, f64, mysql_async::Value)> = connection.exec(FETCH, ()).await?;
        Ok(rows.len())
    }
}

pub(crate) struct Third {
    pool: sqlx::MySqlPool,
}

impl Third {
    pub(crate) async fn connect(server: &Server, connections: usize) -> Result<Third, Failure> {
        let options = MySqlConnectOptions::new()
            .host("127.0.0.1")
            .port(server.port)
            .username("root")
            .database(DATABASE)
            .statement_cache_capacity(256)
            .ssl_mode(MySqlSslMode::Disabled);
        let count = connections as u32;
        let pool = MySqlPoolOptions::new().min_connections(count).max_connections(count);
        Ok(Third { pool: pool.connect_with(options).await? })
    }

    async fn point(&self, id: i64) -> Result<Point, Failure> {
        Ok(sqlx::query_as(POINT).bind(id).fetch_optional(&self.pool).await?)
    }

    async fn fetch(&self) -> Result<usize, Failure> {
        // Times need one more library; without them, which is kinder to sqlx.
        let rows: Vec<(i64, String, f64)> = sqlx::query_as(FETCH).fetch_all(&self.pool).await?;
        Ok(rows.len())
    }
}
