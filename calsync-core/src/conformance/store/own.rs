//! calsync's own table of appointments.

use super::super::case::{Case, cases};
use super::*;
use crate::host::Changes;
use crate::id::Position;
use crate::model::{Occurrence, Record};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_record_is_made_changed_cancelled_and_deleted,
        every_value_of_a_record_comes_back_as_it_was,
        a_change_names_the_owner_the_series_and_the_sync_flag,
        a_write_to_what_moved_or_is_not_there_changes_nothing,
        a_repeated_operation_changes_nothing_and_is_answered_as_the_first_time,
        a_deleted_record_can_be_made_again,
        changes_come_in_commit_order_each_record_once_deletions_included,
        changes_come_in_pages_that_leave_nothing_out,
        a_binding_sees_the_changes_of_its_agent_and_of_what_it_links,
        a_position_of_another_host_is_refused,
        a_window_shows_what_may_overlap_it_by_start,
        occurrences_of_a_series_come_by_slot,
    ]
}

async fn read(ground: &Ground, id: &str) -> Option<Record> {
    let mut records = ground.store.records(&ground.tenant, &[id.into()]).await.expect("records");
    assert!(records.len() <= 1);
    records.pop()
}

async fn changes(ground: &Ground, position: Option<&Position>, count_max: usize) -> Changes {
    ground.store.record_changes(&ground.tenant, None, position, count_max).await.expect("changes")
}

fn ids(records: &[Record]) -> String {
    records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>().join(" ")
}

fn number(version: &Version) -> u64 {
    version.as_str().parse().expect("a decimal number")
}

async fn a_record_is_made_changed_cancelled_and_deleted(ground: &Ground) {
    let values = appointment("Visit", "2026-11-23T09:00:00");
    let v1 = ground.write(create("o1", "a", values.clone())).await;
    let made = Record {
        id: "a".into(),
        version: v1.clone(),
        agent: "amy".into(),
        occurrence: None,
        fields: Some(values.clone()),
        sync: true,
        modified: START,
    };
    assert_eq!(read(ground, "a").await, Some(made.clone()));
    ground.clock.advance(Duration::from_millis(1_500));
    let units = ["location".into(), "summary".into()].into();
    let fields = fields(json!({"location": "Dock 4", "description": "is not among the units"}));
    let patch = RecordChange::Patch { units, fields, occurrence: None, agent: None, sync: None };
    let v2 = ground.write(change("o2", "a", &v1, patch)).await;
    let mut values = values;
    values.remove("summary");
    values.set("location", json!("Dock 4"));
    let modified = START + chrono::Duration::milliseconds(1_500);
    let patched = Record { version: v2.clone(), fields: Some(values.clone()), modified, ..made };
    assert_eq!(read(ground, "a").await, Some(patched.clone()));
    let v3 = ground.write(change("o3", "a", &v2, RecordChange::Cancel)).await;
    values.set("status", json!("cancelled"));
    let cancelled = Record { version: v3.clone(), fields: Some(values), ..patched };
    assert_eq!(read(ground, "a").await, Some(cancelled.clone()));
    let v4 = ground.write(change("o4", "a", &v3, RecordChange::Delete)).await;
    assert_eq!(read(ground, "a").await, None);
    let deleted = Record { version: v4.clone(), fields: None, ..cancelled };
    assert_eq!(changes(ground, None, 9).await.records, [deleted]);
    assert!([v1, v2, v3, v4].map(|v| number(&v)).is_sorted_by(|a, b| a < b), "one sequence");
}

