//! A CRM that keeps its appointments in tables of its own.
//!
//! ```sh
//! cargo run -p calsync-examples --example own_tables
//! ```
//!
//! The CRM implements [`Host`]; here its tables are maps in memory. calsync's books are in a store of calsync's own, so that the two
//! share no transaction: what is to be written to the CRM is stored first, and asked for again after a crash. The Google is a fake
//! one in this process. The program fails if the sides differ at the end.

use async_trait::async_trait;
use calsync_core::binding::Binding;
use calsync_core::clock::SystemClock;
use calsync_core::engine::Engine;
use calsync_core::host::{Applied, Changes, Host, RecordChange, RecordWrite};
use calsync_core::model::{Appointment, Record, State, When};
use calsync_core::store::MemoryStore;
use calsync_core::{OperationId, Position, RecordId, Tenant, Zone};
use calsync_examples::fake_google::{ALICE, ZONE};
use calsync_examples::{Result, fake_google};
use calsync_google::Google;
use chrono::{Duration, Utc};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The CRM. A version is the number of the change that made it, so that the last one seen is the position.
#[derive(Clone, Debug, Default)]
struct Crm(Arc<Mutex<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    changes: u64,
    appointments: BTreeMap<RecordId, Record>,
    /// What became of each operation of calsync's: a repeated one is answered from here.
    operations: BTreeMap<OperationId, Applied>,
}

#[async_trait]
impl Host for Crm {
    async fn changes(
        &self,
        _tenant: &Tenant,
        position: Option<&Position>,
        count_max: usize,
    ) -> calsync_core::Result<Changes> {
        let tables = self.tables();
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        let since = position.map_or(0, |position| number(position.as_str()));
        let mut records: Vec<Record> =
            tables.appointments.values().filter(|r| number(r.version.as_str()) > since).cloned().collect();
        records.sort_by_key(|record| number(record.version.as_str()));
        let more = records.len() > count_max;
        records.truncate(count_max);
        let last = records.last().map(|record| Position::new(record.version.as_str()));
        Ok(Changes { position: last.or_else(|| position.cloned()), records, more })
    }

    async fn apply(&self, _tenant: &Tenant, rows: &[RecordWrite]) -> calsync_core::Result<Vec<Applied>> {
        let mut tables = self.tables();
        Ok(rows.iter().map(|row| tables.apply(row)).collect())
    }

    async fn read(&self, _tenant: &Tenant, ids: &[RecordId]) -> calsync_core::Result<Vec<Record>> {
        let tables = self.tables();
        Ok(ids.iter().filter_map(|id| tables.appointments.get(id).cloned()).collect())
    }
}

impl Tables {
    fn apply(&mut self, write: &RecordWrite) -> Applied {
        if let Some(answer) = self.operations.get(&write.operation) {
            return answer.clone();
        }
        let now = self.appointments.get(&write.id).cloned();
        if now.as_ref().filter(|record| record.fields.is_some()).map(|record| &record.version)
            != write.expected.as_ref()
        {
            return Applied::Moved;
        }
        let record = match (&write.change, now) {
            (RecordChange::Create { agent, occurrence, fields }, _) => Record {
                id: write.id.clone(),
                version: "".into(),
                agent: agent.clone(),
                occurrence: occurrence.clone(),
                fields: Some(fields.clone()),
                sync: true,
                modified: Utc::now(),
            },
            (_, None) => return Applied::Moved,
            (change, Some(mut record)) => {
                let values = record.fields.get_or_insert_default();
                match change {
                    RecordChange::Patch { units, fields, .. } => values.take_from(fields, units),
                    RecordChange::Cancel => values.set("status", json!("cancelled")),
                    _ => record.fields = None,
                }
                record
            }
        };
        let version = self.put(record);
        let answer = Applied::Applied { id: write.id.clone(), version };
        self.operations.insert(write.operation.clone(), answer.clone());
        answer
    }

    fn put(&mut self, mut record: Record) -> calsync_core::Version {
        self.changes += 1;
        record.version = self.changes.to_string().as_str().into();
        record.modified = Utc::now();
        let version = record.version.clone();
        self.appointments.insert(record.id.clone(), record);
        version
    }
}

