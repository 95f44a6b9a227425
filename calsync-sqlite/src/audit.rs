//! The events that were told of.

use crate::db::{all, from_json, int, limit, run, to_json, uint};
use calsync_core::Result;
use calsync_core::audit::{AuditEvent, Audited};
use chrono::{DateTime, Utc};
use rusqlite::Connection;

/// Stores events, in this order.
pub(crate) fn put(db: &Connection, tenant: &str, events: &[AuditEvent]) -> Result<()> {
    for event in events {
        let statement = "INSERT INTO calsync_audit (tenant, what, at, body) VALUES (?1, ?2, ?3, ?4)";
        run(db, statement, (tenant, event.what.as_str(), event.at.timestamp_micros(), to_json(event)?))?;
    }
    Ok(())
}

/// Events of one kind or of all, newest first, before the sequence number `before`.
pub(crate) fn events(
    db: &Connection,
    tenant: &str,
    what: Option<Audited>,
    before: Option<u64>,
    count_max: usize,
) -> Result<Vec<AuditEvent>> {
    let (before, count_max) = (before.map_or(Ok(i64::MAX), int)?, limit(count_max));
    let read = |row: &rusqlite::Row<'_>| {
        let event: AuditEvent = from_json(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        Ok(AuditEvent { sequence: uint(row.get(0)?)?, ..event })
    };
    let of_all = "SELECT n, body FROM calsync_audit WHERE tenant = ?1 AND n < ?2 ORDER BY n DESC LIMIT ?3";
    let of_one = "SELECT n, body FROM calsync_audit WHERE tenant = ?1 AND n < ?2 AND what = ?4
        ORDER BY n DESC LIMIT ?3";
    match what {
        None => all(db, of_all, (tenant, before, count_max), read),
        Some(what) => all(db, of_one, (tenant, before, count_max, what.as_str()), read),
    }
}

/// Forgets what is from before this instant.
pub(crate) fn forget(db: &Connection, tenant: &str, before: DateTime<Utc>) -> Result<u64> {
    let statement = "DELETE FROM calsync_audit WHERE tenant = ?1 AND at < ?2";
    Ok(run(db, statement, (tenant, before.timestamp_micros()))? as u64)
}
