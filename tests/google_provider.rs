//! The real provider in front of the fake Google: what is written comes back, what goes wrong is told apart.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

use calsync_core::clock::{Clock, ManualClock, SeededEntropy};
use calsync_core::model::{Fields, RemoteRecord, State, Unit, Writable};
use calsync_core::provider::{
    Effort, Item, Mail, Next, Provider, Receipt, Start, Target, Write, WriteAction,
};
use calsync_core::{Cursor, Error, ErrorKind, RemoteId, Result, Retry, Revision, Secret};
use calsync_google::{Google, GoogleBuilder, OAuthClient, SCOPE_EVENTS, ServiceAccountKey};
use calsync_testkit::fake_google::{
    Behaviour, FakeGoogle, FakeTransport, Fault, FaultKind, Role, Route, TombstoneForm,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const AMY: &str = "amy@example.com";
const BOB: &str = "bob@example.com";
const ROBOT: &str = "sync@p1.iam.gserviceaccount.com";
const NUMBER: &str = "104567890123456789012";
const PEM: &str = include_str!("data/keys/throwaway_service_account.pem");

struct World {
    clock: Arc<ManualClock>,
    transport: FakeTransport,
    google: Google,
}

fn key() -> ServiceAccountKey {
    let key = json!({
        "type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": PEM,
        "client_email": ROBOT, "client_id": NUMBER, "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    });
    ServiceAccountKey::from_json(&key.to_string()).unwrap()
}

/// A Workspace with Amy and Bob, and a service account that may act for both.
fn world() -> World {
    world_with(Google::service_account(key()), |_| {})
}

fn world_with(builder: GoogleBuilder, arrange: impl FnOnce(&mut FakeGoogle)) -> World {
    let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
    let mut fake = FakeGoogle::new();
    for person in [AMY, BOB] {
        fake.account(person);
        fake.set_zone(person, "America/Vancouver");
    }
    fake.service_account(ROBOT, NUMBER, PEM.as_bytes()).unwrap();
    fake.delegate(NUMBER, &[SCOPE_EVENTS]);
    arrange(&mut fake);
    let transport = FakeTransport::new(fake, clock.clone());
    let google = builder
        .transport(Arc::new(transport.clone()))
        .clock(clock.clone())
        .entropy(Arc::new(SeededEntropy::new(7)))
        .build()
        .unwrap();
    World { clock, transport, google }
}

fn target(person: &str) -> Target {
    Target { calendar: person.into(), subject: person.into() }
}

/// The newest records of a listing by key, and its cursor.
type Listing = (BTreeMap<String, RemoteRecord>, Cursor);

impl World {
    fn fake(&self) -> std::sync::MutexGuard<'_, FakeGoogle> {
        self.transport.google()
    }

    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.advance(Duration::from_secs(1));
        self.clock.now()
    }

    async fn list_of(&self, target: &Target, since: Option<Cursor>) -> Result<Listing> {
        let (mut records, mut token) = (BTreeMap::new(), None);
        for _ in 0..1000 {
            let start = match &since {
                None => Start::Full(token),
                Some(cursor) => Start::Since(cursor.clone(), token),
            };
            let page = self.google.list(target, &start, &Effort::default()).await?;
            for item in page.items {
                match item {
                    Item::Record(record) => records.insert(record.key().to_string(), record),
                    Item::Unreadable { id, reason, .. } => panic!("{id}: {reason}"),
                };
            }
            match page.next {
                Next::More(next) => token = Some(next),
                Next::Done(cursor) => return Ok((records, cursor)),
            }
        }
        panic!("a listing without an end");
    }

    async fn list(&self, since: Option<Cursor>) -> Result<Listing> {
        self.list_of(&target(AMY), since).await
    }

    async fn get_of(&self, target: &Target, id: &str) -> Result<Option<RemoteRecord>> {
        match self.google.get(target, &id.into(), &Effort::default()).await? {
            Some(Item::Record(record)) => Ok(Some(record)),
            Some(Item::Unreadable { reason, .. }) => panic!("{reason}"),
            None => Ok(None),
        }
    }

    async fn get(&self, id: &str) -> Option<RemoteRecord> {
        self.get_of(&target(AMY), id).await.unwrap()
    }

    async fn write_to(
        &self,
        target: &Target,
        operation: &str,
        mail: Mail,
        action: WriteAction,
    ) -> Result<Receipt> {
        self.clock.advance(Duration::from_secs(1));
        let write = Write { operation: operation.into(), mail, action };
        self.google.write(target, &write, &Effort::default()).await
    }

    async fn write(&self, operation: &str, action: WriteAction) -> Result<RemoteRecord> {
        match self.write_to(&target(AMY), operation, Mail::Nobody, action).await? {
            Receipt::Written(record) => Ok(record),
            Receipt::Deleted => panic!("deleted"),
        }
    }

    fn create(&self, seed: u8, fields: &Fields) -> WriteAction {
        WriteAction::Create { id: self.google.create_id(&[seed; 32]), fields: fields.clone() }
    }

    fn user_insert(&self, event: Value) {
        let now = self.now();
        self.fake().user_insert(now, AMY, &event).unwrap();
    }
}

fn fields(values: Value) -> Fields {
    let mut all = json!({
        "summary": "Site visit",
        "when": {"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00", "zone": "America/Vancouver"},
    });
    for (name, value) in values.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object().unwrap().iter().map(|(unit, value)| (unit.as_str().into(), value.clone())).collect()
}

fn update(record: &RemoteRecord, units: &[&str], fields: Fields) -> WriteAction {
    WriteAction::Update {
        id: record.id.clone(),
        revision: Some(record.revision.clone()),
        units: units.iter().map(|unit| Unit::from(*unit)).collect(),
        fields,
        revive: false,
    }
}

fn delete(record: &RemoteRecord) -> WriteAction {
    WriteAction::Delete { id: record.id.clone(), revision: Some(record.revision.clone()) }
}

fn hour(id: &str, day: u32) -> Value {
    json!({
        "id": id, "summary": id,
        "start": {"dateTime": format!("2026-12-{day:02}T09:00:00"), "timeZone": "America/Vancouver"},
        "end": {"dateTime": format!("2026-12-{day:02}T10:00:00"), "timeZone": "America/Vancouver"},
    })
}

fn live(record: &RemoteRecord) -> &Fields {
    record.state.fields().expect("alive")
}

/// The units in which the two differ, apart from those that the provider owns.
fn differences(written: &Fields, read: &Fields) -> BTreeSet<Unit> {
    let owned = calsync_core::model::appointment::PROVIDER_OWNED;
    written.diff(read).into_iter().filter(|unit| !owned.contains(&unit.as_str())).collect()
}

#[tokio::test]
async fn what_is_written_is_what_is_read_field_by_field() {
    let world = world();
    let weekly = json!({"start": "2026-10-26T09:00:00", "end": "2026-10-26T10:00:00", "zone": "America/Vancouver",
        "recurrence": ["RRULE:FREQ=WEEKLY;INTERVAL=1;UNTIL=20270101T090000", "EXDATE;TZID=America/Vancouver:20261102T090000"]});
    for (seed, values) in [
        json!({}),
        json!({"summary": "", "description": "line\nline & <b>bold</b>", "location": "Dock 4"}),
        json!({"description": "𝄞".repeat(9000)}),
        json!({"when": {"start": "2026-11-23", "end": "2026-11-25"}}),
        json!({"when": {"start": "2026-11-23", "end": "2026-11-24", "recurrence": ["RRULE:FREQ=YEARLY"]}}),
        json!({"when": weekly}),
        json!({"when": {"start": "2026-11-23T09:00:00", "end": "2026-11-24T05:00:00", "zone": "Europe/Berlin", "end_zone": "Asia/Tokyo"}}),
        json!({"when": {"start": "2026-11-01T01:30:00", "end": "2026-11-01T01:45:00", "zone": "America/New_York", "start_later": true, "end_later": true}}),
        json!({"when": {"start": "2026-03-08T02:30:00", "end": "2026-03-08T03:30:00", "zone": "America/New_York"}}),
        json!({"status": "tentative", "transparency": "transparent", "visibility": "private"}),
        json!({"reminders": []}),
        json!({"reminders": [{"method": "popup", "minutes": 0}, {"method": "email", "minutes": 99999}]}),
        json!({"property/private/crm": "7", "property/shared/room": "x".repeat(2000), "property/private/": "dropped"}),
        json!({"source": {"title": "Case 7", "url": "https://crm.example.com/7"}}),
        json!({"attendee/amy@example.com": {"response": "accepted"}, "attendee/eve@elsewhere.example": {"name": "Eve", "optional": true}}),
        json!({"stage": "won"}),
    ]
    .into_iter()
    .enumerate()
    {
        let wanted = world.google.project(&fields(values));
        let action = world.create(seed as u8, &wanted);
        let id = action.id().clone();
        let record = world.write(&format!("op-{seed}"), action).await.unwrap();
        assert_eq!(differences(&wanted, &world.google.project(live(&record))), BTreeSet::new(), "case {seed}");
        assert_eq!(record.stamp, Some(format!("op-{seed}").as_str().into()));
        let read = world.get(id.as_str()).await.unwrap();
        assert_eq!((&read.state, &read.revision), (&record.state, &record.revision), "case {seed}");
        let (listed, _) = world.list(None).await.unwrap();
        assert_eq!(listed[id.as_str()].state, record.state, "case {seed}");
    }
}

#[tokio::test]
async fn every_change_of_a_unit_arrives_and_leaves_the_others_alone() {
    let world = world();
    let values = json!({
        "description": "old", "location": "old", "visibility": "private", "property/private/a": "1", "property/private/b": "1",
        "attendee/eve@elsewhere.example": {"response": "accepted"}, "reminders": [{"method": "popup", "minutes": 5}],
    });
    let mut record = world.write("op-0", world.create(1, &fields(values.clone()))).await.unwrap();
    let mut wanted = fields(values);
    for (number, (unit, value)) in [
        ("summary", json!("New")),
        ("description", json!(null)),
        ("when", json!({"start": "2026-11-24", "end": "2026-11-25"})),
        ("when", json!({"start": "2026-11-25T09:00:00", "end": "2026-11-25T10:00:00", "zone": "Asia/Tokyo", "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]})),
        ("when", json!({"start": "2026-11-25T09:00:00", "end": "2026-11-25T09:30:00", "zone": "Asia/Tokyo"})),
        ("location", json!("new")),
        ("visibility", json!(null)),
        ("transparency", json!("transparent")),
        ("status", json!("tentative")),
        ("status", json!(null)),
        ("property/private/a", json!(null)),
        ("property/private/c", json!("1")),
        ("reminders", json!([])),
        ("reminders", json!(null)),
        ("reminders", json!([{"method": "email", "minutes": 0}])),
        ("attendee/dan@elsewhere.example", json!({"optional": true})),
        ("attendee/eve@elsewhere.example", json!(null)),
        ("source", json!({"title": "t", "url": "https://crm.example.com/1"})),
        ("source", json!(null)),
    ]
    .into_iter()
    .enumerate()
    {
        // What Google added on its own, such as the organizer among the guests, is there from now on.
        for (unit, value) in live(&record).iter() {
            if unit.as_str().starts_with("attendee/") && wanted.get(unit.as_str()).is_none() {
                wanted.set(unit.clone(), value.clone());
            }
        }
        wanted.set(unit, value);
        record = world.write(&format!("op-{number}"), update(&record, &[unit], wanted.clone())).await.unwrap();
        assert_eq!(differences(&wanted, live(&record)), BTreeSet::new(), "{number}: {unit}");
    }
    assert!(world.fake().mails().is_empty(), "a write without leave mailed somebody");
}

#[tokio::test]
async fn c3_repeating_a_creation_makes_nothing_twice_and_a_lost_answer_is_settled_by_reading() {
    let world = world();
    world.fake().inject(Fault::new(FaultKind::LostAfterWork).on_writes());
    let action = world.create(1, &fields(json!({})));
    let error = world.write("op-1", action.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_been_sent()), (ErrorKind::Duplicate, true));
    let found = world.get(action.id().as_str()).await.unwrap();
    assert_eq!(found.stamp, Some("op-1".into()));
    assert_eq!(world.fake().events(AMY).count(), 1);
}

#[tokio::test]
async fn c14_a_change_or_deletion_of_a_record_that_moved_is_refused_and_changes_nothing() {
    let world = world();
    let record = world.write("op-1", world.create(1, &fields(json!({})))).await.unwrap();
    let now = world.now();
    world.fake().user_patch(now, AMY, record.id.as_str(), &json!({"summary": "by hand"})).unwrap();
    for action in [update(&record, &["summary"], fields(json!({"summary": "by calsync"}))), delete(&record)] {
        let error = world.write("op-2", action).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_been_sent()), (ErrorKind::PreconditionFailed, false));
    }
    let found = world.get(record.id.as_str()).await.unwrap();
    assert_eq!(live(&found).get("summary"), Some(&json!("by hand")));
    // The user's edit leaves the stamp, and not the version.
    assert_eq!((found.stamp, found.revision == record.revision), (Some("op-1".into()), false));
}

#[tokio::test]
async fn a_deletion_can_be_repeated_and_its_id_is_never_used_again() {
    let world = world();
    let record = world.write("op-1", world.create(1, &fields(json!({})))).await.unwrap();
    for _ in 0..2 {
        let receipt = world.write_to(&target(AMY), "op-2", Mail::Nobody, delete(&record)).await.unwrap();
        assert_eq!(receipt, Receipt::Deleted);
    }
    assert_eq!(world.get(record.id.as_str()).await.unwrap().state, State::Gone);
    let again = world.write("op-3", world.create(1, &fields(json!({})))).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Duplicate);
    let never = WriteAction::Delete { id: "neverexisted".into(), revision: None };
    let error = world.write_to(&target(AMY), "op-4", Mail::Nobody, never).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_deleted_event_is_revived_with_everything_it_should_have() {
    let world = world();
    let record = world.write("op-1", world.create(1, &fields(json!({"location": "old"})))).await.unwrap();
    world.write_to(&target(AMY), "op-2", Mail::Nobody, delete(&record)).await.unwrap();
    let gone = world.get(record.id.as_str()).await.unwrap();
    let wanted = fields(json!({"description": "back"}));
    let action = WriteAction::Update {
        id: gone.id.clone(),
        revision: Some(gone.revision.clone()),
        units: BTreeSet::new(),
        fields: wanted.clone(),
        revive: true,
    };
    let back = world.write("op-3", action).await.unwrap();
    assert_eq!(differences(&wanted, live(&back)), BTreeSet::new());
}

#[tokio::test]
async fn g13_every_page_of_a_listing_is_read_and_increments_bring_what_changed_since() {
    let world = world_with(Google::service_account(key()).page_size(3), |_| {});
    for n in 1..=10 {
        world.user_insert(hour(&format!("event{n:02}"), n));
    }
    let (all, cursor) = world.list(None).await.unwrap();
    assert_eq!(all.len(), 10);
    let now = world.now();
    world.fake().user_delete(now, AMY, "event03").unwrap();
    world.fake().user_patch(now, AMY, "event05", &json!({"summary": "moved"})).unwrap();
    world.user_insert(hour("event11", 11));
    let (changed, cursor) = world.list(Some(cursor)).await.unwrap();
    let seen: Vec<(&str, bool)> =
        changed.iter().map(|(key, record)| (key.as_str(), record.state == State::Gone)).collect();
    assert_eq!(seen, [("event03", true), ("event05", false), ("event11", false)]);
    assert!(world.list(Some(cursor)).await.unwrap().0.is_empty());
    assert_eq!(world.list(None).await.unwrap().0.len(), 10);
}

#[tokio::test]
async fn g19_cancelled_occurrences_come_with_a_full_listing_in_whatever_form_tombstones_have() {
    for form in [TombstoneForm::IdOnly, TombstoneForm::Bare, TombstoneForm::Full, TombstoneForm::WrongTimes] {
        let world =
            world_with(Google::service_account(key()), |fake| fake.behaviour_mut().tombstone_form = form);
        let mut series = hour("series1", 1);
        series["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=5"]);
        world.user_insert(series);
        let now = world.now();
        world.fake().user_cancel_instance(now, AMY, "series1", "20261202T160000Z").unwrap();
        world
            .fake()
            .user_move_instance(
                now,
                AMY,
                "series1",
                "20261203T160000Z",
                &json!({"dateTime": "2026-12-03T12:00:00-07:00", "timeZone": "America/Vancouver"}),
                &json!({"dateTime": "2026-12-03T13:00:00-07:00", "timeZone": "America/Vancouver"}),
            )
            .unwrap();
        let (all, _) = world.list(None).await.unwrap();
        let seen: Vec<(&str, bool)> =
            all.iter().map(|(key, r)| (key.as_str(), r.state == State::Gone)).collect();
        assert_eq!(
            seen,
            [("series1", false), ("series1#20261202T160000Z", true), ("series1#20261203T160000Z", false)],
            "{form:?}"
        );
        let moved = live(&all["series1#20261203T160000Z"]).get("when").unwrap().clone();
        assert_eq!(
            moved,
            json!({"start": "2026-12-03T12:00:00", "end": "2026-12-03T13:00:00", "zone": "America/Vancouver"})
        );
    }
}

