//! Listings: every page, expired cursors, deletions found late, evidence that is none, and runs that break off.

use super::desk::{AMY, Desk, Setup, Way, hour, visit};
use calsync_core::ErrorKind;
use calsync_core::limits::{Allowance, Limits};
use calsync_core::plan::Action;
use calsync_core::report::Listed;
use calsync_core::store::Store;
use calsync_sqlite::SqliteStore;
use calsync_testkit::fake_google::{Fault, FaultKind, Route};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
pub(crate) async fn g09_a_record_stays_while_its_event_cannot_be_read() {
    let refuse = |code, reason: &str| FaultKind::Refuse { code, reason: reason.into(), message: "No".into() };
    for fault in [
        refuse(403, "forbidden"),
        FaultKind::Status { code: 500 },
        FaultKind::Slow { milliseconds: 500_000 },
        FaultKind::LostBeforeWork,
        FaultKind::StatusHtml { code: 404 },
    ] {
        let desk = Desk::new().await;
        desk.lawless();
        desk.enter(hour("g1", 1));
        desk.run().await;
        let record = desk.record("g1").await;
        desk.fake().expire_sync_tokens();
        desk.fake().inject(Fault::new(FaultKind::EmptyListing).nth(2));
        desk.fake().inject(Fault::new(fault.clone()).on(Route::GetEvent).times(50));
        let error = desk.try_run().await.unwrap_err();
        assert!(error.to_string().contains("g1"), "{fault:?}: {error}");
        assert_eq!(desk.titles().await, ["g1"], "{fault:?}");
        let health = desk.state().await.health;
        assert_eq!(health.last_error.map(|last| last.kind), Some(error.kind()), "{fault:?}");
        // A way out: once Google answers again, everything is as it was.
        desk.heal().await;
        assert!(desk.crm.read(&record).await.unwrap().unwrap().state().fields().is_some());
        assert_eq!((desk.titles().await, desk.living().len()), (vec!["g1".to_owned()], 1), "{fault:?}");
        desk.settled().await;
    }
}

#[tokio::test]
async fn g11_an_expired_cursor_leads_to_a_full_listing_in_the_same_run() {
    let desk = Desk::new().await;
    desk.enter(hour("g1", 1));
    desk.run().await;
    desk.retouch("g1", json!({"summary": "Renamed"}));
    desk.enter(hour("g2", 2));
    desk.fake().expire_sync_tokens();
    let report = desk.run().await;
    assert_eq!(
        (report.listed, report.count(Action::UpdateLocal), report.count(Action::CreateLocal)),
        (Listed::Again, 1, 1),
        "{report}"
    );
    assert!(report.warnings().any(|warning| warning.contains("everything is listed again")), "{report}");
    assert_eq!(desk.titles().await, ["Renamed", "g2"]);
    assert_eq!(desk.settled().await.listed, Listed::Changes);
}

#[tokio::test]
async fn g12_what_was_deleted_while_the_cursor_was_dead_is_found_verified_and_applied() {
    for forgotten in [false, true] {
        let desk = Desk::new().await;
        for n in 1..=5 {
            desk.enter(hour(&format!("g{n}"), n));
        }
        desk.run().await;
        desk.remove("g2");
        desk.remove("g4");
        if forgotten {
            // As long ago that Google knows nothing of it any more.
            desk.fake().user_purge(super::desk::AMY, "g2");
            desk.fake().user_purge(super::desk::AMY, "g4");
        }
        desk.fake().expire_sync_tokens();
        let read = desk.asked(Route::GetEvent);
        let report = desk.run().await;
        assert_eq!(
            (report.listed, report.count(Action::DeleteLocal)),
            (Listed::Again, 2),
            "{forgotten}: {report}"
        );
        assert!(desk.asked(Route::GetEvent) >= read + 2, "a listing is no proof");
        assert_eq!(desk.titles().await, ["g1", "g3", "g5"]);
        assert_eq!(desk.living().len(), 3);
        desk.settled_after_a_full_listing().await;
    }
}

