//! The rows that a store keeps, as plain data.

use crate::detail::Detail;
use crate::error::ErrorKind;
use crate::host::RecordWrite;
use crate::hours::WarningKey;
use crate::id::{BindingId, OperationId, PlanId, RecordId, RemoteId, RemoteKey, Revision, RunId, Version};
use crate::model::{Fields, Record, RemoteOccurrence, RemoteRecord, Slot, State, Writable};
use crate::provider::{Write, WriteAction};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One CRM record ↔ one remote record, inside one binding. Unique by remote key and by CRM record.
///
/// A link outlives what it links: while the binding lives, it is what keeps a deleted record from coming back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The CRM record.
    pub record: RecordId,
    /// The CRM record of the series, or `record` itself.
    pub record_root: RecordId,
    /// The remote record's identity.
    pub key: RemoteKey,
    /// The id under which the provider finds it now.
    pub remote: RemoteId,
    /// The remote series, or `remote` itself.
    pub remote_root: RemoteId,
    /// Set for an occurrence of a series.
    pub slot: Option<Slot>,
    /// What both sides last agreed on; `None` before the first agreement.
    pub base: Option<State>,
    /// The version of the canonical form that the base was written with.
    pub normaliser: u32,
    /// The CRM record's version that equals the base; `None` when the CRM is ahead of it.
    pub version: Option<Version>,
    /// The remote record's revision that equals the base; `None` when the calendar is ahead of it.
    pub revision: Option<Revision>,
    /// How often the remote record was made anew; goes into its id.
    pub incarnation: u32,
    /// The meeting is organised in another calendar, and this is a second copy of it: guests, organiser and UID are not part
    /// of it, so that nobody is invited twice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirror: bool,
    /// Both sides had it before they were linked, and have not yet agreed: putting them in step is a repair, about which nobody
    /// is mailed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// Guests are taken out of the calendar's event ([`Engine::plan_guests_out`](crate::Engine::plan_guests_out)) and stay out; the CRM
    /// keeps them. As long as the base has guests, the event may have them too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guests_out: bool,
    /// How much of the appointment the base has: what was held back from it is nobody's edit.
    #[serde(default, skip_serializing_if = "Detail::is_full")]
    pub detail: Detail,
    /// A person's answer to a conflict.
    pub answer: Option<Answer>,
}

/// A person's answer to a conflict between exactly these two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether the CRM's values win; otherwise the calendar's.
    pub local_wins: bool,
    /// The CRM's version that the answer was given for.
    pub version: Option<Version>,
    /// The calendar's revision that the answer was given for.
    pub revision: Option<Revision>,
}

/// What was last seen of a remote record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoteItem {
    /// Its identity.
    pub key: RemoteKey,
    /// The id under which the provider finds it now.
    pub id: RemoteId,
    /// The series, or its own id.
    pub root: RemoteId,
    /// Set where it is an occurrence.
    pub occurrence: Option<RemoteOccurrence>,
    /// The provider's version.
    pub revision: Revision,
    /// When it was last changed, if the provider says so.
    pub updated: Option<DateTime<Utc>>,
    /// What may be changed.
    pub writable: Writable,
    /// The full listing that last showed it, or the one in force when an increment did.
    pub generation: u64,
    /// What it was.
    pub seen: Seen,
    /// Whether it differs from the base, so that there is something to decide.
    pub pending: bool,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The values of the link's base.
    Base,
    /// Other values.
    Live(Fields),
    /// What a single read found in a slot of a series: a change of its own, or just what the series puts there. Only a listing
    /// or a comparison with the series as it was at that moment can tell, so it is read again before it is used.
    Looked(Fields),
    /// Deleted or cancelled.
    Gone,
    /// Something that could not be read, and why.
    Unreadable(String),
}

impl RemoteItem {
    /// The observation of a record that was read, to be decided about.
    pub fn pending(record: &RemoteRecord, generation: u64) -> Self {
        Self {
            key: record.key(),
            id: record.id.clone(),
            root: record.root().clone(),
            occurrence: record.occurrence.clone(),
            revision: record.revision.clone(),
            updated: record.updated,
            writable: record.writable.clone(),
            generation,
            seen: match &record.state {
                State::Live(fields) => Seen::Live(fields.clone()),
                State::Gone => Seen::Gone,
            },
            pending: true,
        }
    }

