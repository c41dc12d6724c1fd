// go-sql-driver/mysql on database/sql.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/go-sql-driver/mysql"
)

var env = os.Getenv

func config() *mysql.Config {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", "127.0.0.1:"+env("DB_PORT")
	c.User, c.Passwd, c.DBName = env("DB_USER"), env("DB_PASSWORD"), env("DB_NAME")
	c.Collation = "utf8mb4_general_ci"
	c.MaxAllowedPacket = 64 << 20
	return c
}

func open(change func(*mysql.Config)) *sql.DB {
	c := config()
	change(c)
	db, err := sql.Open("mysql", c.FormatDSN())
	check(err)
	return db
}

func plain() *sql.DB { return open(func(*mysql.Config) {}) }

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func same(found, wanted interface{}) {
	if a, b := fmt.Sprintf("%v", found), fmt.Sprintf("%v", wanted); a != b {
		panic(fmt.Errorf("%.200s is not %.200s", a, b))
	}
}

func exec(db *sql.DB, query string, args ...interface{}) {
	_, err := db.Exec(query, args...)
	check(err)
}

// one gives the only value of a query.
func one(db *sql.DB, query string, args ...interface{}) string {
	var value sql.NullString
	check(db.QueryRow(query, args...).Scan(&value))
	if !value.Valid {
		return "NULL"
	}
	return value.String
}

func number(err error) uint16 {
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) {
		panic(fmt.Errorf("no error of the server: %v", err))
	}
	return refused.Number
}

func values() [][2]string {
	text, err := os.ReadFile(env("DB_VALUES"))
	check(err)
	var all [][2]string
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		kind, value, _ := strings.Cut(line, "\t")
		all = append(all, [2]string{kind, value})
	}
	return all
}

func types() {
	db := plain()
	floats := regexp.MustCompile("FLOAT|DOUBLE")
	for n, pair := range values() {
		kind, value := pair[0], pair[1]
		exec(db, fmt.Sprintf("CREATE TABLE types%d (id INT PRIMARY KEY, v %s)", n, kind))
		exec(db, fmt.Sprintf("INSERT INTO types%d VALUES (1, ?), (2, NULL)", n), value)
		if kind != "FLOAT" {
			same(one(db, fmt.Sprintf("SELECT CAST(v AS CHAR) FROM types%d WHERE id = 1", n)), value)
		}
		// With an argument it is prepared, and comes in binary form.
		for _, found := range []string{
			one(db, fmt.Sprintf("SELECT v FROM types%d WHERE id = 1", n)),
			one(db, fmt.Sprintf("SELECT v FROM types%d WHERE id = ?", n), 1),
		} {
			if !floats.MatchString(kind) {
				same(kind+" "+found, kind+" "+value)
			}
		}
		same(one(db, fmt.Sprintf("SELECT v FROM types%d WHERE id = ?", n), 2), "NULL")
	}
	raw := make([]byte, 1024)
	for i := range raw {
		raw[i] = byte(i)
	}
	exec(db, "CREATE TABLE raw (a VARBINARY(2000), b LONGBLOB, c BIT(64))")
	exec(db, "INSERT INTO raw VALUES (?, ?, b'1010')", raw, raw)
	var a, b, c []byte
	check(db.QueryRow("SELECT a, b, c FROM raw").Scan(&a, &b, &c))
	same(bytes.Equal(a, raw) && bytes.Equal(b, raw) && c[7] == 10, true)
}

func transactions() {
	db := plain()
	exec(db, "CREATE TABLE moves (id INT PRIMARY KEY)")
	for id, end := range []func(*sql.Tx) error{(*sql.Tx).Rollback, (*sql.Tx).Commit} {
		tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		check(err)
		_, err = tx.Exec("INSERT INTO moves VALUES (?)", id)
		check(err)
		check(end(tx))
	}
	same(one(db, "SELECT GROUP_CONCAT(id) FROM moves"), "1")
}

