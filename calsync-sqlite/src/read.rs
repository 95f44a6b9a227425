//! Questions, each answered inside one reading transaction, so that its parts are of the same moment.

use crate::appointment;
use crate::db::{all, bodies, body, from_json, int, limit, one, uint};
use calsync_core::binding::{Binding, BindingState};
use calsync_core::halt::Halt;
use calsync_core::host::Changes;
use calsync_core::hours::Warning;
use calsync_core::store::gather::Lookups;
use calsync_core::store::own::position_number;
use calsync_core::store::{
    Entry, JournalEntry, Link, LocalMark, PlanHeader, RemoteItem, RunRow, StoredRow, WarningPlace, Which,
};
use calsync_core::{PlanId, Position, RecordId, RemoteId, RemoteKey, Result};
use rusqlite::{Connection, Params};
use std::collections::BTreeSet;

pub(crate) fn binding(db: &Connection, tenant: &str, id: &str) -> Result<Option<Binding>> {
    body(db, "SELECT body FROM calsync_binding WHERE tenant = ?1 AND id = ?2", (tenant, id))
}

/// The halt of every tenant, or else the tenant's own.
pub(crate) fn halt(db: &Connection, tenant: &str) -> Result<Option<Halt>> {
    let query =
        "SELECT body FROM calsync_halt WHERE (tenant = '' AND everyone = 1) OR (tenant = ?1 AND everyone = 0)
        ORDER BY everyone DESC LIMIT 1";
    body(db, query, [tenant])
}

pub(crate) fn bindings(db: &Connection, tenant: &str) -> Result<Vec<Binding>> {
    bodies(db, "SELECT body FROM calsync_binding WHERE tenant = ?1 ORDER BY id", [tenant])
}

pub(crate) fn plan(db: &Connection, tenant: &str, id: &PlanId) -> Result<Option<PlanHeader>> {
    body(db, "SELECT body FROM calsync_plan WHERE tenant = ?1 AND id = ?2", (tenant, id.as_str()))
}

pub(crate) fn plan_rows(
    db: &Connection,
    tenant: &str,
    id: &PlanId,
    after: u64,
    count_max: usize,
) -> Result<Vec<StoredRow>> {
    let query = "SELECT body FROM calsync_plan_row WHERE tenant = ?1 AND plan = ?2 AND number > ?3
        ORDER BY number LIMIT ?4";
    bodies(db, query, (tenant, id.as_str(), int(after)?, limit(count_max)))
}

pub(crate) fn record_changes(
    db: &Connection,
    tenant: &str,
    binding: Option<&Binding>,
    position: Option<&Position>,
    count_max: usize,
) -> Result<Changes> {
    let after = position_number(position)?;
    let binding = binding.map(|binding| (binding.id.as_str(), &binding.agent));
    let count = limit(count_max).saturating_add(1);
    let mut records = appointment::changes(db, tenant, binding, int(after)?, count)?;
    let more = records.len() > count_max;
    records.truncate(count_max);
    let last = match records.last() {
        Some(record) if more => appointment::version_number(&record.version)?,
        None if more => int(after)?,
        // What does not concern this binding is passed over once and for all.
        _ => appointment::last(db, tenant)?.max(int(after)?),
    };
    Ok(Changes { records, position: Some(Position::new(last.to_string())), more })
}

/// One binding of one tenant.
pub(crate) struct Scope<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) tenant: &'a str,
    pub(crate) binding: &'a str,
}

