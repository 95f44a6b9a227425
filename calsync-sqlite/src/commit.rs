//! One transaction.
//!
//! `BEGIN IMMEDIATE` takes the only right to write first, so nothing that was checked can move before it is written. A
//! group is checked whole before its first row is written; a rule that is broken ends the transaction, and SQLite takes back
//! what earlier groups wrote.

use crate::db::{int, one, run, sql, to_json};
use crate::{appointment, audit};
use calsync_core::halt::Halt;
use calsync_core::model::State;
use calsync_core::store::own::{OwnRow, Ruling};
use calsync_core::store::{
    Batch, Committed, Entry, Group, Lease, Link, LocalMark, RemoteItem, StoredRow, WarningPlace, Which,
};
use calsync_core::{BindingId, Error, ErrorKind, RecordId, Result, Version};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior};
use std::collections::BTreeMap;

/// Applies `batch` at `now`; what is left of it afterwards is of no use.
pub(crate) fn commit(db: &mut Connection, batch: &mut Batch, now: DateTime<Utc>) -> Result<Committed> {
    batch.well_formed()?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    let tenant = batch.tenant.clone();
    let committed = Writing { db: &tx, tenant: tenant.as_str(), now, next: None }.all(batch)?;
    tx.commit().map_err(sql)?;
    Ok(committed)
}

/// Whether the lease is still this owner's under this fence.
pub(crate) fn holds(db: &Connection, tenant: &str, lease: &Lease) -> Result<bool> {
    let query = "SELECT 1 FROM calsync_lease WHERE tenant = ?1 AND name = ?2 AND owner = ?3 AND fence = ?4";
    Ok(one(db, query, (tenant, &lease.name, &lease.owner, int(lease.fence)?), |_| Ok(()))?.is_some())
}

/// Gives a lease back, if it is this owner's under this fence.
pub(crate) fn release(db: &Connection, tenant: &str, lease: &Lease) -> Result<()> {
    let statement =
        "UPDATE calsync_lease SET owner = NULL WHERE tenant = ?1 AND name = ?2 AND owner = ?3 AND fence = ?4";
    run(db, statement, (tenant, &lease.name, &lease.owner, int(lease.fence)?))?;
    Ok(())
}

/// Sets the halt of one tenant, or of every tenant, or takes it back.
pub(crate) fn set_halt(db: &Connection, tenant: Option<&str>, halt: Option<&Halt>) -> Result<()> {
    let (tenant, everyone) = (tenant.unwrap_or_default(), tenant.is_none());
    match halt {
        Some(halt) => {
            let statement = "INSERT INTO calsync_halt (tenant, everyone, body) VALUES (?1, ?2, ?3)
                ON CONFLICT (tenant, everyone) DO UPDATE SET body = ?3";
            run(db, statement, (tenant, everyone, to_json(halt)?))?;
        }
        None => {
            run(db, "DELETE FROM calsync_halt WHERE tenant = ?1 AND everyone = ?2", (tenant, everyone))?;
        }
    }
    Ok(())
}

struct Writing<'a> {
    db: &'a Connection,
    tenant: &'a str,
    now: DateTime<Utc>,
    /// The number of the next change to an appointment, once there was one.
    next: Option<i64>,
}

/// The versions that the writes of a group gave.
type Versions = BTreeMap<RecordId, Version>;

