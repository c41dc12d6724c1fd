//! Histograms of columns: what ANALYZE TABLE .. UPDATE HISTOGRAM found, kept as a part of the table's definition.
//!
//! So they go where the table goes (RENAME, DROP, restart), and a plan made without one is made anew. A column that is
//! dropped or changes its type loses its histogram.

use rustydb_transaction::Transaction;
use rustydb_value::Value;

use crate::catalog::Catalog;
use crate::change::CatalogChange;
use crate::definitions::TableDef;
use crate::error::Result;

/// The most buckets of a histogram.
pub const MAX_BUCKETS: usize = 1024;

/// How the values of a column are spread.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramDef {
    /// The id of the column.
    pub column: u32,
    /// One bucket for each value; else each bucket has a range of values, and about as many rows as every other.
    pub singleton: bool,
    /// In the order of their values.
    pub buckets: Vec<Bucket>,
    /// How many the statement asked for.
    pub buckets_specified: u32,
    /// The share of rows that are NULL.
    pub nulls: f64,
    /// The share of rows that were looked at.
    pub sampled: f64,
    /// When, in microseconds since 1970 UTC.
    pub updated_micros: u64,
    /// It is to be made anew with the other statistics.
    pub auto_update: bool,
}

/// A value, or a range of values, of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// The least value.
    pub low: Value,
    /// The greatest value.
    pub high: Value,
    /// The share of rows with a value up to the greatest.
    pub cumulative: f64,
    /// How many values there are in it.
    pub distinct: u64,
}

impl TableDef {
    /// The histogram of a column, by its position.
    pub fn histogram(&self, column: usize) -> Option<&HistogramDef> {
        let id = self.columns.get(column)?.id;
        self.histograms.iter().find(|histogram| histogram.column == id)
    }
}

impl Catalog {
    /// Gives a table other histograms: those of `columns` go, `new` come in their place.
    ///
    /// # Errors
    /// As [`Catalog::drop_tables`].
    pub fn set_histograms(
        &self,
        transaction: &mut Transaction,
        (database, name): (&str, &str),
        columns: &[u32],
        new: Vec<HistogramDef>,
    ) -> Result<CatalogChange> {
        let (key, mut def) = self.own_table(transaction, database, name)?;
        def.histograms.retain(|histogram| !columns.contains(&histogram.column));
        let known = new.into_iter().filter(|new| def.columns.iter().any(|column| column.id == new.column));
        def.histograms.extend(known);
        def.histograms.sort_by_key(|histogram| histogram.column);
        let edit = self.put_table(transaction, &key, def)?;
        Ok(CatalogChange { edits: vec![edit], ..CatalogChange::default() })
    }
}
