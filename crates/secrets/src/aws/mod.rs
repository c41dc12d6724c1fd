//! AWS Secrets Manager.
//!
//! A key is a secret's name. The secret is a JSON object with `username` and `password` (what the console and
//! the rotation functions of RDS write) or the password itself. `RotateSecret` starts a rotation, which
//! a function in AWS carries out within minutes: the new credential is found at one of the next looks.
//!
//! Requests are signed with version 4 signatures ([`signature`]) by the identity that [`AwsIdentity`] finds.
//! Names, targets and errors are those of the service's public API, version 2017-10-17.

mod identity;
mod signature;

pub use identity::{AwsCredentials, AwsIdentity};

use crate::credential::Credential;
use crate::error::SecretError;
use crate::fields::Fields;
use crate::http::{HttpClient, Origin, Request, Response};
use crate::key::CredentialKey;
use crate::provider::{Answer, Provider};
use rustydb_resilience::{Deadline, Randomness};
use secrecy::SecretString;
use signature::Signing;
use std::collections::BTreeMap;
use std::time::SystemTime;
use zeroize::Zeroizing;

const NAME: &str = "AWS Secrets Manager";

type WallClock = dyn Fn() -> SystemTime + Send + Sync;

/// Credentials in AWS Secrets Manager.
pub struct AwsSecrets {
    http: HttpClient,
    origin: Origin,
    region: String,
    identity: identity::Source,
    clock: Box<WallClock>,
    random: Randomness,
}

impl AwsSecrets {
    /// The service of `region` (`eu-west-1`), asked as `identity`.
    ///
    /// # Errors
    /// [`SecretError::Unavailable`] for a region that is none.
    pub fn new(http: HttpClient, region: &str, identity: AwsIdentity) -> Result<AwsSecrets, SecretError> {
        let is_region = !region.is_empty() && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let origin = is_region.then(|| format!("https://secretsmanager.{region}.{domain}"));
        let origin = origin.as_deref().and_then(Origin::parse).ok_or_else(|| SecretError::Unavailable {
            provider: NAME,
            why: "the region is not one".to_owned(),
        })?;
        // The one place where the time of day is read: a signature says when it was made.
        #[allow(clippy::disallowed_methods, reason = "the default; `clock` replaces it")]
        let clock = || SystemTime::now();
        let identity = identity::Source::new(identity);
        let (region, random) = (region.to_owned(), Randomness::new());
        Ok(AwsSecrets { http, origin, region, identity, clock: Box::new(clock), random })
    }

    /// At this address instead of the region's own: a VPC endpoint, or a test's.
    ///
    /// # Errors
    /// [`SecretError::Unavailable`] for a URL that is not one, or plain HTTP to another machine.
    pub fn endpoint(self, url: &str) -> Result<AwsSecrets, SecretError> {
        let why = "the endpoint has to be https://host[:port]".to_owned();
        let origin = Origin::parse(url).ok_or(SecretError::Unavailable { provider: NAME, why })?;
        Ok(AwsSecrets { origin, ..self })
    }

    /// Takes the time of day from `clock`.
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> AwsSecrets {
        AwsSecrets { clock: Box::new(clock), ..self }
    }

    async fn call(&self, target: &str, members: &[(&str, &str)]) -> Result<Response, SecretError> {
        let unavailable = |why: String| SecretError::Unavailable { provider: NAME, why };
        let credentials = self.identity.credentials(&self.http).await.map_err(|f| unavailable(f.0))?;
        let members: BTreeMap<_, _> = members.iter().copied().collect();
        let body = serde_json::to_vec(&members).map_err(|_| unavailable("no request".to_owned()))?;
        let host = self.origin.host_header();
        let signing = Signing {
            credentials: &credentials,
            region: &self.region,
            service: "secretsmanager",
            at: (self.clock)(),
        };
        let target = format!("secretsmanager.{target}");
        let plain =
            [("content-type", "application/x-amz-json-1.1"), ("host", &host), ("x-amz-target", &target)];
        let signed = signing.sign("POST", "/", &plain, &body);
        let mut headers = vec![plain[0], plain[2]];
        headers.extend(signed.iter().map(|(name, value)| (*name, value.as_str())));
        let request = Request { method: "POST", path: "/", headers: &headers, body: Zeroizing::new(body) };
        self.http.send(&self.origin, request).await.map_err(|failure| unavailable(failure.0))
    }

