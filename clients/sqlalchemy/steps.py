"""SQLAlchemy: makes a schema of 20 tables with every type and constraint, reflects it, uses it, drops it."""
import datetime, decimal, enum, os, sys
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import mysql as my

url = sa.URL.create("mysql+pymysql", os.environ["DB_USER"], os.environ["DB_PASSWORD"], "127.0.0.1", int(os.environ["DB_PORT"]), os.environ["DB_NAME"], {"charset": "utf8mb4"})
engine = sa.create_engine(url, pool_size=3, pool_reset_on_return="rollback")
meta = sa.MetaData()


class Colour(enum.Enum):
    red = 1
    green = 2


def table(name, *parts, **more):
    return sa.Table(name, meta, sa.Column("id", sa.Integer, primary_key=True), *parts, **more)


numbers = table("numbers", *[sa.Column(f"c{n}", kind) for n, kind in enumerate([
    my.TINYINT(unsigned=True), my.SMALLINT(), my.MEDIUMINT(unsigned=True), my.INTEGER(unsigned=True), my.BIGINT(unsigned=True), sa.BigInteger,
    sa.Numeric(65, 30), my.DECIMAL(10, 2, unsigned=True), sa.Float, my.DOUBLE(), my.FLOAT(), sa.Boolean, my.BIT(10), my.YEAR()])])
texts = table("texts", *[sa.Column(f"c{n}", kind) for n, kind in enumerate([
    sa.String(200), my.CHAR(10), sa.Text, my.TINYTEXT(), my.MEDIUMTEXT(), my.LONGTEXT(), sa.Enum(Colour), my.SET("a", "b"), sa.Unicode(50),
    my.VARCHAR(30, charset="latin1"), my.VARCHAR(30, collation="utf8mb4_bin")])])
binaries = table("binaries", *[sa.Column(f"c{n}", kind) for n, kind in enumerate([
    sa.LargeBinary, my.BINARY(8), my.VARBINARY(100), my.TINYBLOB(), my.MEDIUMBLOB(), my.LONGBLOB()])])
times = table("times", *[sa.Column(f"c{n}", kind) for n, kind in enumerate([
    sa.Date, sa.DateTime, my.DATETIME(fsp=6), my.TIMESTAMP(fsp=3), my.TIME(fsp=6), sa.Interval])])
