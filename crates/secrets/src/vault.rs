//! HashiCorp Vault (and OpenBao, which speaks the same).
//!
//! | engine | `key` becomes | lease | rotation |
//! |---|---|---|---|
//! | [`KeyValue2`](VaultEngine::KeyValue2) | `/v1/MOUNT/data/KEY` | none: looked at again by the minute | somebody else's |
//! | [`KeyValue1`](VaultEngine::KeyValue1) | `/v1/MOUNT/KEY` | none | somebody else's |
//! | [`Database`](VaultEngine::Database) | `/v1/MOUNT/creds/ROLE` | yes, renewed | the next fetch makes a new user |
//! | [`DatabaseStatic`](VaultEngine::DatabaseStatic) | `/v1/MOUNT/static-creds/ROLE` | none | `/v1/MOUNT/rotate-role/ROLE` |
//!
//! A role has no slashes, so `mysql/production/primary` is the role `mysql-production-primary`. The secret's
//! fields are `username` and `password`.
//!
//! A token of AppRole is taken at the first request, again at two thirds of its life, and once more when
//! Vault answers 403 to one that it no longer knows. Paths and answers are those of Vault's public HTTP API.

use crate::credential::{Credential, Lease};
use crate::error::SecretError;
use crate::fields::Fields;
use crate::http::{HttpClient, Origin, Request, Response};
use crate::key::CredentialKey;
use crate::provider::{Answer, Provider};
use parking_lot::Mutex;
use rustydb_resilience::Deadline;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

const NAME: &str = "Vault";

/// Which of Vault's engines holds the credentials, and where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VaultEngine {
    /// Versioned key-value
    KeyValue2 {
        /// Where it is mounted, `secret` by default
        mount: String,
    },
    /// Key-value without versions
    KeyValue1 {
        /// Where it is mounted
        mount: String,
    },
    /// Users made on demand, with a lease
    Database {
        /// Where it is mounted, `database` by default
        mount: String,
    },
    /// Users that stay, whose password Vault changes
    DatabaseStatic {
        /// Where it is mounted
        mount: String,
    },
}

/// How Vault knows us.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum VaultAuthentication {
    /// A token that somebody else renews
    Token(SecretString),
    /// A role and its secret
    AppRole {
        /// Where the method is mounted, `approle` by default
        mount: String,
        /// The role
        role_id: String,
        /// Its secret
        secret_id: SecretString,
    },
}

/// Credentials in Vault.
#[derive(Debug)]
pub struct Vault {
    http: HttpClient,
    origin: Origin,
    namespace: Option<String>,
    engine: VaultEngine,
    authentication: VaultAuthentication,
    token: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    text: SecretString,
    /// When to take another; None: never by ourselves
    until: Option<Instant>,
}

impl Vault {
    /// Vault at `url` (`https://vault:8200`).
    ///
    /// # Errors
    /// [`SecretError::Unavailable`] for a URL that is not one, for plain HTTP to another machine, and for mounts
    /// that are no path.
    pub fn new(
        http: HttpClient,
        url: &str,
        engine: VaultEngine,
        authentication: VaultAuthentication,
    ) -> Result<Vault, SecretError> {
        let refused = |why: &str| SecretError::Unavailable { provider: NAME, why: why.to_owned() };
        let origin = Origin::parse(url).ok_or_else(|| {
            refused("the URL has to be https://host[:port]; http:// only to this machine, for development")
        })?;
        let (VaultEngine::KeyValue2 { mount }
        | VaultEngine::KeyValue1 { mount }
        | VaultEngine::Database { mount }
        | VaultEngine::DatabaseStatic { mount }) = &engine;
        let login = match &authentication {
            VaultAuthentication::AppRole { mount, .. } => Some(mount),
            VaultAuthentication::Token(_) => None,
        };
        if std::iter::once(mount).chain(login).any(|mount| CredentialKey::new(mount).is_err()) {
            return Err(refused("a mount is segments of letters, digits, '_', '-' and '.', joined by '/'"));
        }
        Ok(Vault { http, origin, namespace: None, engine, authentication, token: Mutex::default() })
    }

    /// Within this namespace.
    pub fn namespace(self, namespace: &str) -> Vault {
        Vault { namespace: Some(namespace.to_owned()), ..self }
    }

