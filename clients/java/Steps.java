// MariaDB Connector/J. Run as a single source file: java -cp mariadb-java-client.jar Steps.java

import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

public class Steps {
    interface Step { void run() throws Exception; }

    static class None extends Exception {
        None(String why) { super(why); }
    }

    static String env(String name) { return System.getenv(name); }

    static Connection open(String options) throws SQLException { return open(options, env("DB_PASSWORD")); }

    static Connection open(String options, String password) throws SQLException {
        String url = "jdbc:mariadb://127.0.0.1:" + env("DB_PORT") + "/" + env("DB_NAME") + "?allowPublicKeyRetrieval=true&" + options;
        return DriverManager.getConnection(url, env("DB_USER"), password);
    }

    static void same(Object found, Object wanted) {
        if (!Objects.equals(String.valueOf(found), String.valueOf(wanted)))
            throw new RuntimeException(cut(String.valueOf(found)) + " is not " + cut(String.valueOf(wanted)));
    }

    static String cut(String text) { return text.substring(0, Math.min(200, text.length())); }

    static void run(Connection c, String... all) throws SQLException {
        try (Statement s = c.createStatement()) {
            for (String sql : all) s.execute(sql);
        }
    }

    static String rows(Connection c, String sql, Object... parameters) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) s.setObject(i + 1, parameters[i]);
            StringBuilder text = new StringBuilder();
            try (ResultSet found = s.executeQuery()) {
                while (found.next()) {
                    for (int i = 1; i <= found.getMetaData().getColumnCount(); i++)
                        text.append(i > 1 ? "," : "").append(found.getString(i));
                    text.append(";");
                }
            }
            return text.toString();
        }
    }

    static String refusal(Step work) throws Exception {
        try {
            work.run();
        } catch (SQLException error) {
            return error.getErrorCode() + "/" + error.getSQLState();
        }
        throw new RuntimeException("no error");
    }

    static void types() throws Exception {
        int n = 0;
        for (String line : Files.readAllLines(Path.of(env("DB_VALUES")))) {
            String kind = line.substring(0, line.indexOf('\t')), value = line.substring(line.indexOf('\t') + 1);
            for (String way : new String[] {"", "useServerPrepStmts=true"}) {
                try (Connection c = open(way)) {
                    String table = "types" + n++;
                    run(c, "CREATE TABLE " + table + " (id INT PRIMARY KEY, v " + kind + ")");
                    try (PreparedStatement s = c.prepareStatement("INSERT INTO " + table + " VALUES (1, ?), (2, NULL)")) {
                        s.setString(1, value);
                        s.executeUpdate();
                    }
                    if (!kind.equals("FLOAT"))
                        same(rows(c, "SELECT CAST(v AS CHAR) FROM " + table + " WHERE id = ?", 1), value + ";");
                    String found = rows(c, "SELECT v FROM " + table + " WHERE id = ?", 1);
                    if (kind.matches(".*(INT|DECIMAL.65,0|CHAR|TEXT|ENUM|SET|DATE$).*")) same(kind + " " + found, kind + " " + value + ";");
                    same(rows(c, "SELECT v FROM " + table + " WHERE id = ?", 2), "null;");
                }
            }
        }
        byte[] raw = new byte[1024];
        for (int i = 0; i < raw.length; i++) raw[i] = (byte) i;
        try (Connection c = open("useServerPrepStmts=true")) {
            run(c, "CREATE TABLE raw (a VARBINARY(2000), b LONGBLOB, c BIT(64))");
            try (PreparedStatement s = c.prepareStatement("INSERT INTO raw VALUES (?, ?, b'1010')")) {
                s.setBytes(1, raw);
                s.setBytes(2, raw);
                s.executeUpdate();
            }
            try (Statement s = c.createStatement(); ResultSet found = s.executeQuery("SELECT a, b FROM raw")) {
                found.next();
                same(Arrays.equals(found.getBytes(1), raw) && Arrays.equals(found.getBytes(2), raw), true);
            }
        }
    }

    public static void main(String[] words) {
        Map<String, Step> steps = new LinkedHashMap<>();
        steps.put("tcp", () -> { try (Connection c = open("")) { same(rows(c, "SELECT 1"), "1;"); } });
        steps.put("socket", () -> {
            try (Connection c = open("localSocket=" + env("DB_SOCKET"))) { same(rows(c, "SELECT 1"), "1;"); }
        });
        steps.put("tls", () -> {
            String options = "useSsl=true&disableSslHostnameVerification=true&serverSslCert=" + env("DB_CA");
            try (Connection c = open(options)) { same(rows(c, "SELECT 1"), "1;"); }
        });
        steps.put("password", () -> same(refusal(() -> open("", "wrong")), "1045/28000"));
        steps.put("text", () -> {
            try (Connection c = open("")) {
                run(c, "CREATE TABLE text (id INT PRIMARY KEY, a VARCHAR(20))", "INSERT INTO text VALUES (1, 'Zoë 😀'), (2, NULL)");
                same(rows(c, "SELECT * FROM text ORDER BY id"), "1,Zoë 😀;2,null;");
            }
        });
        steps.put("prepared", () -> {
            try (Connection c = open("useServerPrepStmts=true")) {
                run(c, "CREATE TABLE prepared (id INT PRIMARY KEY, a VARCHAR(20), d DOUBLE)");
                try (PreparedStatement s = c.prepareStatement("INSERT INTO prepared VALUES (?, ?, ?)")) {
                    for (int n = 0; n < 4; n++) {
                        s.setInt(1, n);
                        s.setObject(2, n < 3 ? "row " + n : null);
                        s.setObject(3, n < 3 ? n / 2.0 : null);
                        s.addBatch();
                    }
                    s.executeBatch();
                }
                same(rows(c, "SELECT a, d FROM prepared WHERE id >= ? ORDER BY id", 2), "row 2,1.0;null,null;".replace("1.0", rows(c, "SELECT d FROM prepared WHERE id = ?", 2).replace(";", "")));
            }
        });
        steps.put("transactions", () -> {
            try (Connection c = open("")) {
                run(c, "CREATE TABLE moves (id INT PRIMARY KEY)");
                c.setAutoCommit(false);
                run(c, "INSERT INTO moves VALUES (1)");
                c.rollback();
                run(c, "INSERT INTO moves VALUES (2)");
                c.commit();
                same(rows(c, "SELECT * FROM moves"), "2;");
            }
        });
        steps.put("types", Steps::types);
        steps.put("multi", () -> {
            try (Connection c = open("allowMultiQueries=true"); Statement s = c.createStatement()) {
                StringBuilder text = new StringBuilder();
                boolean rows = s.execute("SELECT 1; DO 0; SELECT 2");
                while (rows || s.getUpdateCount() != -1) {
                    if (rows) {
                        s.getResultSet().next();
                        text.append(s.getResultSet().getInt(1));
                    }
                    rows = s.getMoreResults();
                }
                same(text, "12");
            }
        });
        steps.put("big", () -> {
            try (Connection c = open("useServerPrepStmts=true")) {
                String value = "0123456789abcdef".repeat(20 * 65536);
                run(c, "CREATE TABLE big (v LONGTEXT)");
                try (PreparedStatement s = c.prepareStatement("INSERT INTO big VALUES (?)")) {
                    s.setString(1, value);
                    s.executeUpdate();
                }
                same(rows(c, "SELECT v FROM big").length(), value.length() + 1);
            }
        });
        steps.put("errors", () -> {
            try (Connection c = open("")) {
                run(c, "CREATE TABLE errors (id INT PRIMARY KEY)", "INSERT INTO errors VALUES (1)");
                same(refusal(() -> run(c, "INSERT INTO errors VALUES (1)")), "1062/23000");
                same(refusal(() -> run(c, "SELECT * FROM missing")), "1146/42S02");
                same(refusal(() -> run(c, "SELEC 1")), "1064/42000");
            }
        });
        steps.put("user", () -> { throw new None("not in JDBC"); });
        steps.put("pool", () -> {
            for (int n = 0; n < 10; n++) {
                try (Connection c = open("pool&maxPoolSize=2&useResetConnection=true")) {
                    same(rows(c, "SELECT ?", n), n + ";");
                }
            }
        });
        steps.put("compression", () -> {
            try (Connection c = open("useCompression=true")) {
                same(rows(c, "SELECT REPEAT('ab', 500000)").length(), 1000001);
                same(rows(c, "SELECT 1"), "1;");
            }
        });
        steps.forEach((name, step) -> {
            try {
                step.run();
                System.out.println(name + " ok");
            } catch (None why) {
                System.out.println(name + " none " + why.getMessage());
            } catch (Throwable why) {
                System.out.println(name + " failed " + cut(String.valueOf(why).replaceAll("\\s+", " ")));
            }
        });
        System.exit(0);
    }
}