    async fn get(&self, key: &CredentialKey) -> Result<Credential, SecretError> {
        let response = self.call("GetSecretValue", &[("SecretId", key.as_str())]).await?;
        let fields = check(&response, key)?;
        let malformed = |why| SecretError::Malformed { provider: NAME, key: key.clone(), why };
        let text = fields.text("SecretString").ok_or_else(|| malformed("a binary secret"))?;
        let Some(members) = Fields::parse(text.as_bytes()) else {
            return Ok(Credential::new(None, SecretString::from(text)));
        };
        let password = members.text("password").ok_or_else(|| malformed("an object without 'password'"))?;
        let username = members.text("username").map(str::to_owned);
        Ok(Credential::new(username, SecretString::from(password)))
    }

    async fn start_rotation(&self, key: &CredentialKey) -> Result<(), SecretError> {
        let token = format!("{:016x}{:016x}", self.random.bits(), self.random.bits());
        let members = [("SecretId", key.as_str()), ("ClientRequestToken", &token)];
        let response = self.call("RotateSecret", &members).await?;
        check(&response, key).map(drop)
    }
}

/// The answer's fields, or what its error means. The service's messages are not repeated, only its error names.
fn check<'a>(response: &'a Response, key: &CredentialKey) -> Result<Fields<'a>, SecretError> {
    let fields = Fields::parse(&response.body);
    if response.status == 200 {
        let why = "the answer is no JSON object";
        return fields.ok_or_else(|| SecretError::Malformed { provider: NAME, key: key.clone(), why });
    }
    // `com.amazonaws...#ResourceNotFoundException`
    let kind = fields.as_ref().and_then(|fields| fields.text("__type")).unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let is_name = kind.len() < 64 && kind.chars().all(|c| c.is_ascii_alphanumeric());
    let why = format!("HTTP status {} {}", response.status, if is_name { kind } else { "" });
    match kind {
        "ResourceNotFoundException" => Err(SecretError::NotFound { provider: NAME, key: key.clone() }),
        "ThrottlingException" | "InternalServiceError" | "RequestTimeoutException" => {
            Err(SecretError::Unavailable { provider: NAME, why })
        }
        _ if response.status >= 500 || response.status == 429 => {
            Err(SecretError::Unavailable { provider: NAME, why })
        }
        _ => Err(SecretError::Denied { provider: NAME, key: key.clone(), why }),
    }
}

impl Provider for AwsSecrets {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fetch<'a>(&'a self, key: &'a CredentialKey, deadline: Deadline) -> Answer<'a, Credential> {
        Box::pin(async move {
            deadline.bound(self.get(key)).await.map_err(|_| SecretError::Deadline { provider: NAME })?
        })
    }

    fn rotate<'a>(&'a self, key: &'a CredentialKey, deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(async move {
            let rotation = self.start_rotation(key);
            deadline.bound(rotation).await.map_err(|_| SecretError::Deadline { provider: NAME })?
        })
    }
}

