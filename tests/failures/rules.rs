//! Rules that hold on every path: echoes, races, consent, isolation, truthful status, quiet upgrades, scope.

use super::desk::{AMY, BOB, Desk, EVE, ROBOT, Setup, TEAM, Way, hour, key, visit, with};
use calsync_core::binding::{Direction, Policy};
use calsync_core::clock::Clock;
use calsync_core::model::{Attendee, Recurrence, State};
use calsync_core::plan::{Action, Waiting};
use calsync_core::provider::Mail;
use calsync_core::store::{Batch, Group, MemoryStore, Outcome, Which};
use calsync_core::{Binding, ErrorKind, Tenant};
use calsync_google::Google;
use calsync_testkit::fake_google::{Fault, FaultKind, Role, Route};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[tokio::test]
pub(crate) async fn g41_an_edit_between_reading_and_writing_is_merged_and_both_are_kept() {
    for times in [1, 3] {
        let desk = Desk::new().await;
        let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
        desk.run().await;
        let id = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
        desk.run().await;
        desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
        let (clock, edited, left) = (desk.clock.clone(), id.clone(), AtomicU32::new(times));
        desk.before(move |request, fake| {
            if request.method() == http::Method::PATCH && left.load(Ordering::Relaxed) > 0 {
                let n = left.fetch_sub(1, Ordering::Relaxed);
                let patch = json!({"description": format!("by hand {n}")});
                fake.user_patch(clock.now(), AMY, &edited, &patch).unwrap();
            }
            Way::Free
        });
        for _ in 0..times {
            desk.run().await;
        }
        desk.undisturbed();
        let event = desk.event(&id);
        assert_eq!(
            (&event["location"], &event["description"]),
            (&json!("Dock 4"), &json!("by hand 1")),
            "{times}"
        );
        desk.run().await;
        assert_eq!(desk.value(&record, "description").await, "by hand 1");
        assert_eq!(desk.value(&record, "location").await, "Dock 4");
        desk.settled_after_a_full_listing().await;
    }
}

#[tokio::test]
async fn g41_somebody_who_edits_all_the_time_does_not_make_a_run_endless() {
    let desk = Desk::new().await;
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    desk.run().await;
    let id = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    let (clock, edited, count) = (desk.clock.clone(), id.clone(), AtomicU32::new(0));
    desk.before(move |request, fake| {
        if request.method() == http::Method::PATCH {
            let n = count.fetch_add(1, Ordering::Relaxed);
            fake.user_patch(clock.now(), AMY, &edited, &json!({"description": format!("{n}")})).unwrap();
        }
        Way::Free
    });
    for _ in 0..3 {
        let report = desk.run().await;
        assert!(report.requests < 40, "{report}");
    }
    assert_eq!(desk.value(&record, "location").await, "Dock 4");
    desk.undisturbed();
    desk.run().await;
    assert_eq!(desk.event(&id)["location"], "Dock 4");
    desk.run().await;
    desk.settled_after_a_full_listing().await;
    assert_eq!(desk.value(&record, "description").await, desk.event(&id)["description"]);
}

#[tokio::test]
pub(crate) async fn g41_the_same_field_edited_meanwhile_goes_to_the_policy_and_the_other_is_in_the_journal() {
    for (policy, wins, loses) in [(Policy::Remote, "there", "here"), (Policy::Local, "here", "there")] {
        let desk = Setup::default().binding(move |new| new.policy(policy)).desk().await;
        let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
        desk.run().await;
        let id = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
        desk.run().await;
        desk.edit(&record, |a| a.location = Some("here".into())).await;
        let (clock, edited, mut done) = (desk.clock.clone(), id.clone(), false);
        desk.before(move |request, fake| {
            if request.method() == http::Method::PATCH && !done {
                done = true;
                fake.user_patch(clock.now(), AMY, &edited, &json!({"location": "there"})).unwrap();
            }
            Way::Free
        });
        desk.run().await;
        desk.run().await;
        assert_eq!(desk.event(&id)["location"], wins);
        assert_eq!(desk.value(&record, "location").await, wins);
        let store = desk.engine.store();
        let journal = store.journal(desk.engine.tenant(), &desk.binding.id, Some(&record), 50).await.unwrap();
        let lost: Vec<Value> =
            journal.iter().filter_map(|entry| entry.lost.as_ref()?.get("location").cloned()).collect();
        assert_eq!(lost, [json!(loses)]);
        desk.settled_after_a_full_listing().await;
    }
}

