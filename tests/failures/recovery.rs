//! Stores that fail half-way, bindings that are taken apart and made again, and stores that are lost.

use super::desk::{AMY, Desk, Setup, Way, hour, key, visit, with};
use super::shaky_store::{failing, failing_once};
use async_trait::async_trait;
use calsync_core::binding::Direction;
use calsync_core::clock::ManualClock;
use calsync_core::host::{Applied, Changes, Host, RecordWrite};
use calsync_core::model::Record;
use calsync_core::plan::Action;
use calsync_core::store::{MemoryStore, Store};
use calsync_core::{Binding, Engine, Error, ErrorKind, Position, RecordId, Result, Tenant};
use calsync_google::Google;
use calsync_sqlite::SqliteStore;
use serde_json::json;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

#[tokio::test]
async fn g07_a_store_that_fails_half_way_empties_neither_side() {
    g07(false).await;
}

#[tokio::test]
pub(crate) async fn g07_c08_a_store_that_fails_for_a_moment_loses_nothing() {
    g07(true).await;
}

async fn g07(once: bool) {
    let mut calls = 0;
    loop {
        let good = Arc::new(AtomicI64::new(-1));
        let switch = good.clone();
        let shaky = move |clock: Arc<ManualClock>| -> Arc<dyn Store> {
            let new = if once { failing_once } else { failing };
            Arc::new(new(MemoryStore::new(clock, "installation".into()), switch.clone(), || {
                Error::new(ErrorKind::Store, "the database was closed").later()
            }))
        };
        let desk = Setup::default().page_size(3).page_records_max(2).store(shaky).desk().await;
        for n in 1..=4 {
            desk.enter(hour(&format!("g{n}"), n));
            desk.create(&visit(&format!("v{n}"), &format!("2026-12-{:02}T11:00:00", n + 10))).await;
        }
        desk.run().await;
        desk.run().await;
        let one = desk.record("v1").await;
        desk.edit(&one, |a| a.location = Some("Dock 4".into())).await;
        desk.create(&visit("v5", "2026-12-15T11:00:00")).await;
        desk.retouch("g1", json!({"location": "Dock 5"}));
        desk.enter(hour("g5", 5));
        desk.fake().expire_sync_tokens();
        good.store(calls, Ordering::Relaxed);
        let outcome = desk.try_run().await;
        let reached = good.swap(-1, Ordering::Relaxed) <= 0;
        if let Err(error) = &outcome {
            assert_eq!(error.kind(), ErrorKind::Store, "after {calls} calls: {error}");
        }
        assert!(desk.titles().await.len() >= 9, "after {calls} calls");
        assert!(desk.living().len() >= 9, "after {calls} calls");
        let deletions = desk.fake().journal().iter().filter(|entry| entry.method == "DELETE").count();
        assert_eq!(deletions, 0, "after {calls} calls");
        // The lease of the run that broke off has to run out first.
        desk.clock.advance(Duration::from_secs(180));
        for _ in 0..3 {
            desk.run().await;
        }
        assert_eq!((desk.titles().await.len(), desk.living().len()), (10, 10), "after {calls} calls");
        assert_eq!(desk.titled("v1")["location"], "Dock 4");
        let pulled = desk.record("g1").await;
        assert_eq!(desk.value(&pulled, "location").await, "Dock 5");
        desk.settled().await;
        if !reached {
            break;
        }
        calls += 1;
    }
    assert!(calls > 20, "{calls}: the store was hardly asked");
}

/// A CRM whose table can be read, but not to the end.
#[derive(Debug)]
struct HalfAHost {
    records: Vec<Record>,
    broken: Arc<AtomicI64>,
}

#[async_trait]
impl Host for HalfAHost {
    async fn changes(&self, _: &Tenant, position: Option<&Position>, _: usize) -> Result<Changes> {
        let at: usize = position.map_or(0, |at| at.as_str().parse().unwrap_or(0));
        if at > 0 && self.broken.load(Ordering::Relaxed) != 0 {
            return Err(Error::new(ErrorKind::Host, "the CRM's table was closed").later());
        }
        let records: Vec<Record> = self.records.iter().skip(at).take(1).cloned().collect();
        let more = at + 1 < self.records.len();
        Ok(Changes { position: Some((at + records.len()).to_string().as_str().into()), records, more })
    }

