//! The vault's rows. Each change compares and writes in one statement or one transaction, so that it is whole or not at all, and of
//! two takers, in this process or another, one gets the row.

use crate::audit;
use crate::db::{Unread, all, from_json, int, limit, one, run, sql, to_json, uint};
use calsync_core::audit::AuditEvent;
use calsync_core::store::{SealedKind, SealedRow};
use calsync_core::{Result, Tenant};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row, TransactionBehavior};

/// One row.
pub(crate) fn row(db: &Connection, tenant: &str, kind: SealedKind, name: &str) -> Result<Option<SealedRow>> {
    let query = "SELECT name, version, expires, facts, sealed FROM calsync_sealed
        WHERE tenant = ?1 AND kind = ?2 AND name = ?3";
    one(db, query, (tenant, kind.as_str(), name), |row| read(kind, row))
}

/// The rows of a kind by name, after `after`.
pub(crate) fn rows(
    db: &Connection,
    tenant: &str,
    kind: SealedKind,
    after: Option<&str>,
    count_max: usize,
) -> Result<Vec<SealedRow>> {
    // An empty name is a name too. Two queries, so that each of them is a range of the index.
    let query = match after {
        None => {
            "SELECT name, version, expires, facts, sealed FROM calsync_sealed
            WHERE tenant = ?1 AND kind = ?2 AND name >= ?3 ORDER BY name LIMIT ?4"
        }
        Some(_) => {
            "SELECT name, version, expires, facts, sealed FROM calsync_sealed
            WHERE tenant = ?1 AND kind = ?2 AND name > ?3 ORDER BY name LIMIT ?4"
        }
    };
    let params = (tenant, kind.as_str(), after.unwrap_or_default(), limit(count_max));
    all(db, query, params, |row| read(kind, row))
}

/// Stores a row if the stored version is `expected`.
pub(crate) fn put(db: &Connection, tenant: &str, row: &SealedRow, expected: Option<u64>) -> Result<bool> {
    let statement = match expected {
        None => {
            "INSERT INTO calsync_sealed (tenant, kind, name, version, expires, facts, sealed)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant, kind, name) DO NOTHING"
        }
        Some(_) => {
            "UPDATE calsync_sealed SET version = ?4, expires = ?5, facts = ?6, sealed = ?7
            WHERE tenant = ?1 AND kind = ?2 AND name = ?3 AND version = ?8"
        }
    };
    let (version, expires) = (int(row.version)?, row.expires.map(|at| at.timestamp_micros()));
    let (kind, name, facts) = (row.kind.as_str(), &row.name, to_json(&row.facts)?);
    let changed = match expected {
        None => run(db, statement, (tenant, kind, name, version, expires, facts, &row.sealed))?,
        Some(expected) => {
            run(db, statement, (tenant, kind, name, version, expires, facts, &row.sealed, int(expected)?))?
        }
    };
    Ok(changed == 1)
}

/// The same, if each row of `standing` is there unchanged.
pub(crate) fn put_while(
    db: &mut Connection,
    tenant: &str,
    put_row: &SealedRow,
    expected: Option<u64>,
    standing: &[SealedRow],
    events: &[AuditEvent],
) -> Result<bool> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    for standing in standing {
        if !standing.stands(row(&tx, tenant, standing.kind, &standing.name)?.as_ref()) {
            return Ok(false);
        }
    }
    let done = put(&tx, tenant, put_row, expected)?;
    if done {
        audit::put(&tx, tenant, events)?;
    }
    tx.commit().map_err(sql)?;
    Ok(done)
}

/// Removes a row if the stored version is `expected`, or whichever it is.
pub(crate) fn take(
    db: &Connection,
    tenant: &str,
    kind: SealedKind,
    name: &str,
    expected: Option<u64>,
) -> Result<Option<SealedRow>> {
    let statement = "DELETE FROM calsync_sealed
        WHERE tenant = ?1 AND kind = ?2 AND name = ?3 AND (?4 IS NULL OR version = ?4)
        RETURNING name, version, expires, facts, sealed";
    let expected = expected.map(int).transpose()?;
    one(db, statement, (tenant, kind.as_str(), name, expected), |row| read(kind, row))
}

/// The row of whichever tenant has it.
pub(crate) fn find(db: &Connection, kind: SealedKind, name: &str) -> Result<Option<(Tenant, SealedRow)>> {
    let query = "SELECT name, version, expires, facts, sealed, tenant FROM calsync_sealed
        WHERE kind = ?1 AND name = ?2 ORDER BY tenant LIMIT 1";
    one(db, query, (kind.as_str(), name), |row| Ok((row.get::<_, String>(5)?.into(), read(kind, row)?)))
}

/// Forgets what is expired at `now`.
pub(crate) fn drop_expired(db: &Connection, kind: SealedKind, now: DateTime<Utc>) -> Result<u64> {
    let statement = "DELETE FROM calsync_sealed WHERE kind = ?1 AND expires <= ?2";
    Ok(run(db, statement, (kind.as_str(), now.timestamp_micros()))? as u64)
}

/// The tenants that have rows of a kind, by id after `after`.
pub(crate) fn tenants(
    db: &Connection,
    kind: SealedKind,
    after: Option<&str>,
    count_max: usize,
) -> Result<Vec<Tenant>> {
    let query = match after {
        None => {
            "SELECT DISTINCT tenant FROM calsync_sealed
            WHERE kind = ?1 AND tenant >= ?2 ORDER BY tenant LIMIT ?3"
        }
        Some(_) => {
            "SELECT DISTINCT tenant FROM calsync_sealed
            WHERE kind = ?1 AND tenant > ?2 ORDER BY tenant LIMIT ?3"
        }
    };
    let params = (kind.as_str(), after.unwrap_or_default(), limit(count_max));
    all(db, query, params, |row| Ok(row.get::<_, String>(0)?.into()))
}

fn read(kind: SealedKind, row: &Row<'_>) -> Result<SealedRow, Unread> {
    let expires = row.get::<_, Option<i64>>(2)?;
    let facts = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    Ok(SealedRow {
        kind,
        name: row.get(0)?,
        version: uint(row.get(1)?)?,
        expires: expires.and_then(DateTime::from_timestamp_micros),
        facts: from_json(facts)?,
        sealed: row.get(4)?,
    })
}
