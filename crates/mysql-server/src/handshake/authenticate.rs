//! Proves a client's password.
//!
//! An unknown user goes the way of a known one with a wrong password: the same method is asked for, the same
//! packets are exchanged, and as much time is spent on a verifier that nothing fits. So neither answers nor
//! times tell which users exist.

use super::fresh_scramble;
use crate::backend::{Account, AuthMethod, Backend, Credential};
use crate::ending::Ending;
use crate::server::Shared;
use crate::transport::Channel;
use rustydb_mysql_protocol::Capabilities;
use rustydb_mysql_protocol::auth::{Scramble, caching_sha2, native};
use rustydb_mysql_protocol::handshake::{write_auth_more_data, write_auth_switch};
use rustydb_sql::SqlError;
use std::time::Instant;

/// Bytes of a quick proof of `caching_sha2_password`.
const QUICK_PROOF: usize = 32;

/// What a client offers to prove who it is.
pub(super) struct Proof<'a> {
    pub(super) user: &'a str,
    pub(super) host: &'a str,
    /// The method of `answer`; none from clients that know only `mysql_native_password`.
    pub(super) method: Option<&'a [u8]>,
    pub(super) answer: &'a [u8],
    /// What `answer` answers; none asks for another answer in any case.
    pub(super) scramble: Option<Scramble>,
    pub(super) capabilities: Capabilities,
    /// Nobody can listen, so the password may come as it is.
    pub(super) secure: bool,
    pub(super) deadline: Instant,
}

/// Lets the client prove its password and gives its account.
pub(super) fn authenticate<B: Backend>(
    shared: &Shared<B>,
    channel: &mut Channel,
    proof: &Proof<'_>,
) -> Result<Account, Ending> {
    let found = shared.backend.account(proof.user, proof.host);
    let method = found.as_ref().map_or(AuthMethod::CachingSha2, |account| account.method);
    let (scramble, mut answer) = answer_by(channel, proof, method)?;
    if answer == [0] {
        // How clients say "no password" where an empty packet could be lost.
        answer.clear();
    }
    let using_password = !answer.is_empty();
    let proven = match method {
        _ if !using_password => matches!(found, Some(Account { credential: Credential::Empty, .. })),
        AuthMethod::Native => match &found {
            Some(Account { credential: Credential::Native(verifier), .. }) => {
                verifier.accepts(&scramble, &answer)
            }
            _ => false,
        },
        AuthMethod::CachingSha2 => prove_by_sha2(shared, channel, proof, found.as_ref(), &scramble, &answer)?,
    };
    let account = found.filter(|account| proven && (proof.secure || !account.require_tls));
    let Some(account) = account else {
        shared.metrics.logins_refused.inc(1);
        let password = if using_password { "YES" } else { "NO" };
        let (user, host) = (proof.user, proof.host);
        return Err(Ending::Refused(SqlError::new(
            1045,
            b"28000",
            format!("Access denied for user '{user}'@'{host}' (using password: {password})"),
        )));
    };
    if account.locked {
        shared.metrics.logins_refused.inc(1);
        let (user, host) = (proof.user, proof.host);
        return Err(Ending::Refused(SqlError::new(
            3118,
            b"HY000",
            format!("Access denied for user '{user}'@'{host}'. Account is locked."),
        )));
    }
    if account.password_expired {
        shared.metrics.logins_refused.inc(1);
        return Err(Ending::Refused(SqlError::new(
            1862,
            b"HY000",
            "Your password has expired. To log in you must change it using a client that supports expired \
             passwords.",
        )));
    }
    Ok(account)
}

/// The client's answer by `method`, and the scramble that it answers; asks for one where the first is by another.
fn answer_by(
    channel: &mut Channel,
    proof: &Proof<'_>,
    method: AuthMethod,
) -> Result<(Scramble, Vec<u8>), Ending> {
    let offered = proof.method.unwrap_or(native::NAME.as_bytes());
    if let Some(scramble) = proof.scramble.filter(|_| offered == method.name().as_bytes()) {
        return Ok((scramble, proof.answer.to_vec()));
    }
    if !proof.capabilities.has(Capabilities::PLUGIN_AUTH) {
        return Err(Ending::Refused(SqlError::new(
            1251,
            b"08004",
            "Client does not support authentication protocol requested by server; consider upgrading MySQL client",
        )));
    }
    let scramble = fresh_scramble()?;
    channel.out.writer.packet(|out| write_auth_switch(out, method.name().as_bytes(), &scramble));
    channel.out.flush()?;
    channel.receive_by(proof.deadline)?;
    Ok((scramble, channel.reader.current().to_vec()))
}

/// The quick proof, and where it does not do, the password itself.
fn prove_by_sha2<B: Backend>(
    shared: &Shared<B>,
    channel: &mut Channel,
    proof: &Proof<'_>,
    account: Option<&Account>,
    scramble: &Scramble,
    answer: &[u8],
) -> Result<bool, Ending> {
    if answer.len() != QUICK_PROOF {
        return Ok(false);
    }
    if let Some(account) = account.filter(|account| shared.digests.accept(account, scramble, answer)) {
        // The cache is filled by this method's verifiers only, so the account has one.
        debug_assert!(matches!(account.credential, Credential::CachingSha2(_)));
        channel.out.writer.packet(|out| write_auth_more_data(out, &[caching_sha2::FAST_AUTH_SUCCESS]));
        shared.metrics.logins_fast.inc(1);
        return Ok(true);
    }
    channel.out.writer.packet(|out| write_auth_more_data(out, &[caching_sha2::PERFORM_FULL_AUTHENTICATION]));
    channel.out.flush()?;
    channel.receive_by(proof.deadline)?;
    let Some(password) = receive_password(shared, channel, proof, scramble)? else { return Ok(false) };
    match account {
        Some(account @ Account { credential: Credential::CachingSha2(verifier), .. }) => {
            let accepted = verifier.accepts(&password);
            if accepted {
                shared.digests.keep(account, &password);
                shared.metrics.logins_full.inc(1);
            }
            Ok(accepted)
        }
        _ => {
            // The time that a known user would take.
            let _ = caching_sha2::Verifier::decoy().accepts(&password);
            Ok(false)
        }
    }
}

/// The password, from the packet that was received: as it is on a secure way, else under the server's RSA key,
/// which the client may ask for first.
fn receive_password<B: Backend>(
    shared: &Shared<B>,
    channel: &mut Channel,
    proof: &Proof<'_>,
    scramble: &Scramble,
) -> Result<Option<Vec<u8>>, Ending> {
    let rsa = &shared.keys.rsa;
    if channel.reader.current() == [caching_sha2::REQUEST_PUBLIC_KEY] {
        channel.out.writer.packet(|out| write_auth_more_data(out, rsa.public_pem().as_bytes()));
        channel.out.flush()?;
        channel.receive_by(proof.deadline)?;
    } else if proof.secure {
        let password = channel.reader.current().strip_suffix(&[0]);
        return Ok(password.map(<[u8]>::to_vec));
    }
    Ok(rsa.decrypt_password(channel.reader.current(), scramble).ok())
}
