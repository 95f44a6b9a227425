//! Decisions: pure functions from what is known to what should be done.
//!
//! No store, no clock, no network: whoever can print the inputs can replay the bug. A family (one series with its
//! occurrences, or one single record, on both sides) goes in; rows for people and one all-or-nothing [`Group`] for the
//! store come out. A record that needs writes on both sides gets the CRM's first; the calendar's follows in the next pass,
//! made from what was then agreed.

pub mod adopt;
pub mod decide;
mod family;
pub mod ids;
mod lens;
pub mod merge;
mod observe;
mod row;
mod scope;
pub mod settle;
pub mod sighting;

pub(crate) use family::roots;
pub use family::{is_deselected, plan_family};
pub use lens::Lens;
pub use row::{Action, GUESTS_MAX, Row, Waiting};
pub(crate) use scope::left_alone;

use crate::binding::Binding;
use crate::guard::{Kinds, Tally};
use crate::id::{InstallationId, RecordId, RemoteId, RunId};
use crate::model::{RemoteOccurrence, State};
use crate::provider::Provider;
use crate::store::{Group, Which};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// What decisions depend on besides the family itself.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The settings.
    pub binding: &'a Binding,
    /// Goes into the ids of what is created.
    pub installation: &'a InstallationId,
    /// Only its pure functions are used.
    pub provider: &'a dyn Provider,
    /// Whether the CRM is calsync's own table, which shares the store's transaction.
    pub own_table: bool,
    /// The other calendars of the same agent that are kept in step, in lower case.
    pub own_calendars: &'a BTreeSet<String>,
    /// Whether this binding, of all that the agent has, invites the guests of an appointment that nobody organises yet.
    pub organises: bool,
    /// Whether guests are taken out of what this calendar invites to.
    pub guests_out: bool,
    /// What was read by id for this very plan.
    pub fresh: &'a BTreeSet<RemoteId>,
    /// Whether the changed occurrences of the series were read for this very plan.
    pub occurrences_read: bool,
    /// What both sides had before anything linked it.
    pub pairing: &'a adopt::Pairing,
    /// The roots that a reviewer deselected.
    pub deselected: &'a BTreeSet<(Which, String)>,
    /// The run, for the journal.
    pub run: &'a RunId,
    /// The time, for the journal and for what is due.
    pub now: DateTime<Utc>,
}

/// What should be done about a family.
#[derive(Clone, Debug, Default)]
pub struct FamilyPlan {
    /// For people; also where nothing is written.
    pub rows: Vec<Row>,
    /// For the store.
    pub group: Group,
    /// Remote records that must be read first, with the slot that each stands for; the family is planned again then.
    pub look_remote: Vec<(RemoteId, Option<RemoteOccurrence>)>,
    /// CRM records that must be read first.
    pub look_local: Vec<RecordId>,
    /// A series of calsync's own table whose changed occurrences must be read first.
    pub look_occurrences: Option<RecordId>,
    /// Records that are written on both sides, one after the other: what both will have once the second write has arrived too.
    pub in_the_end: BTreeMap<RecordId, State>,
    /// What the guards count of it.
    pub tally: Tally,
    /// A write was perhaps sent and is not settled: nothing is decided before it is.
    pub frozen: bool,
}

impl FamilyPlan {
    /// Whether something has to be read before this can be carried out.
    pub fn looks(&self) -> bool {
        !(self.look_remote.is_empty() && self.look_local.is_empty() && self.look_occurrences.is_none())
    }

    /// The plan while writes of these kinds are held back. A family is all or nothing, so one such write holds all of it: its
    /// rows wait, everything stays pending, and whatever was planned before and is replaced by this does not stand any more.
    pub fn held(mut self, hold: Kinds) -> Self {
        if !self.tally.meets(hold) {
            return self;
        }
        let outbox_drop = std::mem::take(&mut self.group.outbox_drop);
        self.group = Group { outbox_drop, ..Group::default() };
        self.tally = Tally::default();
        for row in self.rows.iter_mut().filter(|row| row.writes() && !row.again) {
            row.reason = format!("{}; held back with others of its kind: {}", row.reason, row.action);
            (row.action, row.waiting) = (Action::Wait, Some(Waiting::Guarded));
        }
        self
    }

    /// Whether anything is to be stored.
    pub fn writes(&self) -> bool {
        let group = &self.group;
        !(group.records.is_empty()
            && group.links.is_empty()
            && group.unlink.is_empty()
            && group.select.is_empty()
            && group.remote.is_empty()
            && group.forget.is_empty()
            && group.marks.is_empty()
            && group.unmark.is_empty()
            && group.outbox.is_empty()
            && group.outbox_drop.is_empty()
            && group.journal.is_empty())
    }
}
