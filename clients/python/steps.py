"""DB-API drivers: PyMySQL, mysql-connector-python (pure and C), mysqlclient. `steps.py DRIVER`."""
import importlib, os, sys

HOST, PORT, SOCKET = "127.0.0.1", int(os.environ["DB_PORT"]), os.environ["DB_SOCKET"]
USER, PASSWORD, CA, NAME = (os.environ[k] for k in ("DB_USER", "DB_PASSWORD", "DB_CA", "DB_NAME"))
VALUES = [line.rstrip("\n").split("\t") for line in open(os.environ["DB_VALUES"], encoding="utf-8")]


class No(Exception):
    """The driver has no such thing."""


def same(found, wanted):
    assert found == wanted, f"{str(found)[:200]!r} is not {str(wanted)[:200]!r}"


class PyMySQL:
    module = "pymysql"
    def plain(self, **more):
        return self.db.connect(host=HOST, port=PORT, user=USER, database=NAME, charset="utf8mb4", **{"password": PASSWORD, **more})
    def socket(self):
        return self.db.connect(unix_socket=SOCKET, user=USER, password=PASSWORD, database=NAME)
    def tls(self):
        return self.plain(ssl_ca=CA, ssl_verify_cert=True, ssl_verify_identity=True)
    def multi(self):
        from pymysql.constants import CLIENT
        return self.plain(client_flag=CLIENT.MULTI_STATEMENTS)
    def change_user(self, c): raise No("not in PyMySQL")
    def prepared(self, c): raise No("not in PyMySQL")
    def reset(self, c): raise No("not in PyMySQL")
    def compressed(self): raise No("not in PyMySQL")
    def code(self, e): return (e.args[0], None)


class Connector:
    module = "mysql.connector"
    pure = True
    def plain(self, **more):
        more = {"password": PASSWORD, "ssl_disabled": True, **more}
        return self.db.connect(host=HOST, port=PORT, user=USER, database=NAME, use_pure=self.pure, charset="utf8mb4", **more)
    def socket(self):
        return self.db.connect(unix_socket=SOCKET, user=USER, password=PASSWORD, database=NAME, use_pure=self.pure)
    def tls(self):
        return self.plain(ssl_disabled=False, ssl_ca=CA, ssl_verify_cert=True)
    def multi(self): return self.plain()
    def change_user(self, c): c.cmd_change_user(USER, PASSWORD, NAME)
    def prepared(self, c): return c.cursor(prepared=True)
    def reset(self, c): c.cmd_reset_connection()
    def compressed(self): return self.plain(compress=True)
    def code(self, e): return (e.errno, e.sqlstate)


class ConnectorC(Connector):
    pure = False


class MySQLClient:
    module = "MySQLdb"
    def plain(self, **more):
        more = {"password": PASSWORD, "ssl_mode": "DISABLED", **more}
        return self.db.connect(host=HOST, port=PORT, user=USER, database=NAME, charset="utf8mb4", **more)
    def socket(self):
        return self.db.connect(unix_socket=SOCKET, host="localhost", user=USER, password=PASSWORD, database=NAME)
    def tls(self):
        return self.plain(ssl_mode="REQUIRED", ssl={"ca": CA})
    def multi(self): return self.plain()
    def change_user(self, c): c.change_user(USER, PASSWORD, NAME)
    def prepared(self, c): raise No("not in mysqlclient")
    def reset(self, c): raise No("not in mysqlclient")
    def compressed(self): return self.plain(compress=True)
    def code(self, e): return (e.args[0], None)


driver = {"pymysql": PyMySQL, "connector-pure": Connector, "connector-c": ConnectorC, "mysqlclient": MySQLClient}[sys.argv[1]]()
driver.db = importlib.import_module(driver.module)


def rows(c, sql, params=None, cursor=None):
    cursor = cursor or c.cursor()
    cursor.execute(sql, params) if params is not None else cursor.execute(sql)
    found = cursor.fetchall() if cursor.description else []
    cursor.close()
    return [tuple(row) for row in found]


def number(action):
    try:
        action()
    except driver.db.Error as error:
        return driver.code(error)
    raise AssertionError("no error")


def text(value):
    return value.decode() if isinstance(value, (bytes, bytearray)) else value


def tcp(): same(rows(driver.plain(), "SELECT 1"), [(1,)])
def socket(): same(rows(driver.socket(), "SELECT 1"), [(1,)])
def compression(): same(len(rows(driver.compressed(), "SELECT REPEAT('ab', 500000)")[0][0]), 1000000)
# 2061: the C connector does not ask for the server's key, and is not asked for its password.
def password(): same(number(lambda: driver.plain(password="wrong"))[0] in (1045, 2061), True)


def tls():
    c = driver.tls()
    same(rows(c, "SELECT 1"), [(1,)])


def text_step():
    c = driver.plain()
    rows(c, "CREATE TABLE text (id INT PRIMARY KEY, a VARCHAR(20))")
    rows(c, "INSERT INTO text VALUES (%s, %s), (%s, %s)", (1, "Zoë 😀", 2, None))
    same(rows(c, "SELECT * FROM text ORDER BY id"), [(1, "Zoë 😀"), (2, None)])
    same(rows(c, "SELECT a FROM text WHERE id = %s", (2,)), [(None,)])
    c.commit()