    /// Sends one request without looking at its status.
    async fn send(
        &self,
        method: &'static str,
        path: &str,
        token: Option<&SecretString>,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Response, SecretError> {
        let mut headers = vec![("x-vault-request", "true"), ("accept", "application/json")];
        headers.extend(token.map(|token| ("x-vault-token", token.expose_secret())));
        headers.extend(self.namespace.as_deref().map(|namespace| ("x-vault-namespace", namespace)));
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let request = Request { method, path, headers: &headers, body };
        let failed =
            |failure: crate::http::Failure| SecretError::Unavailable { provider: NAME, why: failure.0 };
        self.http.send(&self.origin, request).await.map_err(failed)
    }

    /// Sends one request with a token, and with a fresh one if Vault does not know it any more.
    async fn call(
        &self,
        method: &'static str,
        path: &str,
        body: Zeroizing<Vec<u8>>,
        key: &CredentialKey,
    ) -> Result<Response, SecretError> {
        let (token, is_kept) = self.token(key).await?;
        let response = self.send(method, path, Some(&token), body.clone()).await?;
        if response.status != 403 || !is_kept {
            return Ok(response);
        }
        *self.token.lock() = None;
        let (token, _) = self.token(key).await?;
        self.send(method, path, Some(&token), body).await
    }

    /// A token, and whether it is one that was kept from an earlier login and may have ended since.
    async fn token(&self, key: &CredentialKey) -> Result<(SecretString, bool), SecretError> {
        let (mount, role_id, secret_id) = match &self.authentication {
            VaultAuthentication::Token(token) => return Ok((token.clone(), false)),
            VaultAuthentication::AppRole { mount, role_id, secret_id } => (mount, role_id, secret_id),
        };
        let kept = self.token.lock().clone();
        if let Some(token) = kept.filter(|token| token.until.is_none_or(|until| Instant::now() < until)) {
            return Ok((token.text, true));
        }
        let body = json(&[("role_id", role_id), ("secret_id", secret_id.expose_secret())])?;
        let response = self.send("POST", &format!("/v1/auth/{mount}/login"), None, body).await?;
        let malformed = |why| SecretError::Malformed { provider: NAME, key: key.clone(), why };
        let fields = check(&response, key)?;
        let login = fields.object("auth").ok_or_else(|| malformed("a login without 'auth'"))?;
        let text = login.text("client_token").ok_or_else(|| malformed("a login without a token"))?;
        let text = SecretString::from(text);
        let life = login.number("lease_duration").filter(|seconds| *seconds > 0);
        let until = life
            .and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds).mul_f64(2.0 / 3.0)));
        *self.token.lock() = Some(Token { text: text.clone(), until });
        Ok((text, false))
    }

    async fn get(&self, key: &CredentialKey) -> Result<Credential, SecretError> {
        let path = match &self.engine {
            VaultEngine::KeyValue2 { mount } => format!("/v1/{mount}/data/{key}"),
            VaultEngine::KeyValue1 { mount } => format!("/v1/{mount}/{key}"),
            VaultEngine::Database { mount } => format!("/v1/{mount}/creds/{}", role(key)),
            VaultEngine::DatabaseStatic { mount } => format!("/v1/{mount}/static-creds/{}", role(key)),
        };
        let since = Instant::now();
        let response = self.call("GET", &path, Zeroizing::default(), key).await?;
        let fields = check(&response, key)?;
        let malformed = |why| SecretError::Malformed { provider: NAME, key: key.clone(), why };
        let data = fields.object("data").ok_or_else(|| malformed("an answer without 'data'"))?;
        let data = match &self.engine {
            VaultEngine::KeyValue2 { .. } => {
                data.object("data").ok_or_else(|| malformed("the version was deleted"))?
            }
            _ => data,
        };
        let password = data.text("password").ok_or_else(|| malformed("no field 'password'"))?;
        let username = data.text("username").map(str::to_owned);
        let credential = Credential::new(username, SecretString::from(password));
        Ok(match lease_of(&fields, since) {
            Some(lease) => credential.leased(lease),
            None => credential,
        })
    }
}

/// A role of the database engine, which has no slashes.
fn role(key: &CredentialKey) -> String {
    key.as_str().replace('/', "-")
}

fn json(members: &[(&str, &str)]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let members: BTreeMap<_, _> = members.iter().copied().collect();
    let failed =
        |_| SecretError::Unavailable { provider: NAME, why: "the request cannot be written".to_owned() };
    serde_json::to_vec(&members).map(Zeroizing::new).map_err(failed)
}

