//! A CRM with tables of its own beside stores that are lost or go back: the two share no transaction, and only one of them forgets.

use super::desk::{AMY, BOB, Desk, EVE, TEAM, Way, ZONE, guests, hour, visit, with};
use super::own_table::{OwnTable, rounds, store};
use calsync_core::binding::{EditOrDelete, NewBinding};
use calsync_core::host::{Host, RecordChange};
use calsync_core::model::{Fields, Occurrence, Record, State};
use calsync_core::{Binding, RecordId, Tenant};
use serde_json::json;
use std::time::Duration;

/// A weekly series of four, the third at another place.
fn enter_a_series_with_a_change(desk: &Desk) {
    desk.enter(with(hour("g1", 1), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]})));
    let change = json!({"location": "Dock 4"});
    desk.user(|fake, at| fake.user_patch(at, AMY, "g1_20261215T160000Z", &change)).unwrap();
}

/// Binds with empty rows, runs until there is nothing more to do, and reads the CRM's table.
async fn at_rest(
    desk: &Desk,
    table: &OwnTable,
    seed: u64,
    settings: impl Fn(NewBinding) -> NewBinding,
) -> Vec<Record> {
    let engine = table.engine(desk, store(desk), seed);
    let binding = engine.bind(settings(Binding::two_way(AMY).to("google", AMY))).await.unwrap();
    rounds(desk, &engine, &binding, 4).await;
    let report = engine.run(&binding).await.unwrap();
    assert!(!report.wrote(), "{report}");
    table.changes(&Tenant::from("default"), None, 10).await.unwrap().records
}

/// Nothing tells any more that both sides agreed on it, so that the event wins over the deletion, once and for good.
#[tokio::test]
async fn g27_what_the_crm_deleted_before_calsync_s_rows_were_lost_comes_back_on_both_sides_or_none() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let engine = |seed| table.engine(&desk, store(&desk), seed);
    let (tenant, record) = (Tenant::from("default"), RecordId::from("r1"));
    let fields = visit("Visit", "2026-12-01T09:00:00").to_fields();
    let create = RecordChange::Create { agent: AMY.into(), occurrence: None, fields };
    table.write(&record, create).await;
    let first = engine(8);
    let binding = first.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    first.run(&binding).await.unwrap();
    first.run(&binding).await.unwrap();
    assert_eq!(desk.living().len(), 1);
    table.write(&record, RecordChange::Delete).await;
    let second = engine(9);
    let binding = second.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    rounds(&desk, &second, &binding, 4).await;
    let here = table.read(&tenant, &[record]).await.unwrap().remove(0).fields;
    assert_eq!((here.is_some(), desk.living().len()), (true, 1));
    let report = second.run(&binding).await.unwrap();
    assert!(!report.wrote(), "{report}");
}

/// The series came back under another id, and calsync's rows went back to before that; the CRM's table did not.
async fn made_anew_since_the_backup(afterwards: Option<RecordChange>) {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let store = store(&desk);
    let first = table.engine(&desk, store.clone(), 8);
    let binding = first.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    desk.enter(with(hour("s1", 1), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})));
    first.run(&binding).await.unwrap();
    let tenant = Tenant::from("default");
    let series = table.changes(&tenant, None, 10).await.unwrap().records.remove(0);
    let slot = desk.fake().instances(
        AMY,
        "2026-12-05T00:00:00Z".parse().unwrap(),
        "2026-12-12T00:00:00Z".parse().unwrap(),
    );
    let slot = slot[0]["id"].as_str().unwrap().rsplit_once('_').unwrap().1.parse().unwrap();
    let mut fields = Fields::new();
    fields.set("status", json!("cancelled"));
    let cancelled = RecordChange::Create {
        agent: AMY.into(),
        occurrence: Some(Occurrence { series: series.id.clone(), slot }),
        fields,
    };
    table.write(&"r2".into(), cancelled).await;
    first.run(&binding).await.unwrap();
    first.run(&binding).await.unwrap();
    assert_eq!(desk.starts_there().len(), 2);
    let backup = store.copy();
    desk.remove("s1");
    let mut fields = Fields::new();
    fields.set("location", json!("Dock 4"));
    let units = ["location".into()].into();
    let patch = RecordChange::Patch { units, fields, occurrence: None, agent: None, sync: None };
    table.write(&series.id, patch).await;
    // The store is lost after the series was made, and before its occurrence was cancelled.
    desk.before(|request, _| match request.uri().path().contains("/events/") && request.method() != "GET" {
        true => Way::Cut,
        false => Way::Free,
    });
    for _ in 0..2 {
        desk.clock.advance(Duration::from_secs(180));
        let _ = first.run(&binding).await;
    }
    desk.undisturbed();
    assert_eq!(desk.starts_there().len(), 3);
    if let Some(change) = afterwards {
        table.write(&series.id, change).await;
    }
    // A full listing does not say that the first series is deleted.
    desk.fake().expire_sync_tokens();
    let second = table.engine(&desk, backup, 9);
    rounds(&desk, &second, &binding, 3).await;
    assert_eq!(desk.starts_there().len(), 2);
    let report = second.run(&binding).await.unwrap();
    assert!(!report.wrote(), "{report}");
}