def prepared():
    c = driver.plain()
    cursor = driver.prepared(c)
    rows(c, "CREATE TABLE prepared (id INT PRIMARY KEY, a VARCHAR(20), d DOUBLE)")
    for n in range(3):
        cursor.execute("INSERT INTO prepared VALUES (%s, %s, %s)", (n, f"row {n}", n / 2))
    cursor.execute("SELECT id, a, d FROM prepared WHERE id >= %s ORDER BY id", (1,))
    same([(r[0], text(r[1]), r[2]) for r in cursor.fetchall()], [(1, "row 1", 0.5), (2, "row 2", 1.0)])
    c.commit()


def transactions():
    c = driver.plain()
    rows(c, "CREATE TABLE moves (id INT PRIMARY KEY)")
    rows(c, "INSERT INTO moves VALUES (1)")
    c.rollback()
    same(rows(c, "SELECT COUNT(*) FROM moves"), [(0,)])
    rows(c, "INSERT INTO moves VALUES (2)")
    c.commit()
    c.rollback()
    same(rows(c, "SELECT * FROM moves"), [(2,)])


def types():
    c = driver.plain()
    for n, (kind, value) in enumerate(VALUES):
        rows(c, f"CREATE TABLE types{n} (id INT PRIMARY KEY, v {kind})")
        rows(c, f"INSERT INTO types{n} VALUES (1, %s), (2, NULL)", (value,))
        found = rows(c, f"SELECT CAST(v AS CHAR), v FROM types{n} ORDER BY id")
        if kind != "FLOAT":
            same((kind, text(found[0][0]).replace("e+", "e")), (kind, value))
        same(found[1], (None, None))
        assert found[0][1] is not None, f"{kind} {value} was read as None"
    raw = bytes(range(256)) * 4
    rows(c, "CREATE TABLE raw (a VARBINARY(2000), b LONGBLOB, c BIT(64))")
    rows(c, "INSERT INTO raw VALUES (%s, %s, b'1010')", (raw, raw))
    same(tuple(map(bytes, rows(c, "SELECT a, b FROM raw")[0])), (raw, raw))
    c.commit()


def multi():
    c = driver.multi()
    if driver.module == "mysql.connector":
        cursor = c.cursor()
        try:
            found = [r.fetchall() for r in cursor.execute("SELECT 1; SELECT 2, 3; DO 0", multi=True) if r.with_rows]
        except (TypeError, AttributeError):
            # From 9.2 on every text may hold several.
            cursor.execute("SELECT 1; SELECT 2, 3; DO 0")
            found = []
            while True:
                if cursor.description:
                    found.append(cursor.fetchall())
                if not cursor.nextset():
                    break
    else:
        cursor = c.cursor()
        cursor.execute("SELECT 1; SELECT 2, 3; DO 0")
        found = []
        while True:
            if cursor.description:
                found.append(list(cursor.fetchall()))
            if not cursor.nextset():
                break
    same([list(map(tuple, f)) for f in found], [[(1,)], [(2, 3)]])


def big():
    c = driver.plain()
    value = "0123456789abcdef" * (20 * 65536)
    rows(c, "CREATE TABLE big (v LONGTEXT)")
    rows(c, "INSERT INTO big VALUES (%s)", (value,))
    same(len(rows(c, "SELECT v FROM big")[0][0]), len(value))
    c.commit()


def errors():
    c = driver.plain()
    rows(c, "CREATE TABLE errors (id INT PRIMARY KEY)")
    rows(c, "INSERT INTO errors VALUES (1)")
    for sql, code, state in [("INSERT INTO errors VALUES (1)", 1062, "23000"), ("SELECT * FROM missing", 1146, "42S02"), ("SELEC 1", 1064, "42000")]:
        found = number(lambda: rows(c, sql))
        same(found, (code, state if found[1] else None))


def user():
    c = driver.plain()
    rows(c, "SET @x = 1")
    driver.change_user(c)
    same(rows(c, "SELECT @x, DATABASE()"), [(None, NAME)])


def pool():
    c = driver.plain()
    rows(c, "SET @x = 1")
    driver.reset(c)
    same(rows(c, "SELECT @x"), [(None,)])
    if driver.module == "mysql.connector":
        from mysql.connector.pooling import MySQLConnectionPool
        pool = MySQLConnectionPool(pool_name="p", pool_size=2, host=HOST, port=PORT, user=USER, password=PASSWORD, database=NAME, ssl_disabled=True, use_pure=driver.pure)
        for _ in range(5):
            c = pool.get_connection()
            rows(c, "SET @x = 1")
            c.close()
        same(rows(pool.get_connection(), "SELECT @x"), [(None,)])


STEPS = dict(tcp=tcp, socket=socket, tls=tls, password=password, text=text_step, prepared=prepared, transactions=transactions,
             types=types, multi=multi, big=big, errors=errors, user=user, pool=pool, compression=compression)
for name, step in STEPS.items():
    try:
        step()
        print(name, "ok", flush=True)
    except No as why:
        print(name, "none", why, flush=True)
    except Exception as why:
        print(name, "failed", " ".join(f"{type(why).__name__}: {why}".split())[:300], flush=True)