    async fn apply(&self, _: &Tenant, rows: &[RecordWrite]) -> Result<Vec<Applied>> {
        Ok(rows.iter().map(|row| Applied::Applied { id: row.id.clone(), version: "2".into() }).collect())
    }

    async fn read(&self, _: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>> {
        Ok(self.records.iter().filter(|record| ids.contains(&record.id)).cloned().collect())
    }
}

#[tokio::test]
async fn g07_a_crm_that_can_be_read_only_half_way_ends_the_run_before_it_writes() {
    let desk = Desk::new().await;
    let record = |n: u32| Record {
        id: format!("r{n}").as_str().into(),
        version: "1".into(),
        agent: AMY.into(),
        occurrence: None,
        fields: Some(visit(&format!("v{n}"), &format!("2026-12-{n:02}T09:00:00")).to_fields()),
        sync: true,
        modified: "2026-11-01T00:00:00Z".parse().unwrap(),
    };
    let broken = Arc::new(AtomicI64::new(1));
    let host = HalfAHost { records: (1..=4).map(record).collect(), broken: broken.clone() };
    let google = Google::service_account(key())
        .transport(Arc::new(desk.wire.clone()))
        .clock(desk.clock.clone())
        .build()
        .unwrap();
    let engine = Engine::builder(MemoryStore::new(desk.clock.clone(), "with host".into()))
        .provider("google", google)
        .host(host)
        .clock(desk.clock.clone())
        .build()
        .unwrap();
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    let error = engine.run(&binding).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Host);
    assert_eq!((desk.writes(), desk.living().len()), (0, 0));
    broken.store(0, Ordering::Relaxed);
    engine.run(&binding).await.unwrap();
    assert_eq!(desk.living().len(), 4);
    broken.store(1, Ordering::Relaxed);
    engine.run(&binding).await.unwrap_err();
    assert_eq!(desk.living().len(), 4);
}

#[tokio::test]
async fn g08_what_was_loaded_one_way_is_kept_when_both_ways_are_switched_on() {
    for first in [Direction::FromRemote, Direction::ToRemote] {
        let desk = Desk::new().await;
        let binding = desk.engine.redirect(&desk.binding, first).await.unwrap();
        for n in 1..=3 {
            desk.enter(hour(&format!("g{n}"), n));
            desk.create(&visit(&format!("v{n}"), &format!("2026-12-{:02}T11:00:00", n + 10))).await;
        }
        desk.run().await;
        desk.run().await;
        let (here, there) = (desk.titles().await.len(), desk.living().len());
        assert_eq!((here.min(there), here.max(there)), (3, 6), "{first:?}");
        desk.engine.redirect(&binding, Direction::TwoWay).await.unwrap();
        desk.run().await;
        desk.run().await;
        assert_eq!((desk.titles().await.len(), desk.living().len()), (6, 6), "{first:?}");
        desk.settled_after_a_full_listing().await;
    }
}

/// Titles of both sides, to find doubles and gaps.
async fn both(desk: &Desk, engine: &Engine) -> (Vec<String>, Vec<String>) {
    let (from, to) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-12-31T00:00:00Z".parse().unwrap());
    let shown = engine.appointments().unwrap().window(AMY, from, to).await.unwrap();
    let mut here: Vec<String> =
        shown.into_iter().map(|s| s.appointment.summary.unwrap_or_default()).collect();
    let mut there: Vec<String> = desk
        .fake()
        .instances(AMY, from, to)
        .iter()
        .map(|e| e["summary"].as_str().unwrap_or("").to_owned())
        .collect();
    here.sort();
    there.sort();
    (here, there)
}

