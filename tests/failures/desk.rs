//! A desk with everything on it: the engine, the real Google provider, the fake Google, a store and a clock.
//!
//! Every exchange with the fake is held against Google's own description of the API, requests and answers alike; what is
//! wrong there fails the test that did it. Tests that let the fake answer with nonsense say so first ([`Desk::lawless`]).
//! Nothing waits: the clock stands still but for what the desk lets pass.

#![allow(dead_code, reason = "each test program uses its own part of the desk")]

use async_trait::async_trait;
use bytes::Bytes;
use calsync_core::binding::{Binding, NewBinding};
use calsync_core::clock::{Clock, ManualClock, SeededEntropy};
use calsync_core::engine::{Appointments, EngineBuilder, Shown};
use calsync_core::http::{Transport, TransportError};
use calsync_core::model::{Appointment, Fields, When};
use calsync_core::store::{MemoryStore, Store};
use calsync_core::{Engine, RecordId, Report, Result, Zone};
use calsync_google::{Google, GoogleBuilder, SCOPE_EVENTS, ServiceAccountKey};
use calsync_testkit::discovery::Discovery;
use calsync_testkit::fake_google::{FakeGoogle, FakeTransport, Fault, FaultKind, Route};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) const AMY: &str = "amy@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const EVE: &str = "eve@elsewhere.example";
pub(crate) const TEAM: &str = "amy-team@group.calendar.google.com";
pub(crate) const ROBOT: &str = "sync@p1.iam.gserviceaccount.com";
pub(crate) const NUMBER: &str = "104567890123456789012";
pub(crate) const PEM: &str = include_str!("../data/keys/throwaway_service_account.pem");
pub(crate) const ZONE: &str = "America/Vancouver";

/// The key file of the service account.
pub(crate) fn key_json() -> Value {
    json!({
        "type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": PEM,
        "client_email": ROBOT, "client_id": NUMBER, "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    })
}

pub(crate) fn key() -> ServiceAccountKey {
    ServiceAccountKey::from_json(&key_json().to_string()).unwrap()
}

/// What becomes of a request on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It arrives.
    Free,
    /// The connection breaks before it does.
    Cut,
    /// Nothing more is heard of it: the process dies there ([`Desk::die`]).
    Lost,
}

type OnTheWay = Box<dyn FnMut(&http::Request<Bytes>, &mut FakeGoogle) -> Way + Send>;
type OnTheWayBack = Box<dyn FnMut(&str, Value) -> Value + Send>;

/// The way to the fake: watched, and open to whatever a test wants to happen on it.
#[derive(Clone)]
pub(crate) struct Wire {
    inner: FakeTransport,
    lawless: Arc<AtomicBool>,
    before: Arc<Mutex<Option<OnTheWay>>>,
    after: Arc<Mutex<Option<OnTheWayBack>>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Transport for Wire {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<Bytes>, TransportError> {
        let way = lock(&self.before).as_mut().map(|before| before(&request, &mut self.inner.google()));
        match way {
            Some(Way::Cut) => {
                let message = "failed: connection refused".to_owned();
                return Err(TransportError {
                    message,
                    maybe_sent: false,
                    limit: false,
                    fault: Default::default(),
                });
            }
            Some(Way::Lost) => std::future::pending().await,
            Some(Way::Free) | None => {}
        }
        let (method, body) = (request.method().clone(), request.body().clone());
        let path = request.uri().path_and_query().map(|path| path.as_str().to_owned()).unwrap_or_default();
        let answer = self.inner.send(request).await;
        // The journal also knows the answers that get lost.
        let last = self.inner.google().journal().last().cloned().expect("it was handled");
        if !matches!(last.route, Route::Token | Route::Revoke) && !self.lawless.load(Ordering::Relaxed) {
            let checked =
                Discovery::calendar().check_exchange(&method, &path, &body, last.status, &last.answer);
            if let Err(violations) = checked {
                let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
                panic!("{method} {path}: {}\n{}", list.join("\n"), String::from_utf8_lossy(&body));
            }
        }
        match (answer, lock(&self.after).as_mut()) {
            (Ok(answer), Some(after)) if last.route != Route::Token && answer.status() == 200 => {
                let (head, body) = answer.into_parts();
                let body = after(&path, serde_json::from_slice(&body).unwrap());
                Ok(http::Response::from_parts(head, body.to_string().into()))
            }
            (answer, _) => answer,
        }
    }
}

/// What a desk is made of.
pub(crate) struct Setup {
    zone: &'static str,
    page_size: u32,
    page_records_max: usize,
    store: Box<dyn Fn(Arc<ManualClock>) -> Arc<dyn Store>>,
    settings: Box<dyn Fn(NewBinding) -> NewBinding>,
    fake: Box<dyn Fn(&mut FakeGoogle)>,
    google: Box<dyn Fn() -> GoogleBuilder>,
    google_time: Option<Arc<dyn Clock>>,
    engine: Box<dyn Fn(EngineBuilder) -> EngineBuilder>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            zone: ZONE,
            page_size: 2500,
            page_records_max: 500,
            store: Box::new(|clock| Arc::new(MemoryStore::new(clock, "installation".into()))),
            settings: Box::new(|new| new),
            fake: Box::new(|_| ()),
            google: Box::new(|| Google::service_account(key())),
            google_time: None,
            engine: Box::new(|builder| builder),
        }
    }
}

