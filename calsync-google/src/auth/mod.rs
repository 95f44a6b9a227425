//! Credentials: who calsync is to Google.
//!
//! Three kinds, one contract ([`TokenSource`]): a service account that signs assertions, a person's refresh token, and an
//! access token that somebody else renews. Tokens are kept in memory only, one per person and set of scopes, are renewed
//! ahead of their end, and are asked for once however many calls wait for them.

mod client_file;
mod file;
mod key;
pub(crate) mod oauth;
pub(crate) mod refusal;
mod service_account;
#[cfg(test)]
pub(crate) mod tests_script;

pub use client_file::{ClientKind, OAuthClientFile};
pub use key::ServiceAccountKey;
pub use oauth::OAuthClient;
pub(crate) use oauth::RefreshTokens;
pub(crate) use service_account::ServiceAccountTokens;

use async_trait::async_trait;
use calsync_core::clock::Clock;
use calsync_core::http::TokenSource;
use calsync_core::provider::Effort;
use calsync_core::{Result, Secret};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long before its end a token counts as stale: what Google's own library uses (3 min 45 s).
pub(crate) const STALE_AHEAD: Duration = Duration::from_secs(225);

/// An access token that somebody else obtained and renews.
#[derive(Debug)]
pub(crate) struct StaticToken(pub(crate) Secret);

#[async_trait]
impl TokenSource for StaticToken {
    async fn token(&self, _: &str, _: &Effort) -> Result<Secret> {
        Ok(self.0.clone())
    }

    fn refused(&self, _: &str, _: &Secret) {}
}

/// Tokens by person.
#[derive(Debug)]
pub(crate) struct TokenCache {
    clock: Arc<dyn Clock>,
    entries: Mutex<BTreeMap<String, Arc<Entry>>>,
}

#[derive(Debug, Default)]
struct Entry {
    /// Held while a token is asked for, so that everybody else waits for that one.
    flight: tokio::sync::Mutex<()>,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    token: Secret,
    /// The monotonic reading at which it is stale.
    stale: Duration,
}

impl TokenCache {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, entries: Mutex::default() }
    }

    /// The token kept for `subject`, or the one that `ask` brings together with its lifetime.
    pub(crate) async fn get<F>(&self, subject: &str, ask: impl FnOnce() -> F + Send) -> Result<Secret>
    where
        F: Future<Output = Result<(Secret, Duration)>> + Send,
    {
        let entry = lock(&self.entries).entry(subject.to_owned()).or_default().clone();
        if let Some(token) = self.fresh(&entry) {
            return Ok(token);
        }
        let _flight = entry.flight.lock().await;
        if let Some(token) = self.fresh(&entry) {
            return Ok(token);
        }
        let asked = self.clock.monotonic();
        let (token, lives) = ask().await?;
        let stale = asked + lives.saturating_sub(STALE_AHEAD);
        *lock(&entry.kept) = Some(Kept { token: token.clone(), stale });
        Ok(token)
    }

    /// Forgets `token`, unless another one has taken its place.
    pub(crate) fn forget(&self, subject: &str, token: &Secret) {
        let Some(entry) = lock(&self.entries).get(subject).cloned() else { return };
        let mut kept = lock(&entry.kept);
        if kept.as_ref().is_some_and(|kept| kept.token.reveal() == token.reveal()) {
            *kept = None;
        }
    }

    fn fresh(&self, entry: &Entry) -> Option<Secret> {
        let kept = lock(&entry.kept);
        kept.as_ref().filter(|kept| self.clock.monotonic() < kept.stale).map(|kept| kept.token.clone())
    }
}

/// A lock whose holder panicked guards plain values that are whole nevertheless.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::clock::ManualClock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct World {
        clock: Arc<ManualClock>,
        cache: TokenCache,
        asked: AtomicU32,
    }

    impl World {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().expect("an instant")));
            Self { clock: clock.clone(), cache: TokenCache::new(clock), asked: AtomicU32::new(0) }
        }

        async fn get(&self, subject: &str) -> String {
            let token = self.cache.get(subject, || async {
                let n = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::task::yield_now().await;
                Ok((Secret::new(format!("neversay-{n}")), Duration::from_secs(3599)))
            });
            token.await.expect("a token").reveal().to_owned()
        }
    }

    #[tokio::test]
    async fn a_token_is_kept_until_225_seconds_before_its_end() {
        let world = World::new();
        assert_eq!(world.get("amy").await, "neversay-1");
        world.clock.advance(Duration::from_secs(3599 - 226));
        assert_eq!(world.get("amy").await, "neversay-1");
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(world.get("amy").await, "neversay-2");
    }

    #[tokio::test]
    async fn many_callers_wait_for_one_request_and_each_person_has_a_token_of_its_own() {
        let world = World::new();
        let (a, b, c, d) =
            tokio::join!(world.get("amy"), world.get("amy"), world.get("bob"), world.get("amy"));
        assert_eq!((&a, &b), (&d, &d));
        assert_ne!(a, c);
        assert_eq!(world.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_refused_token_is_forgotten_once_and_never_its_successor() {
        let world = World::new();
        let old = Secret::new(world.get("amy").await);
        world.cache.forget("amy", &old);
        assert_eq!(world.get("amy").await, "neversay-2");
        world.cache.forget("amy", &old);
        assert_eq!(world.get("amy").await, "neversay-2");
    }

    #[tokio::test]
    async fn a_failure_is_not_kept_and_lets_the_next_one_through() {
        let world = World::new();
        let failed = world.cache.get("amy", || async {
            Err(calsync_core::Error::new(calsync_core::ErrorKind::Unavailable, "no"))
        });
        assert!(failed.await.is_err());
        assert_eq!(world.get("amy").await, "neversay-1");
    }

    #[test]
    fn nothing_prints_a_token() {
        assert_eq!(format!("{:?}", StaticToken(Secret::new("ya29.neversay"))), "StaticToken([redacted])");
    }
}