impl Writing<'_> {
    fn all(mut self, batch: &mut Batch) -> Result<Committed> {
        self.check_ground(batch)?;
        if let (Some(binding), true) = (&batch.binding, batch.drop_binding) {
            self.forget(binding)?;
        }
        let mut committed = Committed::default();
        let mut plan_rows = std::mem::take(&mut batch.plan_rows);
        let rows = batch.binding.as_ref().map(|binding| Rows {
            db: self.db,
            tenant: self.tenant,
            binding: binding.as_str(),
        });
        for (index, group) in batch.groups.iter_mut().enumerate() {
            match self.records(group)? {
                None => {
                    if let Some(rows) = rows {
                        group.otherwise.iter().try_for_each(|item| rows.observation(item))?;
                    }
                    committed.moved.push(index);
                }
                Some(versions) => {
                    if let Some(rows) = rows {
                        rows.group(group, &versions)?;
                    }
                    plan_rows.append(&mut group.plan_rows);
                    committed.versions.extend(versions);
                }
            }
        }
        if let Some(next) = self.next {
            appointment::close(self.db, next)?;
        }
        self.binding_rows(batch)?;
        self.plan(batch, &plan_rows)?;
        audit::put(self.db, self.tenant, &batch.events)?;
        if let (Some(lease), true) = (&batch.fence, batch.release) {
            release(self.db, self.tenant, lease)?;
        }
        Ok(committed)
    }

    /// The fence, the settings, and what the rest stands on.
    fn check_ground(&self, batch: &Batch) -> Result<()> {
        if let Some(lease) = &batch.fence
            && !holds(self.db, self.tenant, lease)?
        {
            return Err(Error::new(
                ErrorKind::LeaseLost,
                "the lease was given back or somebody else took it",
            )
            .with("lease", &lease.name)
            .later());
        }
        let version = |id: &BindingId| {
            let query = "SELECT version FROM calsync_binding WHERE tenant = ?1 AND id = ?2";
            let version = one(self.db, query, (self.tenant, id.as_str()), |row| Ok(row.get::<_, i64>(0)?))?;
            crate::db::uint(version.unwrap_or(0))
        };
        let moved =
            || Error::new(ErrorKind::PreconditionFailed, "the binding's settings were changed meanwhile");
        if let (Some(settings), Some(id)) = (batch.settings, &batch.binding)
            && version(id)? != settings
        {
            return Err(moved().with("binding", id).later());
        }
        if let Some(put) = &batch.put_binding
            && version(&put.id)? + 1 != put.version
        {
            return Err(moved().with("binding", &put.id));
        }
        if let Some(put) = &batch.put_binding {
            let query = "SELECT id FROM calsync_binding WHERE tenant = ?1 AND provider = ?2 AND calendar = ?3 AND id <> ?4";
            let key = (self.tenant, put.provider.as_str(), put.target.calendar.as_str(), put.id.as_str());
            if let Some(other) = one(self.db, query, key, |row| Ok(row.get::<_, String>(0)?))? {
                return Err(put.refused_for(&other.into()));
            }
        }
        if let Some(plan) = &batch.plan_of
            && batch.plan.as_ref().is_none_or(|header| header.id != *plan)
        {
            let query = "SELECT 1 FROM calsync_plan WHERE tenant = ?1 AND id = ?2";
            one(self.db, query, (self.tenant, plan.as_str()), |_| Ok(()))?
                .ok_or_else(|| Error::new(ErrorKind::NotFound, "no such plan").with("plan", plan))?;
        }
        Ok(())
    }

    /// Everything of a binding but its journal, runs and plans.
    fn forget(&self, binding: &BindingId) -> Result<()> {
        for table in ["state", "link", "remote", "mark", "deselected", "outbox", "warning"] {
            let statement = format!("DELETE FROM calsync_{table} WHERE tenant = ?1 AND binding = ?2");
            run(self.db, &statement, (self.tenant, binding.as_str()))?;
        }
        let statement = "DELETE FROM calsync_binding WHERE tenant = ?1 AND id = ?2";
        run(self.db, statement, (self.tenant, binding.as_str()))?;
        Ok(())
    }

    /// Checks all that a group expects, and then writes its records. `None`: something moved and nothing was written.
    fn records(&mut self, group: &Group) -> Result<Option<Versions>> {
        let mut rows = BTreeMap::new();
        for id in group.expects.iter().map(|e| &e.record).chain(group.records.iter().map(|w| &w.id)) {
            if !rows.contains_key(id) {
                rows.insert(id, appointment::row(self.db, self.tenant, id)?);
            }
        }
        let row = |id: &RecordId| rows.get(id).and_then(Option::as_ref);
        if !group.expects.iter().all(|expect| expect.holds(row(&expect.record).map(|row| &row.record))) {
            return Ok(None);
        }
        let mut versions = Versions::new();
        if group.records.is_empty() {
            return Ok(Some(versions));
        }
        let mut next = match self.next {
            Some(next) => next,
            None => appointment::open(self.db)?,
        };
        self.next = Some(next);
        let mut put = Vec::new();
        for write in &group.records {
            let version = Version::new(next.to_string());
            let version = match OwnRow::rule(row(&write.id), write, &version, self.now) {
                Ruling::Moved => return Ok(None),
                Ruling::Done(version) => version,
                Ruling::Put(new) => {
                    put.push((row(&write.id).is_some_and(|row| row.record.fields.is_some()), new));
                    next += 1;
                    version
                }
            };
            versions.insert(write.id.clone(), version);
        }
        for (known, row) in put {
            appointment::put(self.db, self.tenant, &row, known)?;
        }
        self.next = Some(next);
        Ok(Some(versions))
    }

    /// Warnings of working hours.
    fn warnings(&self, binding: &BindingId, batch: &Batch) -> Result<()> {
        for key in &batch.unwarned {
            let [event, slot, person, version] = WarningPlace::of(key).0;
            let statement = "DELETE FROM calsync_warning WHERE tenant = ?1 AND binding = ?2 AND event = ?3
                AND occurrence = ?4 AND person = ?5 AND version = ?6";
            run(self.db, statement, (self.tenant, binding.as_str(), event, slot, person, version))?;
        }
        for warning in &batch.warned {
            let [event, slot, person, version] = WarningPlace::of(&warning.key).0;
            let statement = "INSERT INTO calsync_warning
                (tenant, binding, event, occurrence, person, version, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                ON CONFLICT (tenant, binding, event, occurrence, person, version) DO UPDATE SET body = ?7";
            let body = to_json(warning)?;
            run(self.db, statement, (self.tenant, binding.as_str(), event, slot, person, version, body))?;
        }
        Ok(())
    }

    /// Progress, run and settings.
    fn binding_rows(&self, batch: &Batch) -> Result<()> {
        if let (Some(state), Some(binding)) = (&batch.state, &batch.binding) {
            let statement = "INSERT INTO calsync_state (tenant, binding, body) VALUES (?1, ?2, ?3)
                ON CONFLICT (tenant, binding) DO UPDATE SET body = ?3";
            run(self.db, statement, (self.tenant, binding.as_str(), to_json(state)?))?;
        }
        if let (Some(generation), Some(binding)) = (batch.forget_before, &batch.binding) {
            let statement = "DELETE FROM calsync_remote AS r WHERE tenant = ?1 AND binding = ?2 AND generation < ?3
                AND NOT EXISTS (SELECT 1 FROM calsync_link l WHERE l.tenant = r.tenant AND l.binding = r.binding
                  AND l.key = r.key AND l.body ->> 'base' IS NOT NULL)";
            run(self.db, statement, (self.tenant, binding.as_str(), int(generation)?))?;
        }
        if let Some(binding) = &batch.binding {
            self.warnings(binding, batch)?;
        }
        if let Some(row) = &batch.run {
            let statement = "INSERT INTO calsync_run (tenant, binding, id, body) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (tenant, binding, id) DO UPDATE SET body = ?4";
            run(self.db, statement, (self.tenant, row.binding.as_str(), row.id.as_str(), to_json(row)?))?;
        }
        if let Some(put) = &batch.put_binding {
            let statement = "INSERT INTO calsync_binding (tenant, id, version, provider, calendar, body)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                ON CONFLICT (tenant, id) DO UPDATE SET version = ?3, provider = ?4, calendar = ?5, body = ?6";
            let (version, body) = (int(put.version)?, to_json(put)?);
            let (provider, calendar) = (put.provider.as_str(), put.target.calendar.as_str());
            run(self.db, statement, (self.tenant, put.id.as_str(), version, provider, calendar, body))?;
        }
        Ok(())
    }

    fn plan(&self, batch: &Batch, rows: &[StoredRow]) -> Result<()> {
        if let Some(header) = &batch.plan {
            let key = (self.tenant, header.id.as_str());
            run(self.db, "DELETE FROM calsync_plan WHERE tenant = ?1 AND id = ?2", key)?;
            let statement = "INSERT INTO calsync_plan (tenant, id, body) VALUES (?1, ?2, ?3)";
            run(self.db, statement, (key.0, key.1, to_json(header)?))?;
        }
        let plan = batch.plan.as_ref().map(|header| &header.id).or(batch.plan_of.as_ref());
        for row in rows {
            let statement =
                "INSERT INTO calsync_plan_row (tenant, plan, number, body) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (tenant, plan, number) DO UPDATE SET body = ?4";
            let plan = plan.map(|plan| plan.as_str());
            run(self.db, statement, (self.tenant, plan, int(row.number)?, to_json(row)?))?;
        }
        if let Some(plan) = &batch.drop_plan {
            let key = (self.tenant, plan.as_str());
            run(self.db, "DELETE FROM calsync_plan_row WHERE tenant = ?1 AND plan = ?2", key)?;
            run(self.db, "DELETE FROM calsync_plan WHERE tenant = ?1 AND id = ?2", key)?;
        }
        Ok(())
    }
}