async fn mixed(desk: &Desk) {
    for n in 1..=3 {
        desk.enter(hour(&format!("g{n}"), n));
        desk.create(&visit(&format!("v{n}"), &format!("2026-12-{:02}T11:00:00", n + 10))).await;
    }
    desk.enter(with(hour("s1", 5), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})));
    desk.run().await;
    let series = desk.record("s1").await;
    let slot = desk.shown().await.iter().filter_map(|s| s.occurrence.clone()).nth(1).unwrap().slot;
    desk.crm.edit_occurrence(&series, slot, |a| a.summary = Some("s1 once".into())).await.unwrap();
    desk.run().await;
    desk.run().await;
    desk.settled().await;
}

#[tokio::test]
async fn g27_a_calendar_that_is_unbound_and_bound_again_has_nothing_twice() {
    let mut desk = Desk::new().await;
    mixed(&desk).await;
    let before = both(&desk, &desk.engine).await;
    for _ in 0..2 {
        desk.engine.unbind(&desk.binding).await.unwrap();
        assert_eq!(both(&desk, &desk.engine).await, before);
        desk.binding = desk.engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
        desk.run().await;
        desk.run().await;
        assert_eq!(both(&desk, &desk.engine).await, before);
        desk.settled_after_a_full_listing().await;
    }
}

/// Reset: unbound, and what was in the CRM deleted there. The calendar has lost nothing by that, and fills the CRM again: series with
/// what was changed and cancelled of them.
#[tokio::test]
async fn g28_after_a_reset_the_same_account_fills_the_crm_again_and_nothing_half_removed_is_in_the_way() {
    let mut desk = Desk::new().await;
    mixed(&desk).await;
    let (_, there) = both(&desk, &desk.engine).await;
    let writes = desk.writes();
    for _ in 0..2 {
        let records: std::collections::BTreeSet<_> = desk
            .shown()
            .await
            .into_iter()
            .map(|shown| shown.occurrence.map_or(shown.record, |o| o.series))
            .collect();
        desk.engine.unbind(&desk.binding).await.unwrap();
        for record in records {
            desk.crm.delete(&record).await.unwrap();
        }
        assert!(desk.shown().await.is_empty());
        desk.binding = desk.engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
        desk.run().await;
        desk.run().await;
        assert_eq!(both(&desk, &desk.engine).await, (there.clone(), there.clone()));
        desk.settled_after_a_full_listing().await;
    }
    assert_eq!(desk.writes(), writes, "Google was written");
}

#[tokio::test]
async fn g27_after_the_store_was_lost_the_crm_is_filled_again_and_nothing_is_there_twice() {
    let desk = Desk::new().await;
    mixed(&desk).await;
    let (_, before) = both(&desk, &desk.engine).await;
    for installation in ["installation", "another installation"] {
        let writes = desk.writes();
        let store = MemoryStore::new(desk.clock.clone(), installation.into());
        let engine = desk.another_engine(Arc::new(store), Google::service_account(key()), 8);
        let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
        engine.run(&binding).await.unwrap();
        engine.run(&binding).await.unwrap();
        assert_eq!(both(&desk, &engine).await, (before.clone(), before.clone()), "{installation}");
        assert_eq!(desk.writes(), writes, "{installation}: Google was written");
    }
}