#[tokio::test]
async fn c05_an_own_write_seen_again_causes_no_write() {
    let desk = Desk::new().await;
    let mut rich = visit("Visit", "2026-12-01T09:00:00");
    rich.description = Some("line one\r\nline two  ".into());
    rich.location = Some("  Dock 4 ".into());
    rich.attendees.insert(EVE.into(), Attendee { name: Some("Eve".into()), ..Attendee::default() });
    rich.recurrence = Recurrence::new(vec!["RRULE:INTERVAL=1;FREQ=WEEKLY;COUNT=3;WKST=MO".into()]);
    let record = desk.create(&rich).await;
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.writes(), 1);
    desk.settled_after_a_full_listing().await;
    desk.edit(&record, |a| a.summary = Some("Renamed".into())).await;
    desk.run().await;
    assert_eq!(desk.writes(), 2);
    desk.settled_after_a_full_listing().await;
    desk.crm.delete(&record).await.unwrap();
    desk.run().await;
    assert_eq!(desk.writes(), 3);
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
async fn c05_two_installations_on_one_calendar_do_not_answer_each_other() {
    let desk = Desk::new().await;
    let store = MemoryStore::new(desk.clock.clone(), "another installation".into());
    let other = desk.another_engine(Arc::new(store), Google::service_account(key()), 8);
    let theirs = other.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    desk.enter(hour("g1", 2));
    for _ in 0..3 {
        desk.run().await;
        other.run(&theirs).await.unwrap();
    }
    assert_eq!((desk.writes(), desk.living().len()), (1, 2));
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    for _ in 0..3 {
        desk.run().await;
        other.run(&theirs).await.unwrap();
    }
    assert_eq!((desk.writes(), desk.titled("Visit")["location"].clone()), (2, json!("Dock 4")));
    let report = other.run(&theirs).await.unwrap();
    assert!(!report.wrote(), "{report}");
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn c10_what_is_flagged_is_neither_written_nor_read_over_and_is_taken_up_again() {
    let desk = Desk::new().await;
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    let never = desk.create(&visit("Never", "2026-12-02T09:00:00")).await;
    desk.crm.set_sync(&never, false).await.unwrap();
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.living().len(), 1);
    let id = desk.titled("Visit")["id"].as_str().unwrap().to_owned();
    desk.crm.set_sync(&record, false).await.unwrap();
    desk.edit(&record, |a| a.location = Some("here".into())).await;
    desk.retouch(&id, json!({"description": "there"}));
    for _ in 0..2 {
        desk.settled().await;
    }
    desk.fake().expire_sync_tokens();
    desk.settled().await;
    assert_eq!(desk.event(&id).get("location"), None);
    assert_eq!(desk.value(&record, "description").await, Value::Null);
    // A flag that is set while a write waits is honoured as well.
    desk.crm.set_sync(&record, true).await.unwrap();
    desk.refuse_writes(503);
    desk.run().await;
    desk.undisturbed();
    desk.crm.set_sync(&record, false).await.unwrap();
    for _ in 0..3 {
        desk.run().await;
    }
    assert_eq!(desk.event(&id).get("location"), None, "written although flagged");
    desk.crm.set_sync(&record, true).await.unwrap();
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.event(&id)["location"], "here");
    assert_eq!(desk.value(&record, "description").await, "there");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