/// The answer's fields, or what its status means. Vault's own words are not repeated.
fn check<'a>(response: &'a Response, key: &CredentialKey) -> Result<Fields<'a>, SecretError> {
    let why = format!("HTTP status {}", response.status);
    match response.status {
        200..=299 => Fields::parse(&response.body).ok_or_else(|| SecretError::Malformed {
            provider: NAME,
            key: key.clone(),
            why: "the answer is no JSON object",
        }),
        404 => Err(SecretError::NotFound { provider: NAME, key: key.clone() }),
        429 | 472 | 473 | 500..=599 => Err(SecretError::Unavailable { provider: NAME, why }),
        _ => Err(SecretError::Denied { provider: NAME, key: key.clone(), why }),
    }
}

/// The lease of an answer, if it has one.
fn lease_of(fields: &Fields<'_>, since: Instant) -> Option<Lease> {
    let id = fields.text("lease_id").filter(|id| !id.is_empty())?.to_owned();
    let duration = Duration::from_secs(fields.number("lease_duration")?);
    Some(Lease { id, since, duration, renewable: fields.is_true("renewable") })
}

impl Provider for Vault {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fetch<'a>(&'a self, key: &'a CredentialKey, deadline: Deadline) -> Answer<'a, Credential> {
        Box::pin(async move {
            let late = |_| SecretError::Deadline { provider: NAME };
            deadline.bound(self.get(key)).await.map_err(late)?
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, deadline: Deadline) -> Answer<'a, Lease> {
        Box::pin(async move {
            let since = Instant::now();
            // What is asked for is as much as there was; Vault gives what its limits leave.
            let key = CredentialKey::new("lease")
                .map_err(|_| SecretError::NotSupported { provider: NAME, what: "renew" })?;
            let body =
                json(&[("lease_id", &lease.id), ("increment", &lease.duration.as_secs().to_string())])?;
            let call = self.call("PUT", "/v1/sys/leases/renew", body, &key);
            let response =
                deadline.bound(call).await.map_err(|_| SecretError::Deadline { provider: NAME })??;
            let fields = check(&response, &key)?;
            lease_of(&fields, since).ok_or(SecretError::Malformed {
                provider: NAME,
                key,
                why: "a renewal without a lease",
            })
        })
    }

