//! Google, a clock and a file, the processes that work on them, and what users do there.

use calsync_core::binding::Binding;
use calsync_core::clock::{Clock, SeededEntropy};
use calsync_core::engine::{Appointments, Engine};
use calsync_core::model::{Appointment, Record, Slot, When};
use calsync_core::provider::Mail;
use calsync_core::report::Report;
use calsync_core::{RecordId, Secret, Zone};
use calsync_google::{Endpoints, Google, OAuthClient};
use calsync_sqlite::SqliteStore;
use calsync_testkit::fake_google::FakeGoogle;
use calsync_testkit::marked::{CLIENT_SECRET, refresh_token};
use calsync_testkit::sim::gate::{Ended, Gate, SimClock, SimStore, drive, now};
use calsync_testkit::sim::transport::SimTransport;
use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// Whose calendar most things happen in.
pub(crate) const AMY: &str = "amy@example.com";
/// The other agent.
pub(crate) const BOB: &str = "bob@example.com";

/// Everything outside a process, at one moment.
pub(crate) struct Start {
    fake: FakeGoogle,
    now: DateTime<Utc>,
    store: Vec<u8>,
    bindings: Vec<Binding>,
}

/// Google, a clock, and a file.
pub(crate) struct Stage {
    /// What time it is everywhere.
    pub(crate) clock: Arc<SimClock>,
    fake: Arc<Mutex<FakeGoogle>>,
    directory: tempfile::TempDir,
    /// The bindings.
    pub(crate) bindings: Vec<Binding>,
    processes: AtomicU64,
}

impl Stage {
    pub(crate) fn new(agents: &[&str], mail: Mail) -> Self {
        let mut fake = FakeGoogle::new();
        fake.oauth_client("client", CLIENT_SECRET);
        for agent in [AMY, BOB] {
            fake.account(agent);
            fake.set_zone(agent, "America/New_York");
            fake.refresh_token(
                &refresh_token(agent),
                "client",
                agent,
                &["https://www.googleapis.com/auth/calendar"],
            );
        }
        let monday = "2026-11-02T08:00:00Z".parse().unwrap();
        let mut stage = Self::open(&Start { fake, now: monday, store: Vec::new(), bindings: Vec::new() });
        let (engine, _) = stage.process();
        for agent in agents {
            let new = Binding::two_way(*agent).to(*agent, *agent).mail(mail);
            stage.bindings.push(now(engine.bind(new)).unwrap());
        }
        stage
    }

    pub(crate) fn open(start: &Start) -> Self {
        // In memory where the system has a place for that: it is the process that crashes, not the disk.
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let directory = directory.unwrap();
        if !start.store.is_empty() {
            std::fs::write(directory.path().join("calsync.db"), &start.store).unwrap();
        }
        Self {
            clock: SimClock::new(start.now),
            fake: Arc::new(Mutex::new(start.fake.clone())),
            directory,
            bindings: start.bindings.clone(),
            processes: AtomicU64::new(0),
        }
    }

    pub(crate) fn close(self) -> Start {
        let path = self.path();
        assert!(!path.with_extension("db-wal").exists(), "a process still has the file open");
        let fake = self.google().clone();
        Start { fake, now: self.clock.now(), store: std::fs::read(path).unwrap(), bindings: self.bindings }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("calsync.db")
    }

    /// A process: everything that it knows is in the file.
    pub(crate) fn process(&self) -> (Engine, Arc<Gate>) {
        self.process_over(true)
    }

    fn process_over(&self, on_calling_thread: bool) -> (Engine, Arc<Gate>) {
        let gate = Gate::new(false);
        let entropy = Arc::new(SeededEntropy::new(self.processes.fetch_add(1, Ordering::Relaxed)));
        let mut store = SqliteStore::builder(self.path()).clock(self.clock.clone()).entropy(entropy.clone());
        if on_calling_thread {
            store = store.on_calling_thread();
        }
        let store = wait(store.open());
        let store = SimStore { inner: store.unwrap(), tap: Arc::clone(&gate) };
        let mut builder =
            Engine::builder(store).clock(self.clock.clone()).entropy(entropy.clone()).page_records_max(3);
        for agent in [AMY, BOB] {
            let transport = SimTransport {
                fake: Arc::clone(&self.fake),
                clock: self.clock.clone(),
                gate: Arc::clone(&gate),
                rates: Arc::default(),
                refreshes: Arc::default(),
                chance: entropy.clone(),
                watch: None,
            };
            let client = OAuthClient { id: "client".into(), secret: Secret::new(CLIENT_SECRET) };
            let google = Google::refresh_token(client, Secret::new(refresh_token(agent)))
                .endpoints(Endpoints::under("http://127.0.0.1:1").unwrap())
                .transport(Arc::new(transport))
                .clock(self.clock.clone())
                .entropy(entropy.clone())
                .page_size(4)
                .build();
            builder = builder.provider(agent, google.unwrap());
        }
        (builder.build().unwrap(), gate)
    }

    /// Runs everything in one process that dies at its `n`-th step; whether it did.
    pub(crate) fn crash_at(&self, n: u64) -> bool {
        let (engine, gate) = self.process();
        gate.crash_after(n);
        let ended = drive(&gate, self.rounds(&engine), || panic!("nothing waits but at the gate"));
        drop(engine);
        self.clock.advance(std::time::Duration::from_secs(180));
        matches!(ended, Ended::Crashed)
    }

