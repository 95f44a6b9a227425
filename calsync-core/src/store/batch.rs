//! What one transaction holds.
//!
//! A batch belongs to one tenant and at most one binding. It is checked first (fence, settings version), then its groups
//! are applied one after the other: a group whose expectations do not hold is left out whole, and the others still count. So a
//! record that a user edited a moment ago costs its own series another look, and nobody else's.

use super::rows::{
    Entry, JournalEntry, Lease, Link, LocalMark, PlanHeader, RemoteItem, RunRow, StoredRow, Which,
};
use crate::audit::AuditEvent;
use crate::binding::{Binding, BindingState};
use crate::error::{Error, ErrorKind, Result};
use crate::host::RecordWrite;
use crate::hours::{Warning, WarningKey};
use crate::id::{BindingId, OperationId, RecordId, RemoteKey, Tenant, Version};
use std::collections::{BTreeMap, BTreeSet};

/// One transaction.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Whose data.
    pub tenant: Tenant,
    /// The binding that links, observations, marks, outbox, journal and state belong to. Without one, only `records` of the
    /// groups, `put_binding` and `events` may be set.
    pub binding: Option<BindingId>,
    /// The lease under which this is written; compared by owner and fence.
    pub fence: Option<Lease>,
    /// The settings version under which this was planned.
    pub settings: Option<u64>,
    /// Applied in order, each whole or not at all.
    pub groups: Vec<Group>,
    /// Forget observations of an older generation about which both sides have agreed on nothing: there is no link, or one without
    /// a base.
    pub forget_before: Option<u64>,
    /// The binding's progress.
    pub state: Option<BindingState>,
    /// Warnings of working hours that stand from now on, or stand otherwise than before.
    pub warned: Vec<Warning>,
    /// Warnings that no longer stand; done before `warned`.
    pub unwarned: Vec<WarningKey>,
    /// A run to remember.
    pub run: Option<RunRow>,
    /// A plan to remember, with its first rows.
    pub plan: Option<PlanHeader>,
    /// Rows of a plan to append.
    pub plan_rows: Vec<StoredRow>,
    /// The plan that `plan_rows` belong to, where `plan` is not set; its header is left as it is.
    pub plan_of: Option<crate::id::PlanId>,
    /// A plan to forget, with its rows.
    pub drop_plan: Option<crate::id::PlanId>,
    /// New settings; they replace settings of exactly one version less, or none when the version is 1. No two bindings of a tenant
    /// have the same calendar ([`Binding::is_to_calendar_of`]): the second of them is refused with [`ErrorKind::Duplicate`].
    ///
    /// [`ErrorKind::Duplicate`]: crate::ErrorKind::Duplicate
    pub put_binding: Option<Binding>,
    /// Forget the binding: settings, progress, links, observations, marks, outbox, warnings. Journal, runs and plans stay. Done first;
    /// with `put_binding`, whose version counts on, everything else of the transaction starts on clean ground.
    pub drop_binding: bool,
    /// What is told of it later. Needs no binding.
    pub events: Vec<AuditEvent>,
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
            forget_before: None,
            state: None,
            warned: Vec::new(),
            unwarned: Vec::new(),
            run: None,
            plan: None,
            plan_rows: Vec::new(),
            plan_of: None,
            drop_plan: None,
            put_binding: None,
            drop_binding: false,
            events: Vec::new(),
            release: false,
        }
    }

    /// A transaction that only tells of something.
    pub fn telling(tenant: &Tenant, event: AuditEvent) -> Self {
        Self { events: vec![event], ..Self::new(tenant.clone()) }
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

    /// Whether the parts fit together, before anything is looked up. Every store asks this first.
    ///
    /// # Errors
    /// [`ErrorKind::Invariant`], naming what does not fit.
    pub fn well_formed(&self) -> Result<()> {
        let check = |fits: bool, rule: &'static str| {
            if fits {
                Ok(())
            } else {
                Err(Error::new(ErrorKind::Invariant, rule).with("tenant", &self.tenant))
            }
        };
        let of_binding = self.settings.is_some()
            || self.state.is_some()
            || self.run.is_some()
            || self.plan.is_some()
            || self.plan_of.is_some()
            || self.drop_plan.is_some()
            || !self.plan_rows.is_empty()
            || self.drop_binding
            || self.forget_before.is_some()
            || self.groups.iter().any(Group::of_binding);
        check(
            self.binding.is_some() || !of_binding,
            "a transaction without a binding writes a binding's rows",
        )?;
        check(
            !self.release || self.fence.is_some(),
            "a transaction gives back a lease that it does not name",
        )?;
        let names_rows =
            !self.plan_rows.is_empty() || self.groups.iter().any(|group| !group.plan_rows.is_empty());
        check(
            !names_rows || self.plan.is_some() || self.plan_of.is_some(),
            "a transaction appends rows to a plan that it does not name",
        )?;
        if let Some(put) = &self.put_binding {
            check(put.tenant == self.tenant, "a transaction writes the binding of another tenant")?;
            check(put.version > 0, "the settings of a binding have version 0; they count from 1")?;
            check(
                self.binding.as_ref().is_none_or(|id| *id == put.id),
                "a transaction of one binding writes another",
            )?;
        }
        for named in [self.run.as_ref().map(|r| &r.binding), self.plan.as_ref().map(|p| &p.binding)] {
            check(
                named.is_none() || named == self.binding.as_ref(),
                "a transaction of one binding writes another",
            )?;
        }
        let leaves_rows =
            self.state.is_some() || self.plan.is_some() || self.groups.iter().any(Group::keeps_rows);
        check(
            !self.drop_binding || self.put_binding.is_some() || !leaves_rows,
            "a transaction forgets a binding and writes its rows",
        )?;
        for group in &self.groups {
            let mut written = BTreeSet::new();
            for write in &group.records {
                check(written.insert(&write.id), "a group writes the same record twice")?;
            }
            let mut linked = BTreeSet::new();
            for put in &group.links {
                check(linked.insert(&put.link.record), "a group links the same record twice")?;
                check(
                    !put.version_from_write || written.contains(&put.link.record),
                    "a link takes its version from a write that its group does not hold",
                )?;
            }
        }
        Ok(())
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
    /// Marks to take away whatever their version.
    pub unmark_any: Vec<RecordId>,
    /// Outbox entries to put, replacing the one of the same operation (which keeps its place in the order).
    pub outbox: Vec<Entry>,
    /// Outbox entries to drop.
    pub outbox_drop: Vec<OperationId>,
    /// Roots to leave waiting because a reviewer deselected them: those of the calendar and those of the CRM.
    pub deselect: Vec<(Which, String)>,
    /// Roots that wait no longer.
    pub select: Vec<(Which, String)>,
    /// Rows of the transaction's plan to put, which say that the group was carried out.
    pub plan_rows: Vec<StoredRow>,
    /// What to write down.
    pub journal: Vec<JournalEntry>,
    /// Observations to put where the group is left out: what was decided too early is decided later, and is not forgotten.
    pub otherwise: Vec<RemoteItem>,
}

impl Group {
    /// Whether anything in it belongs to a binding; calsync's own table belongs to the tenant.
    fn of_binding(&self) -> bool {
        self.keeps_rows()
            || !(self.unlink.is_empty()
                && self.forget.is_empty()
                && self.unmark.is_empty()
                && self.unmark_any.is_empty()
                && self.outbox_drop.is_empty()
                && self.select.is_empty()
                && self.plan_rows.is_empty()
                && self.journal.is_empty())
    }

    fn keeps_rows(&self) -> bool {
        !(self.links.is_empty()
            && self.remote.is_empty()
            && self.marks.is_empty()
            && self.outbox.is_empty()
            && self.deselect.is_empty()
            && self.otherwise.is_empty())
    }
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