impl std::fmt::Debug for AwsSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsSecrets").field("region", &self.region).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answering::Answering;
    use crate::http::TlsRoots;
    use rustydb_resilience::{Class, Classify};
    use secrecy::ExposeSecret;
    use std::time::{Duration, UNIX_EPOCH};

    fn manager(server: &Answering) -> AwsSecrets {
        let http = HttpClient::new(&TlsRoots::System).expect("a client");
        let identity = AwsIdentity::Fixed(AwsCredentials {
            access_key_id: "AKID".to_owned(),
            secret_access_key: SecretString::from("k3y"),
            session_token: Some(SecretString::from("s3ssion")),
        });
        let manager = AwsSecrets::new(http, "eu-west-1", identity).expect("a region");
        let manager = manager.endpoint(&server.url).expect("near");
        manager.clock(|| UNIX_EPOCH + Duration::from_secs(1_440_938_160))
    }

    fn key() -> CredentialKey {
        CredentialKey::new("mysql/production/primary").expect("a key")
    }

    #[tokio::test]
    async fn a_secret_is_an_object_or_a_text_and_the_request_is_signed() {
        for (answer, username, password) in [
            (
                r#"{"SecretString":"{\"username\":\"app\",\"password\":\"p\\\"w\",\"port\":3306}"}"#,
                Some("app"),
                "p\"w",
            ),
            (r#"{"SecretString":"plain","VersionId":"1"}"#, None, "plain"),
        ] {
            let server = Answering::start(move |_| (200, answer.to_owned())).await;
            let found = manager(&server).fetch(&key(), Deadline::NEVER).await.expect("found");
            assert_eq!((found.username(), found.secret().expose_secret()), (username, password));
            let request = &server.requests()[0];
            assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("x-amz-target: secretsmanager.GetSecretValue\r\n"));
            assert!(request.contains("x-amz-date: 20150830T123600Z\r\n"));
            assert!(request.contains("x-amz-security-token: s3ssion\r\n"));
            assert!(request.contains(
                "authorization: AWS4-HMAC-SHA256 Credential=AKID/20150830/eu-west-1/secretsmanager/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature="
            ));
            assert!(request.ends_with(r#"{"SecretId":"mysql/production/primary"}"#));
            assert!(!request.contains("k3y"), "the key signs, it does not travel");
        }
    }

    #[tokio::test]
    async fn errors_have_their_kind_and_repeat_no_message() {
        for (status, kind, class) in [
            (400, "ResourceNotFoundException", Class::Terminal),
            (400, "com.amazonaws#AccessDeniedException", Class::Terminal),
            (400, "ThrottlingException", Class::Retryable),
            (500, "InternalServiceError", Class::Retryable),
            (503, "", Class::Retryable),
        ] {
            let body = format!(r#"{{"__type":"{kind}","message":"M4RKED"}}"#);
            let server = Answering::start(move |_| (status, body.clone())).await;
            let error = manager(&server).rotate(&key(), Deadline::NEVER).await.expect_err("refused");
            assert_eq!(error.class(), class, "{error}");
            assert!(!format!("{error} {error:?}").contains("M4RKED"));
            assert!(server.requests()[0].contains("x-amz-target: secretsmanager.RotateSecret\r\n"));
        }
    }

    #[tokio::test]
    async fn an_instance_is_asked_with_a_session_token() {
        let server = Answering::start(|request| {
            let line = request.lines().next().unwrap_or_default();
            let knows = request.contains("x-aws-ec2-metadata-token: tok\r\n");
            match line {
                "PUT /latest/api/token HTTP/1.1" => (200, "tok".to_owned()),
                "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1" if knows => {
                    (200, "role\n".to_owned())
                }
                "GET /latest/meta-data/iam/security-credentials/role HTTP/1.1" if knows => {
                    (200, r#"{"AccessKeyId":"A","SecretAccessKey":"S","Token":"T"}"#.to_owned())
                }
                _ => (401, String::new()),
            }
        })
        .await;
        let http = HttpClient::new(&TlsRoots::System).expect("a client");
        let found =
            identity::of_instance(&http, &server.url).await.map_err(|failure| failure.0).expect("keys");
        assert_eq!((found.access_key_id.as_str(), found.secret_access_key.expose_secret()), ("A", "S"));
        assert!(found.session_token.is_some());
    }
}
