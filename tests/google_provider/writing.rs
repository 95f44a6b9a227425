//! What is written: it comes back field by field, once, and only over what is known; guests hear of it only with leave.

use super::world::{AMY, BOB, delete, differences, fields, key, live, target, update, world, world_with};
use calsync_core::model::{State, Writable};
use calsync_core::provider::{Mail, Provider, Receipt, WriteAction};
use calsync_core::{ErrorKind, Revision};
use calsync_google::Google;
use calsync_testkit::fake_google::{Fault, FaultKind};
use serde_json::json;
use std::collections::BTreeSet;

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
        units: ["summary", "description", "location", "when"].map(calsync_core::model::Unit::from).into(),
        fields: wanted.clone(),
        revive: true,
    };
    let back = world.write("op-3", action).await.unwrap();
    assert_eq!(differences(&wanted, live(&back)), BTreeSet::new());
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
        units: ["summary", "description", "location", "when"].map(calsync_core::model::Unit::from).into(),
        fields: wanted.clone(),
        revive: true,
    };
    let back = world.write("op-4", revive).await.unwrap();
    assert_eq!(differences(&wanted, live(&back)), BTreeSet::new());
    let master = world.get(series.id.as_str()).await.unwrap();
    assert_eq!(live(&master).get("when"), live(&series).get("when"));
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
async fn an_update_without_a_known_version_is_written_unconditionally() {
    let world = world();
    let mut record = world.write("op-1", world.create(1, &fields(json!({})))).await.unwrap();
    record.revision = Revision::from("");
    world.write("op-2", update(&record, &["summary"], fields(json!({"summary": "New"})))).await.unwrap();
    assert_eq!(world.fake().journal().last().and_then(|entry| entry.if_match.clone()), None);
}
