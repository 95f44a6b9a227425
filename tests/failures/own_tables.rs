//! A CRM with tables of its own: answers that are lost, limits, working hours, and what is kept from calsync.

use super::desk::{AMY, Desk, ZONE, hour, timed, visit, with};
use super::log::Log;
use super::own_table::{OwnTable, rounds, store};
use super::privacy::{bytes, silent};
use calsync_core::binding::Detail;
use calsync_core::host::{Host, RecordChange};
use calsync_core::limits::{Allowance, Limit, Limits};
use calsync_core::model::{Appointment, State, Visibility};
use calsync_core::store::Which;
use calsync_core::{Binding, Tenant};
use calsync_sqlite::SqliteStore;
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The CRM says when people work, and a file keeps what was told.
#[tokio::test]
async fn c20_a_crm_with_a_table_of_its_own_is_told_what_is_outside_of_the_hours_that_it_knows() {
    let directory = tempfile::tempdir().unwrap();
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let file = SqliteStore::builder(directory.path().join("calsync.db")).clock(desk.clock.clone());
    let engine = table.engine(&desk, file.on_calling_thread().open().await.unwrap(), 8);
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    desk.enter(timed("late", "2026-12-01T16:30:00", "2026-12-01T17:30:00", ZONE));
    desk.enter(hour("inside", 1));
    let report = engine.run(&binding).await.unwrap();
    assert_eq!(report.warnings().count(), 1, "{report}");
    desk.clock.advance(Duration::from_secs(60));
    let report = engine.run(&binding).await.unwrap();
    assert_eq!((report.warnings().count(), report.wrote()), (0, false), "{report}");
    assert_eq!(engine.hours_warnings(&binding, None, 9).await.unwrap().len(), 1);
    desk.remove("late");
    let report = engine.run(&binding).await.unwrap();
    assert_eq!(report.hours.withdrawn.len(), 1, "{report}");
    assert_eq!(engine.hours_warnings(&binding, None, 9).await.unwrap(), []);
}

/// Before it is saved in the CRM, with what became of the series' occurrences.
#[tokio::test]
async fn c20_an_edit_in_a_table_of_the_crm_s_is_held_against_the_hours_before_it_is_saved() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let engine = table.engine(&desk, store(&desk), 8);
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    let start = timed("round", "2026-12-01T16:30:00", "2026-12-01T17:00:00", ZONE);
    desk.enter(with(start, json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})));
    desk.remove("round_20261208T233000Z");
    rounds(&desk, &engine, &binding, 2).await;
    let records = table.changes(&Tenant::from("default"), None, 10).await.unwrap().records;
    let series = records.into_iter().find(|record| record.occurrence.is_none()).unwrap();
    let mut longer = Appointment::from_fields(&series.fields.unwrap()).unwrap();
    assert_eq!(engine.hours_notice(&AMY.into(), Some(&series.id), &longer).await.unwrap(), None);
    longer.when = visit("", "2026-12-01T16:30:00").when;
    let notice = engine.hours_notice(&AMY.into(), Some(&series.id), &longer).await.unwrap().unwrap();
    assert!(notice.contains("round: 2 of 2 occurrences."), "{notice}");
}

/// Whatever calsync keeps its own rows in.
#[tokio::test]
async fn c09_deletions_in_a_table_of_the_crm_s_are_held_back_until_they_are_confirmed() {
    let directory = tempfile::tempdir().unwrap();
    for sqlite in [false, true] {
        let desk = Desk::new().await;
        let table = OwnTable::new(&desk);
        let engine = match sqlite {
            false => table.engine(&desk, store(&desk), 8),
            true => {
                let file =
                    SqliteStore::builder(directory.path().join("calsync.db")).clock(desk.clock.clone());
                table.engine(&desk, file.on_calling_thread().open().await.unwrap(), 8)
            }
        };
        let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
        for day in 1..=15 {
            desk.enter(hour(&format!("theirs{day}"), day));
        }
        engine.run(&binding).await.unwrap();
        let living = || async {
            let all = table.changes(&Tenant::from("default"), None, 100).await.unwrap().records;
            let fields = all.iter().filter_map(|record| record.fields.as_ref());
            fields.filter(|fields| fields.get("status").is_none_or(|status| status != "cancelled")).count()
        };
        assert_eq!(living().await, 15);
        for day in 1..=12 {
            desk.remove(&format!("theirs{day}"));
        }
        for _ in 0..2 {
            let report = engine.run(&binding).await.unwrap();
            assert_eq!((living().await, report.held.len()), (15, 1), "{report}");
            assert_eq!((report.held[0].planned, report.held[0].side), (12, Which::Local), "{report}");
        }
        let held = engine.state(&binding).await.unwrap().guard.held.remove(0);
        engine.confirm(&binding, &held).await.unwrap();
        let report = engine.run(&binding).await.unwrap();
        assert_eq!((living().await, report.held.len()), (3, 0), "{report}");
    }
}