    /// Runs everything in one process whose future is dropped where it waits for the `n`-th time; whether it did.
    pub(crate) fn drop_at_wait(&self, n: u64) -> bool {
        let (engine, _) = self.process_over(false);
        let ended = poll_until(self.rounds(&engine), n);
        drop(engine);
        self.clock.advance(std::time::Duration::from_secs(180));
        ended.is_none()
    }

    async fn rounds(&self, engine: &Engine) {
        for _ in 0..2 {
            for binding in &self.bindings {
                let _: Report = engine.run(binding).await.expect("nothing goes wrong but the crash");
            }
        }
    }

    /// Runs everything in one process until nothing changes: three rounds, and one that writes nothing.
    pub(crate) fn come_to_rest(&self) -> Engine {
        let (engine, _) = self.process();
        for _ in 0..4 {
            let writes = self.writes();
            let mut wrote = false;
            for binding in &self.bindings {
                self.clock.advance(std::time::Duration::from_secs(600));
                let report = now(engine.run(binding)).expect("a calm run");
                assert!(report.waiting.is_empty() && report.error.is_none(), "{report}");
                wrote |= report.wrote();
            }
            if !wrote && self.writes() == writes {
                return engine;
            }
        }
        panic!("C1: it does not come to rest");
    }

    fn writes(&self) -> usize {
        self.google().journal().iter().filter(|entry| entry.wrote()).count()
    }

    pub(crate) fn google(&self) -> MutexGuard<'_, FakeGoogle> {
        self.fake.lock().unwrap()
    }

    pub(crate) fn crm(&self) -> Appointments {
        self.process().0.appointments().unwrap()
    }

    // ---- what users do ----

    pub(crate) fn create(&self, title: &str, start: &str, more: impl FnOnce(&mut Appointment)) -> RecordId {
        let mut appointment = Appointment::new(title, when(start));
        more(&mut appointment);
        now(self.crm().create(AMY, &appointment)).unwrap().id
    }

    pub(crate) fn record(&self, title: &str) -> Record {
        let titled = |record: &Record| {
            let fields = record.fields.as_ref().filter(|_| record.occurrence.is_none());
            fields.and_then(|fields| fields.get("summary")?.as_str()) == Some(title)
        };
        records(&self.process().0).into_iter().find(titled).unwrap()
    }

    pub(crate) fn edit(&self, title: &str, change: impl Fn(&mut Appointment)) {
        now(self.crm().edit(&self.record(title).id, change)).unwrap();
    }

    pub(crate) fn insert(&self, mut event: Value, start: &str, rules: &[&str]) -> String {
        (event["start"], event["end"]) = edges(start);
        if !rules.is_empty() {
            event["recurrence"] = rules.iter().map(|rule| format!("RRULE:{rule}")).collect();
        }
        self.google().user_insert(self.clock.now(), AMY, &event).unwrap()
    }

    pub(crate) fn has_event(&self, title: &str) -> bool {
        self.google().events(AMY).any(|event| event["summary"] == title && event["status"] != "cancelled")
    }

    pub(crate) fn event(&self, title: &str) -> String {
        let google = self.google();
        let mut events = google.events(AMY);
        let event = events.find(|e| e["summary"] == title && e["recurringEventId"].is_null()).unwrap();
        event["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn patch(&self, title: &str, patch: Value) {
        let id = self.event(title);
        self.google().user_patch(self.clock.now(), AMY, &id, &patch).unwrap();
    }

    pub(crate) fn delete(&self, title: &str) {
        let id = self.event(title);
        self.google().user_delete(self.clock.now(), AMY, &id).unwrap();
    }

    pub(crate) fn move_instance(&self, series: &str, slot: &str, start: &str) {
        let (start, end) = edges(start);
        self.google().user_move_instance(self.clock.now(), AMY, series, slot, &start, &end).unwrap();
    }

    pub(crate) fn cancel_instance(&self, series: &str, slot: &str) {
        self.google().user_cancel_instance(self.clock.now(), AMY, series, slot).unwrap();
    }
}

/// All records of the CRM, deleted ones as well.
pub(crate) fn records(engine: &Engine) -> Vec<Record> {
    let changes = now(engine.store().record_changes(&"default".into(), None, None, 1_000)).unwrap();
    assert!(!changes.more, "there are few");
    changes.records
}

/// An hour in New York.
pub(crate) fn when(start: &str) -> When {
    let start = NaiveDateTime::parse_from_str(start, "%Y-%m-%dT%H:%M").unwrap();
    When::timed(start, Duration::hours(1), &Zone::new("America/New_York").unwrap()).unwrap()
}

fn edges(start: &str) -> (Value, Value) {
    let start = NaiveDateTime::parse_from_str(start, "%Y-%m-%dT%H:%M").unwrap();
    let edge = |time: NaiveDateTime| json!({"dateTime": time.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "America/New_York"});
    (edge(start), edge(start + Duration::hours(1)))
}

pub(crate) fn slot(at: &str) -> Slot {
    Slot::Time(at.parse().unwrap())
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls a future until it has to wait for the `n`-th time, and drops it there; `None` when it came to that.
fn poll_until<T>(future: impl Future<Output = T>, n: u64) -> Option<T> {
    let mut future = Box::pin(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut waited = 0;
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return Some(value),
            Poll::Pending => waited += 1,
        }
        if waited >= n {
            return None;
        }
        // A wake that came before this is not lost: the thread does not park then.
        std::thread::park();
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    poll_until(future, u64::MAX).unwrap()
}
