//! A store in memory, for tests and simulations.
//!
//! It keeps the same promises as a database, in ordered maps behind one lock, and forgets everything when its last handle
//! goes. Nothing waits and nothing is random, so that the same calls give the same answers. A handle is cheap to clone and
//! shows the same data. Commits copy no tables: see `commit`.

mod audit;
mod commit;
mod sealed;
mod snapshot;
mod tables;

use super::gather::{self, Lookups};
use super::own::{position_number, window_start};
use super::{
    Batch, Committed, Entry, Family, JournalEntry, Lease, Link, LocalMark, PlanHeader, RemoteItem, RunRow,
    SealedKind, SealedRow, Store, StoredRow, WarningPlace, Which,
};
use crate::audit::{AuditEvent, Audited};
use crate::binding::{Binding, BindingState};
use crate::clock::Clock;
use crate::error::Result;
use crate::halt::Halt;
use crate::host::Changes;
use crate::hours::Warning;
use crate::id::{
    AgentId, BindingId, InstallationId, PlanId, Position, RecordId, RemoteId, RemoteKey, Tenant,
};
use crate::model::{Record, State};
use crate::planted::{self, Fault};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tables::{BindingData, Data, LeaseRow, TenantData};

/// A store in memory, for tests and simulations. Clones share the data.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    installation: InstallationId,
    data: Mutex<Data>,
}

impl MemoryStore {
    /// An empty store whose leases and modification times go by `clock`.
    pub fn new(clock: Arc<dyn Clock>, installation: InstallationId) -> Self {
        Self { shared: Arc::new(Shared { clock, installation, data: Mutex::default() }) }
    }

    /// Everything in the store, in an order that depends on nothing else, to be printed or compared. It shows the values of
    /// appointments, which no log should.
    pub fn snapshot(&self) -> Value {
        let data = self.data();
        let tenants = data.tenants.iter().map(|(tenant, rows)| (tenant.to_string(), snapshot::tenant(rows)));
        json!({
            "version": data.version,
            "sequence": data.sequence,
            "halt": data.halt,
            "tenants": Value::Object(tenants.collect()),
        })
    }

