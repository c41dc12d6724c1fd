//! The eight tables, with the keys that the specification allows: primary keys and indexes on foreign keys.
//!
//! Text compares by its bytes, as the specification's text does and as other engines compare.

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};

/// A table and where its rows come from.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name
    pub name: &'static str,
    /// Columns, as every SQL engine here understands them
    pub columns: &'static str,
    /// Keys in MySQL's words
    keys: &'static str,
    /// For each column, whether its values are written in quotes
    quoted: &'static [bool],
    /// Whether it is large enough to be generated in parts
    pub divisible: bool,
}

const Q: bool = true;
const N: bool = false;

/// In an order in which a referenced table comes before those that refer to it.
pub const TABLES: [Table; 8] = [
    Table {
        name: "region",
        columns: "r_regionkey INTEGER NOT NULL, r_name CHAR(25) NOT NULL, r_comment VARCHAR(152)",
        keys: "PRIMARY KEY (r_regionkey)",
        quoted: &[N, Q, Q],
        divisible: false,
    },
    Table {
        name: "nation",
        columns: "n_nationkey INTEGER NOT NULL, n_name CHAR(25) NOT NULL, n_regionkey INTEGER NOT NULL, \
                  n_comment VARCHAR(152)",
        keys: "PRIMARY KEY (n_nationkey), KEY (n_regionkey)",
        quoted: &[N, Q, N, Q],
        divisible: false,
    },
    Table {
        name: "supplier",
        columns: "s_suppkey INTEGER NOT NULL, s_name CHAR(25) NOT NULL, s_address VARCHAR(40) NOT NULL, \
                  s_nationkey INTEGER NOT NULL, s_phone CHAR(15) NOT NULL, s_acctbal DECIMAL(15,2) NOT NULL, \
                  s_comment VARCHAR(101) NOT NULL",
        keys: "PRIMARY KEY (s_suppkey), KEY (s_nationkey)",
        quoted: &[N, Q, Q, N, Q, N, Q],
        divisible: true,
    },
    Table {
        name: "part",
        columns: "p_partkey INTEGER NOT NULL, p_name VARCHAR(55) NOT NULL, p_mfgr CHAR(25) NOT NULL, \
                  p_brand CHAR(10) NOT NULL, p_type VARCHAR(25) NOT NULL, p_size INTEGER NOT NULL, \
                  p_container CHAR(10) NOT NULL, p_retailprice DECIMAL(15,2) NOT NULL, p_comment VARCHAR(23) NOT NULL",
        keys: "PRIMARY KEY (p_partkey)",
        quoted: &[N, Q, Q, Q, Q, N, Q, N, Q],
        divisible: true,
    },
    Table {
        name: "partsupp",
        columns: "ps_partkey INTEGER NOT NULL, ps_suppkey INTEGER NOT NULL, ps_availqty INTEGER NOT NULL, \
                  ps_supplycost DECIMAL(15,2) NOT NULL, ps_comment VARCHAR(199) NOT NULL",
        keys: "PRIMARY KEY (ps_partkey, ps_suppkey), KEY (ps_suppkey)",
        quoted: &[N, N, N, N, Q],
        divisible: true,
    },
    Table {
        name: "customer",
        columns: "c_custkey INTEGER NOT NULL, c_name VARCHAR(25) NOT NULL, c_address VARCHAR(40) NOT NULL, \
                  c_nationkey INTEGER NOT NULL, c_phone CHAR(15) NOT NULL, c_acctbal DECIMAL(15,2) NOT NULL, \
                  c_mktsegment CHAR(10) NOT NULL, c_comment VARCHAR(117) NOT NULL",
        keys: "PRIMARY KEY (c_custkey), KEY (c_nationkey)",
        quoted: &[N, Q, Q, N, Q, N, Q, Q],
        divisible: true,
    },
    Table {
        name: "orders",
        columns: "o_orderkey INTEGER NOT NULL, o_custkey INTEGER NOT NULL, o_orderstatus CHAR(1) NOT NULL, \
                  o_totalprice DECIMAL(15,2) NOT NULL, o_orderdate DATE NOT NULL, o_orderpriority CHAR(15) NOT NULL, \
                  o_clerk CHAR(15) NOT NULL, o_shippriority INTEGER NOT NULL, o_comment VARCHAR(79) NOT NULL",
        keys: "PRIMARY KEY (o_orderkey), KEY (o_custkey)",
        quoted: &[N, N, Q, N, Q, Q, Q, N, Q],
        divisible: true,
    },
    Table {
        name: "lineitem",
        columns: "l_orderkey INTEGER NOT NULL, l_partkey INTEGER NOT NULL, l_suppkey INTEGER NOT NULL, \
                  l_linenumber INTEGER NOT NULL, l_quantity DECIMAL(15,2) NOT NULL, \
                  l_extendedprice DECIMAL(15,2) NOT NULL, l_discount DECIMAL(15,2) NOT NULL, \
                  l_tax DECIMAL(15,2) NOT NULL, l_returnflag CHAR(1) NOT NULL, l_linestatus CHAR(1) NOT NULL, \
                  l_shipdate DATE NOT NULL, l_commitdate DATE NOT NULL, l_receiptdate DATE NOT NULL, \
                  l_shipinstruct CHAR(25) NOT NULL, l_shipmode CHAR(10) NOT NULL, l_comment VARCHAR(44) NOT NULL",
        keys: "PRIMARY KEY (l_orderkey, l_linenumber), KEY (l_partkey, l_suppkey), KEY (l_suppkey)",
        quoted: &[N, N, N, N, N, N, N, N, Q, Q, Q, Q, Q, Q, Q, Q],
        divisible: true,
    },
];

