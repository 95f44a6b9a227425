//! What one transaction holds.
//!
//! A batch belongs to one tenant and at most one binding. It is checked first (fence, settings version), then its groups
//! are applied one after the other: a group whose expectations do not hold is left out whole, and the others still count. So a
//! record that a user edited a moment ago costs its own series another look, and nobody else's.

use super::rows::{Entry, JournalEntry, Lease, Link, LocalMark, PlanHeader, RemoteItem, RunRow, StoredRow};
use crate::binding::{Binding, BindingState};
use crate::host::RecordWrite;
use crate::id::{BindingId, OperationId, RecordId, RemoteKey, Tenant, Version};
use std::collections::BTreeMap;

/// One transaction.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Whose data.
    pub tenant: Tenant,
    /// The binding that links, observations, marks, outbox, journal and state belong to. Without one, only `records` of the
    /// groups and `put_binding` may be set.
    pub binding: Option<BindingId>,
    /// The lease under which this is written; compared by owner and fence.
    pub fence: Option<Lease>,
    /// The settings version under which this was planned.
    pub settings: Option<u64>,
    /// Applied in order, each whole or not at all.
    pub groups: Vec<Group>,
    /// The binding's progress.
    pub state: Option<BindingState>,
    /// A run to remember.
    pub run: Option<RunRow>,
    /// A plan to remember, with its first rows.
    pub plan: Option<PlanHeader>,
    /// Rows of a plan to append.
    pub plan_rows: Vec<StoredRow>,
    /// The plan that `plan_rows` belong to, where `plan` is not set; its header is left as it is.
    pub plan_of: Option<crate::id::PlanId>,
    /// New settings; they replace settings of exactly one version less, or none when the version is 1.
    pub put_binding: Option<Binding>,
    /// Forget the binding: settings, progress, links, observations, marks, outbox. Journal and runs stay.
    pub drop_binding: bool,
    /// Give the lease of `fence` back in the same transaction.
    pub release: bool,
}

impl Batch {
    /// An empty transaction.
    pub fn new(tenant: Tenant) -> Self {
        Self {
            tenant,
            binding: None,
            fence: None,
            settings: None,
            groups: Vec::new(),
            state: None,
            run: None,
            plan: None,
            plan_rows: Vec::new(),
            plan_of: None,
            put_binding: None,
            drop_binding: false,
            release: false,
        }
    }

    /// An empty transaction of a binding, under a lease.
    pub fn of(binding: &Binding, lease: &Lease) -> Self {
        Self {
            binding: Some(binding.id.clone()),
            fence: Some(lease.clone()),
            settings: Some(binding.version),
            ..Self::new(binding.tenant.clone())
        }
    }
}

/// What stands or falls together.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// What must hold for the group to be applied.
    pub expects: Vec<Expect>,
    /// Writes to calsync's own table, each with its own expected version, which is an expectation of the group as well.
    pub records: Vec<RecordWrite>,
    /// Links to put, replacing the one of the same CRM record.
    pub links: Vec<LinkPut>,
    /// CRM records whose link is dropped.
    pub unlink: Vec<RecordId>,
    /// Observations to put, replacing the one of the same key.
    pub remote: Vec<RemoteItem>,
    /// Observations to forget.
    pub forget: Vec<RemoteKey>,
    /// Marks to put, replacing the one of the same record.
    pub marks: Vec<LocalMark>,
    /// Marks to take away, unless a newer version was marked meanwhile.
    pub unmark: Vec<(RecordId, Version)>,
    /// Outbox entries to put, replacing the one of the same operation (which keeps its place in the order).
    pub outbox: Vec<Entry>,
    /// Outbox entries to drop.
    pub outbox_drop: Vec<OperationId>,
    /// What to write down.
    pub journal: Vec<JournalEntry>,
}

/// Something that must hold in calsync's own table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The record.
    pub record: RecordId,
    /// Its version; `None`: it does not exist, or is deleted.
    pub version: Option<Version>,
}

/// A link to put.
#[derive(Clone, Debug)]
pub struct LinkPut {
    /// The link.
    pub link: Link,
    /// The link's `version` becomes the one that this group's write to the same record gives it.
    pub version_from_write: bool,
}

impl From<Link> for LinkPut {
    fn from(link: Link) -> Self {
        Self { link, version_from_write: false }
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The groups, by index, that were left out because something had moved.
    pub moved: Vec<usize>,
    /// The versions that written records of calsync's own table have now.
    pub versions: BTreeMap<RecordId, Version>,
}