#[tokio::test]
async fn g27_a_series_that_was_made_anew_since_the_backup_does_not_show_a_cancelled_occurrence_again() {
    made_anew_since_the_backup(None).await;
}

#[tokio::test]
async fn g27_nor_does_one_that_the_crm_cancelled_in_the_meantime_and_gets_back_from_the_calendar() {
    made_anew_since_the_backup(Some(RecordChange::Cancel)).await;
}

/// Somebody cancelled the occurrence on both sides and deleted the series in the CRM, before calsync's rows were lost.
#[tokio::test]
async fn g27_a_series_that_comes_back_to_the_crm_does_not_show_a_cancelled_occurrence_again() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let tenant = Tenant::from("default");
    desk.enter(with(hour("s1", 1), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})));
    let (from, to) = ("2026-12-05T00:00:00Z".parse().unwrap(), "2026-12-12T00:00:00Z".parse().unwrap());
    let second = desk.fake().instances(AMY, from, to)[0]["id"].as_str().unwrap().to_owned();
    desk.remove(&second);
    let engine = |seed| table.engine(&desk, store(&desk), seed);
    let first = engine(8);
    let binding = first.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    for _ in 0..2 {
        first.run(&binding).await.unwrap();
    }
    let records = table.changes(&tenant, None, 10).await.unwrap().records;
    let (series, cancelled) = (&records[0], &records[1]);
    assert!(series.occurrence.is_none() && cancelled.occurrence.is_some(), "{records:?}");
    for record in [cancelled, series] {
        table.write(&record.id, RecordChange::Delete).await;
    }
    let second = engine(9);
    let binding = second.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    rounds(&desk, &second, &binding, 4).await;
    let records = table.changes(&tenant, None, 10).await.unwrap().records;
    let living: Vec<&Record> = records.iter().filter(|record| record.fields.is_some()).collect();
    assert_eq!(living.len(), 2, "the series, and that one of its occurrences is cancelled: {records:?}");
    let status = |record: &&Record| record.fields.as_ref()?.get("status").cloned();
    assert_eq!(living.iter().filter_map(status).collect::<Vec<_>>(), ["cancelled"]);
    assert_eq!(desk.starts_there().len(), 2);
    let report = second.run(&binding).await.unwrap();
    assert!(!report.wrote(), "{report}");
}

