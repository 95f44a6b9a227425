//! A service account: signs an assertion, gets a token for it (RFC 7523).
//!
//! With delegation (the default) the token is the person's, and one is kept per person; without it the token is the service
//! account's own, and calendars are shared with its address.
//!
//! The header comes from `jsonwebtoken`, the signature from ring. That crate signs only through a provider that is set once
//! for the whole process: installing ours would take HS256, or the verification of somebody else's tokens, away from a host
//! that uses the crate with another provider, and calsync keeps no global state. Its own RSA provider is the `rsa` crate,
//! which has an open advisory (RUSTSEC-2023-0071).
//!
//! A machine's clock may be off. Google then refuses the assertion, and its answer carries the right time: the difference is
//! learnt, the assertion made once more, and only if that fails as well a person has to act.

use super::key::ServiceAccountKey;
use super::refusal::{Who, blames_the_clock, refusal, says_nothing};
use super::{TokenCache, lock};
use crate::call::token::{GrantAnswer, JwtGrant, Refused};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use calsync_core::clock::Clock;
use calsync_core::http::{Sender, TokenSource};
use calsync_core::provider::Effort;
use calsync_core::{Error, ErrorKind, Result, Secret};
use chrono::TimeDelta;
use serde::Serialize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How far back an assertion is dated: a clock that is slightly ahead must not matter.
const BACKDATED: TimeDelta = TimeDelta::seconds(30);
/// How long an assertion lives; Google accepts no more.
const LIVES: TimeDelta = TimeDelta::seconds(3600);

/// Tokens for a service account.
#[derive(Debug)]
pub(crate) struct ServiceAccountTokens {
    key: ServiceAccountKey,
    scopes: Vec<String>,
    delegated: bool,
    sender: Sender,
    clock: Arc<dyn Clock>,
    cache: TokenCache,
    /// How far Google's clock is ahead of ours, once that mattered.
    offset: Mutex<TimeDelta>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: String,
    aud: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
}

impl ServiceAccountTokens {
    pub(crate) fn new(
        key: ServiceAccountKey,
        scopes: Vec<String>,
        delegated: bool,
        sender: Sender,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let cache = TokenCache::new(clock.clone());
        Self { key, scopes, delegated, sender, clock, cache, offset: Mutex::default() }
    }

    /// Its address.
    pub(crate) fn email(&self) -> &str {
        self.key.client_email()
    }

