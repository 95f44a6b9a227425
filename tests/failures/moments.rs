//! The one moment at which a single check decides: a crash, an edit or a stale answer just there, and nowhere else.
//!
//! Each of these has a fault of its own in `tests/planted/`, which it has to notice.

use super::desk::{AMY, Desk, Way, hour, visit, with};
use calsync_core::binding::Direction;
use calsync_core::clock::Clock;
use calsync_core::model::{Recurrence, Slot};
use calsync_core::plan::{Action, Waiting};
use calsync_core::{Binding, RecordId};
use calsync_testkit::fake_google::{Fault, FaultKind, Route};
use chrono::TimeDelta;
use futures_util::FutureExt;
use http::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a request reads or writes one event, which has an id in the path.
fn is_of_one_event(request: &http::Request<bytes::Bytes>) -> bool {
    request.uri().path().rsplit_once("/events/").is_some_and(|(_, id)| !id.is_empty())
}

/// A series of Amy's in Google and the same in the CRM, with its slots.
async fn series(desk: &Desk, rule: &str) -> (RecordId, Vec<Slot>) {
    desk.enter(with(hour("s1", 1), json!({"recurrence": [rule]})));
    desk.run().await;
    let slots = desk.shown().await.into_iter().filter_map(|shown| Some(shown.occurrence?.slot)).collect();
    (desk.record("s1").await, slots)
}

/// What Google shows of it, slot by slot.
fn instances(desk: &Desk) -> Vec<Value> {
    let (from, to) = ("2026-11-24T00:00:00Z".parse().unwrap(), "2027-12-31T00:00:00Z".parse().unwrap());
    desk.fake().instances(AMY, from, to)
}

/// The end of the id of one of them, which names its slot.
fn suffix(instance: &Value) -> String {
    instance["id"].as_str().unwrap().rsplit_once('_').unwrap().1.to_owned()
}

