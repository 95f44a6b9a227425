//! Guards: what one run and one hour may do, listings that are not believed, and the kill switch (C9).

use super::desk::{Desk, Setup, Way, hour, visit};
use super::shaky_store::failing_once;
use calsync_core::guard::{Held, Over};
use calsync_core::limits::{Allowance, Kind, Limit, Limits};
use calsync_core::model::Appointment;
use calsync_core::plan::{Action, Waiting};
use calsync_core::store::{EntryState, MemoryStore, Outcome, Which};
use calsync_core::{Error, ErrorKind, RecordId};
use calsync_testkit::fake_google::{Fault, FaultKind};
use futures_util::FutureExt;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

/// A day of December, 2026, as the CRM's appointments are numbered.
fn own(number: u32) -> Appointment {
    visit(&format!("own {number:02}"), &format!("2026-12-{:02}T12:00:00", number % 28 + 1))
}

/// So many appointments of the CRM that are in the calendar as well.
async fn linked(desk: &Desk, count: u32) -> Vec<RecordId> {
    let mut records = Vec::new();
    for number in 0..count {
        records.push(desk.create(&own(number)).await);
    }
    desk.run().await;
    assert_eq!(desk.living().len(), count as usize);
    records
}

async fn delete(desk: &Desk, records: impl IntoIterator<Item = RecordId>) {
    for record in records {
        desk.crm.delete(&record).await.unwrap();
    }
}

fn limits(set: impl Fn(&mut Limits) + 'static) -> Setup {
    Setup::default().binding(move |new| {
        let mut limits = Limits::default();
        set(&mut limits);
        new.limits(limits)
    })
}

#[tokio::test]
async fn c09_the_deletions_of_all_passes_of_a_run_count_together() {
    let desk = Desk::new().await;
    let mut records = linked(&desk, 30).await;
    delete(&desk, records.drain(..8)).await;
    // While the run deletes those, the CRM loses more: its next pass sees them.
    let (crm, more, once) = (desk.crm.clone(), records.split_off(14), AtomicBool::new(true));
    desk.before(move |request, _| {
        if request.method() == http::Method::DELETE && once.swap(false, Ordering::Relaxed) {
            for record in &more {
                crm.delete(record).now_or_never().expect("in memory").unwrap();
            }
        }
        Way::Free
    });
    let report = desk.run().await;
    assert_eq!((report.count(Action::DeleteRemote), report.count(Action::Wait)), (8, 8), "{report}");
    assert_eq!((report.held[0].planned, report.held[0].done, report.held[0].allowed), (8, 8, 10), "{report}");
    assert_eq!(desk.living().len(), 22);
}

#[tokio::test]
async fn c09_each_kind_on_each_side_has_a_limit_of_its_own() {
    for side in [Which::Local, Which::Remote] {
        for kind in [Kind::Create, Kind::Update, Kind::Delete] {
            for (planned, allowed) in [(3, 3), (4, 3), (1, 0)] {
                let goes = planned <= allowed;
                let desk = Desk::new().await;
                for n in 0..6 {
                    desk.enter(hour(&format!("g{n:02}"), n + 1));
                }
                desk.run().await;
                let limited = |binding: &mut calsync_core::Binding| {
                    let of_side = match side {
                        Which::Local => &mut binding.limits.crm,
                        Which::Remote => &mut binding.limits.calendar,
                    };
                    let limit = match kind {
                        Kind::Create => &mut of_side.create,
                        Kind::Update => &mut of_side.update,
                        Kind::Delete => &mut of_side.delete,
                    };
                    *limit = Limit::per_run(Allowance::count(allowed));
                };
                desk.engine.change(&desk.binding, limited).await.unwrap();
                for n in 0..planned {
                    act(&desk, side, kind, n).await;
                }
                // Something that this limit has nothing to do with.
                let (other, done) = match (side, kind) {
                    (Which::Local, _) => (desk.create(&own(9)).await.to_string(), Action::CreateRemote),
                    (Which::Remote, _) => (desk.enter(hour("other", 9)), Action::CreateLocal),
                };
                let report = desk.run().await;
                assert_eq!(report.count(done), 1, "the rest goes on, {other}: {report}");
                let held: Vec<_> = report.held.iter().map(|h| (h.side, h.kind, h.planned, h.over)).collect();
                let expected = if goes { vec![] } else { vec![(side, kind, u64::from(planned), Over::Run)] };
                assert_eq!(held, expected, "{side:?} {kind} {planned}: {report}");
                let waiting = report.waiting.get(&Waiting::Guarded).copied().unwrap_or(0);
                assert_eq!(waiting, if goes { 0 } else { u64::from(planned) }, "{side:?} {kind}: {report}");
                assert_eq!(report.outcome, if goes { Outcome::Complete } else { Outcome::Partial });
            }
        }
    }
}