#[tokio::test]
async fn g27_a_store_that_went_back_to_an_older_backup_doubles_nothing_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (file, backup) = (directory.path().join("calsync.db"), directory.path().join("backup.db"));
    let open = |path: &std::path::Path| SqliteStore::builder(path).on_calling_thread().open();
    let store = open(&file).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let desk = Setup::default().store(move |_| Arc::clone(&store)).desk().await;
    desk.create(&visit("before", "2026-12-01T09:00:00")).await;
    let edited = desk.create(&visit("edited", "2026-12-02T09:00:00")).await;
    desk.run().await;
    desk.run().await;
    rusqlite::Connection::open(&file).unwrap().execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    // What follows is not in the backup, and is in Google.
    desk.create(&visit("after", "2026-12-03T09:00:00")).await;
    desk.edit(&edited, |a| a.location = Some("Dock 4".into())).await;
    desk.enter(hour("theirs", 4));
    desk.run().await;
    desk.run().await;
    let writes = desk.writes();
    let engine =
        desk.another_engine(Arc::new(open(&backup).await.unwrap()), Google::service_account(key()), 8);
    for _ in 0..3 {
        desk.clock.advance(Duration::from_secs(60));
        engine.run(&desk.binding).await.unwrap();
    }
    let expected: Vec<String> = ["after", "before", "edited", "theirs"].map(str::to_owned).into();
    assert_eq!(both(&desk, &engine).await, (expected.clone(), expected));
    assert_eq!(desk.titled("edited")["location"], "Dock 4");
    assert_eq!(desk.writes(), writes, "what Google has already was written again");
}

#[tokio::test]
async fn g27_a_creation_whose_store_was_lost_before_the_answer_came_is_recognised() {
    let desk = Desk::new().await;
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    // Google takes it, and the process dies before it hears so.
    let mut done = false;
    desk.before(move |request, _| {
        let write = request.method() == http::Method::POST && request.uri().path().ends_with("/events");
        if done {
            return Way::Cut;
        }
        done = write;
        Way::Free
    });
    desk.fake().inject(
        calsync_testkit::fake_google::Fault::new(calsync_testkit::fake_google::FaultKind::LostAfterWork)
            .on_writes(),
    );
    let _ = desk.try_run().await;
    desk.undisturbed();
    assert_eq!(desk.living().len(), 1);
    desk.engine.unbind(&desk.binding).await.unwrap();
    let binding = desk.engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    for _ in 0..3 {
        desk.try_run_of(&binding).await.unwrap();
    }
    assert_eq!((desk.living().len(), desk.titles().await), (1, vec!["Visit".to_owned()]));
    let report = desk.try_run_of(&binding).await.unwrap();
    assert!(!report.wrote(), "{report}");
    // Still the same pair.
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    let report = desk.try_run_of(&binding).await.unwrap();
    assert_eq!(report.count(Action::UpdateRemote), 1, "{report}");
    assert_eq!(desk.titled("Visit")["location"], "Dock 4");
}

/// A meeting that both sides changed at once after a backup was taken: deleted there, edited here, and so made anew there.
#[tokio::test]
async fn g27_an_event_that_was_made_anew_since_the_backup_is_the_record_s_event_from_then_on() {
    let kept = Arc::new(OnceLock::new());
    let keep = Arc::clone(&kept);
    let new = move |clock: Arc<ManualClock>| -> Arc<dyn Store> {
        Arc::new(keep.get_or_init(|| MemoryStore::new(clock, "installation".into())).clone())
    };
    let desk = Setup::default().store(new).desk().await;
    let record = desk.create(&visit("Visit", "2026-12-01T09:00:00")).await;
    desk.run().await;
    desk.settled().await;
    let backup = kept.get().unwrap().copy();
    desk.remove(desk.titled("Visit")["id"].as_str().unwrap());
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    desk.run().await;
    desk.settled().await;
    assert_eq!(desk.living().len(), 1, "made anew");
    let writes = desk.writes();
    let engine = desk.another_engine(Arc::new(backup), Google::service_account(key()), 8);
    for _ in 0..3 {
        desk.clock.advance(Duration::from_secs(60));
        engine.run(&desk.binding).await.unwrap();
    }
    let crm = engine.appointments().unwrap();
    assert_eq!(both(&desk, &engine).await, (vec!["Visit".to_owned()], vec!["Visit".to_owned()]));
    assert_eq!(desk.titled("Visit")["location"], "Dock 4");
    assert_eq!(desk.writes(), writes, "what Google has already was written again");
    crm.edit(&record, |a| a.location = Some("Dock 5".into())).await.unwrap();
    engine.run(&desk.binding).await.unwrap();
    assert_eq!(desk.titled("Visit")["location"], "Dock 5");
}
