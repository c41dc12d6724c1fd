-- What a dump has to carry: every type, keys, constraints, views, and values that need care. Generated columns are
-- left out: mariadb-dump writes their values, and MariaDB does not read MySQL's form of them.
CREATE TABLE country (
  id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(50) NOT NULL,
  code CHAR(2) NOT NULL DEFAULT 'XX',
  UNIQUE KEY code (code),
  KEY name (name(10))
) COMMENT='it''s a \\ table';
CREATE TABLE city (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  country_id SMALLINT UNSIGNED NOT NULL,
  name VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  changed TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  CONSTRAINT city_country FOREIGN KEY (country_id) REFERENCES country (id) ON DELETE RESTRICT ON UPDATE CASCADE
) AUTO_INCREMENT=100;
CREATE TABLE numbers (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d INT(11), e DECIMAL(65,30), f FLOAT, g DOUBLE, h BIT(10), i YEAR,
  j TINYINT(1) NOT NULL DEFAULT 1,
  CONSTRAINT small CHECK (a < 100)
);
CREATE TABLE texts (
  id INT PRIMARY KEY,
  a CHAR(10), b VARCHAR(300) DEFAULT 'it''s', c TEXT, d LONGTEXT, e BINARY(4), f VARBINARY(300), g BLOB,
  h ENUM('a','b''c') NOT NULL DEFAULT 'a', i SET('x','y','z')
);
CREATE TABLE times (id INT PRIMARY KEY, a DATE, b TIME(3), c DATETIME(6), d TIMESTAMP(2) NULL, KEY c (c, a));
INSERT INTO country (name, code) VALUES ('Österreich', 'AT'), ('日本', 'JP'), ('O''Land \\ "x"', 'OL');
INSERT INTO city (country_id, name, changed) VALUES (1, 'Wien', '2026-01-02 03:04:05'), (2, '東京', '2026-01-02 03:04:05'), (3, NULL, '2026-01-02 03:04:05');
INSERT INTO numbers VALUES
  (18446744073709551615, -128, 65535, -8388608, -2147483648, -12345678901234567890.000000000000000000000000000001, -1.5, 2.2250738585072014e-308, b'1010101010', 1901, 0),
  (0, 99, 0, 8388607, 2147483647, 0, 3e38, 1.7976931348623157e308, b'0', 2155, 1),
  (1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1);
INSERT INTO texts (id, a, b, c, d, e, f, g, h, i) VALUES
  (1, 'abc', 'Zoë 😀 \n\t\\ '' " %', '', REPEAT('long ', 5000), X'00FF00FF', X'000102FFFE', X'00', 'b''c', 'x,z'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'a', NULL);
INSERT INTO times VALUES (1, '1000-01-01', '-838:59:59.000', '9999-12-31 23:59:59.999999', '2037-12-31 23:59:59.99'), (2, NULL, NULL, NULL, NULL);
CREATE VIEW cities AS SELECT c.name, k.name AS country FROM city c JOIN country k ON k.id = c.country_id;
