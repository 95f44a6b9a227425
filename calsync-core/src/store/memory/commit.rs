//! One transaction in memory: first everything is checked and prepared beside the tables, then nothing can fail any more.
//!
//! So a transaction that breaks a rule in its last group leaves no trace of the first, without a copy of the tables and
//! without an undo log. Groups see what earlier groups of the same transaction prepared.

use super::audit;
use super::tables::{BindingData, Data, TenantData};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{RecordId, RemoteKey, Version};
use crate::planted::{self, Fault};
use crate::store::own::{OwnRow, Ruling};
use crate::store::{Batch, Committed, Group, RemoteItem, WarningPlace};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Applies `batch` at `now`.
pub(super) fn commit(data: &mut Data, mut batch: Batch, now: DateTime<Utc>) -> Result<Committed> {
    batch.well_formed()?;
    let nothing = TenantData::default();
    let tenant = data.tenants.get(&batch.tenant).unwrap_or(&nothing);
    check_ground(tenant, &batch)?;
    let mut staged = Staged::new(tenant, &batch, data.version);
    let ruled = batch.groups.iter().map(|group| staged.group(group, now)).collect::<Result<Vec<_>>>()?;
    let Staged { rows, version, .. } = staged;
    data.version = version;
    audit::put(data, &batch.tenant, std::mem::take(&mut batch.events));
    let tenant = data.tenants.entry(batch.tenant.clone()).or_default();
    for (number, row) in rows {
        tenant.own.put(number, row);
    }
    apply(tenant, &mut data.sequence, batch, &ruled);
    let mut committed = Committed::default();
    for (index, versions) in ruled.into_iter().enumerate() {
        match versions {
            Some(versions) => committed.versions.extend(versions),
            None => committed.moved.push(index),
        }
    }
    Ok(committed)
}

/// The fence, the settings, and what the rest stands on.
fn check_ground(tenant: &TenantData, batch: &Batch) -> Result<()> {
    if let Some(lease) = &batch.fence {
        let held = tenant
            .leases
            .get(&lease.name)
            .is_some_and(|row| row.owner.as_ref() == Some(&lease.owner) && row.fence == lease.fence);
        if !held && !planted::on(Fault::FenceUnchecked) {
            return Err(Error::new(
                ErrorKind::LeaseLost,
                "the lease was given back or somebody else took it",
            )
            .with("lease", &lease.name)
            .later());
        }
    }
    let version = |id| tenant.bindings.get(id).map_or(0, |binding| binding.version);
    if let (Some(settings), Some(id)) = (batch.settings, &batch.binding)
        && version(id) != settings
        && !planted::on(Fault::SettingsUnchecked)
    {
        return Err(settings_moved().with("binding", id).later());
    }
    if let Some(put) = &batch.put_binding
        && version(&put.id) + 1 != put.version
    {
        return Err(settings_moved().with("binding", &put.id));
    }
    if let Some(put) = &batch.put_binding
        && let Some(other) = tenant.bindings.values().find(|b| b.id != put.id && b.is_to_calendar_of(put))
    {
        return Err(put.refused_for(&other.id));
    }
    if let Some(plan) = &batch.plan_of
        && !tenant.plans.contains_key(plan)
        && batch.plan.as_ref().is_none_or(|header| header.id != *plan)
    {
        return Err(Error::new(ErrorKind::NotFound, "no such plan").with("plan", plan));
    }
    Ok(())
}

fn settings_moved() -> Error {
    Error::new(ErrorKind::PreconditionFailed, "the binding's settings were changed meanwhile")
}

/// The versions that a group's writes gave; `None` for a group that is left out.
type Ruled = Option<BTreeMap<RecordId, Version>>;

/// What the groups so far would change, beside the tables.
struct Staged<'a> {
    tenant: &'a TenantData,
    /// `None` where the links are forgotten first, or nothing is known yet.
    rows_of_binding: Option<&'a BindingData>,
    version: u64,
    rows: BTreeMap<u64, OwnRow>,
    newest: BTreeMap<RecordId, u64>,
    keys: BTreeMap<RemoteKey, Option<RecordId>>,
    links: BTreeMap<RecordId, Option<RemoteKey>>,
}

impl<'a> Staged<'a> {
    fn new(tenant: &'a TenantData, batch: &Batch, version: u64) -> Self {
        let kept = batch.binding.as_ref().filter(|_| !batch.drop_binding);
        Self {
            tenant,
            rows_of_binding: kept.and_then(|id| tenant.rows.get(id)),
            version,
            rows: BTreeMap::new(),
            newest: BTreeMap::new(),
            keys: BTreeMap::new(),
            links: BTreeMap::new(),
        }
    }

    /// Prepares a group, or says that something it stands on moved.
    fn group(&mut self, group: &Group, now: DateTime<Utc>) -> Result<Ruled> {
        if !group.expects.iter().all(|expect| expect.holds(self.row(&expect.record).map(|row| &row.record))) {
            return Ok(None);
        }
        let mut versions = BTreeMap::new();
        let mut put = Vec::new();
        for write in &group.records {
            let number = self.version + 1 + put.len() as u64;
            let version = Version::new(number.to_string());
            match OwnRow::rule(self.row(&write.id), write, &version, now) {
                Ruling::Moved => return Ok(None),
                Ruling::Done(version) => versions.insert(write.id.clone(), version),
                Ruling::Put(row) => {
                    put.push((number, *row));
                    versions.insert(write.id.clone(), version)
                }
            };
        }
        self.links(group)?;
        for (number, row) in put {
            self.version = number;
            if let Some(old) = self.newest.insert(row.record.id.clone(), number) {
                self.rows.remove(&old);
            }
            self.rows.insert(number, row);
        }
        Ok(Some(versions))
    }

