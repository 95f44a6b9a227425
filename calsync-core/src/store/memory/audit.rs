//! The events that were told of.

use super::tables::{Data, TenantData};
use crate::audit::{AuditEvent, Audited};
use crate::id::Tenant;
use chrono::{DateTime, Utc};

/// Stores events, in this order.
pub(super) fn put(data: &mut Data, tenant: &Tenant, events: impl IntoIterator<Item = AuditEvent>) {
    let Data { sequence, tenants, .. } = data;
    for event in events {
        *sequence += 1;
        let events = &mut tenants.entry(tenant.clone()).or_default().events;
        events.insert(*sequence, AuditEvent { sequence: *sequence, ..event });
    }
}

/// Events of one kind or of all, newest first, before the sequence number `before`.
pub(super) fn events(
    tenant: &TenantData,
    what: Option<Audited>,
    before: Option<u64>,
) -> impl Iterator<Item = &AuditEvent> {
    let events = tenant.events.range(..before.unwrap_or(u64::MAX)).rev().map(|(_, event)| event);
    events.filter(move |event| what.is_none_or(|what| event.what == what))
}

/// Forgets what is from before this instant.
pub(super) fn forget(data: &mut Data, tenant: &Tenant, before: DateTime<Utc>) -> u64 {
    let Some(tenant) = data.tenants.get_mut(tenant) else { return 0 };
    let all = tenant.events.len();
    tenant.events.retain(|_, event| event.at >= before);
    (all - tenant.events.len()) as u64
}
