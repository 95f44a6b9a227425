//! Where nothing is written to either side: books are kept, things wait, things are left alone.
//!
//! Whatever is not finished stays pending here; it is cleared only by what settles it.

use super::{Home, Planner};
use crate::model::{State, Unit, normalise};
use crate::plan::decide::Delta;
use crate::plan::observe::Pair;
use crate::plan::row::{Action, Waiting};
use crate::store::{EntryState, Link, LocalMark, RemoteItem, Seen};
use std::collections::BTreeSet;

impl<'a> Planner<'a> {
    /// The sides agree: keep the books (versions that moved without a difference), and clear what was pending.
    pub(super) fn remember(&mut self, pair: &'a Pair<'a>, root: Option<&Link>) -> Home<'a> {
        let Some(link) = pair.link else {
            // The occurrence is as its series puts it, and nobody linked it: nothing is pending.
            if let Some(item) = pair.item.filter(|item| item.pending) {
                self.plan.group.remote.push(RemoteItem { pending: false, ..item.clone() });
            }
            if let Some(record) = pair.record.filter(|_| pair.local.delta == Delta::Absent) {
                self.plan.group.unmark.push((record.id.clone(), record.version.clone()));
            }
            return Home::None;
        };
        match &link.base {
            Some(base) => self.settle_books(pair, link, Some(base.clone())),
            // Never agreed on, and nothing is known of the CRM's side: look at it again.
            None => self.mark_again(pair),
        }
        match (&link.base, root) {
            (Some(State::Live(_)), _) => Home::Linked(link),
            _ => Home::None,
        }
    }

    /// Stores that both sides are at `base` now.
    pub(super) fn settle_books(&mut self, pair: &Pair<'_>, link: &Link, base: Option<State>) {
        let mut settled = link.clone();
        settled.base = base;
        settled = pair.rebased(settled);
        settled.normaliser = normalise::VERSION;
        settled.version = pair.version().cloned();
        settled.revision = pair.revision().cloned();
        settled.answer = None;
        settled.adopted = false;
        if let Some(item) = pair.item {
            settled.remote = item.id.clone();
        }
        if settled != *link {
            self.plan.group.links.push(settled.into());
        }
        self.clear(pair);
    }

    pub(super) fn clear(&mut self, pair: &Pair<'_>) {
        self.clear_remote(pair);
        self.clear_local(pair);
    }

    pub(super) fn clear_remote(&mut self, pair: &Pair<'_>) {
        if let Some(item) = pair.item.filter(|item| item.pending || matches!(item.seen, Seen::Looked(_))) {
            let seen = match &item.seen {
                Seen::Live(_) | Seen::Looked(_) => Seen::Base,
                seen => seen.clone(),
            };
            self.plan.group.remote.push(RemoteItem { seen, pending: false, ..item.clone() });
        }
    }

    pub(super) fn clear_local(&mut self, pair: &Pair<'_>) {
        if let Some(record) = pair.record {
            self.plan.group.unmark.push((record.id.clone(), record.version.clone()));
        }
    }

    /// Nothing of an occurrence whose series is gone is pending; its values stay, for the day the series comes back.
    pub(super) fn quiet(&mut self, pair: &Pair<'_>) {
        if let Some(item) = pair.item.filter(|item| item.pending) {
            self.plan.group.remote.push(RemoteItem { pending: false, ..item.clone() });
        }
        // One that was never linked would be forgotten with its mark.
        if pair.link.is_some() || pair.record.is_some_and(|record| record.fields.is_none()) {
            self.clear_local(pair);
        }
    }

    pub(super) fn agree_gone(&mut self, pair: &'a Pair<'a>, root: Option<&Link>) -> Home<'a> {
        match (pair.link, pair.item, pair.record, root) {
            (Some(link), ..) => self.settle_books(pair, link, Some(State::Gone)),
            // Cancelled on both sides before they were linked: from now on they are.
            (None, Some(item), Some(_), Some(root)) => {
                let link = self.link_of(pair, item, Some(root));
                self.settle_books(pair, &link, Some(State::Gone));
            }
            // A cancelled slot of a series that may still come: a listing that is read while people edit can show it first.
            (None, Some(item), ..) if item.occurrence.is_some() => {
                self.plan.group.remote.push(RemoteItem { pending: false, ..item.clone() });
                self.clear_local(pair);
            }
            // Never linked and gone on both sides, or gone where the other side never had it: forget it.
            (None, item, ..) => {
                self.plan.group.forget.extend(item.map(|item| item.key.clone()));
                self.clear_local(pair);
            }
        }
        Home::None
    }

    pub(super) fn skip(&mut self, pair: &Pair<'_>, reason: &str) {
        // A linked record stays pending, so that what happened meanwhile is carried over once it is in scope again.
        if pair.link.is_none() {
            if let Some(item) = pair.item.filter(|item| item.pending) {
                self.plan.group.remote.push(RemoteItem { pending: false, ..item.clone() });
            }
            // A CRM with tables of its own does not say again what it said of an occurrence when its series comes into scope.
            if self.rules.own_table || pair.slot.is_none() {
                self.clear_local(pair);
            }
        }
        let mut row = self.blank_row(pair, Action::Skip, reason);
        row.units.clear();
        self.plan.rows.push(row);
    }

    pub(super) fn wait(&mut self, pair: &Pair<'_>, waiting: Waiting, reason: impl Into<String>) {
        let mut row = self.blank_row(pair, Action::Wait, &reason.into());
        row.waiting = Some(waiting);
        row.conflict = waiting == Waiting::Conflict;
        self.plan.rows.push(row);
        // Whatever was planned for it before no longer stands, except what was refused and waits for a new version.
        let record = pair.link.map(|link| &link.record).or(pair.record.map(|record| &record.id));
        for entry in self.family.outbox.iter().filter(|entry| Some(&entry.record) == record) {
            if matches!(entry.state, EntryState::Parked { .. }) {
                self.operations.insert(entry.operation.clone());
            }
        }
    }

    pub(super) fn ask(&mut self, pair: &Pair<'_>, reason: &str, units: BTreeSet<Unit>) -> Home<'a> {
        let mut row = self.blank_row(pair, Action::Wait, &format!("{reason}: somebody has to choose"));
        row.waiting = Some(Waiting::Conflict);
        row.conflict = true;
        row.before = pair.remote.fields.as_ref().map(|fields| fields.only(&units));
        row.after = pair.local.fields.as_ref().map(|fields| fields.only(&units));
        row.units = units;
        self.plan.rows.push(row);
        Home::None
    }

    /// The series is being made anew in the calendar: every occurrence is looked at again once it is there, and what was seen
    /// of it before went with the old one.
    pub(super) fn remember_to_write(&mut self, pair: &Pair<'_>) {
        self.mark_again(pair);
        self.plan.group.forget.extend(pair.item.map(|item| item.key.clone()));
    }

    /// Makes a linked record pending, as it is in the CRM.
    pub(super) fn mark_again(&mut self, pair: &Pair<'_>) {
        let (Some(link), None) = (pair.link, pair.record) else { return };
        if !self.rules.own_table {
            return self.plan.look_local.push(link.record.clone());
        }
        self.plan.group.marks.push(LocalMark {
            id: link.record.clone(),
            root: link.record_root.clone(),
            version: link.version.clone().unwrap_or_else(|| "".into()),
            record: None,
        });
    }
}