/// What a run is to do on `side`: somebody does it on the other one.
async fn act(desk: &Desk, side: Which, kind: Kind, n: u32) {
    let event = format!("g{n:02}");
    match (side, kind) {
        (Which::Local, Kind::Create) => _ = desk.enter(hour(&format!("new{n:02}"), n + 1)),
        (Which::Local, Kind::Update) => desk.retouch(&event, json!({"location": "Dock 4"})),
        (Which::Local, Kind::Delete) => desk.remove(&event),
        (Which::Remote, Kind::Create) => _ = desk.create(&own(n)).await,
        (Which::Remote, Kind::Update) => {
            let record = desk.record(&event).await;
            desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
        }
        (Which::Remote, Kind::Delete) => {
            let record = desk.record(&event).await;
            desk.crm.delete(&record).await.unwrap();
        }
    }
}

#[tokio::test]
async fn c09_the_crm_is_limited_per_hour_and_by_a_share_in_other_things_than_deletions() {
    let desk = limits(|limits| limits.crm.create = Limit::per_hour(Allowance::count(3))).desk().await;
    for n in 0..3 {
        desk.enter(hour(&format!("g{n:02}"), n + 1));
    }
    assert_eq!(desk.run().await.count(Action::CreateLocal), 3);
    desk.enter(hour("g03", 4));
    let report = desk.run().await;
    let held: Vec<_> = report.held.iter().map(|h| (h.side, h.kind, h.over, h.done)).collect();
    assert_eq!(held, [(Which::Local, Kind::Create, Over::Hour, 3)], "{report}");
    desk.clock.advance(Duration::from_secs(66 * 60));
    assert_eq!(desk.run().await.count(Action::CreateLocal), 1);
    // A quarter of four is one.
    let quarter = |binding: &mut calsync_core::Binding| {
        let share = Allowance { count: 0, percent: 25 };
        binding.limits.crm.update = Limit::per_run(share);
    };
    desk.engine.change(&desk.binding, quarter).await.unwrap();
    desk.retouch("g00", json!({"location": "Dock 4"}));
    assert_eq!(desk.run().await.count(Action::UpdateLocal), 1);
    for n in 0..2 {
        desk.retouch(&format!("g{n:02}"), json!({"location": "Dock 5"}));
    }
    let report = desk.run().await;
    assert_eq!((report.count(Action::UpdateLocal), report.held[0].allowed), (0, 1), "{report}");
}

