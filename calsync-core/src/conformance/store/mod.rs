//! The promises of [`Store`].

mod audit;
mod commit;
mod family;
mod halt;
mod isolation;
mod lease;
mod own;
mod review;
mod rows;
mod sealed;

use super::case::Case;
use crate::binding::{Binding, Direction, EditOrDelete, Policy, Removal};
use crate::clock::ManualClock;
use crate::error::ErrorKind;
use crate::host::{RecordChange, RecordWrite};
use crate::id::{BindingId, RecordId, RemoteId, RemoteKey, Tenant, Version};
use crate::limits::Limits;
use crate::model::{Fields, Slot, State, Writable};
use crate::provider::{Mail, Target, Write, WriteAction};
use crate::store::{
    Batch, Committed, Entry, EntryState, Group, Intent, Lease, Link, LocalMark, RemoteItem, Seen, Store,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// When every case begins: 23 November 2026, noon.
pub(super) const START: DateTime<Utc> = DateTime::from_timestamp(1_795_435_200, 0).unwrap();

/// All cases, in the order in which a new store is best made to pass them.
pub(super) fn cases() -> Vec<Case> {
    [
        lease::cases(),
        commit::cases(),
        rows::cases(),
        own::cases(),
        family::cases(),
        review::cases(),
        isolation::cases(),
        halt::cases(),
        sealed::cases(),
        audit::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a case stands on: an empty store with one binding.
#[derive(Debug)]
pub(super) struct Ground {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    tenant: Tenant,
    binding: Binding,
}

impl Ground {
    pub(super) async fn new(store: Arc<dyn Store>, clock: Arc<ManualClock>) -> Self {
        let tenant = Tenant::from("acme");
        let binding = binding(&tenant, "b1", "amy");
        let ground = Self { store, clock, tenant, binding };
        ground.put_binding(ground.binding.clone()).await;
        ground
    }

    async fn put_binding(&self, binding: Binding) {
        let mut batch = Batch::new(binding.tenant.clone());
        batch.put_binding = Some(binding);
        self.store.commit(batch).await.expect("settings are stored");
    }

    fn id(&self) -> &BindingId {
        &self.binding.id
    }

    /// A transaction of the binding without a lease.
    fn batch(&self, groups: impl IntoIterator<Item = Group>) -> Batch {
        let mut batch = Batch::new(self.tenant.clone());
        batch.binding = Some(self.binding.id.clone());
        batch.groups = groups.into_iter().collect();
        batch
    }

    /// Commits groups of which none may have moved.
    async fn put(&self, groups: impl IntoIterator<Item = Group>) -> Committed {
        let committed = self.store.commit(self.batch(groups)).await.expect("the transaction is applied");
        assert_eq!(committed.moved, Vec::<usize>::new(), "no group had moved ground");
        committed
    }

    /// Carries out one write to calsync's own table and answers with the version.
    async fn write(&self, write: RecordWrite) -> Version {
        let id = write.id.clone();
        let committed = self.put([Group { records: vec![write], ..Group::default() }]).await;
        committed.versions.get(&id).expect("the version of what was written").clone()
    }

    /// Carries out one write and says whether its group had moved ground.
    async fn moves(&self, write: RecordWrite) -> bool {
        let batch = self.batch([Group { records: vec![write], ..Group::default() }]);
        !self.store.commit(batch).await.expect("the transaction is applied").moved.is_empty()
    }

    async fn take(&self, name: &str, owner: &str) -> Lease {
        let lease = self.store.lease(&self.tenant, name, owner, MINUTE).await.expect("leases work");
        lease.unwrap_or_else(|| panic!("the lease {name} is free for {owner}"))
    }

    async fn links(&self, records: &[&str]) -> Vec<Link> {
        let records: Vec<RecordId> = records.iter().map(|&id| id.into()).collect();
        let mut links = self.store.links(&self.tenant, self.id(), &records).await.expect("links are read");
        links.sort_by(|a, b| a.record.cmp(&b.record));
        links
    }

    /// Everything of the binding that `records` and `keys` name, to see whether anything was written at all.
    async fn traces(&self, records: &[&str], keys: &[&str]) -> String {
        let store = &self.store;
        let keys: Vec<RemoteKey> = keys.iter().map(|&key| key.into()).collect();
        let ids: Vec<RecordId> = records.iter().map(|&id| id.into()).collect();
        let (by_key, items) = store.known(&self.tenant, self.id(), &keys).await.expect("known");
        let mut families = Vec::new();
        for record in records {
            families.push(
                store
                    .family(&self.tenant, self.id(), crate::store::Which::Local, record)
                    .await
                    .expect("family"),
            );
        }
        let found = (
            self.links(records).await.len() + by_key.len() + items.len(),
            families.iter().map(|f| f.links.len() + f.local.len() + f.outbox.len()).sum::<usize>(),
            store.outbox(&self.tenant, self.id(), 0, 100).await.expect("outbox").len(),
            store.journal(&self.tenant, self.id(), None, 100).await.expect("journal").len(),
            store.runs(&self.tenant, self.id(), 100).await.expect("runs").len(),
            store.records(&self.tenant, &ids).await.expect("records").len(),
            store.state(&self.tenant, self.id()).await.expect("state") != Default::default(),
        );
        format!("{found:?}")
    }
}

/// What [`Ground::traces`] finds where nothing is.
const NO_TRACES: &str = "(0, 0, 0, 0, 0, 0, false)";

const MINUTE: Duration = Duration::from_secs(60);

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: crate::error::Result<T>, kind: ErrorKind) {
    let error = answer.expect_err("this is refused");
    assert_eq!(error.kind(), kind, "{error}");
}

fn binding(tenant: &Tenant, id: &str, agent: &str) -> Binding {
    Binding {
        id: id.into(),
        tenant: tenant.clone(),
        agent: agent.into(),
        provider: "paper".into(),
        target: Target {
            calendar: format!("{agent}-{id}@example.com").into(),
            subject: "amy@example.com".to_owned(),
        },
        direction: Direction::TwoWay,
        policy: Policy::Ask,
        edit_or_delete: EditOrDelete::EditWins,
        mail: Mail::Nobody,
        removal: Removal::Cancel,
        scope: crate::binding::Scope { since: "2026-01-01".parse().ok(), ..Default::default() },
        detail: crate::binding::Detail::Full,
        private_detail: crate::binding::Detail::BusyOnly,
        limits: Limits::default(),
        paused: false,
        leaving: false,
        created: START,
        version: 1,
    }
}

fn fields(value: Value) -> Fields {
    serde_json::from_value(value).expect("a map of units")
}

/// A one-hour appointment in UTC.
fn appointment(summary: &str, start: &str) -> Fields {
    let start: chrono::NaiveDateTime = start.parse().expect("a time");
    let end = start + chrono::Duration::hours(1);
    fields(json!({"summary": summary, "when": {"start": start, "end": end, "zone": "UTC"}}))
}

fn create(operation: &str, id: &str, fields: Fields) -> RecordWrite {
    create_for("amy", operation, id, fields)
}

fn create_for(agent: &str, operation: &str, id: &str, fields: Fields) -> RecordWrite {
    RecordWrite {
        operation: operation.into(),
        id: id.into(),
        expected: None,
        change: RecordChange::Create { agent: agent.into(), occurrence: None, fields },
    }
}

fn create_occurrence(operation: &str, id: &str, series: &str, slot: Slot, fields: Fields) -> RecordWrite {
    let occurrence = Some(crate::model::Occurrence { series: series.into(), slot });
    RecordWrite {
        operation: operation.into(),
        id: id.into(),
        expected: None,
        change: RecordChange::Create { agent: "amy".into(), occurrence, fields },
    }
}

fn change(operation: &str, id: &str, expected: &Version, change: RecordChange) -> RecordWrite {
    RecordWrite { operation: operation.into(), id: id.into(), expected: Some(expected.clone()), change }
}

fn patch(values: Value) -> RecordChange {
    let fields = fields(values);
    let units = fields.iter().map(|(unit, _)| unit.clone()).collect();
    RecordChange::Patch { units, fields, occurrence: None, agent: None, sync: None }
}

/// A living link of a single record.
fn link(record: &str, key: &str) -> Link {
    link_in(record, record, key, key)
}

/// A living link of a record in a series.
fn link_in(record: &str, record_root: &str, key: &str, remote_root: &str) -> Link {
    Link {
        record: record.into(),
        record_root: record_root.into(),
        key: key.into(),
        remote: key.into(),
        remote_root: remote_root.into(),
        slot: None,
        base: Some(State::Live(fields(json!({"summary": "Visit"})))),
        normaliser: 1,
        version: Some("1".into()),
        revision: Some("\"r1\"".into()),
        incarnation: 0,
        answer: None,
        mirror: false,
        adopted: false,
        guests_out: false,
        detail: crate::binding::Detail::Full,
    }
}

fn item(key: &str, pending: bool) -> RemoteItem {
    item_in(key, key, pending)
}

fn item_in(key: &str, root: &str, pending: bool) -> RemoteItem {
    RemoteItem {
        key: key.into(),
        id: RemoteId::from(key),
        root: root.into(),
        occurrence: None,
        revision: "\"r1\"".into(),
        updated: Some(START),
        writable: Writable::All,
        generation: 1,
        seen: if pending { Seen::Live(fields(json!({"summary": "Seen"}))) } else { Seen::Base },
        pending,
    }
}

/// A mark of a record of calsync's own table.
fn mark(record: &str, root: &str, version: &str) -> LocalMark {
    LocalMark { id: record.into(), root: root.into(), version: version.into(), record: None }
}

fn entry(operation: &str, record: &str, root: &str) -> Entry {
    let action = WriteAction::Delete { id: record.into(), revision: None };
    Entry {
        sequence: 0,
        operation: operation.into(),
        record: record.into(),
        root: root.into(),
        state: EntryState::Planned,
        due: START,
        attempts: 0,
        intent: Intent::Remote {
            write: Write { operation: operation.into(), mail: Mail::Nobody, action },
            occurrence: None,
            base: State::Gone,
            version: None,
        },
    }
}

fn group(fill: impl FnOnce(&mut Group)) -> Group {
    let mut group = Group::default();
    fill(&mut group);
    group
}

fn records_of(links: &[Link]) -> Vec<&str> {
    links.iter().map(|link| link.record.as_str()).collect()
}
