//! A worker that is killed fifty times by the operating system, over a real socket and a real file.
//!
//! Users go on editing on both sides meanwhile: in the CRM they change titles, in Google places, and on either side they create
//! and delete; each value is written once, so that it is plain in the end which must be there. The worker says at each request
//! how far it is; after a number of steps that the seed draws, and a moment of spinning that it draws too, it gets a
//! SIGKILL: in the middle of a transaction, between a request and its answer, before its first step. The next worker's
//! clock is so far ahead that the lease has run out.
//!
//! What is drawn follows from the seed; what the worker was just doing does not. `CALSYNC_KILL_SEED` plays another
//! history, `CALSYNC_KILLS` a longer one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

use calsync_core::binding::{Binding, EditOrDelete};
use calsync_core::clock::{Clock, EntropyExt, ManualClock, SeededEntropy, SystemClock};
use calsync_core::engine::{Appointments, Engine};
use calsync_core::limits::Allowance;
use calsync_core::model::{Appointment, Attendee, Recurrence, When};
use calsync_core::store::EntryState;
use calsync_core::{RecordId, Secret, Zone};
use calsync_google::{Endpoints, Google, OAuthClient};
use calsync_sqlite::SqliteStore;
use calsync_testkit::fake_google::{FakeGoogle, Server};
use calsync_testkit::marked::{CLIENT_SECRET, refresh_token};
use calsync_testkit::sim::gate::now;
use calsync_testkit::sim::{Shown, shown_by, shown_in_crm};
use chrono::{Duration, NaiveDateTime};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

const PEOPLE: [&str; 2] = ["amy@example.com", "bob@example.com"];

/// By so much more is each worker's clock ahead: longer than a lease.
const LEAP_SECONDS: u64 = 300;

#[test]
fn a_worker_that_is_killed_again_and_again_loses_nothing_doubles_nothing_and_mails_nobody() {
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let kills = setting("CALSYNC_KILLS").unwrap_or(50);
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new(directory.path(), setting("CALSYNC_KILL_SEED").unwrap_or(1));
    let (mut doubtful, mut waiting) = (0, 0);
    for kill in 1..=kills {
        for _ in 0..world.chance.below(3) {
            world.edit();
        }
        let mut worker = Worker::start(&world, kill * LEAP_SECONDS);
        // Most workers are killed around a write, if they come to one; the others anywhere.
        let at_write = world.chance.below(4) > 0;
        for count in 0..world.chance.below(60) {
            let step = worker.step();
            let writes = ["POST", "PATCH", "PUT", "DELETE"].iter().any(|method| step.ends_with(method));
            if at_write && writes && world.chance.below(3) == 0 {
                break;
            }
            if count % 10 == 5 {
                world.edit();
            }
        }
        // Short moments are as likely as long ones: a transaction takes a thousandth of a second.
        let moment = world.chance.below(21);
        for _ in 0..world.chance.below(1 << moment) {
            std::hint::spin_loop();
        }
        worker.kill();
        world.note("kill".to_owned());
        let entries = world.outbox();
        doubtful += u64::from(entries.contains(&EntryState::Sent));
        waiting += u64::from(entries.contains(&EntryState::Planned));
    }
    world.come_to_rest((kills + 1) * LEAP_SECONDS);
    world.check();
    println!(
        "{kills} kills, {doubtful} of them with a write in doubt, {waiting} with one that was not sent yet; {} \
         edits, {} requests",
        world.edits,
        world.server.fake().requests()
    );
    assert!(doubtful > 0, "no kill came between a request and its acknowledgement: draw other moments");
}

/// A worker process.
struct Worker {
    child: Child,
    steps: Receiver<String>,
}