    /// Whose token it is, as far as the cache is concerned.
    fn subject<'a>(&self, subject: &'a str) -> Option<&'a str> {
        self.delegated.then_some(subject)
    }

    async fn ask(&self, subject: Option<&str>, effort: &Effort) -> Result<(Secret, Duration)> {
        let (mut corrected, mut repeated) = (false, false);
        loop {
            let call = JwtGrant { assertion: self.assertion(subject)? };
            let refused = match self.sender.send(&call, subject.unwrap_or_default(), effort).await? {
                GrantAnswer::Token { token, lives } => return Ok((token, lives)),
                GrantAnswer::Refused(refused) => refused,
            };
            if blames_the_clock(&refused) && !corrected && refused.date.is_some() {
                corrected = true;
                self.learn_offset(&refused);
            } else if says_nothing(&refused) && !repeated {
                repeated = true;
            } else {
                return Err(self.refused(&refused, subject));
            }
        }
    }

    fn learn_offset(&self, refused: &Refused) {
        if let Some(date) = refused.date {
            let offset = date - self.clock.now();
            tracing::warn!(seconds = offset.num_seconds(), "this machine's clock is off; going by Google's");
            *lock(&self.offset) = offset;
        }
    }

    fn refused(&self, refused: &Refused, subject: Option<&str>) -> Error {
        if blames_the_clock(refused) {
            let error = match refused.date {
                Some(date) => Error::new(
                    ErrorKind::Clock,
                    format!("this machine's clock is {} Google's", distance(date - self.clock.now())),
                ),
                None => Error::new(ErrorKind::Clock, "this machine's clock is off"),
            };
            return error
                .reason("invalid_grant")
                .cure("Set the clock, and let a time server keep it (NTP). In a virtual machine, check the host's clock as well.");
        }
        let who = Who::ServiceAccount {
            email: self.key.client_email(),
            client_id: self.key.client_id(),
            subject,
            scopes: &self.scopes,
        };
        refusal(refused, &who)
    }

    fn assertion(&self, subject: Option<&str>) -> Result<Secret> {
        let issued = self.clock.now() + *lock(&self.offset) - BACKDATED;
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        header.kid = self.key.private_key_id().map(str::to_owned);
        let claims = Claims {
            iss: self.key.client_email(),
            scope: self.scopes.join(" "),
            aud: self.sender.base().as_str(),
            iat: issued.timestamp(),
            exp: (issued + LIVES).timestamp(),
            sub: subject,
        };
        let unsigned = |_| Error::new(ErrorKind::Config, "the assertion cannot be written");
        let part =
            |json: serde_json::Result<Vec<u8>>| json.map(|j| URL_SAFE_NO_PAD.encode(j)).map_err(unsigned);
        let message =
            format!("{}.{}", part(serde_json::to_vec(&header))?, part(serde_json::to_vec(&claims))?);
        let pair = self.key.key_pair()?;
        let mut signature = vec![0; pair.public().modulus_len()];
        // The random numbers only blind the arithmetic; the signature is the same whatever they are.
        let random = ring::rand::SystemRandom::new();
        pair.sign(&ring::signature::RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
            .map_err(|_| Error::new(ErrorKind::Config, "the service account's key cannot sign"))?;
        Ok(Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

#[async_trait]
impl TokenSource for ServiceAccountTokens {
    async fn token(&self, subject: &str, effort: &Effort) -> Result<Secret> {
        let subject = self.subject(subject);
        self.cache.get(subject.unwrap_or_default(), || self.ask(subject, effort)).await
    }

    fn refused(&self, subject: &str, token: &Secret) {
        self.cache.forget(self.subject(subject).unwrap_or_default(), token);
    }
}

/// `2 h 13 min behind`, seen from this machine.
fn distance(ahead: TimeDelta) -> String {
    let seconds = ahead.num_seconds().unsigned_abs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let long = match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    };
    format!("{long} {}", if ahead < TimeDelta::zero() { "ahead of" } else { "behind" })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::auth::tests_script::Script;
    use calsync_core::clock::{ManualClock, SeededEntropy};
    use calsync_core::http::BaseUrl;
    use serde_json::{Value, json};

    /// A throwaway key; see `tests/data/keys/README.md`.
    pub(crate) const PEM: &str = include_str!("../../../tests/data/keys/throwaway_service_account.pem");

    const SCOPE: &str = "https://www.googleapis.com/auth/calendar.events";
    const TOO_EARLY: &str = r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}"#;

    pub(crate) fn key_json() -> Value {
        json!({
            "type": "service_account",
            "project_id": "p1",
            "private_key_id": "k1",
            "private_key": PEM,
            "client_email": "sync@p1.iam.gserviceaccount.com",
            "client_id": "104567890123456789012",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": "https://oauth2.googleapis.com/token",
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": "https://www.googleapis.com/robot/v1/metadata/x509/sync",
            "universe_domain": "googleapis.com"
        })
    }

    struct World {
        clock: Arc<ManualClock>,
        script: Arc<Script>,
        tokens: ServiceAccountTokens,
    }

    fn world(delegated: bool, answers: &[(u16, &str)]) -> World {
        crate::captured::begin();
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().expect("an instant")));
        let script = Script::new(answers);
        let base = BaseUrl::new("https://oauth2.googleapis.com/token").expect("an address");
        let sender = Sender::new(base, script.clone(), clock.clone(), Arc::new(SeededEntropy::new(1)));
        let key = ServiceAccountKey::from_json(&key_json().to_string()).expect("a key");
        let tokens = ServiceAccountTokens::new(key, vec![SCOPE.into()], delegated, sender, clock.clone());
        World { clock, script, tokens }
    }

    impl World {
        async fn token(&self, subject: &str) -> Result<String> {
            let effort = Effort::default();
            let token = self.tokens.token(subject, &effort).await;
            token.map(|token| token.reveal().to_owned())
        }

        /// The parts of the assertion in the request with this number.
        fn assertion(&self, number: usize) -> (Value, Value, bool) {
            let body = self.script.bodies()[number].clone();
            let assertion = body.split("assertion=").nth(1).expect("an assertion").to_owned();
            let parts: Vec<&str> = assertion.split('.').collect();
            let json = |part: &str| {
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
            };
            let pair = self.tokens.key.key_pair().expect("a key pair");
            let public = ring::signature::UnparsedPublicKey::new(
                &ring::signature::RSA_PKCS1_2048_8192_SHA256,
                pair.public().as_ref().to_vec(),
            );
            let signature = URL_SAFE_NO_PAD.decode(parts[2]).expect("base64");
            let message = format!("{}.{}", parts[0], parts[1]);
            (json(parts[0]), json(parts[1]), public.verify(message.as_bytes(), &signature).is_ok())
        }
    }

    #[tokio::test]
    async fn an_assertion_says_who_for_whom_what_and_when_and_is_signed() {
        let world = world(true, &[(200, r#"{"access_token":"ya29.neversay-a","expires_in":3599}"#)]);
        assert_eq!(world.token("amy@example.com").await.expect("a token"), "ya29.neversay-a");
        let (header, claims, signed) = world.assertion(0);
        assert_eq!(header, json!({"typ": "JWT", "alg": "RS256", "kid": "k1"}));
        let now = world.clock.now().timestamp();
        assert_eq!(
            claims,
            json!({
                "iss": "sync@p1.iam.gserviceaccount.com", "scope": SCOPE, "aud": "https://oauth2.googleapis.com/token",
                "iat": now - 30, "exp": now + 3570, "sub": "amy@example.com",
            })
        );
        assert!(signed);
    }

    #[tokio::test]
    async fn without_delegation_nobody_is_impersonated_and_one_token_serves_all_calendars() {
        let world = world(false, &[(200, r#"{"access_token":"ya29.neversay-a","expires_in":3599}"#)]);
        for subject in ["amy@example.com", "bob@example.com"] {
            assert_eq!(world.token(subject).await.expect("a token"), "ya29.neversay-a");
        }
        assert_eq!(world.assertion(0).1.get("sub"), None);
        assert_eq!(world.script.bodies().len(), 1);
    }

    #[tokio::test]
    async fn a_clock_that_is_off_is_corrected_once_by_google_s_own() {
        let world = world(
            true,
            &[(400, TOO_EARLY), (200, r#"{"access_token":"ya29.neversay-a","expires_in":3599}"#)],
        );
        world.script.date("Sun, 22 Nov 2026 12:13:00 GMT");
        assert_eq!(world.token("amy@example.com").await.expect("a token"), "ya29.neversay-a");
        let google: chrono::DateTime<chrono::Utc> = "2026-11-22T12:13:00Z".parse().expect("an instant");
        assert_eq!(world.assertion(1).1["iat"], google.timestamp() - 30);
    }

    #[tokio::test]
    async fn a_clock_that_stays_refused_is_an_error_that_says_how_far_it_is_off() {
        let behind = world(true, &[(400, TOO_EARLY), (400, TOO_EARLY)]);
        behind.script.date("Sun, 22 Nov 2026 12:13:00 GMT");
        let error = behind.token("amy@example.com").await.expect_err("refused");
        assert_eq!((error.kind(), behind.script.bodies().len()), (ErrorKind::Clock, 2));
        assert_eq!(error.message(), "this machine's clock is 2 h 13 min behind Google's");
        let undated = world(true, &[(400, TOO_EARLY)]);
        let error = undated.token("amy@example.com").await.expect_err("refused");
        assert_eq!((error.kind(), undated.script.bodies().len()), (ErrorKind::Clock, 1));
    }

    #[test]
    fn a_distance_is_said_from_this_machine_s_side() {
        assert_eq!(distance(TimeDelta::seconds(42)), "42 s behind");
        assert_eq!(distance(TimeDelta::seconds(-130)), "2 min ahead of");
        assert_eq!(distance(TimeDelta::days(3653)), "3653 d 0 h behind");
    }

    #[tokio::test]
    async fn a_refusal_that_says_nothing_is_repeated_once_and_others_never() {
        let nothing = r#"{"error":"invalid_grant","error_description":"Bad Request"}"#;
        let twice = world(true, &[(400, nothing), (400, nothing)]);
        assert_eq!(
            twice.token("amy@example.com").await.expect_err("refused").kind(),
            ErrorKind::Unauthorized
        );
        assert_eq!(twice.script.bodies().len(), 2);
        let unknown = r#"{"error":"invalid_grant","error_description":"Invalid email or User ID"}"#;
        let once = world(true, &[(400, unknown)]);
        let error = once.token("nobody@example.com").await.expect_err("refused");
        assert!(error.to_string().contains("Google knows no user nobody@example.com"), "{error}");
        assert_eq!(once.script.bodies().len(), 1);
    }

    #[tokio::test]
    async fn c18_no_error_and_no_debug_output_shows_an_assertion_a_key_or_a_token() {
        let echo = r#"{"error":"invalid_grant","error_description":"Bad eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.neversayneversay"}"#;
        let world = world(true, &[(400, echo)]);
        let error = world.token("amy@example.com").await.expect_err("refused");
        let printed = format!("{error} {error:?} {:?}", world.tokens);
        for secret in ["neversay", "MII", "assertion="] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