/// A side as its column names it.
fn side_name(side: Which) -> &'static str {
    match side {
        Which::Remote => "remote",
        Which::Local => "local",
    }
}

/// The rows of one binding.
#[derive(Clone, Copy)]
struct Rows<'a> {
    db: &'a Connection,
    tenant: &'a str,
    binding: &'a str,
}

impl Rows<'_> {
    fn group(&self, group: &mut Group, versions: &Versions) -> Result<()> {
        self.links(group, versions)?;
        for key in &group.forget {
            self.drop("remote", "key", key.as_str())?;
        }
        group.remote.iter().try_for_each(|item| self.observation(item))?;
        for (record, version) in &group.unmark {
            let query = "SELECT body FROM calsync_mark WHERE tenant = ?1 AND binding = ?2 AND record = ?3";
            let mark: Option<LocalMark> =
                crate::db::body(self.db, query, (self.tenant, self.binding, record.as_str()))?;
            if mark.is_some_and(|mark| mark.settled_by(version)) {
                self.drop("mark", "record", record.as_str())?;
            }
        }
        for record in &group.unmark_any {
            self.drop("mark", "record", record.as_str())?;
        }
        for mark in &group.marks {
            let statement =
                "INSERT INTO calsync_mark (tenant, binding, record, root, body) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT (tenant, binding, record) DO UPDATE SET root = ?4, body = ?5";
            let (id, root, body) = (mark.id.as_str(), mark.root.as_str(), to_json(mark)?);
            run(self.db, statement, (self.tenant, self.binding, id, root, body))?;
        }
        for operation in &group.outbox_drop {
            self.drop("outbox", "operation", operation.as_str())?;
        }
        for entry in &mut group.outbox {
            self.entry(entry)?;
        }
        for (side, root) in &group.select {
            let statement = "DELETE FROM calsync_deselected WHERE tenant = ?1 AND binding = ?2 AND side = ?3 AND root = ?4";
            run(self.db, statement, (self.tenant, self.binding, side_name(*side), root))?;
        }
        for (side, root) in &group.deselect {
            let statement = "INSERT OR IGNORE INTO calsync_deselected (tenant, binding, side, root) VALUES (?1, ?2, ?3, ?4)";
            run(self.db, statement, (self.tenant, self.binding, side_name(*side), root))?;
        }
        for line in &group.journal {
            let statement =
                "INSERT INTO calsync_journal (tenant, binding, record, body) VALUES (?1, ?2, ?3, ?4)";
            run(self.db, statement, (self.tenant, self.binding, line.record.as_str(), to_json(line)?))?;
        }
        Ok(())
    }

    fn drop(&self, table: &str, column: &str, value: &str) -> Result<()> {
        let statement =
            format!("DELETE FROM calsync_{table} WHERE tenant = ?1 AND binding = ?2 AND {column} = ?3");
        run(self.db, &statement, (self.tenant, self.binding, value))?;
        Ok(())
    }

    fn observation(&self, item: &RemoteItem) -> Result<()> {
        let statement = "INSERT INTO calsync_remote (tenant, binding, key, root, generation, pending, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant, binding, key)
            DO UPDATE SET root = ?4, generation = ?5, pending = ?6, body = ?7";
        let generation = int(item.generation)?;
        let (key, root, body) = (item.key.as_str(), item.root.as_str(), to_json(item)?);
        run(self.db, statement, (self.tenant, self.binding, key, root, generation, item.pending, body))
            .map(drop)
    }

    /// An entry's place is its column; the body is written without one.
    fn entry(&self, entry: &mut Entry) -> Result<()> {
        entry.sequence = 0;
        let statement = "INSERT INTO calsync_outbox (tenant, binding, operation, record, root, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant, binding, operation)
            DO UPDATE SET record = ?4, root = ?5, body = ?6";
        let (operation, record) = (entry.operation.as_str(), entry.record.as_str());
        let body = to_json(entry)?;
        run(self.db, statement, (self.tenant, self.binding, operation, record, entry.root.as_str(), body))?;
        Ok(())
    }

    /// Old keys are let go before new ones are taken, so that two links of a group can trade theirs.
    fn links(&self, group: &mut Group, versions: &Versions) -> Result<()> {
        for record in &group.unlink {
            self.drop("link", "record", record.as_str())?;
        }
        if group.links.len() > 1 {
            for put in &group.links {
                let statement = "DELETE FROM calsync_link WHERE tenant = ?1 AND binding = ?2 AND record = ?3 AND key <> ?4";
                let (record, key) = (put.link.record.as_str(), put.link.key.as_str());
                run(self.db, statement, (self.tenant, self.binding, record, key))?;
            }
        }
        for put in &mut group.links {
            if put.version_from_write {
                put.link.version = versions.get(&put.link.record).cloned();
            }
            self.link(&put.link)?;
        }
        Ok(())
    }

    /// A column that is set is written anew in its indexes, the same or not: what a link is found by is set only where it moved.
    fn link(&self, link: &Link) -> Result<()> {
        let put = "INSERT INTO calsync_link
            (tenant, binding, record, record_root, key, remote_root, live, version, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (tenant, binding, record)
            DO UPDATE SET live = ?7, version = ?8, body = ?9
            WHERE record_root = ?4 AND key = ?5 AND remote_root = ?6";
        let change = "UPDATE calsync_link SET
            record_root = ?4, key = ?5, remote_root = ?6, live = ?7, version = ?8, body = ?9
            WHERE tenant = ?1 AND binding = ?2 AND record = ?3";
        let body = to_json(link)?;
        let row = (
            self.tenant,
            self.binding,
            link.record.as_str(),
            link.record_root.as_str(),
            link.key.as_str(),
            link.remote_root.as_str(),
            matches!(link.base, Some(State::Live(_))),
            link.version.as_ref().map(|version| version.as_str()),
            body.as_str(),
        );
        let written = match run(self.db, put, row) {
            Ok(0) => run(self.db, change, row),
            written => written,
        };
        written.map(drop).or_else(|error| Err(self.holder(link)?.unwrap_or(error)))
    }

    /// Whether a link could not be put because another record has its key.
    fn holder(&self, link: &Link) -> Result<Option<Error>> {
        let query = "SELECT record FROM calsync_link WHERE tenant = ?1 AND binding = ?2 AND key = ?3 AND record <> ?4";
        let (record, key) = (link.record.as_str(), link.key.as_str());
        let holder =
            one(
                self.db,
                query,
                (self.tenant, self.binding, key, record),
                |row| Ok(row.get::<_, String>(0)?),
            )?;
        Ok(holder.map(|holder| {
            Error::new(ErrorKind::Invariant, "two records would be linked to the same remote record")
                .with("record", record)
                .with("other record", holder)
                .with("key", key)
        }))
    }
}