#[tokio::test]
pub(crate) async fn c09_writes_to_the_calendar_are_limited_per_hour_and_over_runs() {
    let desk = limits(|limits| limits.calendar.update = Limit::per_hour(Allowance::count(3))).desk().await;
    let records = linked(&desk, 6).await;
    for (n, record) in records.iter().enumerate().take(3) {
        desk.edit(record, move |a| a.location = Some(format!("Dock {n}"))).await;
        assert_eq!(desk.run().await.count(Action::UpdateRemote), 1);
    }
    desk.edit(&records[3], |a| a.location = Some("Dock 3".into())).await;
    let report = desk.run().await;
    assert_eq!(report.held.len(), 1, "{report}");
    let held = &report.held[0];
    assert_eq!(
        (held.side, held.kind, held.over, held.done),
        (Which::Remote, Kind::Update, Over::Hour, 3),
        "{report}"
    );
    desk.clock.advance(Duration::from_secs(66 * 60));
    let report = desk.run().await;
    assert_eq!((report.count(Action::UpdateRemote), report.held.len()), (1, 0), "{report}");
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn c09_what_is_held_back_goes_once_when_it_is_confirmed_and_more_than_that_waits_again() {
    let desk = Desk::new().await;
    let mut records = linked(&desk, 50).await;
    delete(&desk, records.drain(..12)).await;
    let report = desk.run().await;
    assert_eq!((report.count(Action::DeleteRemote), report.held.len()), (0, 1), "{report}");
    let held = report.held[0].clone();
    assert!(held.to_string().starts_with(
        "12 records would have been deleted in the calendar and are held back, because one run may do 10 of that (50 \
         linked): "
    ), "{held}");
    assert_eq!(desk.state().await.guard.held, std::slice::from_ref(&held));
    desk.engine.confirm(&desk.binding, &held).await.unwrap();
    let again = desk.engine.confirm(&desk.binding, &held).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound, "{again}");
    // More than was confirmed.
    delete(&desk, records.drain(..1)).await;
    let report = desk.run().await;
    assert_eq!((report.count(Action::DeleteRemote), report.held[0].planned), (0, 13), "{report}");
    desk.engine.confirm(&desk.binding, &report.held[0]).await.unwrap();
    let report = desk.run().await;
    assert_eq!((report.count(Action::DeleteRemote), report.held.len()), (13, 0), "{report}");
    assert_eq!(desk.living().len(), 37);
    // Once: the next as many wait again.
    delete(&desk, records.drain(..12)).await;
    let report = desk.run().await;
    assert_eq!((report.count(Action::DeleteRemote), report.held.len()), (0, 1), "{report}");
    assert_eq!(report.held[0].planned, 12);
    // And not for ever.
    desk.engine.confirm(&desk.binding, &report.held[0]).await.unwrap();
    desk.clock.advance(Duration::from_secs(25 * 3600));
    let report = desk.run().await;
    assert_eq!((report.count(Action::DeleteRemote), report.held.len()), (0, 1), "{report}");
}

#[tokio::test]
async fn c09_nothing_that_is_not_held_back_can_be_confirmed() {
    let desk = Desk::new().await;
    let records = linked(&desk, 20).await;
    let made_up = Held {
        side: Which::Remote,
        kind: Kind::Delete,
        over: Over::Run,
        planned: 20,
        allowed: 10,
        done: 0,
        linked: 20,
        titles: vec![],
    };
    let error = desk.engine.confirm(&desk.binding, &made_up).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    delete(&desk, records.into_iter().take(12)).await;
    desk.run().await;
    assert_eq!(
        desk.engine.confirm(&desk.binding, &made_up).await.unwrap_err().kind(),
        ErrorKind::NotFound,
        "not as much"
    );
}

#[tokio::test]
async fn c09_an_allowance_of_nothing_asks_about_every_deletion() {
    let desk = Setup::default().binding(|new| new.deletions_max(Allowance::NOTHING)).desk().await;
    let records = linked(&desk, 3).await;
    delete(&desk, records.into_iter().take(1)).await;
    let report = desk.run().await;
    assert_eq!((report.count(Action::DeleteRemote), report.held[0].planned), (0, 1), "{report}");
    desk.engine.confirm(&desk.binding, &report.held[0]).await.unwrap();
    assert_eq!(desk.run().await.count(Action::DeleteRemote), 1);
    desk.settled().await;
}

#[tokio::test]
async fn a_limit_of_more_than_everything_is_refused_when_it_is_set() {
    let desk = Desk::new().await;
    let change = desk
        .engine
        .change(&desk.binding, |b| b.limits.crm.delete.per_run = Some(Allowance { count: 1, percent: 500 }));
    let error = change.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("crm.delete.per_run"), "{error}");
}

