//! The tables: films, who made them, what is said of them.
//!
//! Keys are drawn so that few of them have a large share of all rows (an even draw to the power of 1.5): some films have
//! hundreds of people, most have a handful. Attributes depend on each other as they do in life: the year on the film's
//! number, the note on the company's country, so that the product of two shares is not the share of both.

use mysql::Conn;
use mysql::prelude::Queryable;
use rustydb_testkit::Result;
use rustydb_testkit::random::Random;
use std::fmt::Write as _;

/// Rows of one INSERT.
const AT_ONCE: u64 = 1000;

/// Rows by table at scale 1.
const TITLES: u64 = 10_000;
const NAMES: u64 = 12_000;
const COMPANIES: u64 = 1_500;
const KEYWORDS: u64 = 1_000;

const SCHEMA: &[&str] = &[
    "create table kind_type (id int primary key, kind varchar(15))",
    "create table info_type (id int primary key, info varchar(32))",
    "create table company_type (id int primary key, kind varchar(32))",
    "create table role_type (id int primary key, role varchar(32))",
    "create table link_type (id int primary key, link varchar(32))",
    "create table keyword (id int primary key, keyword varchar(40), key (keyword))",
    "create table company_name (id int primary key, name varchar(60), country_code varchar(8), key (country_code))",
    "create table name (id int primary key, name varchar(60), gender char(1), key (name))",
    "create table title (id int primary key, title varchar(80), kind_id int, production_year int, \
     key (kind_id), key (production_year))",
    "create table aka_name (id int primary key, person_id int, name varchar(60), key (person_id))",
    "create table movie_companies (id int primary key, movie_id int, company_id int, company_type_id int, \
     note varchar(60), key (movie_id), key (company_id), key (company_type_id))",
    "create table movie_keyword (id int primary key, movie_id int, keyword_id int, key (movie_id), key (keyword_id))",
    "create table movie_info (id int primary key, movie_id int, info_type_id int, info varchar(60), \
     key (movie_id), key (info_type_id))",
    "create table movie_info_idx (id int primary key, movie_id int, info_type_id int, info varchar(20), \
     key (movie_id), key (info_type_id))",
    "create table cast_info (id int primary key, person_id int, movie_id int, role_id int, note varchar(40), \
     nr_order int, key (person_id), key (movie_id), key (role_id))",
    "create table movie_link (id int primary key, movie_id int, linked_movie_id int, link_type_id int, \
     key (movie_id), key (linked_movie_id), key (link_type_id))",
];

const COUNTRIES: &[&str] =
    &["[us]", "[us]", "[us]", "[us]", "[gb]", "[gb]", "[de]", "[fr]", "[jp]", "[se]", "[pl]"];
const GENRES: &[&str] =
    &["Drama", "Drama", "Drama", "Comedy", "Comedy", "Action", "Horror", "Thriller", "Western"];

/// A number below `bound`, small ones far more often.
fn skewed(random: &mut Random, bound: u64) -> u64 {
    let even = random.below(1 << 20) as f64 / f64::from(1 << 20);
    ((even * even.sqrt()) * bound as f64) as u64
}