impl Setup {
    /// The zone of the calendars.
    pub(crate) fn zone(mut self, zone: &'static str) -> Self {
        self.zone = zone;
        self
    }

    pub(crate) fn page_size(mut self, size: u32) -> Self {
        self.page_size = size;
        self
    }

    pub(crate) fn page_records_max(mut self, records: usize) -> Self {
        self.page_records_max = records;
        self
    }

    /// Another store than an empty one in memory; it goes by the desk's clock.
    pub(crate) fn store(mut self, store: impl Fn(Arc<ManualClock>) -> Arc<dyn Store> + 'static) -> Self {
        self.store = Box::new(store);
        self
    }

    /// The settings of Amy's binding.
    pub(crate) fn binding(mut self, settings: impl Fn(NewBinding) -> NewBinding + 'static) -> Self {
        self.settings = Box::new(settings);
        self
    }

    /// Arranges the fake before anything else.
    pub(crate) fn fake(mut self, arrange: impl Fn(&mut FakeGoogle) + 'static) -> Self {
        self.fake = Box::new(arrange);
        self
    }

    /// Another credential than the delegated service account.
    pub(crate) fn google(mut self, google: impl Fn() -> GoogleBuilder + 'static) -> Self {
        self.google = Box::new(google);
        self
    }

    /// What time it is at Google. Default: the same as at the desk.
    pub(crate) fn google_time(mut self, clock: Arc<dyn Clock>) -> Self {
        self.google_time = Some(clock);
        self
    }

    /// Further settings of the engine.
    pub(crate) fn engine(mut self, settings: impl Fn(EngineBuilder) -> EngineBuilder + 'static) -> Self {
        self.engine = Box::new(settings);
        self
    }

    pub(crate) async fn desk(self) -> Desk {
        // A Monday.
        let clock = Arc::new(ManualClock::new("2026-11-23T08:00:00Z".parse().unwrap()));
        let mut fake = FakeGoogle::new();
        for person in [AMY, BOB] {
            fake.account(person);
            fake.set_zone(person, self.zone);
        }
        fake.calendar(AMY, TEAM, "Amy's team");
        fake.set_zone(TEAM, self.zone);
        fake.service_account(ROBOT, NUMBER, PEM.as_bytes()).unwrap();
        fake.delegate(NUMBER, &[SCOPE_EVENTS]);
        (self.fake)(&mut fake);
        let wire = Wire {
            inner: FakeTransport::new(fake, self.google_time.clone().unwrap_or_else(|| clock.clone())),
            lawless: Arc::default(),
            before: Arc::default(),
            after: Arc::default(),
        };
        let store = (self.store)(clock.clone());
        let engine = engine(&self, (self.google)(), &wire, clock.clone(), store, 7);
        let new = (self.settings)(Binding::two_way(AMY).to("google", AMY));
        let binding = engine.bind(new).await.unwrap();
        let crm = engine.appointments().unwrap();
        Desk { engine, wire, binding, crm, clock, setup: self }
    }
}