    /// Whether it is a series or a single record that was seen alive: what can be the counterpart of a CRM record.
    pub fn stands_alone(&self) -> bool {
        self.key.as_str() == self.root.as_str() && matches!(self.seen, Seen::Live(_))
    }

    /// The values that were seen, where they are not those of the base.
    pub(crate) fn values(&self) -> Option<&Fields> {
        match &self.seen {
            Seen::Live(fields) | Seen::Looked(fields) => Some(fields),
            Seen::Base | Seen::Gone | Seen::Unreadable(_) => None,
        }
    }

    /// Whether this is the observation that a series has nothing in a slot.
    pub(crate) fn no_such_slot(&self) -> bool {
        self.occurrence.is_some() && self.seen == Seen::Gone && self.writable == Writable::Nothing
    }
}

/// A CRM record that differs, or may differ, from its base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalMark {
    /// The record.
    pub id: RecordId,
    /// The record of the series, or its own.
    pub root: RecordId,
    /// The version seen.
    pub version: Version,
    /// The record, where the host is not calsync's own table. With the own table it is `None` in what is written, and the
    /// store fills it in from the table when it reads (a record that is not in the table any more is read as deleted).
    pub record: Option<Record>,
}

impl LocalMark {
    /// The observation of a record.
    pub fn of(record: &Record, keep: bool) -> Self {
        Self {
            id: record.id.clone(),
            root: record.root().clone(),
            version: record.version.clone(),
            record: keep.then(|| record.clone()),
        }
    }
}

/// An outbox entry: one intended write to the calendar, or to a CRM that is not calsync's own table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The order in which entries were put; the store's to give, 0 in what is put.
    pub sequence: u64,
    /// Names the write. The same decision about the same versions has the same operation.
    pub operation: OperationId,
    /// The CRM record of the link that this belongs to.
    pub record: RecordId,
    /// The CRM record of the series: entries of one series leave one after the other.
    pub root: RecordId,
    /// How far it got.
    pub state: EntryState,
    /// Not before this.
    pub due: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: u32,
    /// What to write.
    pub intent: Intent,
}

/// How far an outbox entry got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// Not sent; a newer plan may replace it.
    Planned,
    /// Perhaps sent; frozen until it is known what became of it.
    Sent,
    /// Refused, and why; tried again when either side's version changes.
    Parked {
        /// What to branch on.
        kind: ErrorKind,
        /// What happened and what to do.
        reason: String,
    },
}

/// What an outbox entry writes, and what both sides agree on once it is acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// To the calendar.
    Remote {
        /// The write.
        write: Write,
        /// Set for an occurrence of a series.
        occurrence: Option<RemoteOccurrence>,
        /// The base after the acknowledgement.
        base: State,
        /// The CRM version that equals this base.
        version: Option<Version>,
    },
    /// To the CRM.
    Local {
        /// The write.
        write: RecordWrite,
        /// The base after the acknowledgement.
        base: State,
        /// The remote revision that equals this base; `None` when more has to be written to the calendar.
        revision: Option<Revision>,
        /// Whether the CRM equals the base afterwards; if not, more has to be written to the calendar.
        agrees: bool,
        /// The version of the record that was decided about; with `agrees`, its mark is settled.
        version: Option<Version>,
    },
}

impl Link {
    /// Ends the quiet time of what was adopted, if both sides agree from now on.
    pub(crate) fn adopted_until_agreed(self) -> Self {
        Self { adopted: self.adopted && (self.version.is_none() || self.revision.is_none()), ..self }
    }

    /// Which occurrence of which series it stands for in the calendar; `None` for a series, and for what stands by itself.
    pub(crate) fn occurrence(&self) -> Option<RemoteOccurrence> {
        let slot = self.slot.filter(|_| self.remote_root != self.remote)?;
        Some(RemoteOccurrence { series: self.remote_root.clone(), slot })
    }
}

impl Intent {
    /// Whether it gives a series in the calendar another rule.
    pub(crate) fn sets_a_rule(&self) -> bool {
        let Intent::Remote { write, occurrence: None, .. } = self else { return false };
        match &write.action {
            WriteAction::Update { units, fields, .. } => {
                units.contains("when") && fields.get("when").is_some_and(|when| !when["recurrence"].is_null())
            }
            _ => false,
        }
    }
}