/// What the CRM's own program does.
impl Crm {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, id: &str, appointment: &Appointment) {
        self.tables().put(Record {
            id: id.into(),
            version: "".into(),
            agent: ALICE.into(),
            occurrence: None,
            fields: Some(appointment.to_fields()),
            sync: true,
            modified: Utc::now(),
        });
    }

    fn change(&self, id: &str, unit: &str, value: &str) {
        let mut tables = self.tables();
        if let Some(mut record) = tables.appointments.get(&id.into()).cloned() {
            record.fields.get_or_insert_default().set(unit, json!(value));
            tables.put(record);
        }
    }

    fn remove(&self, id: &str) {
        let mut tables = self.tables();
        if let Some(mut record) = tables.appointments.get(&id.into()).cloned() {
            record.fields = None;
            tables.put(record);
        }
    }

    /// Titles and places of what is there, changed occurrences included.
    fn shows(&self) -> BTreeSet<String> {
        let text = |record: &Record| match record.state() {
            State::Live(fields) => {
                let of =
                    |unit: &str| fields.get(unit).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
                Some(format!("{}, {}", of("summary"), of("location")))
            }
            _ => None,
        };
        self.tables().appointments.values().filter_map(text).collect()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let server = fake_google::start()?;
    let google = Google::service_account(fake_google::key()?).endpoints(fake_google::endpoints(&server)?);
    let crm = Crm::default();
    // A MemoryStore forgets; a real CRM gives SqliteStore, or a store over its own database.
    let store = MemoryStore::new(Arc::new(SystemClock), "an-installation".into());
    let engine = Engine::builder(store).provider("google", google.build()?).host(crm.clone()).build()?;
    let binding = engine.bind(Binding::two_way(ALICE).to("google", ALICE)).await?;

    let start = (Utc::now() + Duration::days(7)).date_naive().and_hms_opt(9, 0, 0).ok_or("a time")?;
    let when = When::timed(start, Duration::hours(1), &Zone::new(ZONE)?)?;
    let time = |hours| {
        let time = (start + Duration::hours(hours)).format("%Y-%m-%dT%H:%M:%S").to_string();
        json!({ "dateTime": time, "timeZone": ZONE })
    };
    let in_google = |id: &str, patch| server.fake().user_patch(Utc::now(), ALICE, id, &patch);

    println!("Made on both sides:");
    crm.enter("crm-1", &Appointment::new("Site visit", when.clone()));
    crm.enter("crm-2", &Appointment::new("Contract review", when));
    let event = json!({ "id": "dentist", "summary": "Dentist", "start": time(2), "end": time(3) });
    server.fake().user_insert(Utc::now(), ALICE, &event)?;
    println!("{}", engine.run(&binding).await?);

    println!("Edited on both sides, in different fields; deleted in the CRM:");
    let visit = server.fake().events(ALICE).find(|event| event["summary"] == "Site visit");
    let visit =
        visit.as_ref().and_then(|event| event["id"].as_str()).ok_or("the visit is in Google")?.to_owned();
    crm.change("crm-1", "location", "Dock 4");
    in_google(&visit, json!({ "summary": "Site visit, with keys" }))?;
    crm.remove("crm-2");
    println!("{}", engine.run(&binding).await?);

    println!("Deleted in Google:");
    server.fake().user_delete(Utc::now(), ALICE, "dentist")?;
    println!("{}", engine.run(&binding).await?);

    println!("Nothing happened:");
    let report = engine.run(&binding).await?;
    println!("{report}");

    let there: BTreeSet<String> = (server.fake().events(ALICE))
        .filter(|event| event["status"] != "cancelled")
        .map(|event| {
            let of = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            format!("{}, {}", of("summary"), of("location"))
        })
        .collect();
    let here = crm.shows();
    println!("The CRM shows {here:?}.\nGoogle shows  {there:?}.");
    if here != there || report.wrote() {
        Err("the sides differ, or do not come to rest".into())
    } else {
        Ok(())
    }
}
