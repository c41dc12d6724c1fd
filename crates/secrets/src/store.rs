//! The newest credential of each key, kept fresh, and its changes announced.
//!
//! ```text
//! get ------> kept? ---yes---> it                  (no call out)
//!               | no, or its lease is over
//!               v
//!             fetch, once for all who ask          refresh(seen): fetch unless somebody already did
//!               |
//!               v
//!             watch channel ---> pools: drain connections of the old login
//!               ^
//! keep_fresh: renews leases at two thirds of their time, fetches where they cannot be renewed,
//!             looks again at credentials without a lease every `look_every`
//! ```
//!
//! Invariants: one call out per key at a time (`fetching`, a fair lock, held across it; callers that waited
//! find its result); receivers hear only of a changed login, never of a renewed lease; a failure keeps the old
//! credential, says so by an [`Event`], and is tried again with growing waits. Limit: keys come from
//! configuration, so entries are never dropped.
//!
//! Left to the caller: running [`Secrets::keep_fresh`] in a task, and stopping it by dropping it.

use crate::credential::Credential;
use crate::error::SecretError;
use crate::key::CredentialKey;
use crate::provider::Provider;
use parking_lot::Mutex;
use rustydb_resilience::{Backoff, Deadline, Randomness};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How credentials are kept fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretSettings {
    /// How often a credential without a lease is looked at again
    pub look_every: Duration,
    /// How long one call in the background may take
    pub call_timeout: Duration,
}

impl Default for SecretSettings {
    /// A look each minute, ten seconds a call.
    fn default() -> SecretSettings {
        SecretSettings { look_every: Duration::from_secs(60), call_timeout: Duration::from_secs(10) }
    }
}

/// Something that happened to a credential, for logs and counters. Holds no secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// It was fetched for the first time
    Fetched,
    /// The login is a new one
    Rotated,
    /// Its lease was made longer
    Renewed,
    /// It could not be fetched, renewed or rotated; the old one stays
    Failed(SecretError),
}

type Observer = Box<dyn Fn(&CredentialKey, &Event) + Send + Sync>;

struct Shared {
    provider: Box<dyn Provider>,
    settings: SecretSettings,
    observer: Option<Observer>,
    entries: Mutex<BTreeMap<CredentialKey, Arc<Entry>>>,
    /// Told when something new has to be kept fresh
    changed: Notify,
    random: Randomness,
}

struct Entry {
    current: watch::Sender<Option<Arc<Credential>>>,
    fetching: tokio::sync::Mutex<()>,
    upkeep: Mutex<Upkeep>,
}

/// When the background looks next, and how often it failed in a row.
#[derive(Default)]
struct Upkeep {
    due: Option<Instant>,
    failures: u32,
    /// How long the lease was when it was given: one renewed to much less is near its last end
    first_duration: Duration,
}

const AFTER_FAILURE: Backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(30));

/// Credentials of one provider. Clones share them.
#[derive(Clone)]
pub struct Secrets {
    shared: Arc<Shared>,
}

impl Secrets {
    /// Credentials of `provider`, with the settings that suit most.
    pub fn new(provider: impl Provider + 'static) -> Secrets {
        Secrets::build(Box::new(provider), SecretSettings::default(), None)
    }

    /// Credentials of `provider`; `observer` hears what happens to them, and must be quick.
    pub fn observed(
        provider: impl Provider + 'static,
        settings: SecretSettings,
        observer: impl Fn(&CredentialKey, &Event) + Send + Sync + 'static,
    ) -> Secrets {
        Secrets::build(Box::new(provider), settings, Some(Box::new(observer)))
    }

    fn build(provider: Box<dyn Provider>, settings: SecretSettings, observer: Option<Observer>) -> Secrets {
        let shared = Shared {
            provider,
            settings,
            observer,
            entries: Mutex::default(),
            changed: Notify::new(),
            random: Randomness::new(),
        };
        Secrets { shared: Arc::new(shared) }
    }

    /// Whether the provider is one for developers' machines.
    pub fn is_for_development(&self) -> bool {
        self.shared.provider.is_for_development()
    }

    /// The credential of `key`: the one that is kept, or fetched now where there is none or its lease is over.
    pub async fn get_credential(
        &self,
        key: &CredentialKey,
        deadline: Deadline,
    ) -> Result<Arc<Credential>, SecretError> {
        let entry = self.entry(key);
        if let Some(kept) = usable(&entry) {
            return Ok(kept);
        }
        let _turn = self.turn(&entry, deadline).await?;
        match usable(&entry) {
            Some(kept) => Ok(kept),
            None => self.fetch(key, &entry, deadline).await,
        }
    }