impl Scope<'_> {
    pub(crate) fn state(&self) -> Result<BindingState> {
        let query = "SELECT body FROM calsync_state WHERE tenant = ?1 AND binding = ?2";
        Ok(body(self.db, query, (self.tenant, self.binding))?.unwrap_or_default())
    }

    pub(crate) fn known(&mut self, keys: &[RemoteKey]) -> Result<(Vec<Link>, Vec<RemoteItem>)> {
        let (mut links, mut items) = (Vec::new(), Vec::new());
        for key in keys.iter().collect::<BTreeSet<_>>() {
            links.extend(self.link_of_key(key)?);
            items.extend(self.item(key)?);
        }
        Ok((links, items))
    }

    pub(crate) fn links(&mut self, records: &[RecordId]) -> Result<Vec<Link>> {
        let mut links = Vec::new();
        for record in records.iter().collect::<BTreeSet<_>>() {
            links.extend(self.link_of_record(record)?);
        }
        Ok(links)
    }

    pub(crate) fn unseen(
        &self,
        generation: u64,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<Link>> {
        let (beyond, after) = beyond(after.map(RemoteKey::as_str));
        let of_it = "SELECT 1 FROM calsync_remote r WHERE r.tenant = l.tenant AND r.binding = l.binding AND r.key = l.key";
        let query = format!(
            "SELECT body FROM calsync_link l WHERE tenant = ?1 AND binding = ?2 AND key {beyond} ?3
             AND (live = 1 AND NOT EXISTS ({of_it} AND generation >= ?4)
               OR live = 0 AND body ->> 'base' IS NULL AND EXISTS ({of_it} AND generation < ?4))
             ORDER BY key LIMIT ?5"
        );
        bodies(self.db, &query, (self.tenant, self.binding, after, int(generation)?, limit(count_max)))
    }

    pub(crate) fn unlinked_remote(
        &self,
        after: Option<&RemoteKey>,
        count_max: usize,
    ) -> Result<Vec<RemoteItem>> {
        // Of a series and of a single record, root and key are the same. Whether it was seen alive only the body says.
        let mut found: Vec<RemoteItem> = Vec::new();
        let mut after = after.cloned();
        while found.len() < count_max {
            let (beyond, key) = beyond(after.as_ref().map(RemoteKey::as_str));
            let query = format!(
                "SELECT body FROM calsync_remote r WHERE tenant = ?1 AND binding = ?2 AND pending = 1
                 AND root {beyond} ?3 AND key = root
                 AND NOT EXISTS (SELECT 1 FROM calsync_link l WHERE l.tenant = r.tenant AND l.binding = r.binding
                   AND l.key = r.key)
                 ORDER BY root LIMIT ?4"
            );
            let asked = limit(count_max - found.len());
            let items: Vec<RemoteItem> = bodies(self.db, &query, (self.tenant, self.binding, key, asked))?;
            let Some(last) = items.last() else { break };
            after = Some(last.key.clone());
            found.extend(items.into_iter().filter(RemoteItem::stands_alone));
        }
        Ok(found)
    }

    pub(crate) fn unlinked_local(
        &self,
        after: Option<&RecordId>,
        count_max: usize,
    ) -> Result<Vec<LocalMark>> {
        let (beyond, after) = beyond(after.map(RecordId::as_str));
        let query = format!(
            "SELECT body FROM calsync_mark m WHERE tenant = ?1 AND binding = ?2 AND root {beyond} ?3 AND record = root
             AND NOT EXISTS (SELECT 1 FROM calsync_link l WHERE l.tenant = m.tenant AND l.binding = m.binding
               AND l.record = m.record)
             ORDER BY root LIMIT ?4"
        );
        let marks: Vec<LocalMark> =
            bodies(self.db, &query, (self.tenant, self.binding, after, limit(count_max)))?;
        marks.into_iter().map(|mark| self.filled(mark)).collect()
    }

    pub(crate) fn deselected(&self) -> Result<Vec<(Which, String)>> {
        let query = "SELECT side, root FROM calsync_deselected WHERE tenant = ?1 AND binding = ?2 ORDER BY side DESC, root";
        all(self.db, query, (self.tenant, self.binding), |row| {
            let side = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            Ok((if side == "remote" { Which::Remote } else { Which::Local }, row.get(1)?))
        })
    }

    pub(crate) fn linked(&self) -> Result<u64> {
        let query = "SELECT count(*) FROM calsync_link WHERE tenant = ?1 AND binding = ?2 AND live = 1";
        let count = one(self.db, query, (self.tenant, self.binding), |row| Ok(row.get(0)?))?;
        uint(count.unwrap_or(0))
    }

    pub(crate) fn outbox(&self, after: u64, count_max: usize) -> Result<Vec<Entry>> {
        let query =
            "SELECT sequence, body FROM calsync_outbox WHERE tenant = ?1 AND binding = ?2 AND sequence > ?3
            ORDER BY sequence LIMIT ?4";
        self.entries(query, (self.tenant, self.binding, int(after)?, limit(count_max)))
    }

    pub(crate) fn runs(&self, count_max: usize) -> Result<Vec<RunRow>> {
        let query =
            "SELECT body FROM calsync_run WHERE tenant = ?1 AND binding = ?2 ORDER BY n DESC LIMIT ?3";
        bodies(self.db, query, (self.tenant, self.binding, limit(count_max)))
    }

    pub(crate) fn links_after(&self, after: Option<&RecordId>, count_max: usize) -> Result<Vec<Link>> {
        let query = "SELECT body FROM calsync_link WHERE tenant = ?1 AND binding = ?2 AND record > ?3
            ORDER BY record LIMIT ?4";
        let after = after.map_or("", RecordId::as_str);
        bodies(self.db, query, (self.tenant, self.binding, after, limit(count_max)))
    }

    pub(crate) fn warnings(
        &self,
        event: Option<&RecordId>,
        after: Option<&WarningPlace>,
        count_max: usize,
    ) -> Result<Vec<Warning>> {
        let of_all = "SELECT body FROM calsync_warning WHERE tenant = ?1 AND binding = ?2
            AND (event, occurrence, person, version) > (?3, ?4, ?5, ?6)
            ORDER BY event, occurrence, person, version LIMIT ?7";
        let of_one = "SELECT body FROM calsync_warning WHERE tenant = ?1 AND binding = ?2
            AND (event, occurrence, person, version) > (?3, ?4, ?5, ?6) AND event = ?8
            ORDER BY event, occurrence, person, version LIMIT ?7";
        let [after, occurrence, person, version] =
            after.map_or([""; 4], |WarningPlace(columns)| columns.each_ref().map(String::as_str));
        let (tenant, binding, count_max) = (self.tenant, self.binding, limit(count_max));
        match event {
            None => bodies(self.db, of_all, (tenant, binding, after, occurrence, person, version, count_max)),
            Some(event) => {
                let event = event.as_str();
                bodies(
                    self.db,
                    of_one,
                    (tenant, binding, after, occurrence, person, version, count_max, event),
                )
            }
        }
    }

    pub(crate) fn journal(&self, record: Option<&RecordId>, count_max: usize) -> Result<Vec<JournalEntry>> {
        let (tenant, binding, count_max) = (self.tenant, self.binding, limit(count_max));
        let of_all =
            "SELECT body FROM calsync_journal WHERE tenant = ?1 AND binding = ?2 ORDER BY n DESC LIMIT ?3";
        let of_one = "SELECT body FROM calsync_journal WHERE tenant = ?1 AND binding = ?2 AND record = ?4
            ORDER BY n DESC LIMIT ?3";
        match record {
            None => bodies(self.db, of_all, (tenant, binding, count_max)),
            Some(record) => bodies(self.db, of_one, (tenant, binding, count_max, record.as_str())),
        }
    }

    fn entries(&self, query: &str, params: impl Params) -> Result<Vec<Entry>> {
        all(self.db, query, params, |row| {
            let entry: Entry = from_json(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
            Ok(Entry { sequence: uint(row.get(0)?)?, ..entry })
        })
    }

    /// Bodies of this binding in which a column has this value.
    fn having<T: serde::de::DeserializeOwned>(
        &self,
        table: &str,
        column: &str,
        value: &str,
    ) -> Result<Vec<T>> {
        let query =
            format!("SELECT body FROM calsync_{table} WHERE tenant = ?1 AND binding = ?2 AND {column} = ?3");
        bodies(self.db, &query, (self.tenant, self.binding, value))
    }

    /// Bodies of this binding that have this root. What stands by itself has its `key` for one, and is not in the index of
    /// roots.
    fn of_root<T: serde::de::DeserializeOwned>(
        &self,
        table: &str,
        root: &str,
        key: &str,
        value: &str,
    ) -> Result<Vec<T>> {
        let of = format!("SELECT body FROM calsync_{table} WHERE tenant = ?1 AND binding = ?2");
        let query = format!(
            "{of} AND {key} = ?3 AND {root} = {key} UNION ALL {of} AND {root} = ?3 AND {root} <> {key}"
        );
        bodies(self.db, &query, (self.tenant, self.binding, value))
    }

    fn one_having<T: serde::de::DeserializeOwned>(
        &self,
        table: &str,
        column: &str,
        value: &str,
    ) -> Result<Option<T>> {
        self.having(table, column, value).map(|found| found.into_iter().next())
    }

    fn filled(&self, mark: LocalMark) -> Result<LocalMark> {
        let own = match mark.record {
            Some(_) => None,
            None => appointment::row(self.db, self.tenant, &mark.id)?,
        };
        Ok(mark.filled(|_| own.map(|row| row.record)))
    }
}

impl Lookups for Scope<'_> {
    fn link_of_record(&mut self, record: &RecordId) -> Result<Option<Link>> {
        self.one_having("link", "record", record.as_str())
    }

    fn link_of_key(&mut self, key: &RemoteKey) -> Result<Option<Link>> {
        self.one_having("link", "key", key.as_str())
    }

    fn links_of_remote_root(&mut self, root: &RemoteId) -> Result<Vec<Link>> {
        self.of_root("link", "remote_root", "key", root.as_str())
    }

    fn links_of_record_root(&mut self, root: &RecordId) -> Result<Vec<Link>> {
        self.of_root("link", "record_root", "record", root.as_str())
    }

    fn item(&mut self, key: &RemoteKey) -> Result<Option<RemoteItem>> {
        self.one_having("remote", "key", key.as_str())
    }

    fn items_of_root(&mut self, root: &RemoteId) -> Result<Vec<RemoteItem>> {
        self.of_root("remote", "root", "key", root.as_str())
    }

    fn mark(&mut self, record: &RecordId) -> Result<Option<LocalMark>> {
        let mark = self.one_having("mark", "record", record.as_str())?;
        mark.map(|mark| self.filled(mark)).transpose()
    }

    fn marks_of_root(&mut self, root: &RecordId) -> Result<Vec<LocalMark>> {
        let marks: Vec<LocalMark> = self.having("mark", "root", root.as_str())?;
        marks.into_iter().map(|mark| self.filled(mark)).collect()
    }

    fn entries_of_record(&mut self, record: &RecordId) -> Result<Vec<Entry>> {
        let query =
            "SELECT sequence, body FROM calsync_outbox WHERE tenant = ?1 AND binding = ?2 AND record = ?3";
        self.entries(query, (self.tenant, self.binding, record.as_str()))
    }

    fn entries_of_root(&mut self, root: &RecordId) -> Result<Vec<Entry>> {
        let query =
            "SELECT sequence, body FROM calsync_outbox WHERE tenant = ?1 AND binding = ?2 AND root = ?3";
        self.entries(query, (self.tenant, self.binding, root.as_str()))
    }

    fn pending_roots(&mut self, which: Which, after: Option<&str>, count_max: usize) -> Result<Vec<String>> {
        let (beyond, after) = beyond(after);
        let table = match which {
            Which::Remote => "calsync_remote WHERE pending = 1 AND",
            Which::Local => "calsync_mark WHERE",
        };
        let query = format!(
            "SELECT DISTINCT root FROM {table} tenant = ?1 AND binding = ?2 AND root {beyond} ?3 ORDER BY root LIMIT ?4"
        );
        let params = (self.tenant, self.binding, after, limit(count_max));
        all(self.db, &query, params, |row| Ok(row.get(0)?))
    }
}

/// "After this text", where after nothing comes everything, the empty text too.
fn beyond(after: Option<&str>) -> (&'static str, &str) {
    after.map_or((">=", ""), |after| (">", after))
}
