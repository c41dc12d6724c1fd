//! A session of an embedding program: statements, one after the other, with their own variables, default
//! database and transaction.

use crate::collector::Collector;
use crate::row::Rows;
use crate::{Error, FromRow, Parameters, Result};
use rustydb_sql::Session;
use rustydb_transaction::Isolation;

/// What a statement without rows did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Rows inserted, changed or deleted
    pub affected_rows: u64,
    /// First value given out by AUTO_INCREMENT; 0 without one
    pub last_insert_id: u64,
    /// Warnings that SHOW WARNINGS would list
    pub warnings: u16,
}

/// How a transaction runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransactionOptions {
    /// What it sees of others, and what it is refused for
    pub isolation: Isolation,
    /// It changes nothing
    pub read_only: bool,
}

/// A session. Dropping it rolls an open transaction back.
pub struct Connection {
    session: Session,
}

impl Connection {
    pub(crate) fn new(session: Session) -> Connection {
        Connection { session }
    }

    /// Runs a statement and keeps its rows.
    ///
    /// # Errors
    /// [`Error::Sql`], with MySQL's number.
    pub fn query(&mut self, sql: &str, parameters: impl Parameters) -> Result<Rows> {
        Ok(self.run(sql, &parameters)?.rows)
    }

    /// Runs a statement and reads its rows as a type: a tuple, or anything else that is [`FromRow`].
    ///
    /// # Errors
    /// [`Error::Sql`]; [`Error::NoColumn`] and [`Error::Conversion`] when a row is not of the type.
    pub fn query_as<T: FromRow>(&mut self, sql: &str, parameters: impl Parameters) -> Result<Vec<T>> {
        self.query(sql, parameters)?.iter().map(T::from_row).collect()
    }

    /// Runs a statement and reads its first row.
    ///
    /// # Errors
    /// As [`Connection::query_as`], and [`Error::NoRow`].
    pub fn query_one<T: FromRow>(&mut self, sql: &str, parameters: impl Parameters) -> Result<T> {
        self.query(sql, parameters)?.first().map_or(Err(Error::NoRow), T::from_row)
    }

    /// Runs a statement for what it does.
    ///
    /// # Errors
    /// [`Error::Sql`], with MySQL's number.
    pub fn execute(&mut self, sql: &str, parameters: impl Parameters) -> Result<Outcome> {
        let done = self.run(sql, &parameters)?.completion;
        Ok(Outcome {
            affected_rows: done.affected_rows,
            last_insert_id: done.last_insert_id,
            warnings: done.warnings,
        })
    }

    /// Runs `work` in a transaction: committed when it gives Ok, rolled back when it gives Err (or panics).
    /// After a deadlock or a lock wait timeout ([`Error::is_retryable`]) it may be run again.
    ///
    /// # Errors
    /// What `work` gave, or what BEGIN and COMMIT did.
    pub fn transaction<T>(&mut self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        self.execute("START TRANSACTION", ())?;
        self.finish(work)
    }

    /// As [`Connection::transaction`], at an isolation level of its own.
    ///
    /// # Errors
    /// What `work` gave, or what BEGIN and COMMIT did.
    pub fn transaction_with<T>(
        &mut self,
        options: TransactionOptions,
        work: impl FnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        self.session.start_transaction_at(options.isolation, options.read_only)?;
        self.finish(work)
    }

    fn finish<T>(&mut self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut open = OpenTransaction { connection: self, ended: false };
        let outcome = work(open.connection);
        open.ended = true;
        match outcome {
            Ok(value) => open.connection.execute("COMMIT", ()).map(|_| value),
            Err(error) => {
                // The error that ended the work says more than one of ROLLBACK could.
                let _ = open.connection.execute("ROLLBACK", ());
                Err(error)
            }
        }
    }

    fn run(&mut self, sql: &str, parameters: &impl Parameters) -> Result<Collector> {
        let mut collector = Collector::default();
        let values = parameters.to_values();
        if values.is_empty() {
            self.session.query(sql, &mut collector)?;
        } else {
            self.session.execute_text(sql, &values, &mut collector)?;
        }
        Ok(collector)
    }
}

/// Rolls back when the work panics, so that the connection is usable afterwards.
struct OpenTransaction<'a> {
    connection: &'a mut Connection,
    ended: bool,
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.connection.execute("ROLLBACK", ());
        }
    }
}