#[tokio::test]
async fn c09_c06_a_crash_in_the_middle_leaves_neither_more_nor_less_of_a_confirmation() {
    for good in (20..160).step_by(7) {
        let left = Arc::new(AtomicI64::new(-1));
        let shaky = left.clone();
        let desk = Setup::default()
            .page_records_max(4)
            .store(move |clock| {
                let store = MemoryStore::new(clock, "installation".into());
                let error = || Error::new(ErrorKind::Store, "the disk is gone");
                Arc::new(failing_once(store, shaky.clone(), error))
            })
            .desk()
            .await;
        let mut records = linked(&desk, 40).await;
        delete(&desk, records.drain(..14)).await;
        let report = desk.run().await;
        desk.engine.confirm(&desk.binding, &report.held[0]).await.unwrap();
        left.store(good, Ordering::Relaxed);
        let crashed = desk.try_run().await.is_err();
        left.store(-1, Ordering::Relaxed);
        desk.clock.advance(Duration::from_secs(300));
        desk.heal().await;
        assert_eq!(desk.living().len(), 26, "after {good} calls, crashed: {crashed}");
        delete(&desk, records.drain(..11)).await;
        desk.run().await;
        let report = desk.run().await;
        assert_eq!(desk.living().len(), 26, "nothing of it is left after {good} calls: {report}");
    }
}