async fn every_value_of_a_record_comes_back_as_it_was(ground: &Ground) {
    let many = [
        json!({}),
        json!({"status": "cancelled"}),
        json!({"summary": "", "description": "", "location": "", "status": "", "transparency": "", "visibility": ""}),
        json!({"summary": "one\r\ntwo\ttab “quotes” 'x' \u{1f4c5}", "description": "<b>keys</b>\u{2028}"}),
        json!({"when": {"start": "2026-11-23", "end": "2026-11-24"}}),
        json!({"when": {"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00.250", "zone": "Europe/Vienna"}}),
        json!({"when": {"start": "2026-10-25T02:30:00", "end": "2026-10-25T02:45:00", "zone": "Europe/Vienna",
            "end_zone": "Africa/Casablanca", "start_later": true, "end_later": true,
            "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO", "EXDATE;VALUE=DATE:20261130"]}}),
        json!({"when": {"start": "2026-11-23", "end": "2026-11-24", "recurrence": []}}),
        json!({"when": {"start": "+12026-11-23", "end": "soon", "zone": 7, "recurrence": "FREQ=DAILY"}}),
        json!({"when": {"start": "2026-11-23T09:00", "end": "2026-11-23", "zone": "UTC"}}),
        json!({"when": {"start": "2026-11-23T09:00:00", "zone": "UTC"}}),
        json!({"when": {"zone": null, "start": null, "end": null}}),
        json!({"when": "never"}),
        json!({"summary": 7, "description": ["a"], "location": {"x": 1}, "status": false, "visibility": 0.5}),
        json!({"status": "tentative", "transparency": "transparent", "visibility": "private", "event_type": "hologram",
            "attendee/amy@example.com": {"name": "Amy", "response": "accepted"}, "attendee/ünï@example.com": {},
            "organizer": {"email": "amy@example.com"}, "reminders": [{"method": "popup", "minutes": 0}],
            "property/private/a b": "1", "source": {"title": "Case 7", "url": "https://crm.example.com/7"},
            "extra": {"colorId": "3", "number": 0.1, "large": 1e300, "big": 18_446_744_073_709_551_615_u64}}),
    ];
    for (n, values) in many.into_iter().enumerate() {
        let (id, operation) = (format!("r{n}"), format!("o{n}"));
        let version = ground.write(create(&operation, &id, fields(values.clone()))).await;
        let record = read(ground, &id).await.expect("made");
        assert_eq!(json!(record.fields), values);
        let version = ground.write(change(&format!("p{n}"), &id, &version, patch(json!({"zz": 1})))).await;
        let record = read(ground, &id).await.expect("changed");
        let mut patched = values.clone();
        patched["zz"] = json!(1);
        assert_eq!((json!(record.fields), record.version), (patched, version));
    }
}

async fn a_change_names_the_owner_the_series_and_the_sync_flag(ground: &Ground) {
    let slot: Slot = "20261123".parse().expect("a slot");
    let v1 = ground.write(create("o1", "a", fields(json!({"summary": "x"})))).await;
    let occurrence = Some(Occurrence { series: "s".into(), slot });
    let moved = RecordChange::Patch {
        units: [].into(),
        fields: Fields::new(),
        occurrence: occurrence.clone(),
        agent: Some("bob".into()),
        sync: Some(false),
    };
    let v2 = ground.write(change("o2", "a", &v1, moved)).await;
    let record = read(ground, "a").await.expect("there");
    assert_eq!((record.agent.as_str(), &record.occurrence, record.sync), ("bob", &occurrence, false));
    assert_eq!(json!(record.fields), json!({"summary": "x"}));
    let back = RecordChange::Patch {
        units: [].into(),
        fields: Fields::new(),
        occurrence: None,
        agent: None,
        sync: Some(true),
    };
    ground.write(change("o3", "a", &v2, back)).await;
    let record = read(ground, "a").await.expect("there");
    assert_eq!((record.agent.as_str(), record.occurrence, record.sync), ("bob", occurrence, true));
}

async fn a_write_to_what_moved_or_is_not_there_changes_nothing(ground: &Ground) {
    let v1 = ground.write(create("o1", "a", appointment("Visit", "2026-11-23T09:00:00"))).await;
    let v2 = ground.write(change("o2", "a", &v1, patch(json!({"location": "here"})))).await;
    let before = read(ground, "a").await;
    assert!(ground.moves(create("o3", "a", Fields::new())).await, "it exists");
    for (n, make) in
        [RecordChange::Cancel, RecordChange::Delete, patch(json!({"summary": "x"}))].iter().enumerate()
    {
        assert!(
            ground.moves(change(&format!("p{n}"), "a", &v1, make.clone())).await,
            "{make:?} of an old version"
        );
        assert!(ground.moves(change(&format!("q{n}"), "b", &v1, make.clone())).await, "{make:?} of nothing");
        let blind = RecordWrite { expected: None, ..change(&format!("r{n}"), "a", &v1, make.clone()) };
        assert!(ground.moves(blind).await, "{make:?} of what must not exist");
    }
    assert_eq!(read(ground, "a").await, before);
    let v3 = ground.write(change("o4", "a", &v2, RecordChange::Delete)).await;
    assert!(ground.moves(change("o5", "a", &v3, RecordChange::Cancel)).await, "it is deleted");
    assert!(ground.moves(change("o6", "a", &v3, patch(json!({"summary": "x"})))).await, "it is deleted");
    assert_eq!(ground.write(change("o7", "a", &v3, RecordChange::Delete)).await, v3, "it is deleted already");
    let feed = changes(ground, None, 9).await.records;
    assert_eq!((ids(&feed), &feed[0].version), ("a".to_owned(), &v3));
}

