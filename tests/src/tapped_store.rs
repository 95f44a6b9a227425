//! A store with something to do before and after each call: fail, count, or let a simulation crash the process.

use async_trait::async_trait;
use calsync_core::audit::{AuditEvent, Audited};
use calsync_core::binding::{Binding, BindingState};
use calsync_core::halt::Halt;
use calsync_core::host::Changes;
use calsync_core::hours::Warning;
use calsync_core::model::Record;
use calsync_core::store::{
    Batch, Committed, Entry, Family, JournalEntry, Lease, Link, LocalMark, PlanHeader, RemoteItem, RunRow,
    SealedKind, SealedRow, Store, StoredRow, WarningPlace, Which,
};
use calsync_core::{
    AgentId, BindingId, InstallationId, PlanId, Position, RecordId, RemoteKey, Result, Tenant,
};
use chrono::{DateTime, Utc};
use std::fmt;
use std::time::Duration;

/// What to do around the calls of a store.
#[async_trait]
pub trait Tap: fmt::Debug + Send + Sync + 'static {
    /// Before a call, named as the method of [`Store`].
    ///
    /// # Errors
    /// What the caller gets instead of an answer; the call is not made.
    async fn before(&self, _call: &'static str) -> Result<()> {
        Ok(())
    }

    /// After a call, be it one that failed.
    ///
    /// # Errors
    /// What the caller gets instead of the answer: the call was carried out.
    async fn after(&self, _call: &'static str) -> Result<()> {
        Ok(())
    }

    /// The name of a transaction, for taps that tell them apart.
    fn name(&self, _batch: &Batch) -> &'static str {
        "commit"
    }

    /// The name of taking a lease, for taps that tell them apart by what they are for.
    fn lease(&self, _lease: &str) -> &'static str {
        "lease"
    }
}

/// A store that is tapped.
#[derive(Debug)]
pub struct TappedStore<S, T> {
    /// The store behind.
    pub inner: S,
    /// What is done around its calls.
    pub tap: T,
}

macro_rules! tapped {
    ($self:ident, $name:expr, $call:expr) => {{
        $self.tap.before($name).await?;
        let answer = $call.await;
        let after = $self.tap.after($name).await;
        answer.and_then(|answer| after.map(|()| answer))
    }};
}

#[async_trait]
impl<S: Store, T: Tap> Store for TappedStore<S, T> {
    async fn installation(&self) -> Result<InstallationId> {
        tapped!(self, "installation", self.inner.installation())
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        let name = self.tap.name(&batch);
        tapped!(self, name, self.inner.commit(batch))
    }

    async fn lease(&self, tenant: &Tenant, name: &str, owner: &str, ttl: Duration) -> Result<Option<Lease>> {
        let call = self.tap.lease(name);
        tapped!(self, call, self.inner.lease(tenant, name, owner, ttl))
    }

    async fn renew(&self, tenant: &Tenant, lease: &Lease, ttl: Duration) -> Result<bool> {
        tapped!(self, "renew", self.inner.renew(tenant, lease, ttl))
    }

    async fn release(&self, tenant: &Tenant, lease: &Lease) -> Result<()> {
        tapped!(self, "release", self.inner.release(tenant, lease))
    }

    async fn set_halt(&self, tenant: Option<&Tenant>, halt: Option<Halt>) -> Result<()> {
        tapped!(self, "set_halt", self.inner.set_halt(tenant, halt))
    }

    async fn halt(&self, tenant: &Tenant) -> Result<Option<Halt>> {
        tapped!(self, "halt", self.inner.halt(tenant))
    }

    async fn binding(&self, tenant: &Tenant, id: &BindingId) -> Result<Option<Binding>> {
        tapped!(self, "binding", self.inner.binding(tenant, id))
    }

    async fn bindings(&self, tenant: &Tenant) -> Result<Vec<Binding>> {
        tapped!(self, "bindings", self.inner.bindings(tenant))
    }

    async fn state(&self, tenant: &Tenant, binding: &BindingId) -> Result<BindingState> {
        tapped!(self, "state", self.inner.state(tenant, binding))
    }

    async fn known(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        keys: &[RemoteKey],
    ) -> Result<(Vec<Link>, Vec<RemoteItem>)> {
        tapped!(self, "known", self.inner.known(tenant, binding, keys))
    }

    async fn links(&self, tenant: &Tenant, binding: &BindingId, records: &[RecordId]) -> Result<Vec<Link>> {
        tapped!(self, "links", self.inner.links(tenant, binding, records))
    }

