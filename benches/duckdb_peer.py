"""DuckDB as a peer of `cargo xtask bench tpch`: one request a line on standard input, answers on standard output.

    load FILE TABLE COLUMNS   makes a table and copies a file of dbgen's into it
    ask TIMES SQL             runs a query that often

The answer begins with a line `ok SECONDS.. rows N` (a figure for each time) or `error TEXT`; N rows follow,
their cells separated by tabs.
"""

import sys
import time

import duckdb


def main():
    path, threads, memory = sys.argv[1:4]
    connection = duckdb.connect(path, config={"threads": int(threads), "memory_limit": memory})
    for line in sys.stdin:
        verb, first, rest = line.rstrip("\n").split(" ", 2)
        try:
            seconds, rows = load(connection, first, rest) if verb == "load" else ask(connection, int(first), rest)
        except duckdb.Error as error:
            print("error", " ".join(str(error).split()), flush=True)
            continue
        print("ok", *(f"{second:.6f}" for second in seconds), "rows", len(rows))
        for row in rows:
            print("\t".join("NULL" if cell is None else str(cell) for cell in row))
        sys.stdout.flush()


def load(connection, file, rest):
    name, columns = rest.split(" ", 1)
    begin = time.monotonic()
    connection.execute(f"CREATE TABLE {name} ({columns})")
    connection.execute(f"COPY {name} FROM '{file}' (DELIMITER '|', HEADER false, QUOTE '')")
    connection.execute("CHECKPOINT")
    return [time.monotonic() - begin], []


def ask(connection, times, sql):
    seconds, rows = [], []
    for _ in range(times):
        begin = time.monotonic()
        rows = connection.execute(sql).fetchall()
        seconds.append(time.monotonic() - begin)
    return seconds, rows


main()