/// The copy in the team's calendar is joined again after calsync's rows were lost, and still organises nothing.
#[tokio::test]
async fn g04_g27_a_copy_that_is_joined_again_does_not_take_the_meeting_from_its_organiser() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let tenant = Tenant::from("default");
    desk.enter(hour("g1", 1));
    let mut record = None;
    for seed in [8, 9] {
        let engine = table.engine(&desk, store(&desk), seed);
        let mut bindings = Vec::new();
        for calendar in [AMY, TEAM] {
            bindings.push(engine.bind(Binding::two_way(AMY).to("google", calendar)).await.unwrap());
        }
        if seed == 9 {
            // Both sides of the copy have changed, so that joining it writes to the CRM.
            let copy = desk.living_in(TEAM)[0]["id"].as_str().unwrap().to_owned();
            desk.user(|fake, at| fake.user_patch(at, TEAM, &copy, &json!({"summary": "Moved on"}))).unwrap();
        }
        for _ in 0..3 {
            for binding in &bindings {
                desk.clock.advance(Duration::from_secs(60));
                engine.run(binding).await.unwrap();
            }
        }
        let records = table.changes(&tenant, None, 10).await.unwrap().records;
        assert_eq!(records.len(), 1, "{records:?}");
        if seed == 9 {
            // Somebody goes on with the copy.
            let copy = desk.living_in(TEAM)[0]["id"].as_str().unwrap().to_owned();
            desk.user(|fake, at| fake.user_patch(at, TEAM, &copy, &json!({"location": "Dock 4"}))).unwrap();
            for binding in bindings.iter().rev().chain(&bindings) {
                desk.clock.advance(Duration::from_secs(60));
                engine.run(binding).await.unwrap();
            }
        }
        record = Some(table.read(&tenant, std::slice::from_ref(&records[0].id)).await.unwrap().remove(0));
    }
    let fields = record.unwrap().fields.unwrap();
    assert_eq!(fields.get("organizer").unwrap()["email"], AMY);
    assert_eq!(fields.get("location"), Some(&json!("Dock 4")));
    assert_eq!((desk.living_in(AMY).len(), desk.living_in(TEAM).len()), (1, 1));
}

/// Cancelled in the CRM before calsync's rows were lost, the series comes back from the copy: it is a copy all the same, and what is
/// changed of one of its occurrences takes no guests there.
#[tokio::test]
async fn g04_g27_a_copy_that_brings_a_series_back_stays_a_copy() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let tenant = Tenant::from("default");
    desk.enter(with(hour("g1", 1), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]})));
    let first = table.engine(&desk, store(&desk), 8);
    for calendar in [AMY, TEAM] {
        let binding = first.bind(Binding::two_way(AMY).to("google", calendar)).await.unwrap();
        rounds(&desk, &first, &binding, 2).await;
    }
    let series = table.changes(&tenant, None, 10).await.unwrap().records.remove(0);
    table.write(&series.id, RecordChange::Cancel).await;

    let second = table.engine(&desk, store(&desk), 9);
    let team = second.bind(Binding::two_way(AMY).to("google", TEAM)).await.unwrap();
    rounds(&desk, &second, &team, 2).await;
    let mut fields = series.fields.unwrap();
    fields.set("when", json!({"start": "2026-12-08T09:00:00", "end": "2026-12-08T10:00:00", "zone": ZONE}));
    fields.set(format!("attendee/{EVE}").as_str(), json!({}));
    fields.set("location", json!("Dock 4"));
    let slot = "20261208T160000Z".parse().unwrap();
    let occurrence = Some(Occurrence { series: series.id.clone(), slot });
    let change = RecordChange::Create { agent: AMY.into(), occurrence, fields };
    table.write(&"an-occurrence".into(), change).await;
    rounds(&desk, &second, &team, 2).await;
    let there = desk.living_in(TEAM);
    let changed: Vec<_> = there.iter().filter(|event| event["location"] == "Dock 4").collect();
    assert_eq!((there.len(), changed.len()), (2, 1), "{there:?}");
    assert_eq!(guests(changed[0]), Vec::<String>::new());
}

/// Google shortened a series, and calsync's rows were lost. The CRM still has a changed occurrence in a slot that was cut off.
#[tokio::test]
async fn g27_a_slot_that_was_cut_off_is_not_brought_back_for_an_occurrence_that_the_crm_remembers() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    enter_a_series_with_a_change(&desk);
    for seed in [8, 9] {
        let records = at_rest(&desk, &table, seed, |new| new).await;
        let here = records.iter().filter(|record| matches!(record.state(), State::Live(_))).count();
        assert_eq!((here, desk.living().len()), if seed == 8 { (2, 2) } else { (1, 1) });
        desk.retouch("g1", json!({"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20261210T000000Z"]}));
    }
}

