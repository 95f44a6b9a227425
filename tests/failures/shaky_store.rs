//! A store that fails: from the n-th call on, as a database does that is closed or read half-way.

use async_trait::async_trait;
use calsync_core::binding::{Binding, BindingState};
use calsync_core::host::Changes;
use calsync_core::model::Record;
use calsync_core::store::{
    Batch, Committed, Entry, Family, JournalEntry, Lease, Link, PlanHeader, RemoteItem, RunRow, Store,
    StoredRow, Which,
};
use calsync_core::{
    AgentId, BindingId, Error, InstallationId, PlanId, Position, RecordId, RemoteKey, Result, Tenant,
};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct ShakyStore<S> {
    inner: S,
    /// So many calls succeed; negative for all.
    good: Arc<AtomicI64>,
    error: fn() -> Error,
    once: bool,
}

impl<S> ShakyStore<S> {
    /// Fails from then on.
    pub(crate) fn new(inner: S, good: Arc<AtomicI64>, error: fn() -> Error) -> Self {
        Self { inner, good, error, once: false }
    }

    /// Fails one call only, as a database does that is busy for a moment or full for this one row.
    #[allow(dead_code, reason = "each test program uses its own part")]
    pub(crate) fn once(inner: S, good: Arc<AtomicI64>, error: fn() -> Error) -> Self {
        Self { inner, good, error, once: true }
    }

    fn call(&self) -> Result<()> {
        match self.good.load(Ordering::Relaxed) {
            0 => {
                if self.once {
                    self.good.store(-1, Ordering::Relaxed);
                }
                Err((self.error)())
            }
            good if good > 0 => {
                self.good.store(good - 1, Ordering::Relaxed);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl<S: Store> Store for ShakyStore<S> {
    async fn installation(&self) -> Result<InstallationId> {
        self.call()?;
        self.inner.installation().await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        self.call()?;
        self.inner.commit(batch).await
    }

    async fn lease(&self, tenant: &Tenant, name: &str, owner: &str, ttl: Duration) -> Result<Option<Lease>> {
        self.call()?;
        self.inner.lease(tenant, name, owner, ttl).await
    }

    async fn renew(&self, tenant: &Tenant, lease: &Lease, ttl: Duration) -> Result<bool> {
        self.call()?;
        self.inner.renew(tenant, lease, ttl).await
    }

    async fn release(&self, tenant: &Tenant, lease: &Lease) -> Result<()> {
        self.call()?;
        self.inner.release(tenant, lease).await
    }

    async fn binding(&self, tenant: &Tenant, id: &BindingId) -> Result<Option<Binding>> {
        self.call()?;
        self.inner.binding(tenant, id).await
    }

    async fn bindings(&self, tenant: &Tenant) -> Result<Vec<Binding>> {
        self.call()?;
        self.inner.bindings(tenant).await
    }

    async fn state(&self, tenant: &Tenant, binding: &BindingId) -> Result<BindingState> {
        self.call()?;
        self.inner.state(tenant, binding).await
    }

    async fn known(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        keys: &[RemoteKey],
    ) -> Result<(Vec<Link>, Vec<RemoteItem>)> {
        self.call()?;
        self.inner.known(tenant, binding, keys).await
    }

    async fn links(&self, tenant: &Tenant, binding: &BindingId, records: &[RecordId]) -> Result<Vec<Link>> {
        self.call()?;
        self.inner.links(tenant, binding, records).await
    }

    async fn unseen(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        generation: u64,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<Link>> {
        self.call()?;
        self.inner.unseen(tenant, binding, generation, after, count_max).await
    }

    async fn families(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        which: Which,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<Family>> {
        self.call()?;
        self.inner.families(tenant, binding, which, after, count_max).await
    }

    async fn family(&self, tenant: &Tenant, binding: &BindingId, which: Which, root: &str) -> Result<Family> {
        self.call()?;
        self.inner.family(tenant, binding, which, root).await
    }

    async fn linked(&self, tenant: &Tenant, binding: &BindingId) -> Result<u64> {
        self.call()?;
        self.inner.linked(tenant, binding).await
    }

    async fn outbox(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<Entry>> {
        self.call()?;
        self.inner.outbox(tenant, binding, after, count_max).await
    }

    async fn runs(&self, tenant: &Tenant, binding: &BindingId, count_max: usize) -> Result<Vec<RunRow>> {
        self.call()?;
        self.inner.runs(tenant, binding, count_max).await
    }

    async fn journal(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        record: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<JournalEntry>> {
        self.call()?;
        self.inner.journal(tenant, binding, record, count_max).await
    }

    async fn plan(&self, tenant: &Tenant, id: &PlanId) -> Result<Option<PlanHeader>> {
        self.call()?;
        self.inner.plan(tenant, id).await
    }

    async fn plan_rows(
        &self,
        tenant: &Tenant,
        id: &PlanId,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<StoredRow>> {
        self.call()?;
        self.inner.plan_rows(tenant, id, after, count_max).await
    }

    async fn record_changes(
        &self,
        tenant: &Tenant,
        binding: Option<&Binding>,
        position: Option<&Position>,
        count_max: usize,
    ) -> Result<Changes> {
        self.call()?;
        self.inner.record_changes(tenant, binding, position, count_max).await
    }

    async fn records(&self, tenant: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>> {
        self.call()?;
        self.inner.records(tenant, ids).await
    }

    async fn record_window(
        &self,
        tenant: &Tenant,
        agent: &AgentId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Record>> {
        self.call()?;
        self.inner.record_window(tenant, agent, from, to).await
    }

    async fn record_occurrences(&self, tenant: &Tenant, series: &RecordId) -> Result<Vec<Record>> {
        self.call()?;
        self.inner.record_occurrences(tenant, series).await
    }
}
