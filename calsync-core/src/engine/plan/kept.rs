//! A row of a plan as it is kept: what was decided, what is to become of it, and what a person said.

use crate::error::{Error, ErrorKind, Result};
use crate::id::{RecordId, RemoteId};
use crate::plan::{Action, Row, Waiting};
use crate::store::{StoredRow, Which};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is to become of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// It will be carried out.
    Selected,
    /// A reviewer deselected it: it waits until somebody selects it.
    Deselected,
    /// Something moved while the plan was applied, and it was planned again: it waits for another look.
    Moved,
    /// There is nothing to carry out: it waits for something else, or is left alone.
    Idle,
    /// It was carried out.
    Done,
    /// Other rows took its place.
    Replaced,
}

impl RowState {
    pub(super) fn of(row: &Row, selected: bool) -> Self {
        match (row.writes(), selected) {
            (false, _) => Self::Idle,
            (true, true) => Self::Selected,
            (true, false) => Self::Deselected,
        }
    }

    /// Whether the row still says something about what will be done.
    pub(super) fn open(self) -> bool {
        !matches!(self, Self::Done | Self::Replaced)
    }
}

impl fmt::Display for RowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Selected => "selected",
            Self::Deselected => "deselected",
            Self::Moved => "moved",
            Self::Idle => "idle",
            Self::Done => "done",
            Self::Replaced => "replaced",
        })
    }
}

/// What a record is the same as on the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// As this record of the CRM.
    Record(RecordId),
    /// As this record of the calendar.
    Event(RemoteId),
    /// As none: it is made there.
    Nothing,
}

/// A row of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRow {
    /// Its number in the plan, from 1; it never changes.
    pub number: u64,
    /// What is to become of it.
    pub state: RowState,
    /// What a reviewer said that it is the same as.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<Match>,
    /// What was decided, and why.
    pub row: Row,
}

impl std::ops::Deref for PlanRow {
    type Target = Row;

    fn deref(&self) -> &Row {
        &self.row
    }
}

/// What the store keeps of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub state: RowState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<Match>,
    pub row: Row,
}

impl Kept {
    /// Whether a reviewer may say what it is the same as.
    pub(super) fn matchable(&self) -> bool {
        self.row.slot.is_none()
            && (matches!(self.row.action, Action::Join | Action::CreateLocal | Action::CreateRemote)
                || self.row.waiting == Some(Waiting::Ambiguous))
    }
}

pub(super) fn store(
    number: u64,
    root: &(Which, String),
    state: RowState,
    matched: Option<Match>,
    row: Row,
) -> Result<StoredRow> {
    stored(number, root, &Kept { state, matched, row })
}

pub(super) fn stored(number: u64, root: &(Which, String), kept: &Kept) -> Result<StoredRow> {
    let row = serde_json::to_value(kept).map_err(|e| {
        Error::new(ErrorKind::Store, "a row of the plan cannot be stored").with("row", number).caused_by(e)
    })?;
    Ok(StoredRow { number, root: root.clone(), row })
}

pub(super) fn read(row: &StoredRow) -> Result<Kept> {
    Kept::deserialize(&row.row).map_err(|e| {
        Error::new(ErrorKind::Store, "a row of the plan cannot be read")
            .with("row", row.number)
            .cure("Make a new plan.")
            .caused_by(e)
    })
}

pub(super) fn shown(row: &StoredRow) -> Result<PlanRow> {
    let Kept { state, matched, row: decided } = read(row)?;
    Ok(PlanRow { number: row.number, state, matched, row: decided })
}
