//! The 22 queries: the specification's templates with its validation values.
//!
//! Three are written as variants that every server here understands: Q1 without the interval's precision, Q13 with
//! an alias instead of a list of columns after the derived table's name, Q15 with a common table expression
//! instead of a view. Those of which the first rows are wanted have LIMIT.

use tpchgen::q_and_a::queries::query;

/// One query.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// 1 to 22
    pub number: u8,
    values: &'static [&'static str],
    limit: u8,
    /// The columns of its ORDER BY, as positions: rows equal in them may come in any order
    pub order: &'static [usize],
}

const fn new(number: u8, values: &'static [&'static str], limit: u8, order: &'static [usize]) -> Query {
    Query { number, values, limit, order }
}

/// All of them, by number.
pub const QUERIES: [Query; 22] = [
    new(1, &["90"], 0, &[0, 1]),
    new(2, &["15", "BRASS", "EUROPE"], 100, &[0, 2, 1, 3]),
    new(3, &["BUILDING", "1995-03-15"], 10, &[1, 2]),
    new(4, &["1993-07-01"], 0, &[0]),
    new(5, &["ASIA", "1994-01-01"], 0, &[1]),
    new(6, &["1994-01-01", "0.06", "24"], 0, &[]),
    new(7, &["FRANCE", "GERMANY"], 0, &[0, 1, 2]),
    new(8, &["BRAZIL", "AMERICA", "ECONOMY ANODIZED STEEL"], 0, &[0]),
    new(9, &["green"], 0, &[0, 1]),
    new(10, &["1993-10-01"], 20, &[2]),
    // The share is 0.0001 divided by the scale factor.
    new(11, &["GERMANY", "0.0001"], 0, &[1]),
    new(12, &["MAIL", "SHIP", "1994-01-01"], 0, &[0]),
    new(13, &["special", "requests"], 0, &[1, 0]),
    new(14, &["1995-09-01"], 0, &[]),
    new(15, &["1996-01-01"], 0, &[0]),
    new(16, &["Brand#45", "MEDIUM POLISHED", "49", "14", "23", "45", "19", "3", "36", "9"], 0, &[3, 0, 1, 2]),
    new(17, &["Brand#23", "MED BOX"], 0, &[]),
    new(18, &["300"], 100, &[4, 3]),
    new(19, &["Brand#12", "Brand#23", "Brand#34", "1", "10", "20"], 0, &[]),
    new(20, &["forest", "1994-01-01", "CANADA"], 0, &[0]),
    new(21, &["SAUDI ARABIA"], 100, &[1, 0]),
    new(22, &["13", "31", "23", "29", "30", "18", "17"], 0, &[0]),
];

const Q15: &str = "with revenue (supplier_no, total_revenue) as (
	select l_suppkey, sum(l_extendedprice * (1 - l_discount))
	from lineitem
	where l_shipdate >= date ':1' and l_shipdate < date ':1' + interval '3' month
	group by l_suppkey
)
select s_suppkey, s_name, s_address, s_phone, total_revenue
from supplier, revenue
where s_suppkey = supplier_no and total_revenue = (select max(total_revenue) from revenue)
order by s_suppkey";

impl Query {
    /// Its text at a scale.
    pub fn text(&self, scale: f64) -> String {
        let template = match self.number {
            15 => Q15,
            number => query(i32::from(number)).unwrap_or_default(),
        };
        let mut text = template.trim().trim_end_matches(';').to_owned();
        text =
            text.replace("day (3)", "day").replace("count(o_orderkey)\n", "count(o_orderkey) as c_count\n");
        text = text.replace("as c_orders (c_custkey, c_count)", "as c_orders");
        // From the last on, since `:1` begins `:10` too.
        for (n, value) in self.values.iter().enumerate().rev() {
            let value = match (self.number, n) {
                (11, 1) => format!("{:.10}", 0.0001 / scale),
                _ => (*value).to_owned(),
            };
            text = text.replace(&format!(":{}", n + 1), &value);
        }
        if self.limit > 0 {
            text.push_str(&format!("\nlimit {}", self.limit));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_has_a_place_left_without_its_value() {
        for (n, query) in QUERIES.iter().enumerate() {
            assert_eq!(usize::from(query.number), n + 1);
            let text = query.text(1.0);
            assert!(!text.contains(':') && !text.contains(';'), "Q{}: {text}", query.number);
        }
        assert!(QUERIES[10].text(0.01).contains("* 0.0100000000"));
        assert!(QUERIES[12].text(1.0).contains("as c_count"));
    }
}