fn engine(
    setup: &Setup,
    google: GoogleBuilder,
    wire: &Wire,
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    seed: u64,
) -> Engine {
    let google = google
        .transport(Arc::new(wire.clone()))
        .clock(clock.clone())
        .entropy(Arc::new(SeededEntropy::new(seed)))
        .page_size(setup.page_size)
        .build()
        .unwrap();
    let builder = Engine::builder_shared(store)
        .provider("google", google)
        .clock(clock)
        .entropy(Arc::new(SeededEntropy::new(seed)))
        .page_records_max(setup.page_records_max);
    (setup.engine)(builder).build().unwrap()
}

pub(crate) struct Desk {
    pub(crate) engine: Engine,
    pub(crate) wire: Wire,
    pub(crate) binding: Binding,
    pub(crate) crm: Appointments,
    pub(crate) clock: Arc<ManualClock>,
    setup: Setup,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        Setup::default().desk().await
    }

    /// Another process, or another installation, at the same Google: with this store and this credential.
    pub(crate) fn another_engine(&self, store: Arc<dyn Store>, google: GoogleBuilder, seed: u64) -> Engine {
        engine(&self.setup, google, &self.wire, self.clock.clone(), store, seed)
    }

    /// The fake Google.
    pub(crate) fn fake(&self) -> MutexGuard<'_, FakeGoogle> {
        self.wire.inner.google()
    }

    /// From now on the fake may answer with what Google never says.
    pub(crate) fn lawless(&self) {
        self.wire.lawless.store(true, Ordering::Relaxed);
    }

    /// Sees every request before it arrives, and decides whether it does.
    pub(crate) fn before(
        &self,
        before: impl FnMut(&http::Request<Bytes>, &mut FakeGoogle) -> Way + Send + 'static,
    ) {
        *lock(&self.wire.before) = Some(Box::new(before));
    }

    /// Every write is answered with this status, and not carried out.
    pub(crate) fn refuse_writes(&self, code: u16) {
        self.before(move |request, fake| {
            if matches!(request.method().as_str(), "POST" | "PATCH" | "DELETE") {
                fake.inject(Fault::new(FaultKind::Status { code }).on_writes());
            }
            Way::Free
        });
    }

    /// Sees every successful answer with the path that was asked for, and may change it.
    pub(crate) fn after(&self, after: impl FnMut(&str, Value) -> Value + Send + 'static) {
        *lock(&self.wire.after) = Some(Box::new(after));
    }

    /// Nothing happens on the way any more.
    pub(crate) fn undisturbed(&self) {
        *lock(&self.wire.before) = None;
        *lock(&self.wire.after) = None;
    }

    /// A user acts in Google's own pages.
    pub(crate) fn user<T>(&self, act: impl FnOnce(&mut FakeGoogle, DateTime<Utc>) -> T) -> T {
        self.clock.advance(Duration::from_secs(1));
        let now = self.clock.now();
        act(&mut self.fake(), now)
    }

    /// Amy enters an event.
    pub(crate) fn enter(&self, event: Value) -> String {
        self.user(|fake, now| fake.user_insert(now, AMY, &event)).unwrap()
    }

    /// Amy changes an event.
    pub(crate) fn retouch(&self, id: &str, patch: Value) {
        self.user(|fake, now| fake.user_patch(now, AMY, id, &patch)).unwrap();
    }

    /// Amy deletes an event.
    pub(crate) fn remove(&self, id: &str) {
        self.user(|fake, now| fake.user_delete(now, AMY, id)).unwrap();
    }

    /// One event of Amy's, as she sees it.
    pub(crate) fn event(&self, id: &str) -> Value {
        self.fake().event(AMY, id).unwrap_or_default()
    }

    /// Amy's living events, series and exceptions.
    pub(crate) fn living(&self) -> Vec<Value> {
        self.living_in(AMY)
    }

    pub(crate) fn living_in(&self, calendar: &str) -> Vec<Value> {
        self.fake().events(calendar).filter(|event| event["status"] != "cancelled").collect()
    }

    /// The living event of Amy's with this title.
    #[track_caller]
    pub(crate) fn titled(&self, title: &str) -> Value {
        let mut found: Vec<Value> = self.living().into_iter().filter(|e| e["summary"] == title).collect();
        assert_eq!(found.len(), 1, "{title}: {found:?}");
        found.remove(0)
    }

    /// How many writes the fake carried out.
    pub(crate) fn writes(&self) -> usize {
        self.fake().journal().iter().filter(|entry| entry.wrote()).count()
    }

    /// How many requests reached this method of the API.
    pub(crate) fn asked(&self, route: Route) -> usize {
        self.fake().journal().iter().filter(|entry| entry.route == route).count()
    }

    /// How many mails Google would have sent.
    pub(crate) fn mails(&self) -> usize {
        self.fake().mails().len()
    }

    /// Amy's binding runs, a minute later.
    pub(crate) async fn try_run(&self) -> Result<Report> {
        self.try_run_of(&self.binding).await
    }

    pub(crate) async fn try_run_of(&self, binding: &Binding) -> Result<Report> {
        self.clock.advance(Duration::from_secs(60));
        self.engine.run(binding).await
    }

    pub(crate) async fn run(&self) -> Report {
        self.try_run().await.unwrap()
    }

    /// A run whose process dies where it waits for what never comes; the next one can have the lease.
    pub(crate) async fn die(&self) {
        tokio::select! {
            biased;
            _ = self.try_run() => panic!("the process lives"),
            () = std::future::ready(()) => self.clock.advance(Duration::from_secs(600)),
        }
    }

    /// Runs until the faults that were injected are used up and a run comes to its end.
    pub(crate) async fn heal(&self) -> Report {
        for _ in 0..100 {
            if let Ok(report) = self.try_run().await {
                return report;
            }
        }
        panic!("it does not heal");
    }

    /// The next run finds nothing to do, writes nothing, and mails nobody.
    pub(crate) async fn settled(&self) -> Report {
        let before = (self.writes(), self.mails());
        let report = self.run().await;
        assert!(!report.wrote(), "{report}");
        assert_eq!((self.writes(), self.mails()), before, "{report}");
        report
    }

    /// Settled, also after everything was listed again.
    pub(crate) async fn settled_after_a_full_listing(&self) {
        self.settled().await;
        self.fake().expire_sync_tokens();
        self.settled().await;
        self.settled().await;
    }

    pub(crate) async fn state(&self) -> calsync_core::binding::BindingState {
        self.engine.state(&self.binding).await.unwrap()
    }

    /// What Amy's calendar in the CRM shows in two years around the desk's time.
    pub(crate) async fn shown(&self) -> Vec<Shown> {
        let (from, to) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-12-31T00:00:00Z".parse().unwrap());
        self.crm.window(AMY, from, to).await.unwrap()
    }

    /// The titles of that, by start.
    pub(crate) async fn titles(&self) -> Vec<String> {
        let shown = self.shown().await;
        shown.into_iter().map(|shown| shown.appointment.summary.unwrap_or_default()).collect()
    }

    /// The starts of that, as wall time or date.
    pub(crate) async fn starts(&self) -> Vec<String> {
        self.shown().await.iter().map(|shown| start(&shown.appointment.when)).collect()
    }

    /// What Amy's calendar in Google shows in the same time, by start, as instant or date.
    pub(crate) fn starts_there(&self) -> Vec<String> {
        self.starts_in(AMY)
    }

    /// The same for another calendar.
    pub(crate) fn starts_in(&self, calendar: &str) -> Vec<String> {
        let (from, to) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-12-31T00:00:00Z".parse().unwrap());
        let events = self.fake().instances(calendar, from, to);
        events
            .iter()
            .map(|event| {
                let start = &event["start"];
                let text = start["date"].as_str().or(start["dateTime"].as_str()).unwrap_or_default();
                DateTime::parse_from_rfc3339(text)
                    .map_or_else(|_| text.to_owned(), |at| at.with_timezone(&Utc).to_rfc3339())
            })
            .collect()
    }

    /// The same for the CRM.
    pub(crate) async fn instants(&self) -> Vec<String> {
        (self.shown().await.iter())
            .map(|shown| match &shown.appointment.when {
                When::AllDay { start, .. } => start.to_string(),
                When::Timed { start, .. } => start.instant().unwrap().to_rfc3339(),
            })
            .collect()
    }

    /// The only record with this title that Amy's calendar in the CRM shows.
    #[track_caller]
    pub(crate) fn record(&self, title: &str) -> impl Future<Output = RecordId> + '_ {
        let title = title.to_owned();
        async move {
            let shown = self.shown().await;
            let found: Vec<&Shown> =
                shown.iter().filter(|s| s.appointment.summary.as_deref() == Some(&title)).collect();
            let first = found.first().unwrap_or_else(|| panic!("{title} is not in {shown:?}"));
            assert!(found.iter().all(|shown| shown.record == first.record), "{title} is there twice");
            first.record.clone()
        }
    }

    /// The values of a record of the CRM.
    pub(crate) async fn fields(&self, id: &RecordId) -> Fields {
        self.crm.read(id).await.unwrap().expect("it is in the CRM").fields.expect("it has values")
    }

    /// One value, null where it has its default.
    pub(crate) async fn value(&self, id: &RecordId, unit: &str) -> Value {
        self.fields(id).await.get(unit).cloned().unwrap_or_default()
    }

    pub(crate) async fn create(&self, appointment: &Appointment) -> RecordId {
        self.crm.create(AMY, appointment).await.unwrap().id
    }

    pub(crate) async fn edit(&self, id: &RecordId, change: impl Fn(&mut Appointment)) {
        self.clock.advance(Duration::from_secs(1));
        self.crm.edit(id, change).await.unwrap();
    }

    /// How many intents wait to be sent.
    pub(crate) async fn queued(&self) -> usize {
        let store = self.engine.store();
        store.outbox(self.engine.tenant(), &self.binding.id, 0, 1000).await.unwrap().len()
    }
}

