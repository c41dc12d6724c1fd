//! One call for many callers, leases renewed in time, rotation announced, failures survived, nothing shown.

use parking_lot::Mutex;
use rustydb_resilience::Deadline;
use rustydb_secrets::{
    Answer, Credential, CredentialKey, Event, ExposeSecret, Lease, Provider, SecretError, SecretSettings,
    SecretString, Secrets,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// What the provider would say now, and what it was asked.
#[derive(Default)]
struct Script {
    password: &'static str,
    lease: Option<(Duration, bool)>,
    renewed: Duration,
    is_down: bool,
    fetched: u32,
    renewals: u32,
}

#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.0.lock());
    }

    fn asked(&self) -> (u32, u32) {
        let script = self.0.lock();
        (script.fetched, script.renewals)
    }
}

fn down() -> SecretError {
    SecretError::Unavailable { provider: "script", why: "down".to_owned() }
}

impl Provider for Scripted {
    fn name(&self) -> &'static str {
        "script"
    }

    fn fetch<'a>(&'a self, _key: &'a CredentialKey, _deadline: Deadline) -> Answer<'a, Credential> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let mut script = self.0.lock();
            script.fetched += 1;
            if script.is_down {
                return Err(down());
            }
            let credential = Credential::new(Some("app".to_owned()), SecretString::from(script.password));
            Ok(match script.lease {
                Some((duration, renewable)) => credential.leased(Lease {
                    id: "1".to_owned(),
                    since: Instant::now(),
                    duration,
                    renewable,
                }),
                None => credential,
            })
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, _deadline: Deadline) -> Answer<'a, Lease> {
        Box::pin(async move {
            let mut script = self.0.lock();
            script.renewals += 1;
            let duration = script.renewed;
            if script.is_down {
                Err(down())
            } else {
                Ok(Lease { since: Instant::now(), duration, ..lease.clone() })
            }
        })
    }

    fn rotate<'a>(&'a self, _key: &'a CredentialKey, _deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(async {
            self.0.lock().password = "rotated";
            Ok(())
        })
    }
}

struct Stage {
    script: Scripted,
    secrets: Secrets,
    events: Arc<Mutex<Vec<String>>>,
    key: CredentialKey,
}

fn stage(password: &'static str) -> Stage {
    let script = Scripted::default();
    script.set(|script| script.password = password);
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let secrets = Secrets::observed(script.clone(), SecretSettings::default(), move |key, event| {
        let event = match event {
            Event::Failed(error) => format!("failed: {error}"),
            other => format!("{other:?}"),
        };
        log.lock().push(format!("{key} {event}"));
    });
    Stage { script, secrets, events, key: CredentialKey::new("mysql/primary").expect("a key") }
}

impl Stage {
    async fn password(&self) -> String {
        let credential = self.secrets.get_credential(&self.key, Deadline::NEVER).await.expect("a credential");
        credential.secret().expose_secret().to_owned()
    }