impl Table {
    /// CREATE TABLE for ours and MySQL's other servers.
    pub fn definition(&self) -> String {
        format!(
            "CREATE TABLE {} ({}, {}) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
            self.name, self.columns, self.keys
        )
    }

    /// Gives `part` (from 1) of `parts` of its rows to `take`, as dbgen writes them: `1|text|2.50|`.
    pub(super) fn rows<E>(
        &self,
        scale: f64,
        part: i32,
        parts: i32,
        mut take: impl FnMut(&dyn std::fmt::Display) -> Result<(), E>,
    ) -> Result<(), E> {
        macro_rules! each {
            ($generator:ident) => {
                $generator::new(scale, part, parts).iter().try_for_each(|row| take(&row))
            };
        }
        match self.name {
            "region" => each!(RegionGenerator),
            "nation" => each!(NationGenerator),
            "supplier" => each!(SupplierGenerator),
            "part" => each!(PartGenerator),
            "partsupp" => each!(PartSuppGenerator),
            "customer" => each!(CustomerGenerator),
            "orders" => each!(OrderGenerator),
            _ => each!(LineItemGenerator),
        }
    }

    /// Turns a line of dbgen's into `(1,'text',2.50)`, appended to `sql`.
    pub(super) fn append_tuple(&self, line: &str, sql: &mut String) {
        sql.push('(');
        for (n, (value, quoted)) in line.trim_end_matches('|').split('|').zip(self.quoted).enumerate() {
            if n > 0 {
                sql.push(',');
            }
            if *quoted {
                sql.push('\'');
                // The generated text has neither backslashes nor control characters.
                for part in value.split_inclusive('\'') {
                    sql.push_str(part);
                    if part.ends_with('\'') {
                        sql.push('\'');
                    }
                }
                sql.push('\'');
            } else {
                sql.push_str(value);
            }
        }
        sql.push(')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generated_row_has_a_value_for_every_column() {
        for table in TABLES {
            let columns = table.columns.split(", ").count();
            assert_eq!(columns, table.quoted.len(), "{}", table.name);
            let mut rows = 0;
            let taken: Result<(), ()> = table.rows(0.001, 1, 1, |row| {
                rows += 1;
                assert_eq!(row.to_string().trim_end_matches('|').split('|').count(), columns);
                Ok(())
            });
            assert!(taken.is_ok() && rows > 0, "{}", table.name);
        }
    }

    #[test]
    fn a_tuple_quotes_text_and_doubles_quotes() {
        let mut sql = String::new();
        TABLES[0].append_tuple("7|it's|''|", &mut sql);
        assert_eq!(sql, "(7,'it''s','''''')");
    }
}
