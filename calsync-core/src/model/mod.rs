//! What travels between the CRM and a calendar.
//!
//! [`Fields`] is what the planner sees, [`Appointment`] is the typed view for people who write code against calsync, and
//! [`State`] is the planner's question about a record: is it there, and with which values?

pub mod appointment;
mod fields;
pub mod normalise;
mod recurrence;
mod when;

pub use appointment::{
    Appointment, Attendee, EventType, Person, Reminder, Response, SourceLink, Status, Transparency,
    Visibility,
};
pub use fields::{Fields, Unit};
pub use recurrence::Recurrence;
pub use when::{Slot, When, ZonedTime};

use crate::id::{AgentId, RecordId, RemoteId, RemoteKey, Revision, Version};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A record on one side, as far as agreement is concerned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is there, with these values.
    Live(Fields),
    /// It was deleted or cancelled; whatever values remain say nothing.
    Gone,
}

impl State {
    /// The values of a living record.
    pub fn fields(&self) -> Option<&Fields> {
        match self {
            Self::Live(fields) => Some(fields),
            Self::Gone => None,
        }
    }
}

/// Which occurrence of which series a CRM record replaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Occurrence {
    /// The record of the series.
    pub series: RecordId,
    /// The start that the series gives it.
    pub slot: Slot,
}

/// A record of the CRM as calsync reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// Its version; changes with every change.
    pub version: Version,
    /// Whose appointment it is.
    pub agent: AgentId,
    /// Set where it replaces or cancels an occurrence of a series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<Occurrence>,
    /// Its values; `None` once it is deleted.
    pub fields: Option<Fields>,
    /// False where the CRM's user flagged it "don't sync": it is neither written nor read over.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub sync: bool,
    /// When it was last changed.
    pub modified: DateTime<Utc>,
}

fn yes() -> bool {
    true
}

impl Record {
    /// The record of the series it belongs to, or its own: what is planned, guarded and written as one.
    pub fn root(&self) -> &RecordId {
        self.occurrence.as_ref().map_or(&self.id, |o| &o.series)
    }

    /// Whether it is there, and with which values. Cancelled and deleted are the same.
    pub fn state(&self) -> State {
        match &self.fields {
            Some(fields) if fields.get("status").and_then(|s| s.as_str()) != Some("cancelled") => {
                State::Live(fields.clone())
            }
            _ => State::Gone,
        }
    }
}

/// Which occurrence of which series a remote record replaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RemoteOccurrence {
    /// The series.
    pub series: RemoteId,
    /// The start that the series gives it.
    pub slot: Slot,
}

/// Which units of a remote record this credential may change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writable {
    /// All that are not the provider's own.
    #[default]
    All,
    /// A guest's copy: what belongs to the copy (reminders, free or busy, visibility, private properties, the own answer).
    OwnCopy {
        /// The guest whose copy it is, in lower case.
        me: String,
    },
    /// None.
    Nothing,
}

impl Writable {
    /// Whether the unit may be changed.
    pub fn allows(&self, unit: &Unit) -> bool {
        let unit = unit.as_str();
        match self {
            _ if appointment::PROVIDER_OWNED.contains(&unit) => false,
            Self::All => true,
            Self::Nothing => false,
            Self::OwnCopy { me } => {
                matches!(unit, "reminders" | "transparency" | "visibility")
                    || unit.starts_with("property/private/")
                    || unit.strip_prefix("attendee/") == Some(me)
            }
        }
    }
}

/// A remote record as a provider reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoteRecord {
    /// The id under which the provider finds it now.
    pub id: RemoteId,
    /// The provider's version of it.
    pub revision: Revision,
    /// Set where it replaces or cancels an occurrence of a series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<RemoteOccurrence>,
    /// Is it there, and with which values?
    pub state: State,
    /// When it was last changed by the provider's clock, if the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<DateTime<Utc>>,
    /// The operation that last wrote it, if that was calsync. A user's edit leaves the stamp where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<crate::id::OperationId>,
    /// What may be changed.
    #[serde(default)]
    pub writable: Writable,
}

impl RemoteRecord {
    /// Its identity inside a binding.
    pub fn key(&self) -> RemoteKey {
        RemoteKey::of(&self.id, self.occurrence.as_ref())
    }

    /// The series it belongs to, or its own id.
    pub fn root(&self) -> &RemoteId {
        self.occurrence.as_ref().map_or(&self.id, |o| &o.series)
    }
}

impl RemoteKey {
    /// An occurrence is named by its series and slot, everything else by its id.
    pub fn of(id: &RemoteId, occurrence: Option<&RemoteOccurrence>) -> Self {
        match occurrence {
            Some(o) => Self::new(format!("{}#{}", o.series, o.slot)),
            None => Self::new(id.as_str()),
        }
    }
}
