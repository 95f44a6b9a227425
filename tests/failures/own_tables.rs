//! A CRM with tables of its own beside stores that are lost or go back: the two share no transaction, and only one of them forgets.

use super::desk::{AMY, BOB, Desk, EVE, TEAM, Way, ZONE, guests, hour, key, timed, visit, with};
use super::kinds::Log;
use super::privacy::{bytes, silent};
use async_trait::async_trait;
use calsync_core::binding::{Detail, EditOrDelete};
use calsync_core::clock::SeededEntropy;
use calsync_core::host::{Applied, Changes, Host, RecordChange, RecordWrite};
use calsync_core::hours::{Draft, Period, Rota};
use calsync_core::limits::{Allowance, Limit, Limits};
use calsync_core::model::{Appointment, Fields, Occurrence, Record, State, Visibility};
use calsync_core::store::{Batch, Group, MemoryStore, Store, Which};
use calsync_core::{
    AgentId, Binding, Engine, Error, ErrorKind, OperationId, Position, RecordId, Result, Tenant,
};
use calsync_google::Google;
use calsync_sqlite::SqliteStore;
use chrono::Weekday;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn store(desk: &Desk) -> MemoryStore {
    MemoryStore::new(desk.clock.clone(), "installation".into())
}

/// A CRM with a table of its own, which forgets nothing, and which of calsync's operations it has carried out.
#[derive(Clone, Debug)]
struct OwnTable {
    rows: MemoryStore,
    done: Arc<Mutex<BTreeMap<OperationId, Applied>>>,
    /// What is applied next is applied, and nobody hears of it.
    mute: Arc<AtomicBool>,
}

impl OwnTable {
    fn new(desk: &Desk) -> Self {
        Self { rows: store(desk), done: Arc::default(), mute: Arc::default() }
    }

    /// calsync with this table, and this store for its own rows.
    fn engine(&self, desk: &Desk, store: impl Store + 'static, seed: u64) -> Engine {
        let google = Google::service_account(key())
            .transport(Arc::new(desk.wire.clone()))
            .clock(desk.clock.clone())
            .entropy(Arc::new(SeededEntropy::new(seed)));
        Engine::builder(store)
            .provider("google", google.build().unwrap())
            .host(self.clone())
            .clock(desk.clock.clone())
            .entropy(Arc::new(SeededEntropy::new(seed)))
            .build()
            .unwrap()
    }

    async fn write(&self, id: &RecordId, change: RecordChange) {
        let tenant = Tenant::from("default");
        let before = self.rows.records(&tenant, std::slice::from_ref(id)).await.unwrap();
        let row = RecordWrite {
            operation: OperationId::from(format!("write {id} {change:?}").as_str()),
            id: id.clone(),
            expected: before.first().map(|record| record.version.clone()),
            change,
        };
        let answers = self.apply(&tenant, &[row]).await.unwrap();
        assert!(matches!(answers[..], [Applied::Applied { .. }]), "{answers:?}");
    }
}

#[async_trait]
impl Host for OwnTable {
    async fn changes(
        &self,
        tenant: &Tenant,
        position: Option<&Position>,
        count_max: usize,
    ) -> Result<Changes> {
        self.rows.record_changes(tenant, None, position, count_max).await
    }

    async fn apply(&self, tenant: &Tenant, rows: &[RecordWrite]) -> Result<Vec<Applied>> {
        let mut answers = Vec::new();
        for row in rows {
            let known = self.done.lock().unwrap().get(&row.operation).cloned();
            let answer = match known {
                Some(answer) => answer,
                None => {
                    let mut batch = Batch::new(tenant.clone());
                    batch.groups.push(Group { records: vec![row.clone()], ..Group::default() });
                    let committed = self.rows.commit(batch).await?;
                    let version = committed.versions.get(&row.id).cloned();
                    version.map_or(Applied::Moved, |version| Applied::Applied { id: row.id.clone(), version })
                }
            };
            if matches!(answer, Applied::Applied { .. }) {
                self.done.lock().unwrap().insert(row.operation.clone(), answer.clone());
            }
            answers.push(answer);
        }
        if self.mute.swap(false, Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Host, "the CRM's answer was lost").later());
        }
        Ok(answers)
    }

    /// What was deleted is not there any more.
    async fn read(&self, tenant: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>> {
        let records = self.rows.records(tenant, ids).await?;
        Ok(records.into_iter().filter(|record| record.fields.is_some()).collect())
    }

    async fn schedules(&self, _: &Tenant, agents: &[AgentId]) -> Result<Vec<Option<Rota>>> {
        let nine_to_five = Draft::new(ZONE).every([Weekday::Tue], [Period::hours(9, 17)]).check().unwrap();
        let nine_to_five = Rota::new(nine_to_five);
        Ok(agents.iter().map(|agent| (agent.as_str() == AMY).then(|| nine_to_five.clone())).collect())
    }
}

/// Runs one after the other, with time in between.
async fn rounds(desk: &Desk, engine: &Engine, binding: &Binding, count: u32) {
    for _ in 0..count {
        desk.clock.advance(Duration::from_secs(180));
        engine.run(binding).await.unwrap();
    }
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
    let tenant = Tenant::from("default");
    desk.enter(with(hour("g1", 1), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]})));
    let change = json!({"location": "Dock 4"});
    desk.user(|fake, at| fake.user_patch(at, AMY, "g1_20261215T160000Z", &change)).unwrap();
    for seed in [8, 9] {
        let engine = table.engine(&desk, store(&desk), seed);
        let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
        rounds(&desk, &engine, &binding, 4).await;
        let report = engine.run(&binding).await.unwrap();
        assert!(!report.wrote(), "{report}");
        let records = table.changes(&tenant, None, 10).await.unwrap().records;
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
    let tenant = Tenant::from("default");
    desk.enter(with(hour("g1", 1), json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]})));
    let change = json!({"location": "Dock 4"});
    desk.user(|fake, at| fake.user_patch(at, AMY, "g1_20261215T160000Z", &change)).unwrap();
    for seed in [8, 9] {
        let engine = table.engine(&desk, store(&desk), seed);
        let binding = engine
            .bind(Binding::two_way(AMY).to("google", AMY).edit_or_delete(EditOrDelete::DeleteWins))
            .await
            .unwrap();
        rounds(&desk, &engine, &binding, 3).await;

        let report = engine.run(&binding).await.unwrap();
        assert!(!report.wrote(), "{report}");
        let records = table.changes(&tenant, None, 10).await.unwrap().records;
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
    let mut private = visit("canary visit", "2026-12-01T09:00:00");
    private.description = Some("canary text".into());
    private.location = Some("canary street".into());
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
    private.description = Some("canary again".into());
    let (units, fields) = (["description".into()].into(), private.to_fields());
    let edit = RecordChange::Patch { units, fields, occurrence: None, agent: None, sync: None };
    for _ in 0..2 {
        rounds(&desk, &engine, &binding, 2).await;
        assert_eq!(desk.living()[0]["summary"], "Busy");
        table.write(&"a1".into(), edit.clone()).await;
    }
    let kept = table.read(&Tenant::from("default"), &["a1".into()]).await.unwrap();
    assert_eq!(kept[0].fields.as_ref().unwrap().get("description").unwrap(), "canary again");
    for text in
        [printed, log.0.lock().unwrap().clone(), bytes(directory.path()), format!("{:?}", desk.living())]
    {
        silent(&text);
    }
}
