//! The queries: tables, the equalities that join them, and what is asked of them.

use rustydb_testkit::random::Random;

/// A query of the benchmark.
pub(super) struct Query {
    /// Tables and what they are called.
    pub(super) tables: &'static [(&'static str, &'static str)],
    /// Pairs of columns that are equal.
    joins: &'static [(&'static str, &'static str)],
    /// Conditions.
    filter: &'static str,
}

impl Query {
    /// The text; in an order that is forced, if one is given.
    pub(super) fn sql(&self, order: Option<&[usize]>, within: u128) -> String {
        let written: Vec<usize> = (0..self.tables.len()).collect();
        let tables = order.unwrap_or(&written).iter().filter_map(|at| self.tables.get(*at));
        let tables: Vec<String> = tables.map(|(table, alias)| format!("{table} {alias}")).collect();
        let joins: Vec<String> = self.joins.iter().map(|(a, b)| format!("{a} = {b}")).collect();
        let straight = if order.is_some() { "STRAIGHT_JOIN " } else { "" };
        format!(
            "SELECT /*+ MAX_EXECUTION_TIME({within}) */ {straight}COUNT(*), MIN({}.id) FROM {} WHERE {} AND {}",
            self.tables.first().map_or("", |table| table.1),
            tables.join(", "),
            joins.join(" AND "),
            self.filter,
        )
    }

    /// An order in which every table is joined to one before it.
    pub(super) fn random_order(&self, random: &mut Random) -> Vec<usize> {
        let all: Vec<usize> = (0..self.tables.len()).collect();
        let mut order = vec![random.pick(&all).copied().unwrap_or(0)];
        while order.len() < all.len() {
            let near: Vec<usize> = all.iter().copied().filter(|at| self.is_next(*at, &order)).collect();
            let Some(next) = random.pick(&near) else { break };
            order.push(*next);
        }
        order
    }

    fn is_next(&self, at: usize, order: &[usize]) -> bool {
        let alias = |column: &str| column.split('.').next().unwrap_or("").to_owned();
        let place = |name: String| self.tables.iter().position(|table| table.1 == name);
        !order.contains(&at)
            && self.joins.iter().any(|(a, b)| {
                let (a, b) = (place(alias(a)), place(alias(b)));
                (a == Some(at) && b.is_some_and(|b| order.contains(&b)))
                    || (b == Some(at) && a.is_some_and(|a| order.contains(&a)))
            })
    }
}

const T: (&str, &str) = ("title", "t");
const KT: (&str, &str) = ("kind_type", "kt");
const MC: (&str, &str) = ("movie_companies", "mc");
const CN: (&str, &str) = ("company_name", "cn");
const CT: (&str, &str) = ("company_type", "ct");
const MK: (&str, &str) = ("movie_keyword", "mk");
const K: (&str, &str) = ("keyword", "k");
const MI: (&str, &str) = ("movie_info", "mi");
const IT: (&str, &str) = ("info_type", "it");
const MX: (&str, &str) = ("movie_info_idx", "mx");
const IX: (&str, &str) = ("info_type", "ix");
const CI: (&str, &str) = ("cast_info", "ci");
const N: (&str, &str) = ("name", "n");
const AN: (&str, &str) = ("aka_name", "an");
const RT: (&str, &str) = ("role_type", "rt");
const ML: (&str, &str) = ("movie_link", "ml");
const LT: (&str, &str) = ("link_type", "lt");
const T2: (&str, &str) = ("title", "t2");

const KIND: (&str, &str) = ("t.kind_id", "kt.id");
const COMPANY: [(&str, &str); 2] = [("mc.movie_id", "t.id"), ("mc.company_id", "cn.id")];
const WORD: [(&str, &str); 2] = [("mk.movie_id", "t.id"), ("mk.keyword_id", "k.id")];
const SAID: [(&str, &str); 2] = [("mi.movie_id", "t.id"), ("mi.info_type_id", "it.id")];
const RATED: [(&str, &str); 2] = [("mx.movie_id", "t.id"), ("mx.info_type_id", "ix.id")];
const PLAYED: [(&str, &str); 2] = [("ci.movie_id", "t.id"), ("ci.person_id", "n.id")];
const TYPE: (&str, &str) = ("mc.company_type_id", "ct.id");
const ROLE: (&str, &str) = ("ci.role_id", "rt.id");
const ALSO: (&str, &str) = ("an.person_id", "n.id");
const LINK: [(&str, &str); 2] = [("ml.movie_id", "t.id"), ("ml.link_type_id", "lt.id")];