#[tokio::test]
async fn an_occurrence_is_read_changed_cancelled_and_revived_by_its_slot_and_the_series_stays() {
    let world = world();
    let weekly = json!({"start": "2026-12-01T09:00:00", "end": "2026-12-01T10:00:00", "zone": "America/Vancouver", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]});
    let series = world.write("op-1", world.create(1, &fields(json!({"when": weekly})))).await.unwrap();
    let slot = "20261208T160000Z".parse().unwrap();
    let id = world.google.occurrence_id(&series.id, &slot);
    let as_ruled = world.get(id.as_str()).await.unwrap();
    assert_eq!(as_ruled.occurrence.as_ref().map(|o| (&o.series, o.slot)), Some((&series.id, slot)));
    let wanted = fields(json!({
        "summary": "Only this one",
        "when": {"start": "2026-12-08T11:00:00", "end": "2026-12-08T12:00:00", "zone": "America/Vancouver"},
    }));
    let changed = world.write("op-2", update(&as_ruled, &["summary", "when"], wanted.clone())).await.unwrap();
    assert_eq!(differences(&wanted, live(&changed)), BTreeSet::new());
    assert_eq!(changed.key(), as_ruled.key());
    world.write_to(&target(AMY), "op-3", Mail::Nobody, delete(&changed)).await.unwrap();
    let gone = world.get(id.as_str()).await.unwrap();
    assert_eq!((gone.state.clone(), gone.key()), (State::Gone, as_ruled.key()));
    let revive = WriteAction::Update {
        id: gone.id.clone(),
        revision: Some(gone.revision).filter(|revision| !revision.as_str().is_empty()),
        units: BTreeSet::new(),
        fields: wanted.clone(),
        revive: true,
    };
    let back = world.write("op-4", revive).await.unwrap();
    assert_eq!(differences(&wanted, live(&back)), BTreeSet::new());
    let master = world.get(series.id.as_str()).await.unwrap();
    assert_eq!(live(&master).get("when"), live(&series).get("when"));
}

