//! The tables of the store in memory, each with the indexes that its questions need.
//!
//! Tenants and bindings are separate maps, so that nothing of one can be found from another. Every index is kept by the
//! same two verbs that change the table, and nothing here decides anything.

use crate::audit::AuditEvent;
use crate::binding::{Binding, BindingState};
use crate::halt::Halt;
use crate::hours::Warning;
use crate::id::{AgentId, BindingId, OperationId, PlanId, RecordId, RemoteId, RemoteKey, Tenant, Version};
use crate::model::{Record, State};
use crate::store::own::OwnRow;
use crate::store::{
    Entry, JournalEntry, Link, LocalMark, PlanHeader, RemoteItem, RunRow, SealedKind, SealedRow, StoredRow,
    WarningPlace, Which,
};
use chrono::{DateTime, Duration, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// One key to many.
#[derive(Clone, Debug)]
pub(super) struct Index<K, V>(BTreeMap<K, BTreeSet<V>>);

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, V: Ord + Clone> Index<K, V> {
    fn add(&mut self, key: &K, value: &V) {
        self.0.entry(key.clone()).or_default().insert(value.clone());
    }

    fn remove(&mut self, key: &K, value: &V) {
        if let Some(values) = self.0.get_mut(key) {
            values.remove(value);
            if values.is_empty() {
                self.0.remove(key);
            }
        }
    }

    pub(super) fn of(&self, key: &K) -> impl Iterator<Item = &V> {
        self.0.get(key).into_iter().flatten()
    }

    pub(super) fn keys_after(&self, after: Option<&K>) -> impl Iterator<Item = &K> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.0.range((after.map_or(Unbounded, Excluded), Unbounded)).map(|(key, _)| key)
    }
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    /// Versions of calsync's own table, over all tenants.
    pub(super) version: u64,
    /// Outbox entries and events, over all tenants.
    pub(super) sequence: u64,
    pub(super) halt: Option<Halt>,
    pub(super) tenants: BTreeMap<Tenant, TenantData>,
}

/// What belongs to one tenant.
#[derive(Clone, Debug, Default)]
pub(super) struct TenantData {
    pub(super) halt: Option<Halt>,
    pub(super) leases: BTreeMap<String, LeaseRow>,
    pub(super) bindings: BTreeMap<BindingId, Binding>,
    pub(super) rows: BTreeMap<BindingId, BindingData>,
    pub(super) plans: BTreeMap<PlanId, (PlanHeader, BTreeMap<u64, StoredRow>)>,
    pub(super) own: OwnTable,
    pub(super) sealed: BTreeMap<SealedKind, BTreeMap<String, SealedRow>>,
    pub(super) events: BTreeMap<u64, AuditEvent>,
}

/// The last lease of a name. It stays when the lease is given back, because the next fence must be larger.
#[derive(Clone, Debug)]
pub(super) struct LeaseRow {
    pub(super) owner: Option<String>,
    pub(super) fence: u64,
    pub(super) until: DateTime<Utc>,
    pub(super) ttl: Duration,
}

/// calsync's own table.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnTable {
    rows: BTreeMap<RecordId, OwnRow>,
    order: BTreeMap<u64, RecordId>,
    numbers: BTreeMap<RecordId, u64>,
    by_agent: Index<AgentId, RecordId>,
    by_series: Index<RecordId, RecordId>,
}

impl OwnTable {
    pub(super) fn put(&mut self, number: u64, row: OwnRow) {
        let id = row.record.id.clone();
        if let Some(old) = self.rows.remove(&id) {
            self.by_agent.remove(&old.record.agent, &id);
            if let Some(occurrence) = &old.record.occurrence {
                self.by_series.remove(&occurrence.series, &id);
            }
        }
        if let Some(old) = self.numbers.insert(id.clone(), number) {
            self.order.remove(&old);
        }
        self.order.insert(number, id.clone());
        if row.record.fields.is_some() {
            self.by_agent.add(&row.record.agent, &id);
            if let Some(occurrence) = &row.record.occurrence {
                self.by_series.add(&occurrence.series, &id);
            }
        }
        self.rows.insert(id, row);
    }

    pub(super) fn get(&self, id: &RecordId) -> Option<&OwnRow> {
        self.rows.get(id)
    }

    pub(super) fn record(&self, id: &RecordId) -> Option<&Record> {
        self.rows.get(id).map(|row| &row.record)
    }

    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = (u64, &Record)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.order
            .range((Excluded(number), Unbounded))
            .filter_map(|(number, id)| Some((*number, self.record(id)?)))
    }

    /// The number of the last change, 0 before the first.
    pub(super) fn last(&self) -> u64 {
        self.order.keys().next_back().copied().unwrap_or(0)
    }

    /// Living records of an agent.
    pub(super) fn of_agent(&self, agent: &AgentId) -> impl Iterator<Item = &Record> {
        self.by_agent.of(agent).filter_map(|id| self.record(id))
    }

    /// Living occurrences of a series.
    pub(super) fn of_series(&self, series: &RecordId) -> impl Iterator<Item = &Record> {
        self.by_series.of(series).filter_map(|id| self.record(id))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &OwnRow> {
        self.rows.values()
    }
}

/// What belongs to one binding.
#[derive(Clone, Debug, Default)]
pub(super) struct BindingData {
    pub(super) state: BindingState,
    pub(super) links: Links,
    pub(super) remote: Items,
    pub(super) marks: Marks,
    pub(super) outbox: Outbox,
    pub(super) deselected: BTreeSet<(Which, String)>,
    pub(super) runs: Vec<RunRow>,
    pub(super) journal: Vec<JournalEntry>,
    pub(super) warnings: BTreeMap<WarningPlace, Warning>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    pub(super) by_record: BTreeMap<RecordId, Link>,
    by_key: BTreeMap<RemoteKey, RecordId>,
    by_remote_root: Index<RemoteId, RecordId>,
    by_record_root: Index<RecordId, RecordId>,
    living: u64,
}