    /// Looks whether there is another login than `seen`, which a server refused: gives it, or None when the
    /// provider still says the same. Many callers at once make one call out.
    pub async fn refresh(
        &self,
        key: &CredentialKey,
        seen: &Credential,
        deadline: Deadline,
    ) -> Result<Option<Arc<Credential>>, SecretError> {
        let entry = self.entry(key);
        let _turn = self.turn(&entry, deadline).await?;
        let differs = |found: &Arc<Credential>| !found.is_same_login(seen);
        if let Some(kept) = usable(&entry).filter(differs) {
            return Ok(Some(kept));
        }
        let fetched = self.fetch(key, &entry, deadline).await?;
        Ok(Some(fetched).filter(differs))
    }

    /// Has the provider make a new credential, and announces it.
    pub async fn rotate_credential(
        &self,
        key: &CredentialKey,
        deadline: Deadline,
    ) -> Result<Arc<Credential>, SecretError> {
        let entry = self.entry(key);
        let _turn = self.turn(&entry, deadline).await?;
        let rotated = self.bound(self.shared.provider.rotate(key, deadline), deadline).await;
        if let Err(error) = rotated {
            self.tell(key, &Event::Failed(error.clone()));
            return Err(error);
        }
        self.fetch(key, &entry, deadline).await
    }

    /// Announces each new login of `key`. Holds None until it was first fetched.
    pub fn subscribe(&self, key: &CredentialKey) -> watch::Receiver<Option<Arc<Credential>>> {
        self.entry(key).current.subscribe()
    }

    /// Keeps every credential that was fetched fresh, until it is dropped. Never returns.
    pub async fn keep_fresh(&self) {
        loop {
            let changed = self.shared.changed.notified();
            let (due, next) = self.due(Instant::now());
            for (key, entry) in due {
                self.look_after(&key, &entry).await;
            }
            if next.is_some_and(|next| next <= Instant::now()) {
                continue;
            }
            match next {
                // Which of the two came does not matter: the next round looks at everything.
                Some(next) => drop(tokio::time::timeout_at(next, changed).await),
                None => changed.await,
            }
        }
    }