/// Fills all tables; gives the number of rows.
pub(super) fn load(conn: &mut Conn, scale: u64, seed: u64) -> Result<u64> {
    conn.query_drop("create database films")?;
    conn.query_drop("use films")?;
    for table in SCHEMA {
        conn.query_drop(table)?;
    }
    let mut random = Random::new(seed);
    let (titles, names) = (TITLES * scale, NAMES * scale);
    let (companies, keywords) = (COMPANIES * scale, KEYWORDS * scale);
    let mut rows = 0;
    let mut fill = |table: &str, count: u64, row: &mut dyn FnMut(u64) -> String| -> Result<()> {
        for start in (1..=count).step_by(AT_ONCE as usize) {
            let mut text = format!("insert into {table} values ");
            for id in start..(start + AT_ONCE).min(count + 1) {
                let comma = if id == start { "" } else { "," };
                let _ = write!(text, "{comma}({id},{})", row(id));
            }
            conn.query_drop(text)?;
        }
        rows += count;
        Ok(())
    };
    let kinds = ["movie", "tv series", "tv movie", "video movie", "tv mini series", "video game", "episode"];
    fill("kind_type", 7, &mut |id| format!("'{}'", kinds.get(id as usize - 1).unwrap_or(&"")))?;
    fill("info_type", 110, &mut |id| match id {
        3 => "'genres'".into(),
        8 => "'countries'".into(),
        16 => "'release dates'".into(),
        99 => "'votes'".into(),
        101 => "'rating'".into(),
        id => format!("'info{id}'"),
    })?;
    let types =
        ["production companies", "distributors", "special effects companies", "miscellaneous companies"];
    fill("company_type", 4, &mut |id| format!("'{}'", types.get(id as usize - 1).unwrap_or(&"")))?;
    let roles = ["actor", "actress", "producer", "writer", "director", "editor"];
    fill("role_type", 6, &mut |id| format!("'{}'", roles.get(id as usize - 1).unwrap_or(&"")))?;
    fill("link_type", 18, &mut |id| match id {
        1 => "'follows'".into(),
        2 => "'followed by'".into(),
        id => format!("'link{id}'"),
    })?;
    fill("keyword", keywords, &mut |id| match id {
        3 => "'character-name-in-title'".into(),
        40 => "'sequel'".into(),
        200 => "'superhero'".into(),
        id => format!("'keyword{id}'"),
    })?;
    fill("company_name", companies, &mut |id| {
        let country = random.pick(COUNTRIES).copied().unwrap_or("[us]");
        let what = if id % 9 == 0 {
            "Film"
        } else if id % 31 == 0 {
            "Warner"
        } else {
            "Pictures"
        };
        format!("'{what} {id}','{country}'")
    })?;
    fill("name", names, &mut |id| {
        let gender = if id % 3 == 0 { "f" } else { "m" };
        let letter = (b'A' + (id % 26) as u8) as char;
        format!("'{letter}{id} Person','{gender}'")
    })?;
    fill("title", titles, &mut |id| {
        let kind = 1 + skewed(&mut random, 7);
        // Later films have larger numbers.
        let year = 1920 + 100 * id / titles - random.below(10);
        format!("'Title {}',{kind},{year}", id * 7 % 1000)
    })?;
    fill("aka_name", names / 2, &mut |id| format!("{},'aka {id}'", 1 + skewed(&mut random, names)))?;
    fill("movie_companies", titles * 5 / 2, &mut |_| {
        let company = 1 + skewed(&mut random, companies);
        let kind = 1 + random.below(2) + 2 * u64::from(random.once_in(20));
        let note = match random.below(10) {
            0 | 1 => "'(co-production)'",
            2 => "'(presents)'",
            3..=5 if company % 11 < 4 => "'(2006) (USA) (TV)'",
            3..=5 => "'(VHS)'",
            _ => "null",
        };
        format!("{},{company},{kind},{note}", 1 + skewed(&mut random, titles))
    })?;
    fill("movie_keyword", titles * 4, &mut |_| {
        format!("{},{}", 1 + skewed(&mut random, titles), 1 + skewed(&mut random, keywords))
    })?;
    fill("movie_info", titles * 6, &mut |_| {
        let kind = match random.below(10) {
            0..=2 => 3,
            3 | 4 => 8,
            5 | 6 => 16,
            _ => 1 + random.below(98),
        };
        let info = match kind {
            3 => random.pick(GENRES).map_or_else(String::new, |genre| (*genre).to_owned()),
            8 => random.pick(COUNTRIES).map_or_else(String::new, |country| format!("Country {country}")),
            16 => format!("USA:{} {}", 1 + random.below(12), 1930 + random.below(90)),
            kind => format!("info {kind} {}", random.below(500)),
        };
        format!("{},{kind},'{info}'", 1 + random.below(titles))
    })?;
    fill("movie_info_idx", titles * 2, &mut |id| {
        let (kind, info) = match id % 2 {
            0 => (101, format!("{}.{}", 1 + random.below(9), random.below(10))),
            _ => (99, skewed(&mut random, 100_000).to_string()),
        };
        format!("{},{kind},'{info}'", 1 + (id / 2) % titles)
    })?;
    fill("cast_info", titles * 10, &mut |_| {
        let role = 1 + skewed(&mut random, 6);
        let note = match role {
            1 | 2 if random.once_in(8) => "'(voice)'",
            3 => "'(executive producer)'",
            4 if random.once_in(2) => "'(screenplay)'",
            _ => "null",
        };
        let order = random.below(40);
        format!(
            "{},{},{role},{note},{order}",
            1 + skewed(&mut random, names),
            1 + skewed(&mut random, titles)
        )
    })?;
    fill("movie_link", titles / 4, &mut |_| {
        let films = (1 + skewed(&mut random, titles), 1 + random.below(titles));
        format!("{},{},{}", films.0, films.1, 1 + skewed(&mut random, 18))
    })?;
    Ok(rows)
}