/// A series was deleted in the CRM with its changed occurrences before calsync's rows were lost. It comes back from the calendar, and its
/// occurrences with it: where the CRM has no record for a slot, it shows what the series puts there.
#[tokio::test]
async fn g27_a_series_that_comes_back_from_the_calendar_brings_its_changed_occurrences() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    enter_a_series_with_a_change(&desk);
    for seed in [8, 9] {
        let records = at_rest(&desk, &table, seed, |new| new.edit_or_delete(EditOrDelete::DeleteWins)).await;
        let here: Vec<_> = records.iter().filter(|record| record.fields.is_some()).collect();
        assert_eq!((here.len(), desk.living().len()), (2, 2), "{here:?}");
        for record in here {
            table.write(&record.id, RecordChange::Delete).await;
        }
    }
}

/// The CRM made the record for a store that is lost, and a person deleted it; asked again to make it, the CRM answers as it did.
#[tokio::test]
async fn g27_a_creation_that_the_crm_remembers_does_not_hide_that_the_record_was_deleted_since() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let tenant = Tenant::from("default");
    desk.enter(hour("g1", 1));
    let first = table.engine(&desk, store(&desk), 8);
    let binding = first.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    first.run(&binding).await.unwrap();
    let record = table.changes(&tenant, None, 10).await.unwrap().records.remove(0);
    table.write(&record.id, RecordChange::Delete).await;
    let second = table.engine(&desk, store(&desk), 9);
    let binding = second.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    rounds(&desk, &second, &binding, 4).await;
    let here = table.read(&tenant, &[record.id]).await.unwrap().remove(0).fields;
    assert_eq!(here.is_some(), !desk.living().is_empty(), "on both sides, or on none");
    let report = second.run(&binding).await.unwrap();
    assert!(!report.wrote(), "{report}");
}

/// The CRM made the record of an occurrence, and then deleted it with its series; the store is of a time before all that.
#[tokio::test]
async fn g27_an_occurrence_that_the_crm_deleted_comes_back_with_its_series_though_it_was_made_before() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let tenant = Tenant::from("default");
    let rows = store(&desk);
    let first = table.engine(&desk, rows.clone(), 8);
    let binding = first.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    desk.enter(with(hour("s1", 1), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})));
    first.run(&binding).await.unwrap();
    let backup = rows.copy();
    let (from, to) = ("2026-12-05T00:00:00Z".parse().unwrap(), "2026-12-12T00:00:00Z".parse().unwrap());
    let occurrence = desk.fake().instances(AMY, from, to)[0]["id"].as_str().unwrap().to_owned();
    desk.retouch(&occurrence, json!({"location": "Dock 4"}));
    first.run(&binding).await.unwrap();
    let records = || async { table.changes(&tenant, None, 10).await.unwrap().records };
    assert_eq!(records().await.len(), 2);
    for record in records().await {
        table.write(&record.id, RecordChange::Delete).await;
    }
    let second = table.engine(&desk, backup, 9);
    rounds(&desk, &second, &binding, 4).await;
    let places: Vec<_> =
        records().await.iter().filter_map(|record| record.fields.clone()?.get("location").cloned()).collect();
    assert_eq!(places, ["Dock 4"], "{:?}", records().await);
    assert_eq!(desk.event(&occurrence)["location"], "Dock 4");
    let report = second.run(&binding).await.unwrap();
    assert!(!report.wrote(), "{report}");
}

/// As above, but that the record is another agent's by now.
#[tokio::test]
async fn g27_a_creation_that_the_crm_remembers_does_not_hide_that_the_record_was_handed_over_since() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let tenant = Tenant::from("default");
    desk.enter(hour("g1", 1));
    let first = table.engine(&desk, store(&desk), 8);
    let binding = first.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    first.run(&binding).await.unwrap();
    let record = table.changes(&tenant, None, 10).await.unwrap().records.remove(0);
    let (units, fields) = (Default::default(), Fields::new());
    let hand_over =
        RecordChange::Patch { units, fields, occurrence: None, agent: Some(BOB.into()), sync: None };
    table.write(&record.id, hand_over).await;
    let second = table.engine(&desk, store(&desk), 9);
    let binding = second.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    rounds(&desk, &second, &binding, 4).await;
    let records = table.changes(&tenant, None, 10).await.unwrap().records;
    assert_eq!(records.iter().map(|record| record.agent.as_str()).collect::<Vec<_>>(), [BOB]);
    assert_eq!(desk.living().len(), 0, "Amy's calendar does not show what is Bob's");
}
