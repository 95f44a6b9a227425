//! The vault's rows: compare, swap and take, each under the one lock.

use super::audit;
use super::tables::{Data, TenantData};
use crate::audit::AuditEvent;
use crate::id::Tenant;
use crate::planted::{self, Fault};
use crate::store::{SealedKind, SealedRow};
use chrono::{DateTime, Utc};
use std::ops::Bound::{Excluded, Unbounded};

/// The rows of a kind by name, after `after`.
pub(super) fn rows<'a>(
    tenant: &'a TenantData,
    kind: SealedKind,
    after: Option<&'a str>,
) -> impl Iterator<Item = &'a SealedRow> {
    let rows = tenant.sealed.get(&kind);
    let after = move |rows: &'a std::collections::BTreeMap<String, SealedRow>| {
        rows.range::<str, _>((after.map_or(Unbounded, Excluded), Unbounded))
    };
    rows.map(after).into_iter().flatten().map(|(_, row)| row)
}

/// Stores a row if the stored version is `expected`.
pub(super) fn put(data: &mut Data, tenant: &Tenant, row: &SealedRow, expected: Option<u64>) -> bool {
    let stored = data.tenants.get(tenant).and_then(|rows| rows.sealed.get(&row.kind)?.get(&row.name));
    if stored.map(|row| row.version) != expected && !planted::on(Fault::VersionNotCompared) {
        return false;
    }
    let rows = data.tenants.entry(tenant.clone()).or_default().sealed.entry(row.kind).or_default();
    rows.insert(row.name.clone(), row.clone());
    true
}

/// The same, if each row of `standing` is there unchanged.
pub(super) fn put_while(
    data: &mut Data,
    tenant: &Tenant,
    row: &SealedRow,
    expected: Option<u64>,
    standing: &[SealedRow],
    events: &[AuditEvent],
) -> bool {
    let rows = data.tenants.get(tenant).map(|tenant| &tenant.sealed);
    let stored = |row: &SealedRow| rows.and_then(|rows| rows.get(&row.kind)?.get(&row.name));
    let done = standing.iter().all(|row| row.stands(stored(row))) && put(data, tenant, row, expected);
    if done {
        audit::put(data, tenant, events.iter().cloned());
    }
    done
}

/// Removes a row if the stored version is `expected`, or whichever it is.
pub(super) fn take(
    data: &mut Data,
    tenant: &Tenant,
    kind: SealedKind,
    name: &str,
    expected: Option<u64>,
) -> Option<SealedRow> {
    let rows = data.tenants.get_mut(tenant)?.sealed.get_mut(&kind)?;
    if expected.is_some_and(|expected| rows.get(name).is_some_and(|row| row.version != expected)) {
        return None;
    }
    rows.remove(name)
}

/// Forgets what is expired at `now`.
pub(super) fn drop_expired(data: &mut Data, kind: SealedKind, now: DateTime<Utc>) -> u64 {
    let mut dropped = 0;
    for rows in data.tenants.values_mut().filter_map(|tenant| tenant.sealed.get_mut(&kind)) {
        let before = rows.len();
        rows.retain(|_, row| !row.expired(now));
        dropped += before - rows.len();
    }
    dropped as u64
}