fn lives(link: &Link) -> bool {
    matches!(link.base, Some(State::Live(_)))
}

impl Links {
    /// Takes the link of the record out of the table and its indexes.
    pub(super) fn remove(&mut self, record: &RecordId) {
        if let Some(link) = self.by_record.remove(record) {
            self.by_key.remove(&link.key);
            self.by_remote_root.remove(&link.remote_root, record);
            self.by_record_root.remove(&link.record_root, record);
            self.living -= u64::from(lives(&link));
        }
    }

    /// Puts a link whose record and key are free.
    pub(super) fn insert(&mut self, link: Link) {
        let record = &link.record;
        self.by_key.insert(link.key.clone(), record.clone());
        self.by_remote_root.add(&link.remote_root, record);
        self.by_record_root.add(&link.record_root, record);
        self.living += u64::from(lives(&link));
        self.by_record.insert(record.clone(), link);
    }

    pub(super) fn of_key(&self, key: &RemoteKey) -> Option<&Link> {
        self.by_key.get(key).and_then(|record| self.by_record.get(record))
    }

    pub(super) fn of_remote_root(&self, root: &RemoteId) -> impl Iterator<Item = &Link> {
        self.by_remote_root.of(root).filter_map(|record| self.by_record.get(record))
    }

    pub(super) fn of_record_root(&self, root: &RecordId) -> impl Iterator<Item = &Link> {
        self.by_record_root.of(root).filter_map(|record| self.by_record.get(record))
    }

    /// Links by key, after `after`.
    pub(super) fn after(&self, after: Option<&RemoteKey>) -> impl Iterator<Item = &Link> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.by_key
            .range((after.map_or(Unbounded, Excluded), Unbounded))
            .filter_map(|(_, record)| self.by_record.get(record))
    }

    pub(super) fn living(&self) -> u64 {
        self.living
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Items {
    pub(super) by_key: BTreeMap<RemoteKey, RemoteItem>,
    by_root: Index<RemoteId, RemoteKey>,
    pending: Index<RemoteId, RemoteKey>,
}

impl Items {
    pub(super) fn remove(&mut self, key: &RemoteKey) {
        if let Some(item) = self.by_key.remove(key) {
            self.by_root.remove(&item.root, key);
            self.pending.remove(&item.root, key);
        }
    }

    pub(super) fn put(&mut self, item: RemoteItem) {
        self.remove(&item.key);
        self.by_root.add(&item.root, &item.key);
        if item.pending {
            self.pending.add(&item.root, &item.key);
        }
        self.by_key.insert(item.key.clone(), item);
    }

    pub(super) fn of_root(&self, root: &RemoteId) -> impl Iterator<Item = &RemoteItem> {
        self.by_root.of(root).filter_map(|key| self.by_key.get(key))
    }

    pub(super) fn pending_roots(&self, after: Option<&RemoteId>) -> impl Iterator<Item = &RemoteId> {
        self.pending.keys_after(after)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    pub(super) by_record: BTreeMap<RecordId, LocalMark>,
    by_root: Index<RecordId, RecordId>,
}

impl Marks {
    pub(super) fn remove(&mut self, record: &RecordId) {
        if let Some(mark) = self.by_record.remove(record) {
            self.by_root.remove(&mark.root, record);
        }
    }

    pub(super) fn put(&mut self, mark: LocalMark) {
        self.remove(&mark.id);
        self.by_root.add(&mark.root, &mark.id);
        self.by_record.insert(mark.id.clone(), mark);
    }

    pub(super) fn settle(&mut self, record: &RecordId, version: &Version) {
        if self.by_record.get(record).is_some_and(|mark| mark.settled_by(version)) {
            self.remove(record);
        }
    }

    pub(super) fn of_root(&self, root: &RecordId) -> impl Iterator<Item = &LocalMark> {
        self.by_root.of(root).filter_map(|record| self.by_record.get(record))
    }

    pub(super) fn roots(&self, after: Option<&RecordId>) -> impl Iterator<Item = &RecordId> {
        self.by_root.keys_after(after)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    pub(super) by_sequence: BTreeMap<u64, Entry>,
    by_operation: BTreeMap<OperationId, u64>,
    by_record: Index<RecordId, u64>,
    by_root: Index<RecordId, u64>,
}

impl Outbox {
    /// Takes the entry of the operation out and says where it stood.
    pub(super) fn remove(&mut self, operation: &OperationId) -> Option<u64> {
        let sequence = self.by_operation.remove(operation)?;
        if let Some(entry) = self.by_sequence.remove(&sequence) {
            self.by_record.remove(&entry.record, &sequence);
            self.by_root.remove(&entry.root, &sequence);
        }
        Some(sequence)
    }

    /// Puts an entry at its sequence number.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.by_operation.insert(entry.operation.clone(), entry.sequence);
        self.by_record.add(&entry.record, &entry.sequence);
        self.by_root.add(&entry.root, &entry.sequence);
        self.by_sequence.insert(entry.sequence, entry);
    }

    pub(super) fn of_record(&self, record: &RecordId) -> impl Iterator<Item = &Entry> {
        self.by_record.of(record).filter_map(|sequence| self.by_sequence.get(sequence))
    }

    pub(super) fn of_root(&self, root: &RecordId) -> impl Iterator<Item = &Entry> {
        self.by_root.of(root).filter_map(|sequence| self.by_sequence.get(sequence))
    }
}