impl Worker {
    fn start(world: &World, ahead_seconds: u64) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_crash-worker"))
            .arg(world.server.base_url())
            .arg(&world.store)
            .arg(ahead_seconds.to_string())
            .args(PEOPLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (tell, steps) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, steps }
    }

    /// Waits for the worker's next step.
    fn step(&mut self) -> String {
        let step = self.steps.recv_timeout(std::time::Duration::from_secs(60));
        step.expect("the worker ended by itself, or got stuck")
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Left behind by a test that failed.
impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an appointment must look like in the end.
#[derive(Debug, Default)]
struct Expected {
    whose: &'static str,
    title: String,
    place: String,
    series: bool,
    deleted: bool,
}

/// Both sides, and what users did there.
struct World {
    server: Server,
    store: PathBuf,
    /// The CRM: a process of its own as far as the worker can tell.
    crm: Engine,
    bindings: Vec<Binding>,
    chance: SeededEntropy,
    /// By the text in their description.
    expected: BTreeMap<String, Expected>,
    edits: u64,
    /// What happened, and how many requests Google had handled by then.
    log: Vec<(u64, String)>,
}

impl World {
    fn new(directory: &Path, seed: u64) -> Self {
        let mut fake = FakeGoogle::new();
        fake.oauth_client("client", CLIENT_SECRET);
        for person in PEOPLE {
            fake.account(person);
            fake.set_zone(person, "America/New_York");
            fake.refresh_token(
                &refresh_token(person),
                "client",
                person,
                &["https://www.googleapis.com/auth/calendar"],
            );
        }
        let server = Server::start(fake, "127.0.0.1:0").unwrap();
        let store = directory.join("calsync.db");
        let crm = engine(&server, &store, Arc::new(SystemClock));
        let bind = |person: &&str| {
            let new = Binding::two_way(*person)
                .to(*person, *person)
                .edit_or_delete(EditOrDelete::DeleteWins)
                .deletions_max(Allowance { count: 1_000, percent: 100 })
                .push_past(true);
            now(crm.bind(new)).unwrap()
        };
        let bindings = PEOPLE.iter().map(bind).collect();
        let chance = SeededEntropy::new(seed);
        Self { server, store, crm, bindings, chance, expected: BTreeMap::new(), edits: 0, log: Vec::new() }
    }

    /// What is in the outboxes.
    fn outbox(&self) -> Vec<EntryState> {
        let tenant = "default".into();
        let of = |binding: &Binding| now(self.crm.store().outbox(&tenant, &binding.id, 0, 1_000)).unwrap();
        self.bindings.iter().flat_map(of).map(|entry| entry.state).collect()
    }

    /// Runs everything until nothing changes.
    fn come_to_rest(&self, ahead_seconds: u64) {
        // A clock that stands still: nothing has to happen in time any more.
        let clock = ManualClock::new(SystemClock.now() + Duration::seconds(ahead_seconds as i64));
        let engine = engine(&self.server, &self.store, Arc::new(clock));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for _ in 0..4 {
            let before = self.writes();
            let mut wrote = false;
            for binding in &self.bindings {
                let report = runtime.block_on(engine.run(binding)).expect("a calm run");
                assert!(report.waiting.is_empty() && report.error.is_none(), "{report}");
                wrote |= report.wrote();
            }
            if !wrote && self.writes() == before {
                return;
            }
        }
        panic!("C1: it does not come to rest");
    }

    fn writes(&self) -> usize {
        self.server.fake().journal().iter().filter(|entry| entry.wrote()).count()
    }

    fn note(&mut self, what: String) {
        self.log.push((self.server.fake().requests(), what));
    }

    // ---- what users do ----

    fn edit(&mut self) {
        self.edits += 1;
        let living: Vec<String> =
            self.expected.iter().filter(|(_, e)| !e.deleted).map(|(name, _)| name.clone()).collect();
        if living.len() < 6 || self.chance.below(5) == 0 {
            return self.create();
        }
        let name = living[self.chance.below(living.len() as u64) as usize].clone();
        let value = format!("v{}", self.edits);
        let whose = self.expected[&name].whose;
        let (record, event) = (self.record(&name), self.event(whose, &name));
        let time = SystemClock.now();
        match (self.chance.below(10), record, event) {
            (0, Some(record), _) => {
                now(self.crm().delete(&record)).unwrap();
                self.expect(&name).deleted = true;
                self.note(format!("CRM deletes {name}"));
            }
            (1, _, Some(event)) => {
                self.server.fake().user_delete(time, whose, &event).unwrap();
                self.expect(&name).deleted = true;
                self.note(format!("Google deletes {name}"));
            }
            (2 | 3, _, Some(event)) if self.expected[&name].series => {
                // One of the first two occurrences; the others go on showing what the series has.
                let slot = ["20270105T140000Z", "20270112T140000Z"][self.chance.below(2) as usize];
                let instance = format!("{event}_{slot}");
                let patch = json!({"location": value});
                // Refused where it is cancelled already: then nobody did anything.
                let _ = match self.chance.below(3) {
                    0 => self.server.fake().user_delete(time, whose, &instance),
                    _ => self.server.fake().user_patch(time, whose, &instance, &patch),
                };
            }
            (0..=5, Some(record), _) => {
                now(self.crm().edit(&record, |a| a.summary = Some(value.clone()))).unwrap();
                self.expect(&name).title = value;
            }
            (_, _, Some(event)) => {
                let patch = json!({"location": value});
                self.server.fake().user_patch(time, whose, &event, &patch).unwrap();
                self.expect(&name).place = value;
            }
            // It has not arrived on that side yet.
            _ => self.create(),
        }
    }

    fn create(&mut self) {
        let (name, title) = (format!("e{}", self.edits), format!("t{}", self.edits));
        let whose = PEOPLE[self.chance.below(2) as usize];
        let series = self.chance.below(4) == 0;
        let rule = "RRULE:FREQ=WEEKLY;COUNT=5";
        let start: NaiveDateTime = "2027-01-05T09:00:00".parse().unwrap();
        if self.chance.below(2) == 0 {
            let zone = Zone::new("America/New_York").unwrap();
            let when = When::timed(start, Duration::hours(1), &zone).unwrap();
            let mut appointment = Appointment::new(title.clone(), when);
            appointment.description = Some(name.clone());
            appointment.attendees.insert("guest@elsewhere.org".into(), Attendee::default());
            if series {
                appointment.recurrence = Recurrence::new(vec![rule.into()]);
            }
            now(self.crm().create(whose, &appointment)).unwrap();
            self.note(format!("CRM creates {name}"));
        } else {
            let edge = |time: NaiveDateTime| json!({"dateTime": time.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "America/New_York"});
            let mut event = json!({
                "summary": title, "description": name, "start": edge(start), "end": edge(start + Duration::hours(1)),
            });
            if series {
                event["recurrence"] = json!([rule]);
            }
            self.server.fake().user_insert(SystemClock.now(), whose, &event).unwrap();
        }
        self.expected.insert(name, Expected { whose, title, series, ..Expected::default() });
    }

    fn expect(&mut self, name: &str) -> &mut Expected {
        self.expected.get_mut(name).unwrap()
    }

    fn crm(&self) -> Appointments {
        self.crm.appointments().unwrap()
    }

    /// The CRM's record of an appointment, if it is there already.
    fn record(&self, name: &str) -> Option<RecordId> {
        let changes = now(self.crm.store().record_changes(&"default".into(), None, None, 5_000)).unwrap();
        assert!(!changes.more, "there are few");
        let named = changes.records.into_iter().find(|record| {
            let fields = record.fields.as_ref().filter(|_| record.occurrence.is_none());
            fields.and_then(|fields| fields.get("description")?.as_str()) == Some(name)
        });
        named.map(|record| record.id)
    }

    /// Google's event of an appointment, if it is there already.
    fn event(&self, whose: &str, name: &str) -> Option<String> {
        let google = self.server.fake();
        let named = masters(&google, whose).into_iter().find(|event| event["description"] == name)?;
        named["id"].as_str().map(str::to_owned)
    }

    // ---- what must be true in the end ----

    /// All requests about an appointment, and what users and the system did around them.
    fn history(google: &FakeGoogle, log: &[(u64, String)], name: &str) -> String {
        let ids: BTreeSet<String> = PEOPLE
            .iter()
            .flat_map(|person| google.events(person))
            .filter(|event| event["description"] == name)
            .filter_map(|event| event["id"].as_str().map(str::to_owned))
            .collect();
        let mut lines: Vec<(u64, String)> = log.to_vec();
        for entry in google.journal() {
            let about =
                |id: &String| String::from_utf8_lossy(&entry.answer).contains(id) || entry.path.contains(id);
            if ids.iter().any(about) {
                let line = format!("{} {} {}", entry.method, entry.path, entry.status);
                lines.push((entry.number, line));
            }
        }
        lines.sort();
        lines.iter().map(|(number, what)| format!("{number:5} {what}\n")).collect()
    }

    fn check(&self) {
        let google = self.server.fake();
        let (from, to) = ("2026-12-01T00:00:00Z".parse().unwrap(), "2027-06-01T00:00:00Z".parse().unwrap());
        let mut shown: BTreeMap<&str, Vec<Shown>> = BTreeMap::new();
        for person in PEOPLE {
            let there = shown_by(&google, person, from, to);
            assert_eq!(shown_in_crm(&self.crm, person, from, to), there, "C1: {person}'s two sides differ");
            shown.insert(person, there);
            let names: Vec<Value> =
                masters(&google, person).iter().map(|event| event["description"].clone()).collect();
            let different: BTreeSet<String> = names.iter().map(Value::to_string).collect();
            assert_eq!(names.len(), different.len(), "C3: {person} has one appointment twice: {names:?}");
        }
        for (name, expected) in &self.expected {
            let of: Vec<&Shown> =
                shown[expected.whose].iter().filter(|shown| shown.description == *name).collect();
            if expected.deleted {
                assert!(
                    of.is_empty(),
                    "C4: {name} was deleted and is back: {of:?}\n{}",
                    Self::history(&google, &self.log, name)
                );
                continue;
            }
            let shows = |shown: &&Shown| shown.summary == expected.title && shown.location == expected.place;
            assert!(of.iter().any(shows), "C2: {name} should be {expected:?}, and is {of:?}");
        }
        assert!(google.mails().is_empty(), "C7: {:?}", google.mails());
    }
}

/// The living events of a calendar that are no occurrences.
fn masters(google: &FakeGoogle, calendar: &str) -> Vec<Value> {
    let living = |event: &Value| event["status"] != "cancelled" && event["recurringEventId"].is_null();
    google.events(calendar).filter(living).collect()
}

/// An engine of the parent's, whose store waits for nothing but the file.
fn engine(server: &Server, store: &Path, clock: Arc<dyn Clock>) -> Engine {
    let store = now(SqliteStore::builder(store).clock(clock.clone()).on_calling_thread().open()).unwrap();
    let mut builder = Engine::builder(store).clock(clock.clone());
    for person in PEOPLE {
        let client = OAuthClient { id: "client".into(), secret: Secret::new(CLIENT_SECRET) };
        let google = Google::refresh_token(client, Secret::new(refresh_token(person)))
            .endpoints(Endpoints::under(server.base_url()).unwrap())
            .clock(clock.clone())
            .build();
        builder = builder.provider(person, google.unwrap());
    }
    builder.build().unwrap()
}