async fn a_repeated_operation_changes_nothing_and_is_answered_as_the_first_time(ground: &Ground) {
    let make = create("o1", "a", appointment("Visit", "2026-11-23T09:00:00"));
    let v1 = ground.write(make.clone()).await;
    let made = read(ground, "a").await;
    ground.clock.advance(MINUTE);
    assert_eq!(ground.write(make.clone()).await, v1);
    assert_eq!(read(ground, "a").await, made);
    let edit = change("o2", "a", &v1, patch(json!({"location": "here"})));
    let v2 = ground.write(edit.clone()).await;
    let edited = read(ground, "a").await;
    assert_eq!(ground.write(edit.clone()).await, v2);
    assert_eq!(ground.write(make.clone()).await, v1, "the creation, although the record was edited since");
    assert_eq!(read(ground, "a").await, edited);
    let v3 = ground.write(change("o3", "a", &v2, patch(json!({"location": "there"})))).await;
    assert!(ground.moves(edit).await, "somebody wrote since");
    let delete = change("o4", "a", &v3, RecordChange::Delete);
    let v4 = ground.write(delete.clone()).await;
    assert_eq!(ground.write(delete).await, v4);
    assert_eq!(ground.write(make).await, v1, "the creation, although the record was deleted since");
    assert_eq!(read(ground, "a").await, None);
    let both = ground
        .put([group(|g| {
            g.records.push(create("o1", "a", Fields::new()));
            g.records.push(create("o5", "b", Fields::new()));
        })])
        .await;
    assert_eq!(both.versions.len(), 2, "a repeat leaves the rest of its group in force");
    assert!(read(ground, "b").await.is_some());
}

async fn a_deleted_record_can_be_made_again(ground: &Ground) {
    let v1 = ground.write(create("o1", "a", appointment("Old", "2026-11-23T09:00:00"))).await;
    let v2 = ground.write(change("o2", "a", &v1, RecordChange::Delete)).await;
    let v3 = ground.write(create_for("bob", "o3", "a", appointment("New", "2026-11-23T09:00:00"))).await;
    assert!(number(&v3) > number(&v2));
    let record = read(ground, "a").await.expect("there again");
    assert_eq!(record.agent.as_str(), "bob");
    assert_eq!(record.fields, Some(appointment("New", "2026-11-23T09:00:00")));
    let v4 = ground.write(change("o4", "a", &v3, RecordChange::Delete)).await;
    let make = RecordWrite { expected: Some(v4), ..create("o5", "a", Fields::new()) };
    assert!(!ground.moves(make).await, "also from the version of its deletion");
}

async fn changes_come_in_commit_order_each_record_once_deletions_included(ground: &Ground) {
    let empty = changes(ground, None, 9).await;
    assert_eq!((empty.records.len(), empty.more), (0, false));
    let start = empty.position.expect("a place to go on from, even in an empty table");
    let c1 = ground.write(create("o1", "c", Fields::new())).await;
    let a1 = ground.write(create("o2", "a", Fields::new())).await;
    ground.write(create("o3", "b", Fields::new())).await;
    let all = changes(ground, None, 9).await;
    assert_eq!((ids(&all.records), all.more), ("c a b".to_owned(), false));
    assert_eq!(changes(ground, Some(&start), 9).await, all);
    let nothing = changes(ground, all.position.as_ref(), 9).await;
    assert_eq!((ids(&nothing.records), nothing.more), (String::new(), false));
    assert_eq!(nothing.position, all.position);
    ground.write(change("o4", "a", &a1, RecordChange::Delete)).await;
    let c2 = ground.write(change("o5", "c", &c1, RecordChange::Cancel)).await;
    ground.write(change("o6", "c", &c2, patch(json!({"summary": "x"})))).await;
    let since = changes(ground, all.position.as_ref(), 9).await;
    assert_eq!(ids(&since.records), "a c");
    assert_eq!(since.records[0].fields, None, "deleted");
    assert_eq!(
        json!(since.records[1].fields),
        json!({"status": "cancelled", "summary": "x"}),
        "as it is now"
    );
    assert_eq!(ids(&changes(ground, None, 9).await.records), "b a c");
    assert!(since.records.is_sorted_by_key(|record| number(&record.version)));
}

