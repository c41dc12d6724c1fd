//! Which clients there are, and what each needs.

/// Where a client's own packages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Debian has all of it
    Debian,
    /// PyPI, into a virtual environment; the packages
    Python(&'static [&'static str]),
    /// npm; the packages
    Node(&'static [&'static str]),
    /// crates.io, by the workspace `clients/rust`; the program
    Rust(&'static str),
}

/// A client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    pub(super) name: &'static str,
    /// Programs and files that have to be there, each with the Debian package that brings it.
    pub(super) debian: &'static [(&'static str, &'static str)],
    pub(super) source: Source,
    /// The command line. A word that begins with `@` is a file of the `clients` folder; of Rust's programs,
    /// node's and python's, the first word is what was installed.
    pub(super) words: &'static [&'static str],
    /// Steps of its own, in place of the usual ones.
    pub(super) own: &'static [&'static str],
    /// Usual steps that make no sense for it.
    pub(super) skips: &'static [&'static str],
    /// It compares with a MariaDB (`DB_PEER_PORT`, `DB_PEER_PASSWORD`).
    pub(super) peer: bool,
    /// Quick and without anything to install where Debian's packages are there.
    pub(super) quick: bool,
}

impl Client {
    /// Whether all that Debian brings for it is there.
    pub(super) fn is_present(&self) -> bool {
        self.debian.iter().all(|(file, _)| std::path::Path::new(file).exists())
    }
}

const PYTHON: &[(&str, &str)] =
    &[("/usr/bin/python3", "python3"), ("/usr/lib/python3.11/ensurepip", "python3-venv")];
/// The last whose C part runs with the OpenSSL of Debian 12.
const CONNECTOR: &[&str] = &["mysql-connector-python==9.1.0"];
const C_LIBRARY: &[(&str, &str)] = &[
    ("/usr/bin/python3", "python3"),
    ("/usr/lib/python3.11/ensurepip", "python3-venv"),
    ("/usr/include/python3.11/Python.h", "python3-dev"),
    ("/usr/bin/mariadb_config", "libmariadb-dev"),
    ("/usr/bin/pkg-config", "pkg-config"),
];
const MARIADB_JAR: &str = "/usr/share/java/mariadb-java-client.jar";
/// The driver, and what it needs for Unix sockets.
const CLASS_PATH: &str =
    "/usr/share/java/mariadb-java-client.jar:/usr/share/java/jna.jar:/usr/share/java/jna-platform.jar";

/// The clients, quick ones first.
pub(super) const CLIENTS: [Client; 16] = [
    Client {
        name: "mariadb",
        debian: &[("/usr/bin/mariadb", "mariadb-client-core")],
        source: Source::Debian,
        words: &["bash", "@mariadb/steps.sh"],
        own: &[],
        skips: &[],
        peer: false,
        quick: true,
    },
    Client {
        name: "sysbench",
        debian: &[("/usr/bin/sysbench", "sysbench")],
        source: Source::Debian,
        words: &["bash", "@sysbench/steps.sh"],
        own: &[],
        skips: &["password", "types", "multi", "big", "errors", "user", "pool"],
        peer: false,
        quick: true,
    },
    Client {
        name: "php",
        debian: &[("/usr/bin/php", "php-cli"), ("/usr/share/php8.2-mysql", "php-mysql")],
        source: Source::Debian,
        words: &["php", "@php/steps.php"],
        own: &[],
        skips: &[],
        peer: false,
        quick: true,
    },
    Client {
        name: "ruby",
        debian: &[("/usr/bin/ruby", "ruby"), ("/usr/share/doc/ruby-mysql2", "ruby-mysql2")],
        source: Source::Debian,
        words: &["/usr/bin/ruby", "@ruby/steps.rb"],
        own: &[],
        skips: &[],
        peer: false,
        quick: true,
    },
    Client {
        name: "go",
        debian: &[
            ("/usr/bin/go", "golang-go"),
            ("/usr/share/gocode/src/github.com/go-sql-driver/mysql", "golang-github-go-sql-driver-mysql-dev"),
        ],
        source: Source::Debian,
        words: &["/usr/bin/go", "run", "@go/main.go"],
        own: &[],
        skips: &[],
        peer: false,
        quick: true,
    },
    Client {
        name: "java",
        debian: &[
            ("/usr/bin/java", "default-jdk-headless"),
            (MARIADB_JAR, "libmariadb-java"),
            ("/usr/share/java/jna-platform.jar", "libjna-platform-java"),
        ],
        source: Source::Debian,
        words: &["java", "-cp", CLASS_PATH, "@java/Steps.java"],
        own: &[],
        skips: &[],
        peer: false,
        quick: true,
    },
    Client {
        name: "pymysql",
        debian: PYTHON,
        source: Source::Python(&["PyMySQL", "cryptography"]),
        words: &["python", "@python/steps.py", "pymysql"],
        own: &[],
        skips: &[],
        peer: false,
        quick: false,
    },
    Client {
        name: "connector-pure",
        debian: PYTHON,
        source: Source::Python(CONNECTOR),
        words: &["python", "@python/steps.py", "connector-pure"],
        own: &[],
        skips: &[],
        peer: false,
        quick: false,
    },
    Client {
        name: "connector-c",
        debian: PYTHON,
        source: Source::Python(CONNECTOR),
        words: &["python", "@python/steps.py", "connector-c"],
        own: &[],
        skips: &[],
        peer: false,
        quick: false,
    },
    Client {
        name: "mysqlclient",
        debian: C_LIBRARY,
        source: Source::Python(&["mysqlclient"]),
        words: &["python", "@python/steps.py", "mysqlclient"],
        own: &[],
        skips: &[],
        peer: false,
        quick: false,
    },
    Client {
        name: "node-mysql2",
        debian: &[("/usr/bin/node", "nodejs"), ("/usr/bin/npm", "npm")],
        source: Source::Node(&["mysql2"]),
        words: &["node", "@node/steps.js"],
        own: &[],
        skips: &[],
        peer: false,
        quick: false,
    },
    Client {
        name: "sqlx",
        debian: &[],
        source: Source::Rust("sqlx"),
        words: &["sqlx"],
        own: &[],
        skips: &[],
        peer: false,
        quick: false,
    },
    Client {
        name: "mysql_async",
        debian: &[],
        source: Source::Rust("mysql_async"),
        words: &["mysql_async"],
        own: &[],
        skips: &[],
        peer: false,
        quick: false,
    },
    Client {
        name: "diesel",
        debian: &[("/usr/bin/mariadb_config", "libmariadb-dev"), ("/usr/bin/pkg-config", "pkg-config")],
        source: Source::Rust("diesel"),
        words: &["diesel"],
        own: &[],
        skips: &[],
        peer: false,
        quick: false,
    },
    Client {
        name: "sqlalchemy",
        debian: PYTHON,
        source: Source::Python(&["SQLAlchemy", "PyMySQL", "cryptography"]),
        words: &["python", "@sqlalchemy/steps.py"],
        own: &["create", "reflect", "use", "drop"],
        skips: &[],
        peer: false,
        quick: false,
    },
    Client {
        name: "dump",
        debian: &[
            ("/usr/bin/mariadb", "mariadb-client-core"),
            ("/usr/bin/mariadb-dump", "mariadb-client"),
            ("/usr/sbin/mariadbd", "mariadb-server-core"),
        ],
        source: Source::Debian,
        words: &["bash", "@dump/steps.sh"],
        own: &["dump", "reload", "peer"],
        skips: &[],
        peer: true,
        quick: false,
    },
];