#[tokio::test]
async fn g13_every_page_is_applied_and_only_the_last_one_brings_a_cursor() {
    let desk = Setup::default().page_size(2).desk().await;
    for n in 1..=7 {
        desk.enter(hour(&format!("g{n}"), n));
    }
    desk.fake().inject(Fault::new(FaultKind::Status { code: 500 }).on(Route::ListEvents).nth(3).times(50));
    let error = desk.try_run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let state = desk.state().await;
    assert_eq!((state.listing.cursor, state.listing.page.is_some()), (None, true));
    assert_eq!(state.health.last_success, None);
    desk.heal().await;
    assert_eq!(desk.titles().await.len(), 7);
    assert!(desk.state().await.listing.complete());
    // The same with what changed since.
    for n in 1..=7 {
        desk.retouch(&format!("g{n}"), json!({"location": "Dock 4"}));
    }
    let report = desk.run().await;
    assert_eq!(report.count(Action::UpdateLocal), 7, "{report}");
    desk.settled().await;
}

#[tokio::test]
async fn g13_pages_that_come_twice_or_empty_and_items_that_come_twice_change_nothing() {
    for fault in [FaultKind::RepeatPage, FaultKind::RepeatItems, FaultKind::EmptyPage] {
        let desk = Setup::default().page_size(2).desk().await;
        for n in 1..=5 {
            desk.enter(hour(&format!("g{n}"), n));
        }
        desk.fake().inject(Fault::new(fault.clone()));
        desk.run().await;
        assert_eq!(desk.titles().await, ["g1", "g2", "g3", "g4", "g5"], "{fault:?}");
        desk.settled().await;
        desk.retouch("g3", json!({"summary": "Renamed"}));
        desk.fake().inject(Fault::new(fault.clone()));
        desk.run().await;
        assert_eq!(desk.titles().await, ["g1", "g2", "Renamed", "g4", "g5"], "{fault:?}");
        desk.settled().await;
    }
}