async fn changes_come_in_pages_that_leave_nothing_out(ground: &Ground) {
    for n in 0..7 {
        ground.write(create(&format!("o{n}"), &format!("r{}", n * 3 % 7), Fields::new())).await;
    }
    let all = changes(ground, None, 99).await;
    for count_max in 1..=8 {
        let (mut position, mut found) = (None, Vec::new());
        for _ in 0..9 {
            let page = changes(ground, position.as_ref(), count_max).await;
            assert!(page.records.len() <= count_max);
            found.extend(page.records);
            position = page.position;
            if !page.more {
                break;
            }
        }
        assert_eq!((&found, &position), (&all.records, &all.position), "in pages of {count_max}");
    }
}

async fn a_binding_sees_the_changes_of_its_agent_and_of_what_it_links(ground: &Ground) {
    let store = &ground.store;
    let feed = async |position: Option<&Position>, count_max| {
        store
            .record_changes(&ground.tenant, Some(&ground.binding), position, count_max)
            .await
            .expect("changes")
    };
    ground.write(create_for("bob", "o1", "bobs", Fields::new())).await;
    let amys = ground.write(create_for("amy", "o2", "amys", Fields::new())).await;
    ground.write(create_for("bob", "o3", "linked", Fields::new())).await;
    ground.write(create_for("Amy", "o4", "of another amy", Fields::new())).await;
    ground.put([group(|g| g.links.push(link("linked", "k").into()))]).await;
    let page = feed(None, 1).await;
    assert_eq!((ids(&page.records), page.more), ("amys".to_owned(), true));
    let page = feed(page.position.as_ref(), 1).await;
    assert_eq!((ids(&page.records), page.more), ("linked".to_owned(), false));
    let whole = changes(ground, None, 9).await;
    assert_eq!(page.position, whole.position, "what does not concern the binding is passed over");
    let own = Link { version: Some(amys.clone()), ..link("amys", "k2") };
    ground.put([group(|g| g.links.push(own.into()))]).await;
    assert_eq!(ids(&feed(None, 9).await.records), "linked", "not what is as its link says");
    let give = RecordChange::Patch {
        units: [].into(),
        fields: Fields::new(),
        occurrence: None,
        agent: Some("bob".into()),
        sync: None,
    };
    let given = ground.write(change("o5", "amys", &amys, give)).await;
    let page = feed(page.position.as_ref(), 9).await;
    assert_eq!(ids(&page.records), "amys", "given away, and still linked");
    ground.write(change("o6", "amys", &given, RecordChange::Delete)).await;
    let page = feed(page.position.as_ref(), 9).await;
    assert_eq!((ids(&page.records), &page.records[0].fields), ("amys".to_owned(), &None));
    let other = Binding { id: "b9".into(), ..ground.binding.clone() };
    let page = store.record_changes(&ground.tenant, Some(&other), None, 9).await.expect("changes");
    assert_eq!(ids(&page.records), "", "another binding of the same agent has no links");
}

async fn a_position_of_another_host_is_refused(ground: &Ground) {
    let elsewhere = Position::from("2026-11-23T09:00:00Z");
    let answer = ground.store.record_changes(&ground.tenant, None, Some(&elsewhere), 9).await;
    refused(answer, ErrorKind::Store);
}

