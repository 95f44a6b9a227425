//! What calsync remembers, and how it is changed.
//!
//! A store keeps bindings, observations of both sides, links with their bases, the outbox, leases, runs, plans, the journal,
//! and calsync's own table of appointments. It is changed in one way only: a [`Batch`] is one transaction. Nothing is
//! decided here; a store compares versions and fences, and tells what had moved. Apart from all that it keeps the rows of the
//! vault, each for itself, by compare and swap, and the events that are told of both.
//!
//! The trait is public so that embedders can bring their own database, and unstable until 1.0. The suite in
//! `conformance` (behind the feature of that name) says whether an implementation keeps the promises.

mod batch;
pub mod gather;
mod memory;
pub mod own;
mod rows;
mod sealed;

pub use batch::{Batch, Committed, Expect, Group, LinkPut};
pub use memory::MemoryStore;
pub use rows::{
    Answer, Entry, EntryState, Family, Intent, JournalEntry, Lease, Link, LocalMark, Outcome, PlanHeader,
    RemoteItem, RunRow, Seen, StoredRow, WarningPlace, Which,
};
pub use sealed::{SealedKind, SealedRow};

use crate::audit::{AuditEvent, Audited};
use crate::binding::{Binding, BindingState};
use crate::error::Result;
use crate::halt::Halt;
use crate::host::Changes;
use crate::hours::Warning;
use crate::id::{AgentId, BindingId, InstallationId, PlanId, Position, RecordId, RemoteKey, Tenant};
use crate::model::Record;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::fmt;
use std::time::Duration;