/// All of them, those with the fewest tables first.
pub(super) const ALL: &[Query] = &[
    Query {
        tables: &[K, MK, MI, T],
        joins: &[WORD[0], WORD[1], SAID[0]],
        filter: "k.keyword = 'sequel' AND mi.info = 'Drama' AND t.production_year > 2005",
    },
    Query {
        tables: &[CN, K, MC, MK, T],
        joins: &[COMPANY[0], COMPANY[1], WORD[0], WORD[1]],
        filter: "cn.country_code = '[de]' AND k.keyword = 'character-name-in-title'",
    },
    Query {
        tables: &[CT, IX, MC, MX, T],
        joins: &[TYPE, COMPANY[0], RATED[0], RATED[1]],
        filter: "ct.kind = 'production companies' AND ix.info = 'votes' AND mc.note LIKE '%(co-production)%' AND mx.info > '9'",
    },
    Query {
        tables: &[IX, K, MX, MK, T],
        joins: &[RATED[0], RATED[1], WORD[0], WORD[1]],
        filter: "ix.info = 'rating' AND k.keyword LIKE '%sequel%' AND mx.info > '5.0' AND t.production_year > 2005",
    },
    Query {
        tables: &[CT, IT, MC, MI, T],
        joins: &[TYPE, COMPANY[0], SAID[0], SAID[1]],
        filter: "ct.kind = 'production companies' AND mc.note LIKE '%(TV)%' AND mi.info IN ('Country [se]', 'Country [pl]') AND t.production_year > 1990",
    },
    Query {
        tables: &[CI, K, MK, N, T],
        joins: &[PLAYED[0], PLAYED[1], WORD[0], WORD[1]],
        filter: "k.keyword = 'superhero' AND n.name LIKE 'D%' AND t.production_year > 1950",
    },
    Query {
        tables: &[N, CI, T, KT, RT],
        joins: &[PLAYED[0], PLAYED[1], KIND, ROLE],
        filter: "n.name = 'C2 Person' AND kt.kind = 'movie'",
    },
    Query {
        tables: &[CN, CT, MC, T, KT, MI],
        joins: &[COMPANY[0], COMPANY[1], TYPE, KIND, SAID[0]],
        filter: "cn.country_code = '[jp]' AND ct.kind = 'distributors' AND mi.info = 'Horror'",
    },
    Query {
        tables: &[AN, CI, CN, MC, N, RT, T],
        joins: &[ALSO, PLAYED[0], PLAYED[1], COMPANY[0], COMPANY[1], ROLE],
        filter: "ci.note = '(voice)' AND cn.country_code = '[jp]' AND rt.role = 'actress'",
    },
    Query {
        tables: &[AN, CI, CN, K, MC, MK, N, T],
        joins: &[ALSO, PLAYED[0], PLAYED[1], COMPANY[0], COMPANY[1], WORD[0], WORD[1]],
        filter: "cn.country_code = '[fr]' AND k.keyword = 'superhero' AND t.production_year < 1960",
    },
    Query {
        tables: &[CI, CN, CT, MC, RT, T, N],
        joins: &[PLAYED[0], PLAYED[1], COMPANY[0], COMPANY[1], TYPE, ROLE],
        filter: "ci.note LIKE '%(producer)%' AND cn.country_code = '[se]' AND rt.role = 'producer' AND t.production_year > 2010",
    },
    Query {
        tables: &[CN, CT, K, LT, MC, MK, ML, T],
        joins: &[COMPANY[0], COMPANY[1], TYPE, WORD[0], WORD[1], LINK[0], LINK[1]],
        filter: "cn.country_code <> '[pl]' AND ct.kind = 'production companies' AND k.keyword = 'sequel' AND lt.link LIKE '%follow%' AND mc.note IS NULL",
    },
    Query {
        tables: &[CN, CT, IT, IX, MC, MI, MX, T],
        joins: &[COMPANY[0], COMPANY[1], TYPE, SAID[0], SAID[1], RATED[0], RATED[1]],
        filter: "cn.country_code = '[us]' AND ct.kind = 'distributors' AND it.info = 'genres' AND ix.info = 'rating' AND mi.info = 'Western' AND mx.info > '8.0' AND t.production_year BETWEEN 2005 AND 2008",
    },
    Query {
        tables: &[CN, CT, IT, IX, KT, MC, MI, MX, T],
        joins: &[COMPANY[0], COMPANY[1], TYPE, SAID[0], SAID[1], RATED[0], RATED[1], KIND],
        filter: "cn.country_code = '[de]' AND ct.kind = 'production companies' AND ix.info = 'rating' AND it.info = 'release dates' AND kt.kind = 'movie' AND mx.info < '3.0'",
    },
    Query {
        tables: &[IX, IT, K, KT, MI, MX, MK, T],
        joins: &[RATED[0], RATED[1], SAID[0], SAID[1], WORD[0], WORD[1], KIND],
        filter: "ix.info = 'rating' AND it.info = 'countries' AND k.keyword IN ('superhero', 'sequel', 'keyword77') AND kt.kind = 'movie' AND mi.info IN ('Country [se]', 'Country [de]') AND mx.info < '8.5' AND t.production_year > 1980",
    },
    Query {
        tables: &[IT, K, CN, CT, MC, MI, MK, T, KT],
        joins: &[SAID[0], SAID[1], WORD[0], WORD[1], COMPANY[0], COMPANY[1], TYPE, KIND],
        filter: "cn.country_code = '[us]' AND it.info = 'release dates' AND mc.note LIKE '%(USA)%' AND mi.info LIKE 'USA:% 198%' AND k.keyword LIKE 'keyword9%'",
    },
    Query {
        tables: &[CI, IT, IX, MI, MX, N, T],
        joins: &[PLAYED[0], PLAYED[1], SAID[0], SAID[1], RATED[0], RATED[1]],
        filter: "ci.note = '(screenplay)' AND it.info = 'genres' AND ix.info = 'votes' AND mi.info = 'Horror' AND n.gender = 'm' AND mx.info > '9'",
    },
    Query {
        tables: &[AN, CN, CI, IT, MC, MI, N, RT, T],
        joins: &[ALSO, COMPANY[0], COMPANY[1], PLAYED[0], PLAYED[1], SAID[0], SAID[1], ROLE],
        filter: "ci.note = '(voice)' AND cn.country_code = '[us]' AND it.info = 'release dates' AND mc.note LIKE '%(USA)%' AND mi.info LIKE 'USA:%200%' AND n.gender = 'f' AND n.name LIKE 'V%' AND rt.role = 'actress'",
    },
    Query {
        tables: &[CI, K, KT, MK, MX, IX, N, T, RT],
        joins: &[PLAYED[0], PLAYED[1], WORD[0], WORD[1], RATED[0], RATED[1], KIND, ROLE],
        filter: "k.keyword IN ('superhero', 'keyword300', 'keyword301') AND kt.kind = 'movie' AND ix.info = 'rating' AND mx.info > '7.0' AND t.production_year > 2000",
    },
    Query {
        tables: &[CN, CT, K, LT, MC, MI, MK, ML, T],
        joins: &[COMPANY[0], COMPANY[1], TYPE, WORD[0], WORD[1], LINK[0], LINK[1], SAID[0]],
        filter: "cn.country_code = '[us]' AND ct.kind = 'production companies' AND k.keyword = 'keyword5' AND lt.link LIKE '%follow%' AND mi.info IN ('Drama', 'Western') AND t.production_year BETWEEN 1950 AND 2000",
    },
    Query {
        tables: &[CI, IT, IX, K, MI, MX, MK, N, T],
        joins: &[PLAYED[0], PLAYED[1], SAID[0], SAID[1], RATED[0], RATED[1], WORD[0], WORD[1]],
        filter: "ci.note IN ('(screenplay)', '(executive producer)') AND it.info = 'genres' AND ix.info = 'votes' AND k.keyword IN ('keyword50', 'superhero', 'keyword51') AND mi.info = 'Horror' AND n.gender = 'm'",
    },
    Query {
        tables: &[AN, CI, CN, CT, IT, K, MC, MI, MK, N, T],
        joins: &[
            ALSO, PLAYED[0], PLAYED[1], COMPANY[0], COMPANY[1], TYPE, SAID[0], SAID[1], WORD[0], WORD[1],
        ],
        filter: "cn.country_code = '[us]' AND it.info = 'release dates' AND k.keyword = 'superhero' AND mi.info LIKE 'USA:%' AND n.gender = 'f' AND t.production_year > 1930",
    },
    Query {
        tables: &[CI, CN, IT, IX, K, MC, MI, MX, MK, N, T, KT],
        joins: &[
            PLAYED[0], PLAYED[1], COMPANY[0], COMPANY[1], SAID[0], SAID[1], RATED[0], RATED[1], WORD[0],
            WORD[1], KIND,
        ],
        filter: "ci.note = '(screenplay)' AND it.info = 'genres' AND ix.info = 'votes' AND k.keyword IN ('superhero', 'keyword400') AND mi.info IN ('Horror', 'Thriller') AND n.gender = 'm' AND cn.name LIKE 'Film%'",
    },
    Query {
        tables: &[CN, CT, IT, IX, KT, MC, MI, MX, T, ML, LT, T2],
        joins: &[
            COMPANY[0],
            COMPANY[1],
            TYPE,
            SAID[0],
            SAID[1],
            RATED[0],
            RATED[1],
            KIND,
            LINK[0],
            LINK[1],
            ("ml.linked_movie_id", "t2.id"),
        ],
        filter: "cn.country_code = '[us]' AND it.info = 'genres' AND ix.info = 'rating' AND lt.link = 'follows' AND mx.info < '3.5' AND t2.production_year BETWEEN 2005 AND 2008",
    },
    Query {
        tables: &[AN, CI, CN, CT, IT, IX, K, MC, MI, MX, MK, N, T],
        joins: &[
            ALSO, PLAYED[0], PLAYED[1], COMPANY[0], COMPANY[1], TYPE, SAID[0], SAID[1], RATED[0], RATED[1],
            WORD[0], WORD[1],
        ],
        filter: "ci.note = '(voice)' AND cn.country_code = '[us]' AND it.info = 'release dates' AND ix.info = 'rating' AND k.keyword LIKE 'keyword77%' AND n.gender = 'f' AND mx.info > '4.0' AND t.production_year > 1925",
    },
];