    /// Lets the background work for `time`.
    async fn pass(&self, time: Duration) {
        let _ = tokio::time::timeout(time, self.secrets.keep_fresh()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn many_callers_make_one_call() {
    let stage = stage("one");
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (secrets, key) = (stage.secrets.clone(), stage.key.clone());
            tokio::spawn(async move { secrets.get_credential(&key, Deadline::after(MINUTE)).await.map(drop) })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic").expect("a credential");
    }
    assert_eq!(stage.script.asked().0, 1);
    assert_eq!(stage.password().await, "one");
    assert_eq!(*stage.events.lock(), ["mysql/primary Fetched"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_looked_at_again_once_for_all() {
    let stage = stage("old");
    let seen = stage.secrets.get_credential(&stage.key, Deadline::NEVER).await.expect("a credential");
    let same = stage.secrets.refresh(&stage.key, &seen, Deadline::NEVER).await.expect("asked");
    assert!(same.is_none(), "the provider says the same: nothing to retry with");
    stage.script.set(|script| script.password = "new");
    let before = stage.script.asked().0;
    for _ in 0..20 {
        let found = stage.secrets.refresh(&stage.key, &seen, Deadline::NEVER).await.expect("asked");
        assert_eq!(found.expect("another").secret().expose_secret(), "new");
    }
    assert_eq!(stage.script.asked().0, before + 1, "the others found what the first one fetched");
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_before_they_end_and_nobody_is_told() {
    let stage = stage("leased");
    stage.script.set(|script| {
        script.lease = Some((10 * MINUTE, true));
        script.renewed = 10 * MINUTE;
    });
    stage.password().await;
    let mut rotations = stage.secrets.subscribe(&stage.key);
    rotations.borrow_and_update();
    stage.pass(60 * MINUTE).await;
    let (fetched, renewals) = stage.script.asked();
    assert_eq!(fetched, 1);
    assert!((9..=11).contains(&renewals), "{renewals} renewals of ten minutes in an hour");
    assert!(!rotations.has_changed().expect("open"));
    let credential = stage.secrets.get_credential(&stage.key, Deadline::NEVER).await.expect("kept");
    assert!(!credential.lease().expect("a lease").is_over());
}

#[tokio::test(start_paused = true)]
async fn a_lease_at_the_end_of_its_life_is_followed_by_a_new_login() {
    let stage = stage("first");
    stage.script.set(|script| {
        script.lease = Some((10 * MINUTE, true));
        script.renewed = MINUTE;
    });
    stage.password().await;
    let mut rotations = stage.secrets.subscribe(&stage.key);
    rotations.borrow_and_update();
    stage.script.set(|script| script.password = "second");
    stage.pass(8 * MINUTE).await;
    assert!(rotations.has_changed().expect("open"));
    let announced = rotations.borrow_and_update().clone().expect("a credential");
    assert_eq!(announced.secret().expose_secret(), "second");
    assert_eq!(stage.events.lock().last().map(String::as_str), Some("mysql/primary Rotated"));
}

#[tokio::test(start_paused = true)]
async fn a_password_changed_outside_is_found_and_announced() {
    let stage = stage("before");
    stage.password().await;
    let mut rotations = stage.secrets.subscribe(&stage.key);
    rotations.borrow_and_update();
    stage.pass(5 * MINUTE).await;
    assert!(!rotations.has_changed().expect("open"));
    stage.script.set(|script| script.password = "after");
    stage.pass(2 * MINUTE).await;
    assert!(rotations.has_changed().expect("open"));
    assert_eq!(stage.password().await, "after");
}

#[tokio::test(start_paused = true)]
async fn an_outage_keeps_the_old_login_and_ends_without_help() {
    let stage = stage("kept");
    stage.password().await;
    stage.script.set(|script| script.is_down = true);
    let before = stage.script.asked().0;
    stage.pass(10 * MINUTE).await;
    let tries = stage.script.asked().0 - before;
    assert!((15..40).contains(&tries), "{tries} tries in ten minutes: waits grow to half a minute");
    assert_eq!(stage.password().await, "kept");
    assert!(stage.events.lock().last().is_some_and(|event| event.contains("failed: script is unavailable")));
    stage.script.set(|script| {
        script.is_down = false;
        script.password = "fresh";
    });
    stage.pass(MINUTE).await;
    assert_eq!(stage.password().await, "fresh");
}

#[tokio::test(start_paused = true)]
async fn an_ended_lease_is_never_handed_out() {
    let stage = stage("short");
    stage.script.set(|script| script.lease = Some((MINUTE, false)));
    stage.password().await;
    tokio::time::advance(2 * MINUTE).await;
    stage.script.set(|script| script.is_down = true);
    let refused = stage.secrets.get_credential(&stage.key, Deadline::NEVER).await;
    assert!(matches!(refused, Err(SecretError::Unavailable { .. })));
    stage.script.set(|script| script.is_down = false);
    stage.password().await;
}

#[tokio::test(start_paused = true)]
async fn rotation_on_demand_announces_the_new_login() {
    let stage = stage("before");
    stage.password().await;
    let mut rotations = stage.secrets.subscribe(&stage.key);
    rotations.borrow_and_update();
    let rotated = stage.secrets.rotate_credential(&stage.key, Deadline::NEVER).await.expect("rotated");
    assert_eq!(rotated.secret().expose_secret(), "rotated");
    assert!(rotations.has_changed().expect("open"));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_blocks_nobody() {
    let stage = stage("x");
    let quick = Deadline::after(Duration::from_millis(1));
    assert!(matches!(
        stage.secrets.get_credential(&stage.key, quick).await,
        Err(SecretError::Deadline { .. })
    ));
    assert_eq!(stage.password().await, "x");
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_shown_holds_the_secret() {
    let stage = stage("M4RKED");
    let credential = stage.secrets.get_credential(&stage.key, Deadline::NEVER).await.expect("a credential");
    let shown = format!(
        "{credential:?} {:?} {:?} {:?}",
        stage.secrets,
        stage.secrets.subscribe(&stage.key),
        stage.events
    );
    assert!(!shown.contains("M4RKED"), "{shown}");
}
