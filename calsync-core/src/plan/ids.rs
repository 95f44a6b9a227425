//! Ids that are the same however often a decision is taken again.
//!
//! A creation that may or may not have happened can be repeated only if it would make the same thing. So ids are hashes of
//! what they stand for, and an operation is named by the versions it was decided from: the same decision about the same
//! versions is the same operation, a decision about newer versions is another.

use crate::id::{CalendarId, InstallationId, OperationId, RecordId, RemoteId, RemoteKey, RunId};
use crate::model::Slot;
use crate::planted::{self, Fault};
use crate::provider::Provider;
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
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// How many letters and digits of a name an id begins with. In a large calendar eight tell nearly all events apart.
const BESIDE: usize = 8;

/// The id of a record that is made from what is named here: a hash, behind the first letters and digits of the name. Stores keep
/// records and what they were made from in the order of ids; so what is next to each other in one index is in the others as
/// well, and a transaction of neighbours writes a few pages of each index, not one for each record.
fn record_beside(name: &str, parts: &[&str]) -> RecordId {
    let start = name.chars().filter(char::is_ascii_alphanumeric).take(BESIDE);
    RecordId::new(start.chain(hex(&hash(parts)[..12]).chars()).collect::<String>())
}

/// From which a provider makes the id of a record that calsync creates: the installation, the tenant, the calendar, the CRM
/// record, and how often it was made anew, because a deleted event keeps its id reserved. The calendar is part of it because
/// guests' copies of an event tend to have its id: an appointment that stands in two calendars must not meet itself.
fn remote_hash(
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

/// The id that calsync gives a record which it creates in the calendar, and so the proof that it did.
pub fn created(
    provider: &dyn Provider,
    installation: &InstallationId,
    binding: &Binding,
    record: &RecordId,
    incarnation: u32,
) -> RemoteId {
    let calendar = &binding.target.calendar;
    provider.create_id(&remote_hash(installation, &binding.tenant, calendar, record, incarnation))
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
    record_beside(key.as_str(), &parts)
}

/// The CRM record of an occurrence: one slot of a series has one record, whoever makes it, so that a user and a run that
/// make it at the same time meet each other.
pub fn occurrence_record(series: &RecordId, slot: &Slot) -> RecordId {
    record_beside(series.as_str(), &["occurrence", series.as_str(), &slot.to_string()])
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
    fn records_stand_as_what_they_were_made_from_and_are_told_apart_by_all_of_it() {
        let of = |series: &str, slot: &str| {
            occurrence_record(&series.into(), &slot.parse::<Slot>().expect("a slot")).to_string()
        };
        let standup = of("7g4k-0a1b2c", "20261130");
        assert_eq!((&standup[..8], standup.len()), ("7g4k0a1b", 32));
        assert!(standup < of("7g5", "20261130"));
        assert_ne!(standup, of("7g4k-0a1b2c", "20261207"));
        assert_ne!(standup, of("7g4k-0a1b2d", "20261130"));
        assert_eq!(of("über", "20261130").len(), 24 + 3);
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
