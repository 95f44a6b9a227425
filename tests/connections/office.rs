//! What the tests of connections share: a vendor's backend with a store, a vault and one OAuth client, and people with Google accounts.

use async_trait::async_trait;
use bytes::Bytes;
use calsync_core::Tenant;
use calsync_core::clock::{Clock, ManualClock, SeededEntropy};
use calsync_core::http::{Transport, TransportError};
use calsync_core::provider::Effort;
use calsync_core::store::{MemoryStore, Store};
use calsync_core::vault::{KeyBytes, MasterKey, Vault};
use calsync_google::connect::{
    Connected, Connections, ConnectionsBuilder, Consent, ConsentPage, Outcome, Refusal,
};
use calsync_google::{Endpoints, OAuthClientFile};
use calsync_testkit::fake_google::{Choice, FakeGoogle, FakeTransport, Landing};
use calsync_testkit::marked::{MarkedEntropy, key_bytes};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub(crate) const AMY: &str = "amy@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const CLIENT: &str = "1234-abcd.apps.googleusercontent.com";
pub(crate) const OTHER_CLIENT: &str = "5678-efgh.apps.googleusercontent.com";
pub(crate) const REDIRECT: &str = "https://crm.example.com/suite/index.php?entryPoint=google";
pub(crate) const SESSION: &str = "session-neversay-of-amy";

/// Where the fake is, as far as anybody has to know.
const BASE: &str = "http://127.0.0.1:1";

/// The way to the fake, which a test can see and change.
pub(crate) struct Wire {
    fake: FakeTransport,
    answer: Mutex<Answer>,
    /// What the token endpoint answers in Google's place.
    instead: Mutex<Option<(u16, &'static str)>>,
    /// What the token endpoint was sent.
    sent: Mutex<Vec<Bytes>>,
}

/// What becomes of the next answer of the token endpoint.
#[derive(Clone, Copy, Default, PartialEq)]
enum Answer {
    #[default]
    Arrives,
    /// It will be on its way until somebody lets it arrive.
    IsHeld,
    OnItsWay,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        // Others get a turn while a request is on its way.
        tokio::task::yield_now().await;
        let token = request.uri().path().ends_with("/token");
        if token {
            self.sent.lock().unwrap().push(request.body().clone());
        }
        let instead = self.instead.lock().unwrap().filter(|_| token);
        if let Some((status, body)) = instead {
            return Ok(http::Response::builder()
                .status(status)
                .body(Bytes::from_static(body.as_bytes()))
                .unwrap());
        }
        let answer = self.fake.send(request).await;
        if token && *self.answer.lock().unwrap() == Answer::IsHeld {
            *self.answer.lock().unwrap() = Answer::OnItsWay;
            while *self.answer.lock().unwrap() == Answer::OnItsWay {
                tokio::task::yield_now().await;
            }
        }
        answer
    }
}

/// A clock that others get a turn by whenever somebody waits.
#[derive(Debug)]
pub(crate) struct PatientClock(ManualClock);

impl PatientClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
}

#[async_trait]
impl Clock for PatientClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
        tokio::task::yield_now().await;
    }
}

/// A vendor's backend.
pub(crate) struct Office {
    pub(crate) clock: Arc<PatientClock>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) connections: Connections,
    pub(crate) tenant: Tenant,
}

/// An OAuth client's file of the type `web`.
pub(crate) fn web_client(id: &str, redirects: &[&str]) -> OAuthClientFile {
    let file = json!({"web": {
        "client_id": id, "client_secret": "GOCSPX-neversay", "redirect_uris": redirects, "project_id": "p1",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": "https://oauth2.googleapis.com/token",
    }});
    OAuthClientFile::from_json(&file.to_string()).unwrap()
}

impl Office {
    /// One whose OAuth client is uploaded.
    pub(crate) async fn new() -> Self {
        let office = Self::unconfigured();
        office.connections.set_client(&office.tenant, &web_client(CLIENT, &[REDIRECT])).await.unwrap();
        office
    }

    pub(crate) fn unconfigured() -> Self {
        let clock = manual_clock();
        let store = Arc::new(MemoryStore::new(clock.clone(), "installation".into()));
        Self::over(store, clock)
    }

    /// One over this store, whose client is not uploaded yet.
    pub(crate) fn over(store: Arc<dyn Store>, clock: Arc<PatientClock>) -> Self {
        let mut fake = FakeGoogle::new();
        fake.set_base_url(BASE);
        for person in [AMY, BOB] {
            fake.account(person);
        }
        for id in [CLIENT, OTHER_CLIENT] {
            fake.oauth_client(id, "GOCSPX-neversay").redirect_uris = vec![REDIRECT.to_owned()];
        }
        let wire = Arc::new(Wire {
            fake: FakeTransport::new(fake, clock.clone()),
            answer: Mutex::default(),
            instead: Mutex::default(),
            sent: Mutex::default(),
        });
        let mut office = Self {
            connections: worker(&clock, &wire, &store, 1).build().unwrap(),
            clock,
            wire,
            store,
            tenant: "acme".into(),
        };
        office.connections = office.worker(1).return_targets(["/profile", "/app/"]).build().unwrap();
        office
    }

