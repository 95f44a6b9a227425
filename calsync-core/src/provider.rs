//! What calsync asks of a calendar service.
//!
//! A provider lists, reads and writes; it decides nothing. All its answers are in the canonical model, and every decision
//! about them is taken in `plan`. A provider keeps no state that matters: whatever must survive is in the store.

use crate::error::Result;
use crate::id::{CalendarId, Cursor, OperationId, PageToken, RemoteId, Revision};
use crate::model::{Fields, RemoteOccurrence, RemoteRecord, Slot, Unit};
use crate::zone::Zone;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Which calendar, and on whose behalf.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The calendar.
    pub calendar: CalendarId,
    /// The address of the person to act for. A delegated service account impersonates this person; credentials that
    /// belong to one account ignore it.
    pub subject: String,
}

/// What one run may spend and has spent. Shared by every call of the run.
#[derive(Debug, Default)]
pub struct Effort {
    deadline: Option<Duration>,
    requests: AtomicU32,
}

impl Effort {
    /// Spending until the clock's monotonic reading passes `deadline`.
    pub fn until(deadline: Duration) -> Self {
        Self { deadline: Some(deadline), requests: AtomicU32::new(0) }
    }

    /// The monotonic reading after which no request may start.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Counts one request that is about to leave.
    pub fn spend(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests left, token requests and repeats included.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Where a page of a listing starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Everything that exists; deleted occurrences of living series included.
    Full(Option<PageToken>),
    /// What changed since the cursor, deletions included.
    Since(Cursor, Option<PageToken>),
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// In the provider's order: an occurrence may come before its series, and the same record twice.
    pub items: Vec<Item>,
    /// What follows.
    pub next: Next,
}

/// What follows a page. A cursor exists only after the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another page, perhaps an empty one.
    More(PageToken),
    /// Nothing; the next incremental listing starts here.
    Done(Cursor),
}

/// One entry of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A record that could be read.
    Record(RemoteRecord),
    /// A record that could not: it is parked, its series waits, the rest goes on.
    Unreadable {
        /// Its id, as far as it was readable.
        id: RemoteId,
        /// Its version; a new one is read again.
        revision: Revision,
        /// The series it says it belongs to.
        occurrence: Option<RemoteOccurrence>,
        /// What was wrong, without content.
        reason: String,
    },
}

/// What a calendar says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarInfo {
    /// Its zone.
    pub zone: Zone,
    /// Its name.
    pub summary: Option<String>,
}

/// How a calendar may be used, by the account that acts for its [`Target`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Its events can be read and written.
    Writer,
    /// Its events can be read only.
    Reader,
    /// Only when somebody is busy can be read: not enough for anything that calsync does.
    FreeBusy,
    /// The account answers for nobody of this name, or for nobody any more.
    NoSuchUser {
        /// What was said, and what to do, for a person.
        message: String,
    },
    /// There is no such calendar, or it is not shared with the account: services do not tell the two apart.
    NotShared {
        /// What was said, and what to do, for a person.
        message: String,
    },
}

/// Who is told about a write by the provider's mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mail {
    /// Nobody. The default everywhere: a mail cannot be taken back.
    #[default]
    Nobody,
    /// All guests.
    Guests,
    /// Guests outside the calendar's own service.
    ExternalGuests,
}

/// One intended write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// Stamped into the record, so that a lost answer can be settled by reading back.
    pub operation: OperationId,
    /// Who is told.
    pub mail: Mail,
    /// What to do.
    pub action: WriteAction,
}

/// What a write does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteAction {
    /// Make a record under an id that calsync chose. Safe to repeat: the second time is [`crate::ErrorKind::Duplicate`].
    Create {
        /// From [`Provider::create_id`].
        id: RemoteId,
        /// All values.
        fields: Fields,
    },
    /// Change some units, if the record still has the expected revision.
    Update {
        /// The record; for an occurrence that nobody changed before, from [`Provider::occurrence_id`].
        id: RemoteId,
        /// The version it is made from. `None` only where no version is known; the engine reads one first.
        revision: Option<Revision>,
        /// The units to write; a unit that `fields` lacks goes back to its default.
        units: BTreeSet<Unit>,
        /// All values as they should be afterwards.
        fields: Fields,
        /// The record is cancelled and comes back; `units` are then all that it has to say anew.
        revive: bool,
    },
    /// Delete, if the record still has the expected revision. An already deleted record is success.
    Delete {
        /// The record.
        id: RemoteId,
        /// The version it is made from.
        revision: Option<Revision>,
    },
}

impl WriteAction {
    /// The record written to.
    pub fn id(&self) -> &RemoteId {
        match self {
            Self::Create { id, .. } | Self::Update { id, .. } | Self::Delete { id, .. } => id,
        }
    }
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Receipt {
    /// The record as the provider has it now; this answer is authoritative, a listing may lag behind.
    Written(RemoteRecord),
    /// It is gone.
    Deleted,
}

/// A calendar service.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// What the calendar says about itself. Cheap; also tells whether it can be reached at all.
    async fn calendar(&self, target: &Target, effort: &Effort) -> Result<CalendarInfo>;

    /// How the calendar may be used. As cheap as [`Provider::calendar`]; reads only, and needs no more rights than a run.
    ///
    /// # Errors
    /// What is no answer about this calendar: the network, a limit, a credential that nobody could use. That the user or the
    /// calendar is not there for this account is an answer.
    async fn access(&self, target: &Target, effort: &Effort) -> Result<Access>;

    /// One page of series, exceptions and single records. Safe to repeat.
    ///
    /// # Errors
    /// [`crate::ErrorKind::CursorExpired`] when the cursor, or the page token of an older listing, is no longer valid.
    async fn list(&self, target: &Target, start: &Start, effort: &Effort) -> Result<Page>;

    /// One record by id; `None` when it does not exist or cannot be seen. An occurrence that nobody changed is read as the
    /// series puts it there. Safe to repeat.
    async fn get(&self, target: &Target, id: &RemoteId, effort: &Effort) -> Result<Option<Item>>;

    /// Carries one write out. Repeating is safe because of the chosen id and the expected revision; an error says whether
    /// the write may have arrived ([`crate::Error::may_have_been_sent`]).
    async fn write(&self, target: &Target, write: &Write, effort: &Effort) -> Result<Receipt>;

    /// Names the parameters of a listing: a cursor made with others cannot be used.
    fn fingerprint(&self) -> String;

    /// A record id made from 32 hash bytes, valid for the provider.
    fn create_id(&self, hash: &[u8; 32]) -> RemoteId;

    /// The id under which an occurrence of a series is read and written.
    fn occurrence_id(&self, series: &RemoteId, slot: &Slot) -> RemoteId;

    /// The values as this provider can hold them: what it lacks is left out, what is too long is cut. Pure; applying it
    /// twice changes nothing more. Both sides are compared after it.
    fn project(&self, fields: &Fields) -> Fields;
}
