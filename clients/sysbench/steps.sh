#!/usr/bin/env bash
# sysbench's own scripts, each with prepared statements and without; `multi`, `big` and the like are not for it.
set -u
words=(--db-driver=mysql --mysql-host=127.0.0.1 "--mysql-port=$DB_PORT" "--mysql-user=$DB_USER" "--mysql-password=$DB_PASSWORD" "--mysql-db=$DB_NAME" --tables=2 --table-size=1000 --threads=4)

step() {
  local name=$1 found
  shift
  if found=$("$@" 2>&1); then echo "$name ok"; else echo "$name failed $(echo "$found" | grep -E 'FATAL|error' | tr -s '\n' ' ' | cut -c1-300)"; fi
}

scripts() {
  local script
  for script in oltp_point_select oltp_read_only oltp_read_write oltp_write_only oltp_update_index oltp_delete oltp_insert select_random_ranges; do
    sysbench "$script" "${words[@]}" "--db-ps-mode=$1" --events=200 --time=0 run || return 1
  done
}

step tcp sysbench oltp_read_write "${words[@]}" prepare
step text scripts disable
step prepared scripts auto
step socket sysbench oltp_point_select "${words[@]}" "--mysql-socket=$DB_SOCKET" --mysql-host=localhost --events=100 --time=0 run
step transactions sysbench oltp_read_write "${words[@]}" --events=500 --time=0 run
echo "tls none it wants the key of a client"
step compression sysbench oltp_read_only "${words[@]}" --mysql-compression=on --events=100 --time=0 run