    /// Another process of the same backend.
    pub(crate) fn worker(&self, seed: u64) -> ConnectionsBuilder {
        worker(&self.clock, &self.wire, &self.store, seed)
    }

    /// The same over a store of its own.
    pub(crate) fn worker_over(&self, store: Arc<dyn Store>, seed: u64) -> ConnectionsBuilder {
        worker(&self.clock, &self.wire, &store, seed)
    }

    pub(crate) fn fake(&self) -> MutexGuard<'_, FakeGoogle> {
        self.wire.fake.google()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The next answer of the token endpoint is given, and does not arrive before [`Office::let_arrive`].
    pub(crate) fn hold_answer(&self) {
        *self.wire.answer.lock().unwrap() = Answer::IsHeld;
    }

    /// Waits until an answer is held.
    pub(crate) async fn held(&self) {
        while *self.wire.answer.lock().unwrap() != Answer::OnItsWay {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn let_arrive(&self) {
        *self.wire.answer.lock().unwrap() = Answer::Arrives;
    }

    /// The token endpoint answers this, whatever it is asked; with `None` it is Google's again.
    pub(crate) fn token_endpoint_says(&self, answer: Option<(u16, &'static str)>) {
        *self.wire.instead.lock().unwrap() = answer;
    }

    /// What the token endpoint was sent last.
    pub(crate) fn sent_last(&self) -> String {
        let sent = self.wire.sent.lock().unwrap();
        String::from_utf8(sent.last().expect("it was asked").to_vec()).unwrap()
    }

    /// How often the token endpoint was asked.
    pub(crate) fn tokens_asked(&self) -> usize {
        self.fake().journal().iter().filter(|entry| entry.path.ends_with("/token")).count()
    }

    pub(crate) async fn begin(&self, consent: Consent) -> ConsentPage {
        self.connections.begin(&self.tenant, &consent).await.unwrap()
    }

    /// A person opens the page, and the browser goes where Google sends it.
    pub(crate) fn opens(&self, page: &ConsentPage, choice: &Choice) -> Landing {
        let now = self.now();
        self.fake().user_consents(now, &page.url, choice)
    }

    pub(crate) async fn comes_back(&self, landing: &Landing) -> Outcome {
        let url = landing.url().unwrap_or_else(|| panic!("no browser comes back: {landing:?}"));
        self.connections.finish(url, SESSION, &Effort::default()).await.unwrap()
    }

    /// All of it, as this account.
    pub(crate) async fn consents(&self, consent: Consent, choice: &Choice) -> Outcome {
        let page = self.begin(consent).await;
        let landing = self.opens(&page, choice);
        self.comes_back(&landing).await
    }

    /// The same where the network may fail.
    pub(crate) async fn try_connect(&self, account: &str) -> calsync_core::Result<Outcome> {
        let page = self.begin(Consent::in_session(SESSION).of(account)).await;
        let landing = self.opens(&page, &Choice::of(account));
        let url = landing.url().unwrap_or_else(|| panic!("no browser comes back: {landing:?}"));
        self.connections.finish(url, SESSION, &Effort::default()).await
    }

    /// Amy connects, and it works.
    pub(crate) async fn connected(&self, account: &str) -> Connected {
        match self.consents(Consent::in_session(SESSION).of(account), &Choice::of(account)).await {
            Outcome::Connected(connected) => connected,
            refused => panic!("{refused:?}"),
        }
    }
}

pub(crate) fn manual_clock() -> Arc<PatientClock> {
    Arc::new(PatientClock(ManualClock::new("2026-11-23T08:00:00Z".parse().unwrap())))
}

fn worker(
    clock: &Arc<PatientClock>,
    wire: &Arc<Wire>,
    store: &Arc<dyn Store>,
    seed: u64,
) -> ConnectionsBuilder {
    let entropy = Arc::new(MarkedEntropy::new(SeededEntropy::new(seed)));
    let keys = KeyBytes::new(MasterKey::new(key_bytes(7)));
    let vault = Arc::new(Vault::new(store.clone(), Arc::new(keys), entropy.clone()));
    Connections::builder(store.clone(), vault)
        .redirect_uri(REDIRECT)
        .endpoints(Endpoints::under(BASE).unwrap())
        .transport(wire.clone())
        .clock(clock.clone())
        .entropy(entropy)
}

/// Why nothing was connected.
#[track_caller]
pub(crate) fn refusal(outcome: &Outcome) -> &Refusal {
    match outcome {
        Outcome::NotConnected { refusal, .. } => refusal,
        Outcome::Connected(connected) => panic!("connected: {connected:?}"),
    }
}

/// Nothing of a secret in what a person may see.
#[track_caller]
pub(crate) fn clean(text: &str) {
    for canary in ["neversay", "1//", "ya29", "4/0"] {
        assert!(!text.contains(canary), "{canary} in {text}");
    }
}
