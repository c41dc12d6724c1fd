//! Who we are to AWS.
//!
//! Besides fixed keys: the variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; the
//! credential endpoint of a container (ECS, EKS pod identity); the metadata service of an instance (version 2,
//! with its session token). The last two change their keys some minutes before the old ones end, so what they
//! gave is asked for again after four minutes.
//!
//! Left out: profiles and single sign-on of developers' machines; their tools export the variables.

use crate::fields::Fields;
use crate::http::{Failure, HttpClient, Origin, Request, Response};
use parking_lot::Mutex;
use secrecy::SecretString;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

const KEEP: Duration = Duration::from_secs(240);
const METADATA: &str = "http://169.254.169.254";
const CONTAINER: &str = "http://169.254.170.2";

/// Keys that requests are signed with.
#[derive(Debug, Clone)]
pub struct AwsCredentials {
    /// The public part
    pub access_key_id: String,
    /// The secret part
    pub secret_access_key: SecretString,
    /// For keys that end
    pub session_token: Option<SecretString>,
}

/// Where our keys come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AwsIdentity {
    /// These
    Fixed(AwsCredentials),
    /// The variables, else the container's endpoint where one is announced, else the instance's metadata
    Found,
}

#[derive(Debug)]
pub(super) struct Source {
    identity: AwsIdentity,
    kept: Mutex<Option<(AwsCredentials, Instant)>>,
}

impl Source {
    pub(super) fn new(identity: AwsIdentity) -> Source {
        Source { identity, kept: Mutex::default() }
    }

    pub(super) async fn credentials(&self, http: &HttpClient) -> Result<AwsCredentials, Failure> {
        if let AwsIdentity::Fixed(credentials) = &self.identity {
            return Ok(credentials.clone());
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let (Some(access_key_id), Some(secret)) =
            (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
        {
            return Ok(AwsCredentials {
                access_key_id,
                secret_access_key: SecretString::from(secret),
                session_token: variable("AWS_SESSION_TOKEN").map(SecretString::from),
            });
        }
        if let Some((kept, since)) = &*self.kept.lock()
            && since.elapsed() < KEEP
        {
            return Ok(kept.clone());
        }
        let container = match variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            Some(path) => Some(format!("{CONTAINER}{path}")),
            None => variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        };
        let found = match container {
            Some(url) => {
                let token = match variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
                    // A small file of the orchestrator, in memory.
                    Some(path) => std::fs::read_to_string(path).ok().map(|token| token.trim().to_owned()),
                    None => variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
                };
                of_container(http, &url, token.map(Zeroizing::new)).await?
            }
            None => of_instance(http, METADATA).await?,
        };
        *self.kept.lock() = Some((found.clone(), Instant::now()));
        Ok(found)
    }
}

async fn of_container(
    http: &HttpClient,
    url: &str,
    token: Option<Zeroizing<String>>,
) -> Result<AwsCredentials, Failure> {
    let scheme = url.find("://").map_or(0, |at| at + 3);
    let slash = url[scheme..].find('/').map_or(url.len(), |at| scheme + at);
    let (origin, path) = url.split_at(slash);
    let origin = Origin::parse(origin)
        .ok_or_else(|| Failure("the container's credential endpoint is no allowed URL".to_owned()))?;
    let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
    let path = if path.is_empty() { "/" } else { path };
    let response = request(http, &origin, "GET", path, &headers).await?;
    keys_of(&response)
}

pub(super) async fn of_instance(http: &HttpClient, url: &str) -> Result<AwsCredentials, Failure> {
    let origin = Origin::parse(url).ok_or_else(|| Failure("no allowed URL".to_owned()))?;
    let life = [("x-aws-ec2-metadata-token-ttl-seconds", "300")];
    let token = request(http, &origin, "PUT", "/latest/api/token", &life).await?;
    let token = text_of(&token)?;
    let headers = [("x-aws-ec2-metadata-token", token)];
    let folder = "/latest/meta-data/iam/security-credentials/";
    let roles = request(http, &origin, "GET", folder, &headers).await?;
    let role = text_of(&roles)?.lines().next().unwrap_or_default().trim();
    let response = request(http, &origin, "GET", &format!("{folder}{role}"), &headers).await?;
    keys_of(&response)
}

async fn request(
    http: &HttpClient,
    origin: &Origin,
    method: &'static str,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Response, Failure> {
    // Off AWS nothing answers at these addresses, not even with a refusal.
    let sent = http.send(origin, Request { method, path, headers, body: Zeroizing::default() });
    let response = match tokio::time::timeout(Duration::from_secs(2), sent).await {
        Ok(response) => response?,
        Err(_) => {
            return Err(Failure("no AWS identity: neither variables nor a metadata service".to_owned()));
        }
    };
    match response.status {
        200 => Ok(response),
        status => Err(Failure(format!("the metadata service answers HTTP status {status}"))),
    }
}

fn text_of(response: &Response) -> Result<&str, Failure> {
    std::str::from_utf8(&response.body)
        .map_err(|_| Failure("the metadata service answers no text".to_owned()))
}

fn keys_of(response: &Response) -> Result<AwsCredentials, Failure> {
    let missing = || Failure("the metadata service gives no keys".to_owned());
    let fields = Fields::parse(&response.body).ok_or_else(missing)?;
    Ok(AwsCredentials {
        access_key_id: fields.text("AccessKeyId").ok_or_else(missing)?.to_owned(),
        secret_access_key: SecretString::from(fields.text("SecretAccessKey").ok_or_else(missing)?),
        session_token: fields.text("Token").map(SecretString::from),
    })
}