#[tokio::test]
pub(crate) async fn c02_an_edit_in_the_moment_of_its_deletion_is_kept() {
    let desk = Desk::new().await;
    desk.enter(hour("g1", 1));
    desk.run().await;
    let record = desk.record("g1").await;
    desk.crm.delete(&record).await.unwrap();
    let (clock, once) = (desk.clock.clone(), AtomicBool::new(true));
    desk.before(move |request, fake| {
        if request.method() == Method::DELETE && once.swap(false, Ordering::Relaxed) {
            fake.user_patch(clock.now(), AMY, "g1", &json!({"location": "Dock 4"})).unwrap();
        }
        Way::Free
    });
    desk.run().await;
    desk.undisturbed();
    desk.run().await;
    assert_eq!(desk.event("g1")["status"], "confirmed", "somebody's edit was deleted");
    let record = desk.record("g1").await;
    assert_eq!(desk.value(&record, "location").await, "Dock 4");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
pub(crate) async fn c02_a_change_whose_request_never_arrived_is_sent_again() {
    let desk = Desk::new().await;
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    desk.run().await;
    desk.run().await;
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    desk.fake().inject(Fault::new(FaultKind::LostBeforeWork).on(Route::PatchEvent).times(5));
    let _ = desk.try_run().await;
    desk.heal().await;
    desk.run().await;
    assert_eq!(desk.titled("Visit")["location"], "Dock 4");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
pub(crate) async fn c02_what_the_crm_writes_while_a_run_decides_is_not_lost() {
    let desk = Desk::new().await;
    let (whole, slots) = series(&desk, "RRULE:FREQ=WEEKLY;COUNT=4").await;
    for n in 1..=4 {
        desk.enter(hour(&format!("g{n}"), n));
    }
    desk.run().await;
    let mut records = Vec::new();
    for n in 1..=4 {
        records.push(desk.record(&format!("g{n}")).await);
        desk.retouch(&format!("g{n}"), json!({"location": "there"}));
    }
    // The slot of the series is read before anything is committed; the CRM's user is quicker.
    desk.crm.edit_occurrence(&whole, slots[1], |a| a.description = Some("Bring keys".into())).await.unwrap();
    desk.retouch("s1", json!({"description": "Weekly"}));
    let (crm, quick, once) = (desk.crm.clone(), records.clone(), AtomicBool::new(true));
    desk.before(move |request, _| {
        if request.method() == Method::GET && is_of_one_event(request) && once.swap(false, Ordering::Relaxed)
        {
            for record in &quick {
                let edit = crm.edit(record, |a| a.location = Some("here".into()));
                edit.now_or_never().expect("in memory").unwrap();
            }
        }
        Way::Free
    });
    desk.run().await;
    desk.undisturbed();
    desk.run().await;
    let (store, tenant) = (desk.engine.store(), desk.engine.tenant());
    for record in &records {
        let journal = store.journal(tenant, &desk.binding.id, Some(record), 50).await.unwrap();
        let kept = journal.iter().filter_map(|entry| entry.lost.as_ref()?.get("location").cloned());
        let shown = desk.value(record, "location").await;
        assert!(kept.chain([shown]).any(|place| place == "here"), "what the CRM wrote is nowhere");
    }
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn c03_after_a_split_and_a_new_binding_each_series_has_its_own_record() {
    let mut desk = Desk::new().await;
    let mut weekly = visit("Stand-up", "2026-12-01T09:00:00");
    weekly.recurrence = Recurrence::new(vec!["RRULE:FREQ=WEEKLY;COUNT=6".into()]);
    desk.create(&weekly).await;
    desk.run().await;
    desk.run().await;
    let id = desk.titled("Stand-up")["id"].as_str().unwrap().to_owned();
    let third = suffix(&instances(&desk)[2]);
    // Google copies the stamp of the old series to the new one.
    desk.user(|fake, now| fake.user_split(now, AMY, &id, &third, &json!({"location": "Dock 4"}))).unwrap();
    desk.run().await;
    desk.run().await;
    let before = (desk.instants().await, desk.starts_there());
    assert_eq!((before.0.len(), &before.0), (6, &before.1));
    desk.engine.unbind(&desk.binding).await.unwrap();
    desk.binding = desk.engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    desk.run().await;
    desk.run().await;
    assert_eq!((desk.instants().await, desk.starts_there()), before, "doubled");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
pub(crate) async fn c04_what_comes_back_is_made_anew_under_another_id() {
    let desk = Desk::new().await;
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    desk.run().await;
    desk.run().await;
    let old = desk.titled("Visit")["id"].clone();
    desk.remove(old.as_str().unwrap());
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.living().len(), 1, "the edit does not come back");
    let event = desk.titled("Visit");
    assert_eq!(event["location"], "Dock 4");
    assert_ne!(event["id"], old);
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
pub(crate) async fn c04_a_stale_page_does_not_bring_back_what_was_deleted() {
    let desk = Desk::new().await;
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    desk.run().await;
    desk.run().await;
    let stale = desk.titled("Visit");
    desk.crm.delete(&record).await.unwrap();
    desk.run().await;
    assert_eq!((desk.living().len(), desk.titles().await.len()), (0, 0));
    desk.after(move |_, mut answer| {
        if let Some(items) = answer["items"].as_array_mut() {
            items.push(stale.clone());
        }
        answer
    });
    desk.run().await;
    desk.undisturbed();
    desk.run().await;
    assert_eq!((desk.living().len(), desk.titles().await.len()), (0, 0), "it is back");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
pub(crate) async fn c05_what_google_rewrites_by_itself_is_no_edit() {
    let desk = Desk::new().await;
    let mut visit = visit("Visit", "2026-12-01T09:00:00");
    visit.description = Some("keys & plans\nby noon".into());
    let record = desk.create(&visit).await;
    desk.run().await;
    desk.run().await;
    let id = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
    let before = desk.fields(&record).await;
    // Somebody opened it in Google's editor, which stores HTML.
    desk.retouch(&id, json!({"description": "keys &amp; plans<br>by noon"}));
    desk.settled().await;
    desk.settled_after_a_full_listing().await;
    assert_eq!(desk.fields(&record).await, before);
}

#[tokio::test]
pub(crate) async fn c06_what_is_deleted_while_its_creation_is_in_doubt_is_deleted_once_it_is_found() {
    let desk = Desk::new().await;
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    // Google takes it, the answer is lost, and nothing can be read back.
    let mut sent = false;
    desk.before(move |request, _| {
        if sent {
            return Way::Cut;
        }
        sent = request.method() == Method::POST && request.uri().path().ends_with("/events");
        Way::Free
    });
    desk.fake().inject(Fault::new(FaultKind::LostAfterWork).on_writes());
    let _ = desk.try_run().await;
    desk.undisturbed();
    assert_eq!(desk.living().len(), 1);
    desk.crm.delete(&record).await.unwrap();
    desk.heal().await;
    desk.run().await;
    assert_eq!((desk.living().len(), desk.titles().await.len()), (0, 0), "it is back");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
pub(crate) async fn c10_what_is_flagged_while_a_run_decides_is_not_written() {
    let desk = Desk::new().await;
    let (whole, slots) = series(&desk, "RRULE:FREQ=WEEKLY;COUNT=4").await;
    let mut records = Vec::new();
    for n in 1..=8 {
        desk.enter(hour(&format!("g{n}"), n));
    }
    desk.run().await;
    for n in 1..=8 {
        records.push(desk.record(&format!("g{n}")).await);
        desk.edit(&records[n as usize - 1], |a| a.location = Some("here".into())).await;
    }
    // The slot of the series is read before anything is committed.
    desk.crm.edit_occurrence(&whole, slots[1], |a| a.location = Some("Dock 4".into())).await.unwrap();
    let (crm, flagged, once) = (desk.crm.clone(), records.clone(), AtomicBool::new(true));
    desk.before(move |request, _| {
        if request.method() == Method::GET && is_of_one_event(request) && once.swap(false, Ordering::Relaxed)
        {
            for record in &flagged {
                crm.set_sync(record, false).now_or_never().expect("in memory").unwrap();
            }
        }
        Way::Free
    });
    desk.run().await;
    desk.undisturbed();
    desk.run().await;
    let written = (1..=8).filter(|n| !desk.event(&format!("g{n}"))["location"].is_null()).count();
    assert_eq!(written, 0, "written although flagged");
    for record in &records {
        desk.crm.set_sync(record, true).await.unwrap();
    }
    desk.run().await;
    assert_eq!(desk.event("g8")["location"], "here");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
pub(crate) async fn c10_settings_that_change_while_a_run_decides_hold_at_once() {
    let desk = Desk::new().await;
    desk.enter(hour("g1", 1));
    desk.run().await;
    let record = desk.record("g1").await;
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    let (engine, binding, once) = (desk.engine.clone(), desk.binding.clone(), AtomicBool::new(true));
    desk.before(move |request, _| {
        if request.uri().path().ends_with("/events") && once.swap(false, Ordering::Relaxed) {
            let change = engine.redirect(&binding, Direction::FromRemote);
            change.now_or_never().expect("in memory").unwrap();
        }
        Way::Free
    });
    let _ = desk.try_run().await;
    desk.undisturbed();
    assert_eq!(desk.writes(), 0, "the calendar was written although that had been switched off");
    desk.heal().await;
    assert_eq!(desk.writes(), 0);
    desk.engine.redirect(&desk.binding, Direction::TwoWay).await.unwrap();
    desk.run().await;
    assert_eq!(desk.event("g1")["location"], "Dock 4");
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn c11_an_occurrence_edited_in_the_crm_changes_no_other() {
    let desk = Desk::new().await;
    let (whole, slots) = series(&desk, "RRULE:FREQ=WEEKLY;COUNT=4").await;
    desk.crm.edit_occurrence(&whole, slots[1], |a| a.location = Some("Dock 4".into())).await.unwrap();
    desk.run().await;
    let places: Vec<Value> = instances(&desk).iter().map(|event| event["location"].clone()).collect();
    assert_eq!(places, [json!(null), json!("Dock 4"), json!(null), json!(null)]);
    desk.settled_after_a_full_listing().await;
}

/// What its series puts into a slot is told from a change of its own by reading both.
#[tokio::test]
async fn c11_a_series_that_is_read_wrongly_once_does_not_make_a_change_of_what_it_puts_into_a_slot() {
    let desk = Desk::new().await;
    let (record, slots) = series(&desk, "RRULE:FREQ=WEEKLY;COUNT=4").await;
    let event = desk.living()[0]["id"].as_str().unwrap().to_owned();
    desk.crm.cancel_occurrence(&record, slots[1]).await.unwrap();
    desk.lawless();
    let (path, clock, changed) = (format!("/events/{event}"), desk.clock.clone(), AtomicBool::new(false));
    let read = path.clone();
    // Somebody changes the series just before.
    desk.before(move |request, fake| {
        if request.uri().path().ends_with(&read) && !changed.swap(true, Ordering::Relaxed) {
            fake.user_patch(clock.now(), AMY, &event, &json!({"colorId": "3"})).unwrap();
        }
        Way::Free
    });
    let once = AtomicBool::new(true);
    desk.after(move |asked, mut answer| {
        if asked.ends_with(&path) && once.swap(false, Ordering::Relaxed) {
            answer["status"] = json!("postponed");
        }
        answer
    });
    desk.run().await;
    desk.undisturbed();
    desk.run().await;
    assert_eq!((desk.starts().await.len(), desk.starts_there().len()), (3, 3));
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn c11_a_series_split_in_google_leaves_no_orphan_in_the_crm() {
    let desk = Desk::new().await;
    let (whole, slots) = series(&desk, "RRULE:FREQ=DAILY;COUNT=6").await;
    let moved = visit("", "2026-12-05T15:00:00").when;
    desk.crm.edit_occurrence(&whole, slots[4], |a| a.when = moved.clone()).await.unwrap();
    desk.run().await;
    desk.run().await;
    let third = suffix(&instances(&desk)[2]);
    desk.user(|fake, now| fake.user_split(now, AMY, "s1", &third, &json!({"summary": "Later"}))).unwrap();
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.instants().await, desk.starts_there());
    for left in desk.crm.occurrences(&whole).await.unwrap() {
        assert_eq!(left.fields.unwrap().get("status"), Some(&json!("cancelled")), "an orphan");
    }
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
pub(crate) async fn c11_a_series_deleted_in_the_crm_stays_for_an_occurrence_that_was_edited_in_google() {
    let desk = Desk::new().await;
    let (whole, _) = series(&desk, "RRULE:FREQ=WEEKLY;COUNT=4").await;
    desk.crm.delete(&whole).await.unwrap();
    let second = instances(&desk)[1]["id"].as_str().unwrap().to_owned();
    desk.retouch(&second, json!({"location": "Dock 4"}));
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.event("s1")["status"], "confirmed", "somebody's edit was deleted with its series");
    assert_eq!((desk.instants().await.len(), desk.starts_there().len()), (4, 4));
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
pub(crate) async fn c17_a_wait_that_google_asks_for_is_waited() {
    let desk = Desk::new().await;
    desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    let busy = FaultKind::TooManyRequests { retry_after: Some("30".into()) };
    desk.fake().inject(Fault::new(busy).on_writes());
    let before = desk.clock.now();
    desk.run().await;
    assert_eq!(desk.living().len(), 1);
    // A minute passes before each run.
    assert!(desk.clock.now() - before >= TimeDelta::seconds(60 + 30), "it did not wait");
}

#[tokio::test]
pub(crate) async fn what_a_reviewer_deselected_is_done_by_no_run() {
    let desk = Desk::new().await;
    desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    let number = plan.rows().all().await.unwrap()[0].number;
    plan.deselect(&[number]).await.unwrap();
    desk.engine.apply(&plan).await.unwrap();
    let report = desk.run().await;
    assert_eq!(desk.living().len(), 0, "{report}");
    assert_eq!(report.waiting.get(&Waiting::Deselected), Some(&1), "{report}");
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    plan.select_where(|_| true).await.unwrap();
    desk.engine.apply(&plan).await.unwrap();
    assert_eq!(desk.living().len(), 1);
}

#[tokio::test]
pub(crate) async fn a_plan_whose_ground_moved_is_not_carried_out() {
    let desk = Desk::new().await;
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    desk.edit(&record, |a| a.summary = Some("Another visit".into())).await;
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!(desk.writes(), 0, "nobody has looked at this: {report}");
    assert_eq!(desk.run().await.count(Action::CreateRemote), 1);
    desk.run().await;
    desk.settled().await;
}