    /// What is due now, and when the next of the others is.
    fn due(&self, now: Instant) -> (Vec<(CredentialKey, Arc<Entry>)>, Option<Instant>) {
        let (mut due, mut next) = (Vec::new(), None::<Instant>);
        for (key, entry) in self.shared.entries.lock().iter() {
            match entry.upkeep.lock().due {
                Some(at) if at <= now => due.push((key.clone(), Arc::clone(entry))),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        // What was looked after gets a new moment, which the next round reads.
        if due.is_empty() { (due, next) } else { (due, Some(now)) }
    }

    /// Renews the lease, or fetches again.
    async fn look_after(&self, key: &CredentialKey, entry: &Entry) {
        let deadline = Deadline::after(self.shared.settings.call_timeout);
        let Ok(_turn) = self.turn(entry, deadline).await else {
            self.failed(key, entry, SecretError::Deadline { provider: self.shared.provider.name() });
            return;
        };
        // Somebody may have fetched while this waited for its turn.
        if entry.upkeep.lock().due.is_none_or(|due| due > Instant::now()) {
            return;
        }
        let kept = entry.current.borrow().clone();
        let lease =
            kept.as_ref().and_then(|kept| kept.lease()).filter(|lease| lease.renewable && !lease.is_over());
        if let (Some(kept), Some(lease)) = (&kept, lease) {
            let renewed = self.bound(self.shared.provider.renew(lease, deadline), deadline).await;
            // A lease cut short by its longest life is about to end for good: time for a new login.
            if let Ok(renewed) = renewed
                && renewed.duration >= entry.upkeep.lock().first_duration / 2
            {
                let credential = Arc::new(Credential::clone(kept).leased(renewed));
                self.plan(entry, &credential);
                entry.current.send_if_modified(|current| {
                    *current = Some(credential);
                    false
                });
                self.tell(key, &Event::Renewed);
                return;
            }
        }
        if let Err(error) = self.fetch_quietly(key, entry, deadline).await {
            self.failed(key, entry, error);
        }
    }

    fn failed(&self, key: &CredentialKey, entry: &Entry, error: SecretError) {
        let mut upkeep = entry.upkeep.lock();
        let wait = AFTER_FAILURE.wait(upkeep.failures, &self.shared.random);
        upkeep.failures = upkeep.failures.saturating_add(1);
        upkeep.due = Instant::now().checked_add(wait);
        drop(upkeep);
        self.tell(key, &Event::Failed(error));
    }

    async fn fetch(
        &self,
        key: &CredentialKey,
        entry: &Entry,
        deadline: Deadline,
    ) -> Result<Arc<Credential>, SecretError> {
        let fetched = self.fetch_quietly(key, entry, deadline).await;
        if let Err(error) = &fetched {
            self.tell(key, &Event::Failed(error.clone()));
        }
        fetched
    }

    /// Asks the provider, keeps the answer, announces a changed login. Called by whoever has the turn.
    async fn fetch_quietly(
        &self,
        key: &CredentialKey,
        entry: &Entry,
        deadline: Deadline,
    ) -> Result<Arc<Credential>, SecretError> {
        let fetched = self.bound(self.shared.provider.fetch(key, deadline), deadline).await?;
        let fetched = Arc::new(fetched);
        if let Some(lease) = fetched.lease() {
            entry.upkeep.lock().first_duration = lease.duration;
        }
        self.plan(entry, &fetched);
        let mut event = None;
        entry.current.send_if_modified(|current| {
            let is_new = match current {
                Some(before) => !before.is_same_login(&fetched),
                None => true,
            };
            if is_new {
                event = Some(if current.is_some() { Event::Rotated } else { Event::Fetched });
            }
            *current = Some(Arc::clone(&fetched));
            is_new
        });
        if let Some(event) = event {
            self.tell(key, &event);
        }
        self.shared.changed.notify_one();
        Ok(fetched)
    }

    /// Says when `credential` has to be looked at again.
    fn plan(&self, entry: &Entry, credential: &Credential) {
        let now = Instant::now();
        // Spread by a tenth, so that many processes started together do not ask together.
        let early = 0.9 + 0.1 * self.shared.random.fraction();
        let wait = match credential.lease() {
            Some(lease) => lease.duration.mul_f64(2.0 / 3.0 * early),
            None => self.shared.settings.look_every.mul_f64(early),
        };
        // A lease of nothing must not become a loop without a pause.
        let due = now.checked_add(wait.max(Duration::from_millis(100)));
        let mut upkeep = entry.upkeep.lock();
        upkeep.due = due;
        upkeep.failures = 0;
    }

    fn entry(&self, key: &CredentialKey) -> Arc<Entry> {
        let mut entries = self.shared.entries.lock();
        if let Some(entry) = entries.get(key) {
            return Arc::clone(entry);
        }
        let entry = Arc::new(Entry {
            current: watch::Sender::new(None),
            fetching: tokio::sync::Mutex::new(()),
            upkeep: Mutex::default(),
        });
        entries.insert(key.clone(), Arc::clone(&entry));
        entry
    }

    async fn turn<'a>(
        &self,
        entry: &'a Entry,
        deadline: Deadline,
    ) -> Result<tokio::sync::MutexGuard<'a, ()>, SecretError> {
        let late = |_| SecretError::Deadline { provider: self.shared.provider.name() };
        deadline.bound(entry.fetching.lock()).await.map_err(late)
    }

    async fn bound<T>(
        &self,
        call: impl Future<Output = Result<T, SecretError>>,
        deadline: Deadline,
    ) -> Result<T, SecretError> {
        match deadline.bound(call).await {
            Ok(answer) => answer,
            Err(_) => Err(SecretError::Deadline { provider: self.shared.provider.name() }),
        }
    }

    fn tell(&self, key: &CredentialKey, event: &Event) {
        if let Some(observer) = &self.shared.observer {
            observer(key, event);
        }
    }
}

/// What is kept and may still be used.
fn usable(entry: &Entry) -> Option<Arc<Credential>> {
    let kept = entry.current.borrow().clone()?;
    (!kept.lease().is_some_and(|lease| lease.is_over())).then_some(kept)
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<_> = self.shared.entries.lock().keys().cloned().collect();
        f.debug_struct("Secrets")
            .field("provider", &self.shared.provider.name())
            .field("keys", &keys)
            .finish()
    }
}
