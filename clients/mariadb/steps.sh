#!/usr/bin/env bash
# The mariadb client, which stands on MariaDB's C connector.
set -u
base=(mariadb --no-defaults --batch --skip-column-names --default-character-set=utf8mb4 "--user=$DB_USER" "--database=$DB_NAME")
tcp=("${base[@]}" --protocol=tcp --host=127.0.0.1 "--port=$DB_PORT" "--password=$DB_PASSWORD")

# step NAME WANTED COMMAND...: the command's whole output has to be WANTED.
step() {
  local name=$1 wanted=$2 found
  shift 2
  found=$("$@" 2>&1)
  if [ "$found" == "$wanted" ]; then echo "$name ok"; else echo "$name failed $(echo "$found" | tr -s '\n' ' ' | cut -c1-300)"; fi
}

code() { "${tcp[@]}" --execute="$1" 2>&1 | grep -o 'ERROR [0-9]* ([0-9A-Z]*)'; }

transactions() {
  "${tcp[@]}" --execute="CREATE TABLE moves (id INT); BEGIN; INSERT INTO moves VALUES (1); ROLLBACK; BEGIN; INSERT INTO moves VALUES (2); COMMIT; SELECT * FROM moves"
}

types() {
  local n=0 kind value found hex
  while IFS=$'\t' read -r kind value; do
    n=$((n + 1))
    hex=$(printf '%s' "$value" | od -An -v -tx1 | tr -d ' \n')
    found=$("${tcp[@]}" --raw --execute="CREATE TABLE types$n (v $kind); INSERT INTO types$n VALUES (CONVERT(X'$hex' USING utf8mb4)); SELECT CAST(v AS CHAR) FROM types$n" 2>&1)
    [ "$kind" == FLOAT ] || [ "$found" == "$value" ] || echo "$kind $value gave $found"
  done <"$DB_VALUES"
}

prepared() {
  "${tcp[@]}" --execute="PREPARE s FROM 'SELECT ? + 1, ?'; SET @a = 41, @b = 'Zoë'; EXECUTE s USING @a, @b; DEALLOCATE PREPARE s"
}

big() {
  "${tcp[@]}" --max-allowed-packet=64M --execute="CREATE TABLE big (v LONGTEXT); INSERT INTO big VALUES (REPEAT('0123456789abcdef', 1310720))"
  "${tcp[@]}" --max-allowed-packet=64M --execute="SELECT v FROM big" | wc -c
}

errors() {
  "${tcp[@]}" --execute="CREATE TABLE errors (id INT PRIMARY KEY); INSERT INTO errors VALUES (1)"
  code "INSERT INTO errors VALUES (1)"
  code "SELECT * FROM missing"
  code "SELEC 1"
}

step tcp 1 "${tcp[@]}" --execute="SELECT 1"
step socket 1 "${base[@]}" --protocol=socket "--socket=$DB_SOCKET" "--password=$DB_PASSWORD" --execute="SELECT 1"
step tls 1 "${base[@]}" --protocol=tcp --host=localhost "--port=$DB_PORT" "--password=$DB_PASSWORD" --ssl "--ssl-ca=$DB_CA" --ssl-verify-server-cert --execute="SELECT 1"
step password "ERROR 1045 (28000): Access denied for user '$DB_USER'@'localhost' (using password: YES)" \
  "${base[@]}" --protocol=tcp --host=127.0.0.1 "--port=$DB_PORT" --password=wrong --execute="SELECT 1"
step text $'1\tZoë 😀\n2\tNULL' "${tcp[@]}" --execute="CREATE TABLE text (id INT, a VARCHAR(20)); INSERT INTO text VALUES (1, 'Zoë 😀'), (2, NULL); SELECT * FROM text ORDER BY id"
step prepared $'42\tZoë' prepared
step transactions 2 transactions
step types "" types
step multi $'1\n2' "${tcp[@]}" --delimiter='//' --execute="SELECT 1; DO 0; SELECT 2"
step big 20971521 big
step errors $'ERROR 1062 (23000)\nERROR 1146 (42S02)\nERROR 1064 (42000)' errors
echo "user none the client has no command for it"
echo "pool none a client of one connection"
step compression 1000001 bash -c '"$@" --compress --execute="SELECT REPEAT(\"ab\", 500000)" | wc -c' bash "${tcp[@]}"
