//! Leases. Each answer is committed, and on the disk, before the caller hears of it: a lease that was forgotten in a power cut
//! would be handed out again with the same fence.

use crate::commit::holds;
use crate::db::{int, one, run, sql, uint};
use calsync_core::Result;
use calsync_core::store::Lease;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior};
use std::time::Duration;

/// Takes a lease that is free or expired at `now`.
pub(crate) fn take(
    db: &mut Connection,
    tenant: &str,
    name: &str,
    owner: &str,
    ttl: Duration,
    now: DateTime<Utc>,
) -> Result<Option<Lease>> {
    let (now, ttl) = (now.timestamp_micros(), micros(ttl));
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    let query =
        "SELECT owner IS NOT NULL, fence, until, ttl FROM calsync_lease WHERE tenant = ?1 AND name = ?2";
    let last = one(&tx, query, (tenant, name), |row| {
        Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
    })?;
    let taken = match last {
        Some((true, _, until, length)) if now < until => {
            // The clock was set back since: the lease must not last longer than it was taken for.
            if until > now.saturating_add(length) {
                let statement = "UPDATE calsync_lease SET until = ?3 WHERE tenant = ?1 AND name = ?2";
                run(&tx, statement, (tenant, name, now.saturating_add(length)))?;
            }
            None
        }
        last => {
            let fence = last.map_or(0, |(_, fence, _, _)| fence) + 1;
            let statement = "INSERT INTO calsync_lease (tenant, name, owner, fence, until, ttl)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant, name)
                DO UPDATE SET owner = ?3, fence = ?4, until = ?5, ttl = ?6";
            run(&tx, statement, (tenant, name, owner, fence, now.saturating_add(ttl), ttl))?;
            Some(Lease { name: name.to_owned(), owner: owner.to_owned(), fence: uint(fence)? })
        }
    };
    tx.commit().map_err(sql)?;
    Ok(taken)
}

/// Prolongs a lease that is still this owner's.
pub(crate) fn renew(
    db: &mut Connection,
    tenant: &str,
    lease: &Lease,
    ttl: Duration,
    now: DateTime<Utc>,
) -> Result<bool> {
    let ttl = micros(ttl);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    if !holds(&tx, tenant, lease)? {
        return Ok(false);
    }
    let statement =
        "UPDATE calsync_lease SET until = ?4, ttl = ?5 WHERE tenant = ?1 AND name = ?2 AND fence = ?3";
    let until = now.timestamp_micros().saturating_add(ttl);
    run(&tx, statement, (tenant, &lease.name, int(lease.fence)?, until, ttl))?;
    tx.commit().map_err(sql)?;
    Ok(true)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