func prepared() {
	db := plain()
	exec(db, "CREATE TABLE prepared (id INT PRIMARY KEY, a VARCHAR(20), d DOUBLE)")
	insert, err := db.Prepare("INSERT INTO prepared VALUES (?, ?, ?)")
	check(err)
	for n := 0; n < 3; n++ {
		_, err = insert.Exec(n, fmt.Sprintf("row %d", n), float64(n)/2)
		check(err)
	}
	_, err = insert.Exec(3, nil, nil)
	check(err)
	rows, err := db.Query("SELECT a, d FROM prepared WHERE id >= ? ORDER BY id", 2)
	check(err)
	var found []string
	for rows.Next() {
		var a sql.NullString
		var d sql.NullFloat64
		check(rows.Scan(&a, &d))
		found = append(found, fmt.Sprint(a, d))
	}
	check(rows.Err())
	same(found, []string{"{row 2 true} {1 true}", "{ false} {0 false}"})
}

func multi() {
	rows, err := open(func(c *mysql.Config) { c.MultiStatements = true }).Query("SELECT 1; SELECT 2")
	check(err)
	var found []int
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			var n int
			check(rows.Scan(&n))
			found = append(found, n)
		}
	}
	check(rows.Err())
	same(found, []int{1, 2})
}

func secure() {
	pem, err := os.ReadFile(env("DB_CA"))
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	check(mysql.RegisterTLSConfig("ours", &tls.Config{RootCAs: roots, ServerName: "localhost"}))
	same(one(open(func(c *mysql.Config) { c.TLSConfig = "ours" }), "SELECT 1"), "1")
}

func main() {
	steps := []struct {
		name string
		step func()
	}{
		{"tcp", func() { same(one(plain(), "SELECT 1"), "1") }},
		{"socket", func() {
			same(one(open(func(c *mysql.Config) { c.Net, c.Addr = "unix", env("DB_SOCKET") }), "SELECT 1"), "1")
		}},
		{"tls", secure},
		{"password", func() {
			same(number(open(func(c *mysql.Config) { c.Passwd = "wrong" }).Ping()), 1045)
		}},
		{"text", func() {
			db := open(func(c *mysql.Config) { c.InterpolateParams = true })
			exec(db, "CREATE TABLE text (id INT PRIMARY KEY, a VARCHAR(20))")
			exec(db, "INSERT INTO text VALUES (?, ?), (?, ?)", 1, "Zoë 😀", 2, nil)
			same(one(db, "SELECT a FROM text WHERE id = ?", 1)+one(db, "SELECT a FROM text WHERE id = 2"), "Zoë 😀NULL")
		}},
		{"prepared", prepared},
		{"transactions", transactions},
		{"types", types},
		{"multi", multi},
		{"big", func() {
			db := plain()
			value := strings.Repeat("0123456789abcdef", 20*65536)
			exec(db, "CREATE TABLE big (v LONGTEXT)")
			exec(db, "INSERT INTO big VALUES (?)", value)
			same(one(db, "SELECT v FROM big") == value, true)
		}},
		{"errors", func() {
			db := plain()
			exec(db, "CREATE TABLE errors (id INT PRIMARY KEY)")
			exec(db, "INSERT INTO errors VALUES (1)")
			for query, code := range map[string]int{"INSERT INTO errors VALUES (1)": 1062, "SELECT * FROM missing": 1146, "SELEC 1": 1064} {
				_, err := db.Exec(query)
				same(number(err), code)
			}
		}},
		{"user", nil},
		{"pool", func() {
			db := plain()
			db.SetMaxOpenConns(4)
			failures := make(chan error)
			for n := 0; n < 20; n++ {
				go func(n int) {
					var found int
					failures <- db.QueryRow("SELECT ? + 1", n).Scan(&found)
				}(n)
			}
			for n := 0; n < 20; n++ {
				check(<-failures)
			}
		}},
		{"compression", nil},
	}
	for _, s := range steps {
		func() {
			defer func() {
				if why := recover(); why != nil {
					text := strings.Join(strings.Fields(fmt.Sprint(why)), " ")
					fmt.Printf("%s failed %.300s\n", s.name, text)
				}
			}()
			if s.step == nil {
				fmt.Println(s.name, "none not in Debian's version of the driver")
				return
			}
			s.step()
			fmt.Println(s.name, "ok")
		}()
	}
}