#[tokio::test]
async fn g10_10_and_11_occurrences_of_a_series_that_was_split_in_google_are_found() {
    let world = world();
    let mut series = hour("series1", 1);
    series["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=6"]);
    world.user_insert(series);
    let now = world.now();
    let rest = world
        .fake()
        .user_split(now, AMY, "series1", "20261204T160000Z", &json!({"summary": "rest"}))
        .unwrap();
    let (all, _) = world.list(None).await.unwrap();
    assert_eq!(all.keys().cloned().collect::<Vec<_>>(), ["series1".to_owned(), rest.clone()]);
    let slot = "20261205T160000Z".parse().unwrap();
    let id = world.google.occurrence_id(&RemoteId::from(rest.as_str()), &slot);
    let found = world.get(id.as_str()).await.unwrap();
    assert_eq!(found.occurrence.map(|o| o.series.to_string()), Some(rest));
}

#[tokio::test]
async fn g01_g34_guests_are_mailed_only_with_leave_and_kept_by_every_other_change() {
    let world = world();
    let values = json!({"attendee/bob@example.com": {}, "attendee/eve@elsewhere.example": {}});
    let record = world.write("op-1", world.create(1, &fields(values))).await.unwrap();
    let record =
        world.write("op-2", update(&record, &["summary"], fields(json!({"summary": "New"})))).await.unwrap();
    assert!(live(&record).get("attendee/bob@example.com").is_some());
    assert!(world.fake().mails().is_empty());
    let params: Vec<_> = (world.fake().journal().iter())
        .filter(|entry| entry.route.is_write())
        .map(|entry| entry.param("sendUpdates").map(str::to_owned))
        .collect();
    assert_eq!(params, [Some("none".to_owned()), Some("none".to_owned())]);
    let action =
        update(&record, &["when"], fields(json!({"when": {"start": "2026-11-30", "end": "2026-12-01"}})));
    let receipt = world.write_to(&target(AMY), "op-3", Mail::Guests, action).await.unwrap();
    assert!(matches!(receipt, Receipt::Written(_)));
    assert!(!world.fake().mails().is_empty());
}

