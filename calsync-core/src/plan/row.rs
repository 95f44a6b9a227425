//! What a plan says about one record: for people, for the report, and for whoever reviews it.

use crate::id::{RecordId, RemoteKey};
use crate::model::{Fields, Slot, Unit};
use crate::store::Which;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What is done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Made in the CRM.
    CreateLocal,
    /// Made in the calendar.
    CreateRemote,
    /// The calendar's changes go into the CRM.
    UpdateLocal,
    /// The CRM's changes go into the calendar.
    UpdateRemote,
    /// Both changed; each gets the other's changes.
    Merge,
    /// Cancelled or deleted in the CRM, as the binding says.
    DeleteLocal,
    /// Deleted in the calendar.
    DeleteRemote,
    /// On both sides already: linked, and compared from now on.
    Join,
    /// It waits, with a reason and a way out.
    Wait,
    /// It is left alone, as the binding says.
    Skip,
}

impl Action {
    /// In the words of a report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateLocal => "create in CRM",
            Self::CreateRemote => "create in calendar",
            Self::UpdateLocal => "update CRM",
            Self::UpdateRemote => "update calendar",
            Self::Merge => "merge both",
            Self::DeleteLocal => "remove in CRM",
            Self::DeleteRemote => "delete in calendar",
            Self::Join => "join",
            Self::Wait => "wait",
            Self::Skip => "leave alone",
        }
    }
}

impl Action {
    /// Whether it makes something that was not there.
    pub fn creates(self) -> bool {
        matches!(self, Self::CreateLocal | Self::CreateRemote)
    }

    /// Whose side is written first.
    pub fn side(self) -> Which {
        match self {
            Self::CreateRemote | Self::UpdateRemote | Self::DeleteRemote => Which::Remote,
            Self::CreateLocal
            | Self::UpdateLocal
            | Self::DeleteLocal
            | Self::Merge
            | Self::Join
            | Self::Wait
            | Self::Skip => Which::Local,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a record waits, and so what gets it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// Both sides changed the same thing and the policy is to ask.
    Conflict,
    /// It could not be read; a new version on that side is read again.
    Quarantined,
    /// More of its kind than one run or one hour may do ([`Limits`](crate::limits::Limits)).
    Guarded,
    /// This credential may not change it there.
    Forbidden,
    /// The other side refused it; a new version on either side is tried again.
    Refused,
    /// It is written in this run, after its series.
    AfterSeries,
    /// A reviewer deselected it; somebody selects it in a later plan.
    Deselected,
    /// It may be the same as something on the other side; somebody says which, or none, in a plan.
    Ambiguous,
    /// An earlier run may have written it without hearing the answer; the next one finds out what became of that.
    Unsettled,
}

/// How many guests a row names; the counts go on.
pub const GUESTS_MAX: usize = 50;

/// One record of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What is done.
    pub action: Action,
    /// The CRM record, if there is one or its id is known.
    pub record: Option<RecordId>,
    /// Its identity in the calendar, if there is one or it is known.
    pub key: Option<RemoteKey>,
    /// Set for one occurrence of a series.
    pub slot: Option<Slot>,
    /// Planned before from the same versions, and not carried out yet.
    pub again: bool,
    /// The title, for people; `None` for private appointments.
    pub summary: Option<String>,
    /// When it is or begins, in wall-clock time with its zone, or the day; for people.
    #[serde(default)]
    pub starts: Option<String>,
    /// Why.
    pub reason: String,
    /// The units concerned.
    pub units: BTreeSet<Unit>,
    /// The values of those units before, where they are written.
    pub before: Option<Fields>,
    /// The values of those units after.
    pub after: Option<Fields>,
    /// Values that lose a conflict.
    pub lost: Option<Fields>,
    /// In plans: what the run that does this would tell of the agent's working hours, in a sentence; of a series on its first row.
    #[serde(default)]
    pub hours: Option<String>,
    /// Set on rows that wait.
    pub waiting: Option<Waiting>,
    /// Whether both sides had changed the same unit, or one side what the other deleted.
    pub conflict: bool,
    /// What it may be the same as on the other side, where somebody has to say: ids there.
    #[serde(default)]
    pub candidates: Vec<String>,
    /// The addresses of the guests concerned by a write to the calendar, [`GUESTS_MAX`] at most; none for private appointments.
    #[serde(default)]
    pub guests: Vec<String>,
    /// How many guests would be told by mail.
    pub guests_told: u32,
    /// How many guests would not be told.
    pub guests_untold: u32,
    /// The versions that the decision was taken from: the CRM's and the calendar's.
    pub versions: (Option<String>, Option<String>),
}

impl Row {
    /// Whether it writes to either side.
    pub fn writes(&self) -> bool {
        !matches!(self.action, Action::Wait | Action::Skip)
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn size(&self) -> usize {
        /// What the row itself, and each text in it, takes besides the letters.
        const PART: usize = 64;
        let values = [&self.before, &self.after, &self.lost].into_iter().flatten().map(Fields::size);
        let units = self.units.iter().map(|unit| PART + unit.as_str().len());
        let guests = self.guests.iter().map(|guest| PART + guest.len());
        8 * PART + values.chain(units).chain(guests).sum::<usize>()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.summary.as_deref().unwrap_or("(private)");
        write!(f, "{:<18} {name}: {}", self.action, self.reason)?;
        if !self.units.is_empty() {
            let units: Vec<&str> = self.units.iter().map(Unit::as_str).collect();
            write!(f, " [{}]", units.join(", "))?;
        }
        if self.guests_told > 0 {
            write!(f, " ({} guests are told by mail)", self.guests_told)?;
        }
        if let Some(hours) = &self.hours {
            write!(f, " {hours}")?;
        }
        Ok(())
    }
}