/// The other way round: deleted in the calendar while the CRM's answer is missing. A listing of everything does not show it any more.
#[tokio::test]
async fn c04_what_is_missing_from_a_listing_before_the_crm_s_answer_is_heard_is_deleted() {
    for (everything, planned) in [(false, false), (true, false), (false, true), (true, true)] {
        let desk = Desk::new().await;
        let table = OwnTable::new(&desk);
        desk.enter(hour("g1", 1));
        let engine = table.engine(&desk, store(&desk), 8);
        let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
        table.mute.store(true, Ordering::Relaxed);
        engine.run(&binding).await.unwrap_err();
        desk.remove("g1");
        if everything {
            desk.fake().expire_sync_tokens_of(AMY);
        }
        if planned {
            engine.plan(&binding).await.unwrap();
        }
        rounds(&desk, &engine, &binding, 3).await;
        let records = table.changes(&Tenant::from("default"), None, 10).await.unwrap().records;
        let here = records.iter().filter(|record| matches!(record.state(), State::Live(_))).count();
        assert_eq!((here, desk.living().len()), (0, 0), "everything {everything}, planned {planned}");
        let report = engine.run(&binding).await.unwrap();
        assert!(!report.wrote(), "{report}");
    }
}

/// The CRM made the record and its answer was lost; deleted there since, which a plan was the first to see.
#[tokio::test]
async fn c04_what_was_deleted_before_the_crm_s_answer_was_heard_stays_deleted() {
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    desk.enter(hour("g1", 1));
    let engine = table.engine(&desk, store(&desk), 8);
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    table.mute.store(true, Ordering::Relaxed);
    engine.run(&binding).await.unwrap_err();
    let tenant = Tenant::from("default");
    let record = table.changes(&tenant, None, 10).await.unwrap().records.remove(0);
    table.write(&record.id, RecordChange::Delete).await;
    engine.plan(&binding).await.unwrap();
    rounds(&desk, &engine, &binding, 3).await;
    assert!(desk.living().is_empty(), "{:?}", desk.living());
    let report = engine.run(&binding).await.unwrap();
    assert!(!report.wrote(), "{report}");
}

/// What the CRM keeps to itself is in none of calsync's rows, in no free page of its file, in no report and in no log.
#[tokio::test]
async fn c18_details_of_a_private_appointment_stay_in_the_tables_of_the_crm() {
    let log = Log::default();
    let _second = tracing::Dispatch::new(Log::default());
    let _guard = tracing::subscriber::set_default(log.clone());
    let directory = tempfile::tempdir().unwrap();
    let desk = Desk::new().await;
    let table = OwnTable::new(&desk);
    let file = SqliteStore::builder(directory.path().join("calsync.db")).clock(desk.clock.clone());
    let engine = table.engine(&desk, file.on_calling_thread().open().await.unwrap(), 8);
    let new = Binding::two_way(AMY).to("google", AMY).private_detail(Detail::BusyOnly);
    // Held back at first, so that it stands in the store undone as well.
    let none = Limit::per_run(Allowance::count(0));
    let mut limits = Limits::default();
    limits.calendar.create = none;
    let binding = engine.bind(new.limits(limits)).await.unwrap();
    let mut private = visit("neversay visit", "2026-12-01T09:00:00");
    private.description = Some("neversay text".into());
    private.location = Some("neversay street".into());
    private.visibility = Visibility::Private;
    let create = |fields| RecordChange::Create { agent: AMY.into(), occurrence: None, fields };
    table.write(&"a1".into(), create(private.to_fields())).await;
    let mut printed = String::new();
    let plan = engine.plan(&binding).await.unwrap();
    printed.push_str(&format!("{plan}{:?}", plan.rows().all().await.unwrap()));
    let report = engine.run(&binding).await.unwrap();
    assert_eq!(report.held.len(), 1, "{report}");
    printed.push_str(&format!("{report}{report:?}"));
    engine.change(&binding, |binding| binding.limits = Limits::default()).await.unwrap();
    private.description = Some("neversay again".into());
    let (units, fields) = (["description".into()].into(), private.to_fields());
    let edit = RecordChange::Patch { units, fields, occurrence: None, agent: None, sync: None };
    for _ in 0..2 {
        rounds(&desk, &engine, &binding, 2).await;
        assert_eq!(desk.living()[0]["summary"], "Busy");
        table.write(&"a1".into(), edit.clone()).await;
    }
    let kept = table.read(&Tenant::from("default"), &["a1".into()]).await.unwrap();
    assert_eq!(kept[0].fields.as_ref().unwrap().get("description").unwrap(), "neversay again");
    for text in
        [printed, log.0.lock().unwrap().clone(), bytes(directory.path()), format!("{:?}", desk.living())]
    {
        silent(&text);
    }
}