#[tokio::test]
async fn a_guest_s_copy_says_what_may_be_changed_and_takes_an_answer() {
    let world = world();
    let values =
        json!({"attendee/bob@example.com": {}, "attendee/eve@elsewhere.example": {"response": "accepted"}});
    let original = world.write("op-1", world.create(1, &fields(values))).await.unwrap();
    let bob = target(BOB);
    let (copies, _) = world.list_of(&bob, None).await.unwrap();
    let copy = copies.values().next().expect("a copy");
    assert_eq!(copy.writable, Writable::OwnCopy { me: BOB.into() });
    let mut answered = live(copy).clone();
    answered.set("attendee/bob@example.com", json!({"response": "accepted"}));
    let receipt = world
        .write_to(&bob, "op-2", Mail::Nobody, update(copy, &["attendee/bob@example.com"], answered))
        .await;
    assert!(matches!(receipt, Ok(Receipt::Written(_))), "{receipt:?}");
    let original = world.get(original.id.as_str()).await.unwrap();
    assert_eq!(live(&original).get("attendee/bob@example.com"), Some(&json!({"response": "accepted"})));
    assert!(live(&original).get("attendee/eve@elsewhere.example").is_some());
    // What belongs to the organizer is refused for this record, and the calendar goes on.
    let copy = world.list_of(&bob, None).await.unwrap().0.into_values().next().expect("a copy");
    let error = world
        .write_to(&bob, "op-3", Mail::Nobody, update(&copy, &["summary"], fields(json!({"summary": "Mine"}))))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.reason_code()), (ErrorKind::Invalid, Some("forbiddenForNonOrganizer")));
}

