//! Statements with little memory give the rows that they give with much, on good disks and bad ones.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rustydb_storage::disk::{Caching, Disk, Fault, File, Locked, SimulatedDisk};

use crate::api::SessionOptions;
use crate::database::{Database, OpenOptions};
use crate::exec::scripts::answer;
use crate::session::Session;

use rustydb_transaction::{Cancel, CancelReason};

/// A disk whose temporary files give one bit back wrong, or end the statement, when it is told to.
struct Flipping {
    disk: SimulatedDisk,
    reads: Arc<AtomicU64>,
    watch: Arc<Watch>,
}

struct FlippingFile {
    file: Arc<dyn File>,
    reads: Arc<AtomicU64>,
    watch: Arc<Watch>,
}

/// Cancels the statement at one of the accesses to temporary files, and counts those behind it.
#[derive(Default)]
struct Watch {
    left: AtomicI64,
    behind: AtomicU64,
    cancel: parking_lot::Mutex<Option<Cancel>>,
}

impl Watch {
    fn at(&self, access: i64, cancel: Cancel) {
        self.left.store(access, Ordering::Relaxed);
        self.behind.store(0, Ordering::Relaxed);
        *self.cancel.lock() = Some(cancel);
    }

    fn access(&self) {
        let cancel = self.cancel.lock();
        let Some(cancel) = &*cancel else { return };
        match self.left.fetch_sub(1, Ordering::Relaxed) {
            0 => cancel.cancel(CancelReason::QueryKilled),
            1.. => {}
            _ => {
                self.behind.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Disk for Flipping {
    fn open(&self, name: &str, create: bool, caching: Caching) -> io::Result<Arc<dyn File>> {
        let file = self.disk.open(name, create, caching)?;
        if name.starts_with("temporary-") {
            let (reads, watch) = (Arc::clone(&self.reads), Arc::clone(&self.watch));
            return Ok(Arc::new(FlippingFile { file, reads, watch }));
        }
        Ok(file)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }
    fn lock(&self, name: &str, about: &str) -> io::Result<Result<Box<dyn Locked>, String>> {
        self.disk.lock(name, about)
    }
}

impl File for FlippingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.watch.access();
        self.file.read_at(buffer, offset)?;
        if self.reads.fetch_sub(1, Ordering::Relaxed) == 0 {
            let middle = buffer.len() / 2;
            buffer[middle] ^= 4;
        }
        Ok(())
    }
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.watch.access();
        self.file.write_at(data, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn reserve(&self, length: u64) -> io::Result<()> {
        self.file.reserve(length)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.file.discard(offset, length)
    }
}

struct Server {
    disk: SimulatedDisk,
    reads: Arc<AtomicU64>,
    watch: Arc<Watch>,
    database: Arc<Database>,
    session: Session,
}

impl Server {
    /// A database whose statements have so much memory.
    fn new(memory: usize) -> Server {
        let disk = SimulatedDisk::new(1);
        let reads = Arc::new(AtomicU64::new(u64::MAX / 2));
        let watch = Arc::new(Watch::default());
        let flipping = Flipping { disk: disk.clone(), reads: Arc::clone(&reads), watch: Arc::clone(&watch) };
        let mut options = OpenOptions::new(Arc::new(flipping), disk.clock(), Arc::new(disk.clone()));
        options.engine.background = false;
        options.statement_memory = memory;
        let database = Database::open(options).unwrap();
        let session = database.session(&SessionOptions::root(1)).unwrap();
        let mut server = Server { disk, reads, watch, database, session };
        for statement in [
            "create database s",
            "use s",
            "set cte_max_recursion_depth = 1000000",
            "create table t (id int primary key, i int, d decimal(30,6), f double, v varchar(60), \
             b varbinary(40), at datetime(3), e enum('b','a','c'), j json, k int not null)",
        ] {
            server.run(statement);
        }
        server
    }

    fn run(&mut self, sql: &str) -> Vec<String> {
        let lines = answer(&mut self.session, sql);
        assert!(!lines.iter().any(|l| l.starts_with("ERROR")), "{sql:.200}: {:.300}", lines.join("|"));
        lines
    }

    /// Rows with few and with many different values, NULLs, and texts that are equal without being the same.
    fn fill(&mut self, rows: u64) {
        let mut state = 7u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut values = Vec::new();
        for id in 0..rows {
            let or_null = |text: String, random: &mut dyn FnMut(u64) -> u64| match random(8) {
                0 => "NULL".to_owned(),
                _ => text,
            };
            let i = or_null(format!("{}", random(2000) as i64 - 1000), &mut random);
            let d =
                or_null(format!("{}.{:06}", random(5_000_000) as i64 - 2_500_000, random(3)), &mut random);
            let f = or_null(format!("{}e-2", random(900_000) as i64 - 450_000), &mut random);
            let word = ["straße", "STRASSE", "abc", "ABC", "a b", "", "z\\0z", "é"][random(8) as usize];
            let v = or_null(format!("'{word}{}'", random(600)), &mut random);
            let b =
                or_null(format!("x'{:04x}{}'", random(60_000), "00".repeat(random(4) as usize)), &mut random);
            let at = or_null(
                format!("'20{:02}-0{}-11 10:00:00.{:03}'", random(90), 1 + random(9), random(1000)),
                &mut random,
            );
            let e = or_null(format!("'{}'", ["a", "b", "c"][random(3) as usize]), &mut random);
            let j = or_null(format!("'{{\"a\": {}}}'", random(400)), &mut random);
            values.push(format!("({id},{i},{d},{f},{v},{b},{at},{e},{j},{})", random(rows / 4 + 1)));
        }
        for part in values.chunks(2000) {
            self.run(&format!("insert into t values {}", part.join(",")));
        }
    }

    fn files(&self) -> u64 {
        self.database.temporary().files.get()
    }
}

/// Queries whose order is given, or at least that of equal rows, and which need more than the small memory.
const ORDERED: &[&str] = &[
    "select * from t order by i, id",
    "select * from t order by v, id desc",
    "select v, id from t order by v",
    "select id, i, v from t order by d desc, b, at, e desc, f, j",
    "select id from t order by i",
    "select id, v from t order by at desc limit 4000 offset 1000",
    "select id, f, v from t order by f limit 3000",
    "select id, b from t order by b, i limit 5",
    "select max(n), count(*), sum(n) from (with recursive r as (select 1 n union all select n + 1 from r \
     where n < 20000) select n from r) x",
    "with recursive r (n) as (select 1 union select n + 1 from r where n < 9000 union select n * 7 % 20011 from r) \
     select n from r",
    "with recursive r as (select 1 n, cast('x' as char(100)) s union all select n + 1, repeat('y', 100) from r \
     where n < 3000) select a.n, b.s from r a join r b on a.n = b.n - 1 where a.n > 2990 and b.n > 2990 order by a.n",
];

/// ROLLUP gives its groups in order.
const ROLLED_UP: &[&str] = &[
    "select k, v, count(*), sum(i), count(distinct e), min(at), max(v) from t group by k, v with rollup",
    "select e, i, k, grouping(i), count(*), avg(d), sum(distinct i) from t group by e, i, k with rollup",
    "select v, any_value(e), group_concat(id order by id) from t group by v with rollup having count(*) < 100",
];

/// Queries of which the rows are given, in any order.
const UNORDERED: &[&str] = &[
    "select distinct v, i from t",
    "select distinct v, k from t",
    "select distinct d, f, at, j from t",
    "select v, count(*), sum(d), min(at), max(f), avg(i) from t group by v",
    "select k, v, count(*), sum(i) from t group by k, v",
    "select i, d, count(distinct v), sum(distinct k) from t group by i, d",
    "select e, count(distinct v, i), count(distinct d), sum(distinct d), count(*) from t group by e",
    "select count(distinct v, k), count(distinct b, d), avg(distinct i), count(distinct e) from t",
    "select k, group_concat(v order by id) from t group by k, e",
    "select i, v, group_concat(id order by d desc, id separator ';'), json_arrayagg(id), count(distinct e) from t \
     group by i, v",
    "select e, group_concat(v, b order by v, id), count(*), max(d) from t group by e",
    "select k % 5, group_concat(distinct v order by v desc separator ''), group_concat(id) from t group by k % 5",
    "select json_objectagg(id, i), k % 900 from t group by k % 900",
    "select a.id, b.id, b.v from t a join t b on a.k = b.i",
    "select a.id, b.id, b.v from t a left join t b on a.v = b.v and b.id % 3 = 0 and a.id < b.id",
    "select a.id, b.id from t a left join t b on a.k = b.k and a.at = b.at and a.id <> b.id",
    "select a.id, b.id from t a join t b on a.e = b.e and a.id = b.id + 1",
    "select id, v from t a where exists (select * from t b where b.i = a.k and b.v > a.v)",
    "select id, v from t a where not exists (select * from t b where b.i = a.k and b.v > a.v)",
    "select id, d from t a where d not in (select d from t b where b.id > 100 and b.d is not null)",
    "select id, i from t a where i not in (select b.k from t b where b.e = a.e and b.v > 'b')",
    "select id from t a where (i, e) in (select b.k, b.e from t b where b.v > 'b')",
    "select i, v from t union select k, v from t",
    "select i, v from t union select k, v from t union all select id, v from t where id < 10",
    "select i, v from t except select i, v from t where id % 3 = 0",
    "select i, v from t except all select i, v from t where id % 3 = 0",
    "select v, e from t intersect select v, e from t where id % 2 = 0",
    "select v, e from t intersect all select v, e from t where id % 2 = 0",
];

#[test]
fn little_memory_gives_the_same_rows() {
    let (mut large, mut small) = (Server::new(256 << 20), Server::new(256 << 10));
    large.fill(6000);
    small.fill(6000);
    for (sql, ordered) in ORDERED.iter().map(|q| (q, true)).chain(UNORDERED.iter().map(|q| (q, false))) {
        let files = small.files();
        let (mut wanted, mut found) = (large.run(sql), small.run(sql));
        assert!(!ordered || wanted == found, "{sql}: {:?}", wanted.iter().zip(&found).find(|(a, b)| a != b));
        wanted.sort();
        found.sort();
        assert_eq!(wanted.len(), found.len(), "{sql}");
        assert!(wanted == found, "{sql}: {:?}", wanted.iter().zip(&found).find(|(a, b)| a != b));
        // What a join or a subquery reads may be few rows; the first join has all of them.
        let may_fit = sql.ends_with("limit 5") || sql.contains(" b on a.") || sql.contains("(select");
        let must = !may_fit || sql.contains("a.k = b.i");
        assert!(small.files() > files || !must, "it did not spill: {sql}");
        assert_eq!(small.database.temporary().bytes(), 0, "{sql}");
        assert_eq!(small.database.memory().granted(), 0, "{sql}");
        assert!(!small.disk.list().unwrap().iter().any(|name| name.starts_with("temporary-")), "{sql}");
    }
    assert_eq!(large.files(), 0);
}

#[test]
fn rollup_groups_more_than_memory_holds() {
    same_in_order(384 << 10, 6000, ROLLED_UP);
}

/// Subqueries that are no joins, as they read what is around them beside AND: of their rows only the different ones are
/// kept.
#[test]
fn subqueries_of_many_equal_rows_keep_few() {
    let (mut large, mut small) = (Server::new(256 << 20), Server::new(2 << 20));
    large.fill(1500);
    small.fill(1500);
    for sql in [
        "select id, null not in (select b.e from t a join t b on a.e = b.e where a.id + t.id < 4000) from t where id < 3",
        "select id, i in (select b.i % 10 from t a join t b on a.e = b.e where a.id + t.id < 4000) or id = 0 from t where id < 3",
        "select id, e <> any (select b.e from t a join t b on a.e = b.e where a.id + t.id < 4000) or id = 0 from t where id < 3",
        "select id, (i, e) in (select b.i % 10, a.e from t a join t b on a.e = b.e where a.id + t.id < 4000) or id = 0 \
         from t where id < 3",
    ] {
        assert_eq!(small.run(sql), large.run(sql), "{sql}");
        assert_eq!((small.database.temporary().bytes(), small.database.memory().granted()), (0, 0), "{sql}");
    }
}

/// Partitions that fit, and calls of several orders.
#[test]
fn windows_take_partitions_from_a_file() {
    same_in_order(
        768 << 10,
        6000,
        &[
            "select id, row_number() over (partition by i order by v, id), sum(d) over (partition by i order by v, id), \
         rank() over (partition by e, i order by at, id) from t order by id",
            "select id, lag(v) over (partition by i, e order by id), count(*) over (partition by v) from t order by id",
        ],
    );
}

/// Partitions that do not fit: every function, every kind of frame.
#[test]
fn windows_go_over_partitions_in_a_file() {
    same_in_order(
        256 << 10,
        6000,
        &[
            "select id, row_number() over w, rank() over w, dense_rank() over w, percent_rank() over w, cume_dist() over w, \
         ntile(7) over w, ntile(100000) over w from t window w as (order by i) order by id",
            "select id, v, sum(i) over (), count(v) over (order by id), avg(d) over (order by i), min(v) over (order by e), \
         max(at) over (order by k desc), row_number() over () > 0 from t order by id",
            "select id, lag(v) over w, lead(v, 3) over w, lag(d, 1500) over w, lead(b, 2000, v) over w, lag(id, 0) over w \
         from t window w as (order by at, id) order by id",
            "select id, first_value(v) over w, last_value(v) over w, nth_value(d, 3) over w, nth_value(j, 9000) over w, \
         max(f) over w, bit_xor(id) over w from t window w as (partition by e order by i, id) order by id",
            "select id, sum(d) over w, min(v) over w, max(f) over w, last_value(id) over w, stddev(f) over w, count(*) over w \
         from t window w as (order by id rows between 20 preceding and 11 following) order by id",
            "select id, sum(i) over w, first_value(id) over w, count(*) over w, max(v) over w from t \
         window w as (order by id rows between 11 following and 20 following) order by id",
            "select id, count(*) over w, sum(id) over w, last_value(id) over w from t where i is not null \
         window w as (order by i desc range between 3 preceding and 2 following) order by id",
            "select id, count(*) over w, min(id) over w from t \
         window w as (order by at range between interval 40 day preceding and current row) order by id",
            "select id, sum(i) over (partition by id > 100 order by id), avg(f) over (partition by id > 5900 order by v, id) \
         from t order by id",
        ],
    );
}

/// Runs ordered queries with much memory and with little, which has to spill.
fn same_in_order(memory: usize, rows: u64, queries: &[&str]) {
    let (mut large, mut small) = (Server::new(256 << 20), Server::new(memory));
    large.fill(rows);
    small.fill(rows);
    for sql in queries {
        let files = small.files();
        let (wanted, found) = (large.run(sql), small.run(sql));
        assert!(wanted == found, "{sql}: {:?}", wanted.iter().zip(&found).find(|(a, b)| a != b));
        assert!(small.files() > files, "it did not spill: {sql}");
        assert_eq!((small.database.temporary().bytes(), small.database.memory().granted()), (0, 0), "{sql}");
    }
    assert_eq!(large.files(), 0);
}

#[test]
fn changes_collect_more_rows_than_memory_holds() {
    let mut small = Server::new(256 << 10);
    small.fill(5000);
    let files = small.files();
    small.run("create table u (id int primary key, v varchar(60), n int)");
    small.run("insert into u select id, v, 0 from t");
    small.run("create table w as select * from t order by v");
    small.run("update u set id = id + 100000 where id >= 0");
    small.run("update u set n = n + 1, id = id - 50000 order by id limit 4900");
    small.run("update u join t on t.id = u.id - 50000 set u.n = u.n + t.id where t.id < 1000");
    small.run("delete u from u join t on t.id = u.id - 50000 where t.id < 100");
    assert_eq!(
        small.run("select count(*), sum(n), min(id), max(id) from u"),
        ["4900\t499350\t50100\t104999"]
    );
    assert_eq!(small.run("select count(*), sum(id) from w"), ["5000\t12497500"]);
    assert!(small.files() >= files + 2, "{}", small.files() - files);
    assert_eq!((small.database.temporary().bytes(), small.database.memory().granted()), (0, 0));
}

/// A row changes once, however often a join gives it, and however many rows there are.
#[test]
fn joined_changes_know_more_rows_than_memory_holds() {
    let (mut large, mut small) = (Server::new(256 << 20), Server::new(256 << 10));
    let found = [&mut large, &mut small].map(|server| {
        server.fill(5000);
        server.run("create table u (id int primary key, n int default 0, m int default 0)");
        server.run("insert into u (id) select id from t");
        server.run("update u join t on t.id in (u.id, 4999 - u.id) set u.n = u.n + 1, u.m = u.m + t.id, t.k = t.k + 1");
        let mut found = server.run("select min(n), max(n), sum(m), min(id) from u");
        found.append(&mut server.run("select sum(k) from t"));
        server.run("delete u, t from u join t on t.id in (u.id, 4999 - u.id) where u.id % 2 = 0");
        found.append(&mut server.run("select count(*), sum(id) from u"));
        found.append(&mut server.run("select count(*), sum(id) from t"));
        found
    });
    let [wanted, found] = found;
    assert_eq!(wanted, found);
    assert!(found[0].starts_with("1\t1\t"), "{found:?}");
    assert!(small.files() > 1);
    assert_eq!((small.database.temporary().bytes(), small.database.memory().granted()), (0, 0));
}

#[test]
fn a_bad_disk_is_an_error_of_the_statement_and_of_nothing_else() {
    let mut small = Server::new(256 << 10);
    small.fill(4000);
    let sql = "select * from t order by v, id";
    let wanted = small.run(sql);
    // A bit that comes back wrong, at whichever read.
    for read in [0, 1, 7] {
        small.reads.store(read, Ordering::Relaxed);
        let refused = answer(&mut small.session, sql);
        let error = refused.last().cloned().unwrap_or_default();
        assert!(error.starts_with("ERROR 2 (HY000): Error reading file 'temporary-"), "{error}");
        small.reads.store(u64::MAX / 2, Ordering::Relaxed);
        assert_eq!(small.run(sql), wanted);
    }
    // A disk that is full: from now on nothing can grow.
    small.disk.inject(Fault::FullAtGrowth { after: 3 });
    let refused = answer(&mut small.session, sql);
    let error = refused.last().cloned().unwrap_or_default();
    assert!(error.starts_with("ERROR 3 (HY000): Error writing file 'temporary-"), "{error}");
    assert!(error.contains("28 - No space left on device"), "{error}");
    small.disk.heal();
    assert_eq!(small.run(sql), wanted);
    // More than all statements may have in such files.
    small.run("set global max_temporary_bytes = 1048576");
    let refused = answer(&mut small.session, "select * from t a join t b on b.id < 4 order by a.v, b.id");
    let error = refused.last().cloned().unwrap_or_default();
    assert!(error.starts_with("ERROR 1114 (HY000)") && error.contains("max_temporary_bytes"), "{error}");
    assert_eq!((small.database.temporary().bytes(), small.database.memory().granted()), (0, 0));
    assert_eq!(small.run(sql), wanted);
}

/// Wherever a statement is when it is killed, it does not go on with its files.
#[test]
fn a_killed_statement_lets_go_of_its_files() {
    let mut small = Server::new(256 << 10);
    small.fill(4000);
    let queries = [
        "select * from t order by v, id",
        "select distinct v, k from t",
        "select k, v, count(*), sum(i) from t group by k, v",
        "select k, v, count(*) from t group by k, v with rollup",
        "select k, v, group_concat(id) from t group by k, v",
        "select id, sum(i) over (order by id), lag(v, 700) over (order by id) from t",
        "select a.id, b.id, b.v from t a join t b on a.k = b.i",
        "select i, v from t except select i, v from t where id % 3 = 0",
        "select a.n, b.id from (with recursive r (n) as (select 1 union select n + 1 from r where n < 9000 \
         union select n * 7 % 20011 from r) select n from r) a join t b on b.id = a.n",
    ];
    for sql in queries {
        let mut killed = 0;
        for access in [0, 2, 11, 40, 90, 200] {
            small.watch.at(access, small.session.cancel_handle());
            let lines = answer(&mut small.session, sql);
            *small.watch.cancel.lock() = None;
            let behind = small.watch.behind.load(Ordering::Relaxed);
            if small.watch.left.load(Ordering::Relaxed) < 0 {
                killed += 1;
                let error = lines.last().cloned().unwrap_or_default();
                assert!(error.starts_with("ERROR 1317 (70100)"), "{sql} at {access}: {error:.200}");
                // Each of the parts that rows are dealt into may write one record yet.
                assert!(behind <= 40, "{sql} at {access}: {behind}");
            }
            assert_eq!(
                (small.database.temporary().bytes(), small.database.memory().granted()),
                (0, 0),
                "{sql}"
            );
        }
        assert!(killed > 2, "{sql}: {killed}");
    }
}

#[test]
fn what_a_crash_has_left_is_removed() {
    let disk = SimulatedDisk::new(3);
    disk.open("temporary-0.tmp", true, Caching::Buffered).unwrap();
    let mut options = OpenOptions::new(Arc::new(disk.clone()), disk.clock(), Arc::new(disk.clone()));
    options.engine.background = false;
    Database::open(options).unwrap();
    assert!(!disk.list().unwrap().contains(&"temporary-0.tmp".to_owned()));
}

/// Merges of several passes: many short runs under the smallest memory.
#[test]
fn runs_are_merged_in_several_passes() {
    let (mut large, mut small) = (Server::new(256 << 20), Server::new(96 << 10));
    large.fill(5000);
    small.fill(5000);
    for sql in ["select * from t order by e, id", "select id, v, b from t order by e"] {
        assert!(large.run(sql) == small.run(sql), "{sql}");
    }
    let passes = small.database.temporary().merge_passes.get();
    assert!(passes > 4, "{passes}");
    let status = small.run("show global status like 'Sort_merge_passes'");
    assert_eq!(status, [format!("Sort_merge_passes\t{passes}")]);
}