/// The start as wall time or date.
pub(crate) fn start(when: &When) -> String {
    match when {
        When::AllDay { start, .. } => start.to_string(),
        When::Timed { start, .. } => start.time.format("%Y-%m-%dT%H:%M").to_string(),
    }
}

/// An hour in Vancouver, in the CRM's form.
pub(crate) fn visit(title: &str, start: &str) -> Appointment {
    in_zone(title, start, ZONE)
}

pub(crate) fn in_zone(title: &str, start: &str, zone: &str) -> Appointment {
    let zone = Zone::new(zone).unwrap();
    Appointment::new(title, When::timed(start.parse().unwrap(), chrono::Duration::hours(1), &zone).unwrap())
}

/// An hour from nine on a day of December 2026, in Google's form; the title is the id.
pub(crate) fn hour(id: &str, day: u32) -> Value {
    timed(id, &format!("2026-12-{day:02}T09:00:00"), &format!("2026-12-{day:02}T10:00:00"), ZONE)
}

pub(crate) fn timed(id: &str, start: &str, end: &str, zone: &str) -> Value {
    json!({
        "id": id, "summary": id,
        "start": {"dateTime": start, "timeZone": zone}, "end": {"dateTime": end, "timeZone": zone},
    })
}

/// The same with more fields, or others.
pub(crate) fn with(mut event: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

/// The emails of an event's guests, by address.
pub(crate) fn guests(event: &Value) -> Vec<String> {
    let list = event["attendees"].as_array().cloned().unwrap_or_default();
    let mut emails: Vec<String> =
        list.iter().map(|guest| guest["email"].as_str().unwrap_or_default().to_owned()).collect();
    emails.sort();
    emails
}