#[tokio::test]
async fn g10_28_default_reminders_of_whole_days_come_back_as_own_ones_and_stay_as_they_are() {
    let world = world_with(Google::service_account(key()), |fake| {
        let popup = |minutes: i64| json!({"method": "popup", "minutes": minutes});
        fake.set_default_reminders(AMY, vec![popup(10)], vec![popup(540)]);
    });
    let day = fields(json!({"when": {"start": "2026-11-23", "end": "2026-11-24"}}));
    let record = world.write("op-1", world.create(1, &day)).await.unwrap();
    assert_eq!(live(&record).get("reminders"), Some(&json!([{"method": "popup", "minutes": 540}])));
    let wanted = live(&record).clone();
    let again = world.write("op-2", update(&record, &["reminders"], wanted.clone())).await.unwrap();
    assert_eq!(differences(&wanted, live(&again)), BTreeSet::new());
    let hour = world.write("op-3", world.create(2, &fields(json!({})))).await.unwrap();
    assert_eq!(live(&hour).get("reminders"), None);
}

#[tokio::test]
async fn a_calendar_that_may_only_be_read_says_so_of_every_record() {
    let shared = Google::service_account(key()).delegated(false);
    let world = world_with(shared, |fake| fake.share(AMY, ROBOT, Role::Reader));
    world.user_insert(hour("event01", 1));
    let (all, _) = world.list(None).await.unwrap();
    assert_eq!(all["event01"].writable, Writable::Nothing);
    let error = world.write("op-1", world.create(1, &fields(json!({})))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.to_string().contains(ROBOT), "{error}");
    // No more than that the time is taken.
    world.fake().share(AMY, ROBOT, Role::FreeBusyReader);
    let (all, _) = world.list(None).await.unwrap();
    assert_eq!(live(&all["event01"]).get("summary"), None);
    assert_eq!(all["event01"].writable, Writable::Nothing);
}

