//! The store: each method of the contract, sent to the connection that answers it.

use crate::db::sql;
use crate::open::SqliteBuilder;
use crate::read::{self, Scope};
use crate::worker::Worker;
use crate::{appointment, audit, commit, lease, sealed};
use async_trait::async_trait;
use calsync_core::audit::{AuditEvent, Audited};
use calsync_core::binding::{Binding, BindingState};
use calsync_core::clock::Clock;
use calsync_core::halt::Halt;
use calsync_core::host::Changes;
use calsync_core::hours::Warning;
use calsync_core::model::Record;
use calsync_core::store::{
    Batch, Committed, Entry, Family, JournalEntry, Lease, Link, LocalMark, PlanHeader, RemoteItem, RunRow,
    SealedKind, SealedRow, Store, StoredRow, WarningPlace, Which, gather,
};
use calsync_core::{
    AgentId, BindingId, Error, ErrorKind, InstallationId, PlanId, Position, RecordId, RemoteKey, Result,
    Tenant,
};
use chrono::{DateTime, Utc};
use rusqlite::Connection;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A transaction of more observations and records than this is taken apart beside the next one.
const LARGE: usize = 50;

/// A store in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    environment: String,
    clock: Arc<dyn Clock>,
    installation: InstallationId,
    // Closed in this order: the last connection to go tidies the file up, and only a writer can.
    reader: Worker,
    writer: Worker,
}

