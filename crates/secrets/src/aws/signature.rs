//! Signature version 4, as AWS documents it for the `Authorization` header.
//!
//! ```text
//! canonical request = method \n path \n query \n headers \n names of headers \n sha256(body)
//! string to sign    = AWS4-HMAC-SHA256 \n time \n day/region/service/aws4_request \n sha256(canonical request)
//! key               = hmac(hmac(hmac(hmac("AWS4" + secret, day), region), service), "aws4_request")
//! ```
//!
//! Checked against the documentation's own example in the tests. Here paths have no characters to escape and
//! queries are written in order by the caller.

use super::identity::AwsCredentials;
use aws_lc_rs::{digest, hmac};
use secrecy::ExposeSecret;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// What a signature is made with besides the request.
pub(super) struct Signing<'a> {
    pub(super) credentials: &'a AwsCredentials,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) at: SystemTime,
}

impl Signing<'_> {
    /// The headers to add: `x-amz-date`, `x-amz-security-token` for keys that end, `authorization`. `target` is path
    /// and query; `headers` are lower case, with `host` among them.
    pub(super) fn sign(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<(&'static str, Zeroizing<String>)> {
        let time = basic_format(self.at);
        let day = &time[..8];
        let mut added = vec![("x-amz-date", Zeroizing::new(time.clone()))];
        if let Some(token) = &self.credentials.session_token {
            added.push(("x-amz-security-token", Zeroizing::new(token.expose_secret().to_owned())));
        }
        let mut signed: Vec<(&str, &str)> = headers.to_vec();
        signed.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
        signed.sort_unstable();

        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut canonical = Zeroizing::new(format!("{method}\n{path}\n{query}\n"));
        let mut names = String::new();
        for (name, value) in &signed {
            let _ = writeln!(canonical, "{name}:{}", value.trim());
            names.push_str(if names.is_empty() { "" } else { ";" });
            names.push_str(name);
        }
        let _ = write!(canonical, "\n{names}\n{}", hex(sha256(body).as_ref()));

        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let digest = hex(sha256(canonical.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
        let signature = hex(hmac::sign(&self.key(day), to_sign.as_bytes()).as_ref());
        let id = &self.credentials.access_key_id;
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
        added.push(("authorization", Zeroizing::new(authorization)));
        added
    }

    fn key(&self, day: &str) -> hmac::Key {
        let secret = Zeroizing::new(format!("AWS4{}", self.credentials.secret_access_key.expose_secret()));
        let steps = [day, self.region, self.service, "aws4_request"];
        steps.iter().fold(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), |key, step| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, step.as_bytes()).as_ref())
        })
    }
}

fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// `20150830T123600Z`. Times before 1970 count as 1970.
fn basic_format(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Days to a date of the proleptic Gregorian calendar, counted from 0000-03-01 in eras of 400 years
    // (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;
    use std::time::Duration;

    #[test]
    fn the_documented_example_has_the_documented_signature() {
        let credentials = AwsCredentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: SecretString::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        };
        let signing = Signing {
            credentials: &credentials,
            region: "us-east-1",
            service: "iam",
            at: UNIX_EPOCH + Duration::from_secs(1_440_938_160),
        };
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
        ];
        let signed = signing.sign("GET", "/?Action=ListUsers&Version=2010-05-08", &headers, b"");
        assert_eq!(signed[0].1.as_str(), "20150830T123600Z");
        assert_eq!(
            signed[1].1.as_str(),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        let at = |seconds| basic_format(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "19700101T000000Z");
        assert_eq!(at(951_782_399), "20000228T235959Z");
        assert_eq!(at(951_782_400), "20000229T000000Z");
        assert_eq!(at(951_868_800), "20000301T000000Z");
        assert_eq!(at(4_102_444_799), "20991231T235959Z");
        assert_eq!(basic_format(UNIX_EPOCH - Duration::from_secs(1)), "19700101T000000Z");
    }
}