#[tokio::test]
async fn a_shared_calendar_works_without_delegation_but_for_guests() {
    let shared = Google::service_account(key()).delegated(false);
    let world = world_with(shared, |fake| fake.share(AMY, ROBOT, Role::Writer));
    world.write("op-1", world.create(1, &fields(json!({})))).await.unwrap();
    let guests = fields(json!({"attendee/eve@elsewhere.example": {}}));
    let error = world.write("op-2", world.create(2, &guests)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.reason_code()),
        (ErrorKind::Invalid, Some("forbiddenForServiceAccounts"))
    );
    world.fake().unshare(AMY, ROBOT);
    let error = world.list(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&format!("account {ROBOT}")), "{error}");
}

#[tokio::test]
async fn a_calendar_says_its_name_and_zone_with_no_more_than_the_scope_for_events() {
    let world = world();
    let info = world.google.calendar(&target(AMY), &Effort::default()).await.unwrap();
    assert_eq!(info.zone.as_str(), "America/Vancouver");
    let nobody = Target { calendar: "nobody@example.com".into(), subject: AMY.into() };
    let error = world.google.calendar(&nobody, &Effort::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn g11_an_old_cursor_expires_and_a_full_listing_gives_a_new_one() {
    let world = world();
    world.user_insert(hour("event01", 1));
    let (_, cursor) = world.list(None).await.unwrap();
    world.fake().expire_sync_tokens();
    for stale in [cursor, Cursor::from("nonsense")] {
        let error = world.list(Some(stale)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CursorExpired);
    }
    assert_eq!(world.list(None).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn s13_a_page_that_is_too_large_is_listed_in_smaller_ones() {
    let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
    let mut fake = FakeGoogle::new();
    fake.account(AMY);
    for n in 1..=20 {
        fake.user_insert(clock.now(), AMY, &hour(&format!("event{n:02}"), n)).unwrap();
    }
    let token = fake.access_token(clock.now(), AMY, &["calendar.events"]);
    let transport = FakeTransport::new(fake, clock.clone()).body_bytes_max(5000);
    let google =
        Google::access_token(Secret::new(token)).transport(Arc::new(transport.clone())).clock(clock.clone());
    let world = World { clock, transport, google: google.page_size(20).build().unwrap() };
    assert_eq!(world.list(None).await.unwrap().0.len(), 20);
}

#[tokio::test]
async fn answers_that_make_no_sense_are_repeated_and_then_told() {
    for kind in [
        FaultKind::GarbageJson,
        FaultKind::Html,
        FaultKind::Truncated { bytes: 20 },
        FaultKind::Status { code: 500 },
        FaultKind::StatusHtml { code: 502 },
        FaultKind::StatusEmpty { code: 503 },
        FaultKind::StatusHtml { code: 404 },
        FaultKind::LostBeforeWork,
        FaultKind::LostAfterWork,
        FaultKind::TooManyRequests { retry_after: None },
        FaultKind::TooManyRequests { retry_after: Some("3".into()) },
        FaultKind::Refuse {
            code: 403,
            reason: "userRateLimitExceeded".into(),
            message: "User Rate Limit Exceeded".into(),
        },
        FaultKind::TokenRefused,
        FaultKind::Slow { milliseconds: 500_000 },
    ] {
        let world = world();
        world.fake().inject(Fault::new(kind.clone()).on(Route::ListEvents));
        assert!(world.list(None).await.is_ok(), "{kind:?}");
    }
    let world = world();
    world.fake().inject(Fault::new(FaultKind::Html).on_writes().times(9));
    let error = world.write("op-1", world.create(1, &fields(json!({})))).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry(), error.may_have_been_sent()),
        (ErrorKind::Protocol, Retry::Later, true)
    );
}

#[tokio::test]
async fn what_repeating_does_not_mend_is_told_at_once() {
    let refuse =
        |code, reason: &str| FaultKind::Refuse { code, reason: reason.into(), message: "Text".into() };
    for (kind, expected) in [
        (FaultKind::Redirect { location: "https://elsewhere.example/".into() }, ErrorKind::Protocol),
        (FaultKind::CalendarGone, ErrorKind::NotFound),
        (refuse(403, "quotaExceeded"), ErrorKind::QuotaExhausted),
        (refuse(403, "accessNotConfigured"), ErrorKind::Forbidden),
        (refuse(403, "insufficientPermissions"), ErrorKind::Forbidden),
        (refuse(400, "badRequest"), ErrorKind::Protocol),
    ] {
        let world = world();
        world.list(None).await.unwrap();
        let before = world.fake().requests();
        world.fake().inject(Fault::new(kind.clone()).times(9));
        let error = world.list(None).await.unwrap_err();
        assert_eq!((error.kind(), world.fake().requests() - before), (expected, 1), "{kind:?}");
    }
}

#[tokio::test]
async fn one_token_serves_many_calls_and_each_person_has_one() {
    let world = world();
    let tokens =
        |world: &World| world.fake().journal().iter().filter(|entry| entry.route == Route::Token).count();
    for _ in 0..3 {
        world.list(None).await.unwrap();
        world.list_of(&target(BOB), None).await.unwrap();
    }
    assert_eq!(tokens(&world), 2);
    world.clock.advance(Duration::from_secs(3600));
    world.list(None).await.unwrap();
    assert_eq!(tokens(&world), 3);
    world.fake().expire_access_tokens();
    world.list(None).await.unwrap();
    assert_eq!(tokens(&world), 4);
}

#[tokio::test]
async fn g31_what_is_missing_in_a_delegation_is_named_with_its_cure() {
    let told = |error: Error| (error.kind(), error.to_string());
    let withdrawn = world();
    withdrawn.fake().withdraw_delegation(NUMBER);
    let (kind, text) = told(withdrawn.list(None).await.unwrap_err());
    assert_eq!(kind, ErrorKind::Forbidden);
    for part in [NUMBER, SCOPE_EVENTS, AMY, "unauthorized_client", "Domain-wide delegation"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (kind, text) = told(world().list_of(&target("nobody@example.com"), None).await.unwrap_err());
    assert_eq!(kind, ErrorKind::Config);
    assert!(text.contains("nobody@example.com"), "{text}");
    let removed = world();
    removed.fake().remove_service_account(ROBOT);
    assert_eq!(removed.list(None).await.unwrap_err().kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn a_clock_that_is_hours_off_is_no_obstacle() {
    for hours in [3_i64, -3] {
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let reference = world();
        // Google's time is the reference's; the machine's is another.
        clock.set(reference.clock.now() + chrono::Duration::hours(hours));
        let google =
            Google::service_account(key()).transport(Arc::new(reference.transport.clone())).clock(clock);
        let google = google.build().unwrap();
        let page = google.list(&target(AMY), &Start::Full(None), &Effort::default()).await;
        assert!(page.is_ok(), "{hours} h: {page:?}");
    }
}

#[tokio::test]
async fn g30_a_revoked_refresh_token_is_told_once_and_asked_about_no_more() {
    let client =
        || OAuthClient { id: "1-a.apps.googleusercontent.com".into(), secret: Secret::new("client-secret") };
    let arrange = |behaviour: fn(&mut Behaviour)| {
        world_with(Google::refresh_token(client(), Secret::new("grant")), |fake| {
            fake.oauth_client("1-a.apps.googleusercontent.com", "client-secret");
            fake.refresh_token("grant", "1-a.apps.googleusercontent.com", AMY, &["calendar.events"]);
            behaviour(fake.behaviour_mut());
        })
    };
    let world = arrange(|_| {});
    world.list(None).await.unwrap();
    world.fake().revoke_refresh_token("grant");
    world.fake().expire_access_tokens();
    let before = world.fake().requests();
    let error = world.list(None).await.unwrap_err();
    assert_eq!((error.kind(), error.reason_code()), (ErrorKind::Unauthorized, Some("invalid_grant")));
    let asked = world.fake().requests();
    assert_eq!(asked - before, 2);
    assert_eq!(world.list(None).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(world.fake().requests(), asked);
    // Rotation, and a lifetime that comes as text.
    let world = arrange(|behaviour| {
        behaviour.rotate_refresh_tokens = true;
        behaviour.expires_in_as_text = true;
    });
    for _ in 0..3 {
        world.list(None).await.unwrap();
        world.clock.advance(Duration::from_secs(3600));
    }
}

#[tokio::test]
async fn a_run_s_deadline_and_its_requests_are_counted_through_all_calls() {
    let world = world();
    let effort = Effort::until(Duration::from_secs(60));
    world.google.list(&target(AMY), &Start::Full(None), &effort).await.unwrap();
    assert_eq!(effort.requests(), 2);
    world.clock.advance(Duration::from_secs(61));
    let error = world.google.list(&target(AMY), &Start::Full(None), &effort).await.unwrap_err();
    assert_eq!((error.kind(), error.retry(), effort.requests()), (ErrorKind::Limit, Retry::Later, 2));
}

#[tokio::test]
async fn an_update_without_a_known_version_is_written_unconditionally() {
    let world = world();
    let mut record = world.write("op-1", world.create(1, &fields(json!({})))).await.unwrap();
    record.revision = Revision::from("");
    world.write("op-2", update(&record, &["summary"], fields(json!({"summary": "New"})))).await.unwrap();
    assert_eq!(world.fake().journal().last().and_then(|entry| entry.if_match.clone()), None);
}