pub(crate) async fn c10_one_way_bindings_write_one_side_only() {
    let desk = Setup::default().binding(|_| Binding::from_remote(AMY).to("google", AMY)).desk().await;
    let own = desk.create(&visit("Own", "2026-12-01T09:00:00")).await;
    desk.enter(hour("g1", 2));
    desk.run().await;
    let pulled = desk.record("g1").await;
    desk.edit(&pulled, |a| a.location = Some("here".into())).await;
    desk.crm.delete(&own).await.unwrap();
    desk.run().await;
    desk.crm.delete(&pulled).await.unwrap();
    desk.run().await;
    assert_eq!((desk.writes(), desk.living().len()), (0, 1));
    assert!(desk.fake().journal().iter().all(|entry| !entry.route.is_write()));

    let desk = Setup::default().binding(|_| Binding::to_remote(AMY).to("google", AMY)).desk().await;
    let own = desk.create(&visit("Own", "2026-12-01T09:00:00")).await;
    desk.enter(hour("g1", 2));
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.titles().await, ["Own"]);
    let id = desk.titled("Own")["id"].as_str().unwrap().to_owned();
    let before = desk.fields(&own).await;
    desk.retouch(&id, json!({"location": "there"}));
    desk.run().await;
    desk.remove(&id);
    desk.run().await;
    assert_eq!(desk.fields(&own).await, before);
}