impl SqliteStore {
    /// Opens the store of the environment `production` in this file, and makes it if there is no file yet.
    ///
    /// # Errors
    /// As [`SqliteBuilder::open`].
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::builder(path).open().await
    }

    /// Opens a store with other settings than the usual ones.
    pub fn builder(path: impl Into<PathBuf>) -> SqliteBuilder {
        SqliteBuilder::new(path.into())
    }

    pub(crate) fn new(
        path: PathBuf,
        environment: String,
        clock: Arc<dyn Clock>,
        installation: InstallationId,
        writer: Worker,
        reader: Worker,
    ) -> Self {
        Self { path, environment, clock, installation, reader, writer }
    }

    /// Runs a job on the writing connection.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection, DateTime<Utc>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let clock = self.clock.clone();
        let answer = self.writer.run(move |db| job(db, clock.now())).await;
        answer.map_err(|error| self.named(error))
    }

    /// Runs a job on the reading connection, inside a transaction.
    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let job = move |db: &mut Connection| job(&*db.transaction().map_err(sql)?);
        self.reader.run(job).await.map_err(|error| self.named(error))
    }

    /// Runs a job about one binding on the reading connection.
    async fn read_of<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        job: impl FnOnce(Scope<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (tenant, binding) = (tenant.clone(), binding.clone());
        self.read(move |db| job(Scope { db, tenant: tenant.as_str(), binding: binding.as_str() })).await
    }

    /// What is wrong with the file says which file.
    fn named(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Store | ErrorKind::StoreBusy | ErrorKind::StoreFull | ErrorKind::StoreReadOnly => {
                error.with("store", self.path.display())
            }
            _ => error,
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn installation(&self) -> Result<InstallationId> {
        Ok(self.installation.clone())
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        let (clock, mut batch) = (self.clock.clone(), batch);
        let job = move |db: &mut _| {
            let committed = commit::commit(db, &mut batch, clock.now());
            Ok((committed, batch))
        };
        let (committed, batch) = self.writer.run(job).await.map_err(|error| self.named(error))?;
        if batch.groups.iter().map(|group| group.remote.len() + group.records.len()).sum::<usize>() > LARGE {
            self.writer.take_apart(batch);
        }
        committed.map_err(|error| self.named(error))
    }

    async fn lease(&self, tenant: &Tenant, name: &str, owner: &str, ttl: Duration) -> Result<Option<Lease>> {
        let (tenant, name, owner) = (tenant.clone(), name.to_owned(), owner.to_owned());
        self.write(move |db, now| lease::take(db, tenant.as_str(), &name, &owner, ttl, now)).await
    }

    async fn renew(&self, tenant: &Tenant, lease: &Lease, ttl: Duration) -> Result<bool> {
        let (tenant, lease) = (tenant.clone(), lease.clone());
        self.write(move |db, now| lease::renew(db, tenant.as_str(), &lease, ttl, now)).await
    }

    async fn release(&self, tenant: &Tenant, lease: &Lease) -> Result<()> {
        let (tenant, lease) = (tenant.clone(), lease.clone());
        self.write(move |db, _| commit::release(db, tenant.as_str(), &lease)).await
    }

    async fn set_halt(&self, tenant: Option<&Tenant>, halt: Option<Halt>) -> Result<()> {
        let tenant = tenant.cloned();
        self.write(move |db, _| commit::set_halt(db, tenant.as_ref().map(|it| it.as_str()), halt.as_ref()))
            .await
    }

    async fn halt(&self, tenant: &Tenant) -> Result<Option<Halt>> {
        let tenant = tenant.clone();
        self.read(move |db| read::halt(db, tenant.as_str())).await
    }

    async fn binding(&self, tenant: &Tenant, id: &BindingId) -> Result<Option<Binding>> {
        self.read_of(tenant, id, |of| read::binding(of.db, of.tenant, of.binding)).await
    }

    async fn bindings(&self, tenant: &Tenant) -> Result<Vec<Binding>> {
        let tenant = tenant.clone();
        self.read(move |db| read::bindings(db, tenant.as_str())).await
    }

    async fn state(&self, tenant: &Tenant, binding: &BindingId) -> Result<BindingState> {
        self.read_of(tenant, binding, |of| of.state()).await
    }

    async fn known(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        keys: &[RemoteKey],
    ) -> Result<(Vec<Link>, Vec<RemoteItem>)> {
        let keys = keys.to_vec();
        self.read_of(tenant, binding, move |mut of| of.known(&keys)).await
    }

    async fn links(&self, tenant: &Tenant, binding: &BindingId, records: &[RecordId]) -> Result<Vec<Link>> {
        let records = records.to_vec();
        self.read_of(tenant, binding, move |mut of| of.links(&records)).await
    }

    async fn unseen(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        generation: u64,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<Link>> {
        let after = after.cloned();
        self.read_of(tenant, binding, move |of| of.unseen(generation, after.as_ref(), count_max)).await
    }

    async fn families(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        which: Which,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<Family>> {
        let after = after.map(str::to_owned);
        self.read_of(tenant, binding, move |mut of| {
            gather::families(&mut of, which, after.as_deref(), count_max)
        })
        .await
    }

    async fn family(&self, tenant: &Tenant, binding: &BindingId, which: Which, root: &str) -> Result<Family> {
        let root = root.to_owned();
        self.read_of(tenant, binding, move |mut of| gather::family(&mut of, which, &root)).await
    }

    async fn unlinked_remote(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<RemoteItem>> {
        let after = after.cloned();
        self.read_of(tenant, binding, move |of| of.unlinked_remote(after.as_ref(), count_max)).await
    }

    async fn unlinked_local(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<LocalMark>> {
        let after = after.cloned();
        self.read_of(tenant, binding, move |of| of.unlinked_local(after.as_ref(), count_max)).await
    }

    async fn deselected(&self, tenant: &Tenant, binding: &BindingId) -> Result<Vec<(Which, String)>> {
        self.read_of(tenant, binding, |of| of.deselected()).await
    }

    async fn linked(&self, tenant: &Tenant, binding: &BindingId) -> Result<u64> {
        self.read_of(tenant, binding, |of| of.linked()).await
    }

    async fn outbox(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<Entry>> {
        self.read_of(tenant, binding, move |of| of.outbox(after, count_max)).await
    }

    async fn runs(&self, tenant: &Tenant, binding: &BindingId, count_max: usize) -> Result<Vec<RunRow>> {
        self.read_of(tenant, binding, move |of| of.runs(count_max)).await
    }

    async fn links_after(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<Link>> {
        let after = after.cloned();
        self.read_of(tenant, binding, move |of| of.links_after(after.as_ref(), count_max)).await
    }

    async fn warnings(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        event: Option<&RecordId>,
        after: Option<&WarningPlace>,
        count_max: usize,
    ) -> Result<Vec<Warning>> {
        let (event, after) = (event.cloned(), after.cloned());
        self.read_of(tenant, binding, move |of| of.warnings(event.as_ref(), after.as_ref(), count_max)).await
    }

    async fn journal(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        record: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<JournalEntry>> {
        let record = record.cloned();
        self.read_of(tenant, binding, move |of| of.journal(record.as_ref(), count_max)).await
    }

    async fn audit(
        &self,
        tenant: &Tenant,
        what: Option<Audited>,
        before: Option<u64>,
        count_max: usize,
    ) -> Result<Vec<AuditEvent>> {
        let tenant = tenant.clone();
        self.read(move |db| audit::events(db, tenant.as_str(), what, before, count_max)).await
    }

    async fn forget_audit(&self, tenant: &Tenant, before: DateTime<Utc>) -> Result<u64> {
        let tenant = tenant.clone();
        self.write(move |db, _| audit::forget(db, tenant.as_str(), before)).await
    }

    async fn plan(&self, tenant: &Tenant, id: &PlanId) -> Result<Option<PlanHeader>> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.read(move |db| read::plan(db, tenant.as_str(), &id)).await
    }

    async fn plan_rows(
        &self,
        tenant: &Tenant,
        id: &PlanId,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<StoredRow>> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.read(move |db| read::plan_rows(db, tenant.as_str(), &id, after, count_max)).await
    }

    async fn record_changes(
        &self,
        tenant: &Tenant,
        binding: Option<&Binding>,
        position: Option<&Position>,
        count_max: usize,
    ) -> Result<Changes> {
        let (tenant, binding, position) = (tenant.clone(), binding.cloned(), position.cloned());
        self.read(move |db| {
            read::record_changes(db, tenant.as_str(), binding.as_ref(), position.as_ref(), count_max)
        })
        .await
    }

    async fn records(&self, tenant: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>> {
        let (tenant, ids) = (tenant.clone(), ids.to_vec());
        self.read(move |db| appointment::records(db, tenant.as_str(), &ids)).await
    }

    async fn record_window(
        &self,
        tenant: &Tenant,
        agent: &AgentId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Record>> {
        let (tenant, agent) = (tenant.clone(), agent.clone());
        self.read(move |db| appointment::window(db, tenant.as_str(), &agent, from, to)).await
    }

    async fn record_occurrences(&self, tenant: &Tenant, series: &RecordId) -> Result<Vec<Record>> {
        let (tenant, series) = (tenant.clone(), series.clone());
        self.read(move |db| appointment::occurrences(db, tenant.as_str(), &series)).await
    }

    async fn sealed(&self, tenant: &Tenant, kind: SealedKind, name: &str) -> Result<Option<SealedRow>> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.read(move |db| sealed::row(db, tenant.as_str(), kind, &name)).await
    }

    async fn sealed_rows(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<SealedRow>> {
        let (tenant, after) = (tenant.clone(), after.map(str::to_owned));
        self.read(move |db| sealed::rows(db, tenant.as_str(), kind, after.as_deref(), count_max)).await
    }

    async fn put_sealed(&self, tenant: &Tenant, row: &SealedRow, expected: Option<u64>) -> Result<bool> {
        let (tenant, row) = (tenant.clone(), row.clone());
        self.write(move |db, _| sealed::put(db, tenant.as_str(), &row, expected)).await
    }

    async fn put_sealed_while(
        &self,
        tenant: &Tenant,
        row: &SealedRow,
        expected: Option<u64>,
        standing: &[SealedRow],
        events: &[AuditEvent],
    ) -> Result<bool> {
        let (tenant, row) = (tenant.clone(), row.clone());
        let (standing, events) = (standing.to_vec(), events.to_vec());
        self.write(move |db, _| sealed::put_while(db, tenant.as_str(), &row, expected, &standing, &events))
            .await
    }

    async fn take_sealed(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
        expected: Option<u64>,
    ) -> Result<Option<SealedRow>> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.write(move |db, _| sealed::take(db, tenant.as_str(), kind, &name, expected)).await
    }

    async fn find_sealed(&self, kind: SealedKind, name: &str) -> Result<Option<(Tenant, SealedRow)>> {
        let name = name.to_owned();
        self.read(move |db| sealed::find(db, kind, &name)).await
    }

    async fn drop_expired(&self, kind: SealedKind, now: DateTime<Utc>) -> Result<u64> {
        self.write(move |db, _| sealed::drop_expired(db, kind, now)).await
    }

    async fn sealed_tenants(
        &self,
        kind: SealedKind,
        after: Option<&Tenant>,
        count_max: usize,
    ) -> Result<Vec<Tenant>> {
        let after = after.cloned();
        self.read(move |db| sealed::tenants(db, kind, after.as_ref().map(|it| it.as_str()), count_max)).await
    }
}