defaults = table("defaults", sa.Column("a", sa.Integer, server_default="7", nullable=False), sa.Column("b", sa.String(20), server_default="it's"),
    sa.Column("c", my.TIMESTAMP, server_default=sa.text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP")),
    sa.Column("d", sa.Integer, sa.Computed("a * 2", persisted=True)), sa.Column("e", sa.Integer, sa.Computed("a + 1")), comment="a table; it's one")
parent = table("parent", sa.Column("code", sa.String(10), unique=True, nullable=False), sa.Column("age", sa.Integer), sa.CheckConstraint("age > 0", name="grown"))
child = table("child", sa.Column("parent_id", sa.ForeignKey("parent.id", name="child_parent", ondelete="CASCADE", onupdate="RESTRICT"), nullable=False),
    sa.Column("code", sa.ForeignKey("parent.code", name="child_code", ondelete="RESTRICT")), sa.Column("n", sa.Integer, comment="a number"),
    sa.UniqueConstraint("parent_id", "n", name="once"), sa.Index("by_n", "n"))
tree = table("tree", sa.Column("up", sa.ForeignKey("tree.id", name="tree_up", ondelete="SET NULL")))
sa.Table("pairs", meta, sa.Column("a", sa.Integer, primary_key=True, autoincrement=False), sa.Column("b", sa.String(20), primary_key=True))
sa.Table("links", meta, sa.Column("a", sa.Integer), sa.Column("b", sa.String(20)), sa.ForeignKeyConstraint(["a", "b"], ["pairs.a", "pairs.b"], name="links_pairs"))
prefix = table("prefixes", sa.Column("a", sa.Text), sa.Index("by_a", "a", mysql_length=20))
for n in range(meta.tables.__len__(), 20):
    table(f"more{n}", sa.Column("parent_id", sa.ForeignKey("parent.id", name=f"more{n}_parent")), sa.Column("name", sa.String(30), index=True))


def same(found, wanted):
    assert found == wanted, f"{str(found)[:200]} is not {str(wanted)[:200]}"


def create():
    same(len(meta.tables), 20)
    meta.create_all(engine)
    same(sorted(sa.inspect(engine).get_table_names()), sorted(meta.tables))


def reflect():
    found = sa.MetaData()
    found.reflect(engine)
    same(set(found.tables), set(meta.tables))
    for name, wanted in meta.tables.items():
        table = found.tables[name]
        same((name, [c.name for c in table.columns]), (name, [c.name for c in wanted.columns]))
        same((name, [c.name for c in table.primary_key]), (name, [c.name for c in wanted.primary_key]))
        names = lambda t: sorted((fk.constraint.name, fk.column.table.name, fk.column.name) for fk in t.foreign_keys)
        same((name, names(table)), (name, names(wanted)))
        for column in wanted.columns:
            other = table.columns[column.name]
            same((name, column.name, other.nullable), (name, column.name, column.nullable))
    look = sa.inspect(engine)
    same([(k["name"], k["options"]) for k in look.get_foreign_keys("child") if k["name"] == "child_parent"], [("child_parent", {"ondelete": "CASCADE", "onupdate": "RESTRICT"})])
    same([k["name"] for k in look.get_check_constraints("parent")], ["grown"])
    same(sorted(k["name"] for k in look.get_unique_constraints("child")), ["once"])
    same(look.get_table_comment("defaults")["text"], "a table; it's one")
    computed = {c["name"]: c.get("computed") for c in look.get_columns("defaults")}
    same((computed["d"]["persisted"], computed["e"]["persisted"]), (True, False))
    same(look.get_indexes("prefixes")[0].get("dialect_options", {}).get("mysql_length"), {"a": 20})


def use():
    with engine.begin() as c:
        c.execute(numbers.insert(), [dict(id=1, c0=255, c1=-32768, c2=16777215, c3=4294967295, c4=18446744073709551615, c5=-9223372036854775808,
            c6=decimal.Decimal("-" + "9" * 35 + "." + "9" * 30), c7=decimal.Decimal("1.50"), c8=1.5, c9=-0.1, c10=0.5, c11=True, c13=2155)])
        c.execute(texts.insert(), [dict(id=1, c0="Zoë 😀", c6=Colour.green, c7={"a", "b"}, c9="é", c10="x")])
        c.execute(binaries.insert(), [dict(id=1, c0=bytes(range(256)), c2=b"\0\xff")])
        c.execute(times.insert(), [dict(id=1, c0=datetime.date(9999, 12, 31), c2=datetime.datetime(1000, 1, 1, 0, 0, 0, 1), c4=datetime.time(23, 59, 59, 999999), c5=datetime.timedelta(days=3))])
        c.execute(defaults.insert(), [dict(id=1)])
        row = c.execute(sa.select(numbers)).mappings().one()
        same((row["c4"], row["c6"], row["c11"]), (18446744073709551615, decimal.Decimal("-" + "9" * 35 + "." + "9" * 30), True))
        same(c.execute(sa.select(texts.c.c0, texts.c.c6, texts.c.c7)).one(), ("Zoë 😀", Colour.green, {"a", "b"}))
        same(c.execute(sa.select(binaries.c.c0)).scalar(), bytes(range(256)))
        same(c.execute(sa.select(times.c.c0, times.c.c5)).one(), (datetime.date(9999, 12, 31), datetime.timedelta(days=3)))
        same(c.execute(sa.select(defaults.c.a, defaults.c.b, defaults.c.d, defaults.c.e)).one(), (7, "it's", 14, 8))
        c.execute(parent.insert(), [dict(id=1, code="a", age=5), dict(id=2, code="b", age=6)])
        # Two parents: of one, MySQL asks the older foreign key first, and SQLAlchemy makes them in no certain order.
        c.execute(child.insert(), [dict(id=1, parent_id=1, code="b", n=1)])
    for wrong in [parent.insert().values(id=3, code="c", age=0), child.insert().values(id=2, parent_id=9, n=5), child.insert().values(id=3, parent_id=1, n=1), parent.delete().where(parent.c.code == "b")]:
        try:
            with engine.begin() as c:
                c.execute(wrong)
        except (sa.exc.IntegrityError, sa.exc.OperationalError):
            continue
        raise AssertionError(f"{wrong} was carried out")
    with engine.begin() as c:
        c.execute(parent.delete().where(parent.c.code == "a"))
        same(c.execute(sa.select(sa.func.count()).select_from(child)).scalar(), 0)


def drop():
    meta.drop_all(engine)
    same(sa.inspect(engine).get_table_names(), [])


for name, step in dict(create=create, reflect=reflect, use=use, drop=drop).items():
    try:
        step()
        print(name, "ok", flush=True)
    except Exception as why:
        print(name, "failed", " ".join(f"{type(why).__name__}: {why}".split())[:400], flush=True)