#[tokio::test]
pub(crate) async fn c10_a_calendar_that_may_only_be_read_is_only_read() {
    let desk = Setup::default()
        .google(|| Google::service_account(key()).delegated(false))
        .fake(|fake| fake.share(AMY, ROBOT, Role::Reader))
        .desk()
        .await;
    desk.enter(hour("g1", 1));
    desk.enter(hour("g2", 2));
    desk.run().await;
    let (g1, g2) = (desk.record("g1").await, desk.record("g2").await);
    desk.edit(&g1, |a| a.location = Some("here".into())).await;
    desk.crm.delete(&g2).await.unwrap();
    let report = desk.run().await;
    assert_eq!(report.waiting.get(&Waiting::Forbidden), Some(&2), "{report}");
    // Reading goes on.
    desk.retouch("g1", json!({"description": "there"}));
    desk.run().await;
    assert_eq!(desk.value(&g1, "description").await, "there");
    assert_eq!(desk.value(&g1, "location").await, "here");
    assert_eq!((desk.writes(), desk.living().len()), (0, 2));
    // Once it may be written, what waited is carried over.
    desk.fake().share(AMY, ROBOT, Role::Writer);
    desk.fake().expire_sync_tokens();
    desk.retouch("g1", json!({"description": "there again"}));
    desk.retouch("g2", json!({"colorId": "3"}));
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.event("g1")["location"], "here");
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn c13_tenants_see_nothing_of_each_other() {
    let desk = Desk::new().await;
    let other = desk.engine.for_tenant("other");
    let theirs = other.bind(Binding::two_way(BOB).to("google", BOB)).await.unwrap();
    desk.create(&visit("ours", "2026-12-01T09:00:00")).await;
    other.appointments().unwrap().create(BOB, &visit("theirs", "2026-12-01T09:00:00")).await.unwrap();
    // The same agent's name in both.
    other.appointments().unwrap().create(AMY, &visit("their Amy's", "2026-12-02T09:00:00")).await.unwrap();
    desk.enter(hour("g1", 3));
    desk.run().await;
    desk.run().await;
    other.run(&theirs).await.unwrap();
    other.run(&theirs).await.unwrap();
    assert_eq!(desk.titles().await, ["ours", "g1"]);
    let titles = |calendar| -> Vec<String> {
        let mut titles: Vec<String> =
            desk.living_in(calendar).iter().map(|e| e["summary"].as_str().unwrap().to_owned()).collect();
        titles.sort();
        titles
    };
    assert_eq!(
        (titles(AMY), titles(BOB)),
        (vec!["g1".to_owned(), "ours".to_owned()], vec!["theirs".to_owned()])
    );
    // A binding of one is no binding of the other, whatever handle it is given to.
    assert_eq!(other.run(&desk.binding).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(desk.engine.run(&theirs).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(desk.engine.unbind(&theirs).await.unwrap_err().kind(), ErrorKind::NotFound);
    let nobody: Tenant = "nobody".into();
    assert!(desk.engine.store().bindings(&nobody).await.unwrap().is_empty());
    assert_eq!((desk.engine.bindings().await.unwrap().len(), other.bindings().await.unwrap().len()), (1, 1));
}

#[tokio::test]
pub(crate) async fn c13_one_event_that_cannot_be_read_is_parked_and_the_rest_goes_on_and_it_heals() {
    for garbage in [
        json!({"start": {"date": "the first"}}),
        json!({"start": null}),
        json!({"reminders": {"useDefault": false, "overrides": [{"method": "popup"}]}}),
        json!({"attendees": "everybody"}),
        json!({"start": {"dateTime": "+99999-01-01T00:00:00Z"}}),
        json!({"summary": {"text": "no"}}),
        json!({"recurrence": "RRULE:FREQ=DAILY"}),
    ] {
        let desk = Setup::default().page_size(2).desk().await;
        for n in 1..=4 {
            desk.enter(hour(&format!("g{n}"), n));
        }
        let bad = garbage.clone();
        desk.after(move |_, mut answer| {
            for event in answer["items"].as_array_mut().into_iter().flatten() {
                if event["id"] == "g2" {
                    *event = with(event.clone(), bad.clone());
                }
            }
            answer
        });
        let report = desk.run().await;
        assert_eq!(desk.titles().await, ["g1", "g3", "g4"], "{garbage}: {report}");
        assert_eq!(report.waiting.get(&Waiting::Quarantined), Some(&1), "{garbage}: {report}");
        assert_eq!(report.outcome, Outcome::Partial);
        assert!(desk.state().await.listing.complete());
        let again = desk.settled().await;
        assert_eq!(again.waiting.get(&Waiting::Quarantined), Some(&1), "{garbage}: {again}");
        desk.undisturbed();
        desk.retouch("g2", json!({"location": "Dock 4"}));
        let report = desk.run().await;
        assert_eq!((desk.titles().await.len(), report.waiting.len()), (4, 0), "{garbage}: {report}");
        desk.settled().await;
    }
}

#[tokio::test]
async fn c13_a_linked_event_that_becomes_unreadable_is_neither_deleted_nor_overwritten() {
    let desk = Desk::new().await;
    desk.enter(hour("g1", 1));
    desk.run().await;
    let record = desk.record("g1").await;
    desk.after(|_, mut answer| {
        for event in answer["items"].as_array_mut().into_iter().flatten() {
            event["end"] = json!("soon");
        }
        if answer["id"] == "g1" {
            answer["end"] = json!("soon");
        }
        answer
    });
    desk.retouch("g1", json!({"location": "there"}));
    desk.edit(&record, |a| a.description = Some("here".into())).await;
    let report = desk.run().await;
    assert_eq!(report.waiting.get(&Waiting::Quarantined), Some(&1), "{report}");
    assert_eq!((desk.titles().await, desk.writes()), (vec!["g1".to_owned()], 0));
    desk.undisturbed();
    desk.retouch("g1", json!({"colorId": "3"}));
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.event("g1")["description"], "here");
    assert_eq!(desk.value(&record, "location").await, "there");
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn c16_the_status_says_what_happened_and_no_more() {
    let desk = Setup::default().page_size(2).desk().await;
    assert_eq!(desk.state().await.health, calsync_core::binding::Health::default());
    for n in 1..=3 {
        desk.enter(hour(&format!("g{n}"), n));
    }
    let report = desk.run().await;
    let health = desk.state().await.health;
    assert_eq!(
        (health.last_attempt, health.last_success, &health.last_error),
        (Some(report.started), Some(report.finished), &None)
    );
    let good = health.last_success;
    // The listing fails.
    desk.fake().inject(Fault::new(FaultKind::Status { code: 503 }).on(Route::ListEvents).times(50));
    let error = desk.try_run().await.unwrap_err();
    let health = desk.state().await.health;
    let last = health.last_error.unwrap();
    assert_eq!((health.last_success, last.kind), (good, ErrorKind::Unavailable));
    assert_eq!(last.message, error.to_string());
    assert!(last.message.contains(AMY) && last.at > good.unwrap(), "{}", last.message);
    assert!(health.last_attempt > good);
    let runs = desk.engine.store().runs(desk.engine.tenant(), &desk.binding.id, 1).await.unwrap();
    assert_eq!((runs[0].id.clone(), runs[0].outcome), (last.run.clone(), Outcome::Failed));
    desk.heal().await;
    let health = desk.state().await.health;
    assert_eq!(health.last_error, None);
    let good = health.last_success;
    // Only a write fails: everything was seen, but the run was not clean.
    let record = desk.record("g1").await;
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    desk.refuse_writes(503);
    let report = desk.run().await;
    desk.undisturbed();
    let health = desk.state().await.health;
    let last = health.last_error.unwrap();
    assert_eq!(
        (last.kind, health.last_success, report.outcome),
        (ErrorKind::Unavailable, good, Outcome::Partial)
    );
    assert!(last.message.contains("g1"), "{}", last.message);
    assert_eq!(report.error.as_ref(), Some(&last));
    desk.run().await;
    let health = desk.state().await.health;
    assert!(health.last_error.is_none() && health.last_success > good);
    // A plan is no run.
    desk.engine.plan(&desk.binding).await.unwrap();
    assert_eq!(desk.state().await.health, health);
    // A paused binding says so and does nothing.
    desk.engine.pause(&desk.binding).await.unwrap();
    let asked = desk.fake().requests();
    let report = desk.run().await;
    assert!(report.warnings().any(|warning| warning.contains("paused")), "{report}");
    assert_eq!(desk.fake().requests(), asked);
    assert_eq!(desk.state().await.health, health);
}

/// Rewrites every base as an older version of calsync would have left it.
async fn age(desk: &Desk, older: impl Fn(&mut calsync_core::model::Fields)) -> usize {
    let (store, tenant) = (desk.engine.store(), desk.engine.tenant());
    let name = format!("binding/{}", desk.binding.id);
    let lease =
        store.lease(tenant, &name, "an older version", Duration::from_secs(60)).await.unwrap().unwrap();
    let changes = store.record_changes(tenant, None, None, 100).await.unwrap();
    let ids: Vec<_> = changes.records.iter().map(|record| record.id.clone()).collect();
    let mut links = store.links(tenant, &desk.binding.id, &ids).await.unwrap();
    for link in &mut links {
        link.normaliser = 0;
        if let Some(State::Live(fields)) = &mut link.base {
            older(fields);
        }
    }
    let count = links.len();
    let mut batch = Batch::of(&desk.binding, &lease);
    batch.release = true;
    batch.groups.push(Group { links: links.into_iter().map(Into::into).collect(), ..Group::default() });
    store.commit(batch).await.unwrap();
    count
}

#[tokio::test]
pub(crate) async fn c21_a_base_that_an_older_version_wrote_causes_no_write() {
    let desk = Desk::new().await;
    let list = json!([{"email": AMY, "responseStatus": "accepted"}, {"email": EVE}]);
    let text = json!({"description": "one\ntwo", "location": "Dock 4", "attendees": list,
        "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU,TH;COUNT=4", "EXDATE;TZID=America/Vancouver:20261203T090000"]});
    desk.enter(with(hour("g1", 1), text));
    desk.create(&visit("v1", "2026-12-10T09:00:00")).await;
    desk.run().await;
    desk.run().await;
    desk.settled().await;
    let aged = age(&desk, |fields| {
        fields.set("status", json!("confirmed"));
        fields.set("transparency", json!("opaque"));
        fields.set("visibility", json!("default"));
        fields.set("extra", json!({"colorId": "3"}));
        if fields.get("description").is_some() {
            fields.set("description", json!("one\r\ntwo"));
            fields.set("location", json!(" Dock 4 "));
            fields.set(
                format!("attendee/{EVE}").as_str(),
                json!({"response": "needsAction", "optional": false}),
            );
            let mut when = fields.get("when").unwrap().clone();
            when["recurrence"] = json!([
                "EXDATE:20261203T160000Z",
                "RRULE:COUNT=4;INTERVAL=1;FREQ=WEEKLY;WKST=MO;BYDAY=TH,TU"
            ]);
            fields.set("when", when);
        }
    })
    .await;
    assert_eq!(aged, 2);
    let writes = desk.writes();
    desk.settled().await;
    desk.fake().expire_sync_tokens();
    desk.settled().await;
    // Every record and every event is looked at once more.
    desk.engine.change(&desk.binding, |binding| binding.scope.push_past = true).await.unwrap();
    desk.settled().await;
    // Both sides get new versions of the same values, so that they are compared with the old base.
    desk.retouch("g1", json!({"colorId": "5"}));
    let record = desk.record("v1").await;
    desk.crm.set_sync(&record, false).await.unwrap();
    desk.crm.set_sync(&record, true).await.unwrap();
    desk.settled().await;
    assert_eq!(desk.writes(), writes);
    // A real edit is still seen, and is the only one.
    desk.edit(&record, |a| a.location = Some("Dock 5".into())).await;
    let report = desk.run().await;
    assert_eq!((report.count(Action::UpdateRemote), desk.writes()), (1, writes + 1), "{report}");
}

#[tokio::test]
async fn c22_leaving_the_scope_deletes_nothing_on_either_side() {
    let desk = Setup::default().binding(|new| new.push_past(true).mail(Mail::Guests)).desk().await;
    for n in 1..=3 {
        desk.enter(hour(&format!("g{n}"), n));
        desk.create(&visit(&format!("v{n}"), &format!("2026-12-{:02}T11:00:00", n + 10))).await;
    }
    desk.run().await;
    desk.run().await;
    let unharmed = async |desk: &Desk, why: &str| {
        desk.settled().await;
        desk.fake().expire_sync_tokens();
        desk.settled().await;
        assert_eq!((desk.titles().await.len(), desk.living().len(), desk.mails()), (6, 6, 0), "{why}");
        let deleted = desk.fake().journal().iter().filter(|entry| entry.method == "DELETE").count();
        assert_eq!(deleted, 0, "{why}");
    };
    desk.engine.change(&desk.binding, |b| b.scope.since = Some("2026-12-12".parse().unwrap())).await.unwrap();
    unharmed(&desk, "a later day").await;
    desk.engine.change(&desk.binding, |b| b.scope.push_past = false).await.unwrap();
    unharmed(&desk, "no past ones").await;
    for direction in [Direction::FromRemote, Direction::ToRemote, Direction::TwoWay] {
        desk.engine.redirect(&desk.binding, direction).await.unwrap();
        unharmed(&desk, "another direction").await;
    }
    desk.engine.pause(&desk.binding).await.unwrap();
    unharmed(&desk, "paused").await;
    desk.engine.resume(&desk.binding).await.unwrap();
    unharmed(&desk, "resumed").await;
    desk.clock.advance(Duration::from_secs(400 * 24 * 3600));
    unharmed(&desk, "a year later").await;
    // What is linked stays in step, in scope or not.
    desk.retouch("g1", json!({"location": "Dock 4"}));
    desk.run().await;
    let record = desk.record("g1").await;
    assert_eq!(desk.value(&record, "location").await, "Dock 4");
    desk.engine.unbind(&desk.binding).await.unwrap();
    assert_eq!((desk.titles().await.len(), desk.living().len()), (6, 6));
}

#[tokio::test]
async fn c13_the_calendars_of_one_agent_do_not_hinder_each_other() {
    let desk = Desk::new().await;
    let team = desk.engine.bind(Binding::two_way(AMY).to("google", TEAM)).await.unwrap();
    desk.enter(hour("g1", 1));
    desk.fake().inject(Fault::new(FaultKind::CalendarGone).calendar(TEAM).times(50));
    let error = desk.try_run_of(&team).await.unwrap_err();
    assert!(error.to_string().contains(TEAM), "{error}");
    desk.run().await;
    assert_eq!(desk.titles().await, ["g1"]);
    let state = desk.engine.state(&team).await.unwrap();
    assert_eq!(state.health.last_error.map(|last| last.kind), Some(ErrorKind::NotFound));
    assert_eq!(desk.state().await.health.last_error, None);
    let families =
        desk.engine.store().families(desk.engine.tenant(), &team.id, Which::Remote, None, 10).await.unwrap();
    assert!(families.is_empty());
}