    fn row(&self, record: &RecordId) -> Option<&OwnRow> {
        match self.newest.get(record) {
            Some(number) => self.rows.get(number),
            None => self.tenant.own.get(record),
        }
    }

    /// One link per record and per key; what a group puts may take the key of what the same group drops or moves.
    fn links(&mut self, group: &Group) -> Result<()> {
        for record in group.unlink.iter().chain(group.links.iter().map(|put| &put.link.record)) {
            let key = match self.links.get(record) {
                Some(key) => key.clone(),
                None => {
                    self.rows_of_binding.and_then(|b| b.links.by_record.get(record)).map(|l| l.key.clone())
                }
            };
            if let Some(key) = key {
                self.keys.insert(key, None);
            }
            self.links.insert(record.clone(), None);
        }
        for put in &group.links {
            let (record, key) = (&put.link.record, &put.link.key);
            let holder = match self.keys.get(key) {
                Some(holder) => holder.as_ref(),
                None => self.rows_of_binding.and_then(|b| b.links.of_key(key)).map(|link| &link.record),
            };
            if let Some(holder) = holder.filter(|holder| *holder != record) {
                return Err(Error::new(
                    ErrorKind::Invariant,
                    "two records would be linked to the same remote record",
                )
                .with("record", record)
                .with("other record", holder)
                .with("key", key));
            }
            self.keys.insert(key.clone(), Some(record.clone()));
            self.links.insert(record.clone(), Some(key.clone()));
        }
        Ok(())
    }
}

/// Everything but the own table, which is written already.
fn apply(tenant: &mut TenantData, sequence: &mut u64, mut batch: Batch, ruled: &[Ruled]) {
    if let Some(id) = &batch.binding {
        if batch.drop_binding {
            tenant.bindings.remove(id);
            if let Some(rows) = tenant.rows.get_mut(id) {
                let BindingData { runs, journal, .. } = std::mem::take(rows);
                *rows = BindingData { runs, journal, ..BindingData::default() };
            }
        }
        let rows = tenant.rows.entry(id.clone()).or_default();
        for (mut group, versions) in batch.groups.into_iter().zip(ruled) {
            match versions {
                Some(versions) => {
                    batch.plan_rows.append(&mut group.plan_rows);
                    apply_group(rows, sequence, group, versions);
                }
                None => group.otherwise.into_iter().for_each(|item| rows.remote.put(item)),
            }
        }
        if let Some(generation) = batch.forget_before {
            let agreed = |key: &RemoteKey| rows.links.of_key(key).is_some_and(|link| link.base.is_some());
            let stale = |item: &RemoteItem| item.generation < generation && !agreed(&item.key);
            let stale: Vec<_> =
                rows.remote.by_key.values().filter(|item| stale(item)).map(|i| i.key.clone()).collect();
            for key in stale {
                rows.remote.remove(&key);
            }
        }
        if let Some(state) = batch.state {
            rows.state = state;
        }
        for key in &batch.unwarned {
            rows.warnings.remove(&WarningPlace::of(key));
        }
        let places = batch.warned.into_iter().map(|warning| (WarningPlace::of(&warning.key), warning));
        rows.warnings.extend(places);
        if let Some(run) = batch.run {
            match rows.runs.iter_mut().find(|known| known.id == run.id) {
                Some(known) => *known = run,
                None => rows.runs.push(run),
            }
        }
    }
    let plan = batch.plan.as_ref().map(|plan| plan.id.clone()).or(batch.plan_of);
    if let Some(header) = batch.plan {
        tenant.plans.insert(header.id.clone(), (header, BTreeMap::new()));
    }
    if let Some((_, rows)) = plan.and_then(|plan| tenant.plans.get_mut(&plan)) {
        rows.extend(batch.plan_rows.into_iter().map(|row| (row.number, row)));
    }
    if let Some(plan) = &batch.drop_plan {
        tenant.plans.remove(plan);
    }
    if let Some(binding) = batch.put_binding {
        tenant.bindings.insert(binding.id.clone(), binding);
    }
    if let Some(lease) = batch.fence.filter(|_| batch.release)
        && let Some(row) = tenant.leases.get_mut(&lease.name)
    {
        row.owner = None;
    }
}

fn apply_group(
    rows: &mut BindingData,
    sequence: &mut u64,
    group: Group,
    versions: &BTreeMap<RecordId, Version>,
) {
    for record in group.unlink.iter().chain(group.links.iter().map(|put| &put.link.record)) {
        rows.links.remove(record);
    }
    for put in group.links {
        let mut link = put.link;
        if put.version_from_write {
            link.version = versions.get(&link.record).cloned();
        }
        rows.links.insert(link);
    }
    for key in &group.forget {
        rows.remote.remove(key);
    }
    for item in group.remote {
        rows.remote.put(item);
    }
    for (record, version) in &group.unmark {
        rows.marks.settle(record, version);
    }
    for record in &group.unmark_any {
        rows.marks.remove(record);
    }
    for mark in group.marks {
        rows.marks.put(mark);
    }
    for operation in &group.outbox_drop {
        rows.outbox.remove(operation);
    }
    for mut entry in group.outbox {
        entry.sequence = rows.outbox.remove(&entry.operation).unwrap_or_else(|| {
            *sequence += 1;
            *sequence
        });
        rows.outbox.insert(entry);
    }
    for root in &group.select {
        rows.deselected.remove(root);
    }
    rows.deselected.extend(group.deselect);
    rows.journal.extend(group.journal);
}