/// Everything about one series or one single record, on both sides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// Links by CRM record.
    pub links: Vec<Link>,
    /// Observations by remote key.
    pub remote: Vec<RemoteItem>,
    /// Marks by CRM record, with the record filled in.
    pub local: Vec<LocalMark>,
    /// Outbox entries by sequence.
    pub outbox: Vec<Entry>,
}

impl Family {
    /// The root under which [`crate::store::Store::families`] lists the family: of several that have something pending on
    /// that side, the smallest; `None` where nothing is pending there.
    pub fn root(&self, which: Which) -> Option<&str> {
        match which {
            Which::Remote => self.remote.iter().filter(|i| i.pending).map(|i| i.root.as_str()).min(),
            Which::Local => self.local.iter().map(|mark| mark.root.as_str()).min(),
        }
    }

    /// About how many bytes of memory its values take.
    pub(super) fn size(&self) -> usize {
        let of_state = |state: &State| match state {
            State::Live(fields) => fields.size(),
            State::Gone => 0,
        };
        let links = self.links.iter().filter_map(|link| link.base.as_ref()).map(of_state);
        let remote = self.remote.iter().filter_map(RemoteItem::values).map(Fields::size);
        let records = self.local.iter().filter_map(|mark| mark.record.as_ref()?.fields.as_ref());
        let written = self.outbox.iter().map(|entry| match &entry.intent {
            Intent::Remote { base, .. } | Intent::Local { base, .. } => of_state(base),
        });
        links.chain(remote).chain(records.map(Fields::size)).chain(written).sum()
    }
}

/// Whose root. The calendar's come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The calendar's.
    Remote,
    /// The CRM's.
    Local,
}

/// A lease that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// What is leased.
    pub name: String,
    /// Drawn anew for every lease; a worker that restarts is somebody else.
    pub owner: String,
    /// Larger with every lease of this name.
    pub fence: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything there was to see was seen and done.
    Complete,
    /// Some records wait or were refused; the rest is done.
    Partial,
    /// It stopped early and goes on next time.
    Stopped,
    /// It failed.
    Failed,
}

/// A run that changed something or failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// Of which binding.
    pub binding: BindingId,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub finished: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// Counts by action and side, and what it cost, as the report has them.
    pub summary: serde_json::Value,
    /// What kept it from being clean.
    pub error: Option<String>,
}

/// One decision that was carried out, with what was there before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// In which run.
    pub run: RunId,
    /// About which record.
    pub record: RecordId,
    /// Its identity in the calendar.
    pub key: Option<RemoteKey>,
    /// Whose side was written, or would have been.
    pub side: Which,
    /// What was done, in the report's words.
    pub action: String,
    /// Why.
    pub reason: String,
    /// The values before, of the units concerned.
    pub before: Option<Fields>,
    /// The values after, of the units concerned; `None` for a creation, whose values are the record itself until somebody
    /// changes them.
    pub after: Option<Fields>,
    /// Values that lost a conflict, kept whole.
    pub lost: Option<Fields>,
}

/// A plan as it was stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanHeader {
    /// Its id.
    pub id: PlanId,
    /// Of which binding.
    pub binding: BindingId,
    /// When it was made.
    pub made: DateTime<Utc>,
    /// Counts by action and side, as the report has them.
    pub summary: serde_json::Value,
}

/// One row of a stored plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredRow {
    /// Its number in the plan, from 1.
    pub number: u64,
    /// The root that it is found by again, and whose.
    pub root: (Which, String),
    /// The row, as `plan` wrote it.
    pub row: serde_json::Value,
}

/// The place of a warning of working hours within a binding: appointment, slot (empty for a single appointment), person, version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WarningPlace(pub [String; 4]);

impl WarningPlace {
    /// The place of a key.
    pub fn of(key: &WarningKey) -> Self {
        let slot = key.occurrence.map(|slot| slot.to_string()).unwrap_or_default();
        Self([key.event.to_string(), slot, key.person.to_string(), key.version.as_str().to_owned()])
    }
}
