<?php
// PHP's mysqlnd: PDO, and mysqli for what PDO lacks.

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
[$port, $socket, $user, $password, $ca, $name] =
    array_map('getenv', ['DB_PORT', 'DB_SOCKET', 'DB_USER', 'DB_PASSWORD', 'DB_CA', 'DB_NAME']);
$values = array_map(fn($line) => explode("\t", $line), explode("\n", rtrim(file_get_contents(getenv('DB_VALUES')), "\n")));

class None extends Exception {}

function open(array $more = [], ?string $place = null, ?string $secret = null): PDO {
    global $port, $user, $password, $name;
    $place ??= "host=127.0.0.1;port=$port";
    return new PDO("mysql:$place;dbname=$name;charset=utf8mb4", $user, $secret ?? $password, $more + [
        PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => false,
        PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_NUM,
    ]);
}

function same($found, $wanted): void {
    if ($found !== $wanted) {
        throw new Exception(substr(json_encode($found, JSON_INVALID_UTF8_SUBSTITUTE), 0, 200) . ' is not ' . substr(json_encode($wanted), 0, 200));
    }
}

function refusal(callable $work): array {
    try {
        $work();
    } catch (PDOException $error) {
        return [$error->errorInfo[1], $error->errorInfo[0]];
    }
    throw new Exception('no error');
}

$steps = [
    'tcp' => fn() => same(open()->query('SELECT 1')->fetchAll(), [[1]]),
    'socket' => fn() => same(open([], "unix_socket=$socket")->query('SELECT 1')->fetchAll(), [[1]]),
    'tls' => function () use ($ca) {
        $db = open([PDO::MYSQL_ATTR_SSL_CA => $ca, PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true]);
        same($db->query('SELECT 1')->fetchAll(), [[1]]);
    },
    'password' => fn() => same(refusal(fn() => open([], null, 'wrong'))[0], 1045),
    'text' => function () {
        $db = open([PDO::ATTR_EMULATE_PREPARES => true]);
        $db->exec('CREATE TABLE text (id INT PRIMARY KEY, a VARCHAR(20))');
        $db->prepare('INSERT INTO text VALUES (?, ?), (?, ?)')->execute([1, 'Zoë 😀', 2, null]);
        same($db->query('SELECT * FROM text ORDER BY id')->fetchAll(), [[1, 'Zoë 😀'], [2, null]]);
    },
    'prepared' => function () {
        $db = open();
        $db->exec('CREATE TABLE prepared (id INT PRIMARY KEY, a VARCHAR(20), d DOUBLE)');
        $insert = $db->prepare('INSERT INTO prepared VALUES (?, ?, ?)');
        foreach ([0, 1, 2] as $n) $insert->execute([$n, "row $n", $n / 2]);
        $insert->execute([3, null, null]);
        $select = $db->prepare('SELECT * FROM prepared WHERE id >= ? ORDER BY id');
        $select->execute([2]);
        same($select->fetchAll(), [[2, 'row 2', 1.0], [3, null, null]]);
    },
    'transactions' => function () {
        $db = open();
        $db->exec('CREATE TABLE moves (id INT PRIMARY KEY)');
        $db->beginTransaction();
        $db->exec('INSERT INTO moves VALUES (1)');
        $db->rollBack();
        $db->beginTransaction();
        $db->exec('INSERT INTO moves VALUES (2)');
        $db->commit();
        same($db->query('SELECT * FROM moves')->fetchAll(), [[2]]);
    },
    'types' => function () use ($values) {
        $db = open([PDO::ATTR_STRINGIFY_FETCHES => true]);
        foreach ($values as $n => [$kind, $value]) {
            $db->exec("CREATE TABLE types$n (id INT PRIMARY KEY, v $kind)");
            $db->prepare("INSERT INTO types$n VALUES (1, ?), (2, NULL)")->execute([$value]);
            $sql = "SELECT CAST(v AS CHAR), v FROM types$n ORDER BY id";
            $prepared = $db->prepare($sql);
            $prepared->execute();
            foreach ([$db->query($sql)->fetchAll(), $prepared->fetchAll()] as $rows) {
                if ($kind !== 'FLOAT') same([$kind, $rows[0][0]], [$kind, $value]);
                if (!preg_match('/FLOAT|DOUBLE/', $kind)) same([$kind, $rows[0][1]], [$kind, $value]);
                same($rows[1], [null, null]);
            }
        }
        $raw = implode('', array_map('chr', range(0, 255)));
        $db->exec('CREATE TABLE raw (a VARBINARY(2000), b LONGBLOB, c BIT(64))');
        $db->prepare("INSERT INTO raw VALUES (?, ?, b'1010')")->execute([$raw, $raw]);
        same($db->query('SELECT a, b FROM raw')->fetch() === [$raw, $raw], true);
    },
    'multi' => function () {
        $result = open([PDO::ATTR_EMULATE_PREPARES => true])->query('SELECT 1; DO 0; SELECT 2');
        same($result->fetchAll(), [[1]]);
        $result->nextRowset();
        $result->nextRowset();
        same($result->fetchAll(), [[2]]);
    },
    'big' => function () {
        $db = open();
        $value = str_repeat('0123456789abcdef', 20 * 65536);
        $db->exec('CREATE TABLE big (v LONGTEXT)');
        $db->prepare('INSERT INTO big VALUES (?)')->execute([$value]);
        same($db->query('SELECT v FROM big')->fetchColumn() === $value, true);
    },
    'errors' => function () {
        $db = open();
        $db->exec('CREATE TABLE errors (id INT PRIMARY KEY)');
        $db->exec('INSERT INTO errors VALUES (1)');
        same(refusal(fn() => $db->exec('INSERT INTO errors VALUES (1)')), [1062, '23000']);
        same(refusal(fn() => $db->query('SELECT * FROM missing')), [1146, '42S02']);
        same(refusal(fn() => $db->query('SELEC 1')), [1064, '42000']);
    },
    'user' => function () use ($port, $user, $password, $name) {
        $db = new mysqli('127.0.0.1', $user, $password, $name, (int) $port);
        $db->query('SET @x = 1');
        $db->change_user($user, $password, $name);
        same($db->query('SELECT @x, DATABASE()')->fetch_row(), [null, $name]);
    },
    'pool' => function () use ($port, $user, $password, $name) {
        // A persistent connection is changed to its own user when it is taken again.
        foreach ([1, 2, 3] as $_) {
            $db = new mysqli('p:127.0.0.1', $user, $password, $name, (int) $port);
            same($db->query('SELECT @x')->fetch_row(), [null]);
            $db->query('SET @x = 1');
            $db->close();
        }
    },
    'compression' => function () {
        $db = open([PDO::MYSQL_ATTR_COMPRESS => true]);
        same(strlen($db->query("SELECT REPEAT('ab', 500000)")->fetchColumn()), 1000000);
        same($db->query('SELECT 1')->fetchAll(), [[1]]);
    },
];
foreach ($steps as $step => $work) {
    try {
        $work();
        echo "$step ok\n";
    } catch (Throwable $error) {
        echo "$step failed ", substr(preg_replace('/\s+/', ' ', $error->getMessage()), 0, 300), "\n";
    }
}
