# Ruby's mysql2 (on MariaDB's C client).
require 'mysql2'

ENVIRONMENT = { port: ENV['DB_PORT'].to_i, username: ENV['DB_USER'], password: ENV['DB_PASSWORD'], database: ENV['DB_NAME'] }.freeze
VALUES = File.readlines(ENV['DB_VALUES'], chomp: true, encoding: 'UTF-8').map { |line| line.split("\t", 2) }

class None < StandardError; end

def open(**more)
  Mysql2::Client.new(host: '127.0.0.1', encoding: 'utf8mb4', as: :array, **ENVIRONMENT, **more)
end

def same(found, wanted)
  raise "#{found.inspect[0, 200]} is not #{wanted.inspect[0, 200]}" unless found == wanted
end

def refusal
  yield
  raise 'no error'
rescue Mysql2::Error => e
  [e.error_number, e.sql_state]
end

STEPS = {
  tcp: -> { same(open.query('SELECT 1').to_a, [[1]]) },
  socket: -> { same(open(host: nil, port: nil, socket: ENV['DB_SOCKET']).query('SELECT 1').to_a, [[1]]) },
  tls: lambda {
    c = open(sslca: ENV['DB_CA'], ssl_mode: :required)
    same(c.query('SELECT 1').to_a, [[1]])
    raise 'no TLS' if c.ssl_cipher.to_s.empty?
  },
  password: -> { same(refusal { open(password: 'wrong') }[0], 1045) },
  text: lambda {
    c = open
    c.query('CREATE TABLE text (id INT PRIMARY KEY, a VARCHAR(20))')
    c.query("INSERT INTO text VALUES (1, '#{c.escape("Zoë 😀 '")}'), (2, NULL)")
    same(c.query('SELECT * FROM text ORDER BY id').to_a, [[1, "Zoë 😀 '"], [2, nil]])
  },
  prepared: lambda {
    c = open
    c.query('CREATE TABLE prepared (id INT PRIMARY KEY, a VARCHAR(20), d DOUBLE)')
    insert = c.prepare('INSERT INTO prepared VALUES (?, ?, ?)')
    3.times { |n| insert.execute(n, "row #{n}", n / 2.0) }
    insert.execute(3, nil, nil)
    found = c.prepare('SELECT * FROM prepared WHERE id >= ? ORDER BY id').execute(2, as: :array)
    same(found.to_a, [[2, 'row 2', 1.0], [3, nil, nil]])
  },
  transactions: lambda {
    c = open
    c.query('CREATE TABLE moves (id INT PRIMARY KEY)')
    ['BEGIN', 'INSERT INTO moves VALUES (1)', 'ROLLBACK', 'BEGIN', 'INSERT INTO moves VALUES (2)', 'COMMIT'].each { |sql| c.query(sql) }
    same(c.query('SELECT * FROM moves').to_a, [[2]])
  },
  types: lambda {
    c = open
    VALUES.each_with_index do |(kind, value), n|
      c.query("CREATE TABLE types#{n} (id INT PRIMARY KEY, v #{kind})")
      c.prepare("INSERT INTO types#{n} VALUES (1, ?), (2, NULL)").execute(value)
      sql = "SELECT CAST(v AS CHAR), v FROM types#{n} ORDER BY id"
      ways = [c.query(sql, cast: false).to_a]
      # A prepared TIME becomes a time of day, which 838 hours are not.
      ways << c.prepare(sql).execute(as: :array).to_a unless kind.start_with?('TIME(')
      ways.each_with_index do |rows, way|
        same([kind, rows[0][0]], [kind, value]) unless kind == 'FLOAT'
        same([kind, rows[0][1]], [kind, value]) unless way == 1 || kind =~ /FLOAT|DOUBLE/
        raise "#{kind} #{value} was read as nil" if rows[0][1].nil?
        same(rows[1], [nil, nil])
      end
    end
    raw = (0..255).to_a.pack('C*')
    c.query('CREATE TABLE raw (a VARBINARY(2000), b LONGBLOB, c BIT(64))')
    c.prepare("INSERT INTO raw VALUES (?, ?, b'1010')").execute(raw, raw)
    same(c.query('SELECT a, b FROM raw').first.map(&:b), [raw, raw])
  },
  multi: lambda {
    c = open(flags: Mysql2::Client::MULTI_STATEMENTS)
    found = [c.query('SELECT 1; DO 0; SELECT 2').to_a]
    while c.next_result
      result = c.store_result
      found << result.to_a if result
    end
    same(found, [[[1]], [[2]]])
  },
  big: lambda {
    c = open
    value = '0123456789abcdef' * (20 * 65_536)
    c.query('CREATE TABLE big (v LONGTEXT)')
    c.query("INSERT INTO big VALUES ('#{value}')")
    same(c.query('SELECT v FROM big').first[0] == value, true)
  },
  errors: lambda {
    c = open
    c.query('CREATE TABLE errors (id INT PRIMARY KEY)')
    c.query('INSERT INTO errors VALUES (1)')
    same(refusal { c.query('INSERT INTO errors VALUES (1)') }, [1062, '23000'])
    same(refusal { c.query('SELECT * FROM missing') }, [1146, '42S02'])
    same(refusal { c.query('SELEC 1') }, [1064, '42000'])
  },
  user: -> { raise None, 'not in mysql2' },
  pool: -> { raise None, 'not in mysql2' },
  compression: lambda {
    c = open(flags: Mysql2::Client::COMPRESS)
    same(c.query("SELECT REPEAT('ab', 500000)").first[0].length, 1_000_000)
    same(c.query('SELECT 1').to_a, [[1]])
  }
}.freeze

STEPS.each do |name, step|
  step.call
  puts "#{name} ok"
rescue None => e
  puts "#{name} none #{e.message}"
rescue StandardError => e
  puts "#{name} failed #{"#{e.class}: #{e.message}".split.join(' ')[0, 300]}"
end