async fn a_window_shows_what_may_overlap_it_by_start(ground: &Ground) {
    let timed =
        |start: &str, end: &str, zone: &str| json!({"when": {"start": start, "end": end, "zone": zone}});
    let series = |start: &str| {
        let (end, rules) = (start, ["RRULE:FREQ=DAILY;COUNT=2"]);
        json!({"when": {"start": start, "end": end, "zone": "UTC", "recurrence": rules}})
    };
    let days = |start: &str, end: &str| json!({"when": {"start": start, "end": end}});
    let many = [
        ("ends at the start", timed("2026-11-23T08:00:00", "2026-11-23T09:00:00", "UTC")),
        ("ends inside", timed("2026-11-23T08:00:01", "2026-11-23T09:00:01", "UTC")),
        ("inside", timed("2026-11-23T10:00:00", "2026-11-23T11:00:00", "UTC")),
        ("around", timed("2026-11-22T10:00:00", "2026-11-24T11:00:00", "UTC")),
        ("begins at the end", timed("2026-11-23T17:00:00", "2026-11-23T18:00:00", "UTC")),
        ("without length", timed("2026-11-23T12:00:00", "2026-11-23T12:00:00", "UTC")),
        ("over before it began", timed("2026-11-23T13:00:00", "2026-11-23T02:00:00", "UTC")),
        ("in Vienna outside", timed("2026-11-23T09:00:00", "2026-11-23T10:00:00", "Europe/Vienna")),
        ("in Vienna inside", timed("2026-11-23T17:30:00", "2026-11-23T18:30:00", "Europe/Vienna")),
        ("on Kiritimati inside", timed("2026-11-24T01:00:00", "2026-11-24T02:00:00", "Pacific/Kiritimati")),
        ("in Pago Pago outside", timed("2026-11-23T09:00:00", "2026-11-23T10:00:00", "Pacific/Pago_Pago")),
        ("that day", days("2026-11-23", "2026-11-24")),
        ("the day after", days("2026-11-24", "2026-11-25")),
        ("two days after", days("2026-11-25", "2026-11-26")),
        ("two days before", days("2026-11-21", "2026-11-22")),
        ("old series", series("2019-01-01T09:00:00")),
        ("series to come", series("2026-11-23T17:00:00")),
        (
            "cancelled inside",
            json!({"status": "cancelled", "when": {"start": "2026-11-23T14:00:00",
            "end": "2026-11-23T15:00:00", "zone": "UTC"}}),
        ),
        ("without a time", json!({"summary": "x"})),
        ("unreadable", json!({"when": {"start": "x", "end": "y", "zone": "UTC"}})),
    ];
    for (n, (id, values)) in many.into_iter().enumerate() {
        ground.write(create(&format!("o{n}"), id, fields(values))).await;
    }
    ground.write(create_for("bob", "b1", "bobs", appointment("x", "2026-11-23T10:00:00"))).await;
    let slot = Slot::Time(START);
    let moved = appointment("x", "2026-11-23T16:00:00");
    ground.write(create_occurrence("b2", "moved occurrence", "old series", slot, moved)).await;
    let cancelled = fields(json!({"status": "cancelled"}));
    ground.write(create_occurrence("b3", "cancelled occurrence", "old series", slot, cancelled)).await;
    let deleted = ground.write(create("b4", "deleted", appointment("x", "2026-11-23T10:00:00"))).await;
    ground.write(change("b5", "deleted", &deleted, RecordChange::Delete)).await;
    let from = "2026-11-23T09:00:00Z".parse().expect("an instant");
    let to = "2026-11-23T17:00:00Z".parse().expect("an instant");
    let found = ground.store.record_window(&ground.tenant, &"amy".into(), from, to).await.expect("window");
    let found: Vec<_> = found.iter().map(|record| record.id.as_str()).collect();
    let expected = [
        "old series",
        "around",
        "that day",
        "ends inside",
        "inside",
        "on Kiritimati inside",
        "without length",
        "over before it began",
        "cancelled inside",
        "moved occurrence",
        "in Vienna inside",
        // A whole day begins 14 hours earlier on the other side of the date line.
        "the day after",
    ];
    assert_eq!(found, expected);
    let (least, most) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    let all = ground.store.record_window(&ground.tenant, &"amy".into(), least, most).await.expect("window");
    assert_eq!(all.len(), 19, "everything with a time");
}

async fn occurrences_of_a_series_come_by_slot(ground: &Ground) {
    let slot = |text: &str| text.parse::<Slot>().expect("a slot");
    ground.write(create("o0", "s", appointment("Series", "2026-11-23T09:00:00"))).await;
    let cancelled = fields(json!({"status": "cancelled"}));
    let some = appointment("x", "2026-11-23T16:00:00");
    let write = async |operation: &str, id: &str, series: &str, at: &str, values: &Fields| {
        ground.write(create_occurrence(operation, id, series, slot(at), values.clone())).await
    };
    write("o1", "late", "s", "20261130T090000Z", &some).await;
    write("o2", "early", "s", "20261116T090000Z", &cancelled).await;
    write("o3", "middle", "s", "20261123T090000Z", &some).await;
    let gone = write("o4", "deleted", "s", "20261124T090000Z", &some).await;
    ground.write(change("o5", "deleted", &gone, RecordChange::Delete)).await;
    write("o6", "whole day", "s", "20261201", &some).await;
    write("o7", "other series", "S", "20261123T090000Z", &some).await;
    let found = ground.store.record_occurrences(&ground.tenant, &"s".into()).await.expect("occurrences");
    assert_eq!(ids(&found), "whole day early middle late", "days before times");
    assert_eq!(found[1].occurrence, Some(Occurrence { series: "s".into(), slot: slot("20261116T090000Z") }));
    let none = ground.store.record_occurrences(&ground.tenant, &"late".into()).await.expect("occurrences");
    assert_eq!(none, []);
    assert!(ground.moves(create_occurrence("o1", "middle", "s", slot("20261201"), some)).await);
}