    fn rotate<'a>(&'a self, key: &'a CredentialKey, deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(async move {
            let mount = match &self.engine {
                // Each fetch makes a new user; the old one goes with its lease.
                VaultEngine::Database { .. } => return Ok(()),
                VaultEngine::DatabaseStatic { mount } => mount,
                VaultEngine::KeyValue1 { .. } | VaultEngine::KeyValue2 { .. } => {
                    return Err(SecretError::NotSupported { provider: NAME, what: "rotate" });
                }
            };
            let path = format!("/v1/{mount}/rotate-role/{}", role(key));
            let call = self.call("POST", &path, Zeroizing::default(), key);
            let response =
                deadline.bound(call).await.map_err(|_| SecretError::Deadline { provider: NAME })??;
            // 204, without a body.
            if response.status == 204 { Ok(()) } else { check(&response, key).map(drop) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answering::Answering;
    use crate::http::TlsRoots;

    fn vault(server: &Answering, engine: VaultEngine, authentication: VaultAuthentication) -> Vault {
        let http = HttpClient::new(&TlsRoots::System).expect("a client");
        Vault::new(http, &server.url, engine, authentication).expect("a Vault")
    }

    fn token() -> VaultAuthentication {
        VaultAuthentication::Token(SecretString::from("t0ken"))
    }

    fn key() -> CredentialKey {
        CredentialKey::new("mysql/production/primary").expect("a key")
    }

    #[tokio::test]
    async fn a_versioned_secret_is_read_with_the_token() {
        let server = Answering::start(|_| {
            (
                200,
                r#"{"data":{"data":{"username":"app","password":"p\u0061ss"},"metadata":{"version":3}}}"#
                    .to_owned(),
            )
        })
        .await;
        let vault = vault(&server, VaultEngine::KeyValue2 { mount: "kv/team".to_owned() }, token());
        let found = vault.namespace("ns1").fetch(&key(), Deadline::NEVER).await.expect("found");
        assert_eq!((found.username(), found.secret().expose_secret()), (Some("app"), "pass"));
        assert_eq!(found.lease(), None);
        let request = &server.requests()[0];
        assert!(
            request.starts_with("GET /v1/kv/team/data/mysql/production/primary HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(
            request.contains("x-vault-token: t0ken\r\n") && request.contains("x-vault-namespace: ns1\r\n")
        );
    }

    #[tokio::test]
    async fn database_users_have_leases_that_are_renewed() {
        let server = Answering::start(|request| match request.starts_with("GET") {
            true => (
                200,
                r#"{"lease_id":"database/creds/x/1","lease_duration":3600,"renewable":true,
                    "data":{"username":"v-1","password":"pw"}}"#
                    .to_owned(),
            ),
            false => (
                200,
                r#"{"lease_id":"database/creds/x/1","lease_duration":1800,"renewable":true}"#.to_owned(),
            ),
        })
        .await;
        let vault = vault(&server, VaultEngine::Database { mount: "database".to_owned() }, token());
        let found = vault.fetch(&key(), Deadline::NEVER).await.expect("found");
        let lease = found.lease().expect("a lease");
        assert_eq!((lease.duration, lease.renewable), (Duration::from_secs(3_600), true));
        let renewed = vault.renew(lease, Deadline::NEVER).await.expect("renewed");
        assert_eq!(renewed.duration, Duration::from_secs(1_800));
        let requests = server.requests();
        assert!(requests[0].starts_with("GET /v1/database/creds/mysql-production-primary "));
        assert!(requests[1].starts_with("PUT /v1/sys/leases/renew "));
        assert!(requests[1].ends_with(r#"{"increment":"3600","lease_id":"database/creds/x/1"}"#));
    }

    #[tokio::test]
    async fn a_role_logs_in_once_and_again_when_its_token_is_gone() {
        let logins = std::sync::atomic::AtomicU32::new(0);
        let server = Answering::start(move |request| {
            if request.starts_with("POST /v1/auth/approle/login ") {
                assert!(request.ends_with(r#"{"role_id":"r","secret_id":"s"}"#), "{request}");
                let n = logins.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                return (200, format!(r#"{{"auth":{{"client_token":"t{n}","lease_duration":3600}}}}"#));
            }
            // The first token is forgotten after its first use.
            let used = request.contains("x-vault-token: t1") && request.contains("/second ");
            if used { (403, String::new()) } else { (200, r#"{"data":{"password":"pw"}}"#.to_owned()) }
        })
        .await;
        let approle = VaultAuthentication::AppRole {
            mount: "approle".to_owned(),
            role_id: "r".to_owned(),
            secret_id: SecretString::from("s"),
        };
        let vault = vault(&server, VaultEngine::KeyValue1 { mount: "kv".to_owned() }, approle);
        for name in ["first", "first", "second"] {
            let key = CredentialKey::new(name).expect("a key");
            vault.fetch(&key, Deadline::NEVER).await.expect("found");
        }
        let lines: Vec<_> = server
            .requests()
            .iter()
            .map(|r| r.split(" HTTP").next().unwrap_or_default().to_owned())
            .collect();
        let login = "POST /v1/auth/approle/login";
        let expected =
            [login, "GET /v1/kv/first", "GET /v1/kv/first", "GET /v1/kv/second", login, "GET /v1/kv/second"];
        assert_eq!(lines, expected);
    }

    #[tokio::test]
    async fn refusals_have_their_kind_and_repeat_nothing_of_the_answer() {
        use rustydb_resilience::{Class, Classify};
        let engine = || VaultEngine::DatabaseStatic { mount: "database".to_owned() };
        let cases = [
            (404, Class::Terminal),
            (403, Class::Terminal),
            (400, Class::Terminal),
            (429, Class::Retryable),
            (503, Class::Retryable),
            (200, Class::Terminal),
        ];
        for (status, class) in cases {
            let server = Answering::start(move |_| {
                (status, r#"{"errors":["M4RKED"],"data":{"M4RKED":1}}"#.to_owned())
            })
            .await;
            let error =
                vault(&server, engine(), token()).fetch(&key(), Deadline::NEVER).await.expect_err("refused");
            assert_eq!(error.class(), class, "{status}: {error}");
            assert!(!format!("{error} {error:?}").contains("M4RKED"));
        }
        let server = Answering::start(|_| (204, String::new())).await;
        let vault = vault(&server, engine(), token());
        vault.rotate(&key(), Deadline::NEVER).await.expect("rotated");
        assert!(server.requests()[0].starts_with("POST /v1/database/rotate-role/mysql-production-primary "));
    }

    #[tokio::test]
    async fn a_server_that_is_silent_costs_no_more_than_the_deadline() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let http = HttpClient::new(&TlsRoots::System).expect("a client");
        let engine = VaultEngine::KeyValue1 { mount: "kv".to_owned() };
        let vault = Vault::new(http, &url, engine, token()).expect("a Vault");
        let late = vault.fetch(&key(), Deadline::after(Duration::from_millis(50))).await.expect_err("silent");
        assert!(matches!(late, SecretError::Deadline { .. }), "{late}");
    }
}
