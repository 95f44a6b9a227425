//! Ids that are the same however often a decision is taken again.
//!
//! A creation that may or may not have happened can be repeated only if it would make the same thing. So ids are hashes of
//! what they stand for, and an operation is named by the versions it was decided from: the same decision about the same
//! versions is the same operation, a decision about newer versions is another.

use crate::id::{CalendarId, InstallationId, OperationId, RecordId, RemoteKey, RunId};
use crate::model::Slot;
use crate::planted::{self, Fault};
use crate::store::Link;
use crate::{Binding, Tenant};
use sha2::{Digest, Sha256};

/// Hashes parts so that no two different lists of parts collide: each is preceded by its length.
pub fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// From which a provider makes the id of a record that calsync creates: the installation, the tenant, the calendar, the CRM
/// record, and how often it was made anew, because a deleted event keeps its id reserved. The calendar is part of it because
/// guests' copies of an event tend to have its id: an appointment that stands in two calendars must not meet itself.
pub fn remote_hash(
    installation: &InstallationId,
    tenant: &Tenant,
    calendar: &CalendarId,
    record: &RecordId,
    incarnation: u32,
) -> [u8; 32] {
    hash(&[
        "remote",
        installation.as_str(),
        tenant.as_str(),
        &calendar.as_str().to_lowercase(),
        record.as_str(),
        &if planted::on(Fault::IncarnationForgotten) { 0 } else { incarnation }.to_string(),
    ])
}

/// The CRM record for a remote record that is seen for the first time. Named by the calendar, not by the binding: bound again,
/// the same event finds the record that was made for it before.
pub fn record_id(installation: &InstallationId, binding: &Binding, key: &RemoteKey) -> RecordId {
    let calendar = binding.target.calendar.as_str().to_lowercase();
    let parts = [
        "record",
        installation.as_str(),
        binding.tenant.as_str(),
        binding.provider.as_str(),
        &calendar,
        key.as_str(),
    ];
    RecordId::new(hex(&hash(&parts)[..16]))
}

/// The CRM record of an occurrence: one slot of a series has one record, whoever makes it, so that a user and a run that
/// make it at the same time meet each other.
pub fn occurrence_record(series: &RecordId, slot: &Slot) -> RecordId {
    RecordId::new(hex(&hash(&["occurrence", series.as_str(), &slot.to_string()])[..16]))
}

/// The operation that does `what` to a link's record, decided from these versions.
pub fn operation(
    installation: &InstallationId,
    binding: &Binding,
    what: &str,
    record: &RecordId,
    versions: (Option<&str>, Option<&str>),
    link: Option<&Link>,
) -> OperationId {
    let incarnation = link.map_or(0, |link| link.incarnation).to_string();
    let parts = [
        "operation",
        installation.as_str(),
        binding.tenant.as_str(),
        binding.id.as_str(),
        what,
        record.as_str(),
        versions.0.unwrap_or("-"),
        versions.1.unwrap_or("-"),
        &incarnation,
    ];
    OperationId::new(format!("{}.{record}", hex(&hash(&parts)[..16])))
}

/// The CRM record that an operation of calsync was about. The operation travels inside what it writes, so this is how a
/// record is recognised whose link was lost: by an older binding, or with the last commits of a store.
pub fn record_of(operation: &OperationId) -> Option<RecordId> {
    let (_, record) = operation.as_str().split_once('.')?;
    Some(RecordId::from(record))
}

/// The name of the lease that a run of the binding holds.
pub fn lease_name(binding: &Binding) -> String {
    format!("binding/{}", binding.id)
}

/// A run's id: when it began, so that ids sort, and 32 random bits.
pub fn run_id(now: chrono::DateTime<chrono::Utc>, random: u32) -> RunId {
    RunId::new(format!("{}-{random:08x}", now.format("%Y%m%dT%H%M%S%3fZ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_join_to_the_same_text_hash_differently() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }

    #[test]
    fn an_id_depends_on_installation_tenant_calendar_record_and_incarnation() {
        let of = |i: &str, t: &str, r: &str, n| remote_hash(&i.into(), &t.into(), &"c".into(), &r.into(), n);
        let all = [
            of("i", "t", "r", 0),
            of("j", "t", "r", 0),
            of("i", "u", "r", 0),
            of("i", "t", "s", 0),
            of("i", "t", "r", 1),
        ];
        for (n, a) in all.iter().enumerate() {
            assert!(!all[..n].contains(a));
        }
        assert_eq!(of("i", "t", "r", 0), all[0]);
    }
}