#[tokio::test]
async fn g15_a_tombstone_of_an_event_that_was_never_synced_is_ignored() {
    let desk = Desk::new().await;
    desk.run().await;
    desk.enter(hour("g1", 1));
    desk.remove("g1");
    let report = desk.settled().await;
    assert_eq!((report.rows.len(), desk.titles().await.len()), (0, 0), "{report}");
    let changes = desk.engine.store().record_changes(desk.engine.tenant(), None, None, 10).await.unwrap();
    assert!(changes.records.is_empty(), "{changes:?}");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
async fn c08_a_run_that_dies_between_two_pages_goes_on_at_the_stored_page_and_misses_nothing() {
    let desk = Setup::default().page_size(2).desk().await;
    for n in 1..=7 {
        desk.enter(hour(&format!("g{n}"), n));
    }
    desk.run().await;
    for n in [1, 3, 5, 7] {
        desk.retouch(&format!("g{n}"), json!({"location": "Dock 4"}));
    }
    let (old, mut pages) = (desk.state().await, 0);
    desk.before(move |request, _| {
        if request.method() == http::Method::GET && request.uri().path().ends_with("/events") {
            pages += 1;
        }
        if pages > 1 { Way::Cut } else { Way::Free }
    });
    desk.try_run().await.unwrap_err();
    let state = desk.state().await;
    assert_eq!(state.listing.cursor, old.listing.cursor, "the cursor waits for the last page");
    assert!(state.listing.page.is_some());
    assert_eq!(state.health.last_success, old.health.last_success);
    desk.undisturbed();
    desk.fake().clear_journal();
    let report = desk.run().await;
    let first = desk.fake().journal().iter().find(|entry| entry.route == Route::ListEvents).cloned().unwrap();
    assert!(first.param("pageToken").is_some(), "{first:?}");
    assert_eq!(report.count(Action::UpdateLocal), 4, "{report}");
    for n in [1, 3, 5, 7] {
        let record = desk.record(&format!("g{n}")).await;
        assert_eq!(desk.value(&record, "location").await, "Dock 4");
    }
    desk.settled().await;
}

#[tokio::test]
async fn c08_a_page_token_that_expired_meanwhile_begins_the_listing_anew() {
    let desk = Setup::default().page_size(2).desk().await;
    for n in 1..=5 {
        desk.enter(hour(&format!("g{n}"), n));
    }
    desk.fake().inject(Fault::new(FaultKind::Status { code: 503 }).on(Route::ListEvents).nth(2).times(50));
    desk.try_run().await.unwrap_err();
    desk.fake().expire_sync_tokens();
    desk.clock.advance(Duration::from_secs(30 * 24 * 3600));
    desk.heal().await;
    assert_eq!(desk.titles().await.len(), 5);
    desk.settled().await;
}

#[tokio::test]
async fn c09_an_empty_listing_deletes_nothing() {
    let desk = Desk::new().await;
    for n in 1..=15 {
        desk.enter(hour(&format!("g{n:02}"), n));
    }
    let own = desk.create(&visit("Own", "2026-12-20T09:00:00")).await;
    desk.run().await;
    desk.fake().expire_sync_tokens();
    desk.fake().inject(Fault::new(FaultKind::EmptyListing).nth(2));
    let report = desk.run().await;
    assert_eq!((report.count(Action::DeleteLocal), report.listed), (0, Listed::Again), "{report}");
    assert_eq!((desk.titles().await.len(), desk.living().len()), (16, 16));
    assert!(desk.crm.read(&own).await.unwrap().is_some());
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn c09_more_deletions_than_allowed_wait_and_everything_else_goes_on() {
    let desk = Desk::new().await;
    for n in 1..=15 {
        desk.enter(hour(&format!("g{n:02}"), n));
    }
    desk.run().await;
    for n in 1..=12 {
        desk.remove(&format!("g{n:02}"));
    }
    desk.retouch("g15", json!({"summary": "Renamed"}));
    let report = desk.run().await;
    assert_eq!((report.count(Action::DeleteLocal), report.count(Action::UpdateLocal)), (0, 1), "{report}");
    assert!(
        report.to_string().contains("12 records would have been removed in the CRM and are held back"),
        "{report}"
    );
    assert_eq!(desk.titles().await.len(), 15);
    desk.engine
        .change(&desk.binding, |binding| binding.limits = Limits::deletions_max(Allowance::count(12)))
        .await
        .unwrap();
    assert_eq!(desk.run().await.count(Action::DeleteLocal), 12);
    assert_eq!(desk.titles().await, ["g13", "g14", "Renamed"]);
    desk.settled().await;
}

/// One was entered by a person, one made by calsync, whose answer was lost; both are read once without an end, and are gone
/// without a tombstone before they are read again, as what lay in the bin for thirty days.
#[tokio::test]
async fn c11_what_could_not_be_read_and_is_not_there_any_more_waits_for_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::builder(directory.path().join("calsync.db")).on_calling_thread().open().await;
    let sqlite: Arc<dyn Store> = Arc::new(sqlite.unwrap());
    for setup in [Setup::default(), Setup::default().store(move |_| Arc::clone(&sqlite))] {
        let desk = setup.desk().await;
        desk.create(&visit("Ours", "2026-12-01T09:00:00")).await;
        desk.enter(hour("theirs", 2));
        desk.lawless();
        desk.fake().inject(Fault::new(FaultKind::LostAfterWork).on_writes());
        desk.after(|_, mut answer| {
            for event in answer["items"].as_array_mut().map_or(Vec::new(), |items| items.iter_mut().collect())
            {
                event["end"] = json!(null);
            }
            if answer["kind"] == "calendar#event" {
                answer["end"] = json!(null);
            }
            answer
        });
        for _ in 0..2 {
            desk.clock.advance(Duration::from_secs(180));
            let _ = desk.try_run().await;
        }
        desk.undisturbed();
        let report = desk.run().await;
        assert_eq!(report.count(Action::Wait), 2, "{report}");
        for event in desk.living() {
            let id = event["id"].as_str().unwrap().to_owned();
            desk.remove(&id);
            desk.fake().user_purge(AMY, &id);
        }
        desk.fake().expire_sync_tokens();
        desk.run().await;
        desk.settled().await;
        assert_eq!(desk.titles().await, ["Ours"]);
        assert_eq!(desk.titled("Ours")["start"]["dateTime"], "2026-12-01T09:00:00-07:00");
    }
}