    /// Another store with the same rows, as a backup of a database is: what happens in one does not show in the other.
    pub fn copy(&self) -> Self {
        let Shared { clock, installation, .. } = &*self.shared;
        let data = Mutex::new(self.data().clone());
        Self {
            shared: Arc::new(Shared { clock: Arc::clone(clock), installation: installation.clone(), data }),
        }
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        // A panic under the lock can only be a bug in here; the tables are still the best answer there is.
        self.shared.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tenant<T>(&self, tenant: &Tenant, read: impl FnOnce(&TenantData) -> T) -> T {
        let data = self.data();
        let nothing = TenantData::default();
        read(data.tenants.get(tenant).unwrap_or(&nothing))
    }

    fn rows<T>(&self, tenant: &Tenant, binding: &BindingId, read: impl FnOnce(Rows<'_>) -> T) -> T {
        let nothing = BindingData::default();
        self.tenant(tenant, |tenant| read(Rows { tenant, of: tenant.rows.get(binding).unwrap_or(&nothing) }))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("installation", &self.shared.installation)
            .field("version", &self.data().version)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn installation(&self) -> Result<InstallationId> {
        Ok(self.shared.installation.clone())
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        let now = self.shared.clock.now();
        commit::commit(&mut self.data(), batch, now)
    }

    async fn lease(&self, tenant: &Tenant, name: &str, owner: &str, ttl: Duration) -> Result<Option<Lease>> {
        let (now, ttl) = (self.shared.clock.now(), lease_length(ttl));
        let mut data = self.data();
        let leases = &mut data.tenants.entry(tenant.clone()).or_default().leases;
        let row =
            leases.entry(name.to_owned()).or_insert(LeaseRow { owner: None, fence: 0, until: now, ttl });
        if row.owner.is_some() && now < row.until {
            // The clock was set back since: the lease must not last longer than it was taken for.
            row.until = row.until.min(now + row.ttl);
            return Ok(None);
        }
        *row = LeaseRow { owner: Some(owner.to_owned()), fence: row.fence + 1, until: now + ttl, ttl };
        Ok(Some(Lease { name: name.to_owned(), owner: owner.to_owned(), fence: row.fence }))
    }

    async fn renew(&self, tenant: &Tenant, lease: &Lease, ttl: Duration) -> Result<bool> {
        let (now, ttl) = (self.shared.clock.now(), lease_length(ttl));
        let mut data = self.data();
        let row = data.tenants.get_mut(tenant).and_then(|tenant| tenant.leases.get_mut(&lease.name));
        Ok(row.filter(|row| row.is(lease)).map(|row| (row.until, row.ttl) = (now + ttl, ttl)).is_some())
    }

    async fn release(&self, tenant: &Tenant, lease: &Lease) -> Result<()> {
        let mut data = self.data();
        let row = data.tenants.get_mut(tenant).and_then(|tenant| tenant.leases.get_mut(&lease.name));
        if let Some(row) = row.filter(|row| row.is(lease)) {
            row.owner = None;
        }
        Ok(())
    }

    async fn set_halt(&self, tenant: Option<&Tenant>, halt: Option<Halt>) -> Result<()> {
        let mut data = self.data();
        match tenant {
            Some(tenant) => data.tenants.entry(tenant.clone()).or_default().halt = halt,
            None => data.halt = halt,
        }
        Ok(())
    }

    async fn halt(&self, tenant: &Tenant) -> Result<Option<Halt>> {
        let data = self.data();
        let own = || data.tenants.get(tenant).and_then(|tenant| tenant.halt.as_ref());
        Ok(data.halt.as_ref().or_else(own).cloned())
    }

    async fn binding(&self, tenant: &Tenant, id: &BindingId) -> Result<Option<Binding>> {
        Ok(self.tenant(tenant, |tenant| tenant.bindings.get(id).cloned()))
    }

    async fn bindings(&self, tenant: &Tenant) -> Result<Vec<Binding>> {
        if planted::on(Fault::TenantLeftOut) {
            return Ok(self.data().tenants.values().flat_map(|all| all.bindings.values()).cloned().collect());
        }
        Ok(self.tenant(tenant, |tenant| tenant.bindings.values().cloned().collect()))
    }

    async fn state(&self, tenant: &Tenant, binding: &BindingId) -> Result<BindingState> {
        Ok(self.rows(tenant, binding, |rows| rows.of.state.clone()))
    }

    async fn known(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        keys: &[RemoteKey],
    ) -> Result<(Vec<Link>, Vec<RemoteItem>)> {
        let keys: BTreeSet<_> = keys.iter().collect();
        Ok(self.rows(tenant, binding, |rows| {
            let links = keys.iter().filter_map(|key| rows.of.links.of_key(key)).cloned().collect();
            let items = keys.iter().filter_map(|key| rows.of.remote.by_key.get(key)).cloned().collect();
            (links, items)
        }))
    }

    async fn links(&self, tenant: &Tenant, binding: &BindingId, records: &[RecordId]) -> Result<Vec<Link>> {
        let records: BTreeSet<_> = records.iter().collect();
        Ok(self.rows(tenant, binding, |rows| {
            records.iter().filter_map(|record| rows.of.links.by_record.get(record)).cloned().collect()
        }))
    }

    async fn unseen(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        generation: u64,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<Link>> {
        Ok(self.rows(tenant, binding, |rows| {
            let items = &rows.of.remote.by_key;
            let unseen = |link: &&Link| match (items.get(&link.key), &link.base) {
                (Some(item), None | Some(State::Live(_))) => item.generation < generation,
                (None, Some(State::Live(_))) => true,
                (None, None) | (_, Some(State::Gone)) => false,
            };
            rows.of.links.after(after).filter(unseen).take(count_max).cloned().collect()
        }))
    }

    async fn families(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        which: Which,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<Family>> {
        self.rows(tenant, binding, |mut rows| gather::families(&mut rows, which, after, count_max))
    }

    async fn family(&self, tenant: &Tenant, binding: &BindingId, which: Which, root: &str) -> Result<Family> {
        self.rows(tenant, binding, |mut rows| gather::family(&mut rows, which, root))
    }

    async fn unlinked_remote(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<RemoteItem>> {
        use std::ops::Bound::{Excluded, Unbounded};
        Ok(self.rows(tenant, binding, |rows| {
            let items = rows.of.remote.by_key.range((after.map_or(Unbounded, Excluded), Unbounded));
            let unlinked = |item: &&RemoteItem| {
                item.pending && item.stands_alone() && rows.of.links.of_key(&item.key).is_none()
            };
            items.map(|(_, item)| item).filter(unlinked).take(count_max).cloned().collect()
        }))
    }

    async fn unlinked_local(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<LocalMark>> {
        use std::ops::Bound::{Excluded, Unbounded};
        Ok(self.rows(tenant, binding, |rows| {
            let marks = rows.of.marks.by_record.range((after.map_or(Unbounded, Excluded), Unbounded));
            let unlinked =
                |mark: &&LocalMark| mark.id == mark.root && !rows.of.links.by_record.contains_key(&mark.id);
            marks
                .map(|(_, mark)| mark)
                .filter(unlinked)
                .take(count_max)
                .map(|mark| rows.filled(mark))
                .collect()
        }))
    }

    async fn deselected(&self, tenant: &Tenant, binding: &BindingId) -> Result<Vec<(Which, String)>> {
        Ok(self.rows(tenant, binding, |rows| rows.of.deselected.iter().cloned().collect()))
    }

    async fn linked(&self, tenant: &Tenant, binding: &BindingId) -> Result<u64> {
        Ok(self.rows(tenant, binding, |rows| rows.of.links.living()))
    }

    async fn outbox(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<Entry>> {
        use std::ops::Bound::{Excluded, Unbounded};
        Ok(self.rows(tenant, binding, |rows| {
            let entries = rows.of.outbox.by_sequence.range((Excluded(after), Unbounded));
            entries.take(count_max).map(|(_, entry)| entry.clone()).collect()
        }))
    }

    async fn runs(&self, tenant: &Tenant, binding: &BindingId, count_max: usize) -> Result<Vec<RunRow>> {
        Ok(self.rows(tenant, binding, |rows| rows.of.runs.iter().rev().take(count_max).cloned().collect()))
    }

    async fn links_after(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<Link>> {
        use std::ops::Bound::{Excluded, Unbounded};
        Ok(self.rows(tenant, binding, |rows| {
            let links = rows.of.links.by_record.range((after.map_or(Unbounded, Excluded), Unbounded));
            links.take(count_max).map(|(_, link)| link.clone()).collect()
        }))
    }

    async fn warnings(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        event: Option<&RecordId>,
        after: Option<&WarningPlace>,
        count_max: usize,
    ) -> Result<Vec<Warning>> {
        use std::ops::Bound::{Excluded, Unbounded};
        Ok(self.rows(tenant, binding, |rows| {
            let standing = rows.of.warnings.range((after.map_or(Unbounded, Excluded), Unbounded));
            let standing = standing.map(|(_, warning)| warning);
            let wanted = standing.filter(|warning| event.is_none_or(|event| warning.key.event == *event));
            wanted.take(count_max).cloned().collect()
        }))
    }

    async fn journal(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        record: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<JournalEntry>> {
        Ok(self.rows(tenant, binding, |rows| {
            let newest_first = rows.of.journal.iter().rev();
            let wanted = newest_first.filter(|entry| record.is_none_or(|record| entry.record == *record));
            wanted.take(count_max).cloned().collect()
        }))
    }

    async fn audit(
        &self,
        tenant: &Tenant,
        what: Option<Audited>,
        before: Option<u64>,
        count_max: usize,
    ) -> Result<Vec<AuditEvent>> {
        Ok(self
            .tenant(tenant, |tenant| audit::events(tenant, what, before).take(count_max).cloned().collect()))
    }

    async fn forget_audit(&self, tenant: &Tenant, before: DateTime<Utc>) -> Result<u64> {
        Ok(audit::forget(&mut self.data(), tenant, before))
    }

    async fn plan(&self, tenant: &Tenant, id: &PlanId) -> Result<Option<PlanHeader>> {
        Ok(self.tenant(tenant, |tenant| tenant.plans.get(id).map(|(header, _)| header.clone())))
    }

    async fn plan_rows(
        &self,
        tenant: &Tenant,
        id: &PlanId,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<StoredRow>> {
        use std::ops::Bound::{Excluded, Unbounded};
        Ok(self.tenant(tenant, |tenant| {
            let rows = tenant.plans.get(id).map(|(_, rows)| rows.range((Excluded(after), Unbounded)));
            rows.into_iter().flatten().take(count_max).map(|(_, row)| row.clone()).collect()
        }))
    }

    async fn record_changes(
        &self,
        tenant: &Tenant,
        binding: Option<&Binding>,
        position: Option<&Position>,
        count_max: usize,
    ) -> Result<Changes> {
        let after = position_number(position)?;
        let rows = |tenant: &TenantData| {
            let links = binding.and_then(|binding| tenant.rows.get(&binding.id)).map(|rows| &rows.links);
            let wanted = |record: &Record| {
                let Some(binding) = binding else { return true };
                match links.and_then(|links| links.by_record.get(&record.id)) {
                    Some(link) => link.version.as_ref() != Some(&record.version),
                    None => record.agent == binding.agent,
                }
            };
            let mut changes = tenant.own.after(after).filter(|(_, record)| wanted(record)).peekable();
            let mut last = after;
            let mut records = Vec::new();
            while records.len() < count_max
                && let Some((number, record)) = changes.next()
            {
                last = number;
                records.push(record.clone());
            }
            let more = changes.peek().is_some();
            if !more {
                // What does not concern this binding is passed over once and for all.
                last = last.max(tenant.own.last());
            }
            Changes { records, position: Some(Position::new(last.to_string())), more }
        };
        Ok(self.tenant(tenant, rows))
    }

    async fn records(&self, tenant: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>> {
        let ids: BTreeSet<_> = ids.iter().collect();
        Ok(self.tenant(tenant, |tenant| {
            let records = ids.into_iter().filter_map(|id| tenant.own.record(id));
            records.filter(|record| record.fields.is_some()).cloned().collect()
        }))
    }

    async fn record_window(
        &self,
        tenant: &Tenant,
        agent: &AgentId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Record>> {
        Ok(self.tenant(tenant, |tenant| {
            let of_agent = tenant.own.of_agent(agent);
            let mut found: Vec<_> =
                of_agent.filter_map(|record| Some((window_start(record, from, to)?, record))).collect();
            found.sort_by_key(|(start, record)| (*start, &record.id));
            found.into_iter().map(|(_, record)| record.clone()).collect()
        }))
    }

    async fn record_occurrences(&self, tenant: &Tenant, series: &RecordId) -> Result<Vec<Record>> {
        Ok(self.tenant(tenant, |tenant| {
            let mut found: Vec<_> = tenant.own.of_series(series).collect();
            found.sort_by_key(|record| (&record.occurrence, &record.id));
            found.into_iter().cloned().collect()
        }))
    }

    async fn sealed(&self, tenant: &Tenant, kind: SealedKind, name: &str) -> Result<Option<SealedRow>> {
        Ok(self.tenant(tenant, |tenant| tenant.sealed.get(&kind).and_then(|rows| rows.get(name)).cloned()))
    }

    async fn sealed_rows(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<SealedRow>> {
        Ok(self.tenant(tenant, |tenant| sealed::rows(tenant, kind, after).take(count_max).cloned().collect()))
    }

    async fn put_sealed(&self, tenant: &Tenant, row: &SealedRow, expected: Option<u64>) -> Result<bool> {
        Ok(sealed::put(&mut self.data(), tenant, row, expected))
    }

    async fn put_sealed_while(
        &self,
        tenant: &Tenant,
        row: &SealedRow,
        expected: Option<u64>,
        standing: &[SealedRow],
        events: &[AuditEvent],
    ) -> Result<bool> {
        Ok(sealed::put_while(&mut self.data(), tenant, row, expected, standing, events))
    }

    async fn take_sealed(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
        expected: Option<u64>,
    ) -> Result<Option<SealedRow>> {
        Ok(sealed::take(&mut self.data(), tenant, kind, name, expected))
    }

    async fn find_sealed(&self, kind: SealedKind, name: &str) -> Result<Option<(Tenant, SealedRow)>> {
        let data = self.data();
        let mut found = data
            .tenants
            .iter()
            .filter_map(|(tenant, rows)| Some((tenant.clone(), rows.sealed.get(&kind)?.get(name)?.clone())));
        Ok(found.next())
    }

    async fn drop_expired(&self, kind: SealedKind, now: DateTime<Utc>) -> Result<u64> {
        Ok(sealed::drop_expired(&mut self.data(), kind, now))
    }

    async fn sealed_tenants(
        &self,
        kind: SealedKind,
        after: Option<&Tenant>,
        count_max: usize,
    ) -> Result<Vec<Tenant>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let data = self.data();
        let tenants = data.tenants.range((after.map_or(Unbounded, Excluded), Unbounded));
        let having = tenants.filter(|(_, rows)| rows.sealed.get(&kind).is_some_and(|rows| !rows.is_empty()));
        Ok(having.take(count_max).map(|(tenant, _)| tenant.clone()).collect())
    }
}

impl LeaseRow {
    fn is(&self, lease: &Lease) -> bool {
        self.owner.as_ref() == Some(&lease.owner) && self.fence == lease.fence
    }
}

/// A lease longer than anybody waits is a year.
fn lease_length(ttl: Duration) -> chrono::Duration {
    let year = chrono::Duration::days(366);
    chrono::Duration::from_std(ttl).map_or(year, |ttl| ttl.min(year))
}

/// The rows of one binding, and the own table next to them.
struct Rows<'a> {
    tenant: &'a TenantData,
    of: &'a BindingData,
}

impl Rows<'_> {
    fn filled(&self, mark: &LocalMark) -> LocalMark {
        mark.clone().filled(|id| self.tenant.own.record(id).cloned())
    }
}

impl Lookups for Rows<'_> {
    fn link_of_record(&mut self, record: &RecordId) -> Result<Option<Link>> {
        Ok(self.of.links.by_record.get(record).cloned())
    }

    fn link_of_key(&mut self, key: &RemoteKey) -> Result<Option<Link>> {
        Ok(self.of.links.of_key(key).cloned())
    }

    fn links_of_remote_root(&mut self, root: &RemoteId) -> Result<Vec<Link>> {
        Ok(self.of.links.of_remote_root(root).cloned().collect())
    }

    fn links_of_record_root(&mut self, root: &RecordId) -> Result<Vec<Link>> {
        Ok(self.of.links.of_record_root(root).cloned().collect())
    }

    fn item(&mut self, key: &RemoteKey) -> Result<Option<RemoteItem>> {
        Ok(self.of.remote.by_key.get(key).cloned())
    }

    fn items_of_root(&mut self, root: &RemoteId) -> Result<Vec<RemoteItem>> {
        Ok(self.of.remote.of_root(root).cloned().collect())
    }

    fn mark(&mut self, record: &RecordId) -> Result<Option<LocalMark>> {
        Ok(self.of.marks.by_record.get(record).map(|mark| self.filled(mark)))
    }

    fn marks_of_root(&mut self, root: &RecordId) -> Result<Vec<LocalMark>> {
        Ok(self.of.marks.of_root(root).map(|mark| self.filled(mark)).collect())
    }

    fn entries_of_record(&mut self, record: &RecordId) -> Result<Vec<Entry>> {
        Ok(self.of.outbox.of_record(record).cloned().collect())
    }

    fn entries_of_root(&mut self, root: &RecordId) -> Result<Vec<Entry>> {
        Ok(self.of.outbox.of_root(root).cloned().collect())
    }

    fn pending_roots(&mut self, which: Which, after: Option<&str>, count_max: usize) -> Result<Vec<String>> {
        Ok(match which {
            Which::Remote => {
                let after = after.map(RemoteId::from);
                let roots = self.of.remote.pending_roots(after.as_ref());
                roots.take(count_max).map(RemoteId::to_string).collect()
            }
            Which::Local => {
                let after = after.map(RecordId::from);
                self.of.marks.roots(after.as_ref()).take(count_max).map(RecordId::to_string).collect()
            }
        })
    }
}
