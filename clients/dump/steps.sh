#!/usr/bin/env bash
# mariadb-dump of RustyDB: loaded back into RustyDB and into MariaDB, where it has to be the same.
set -u -o pipefail
here=$(dirname "${BASH_SOURCE[0]}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ours=(--no-defaults --host=127.0.0.1 "--port=$DB_PORT" "--user=$DB_USER" "--password=$DB_PASSWORD")
peer=(--no-defaults --host=127.0.0.1 "--port=$DB_PEER_PORT" --user=root "--password=$DB_PEER_PASSWORD")
again=${DB_NAME}_again

# step NAME FUNCTION: the function is quiet where all is well.
step() {
  local said
  if said=$("$2" 2>&1) && [ -z "$said" ]; then echo "$1 ok"; else echo "$1 failed $(echo "$said" | tr -s '\n\t ' ' ' | cut -c1-400)"; fi
}

# A collation that MariaDB knows too.
fresh() { mariadb "$@" --execute="DROP DATABASE IF EXISTS $name; CREATE DATABASE $name CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"; }
load() { mariadb "$@" --default-character-set=utf8mb4 "$name"; }
# MySQL shows the character set of a column whose collation was given, and a dump gives it always.
whole() { mariadb-dump "$@" --skip-comments --hex-blob "$name" | sed 's/ CHARACTER SET utf8mb4 COLLATE/ COLLATE/'; }
rows() { mariadb-dump "$@" --skip-comments --compact --skip-opt --create-options --hex-blob --no-create-info --order-by-primary --complete-insert "$name"; }

dump() {
  name=$DB_NAME
  fresh "${ours[@]}" && load "${ours[@]}" <"$here/schema.sql" && whole "${ours[@]}" >"$work/first.sql"
}

reload() {
  name=$again
  fresh "${ours[@]}" && load "${ours[@]}" <"$work/first.sql" && whole "${ours[@]}" >"$work/second.sql"
  diff "$work/first.sql" "$work/second.sql"
}

elsewhere() {
  name=$DB_NAME
  fresh "${peer[@]}" && load "${peer[@]}" <"$work/first.sql"
  rows "${peer[@]}" >"$work/peer.sql"
  rows "${ours[@]}" >"$work/ours.sql"
  diff "$work/ours.sql" "$work/peer.sql"
}

step dump dump
step reload reload
step peer elsewhere