/// Where everything is kept. All methods are safe to cancel: a cancelled commit happened entirely or not at all.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Drawn once when the store was made; goes into the ids of everything that calsync creates elsewhere.
    async fn installation(&self) -> Result<InstallationId>;

    /// Applies one transaction. Groups whose expectations do not hold are left out and named in the answer; the rest is
    /// durable when this returns.
    ///
    /// # Errors
    /// [`crate::ErrorKind::LeaseLost`] when the fence is not the lease's any more, or [`crate::ErrorKind::PreconditionFailed`]
    /// when the binding's settings moved: nothing was written then.
    async fn commit(&self, batch: Batch) -> Result<Committed>;

    /// Takes the lease if it is free or expired, with a fence that is larger than any before it; `None` when somebody has
    /// it. Expiry is judged by the store's own clock. Durable when this returns.
    async fn lease(&self, tenant: &Tenant, name: &str, owner: &str, ttl: Duration) -> Result<Option<Lease>>;

    /// Prolongs a lease that is still this owner's under this fence; `false` when it is not.
    async fn renew(&self, tenant: &Tenant, lease: &Lease, ttl: Duration) -> Result<bool>;

    /// Gives a lease back; somebody else's is left alone.
    async fn release(&self, tenant: &Tenant, lease: &Lease) -> Result<()>;

    /// Halts all writing of one tenant, or of every tenant with `None`; the two are kept apart. A halt replaces the one
    /// before it, and `None` takes it back; taking back none is no error. Durable when this returns.
    async fn set_halt(&self, tenant: Option<&Tenant>, halt: Option<Halt>) -> Result<()>;

    /// The halt in force for this tenant: that of every tenant, or else its own.
    async fn halt(&self, tenant: &Tenant) -> Result<Option<Halt>>;

    /// One binding.
    async fn binding(&self, tenant: &Tenant, id: &BindingId) -> Result<Option<Binding>>;

    /// All bindings of a tenant, by id.
    async fn bindings(&self, tenant: &Tenant) -> Result<Vec<Binding>>;

    /// What is known about a binding's progress; the default for one that never ran.
    async fn state(&self, tenant: &Tenant, binding: &BindingId) -> Result<BindingState>;

    /// What is known about these remote keys: the link and the observation of each, in no particular order.
    async fn known(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        keys: &[RemoteKey],
    ) -> Result<(Vec<Link>, Vec<RemoteItem>)>;

    /// The links of these CRM records, in no particular order.
    async fn links(&self, tenant: &Tenant, binding: &BindingId, records: &[RecordId]) -> Result<Vec<Link>>;

    /// Links of what a listing of everything should have shown and did not: their remote key has no observation of this generation.
    /// Those that live (base is [`crate::model::State::Live`]), and those without a base whose key was observed before. By key,
    /// after `after`.
    async fn unseen(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        generation: u64,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<Link>>;

    /// Families with pending observations on the side that `which` names, ordered by that side's root after `after`: first all
    /// `Which::Remote`, then `Which::Local`. A family holds all links, observations, marks and outbox entries of the
    /// roots, pending or not. `Which::Local` leaves out families that the remote side has pending as well. A page may hold fewer
    /// than `count_max` where they are large; only an empty one is the last.
    async fn families(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        which: Which,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<Family>>;

    /// The family of one root, pending or not. `which` says whose root `root` is.
    async fn family(&self, tenant: &Tenant, binding: &BindingId, which: Which, root: &str) -> Result<Family>;

    /// Pending observations of series and single records that were seen alive and that no link belongs to, by key after `after`.
    async fn unlinked_remote(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<RemoteItem>>;

    /// Marks of series and single records that no link belongs to, by record after `after`, with the record filled in.
    async fn unlinked_local(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<LocalMark>>;

    /// Links by record, after `after`.
    async fn links_after(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<Link>>;

    /// Warnings of working hours that stand, of one appointment or of all, in the order of [`WarningPlace`], after `after`.
    async fn warnings(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        event: Option<&RecordId>,
        after: Option<&WarningPlace>,
        count_max: usize,
    ) -> Result<Vec<Warning>>;

    /// The roots that wait because a reviewer deselected them, in order.
    async fn deselected(&self, tenant: &Tenant, binding: &BindingId) -> Result<Vec<(Which, String)>>;

    /// How many links of the binding are alive.
    async fn linked(&self, tenant: &Tenant, binding: &BindingId) -> Result<u64>;

    /// Outbox entries in the order in which they were put, after the sequence number `after`.
    async fn outbox(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<Entry>>;

    /// Runs of a binding that changed something or failed, newest first.
    async fn runs(&self, tenant: &Tenant, binding: &BindingId, count_max: usize) -> Result<Vec<RunRow>>;

    /// The journal of one record, or of all, newest first.
    async fn journal(
        &self,
        tenant: &Tenant,
        binding: &BindingId,
        record: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<JournalEntry>>;

    /// What happened to connections and settings, of one kind or of all, newest first, before the sequence number `before`.
    async fn audit(
        &self,
        tenant: &Tenant,
        what: Option<Audited>,
        before: Option<u64>,
        count_max: usize,
    ) -> Result<Vec<AuditEvent>>;

    /// Forgets the events of a tenant from before this instant; answers how many.
    async fn forget_audit(&self, tenant: &Tenant, before: DateTime<Utc>) -> Result<u64>;

    /// A stored plan.
    async fn plan(&self, tenant: &Tenant, id: &PlanId) -> Result<Option<PlanHeader>>;

    /// The rows of a plan in order, after the row number `after` (0 for the first).
    async fn plan_rows(
        &self,
        tenant: &Tenant,
        id: &PlanId,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<StoredRow>>;

    /// calsync's own table: what changed since `position` in commit order, deletions included. With a binding, only
    /// records of its agent and records that it has links to, and of the latter none that is in the very version that its
    /// link has: those are the binding's own writes, which a first run would read all once more.
    async fn record_changes(
        &self,
        tenant: &Tenant,
        binding: Option<&Binding>,
        position: Option<&Position>,
        count_max: usize,
    ) -> Result<Changes>;

    /// calsync's own table: these records, deleted ones left out.
    async fn records(&self, tenant: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>>;

    /// calsync's own table: what may overlap `from..to`, by start: single records and changed occurrences that do, and
    /// every series that began before `to`.
    async fn record_window(
        &self,
        tenant: &Tenant,
        agent: &AgentId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Record>>;

    /// calsync's own table: the changed and cancelled occurrences of a series, by slot.
    async fn record_occurrences(&self, tenant: &Tenant, series: &RecordId) -> Result<Vec<Record>>;

    /// One sealed row, expired or not.
    async fn sealed(&self, tenant: &Tenant, kind: SealedKind, name: &str) -> Result<Option<SealedRow>>;

    /// The sealed rows of a kind by name, after `after`.
    async fn sealed_rows(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        after: Option<&str>,
        count_max: usize,
    ) -> Result<Vec<SealedRow>>;

    /// Compare and swap: stores `row`, whose version is the new one, if the stored version is `expected`, or with `None` if
    /// there is no row of that kind and name; answers whether it was. Durable when this returns.
    async fn put_sealed(&self, tenant: &Tenant, row: &SealedRow, expected: Option<u64>) -> Result<bool>;

    /// As [`Store::put_sealed`], but only while each row of `standing` is stored with exactly this version and these sealed
    /// bytes, which is compared in the same transaction: a key cannot be dropped between the look at it and the row that
    /// it sealed. The new version may be the old one, for a row that says the same under another key. `events` are stored if
    /// and only if the row is.
    async fn put_sealed_while(
        &self,
        tenant: &Tenant,
        row: &SealedRow,
        expected: Option<u64>,
        standing: &[SealedRow],
        events: &[AuditEvent],
    ) -> Result<bool>;

    /// Removes a row and answers with it. Of several callers exactly one gets it, so that what may be used once is. With
    /// `expected` only that version is removed, with `None` whichever is there. Durable when this returns.
    async fn take_sealed(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
        expected: Option<u64>,
    ) -> Result<Option<SealedRow>>;

    /// The row of that kind and name of whichever tenant has it, and of the first by id if several do. For names that nobody
    /// can guess: a browser that comes back from a consent knows no tenant, but the hash of 128 random bits.
    async fn find_sealed(&self, kind: SealedKind, name: &str) -> Result<Option<(Tenant, SealedRow)>>;

    /// Forgets the rows of a kind, of every tenant, that are expired at `now` ([`SealedRow::expired`]); answers how many.
    async fn drop_expired(&self, kind: SealedKind, now: DateTime<Utc>) -> Result<u64>;

    /// The tenants that have rows of this kind, by id after `after`.
    async fn sealed_tenants(
        &self,
        kind: SealedKind,
        after: Option<&Tenant>,
        count_max: usize,
    ) -> Result<Vec<Tenant>>;
}
