//! Logging in: TLS, compression, accounts of every method.

use crate::server::{Server, run_sql, soon};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustydb_mysql::connection::{Compression, ConnectOptions, PemSource, ServerKey, SslMode, TlsOptions};
use rustydb_mysql::driver::{Address, Credential, Driver, Endpoint, Session};
use rustydb_mysql::error::ErrorKind;
use rustydb_mysql::{Connection, Error, ServerDriver};
use rustydb_mysql_protocol::auth::pem;
use tempfile::TempDir;

/// An authority, and a server's certificate for `db.example` signed by it.
pub(super) struct Certificates {
    folder: TempDir,
    authority: String,
    stranger: String,
}

impl Certificates {
    pub(super) fn new() -> Certificates {
        let authority = || {
            let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let issuer = authority();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["db.example".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.path().join("cert.pem"), pem::encode("CERTIFICATE", certificate.der()))
            .unwrap();
        std::fs::write(folder.path().join("key.pem"), pem::encode("PRIVATE KEY", &key.serialize_der()))
            .unwrap();
        Certificates {
            folder,
            authority: pem::encode("CERTIFICATE", issuer.der()),
            stranger: pem::encode("CERTIFICATE", authority().der()),
        }
    }

    pub(super) fn settings(&self) -> Vec<String> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        vec![format!("--ssl-cert={}", file("cert.pem")), format!("--ssl-key={}", file("key.pem"))]
    }
}

fn with_tls(mode: SslMode, authorities: Option<&str>, name: Option<&str>) -> ConnectOptions {
    let authorities = authorities.map(|text| PemSource::Text(text.to_owned()));
    let tls = TlsOptions { mode, authorities, identity: None, server_name: name.map(str::to_owned) };
    ConnectOptions { tls, ..ConnectOptions::default() }
}

pub(super) async fn tls_is_as_strict_as_its_mode(server: &Server, certificates: &Certificates) {
    let (ours, other) = (Some(certificates.authority.as_str()), Some(certificates.stranger.as_str()));
    let name = Some("db.example");
    for (mode, authorities, name, works) in [
        (SslMode::Disabled, None, None, true),
        (SslMode::Preferred, None, None, true),
        (SslMode::Required, None, None, true),
        (SslMode::VerifyCA, ours, None, true),
        (SslMode::VerifyCA, other, name, false),
        (SslMode::VerifyIdentity, ours, name, true),
        (SslMode::VerifyIdentity, ours, None, false),
        (SslMode::VerifyIdentity, other, name, false),
    ] {
        match server.try_connect(with_tls(mode, authorities, name), "root", "").await {
            Ok(mut session) => {
                assert!(works, "{mode:?}");
                assert_eq!(session.is_tls(), mode != SslMode::Disabled, "{mode:?}");
                let sql = "SELECT REPEAT('x', 1000000)";
                let told: (String,) = session.query(sql, soon()).await.unwrap().one().await.unwrap();
                assert_eq!(told.0.len(), 1_000_000);
                assert!(session.is_alive());
            }
            Err(error) => {
                assert!(!works, "{mode:?}: {error}");
                assert!(matches!(error, Error::Connect { .. }), "{error}");
            }
        }
    }
}

pub(super) async fn compressed_sessions_say_the_same(server: &Server) {
    for compression in [Compression::Zlib, Compression::Zstd(3)] {
        let options = ConnectOptions { compression: Some(compression), ..ConnectOptions::default() };
        let mut session = server.connect_with(options).await;
        for length in [1u64, 100, 100_000, 3_000_000] {
            let text = "x".repeat(length as usize);
            let (statement, results) =
                session.prepare_execute("SELECT ?, LENGTH(?)", &[&text, &text], soon()).await.unwrap();
            let (back, told): (String, u64) = results.one().await.unwrap();
            assert!(back == text && told == length, "{compression:?}");
            session.close_statement(&statement);
            let results = session.query("SELECT 1", soon()).await.unwrap();
            assert_eq!(results.one::<(i64,)>().await.unwrap(), (1,));
        }
        session.reset(soon()).await.unwrap();
        assert!(session.run("SELEC", soon()).await.is_err());
        session.ping(soon()).await.unwrap();
        session.close(soon()).await;
    }
}

pub(super) async fn a_wrong_password_is_an_authentication_failure(server: &Server) {
    let told = server.try_connect(ConnectOptions::default(), "root", "wrong-secret").await.unwrap_err();
    assert_eq!(told.kind(), ErrorKind::AuthenticationFailed, "{told}");
    assert!(!format!("{told} {told:?}").contains("wrong-secret"));
}

async fn log_in(server: &Server, options: ConnectOptions, user: &str) -> Result<Connection, Error> {
    let mut session = server.try_connect(options, user, "pass-word").await?;
    let (told,): (String,) = session.query("SELECT CURRENT_USER()", soon()).await?.one().await?;
    assert!(told.starts_with(user), "{told}");
    Ok(session)
}

pub(super) async fn mariadb_accounts_log_in(server: &Server) {
    let mut root = server.connect().await;
    run_sql(&mut root, "INSTALL SONAME 'auth_ed25519'").await;
    run_sql(&mut root, "CREATE USER native IDENTIFIED VIA mysql_native_password USING PASSWORD('pass-word')")
        .await;
    run_sql(&mut root, "CREATE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('pass-word')").await;
    let parsec = root.run("INSTALL SONAME 'auth_parsec'", soon()).await.is_ok();
    if parsec {
        run_sql(&mut root, "CREATE USER parsec IDENTIFIED VIA parsec USING PASSWORD('pass-word')").await;
    } else {
        eprintln!("this MariaDB has no parsec: only its arithmetic is tested");
    }
    for mode in [SslMode::Disabled, SslMode::Required] {
        for user in ["native", "ed"].into_iter().chain(parsec.then_some("parsec")) {
            for _ in 0..3 {
                log_in(server, with_tls(mode, None, None), user).await.unwrap();
            }
        }
    }
    let told = server.try_connect(ConnectOptions::default(), "ed", "wrong").await.unwrap_err();
    assert_eq!(told.kind(), ErrorKind::AuthenticationFailed, "{told}");
    let endpoint = Endpoint::new("socket", Address::Unix(server.socket.clone()));
    let driver = ServerDriver::new(ConnectOptions::default()).unwrap();
    let mut session = driver.connect(&endpoint, &Credential::new("root", ""), soon()).await.unwrap();
    session.ping(soon()).await.unwrap();
}

pub(super) async fn mysql_accounts_log_in(server: &Server) {
    let mut root = server.connect().await;
    run_sql(&mut root, "CREATE USER caching IDENTIFIED WITH caching_sha2_password BY 'pass-word'").await;
    let sha256 = "CREATE USER sha IDENTIFIED WITH sha256_password BY 'pass-word'";
    let sha256 = root.run(sha256, soon()).await.is_ok();
    for mode in [SslMode::Disabled, SslMode::Required] {
        // The first login of each round is a full one, the next are quick.
        run_sql(&mut root, "FLUSH PRIVILEGES").await;
        for _ in 0..3 {
            log_in(server, with_tls(mode, None, None), "caching").await.unwrap();
            if sha256 {
                log_in(server, with_tls(mode, None, None), "sha").await.unwrap();
            }
        }
    }
    run_sql(&mut root, "FLUSH PRIVILEGES").await;
    let refused =
        ConnectOptions { server_key: ServerKey::Refused, ..with_tls(SslMode::Disabled, None, None) };
    let told = log_in(server, refused, "caching").await.unwrap_err();
    assert!(matches!(told, Error::Authentication { .. }), "{told}");
}
