//! Many rows by few statements: all of them, or none.
//!
//! How rows become statements is `statements/bulk.rs`. Where one statement is enough it runs like any other; more
//! run in one transaction, which is repeated as a whole after a deadlock.

use super::{Client, Connection, ExecuteResult};
use crate::driver::Driver;
use crate::error::Result;
use crate::statements::BulkInsert;
use crate::transaction::TransactionOptions;
use crate::value::ToValue;

impl<D: Driver + Clone> Client<D> {
    /// Inserts many rows by a statement that inserts one: all of them, or none. The values stand one row behind
    /// the other; an array of rows is given as `rows.as_flattened()`. One statement has as many rows as the
    /// configured batch at most.
    ///
    /// ```no_run
    /// # use rustydb_mysql::client::Client;
    /// # use rustydb_mysql::{Driver, Error, params};
    /// # async fn f<D: Driver + Clone>(client: Client<D>) -> Result<(), Error> {
    /// let rows = [params!["Ada", 36], params!["Grace", 85]];
    /// let sql = "INSERT INTO person (name, age) VALUES (?, ?)";
    /// let done = client.bulk_insert(sql, rows.as_flattened()).await?;
    /// assert_eq!(done.affected_rows, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`execute`](Self::execute); [`Error::Configuration`](crate::Error::Configuration) where the statement
    /// is no `INSERT` or `REPLACE` of one row of parameters, [`Error::Parameters`](crate::Error::Parameters)
    /// where the values make no whole rows.
    pub async fn bulk_insert<P: ToValue + Sync>(&self, sql: &str, values: &[P]) -> Result<ExecuteResult> {
        self.shared.guards.check(sql, self.shared.router.classify(sql))?;
        let insert = BulkInsert::new(sql)?.at_most(self.shared.config.limits.batch);
        let mut batches = insert.batches(values)?;
        if batches.is_one() {
            let Some((sql, values)) = batches.next_batch() else { return Ok(ExecuteResult::default()) };
            let outcome = self.execute(&sql, values).await;
            batches.ended(outcome)?;
            if batches.is_over() {
                return Ok(batches.into_sum());
            }
        }
        let insert = &insert;
        self.with_transaction(TransactionOptions::default(), |mut transaction| async move {
            transaction.bulk_insert(insert, values).await
        })
        .await
    }
}

impl<D: Driver + Clone> Connection<D> {
    /// Inserts many rows. Each statement is a transaction of its own unless one is open: a failure leaves the
    /// rows before it inserted.
    ///
    /// # Errors
    /// As [`Client::bulk_insert`].
    pub async fn bulk_insert<P: ToValue + Sync>(
        &mut self,
        insert: &BulkInsert,
        values: &[P],
    ) -> Result<ExecuteResult> {
        let mut batches = insert.batches(values)?;
        while let Some((sql, values)) = batches.next_batch() {
            let outcome = self.execute(&sql, values).await;
            batches.ended(outcome)?;
        }
        Ok(batches.into_sum())
    }
}