#[tokio::test]
async fn c09_a_listing_that_is_empty_once_is_repeated_and_forgotten() {
    let desk = Desk::new().await;
    linked(&desk, 15).await;
    desk.fake().expire_sync_tokens();
    desk.fake().inject(Fault::new(FaultKind::EmptyListing).nth(2));
    let read = desk.asked(calsync_testkit::fake_google::Route::GetEvent);
    let report = desk.run().await;
    assert!(!report.wrote() && report.held.is_empty(), "{report}");
    assert_eq!(
        desk.asked(calsync_testkit::fake_google::Route::GetEvent),
        read,
        "nothing has to be read by id"
    );
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn c09_a_listing_that_lacks_most_twice_counts_only_when_it_is_confirmed() {
    for (lost, doubted) in [(20_u64, true), (12, true), (8, false)] {
        let desk = Desk::new().await;
        for n in 1..=20 {
            desk.enter(hour(&format!("g{n:02}"), n));
        }
        desk.run().await;
        for n in 1..=lost {
            desk.remove(&format!("g{n:02}"));
            desk.fake().user_purge(super::desk::AMY, &format!("g{n:02}"));
        }
        desk.fake().expire_sync_tokens();
        let record = desk.create(&own(27)).await;
        let report = desk.run().await;
        assert_eq!(report.count(Action::CreateRemote), 1, "the rest goes on: {report}");
        assert!(desk.crm.read(&record).await.unwrap().is_some());
        if !doubted {
            assert_eq!(report.count(Action::DeleteLocal), lost, "{report}");
            continue;
        }
        let held: Vec<_> = report.held.iter().map(|h| (h.over, h.planned, h.linked)).collect();
        assert_eq!(held, [(Over::Listing, lost, 20)], "{report}");
        assert_eq!((report.count(Action::DeleteLocal), report.outcome), (0, Outcome::Partial), "{report}");
        // It stays so until somebody says that it is right.
        let report = desk.run().await;
        assert_eq!((report.held.len(), report.count(Action::DeleteLocal)), (1, 0), "{report}");
        desk.engine.confirm(&desk.binding, &report.held[0]).await.unwrap();
        let report = desk.run().await;
        assert_eq!((report.count(Action::DeleteLocal), report.held.len()), (lost, 0), "{report}");
        assert!(desk.state().await.guard.confirmed.is_empty());
        desk.settled_after_a_full_listing().await;
    }
}

#[tokio::test]
async fn c09_a_listing_of_changes_that_are_mostly_deletions_is_held_back() {
    let desk = Desk::new().await;
    for n in 1..=20 {
        desk.enter(hour(&format!("g{n:02}"), n));
    }
    desk.run().await;
    for n in 1..=18 {
        desk.remove(&format!("g{n:02}"));
    }
    let report = desk.run().await;
    assert_eq!((report.count(Action::DeleteLocal), report.held[0].planned), (0, 18), "{report}");
    assert_eq!(desk.titles().await.len(), 20);
}

#[tokio::test]
pub(crate) async fn a_run_stops_at_the_next_write_when_somebody_halts_it_and_goes_on_when_they_take_it_back()
{
    for everyone in [false, true] {
        let desk = Desk::new().await;
        for number in 0..10 {
            desk.create(&own(number)).await;
        }
        let (engine, sent) = (desk.engine.clone(), AtomicUsize::new(0));
        desk.before(move |request, _| {
            if request.method() == http::Method::POST
                && request.uri().path().ends_with("/events")
                && sent.fetch_add(1, Ordering::Relaxed) == 2
            {
                let halted = async {
                    match everyone {
                        true => engine.halt_all("Ann", "wrong filter").await,
                        false => engine.halt("Ann", "wrong filter").await,
                    }
                };
                halted.now_or_never().expect("in memory").unwrap();
            }
            Way::Free
        });
        let report = desk.run().await;
        assert_eq!((desk.living().len(), report.outcome), (3, Outcome::Stopped), "{report}");
        let error = report.error.unwrap();
        assert_eq!(error.kind, ErrorKind::Halted);
        for word in ["Ann", "wrong filter", "2026-11-23", if everyone { "unhalt_all" } else { "unhalt" }] {
            assert!(error.message.contains(word), "{word}: {}", error.message);
        }
        let outbox =
            desk.engine.store().outbox(desk.engine.tenant(), &desk.binding.id, 0, 100).await.unwrap();
        assert!(outbox.iter().all(|entry| entry.state == EntryState::Planned), "{outbox:?}");
        assert_eq!(outbox.len(), 7);
        desk.undisturbed();
        // Nothing begins, other tenants by the kind of halt; a plan is still drawn up.
        let asked = desk.fake().journal().len();
        let report = desk.run().await;
        assert_eq!((report.outcome, desk.fake().journal().len()), (Outcome::Stopped, asked), "{report}");
        assert_eq!(desk.engine.for_tenant("globex").halted().await.unwrap().is_some(), everyone);
        let plan = desk.engine.plan(&desk.binding).await.unwrap();
        assert_eq!(desk.engine.apply(&plan).await.unwrap().outcome, Outcome::Stopped);
        assert_eq!(desk.living().len(), 3);
        match everyone {
            true => desk.engine.unhalt_all().await.unwrap(),
            false => desk.engine.unhalt().await.unwrap(),
        }
        desk.run().await;
        assert_eq!(desk.living().len(), 10);
        desk.settled().await;
    }
}

/// Whoever halts a listing has what was listed so far, and the rest is listed from there.
#[tokio::test]
async fn a_listing_stops_at_the_next_page_when_somebody_halts_it_and_goes_on_from_that_page() {
    let desk = Setup::default().page_size(2).desk().await;
    for number in 0..20 {
        desk.enter(hour(&format!("theirs{number:02}"), number + 1));
    }
    let (engine, pages) = (desk.engine.clone(), Arc::new(AtomicUsize::new(0)));
    let asked = Arc::clone(&pages);
    desk.before(move |request, _| {
        if request.method() == http::Method::GET
            && request.uri().path().ends_with("/events")
            && asked.fetch_add(1, Ordering::Relaxed) == 3
        {
            engine.halt("Ann", "wrong calendar").now_or_never().expect("in memory").unwrap();
        }
        Way::Free
    });
    let report = desk.run().await;
    assert_eq!(report.outcome, Outcome::Stopped, "{report}");
    assert_eq!(report.error.unwrap().kind, ErrorKind::Halted);
    let first = pages.load(Ordering::Relaxed);
    // What was on its way already arrives.
    assert!((4..8).contains(&first), "{first} pages were asked for");
    // Of the three pages that had come before: the third was not stored any more.
    assert_eq!(desk.titles().await.len(), 4, "nothing was written since");
    desk.engine.unhalt().await.unwrap();
    let report = desk.run().await;
    assert_eq!((report.outcome, desk.titles().await.len()), (Outcome::Complete, 20), "{report}");
    let all = pages.load(Ordering::Relaxed);
    assert!((10..15).contains(&all), "{all} pages were asked for in both runs: the first ones not again");
    desk.settled().await;
}