    async fn unseen(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        generation: u64,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<Link>> {
        tapped!(self, "unseen", self.inner.unseen(tenant, binding, generation, after, count_max))
    }

    async fn families(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        which: Which,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<Family>> {
        tapped!(self, "families", self.inner.families(tenant, binding, which, after, count_max))
    }

    async fn family(&self, tenant: &Tenant, binding: &BindingId, which: Which, root: &str) -> Result<Family> {
        tapped!(self, "family", self.inner.family(tenant, binding, which, root))
    }

    async fn unlinked_remote(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<RemoteItem>> {
        tapped!(self, "unlinked_remote", self.inner.unlinked_remote(tenant, binding, after, count_max))
    }

    async fn unlinked_local(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<LocalMark>> {
        tapped!(self, "unlinked_local", self.inner.unlinked_local(tenant, binding, after, count_max))
    }

    async fn deselected(&self, tenant: &Tenant, binding: &BindingId) -> Result<Vec<(Which, String)>> {
        tapped!(self, "deselected", self.inner.deselected(tenant, binding))
    }

    async fn linked(&self, tenant: &Tenant, binding: &BindingId) -> Result<u64> {
        tapped!(self, "linked", self.inner.linked(tenant, binding))
    }

    async fn outbox(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<Entry>> {
        tapped!(self, "outbox", self.inner.outbox(tenant, binding, after, count_max))
    }

    async fn links_after(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<Link>> {
        tapped!(self, "links_after", self.inner.links_after(tenant, binding, after, count_max))
    }

    async fn warnings(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        event: Option<&RecordId>,
        after: Option<&WarningPlace>,
        count_max: usize,
    ) -> Result<Vec<Warning>> {
        tapped!(self, "warnings", self.inner.warnings(tenant, binding, event, after, count_max))
    }

    async fn runs(&self, tenant: &Tenant, binding: &BindingId, count_max: usize) -> Result<Vec<RunRow>> {
        tapped!(self, "runs", self.inner.runs(tenant, binding, count_max))
    }

    async fn journal(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        record: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<JournalEntry>> {
        tapped!(self, "journal", self.inner.journal(tenant, binding, record, count_max))
    }

    async fn audit(
        &self,
        tenant: &Tenant,
        what: Option<Audited>,
        before: Option<u64>,
        count_max: usize,
    ) -> Result<Vec<AuditEvent>> {
        tapped!(self, "audit", self.inner.audit(tenant, what, before, count_max))
    }

    async fn forget_audit(&self, tenant: &Tenant, before: DateTime<Utc>) -> Result<u64> {
        tapped!(self, "forget_audit", self.inner.forget_audit(tenant, before))
    }

    async fn plan(&self, tenant: &Tenant, id: &PlanId) -> Result<Option<PlanHeader>> {
        tapped!(self, "plan", self.inner.plan(tenant, id))
    }

    async fn plan_rows(
        &self,
        tenant: &Tenant,
        id: &PlanId,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<StoredRow>> {
        tapped!(self, "plan_rows", self.inner.plan_rows(tenant, id, after, count_max))
    }

    async fn record_changes(
        &self,
        tenant: &Tenant,
        binding: Option<&Binding>,
        position: Option<&Position>,
        count_max: usize,
    ) -> Result<Changes> {
        tapped!(self, "record_changes", self.inner.record_changes(tenant, binding, position, count_max))
    }

    async fn records(&self, tenant: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>> {
        tapped!(self, "records", self.inner.records(tenant, ids))
    }

    async fn record_window(
        &self,
        tenant: &Tenant,
        agent: &AgentId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Record>> {
        tapped!(self, "record_window", self.inner.record_window(tenant, agent, from, to))
    }

    async fn record_occurrences(&self, tenant: &Tenant, series: &RecordId) -> Result<Vec<Record>> {
        tapped!(self, "record_occurrences", self.inner.record_occurrences(tenant, series))
    }

    async fn sealed(&self, tenant: &Tenant, kind: SealedKind, name: &str) -> Result<Option<SealedRow>> {
        tapped!(self, "sealed", self.inner.sealed(tenant, kind, name))
    }

    async fn sealed_rows(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<SealedRow>> {
        tapped!(self, "sealed_rows", self.inner.sealed_rows(tenant, kind, after, count_max))
    }

    async fn put_sealed(&self, tenant: &Tenant, row: &SealedRow, expected: Option<u64>) -> Result<bool> {
        tapped!(self, "put_sealed", self.inner.put_sealed(tenant, row, expected))
    }

    async fn put_sealed_while(
        &self,
        tenant: &Tenant,
        row: &SealedRow,
        expected: Option<u64>,
        standing: &[SealedRow],
        events: &[AuditEvent],
    ) -> Result<bool> {
        tapped!(
            self,
            "put_sealed_while",
            self.inner.put_sealed_while(tenant, row, expected, standing, events)
        )
    }

    async fn take_sealed(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
        expected: Option<u64>,
    ) -> Result<Option<SealedRow>> {
        tapped!(self, "take_sealed", self.inner.take_sealed(tenant, kind, name, expected))
    }

    async fn find_sealed(&self, kind: SealedKind, name: &str) -> Result<Option<(Tenant, SealedRow)>> {
        tapped!(self, "find_sealed", self.inner.find_sealed(kind, name))
    }

    async fn drop_expired(&self, kind: SealedKind, now: DateTime<Utc>) -> Result<u64> {
        tapped!(self, "drop_expired", self.inner.drop_expired(kind, now))
    }

    async fn sealed_tenants(
        &self,
        kind: SealedKind,
        after: Option<&Tenant>,
        count_max: usize,
    ) -> Result<Vec<Tenant>> {
        tapped!(self, "sealed_tenants", self.inner.sealed_tenants(kind, after, count_max))
    }
}
