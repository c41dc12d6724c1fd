// mysql2 for Node.
const fs = require('fs');
const mysql = require('mysql2/promise');

const env = process.env;
const values = fs.readFileSync(env.DB_VALUES, 'utf8').split('\n').slice(0, -1).map((line) => line.split('\t'));
const base = {
  host: '127.0.0.1', port: Number(env.DB_PORT), user: env.DB_USER, password: env.DB_PASSWORD, database: env.DB_NAME,
  supportBigNumbers: true, bigNumberStrings: true, dateStrings: true,
};
const open = (more = {}) => mysql.createConnection({ ...base, ...more });

function same(found, wanted) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${a.slice(0, 200)} is not ${b.slice(0, 200)}`);
}

async function using(options, work) {
  const c = await open(options);
  try { await work(c); } finally { c.destroy(); }
}

async function refusal(promise) {
  try { await promise; } catch (error) { return [error.errno, error.sqlState]; }
  throw new Error('no error');
}

const one = async (c) => same((await c.query('SELECT 1 AS a'))[0], [{ a: '1' }]);

const steps = {
  tcp: () => using({}, one),
  socket: () => using({ host: undefined, port: undefined, socketPath: env.DB_SOCKET }, one),
  tls: () => using({ ssl: { ca: fs.readFileSync(env.DB_CA) }, host: 'localhost' }, one),
  password: async () => same((await refusal(open({ password: 'wrong' })))[0], 1045),
  text: () => using({}, async (c) => {
    await c.query('CREATE TABLE text (id INT PRIMARY KEY, a VARCHAR(20))');
    await c.query('INSERT INTO text VALUES (?, ?), (?, ?)', [1, 'Zoë 😀', 2, null]);
    same((await c.query('SELECT * FROM text ORDER BY id'))[0], [{ id: 1, a: 'Zoë 😀' }, { id: 2, a: null }]);
  }),
  prepared: () => using({}, async (c) => {
    await c.query('CREATE TABLE prepared (id INT PRIMARY KEY, a VARCHAR(20), d DOUBLE)');
    for (const n of [0, 1, 2]) await c.execute('INSERT INTO prepared VALUES (?, ?, ?)', [n, `row ${n}`, n / 2]);
    await c.execute('INSERT INTO prepared VALUES (?, ?, ?)', [3, null, null]);
    const [rows] = await c.execute('SELECT * FROM prepared WHERE id >= ? ORDER BY id', [2]);
    same(rows, [{ id: 2, a: 'row 2', d: 1 }, { id: 3, a: null, d: null }]);
  }),
  transactions: () => using({}, async (c) => {
    await c.query('CREATE TABLE moves (id INT PRIMARY KEY)');
    await c.beginTransaction();
    await c.query('INSERT INTO moves VALUES (1)');
    await c.rollback();
    await c.beginTransaction();
    await c.query('INSERT INTO moves VALUES (2)');
    await c.commit();
    same((await c.query('SELECT * FROM moves'))[0], [{ id: 2 }]);
  }),
  types: () => using({}, async (c) => {
    for (const [n, [kind, value]] of values.entries()) {
      await c.query(`CREATE TABLE types${n} (id INT PRIMARY KEY, v ${kind})`);
      await c.execute(`INSERT INTO types${n} VALUES (1, ?), (2, NULL)`, [value]);
      for (const way of ['query', 'execute']) {
        const [rows] = await c[way](`SELECT CAST(v AS CHAR) AS s, v FROM types${n} ORDER BY id`);
        if (kind !== 'FLOAT') same([kind, rows[0].s], [kind, value]);
        if (rows[0].v === null) throw new Error(`${kind} ${value} was read as null`);
        if (/BIGINT|DECIMAL|CHAR|TEXT|ENUM|SET/.test(kind)) same([kind, String(rows[0].v)], [kind, value]);
        // The driver leaves out microseconds of 0.
        if (/DATE|STAMP/.test(kind)) same([kind, String(rows[0].v)], [kind, value.replace(/\.000000$/, (zeros) => (String(rows[0].v).includes('.') ? zeros : ''))]);
        same(rows[1], { s: null, v: null });
      }
    }
    const raw = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256));
    await c.query('CREATE TABLE raw (a VARBINARY(2000), b LONGBLOB, c BIT(64))');
    await c.execute("INSERT INTO raw VALUES (?, ?, b'1010')", [raw, raw]);
    await c.query("INSERT INTO raw VALUES (?, ?, b'1010')", [raw, raw]);
    for (const row of (await c.query('SELECT * FROM raw'))[0]) {
      same([row.a.equals(raw), row.b.equals(raw), row.c.toString('hex')], [true, true, '000000000000000a']);
    }
  }),
  multi: () => using({ multipleStatements: true }, async (c) => {
    const [results] = await c.query('SELECT 1 AS a; DO 0; SELECT 2 AS b');
    same([results[0], results[1].affectedRows, results[2]], [[{ a: '1' }], 0, [{ b: '2' }]]);
  }),
  big: () => using({}, async (c) => {
    const value = '0123456789abcdef'.repeat(20 * 65536);
    await c.query('CREATE TABLE big (v LONGTEXT)');
    await c.execute('INSERT INTO big VALUES (?)', [value]);
    same((await c.query('SELECT v FROM big'))[0][0].v === value, true);
  }),
  errors: () => using({}, async (c) => {
    await c.query('CREATE TABLE errors (id INT PRIMARY KEY)');
    await c.query('INSERT INTO errors VALUES (1)');
    same(await refusal(c.query('INSERT INTO errors VALUES (1)')), [1062, '23000']);
    same(await refusal(c.execute('SELECT * FROM missing')), [1146, '42S02']);
    same(await refusal(c.query('SELEC 1')), [1064, '42000']);
  }),
  user: () => using({}, async (c) => {
    await c.query('SET @x = 1');
    await c.changeUser({ user: env.DB_USER, password: env.DB_PASSWORD, database: env.DB_NAME });
    same((await c.query('SELECT @x AS x, DATABASE() AS d'))[0], [{ x: null, d: env.DB_NAME }]);
  }),
  pool: async () => {
    const pool = mysql.createPool({ ...base, connectionLimit: 3, resetOnRelease: true });
    const all = Array.from({ length: 20 }, (_, n) => pool.query('SELECT ? AS n', [n]));
    same((await Promise.all(all)).map(([rows]) => Number(rows[0].n)), Array.from({ length: 20 }, (_, n) => n));
    await pool.end();
  },
  compression: () => using({ compress: true }, async (c) => {
    same((await c.query("SELECT REPEAT('ab', 500000) AS v"))[0][0].v.length, 1000000);
    await one(c);
  }),
};

(async () => {
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
      console.log(name, 'ok');
    } catch (error) {
      console.log(name, 'failed', `${error.code || ''} ${error.message}`.replace(/\s+/g, ' ').slice(0, 300));
    }
  }
  process.exit(0);
})();
