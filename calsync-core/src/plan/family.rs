//! Plans one family: the root first, then its occurrences, in the order in which they have to be written.
//!
//! A deleted series takes its occurrences along, a change of one of its occurrences keeps it alive, and an occurrence is
//! never written before its series exists on that side. Work that is not finished stays pending: an observation or a mark
//! goes away only with the write (or the agreement) that settles it, so that nothing depends on a run being completed.

use super::decide::{Decision, Delta, decide};
use super::ids;
use super::merge::{self, Merge, Winner, local_diff, merge};
use super::observe::{Pair, pairs};
use super::row::{Action, Row, Waiting};
use super::scope::left_alone;
use super::{FamilyPlan, Rules};
use crate::binding::{EditOrDelete, Policy, Removal};
use crate::host::{RecordChange, RecordWrite};
use crate::id::{OperationId, RecordId, RemoteKey, Revision};
use crate::model::{Fields, Occurrence, State, Unit, Writable, normalise};
use crate::provider::{Mail, Write, WriteAction};
use crate::store::{
    Entry, EntryState, Expect, Family, Intent, JournalEntry, Link, LinkPut, LocalMark, RemoteItem, Seen,
};
use serde_json::json;
use std::collections::BTreeSet;

/// Plans a family.
pub fn plan_family(family: &Family, rules: &Rules<'_>) -> FamilyPlan {
    let mut planner = Planner { family, rules, plan: FamilyPlan::default(), operations: BTreeSet::new() };
    if family.outbox.iter().any(|entry| entry.state == EntryState::Sent) {
        planner.plan.frozen = true;
        return planner.plan;
    }
    let pairs = pairs(family, rules.binding, rules.provider);
    let all = || pairs.root.iter().chain(&pairs.occurrences);
    if all().any(|pair| pair.remote.delta == Delta::Unknown) {
        for pair in all() {
            if let Some(why) = &pair.remote.unreadable {
                planner.wait(
                    pair,
                    Waiting::Quarantined,
                    format!("the calendar's version cannot be read: {why}"),
                );
            }
        }
        return planner.plan;
    }
    match &pairs.root {
        Some(root) => planner.series(root, &pairs.occurrences),
        None => planner.rootless(&pairs.occurrences),
    }
    planner.drop_replaced_intents();
    planner.write_down();
    planner.expect_what_was_read();
    planner.plan
}

/// What has become of the series for its occurrences.
enum Home<'a> {
    /// Linked on both sides; occurrences are written there.
    Linked(&'a Link),
    /// Made in the CRM by this plan.
    NewLocal(Link),
    /// Made in the calendar by this plan: occurrences follow once it is there.
    NewRemote,
    /// Made in a CRM with tables of its own: occurrences follow once it is there.
    NewElsewhere,
    /// Left alone, gone, or waiting: its occurrences as well.
    None,
}

struct Planner<'a> {
    family: &'a Family,
    rules: &'a Rules<'a>,
    plan: FamilyPlan,
    /// Outbox operations that this plan stands by.
    operations: BTreeSet<OperationId>,
}

impl<'a> Planner<'a> {
    fn series(&mut self, root: &'a Pair<'a>, occurrences: &'a [Pair<'a>]) {
        if root.record.is_some_and(|record| !record.sync) {
            return self.skip(root, "flagged \"don't sync\" in the CRM");
        }
        let decision = self.with_occurrences(root, occurrences);
        let home = self.carry_out(root, decision, None);
        match home {
            Home::Linked(link) => {
                for pair in occurrences {
                    self.occurrence(pair, link);
                }
            }
            Home::NewLocal(link) => {
                for pair in occurrences.iter().filter(|pair| pair.item.is_some()) {
                    if pair.link.is_some()
                        && pair.local.delta == Delta::Deleted
                        && pair.remote.fields.is_some()
                    {
                        self.create_local(pair, Some(&link), "its series came back");
                    } else {
                        self.occurrence(pair, &link);
                    }
                }
            }
            Home::NewRemote => {
                for pair in occurrences {
                    self.remember_to_write(pair);
                }
            }
            // Gone on both sides: its occurrences went with it.
            Home::None if decision == Decision::Keep || decision == Decision::AgreeGone => {
                for pair in occurrences {
                    self.quiet(pair);
                }
            }
            Home::NewElsewhere | Home::None => {}
        }
    }

    /// The decision about the root, where a change of an occurrence counts as a change of the series that keeps it alive.
    fn with_occurrences(&self, root: &Pair<'_>, occurrences: &[Pair<'_>]) -> Decision {
        let decision = decide(root.local.delta, root.remote.delta);
        let touched = |delta: Delta| matches!(delta, Delta::New | Delta::Edited | Delta::Deleted);
        match decision {
            Decision::DeleteRemote
                if !root.reassigned && occurrences.iter().any(|pair| touched(pair.remote.delta)) =>
            {
                Decision::RemoteEditMeetsDelete
            }
            Decision::DeleteLocal if occurrences.iter().any(|pair| touched(pair.local.delta)) => {
                Decision::LocalEditMeetsDelete
            }
            decision => decision,
        }
    }

    /// Occurrences whose series is in neither the calendar nor the CRM: single appointments, each for itself.
    fn rootless(&mut self, occurrences: &'a [Pair<'a>]) {
        for pair in occurrences {
            if pair.item.is_none() && pair.link.is_none() {
                self.skip(pair, "its series is not kept in step");
                continue;
            }
            if pair.record.is_some_and(|record| !record.sync) {
                self.skip(pair, "flagged \"don't sync\" in the CRM");
                continue;
            }
            let decision = decide(pair.local.delta, pair.remote.delta);
            // A cancelled occurrence of a series that is not here says nothing.
            let decision = if decision == Decision::CancelLocal { Decision::AgreeGone } else { decision };
            self.carry_out(pair, decision, None);
        }
    }

    fn occurrence(&mut self, pair: &'a Pair<'a>, root: &Link) {
        if pair.record.is_some_and(|record| !record.sync) {
            return self.skip(pair, "flagged \"don't sync\" in the CRM");
        }
        let decision = decide(pair.local.delta, pair.remote.delta);
        // Seen alone at first, as a single appointment; now its series is here as well.
        let joins = pair.link.is_some_and(|link| link.base.is_some() && link.record_root != root.record);
        if joins && decision == Decision::Keep {
            return self.join(pair, root);
        }
        self.carry_out(pair, decision, Some(root));
    }

    fn carry_out(&mut self, pair: &'a Pair<'a>, decision: Decision, root: Option<&Link>) -> Home<'a> {
        let direction = self.rules.binding.direction;
        match decision {
            Decision::Keep | Decision::Wait => self.remember(pair, root),
            Decision::CreateLocal => self.create_local(pair, root, "new in the calendar"),
            Decision::CreateRemote => self.create_remote(pair, root, "new in the CRM"),
            Decision::UpdateLocal | Decision::UpdateRemote | Decision::Merge => self.merge(pair, root),
            Decision::DeleteLocal | Decision::CancelLocal => {
                self.delete_local(pair, root, "deleted in the calendar", None)
            }
            Decision::DeleteRemote | Decision::CancelRemote => {
                let why = if pair.reassigned {
                    "given to another agent in the CRM"
                } else {
                    "deleted or cancelled in the CRM"
                };
                self.delete_remote(pair, root, why, None)
            }
            Decision::AgreeGone => self.agree_gone(pair, root),
            Decision::LocalEditMeetsDelete => match self.edit_wins(pair) {
                None => self.ask(pair, "changed in the CRM, deleted in the calendar", BTreeSet::new()),
                Some(true) if direction.writes_remote() => self.create_remote(
                    pair,
                    root,
                    "changed in the CRM, deleted in the calendar: the change wins",
                ),
                Some(_) => {
                    let lost = pair.local.fields.clone();
                    self.delete_local(
                        pair,
                        root,
                        "changed in the CRM, deleted in the calendar: the deletion wins",
                        lost,
                    )
                }
            },
            Decision::RemoteEditMeetsDelete => match self.edit_wins(pair) {
                _ if pair.reassigned => {
                    let lost = pair.remote.fields.clone();
                    self.delete_remote(pair, root, "given to another agent in the CRM", lost)
                }
                None => self.ask(pair, "deleted in the CRM, changed in the calendar", BTreeSet::new()),
                Some(true) if direction.writes_local() => self.create_local(
                    pair,
                    root,
                    "deleted in the CRM, changed in the calendar: the change wins",
                ),
                Some(_) => {
                    let lost = pair.remote.fields.clone();
                    self.delete_remote(
                        pair,
                        root,
                        "deleted in the CRM, changed in the calendar: the deletion wins",
                        lost,
                    )
                }
            },
        }
    }

    /// Whether a change beats a deletion; `None` when a person has to say.
    fn edit_wins(&self, pair: &Pair<'_>) -> Option<bool> {
        // Never agreed on: the calendar's deletion is of an older record whose id is still reserved.
        if pair.slot.is_none() && pair.link.is_some_and(|link| link.base.is_none()) {
            return Some(true);
        }
        match self.rules.binding.edit_or_delete {
            EditOrDelete::EditWins => Some(true),
            EditOrDelete::DeleteWins => Some(false),
            EditOrDelete::Ask => {
                let local_wins = self.answer(pair)?;
                Some(local_wins == matches!(pair.remote.delta, Delta::Deleted))
            }
        }
    }

    /// A person's answer, if it was given for just these versions.
    fn answer(&self, pair: &Pair<'_>) -> Option<bool> {
        let answer = pair.link?.answer.as_ref()?;
        let current =
            answer.version.as_ref() == pair.version() && answer.revision.as_ref() == pair.revision();
        current.then_some(answer.local_wins)
    }

    // ---- nothing to write ----

    /// The sides agree: keep the books (versions that moved without a difference), and clear what was pending.
    fn remember(&mut self, pair: &'a Pair<'a>, root: Option<&Link>) -> Home<'a> {
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
        let base = match (&link.base, pair.remote.delta, &pair.remote.fields) {
            // Linked just now, without a difference: what the slot inherits is the agreement.
            (None, Delta::Same, Some(fields)) => Some(State::Live(fields.clone())),
            (base, ..) => base.clone(),
        };
        if base.is_some() {
            self.settle_books(pair, link, base);
        }
        match (&link.base, root) {
            (Some(State::Live(_)), _) => Home::Linked(link),
            _ => Home::None,
        }
    }

    /// Stores that both sides are at `base` now.
    fn settle_books(&mut self, pair: &Pair<'_>, link: &Link, base: Option<State>) {
        let mut settled = link.clone();
        settled.base = base;
        settled.normaliser = normalise::VERSION;
        settled.version = pair.version().cloned();
        settled.revision = pair.revision().cloned();
        settled.answer = None;
        if let Some(item) = pair.item {
            settled.remote = item.id.clone();
        }
        if settled != *link {
            self.plan.group.links.push(settled.into());
        }
        self.clear(pair);
    }

    fn clear(&mut self, pair: &Pair<'_>) {
        self.clear_remote(pair);
        self.clear_local(pair);
    }

    fn clear_remote(&mut self, pair: &Pair<'_>) {
        if let Some(item) = pair.item.filter(|item| item.pending) {
            let seen = match &item.seen {
                Seen::Live(_) => Seen::Base,
                seen => seen.clone(),
            };
            self.plan.group.remote.push(RemoteItem { seen, pending: false, ..item.clone() });
        }
    }

    fn clear_local(&mut self, pair: &Pair<'_>) {
        if let Some(record) = pair.record {
            self.plan.group.unmark.push((record.id.clone(), record.version.clone()));
        }
    }

    /// Nothing of an occurrence whose series is gone is pending; its values stay, for the day the series comes back.
    fn quiet(&mut self, pair: &Pair<'_>) {
        if let Some(item) = pair.item.filter(|item| item.pending) {
            self.plan.group.remote.push(RemoteItem { pending: false, ..item.clone() });
        }
        self.clear_local(pair);
    }

    fn agree_gone(&mut self, pair: &'a Pair<'a>, _root: Option<&Link>) -> Home<'a> {
        match pair.link {
            Some(link) => self.settle_books(pair, link, Some(State::Gone)),
            None => {
                // Never linked and gone on both sides, or gone where the other side never had it: forget it.
                if let Some(item) = pair.item {
                    self.plan.group.forget.push(item.key.clone());
                }
                self.clear_local(pair);
            }
        }
        Home::None
    }

    /// A single appointment turns out to be an occurrence of a series that is linked as well.
    fn join(&mut self, pair: &'a Pair<'a>, root: &Link) {
        let (Some(link), Some(slot)) = (pair.link, pair.slot) else { return };
        if !self.rules.binding.direction.writes_local() {
            return;
        }
        let joined = Link { record_root: root.record.clone(), ..link.clone() };
        let operation = self.operation("join", pair, link.record.clone());
        let change = RecordChange::Patch {
            units: BTreeSet::new(),
            fields: Fields::new(),
            occurrence: Some(Occurrence { series: root.record.clone(), slot }),
            agent: None,
            sync: None,
        };
        let base = link.base.clone().unwrap_or(State::Gone);
        self.row(pair, Action::UpdateLocal, "its series is known now", BTreeSet::new(), None);
        self.write_local(
            pair,
            operation,
            link.record.clone(),
            change,
            joined,
            base,
            pair.revision().cloned(),
            true,
        );
    }

    fn skip(&mut self, pair: &Pair<'_>, reason: &str) {
        // A linked record stays pending, so that what happened meanwhile is carried over once it is in scope again.
        if pair.link.is_none() {
            if let Some(item) = pair.item.filter(|item| item.pending) {
                self.plan.group.remote.push(RemoteItem { pending: false, ..item.clone() });
            }
            self.clear_local(pair);
        }
        let mut row = self.blank_row(pair, Action::Skip, reason);
        row.units.clear();
        self.plan.rows.push(row);
    }

    fn wait(&mut self, pair: &Pair<'_>, waiting: Waiting, reason: impl Into<String>) {
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

    fn ask(&mut self, pair: &Pair<'_>, reason: &str, units: BTreeSet<Unit>) -> Home<'a> {
        let mut row = self.blank_row(pair, Action::Wait, &format!("{reason}: somebody has to choose"));
        row.waiting = Some(Waiting::Conflict);
        row.conflict = true;
        row.before = pair.remote.fields.as_ref().map(|fields| fields.only(&units));
        row.after = pair.local.fields.as_ref().map(|fields| fields.only(&units));
        row.units = units;
        self.plan.rows.push(row);
        Home::None
    }

    /// The series is being made anew in the calendar: every occurrence is looked at again once it is there.
    fn remember_to_write(&mut self, pair: &Pair<'_>) {
        let Some(link) = pair.link else { return };
        if pair.record.is_none() {
            self.plan.group.marks.push(LocalMark {
                id: link.record.clone(),
                root: link.record_root.clone(),
                version: link.version.clone().unwrap_or_else(|| "".into()),
                record: None,
            });
        }
        if let Some(item) = pair.item {
            self.plan.group.forget.push(item.key.clone());
        }
    }

    // ---- writes to the CRM ----

    fn create_local(&mut self, pair: &'a Pair<'a>, root: Option<&Link>, reason: &str) -> Home<'a> {
        let Some(item) = pair.item else {
            // Agreed on once, and the calendar's version is the base: read it, so that there is a version to link to.
            if let Some(link) = pair.link {
                self.plan.look_remote.push(link.remote.clone());
            }
            return Home::None;
        };
        if !self.rules.binding.direction.writes_local() {
            self.skip(pair, "this binding does not write to the CRM");
            return Home::None;
        }
        let Some(seen) = pair.remote.fields.clone() else { return Home::None };
        if pair.link.is_none()
            && root.is_none()
            && let Some(why) = left_alone(self.rules.binding, &seen, false)
        {
            self.skip(pair, why);
            return Home::None;
        }
        // Written as the calendar has it; compared as the provider can hold it.
        let fields = match &item.seen {
            Seen::Live(fields) => fields.clone(),
            _ => seen.clone(),
        };
        let slot = pair.slot.zip(root).map(|(slot, root)| Occurrence { series: root.record.clone(), slot });
        let link = pair.link.cloned().unwrap_or_else(|| self.link_of(pair, item, root));
        let change = match pair.record {
            Some(record) if record.fields.is_some() => {
                let mut units: BTreeSet<Unit> = fields.iter().map(|(unit, _)| unit.clone()).collect();
                units.extend(record.fields.iter().flat_map(|f| f.iter().map(|(unit, _)| unit.clone())));
                RecordChange::Patch {
                    units,
                    fields: fields.clone(),
                    occurrence: slot,
                    agent: None,
                    sync: None,
                }
            }
            None if pair.link.is_some_and(|link| link.base.is_some()) => {
                self.plan.look_local.push(link.record.clone());
                return Home::None;
            }
            _ => RecordChange::Create {
                agent: self.rules.binding.agent.clone(),
                occurrence: slot,
                fields: fields.clone(),
            },
        };
        let conflict = pair.local.delta == Delta::Deleted && pair.link.is_some();
        let units = fields.iter().map(|(unit, _)| unit.clone()).collect();
        let row = self.row(pair, Action::CreateLocal, reason, units, Some(&fields));
        row.conflict = conflict;
        let operation = self.operation("create-local", pair, link.record.clone());
        let revision = Some(item.revision.clone());
        let id = link.record.clone();
        self.write_local(pair, operation, id, change, link.clone(), State::Live(seen), revision, true);
        if self.rules.own_table { Home::NewLocal(link) } else { Home::NewElsewhere }
    }

    fn delete_local(
        &mut self,
        pair: &'a Pair<'a>,
        root: Option<&Link>,
        reason: &str,
        lost: Option<Fields>,
    ) -> Home<'a> {
        let is_root = root.is_none();
        if !self.rules.binding.direction.writes_local() {
            self.skip(pair, "this binding does not write to the CRM");
            return Home::None;
        }
        if is_root && self.rules.hold_deletions.0 {
            self.wait(
                pair,
                Waiting::Guarded,
                format!("{reason}; held back: more deletions in the CRM than one run may make"),
            );
            return Home::None;
        }
        let Some(link) = pair.link.cloned().or_else(|| pair.item.map(|item| self.link_of(pair, item, root)))
        else {
            return Home::None;
        };
        let change = match (pair.link, pair.record) {
            // A cancelled occurrence of which the CRM has no record: it needs one, or its series would show it.
            (None, _) => {
                let (Some(slot), Some(root)) = (pair.slot, root) else { return self.agree_gone(pair, None) };
                let mut fields = Fields::new();
                let when = pair.inherited.as_ref().and_then(|fields| fields.get("when").cloned());
                fields.set("when", when.unwrap_or_default());
                fields.set("status", json!("cancelled"));
                RecordChange::Create {
                    agent: self.rules.binding.agent.clone(),
                    occurrence: Some(Occurrence { series: root.record.clone(), slot }),
                    fields,
                }
            }
            _ if is_root && self.rules.binding.removal == Removal::Delete => RecordChange::Delete,
            _ => RecordChange::Cancel,
        };
        let row = self.row(pair, Action::DeleteLocal, reason, BTreeSet::new(), None);
        row.conflict = lost.is_some();
        row.lost = lost;
        let operation = self.operation("delete-local", pair, link.record.clone());
        let id = link.record.clone();
        self.write_local(pair, operation, id, change, link, State::Gone, pair.revision().cloned(), true);
        Home::None
    }

    /// Puts a write to the CRM into the plan: into the same transaction for calsync's own table, as an intent otherwise.
    #[allow(clippy::too_many_arguments)]
    fn write_local(
        &mut self,
        pair: &Pair<'_>,
        operation: OperationId,
        id: RecordId,
        change: RecordChange,
        mut link: Link,
        base: State,
        revision: Option<Revision>,
        agrees: bool,
    ) {
        let expected = match &change {
            RecordChange::Create { .. } => None,
            _ => pair.version().cloned(),
        };
        let write = RecordWrite { operation: operation.clone(), id, expected, change };
        if !self.rules.own_table {
            if pair.link.is_none() {
                self.plan
                    .group
                    .links
                    .push(Link { base: None, version: None, revision: None, ..link.clone() }.into());
            }
            let intent = Intent::Local { write, base, revision, agrees };
            return self.intend(operation, &link, intent);
        }
        link.base = Some(base);
        link.normaliser = normalise::VERSION;
        link.answer = None;
        link.revision = revision;
        link.version = None;
        if let Some(item) = pair.item {
            link.remote = item.id.clone();
        }
        let in_step = link.revision.is_some();
        self.plan.group.records.push(write);
        self.plan.group.links.push(LinkPut { link, version_from_write: agrees });
        if in_step {
            self.clear_remote(pair);
        }
        if agrees {
            self.clear_local(pair);
        }
    }

    // ---- writes to the calendar ----

    fn create_remote(&mut self, pair: &'a Pair<'a>, root: Option<&Link>, reason: &str) -> Home<'a> {
        if !self.rules.binding.direction.writes_remote() {
            self.skip(pair, "this binding does not write to the calendar");
            return Home::None;
        }
        let Some(fields) = pair.local.fields.clone() else { return Home::None };
        if let (Some(slot), Some(root)) = (pair.slot, root) {
            self.write_occurrence(pair, root, slot, fields, reason);
            return Home::None;
        }
        let Some(record) =
            pair.record.map(|record| &record.id).or(pair.link.map(|link| &link.record)).cloned()
        else {
            return Home::None;
        };
        if pair.link.is_none()
            && let Some(why) = left_alone(self.rules.binding, &fields, true)
        {
            self.skip(pair, why);
            return Home::None;
        }
        // A deleted record keeps its id reserved: what comes back is made anew, under another one.
        let taken =
            |link: &Link| pair.item.is_some_and(|item| item.key == link.key && item.seen == Seen::Gone);
        let incarnation = match pair.link {
            Some(link) if link.base.is_some() || taken(link) => link.incarnation + 1,
            Some(link) => link.incarnation,
            None => 0,
        };
        let hash =
            ids::remote_hash(self.rules.installation, &self.rules.binding.tenant, &record, incarnation);
        let remote = self.rules.provider.create_id(&hash);
        let key = RemoteKey::of(&remote, None);
        let link = Link {
            record: record.clone(),
            record_root: record.clone(),
            key: key.clone(),
            remote: remote.clone(),
            remote_root: remote.clone(),
            slot: None,
            base: None,
            normaliser: normalise::VERSION,
            version: None,
            revision: None,
            incarnation,
            answer: None,
        };
        let operation = self.operation_of("create-remote", pair, &link);
        let units: BTreeSet<Unit> = fields.iter().map(|(unit, _)| unit.clone()).collect();
        let conflict = pair.remote.delta == Delta::Deleted;
        let row = self.row(pair, Action::CreateRemote, reason, units, Some(&fields));
        row.conflict = conflict;
        row.key = Some(key);
        row.record = Some(record);
        let write = Write {
            operation: operation.clone(),
            mail: self.rules.binding.mail,
            action: WriteAction::Create { id: remote, fields: fields.clone() },
        };
        let version = pair.version().cloned();
        let intent = Intent::Remote { write, occurrence: None, base: State::Live(fields), version };
        if pair.link != Some(&link) {
            self.plan.group.links.push(link.clone().into());
        }
        if let Some(old) = pair.item.filter(|item| item.key != link.key) {
            self.plan.group.forget.push(old.key.clone());
        }
        if pair.record.is_none() && pair.link.is_some_and(|link| link.base.is_some()) {
            let version = link.version.clone().unwrap_or_else(|| "".into());
            let mark =
                LocalMark { id: link.record.clone(), root: link.record_root.clone(), version, record: None };
            self.plan.group.marks.push(mark);
        }
        self.intend(operation, &link, intent);
        Home::NewRemote
    }

    /// An occurrence that the CRM changed. The calendar has something in the slot already, if only what the series puts
    /// there; it is read first, so that the write can name the version it is made from.
    fn write_occurrence(
        &mut self,
        pair: &'a Pair<'a>,
        root: &Link,
        slot: crate::model::Slot,
        fields: Fields,
        reason: &str,
    ) {
        let id = self.rules.provider.occurrence_id(&root.remote, &slot);
        let Some(item) = pair.item else {
            self.plan.look_remote.push(id);
            return;
        };
        let revive = matches!(item.seen, Seen::Gone);
        let there = pair.remote.fields.clone().or_else(|| pair.inherited.clone()).unwrap_or_default();
        let mut units = if revive {
            fields.iter().map(|(unit, _)| unit.clone()).collect()
        } else {
            local_diff(&fields, &there)
        };
        units.retain(|unit| item.writable.allows(unit));
        let mut after = there.clone();
        after.take_from(&fields, &units);
        let link = self.link_under(pair, item, root);
        if units.is_empty() && !revive {
            // The CRM has a record of its own for an occurrence that is just like the rest.
            return self.settle_books(pair, &link_kept(pair, link), Some(State::Live(there)));
        }
        self.update_remote(
            pair,
            link,
            item,
            units,
            after,
            State::Live(fields),
            revive,
            reason,
            Action::UpdateRemote,
        );
    }

    fn delete_remote(
        &mut self,
        pair: &'a Pair<'a>,
        root: Option<&Link>,
        reason: &str,
        lost: Option<Fields>,
    ) -> Home<'a> {
        let is_root = root.is_none();
        if !self.rules.binding.direction.writes_remote() {
            self.skip(pair, "this binding does not write to the calendar");
            return Home::None;
        }
        let (link, item) = match (pair.link, pair.item, pair.slot, root) {
            (_, None, Some(slot), Some(root)) => {
                let id = self.rules.provider.occurrence_id(&root.remote, &slot);
                self.plan.look_remote.push(id);
                return Home::None;
            }
            (_, Some(item), Some(_), Some(root)) => (self.link_under(pair, item, root), item),
            (Some(link), Some(item), ..) => (link.clone(), item),
            (Some(link), None, ..) if link.base.is_some() => {
                self.plan.look_remote.push(link.remote.clone());
                return Home::None;
            }
            // Never in the calendar: nothing to delete there. A creation that was not sent is dropped.
            (Some(link), None, ..) => {
                self.plan.group.unlink.push(link.record.clone());
                self.clear_local(pair);
                return Home::None;
            }
            (None, ..) => {
                self.clear_local(pair);
                return Home::None;
            }
        };
        if item.writable == Writable::Nothing {
            self.wait(
                pair,
                Waiting::Forbidden,
                format!("{reason}, but the calendar does not let this entry be deleted"),
            );
            return Home::None;
        }
        if is_root && self.rules.hold_deletions.1 {
            let why = format!("{reason}; held back: more deletions in the calendar than one run may make");
            self.wait(pair, Waiting::Guarded, why);
            return Home::None;
        }
        let operation = self.operation_of("delete-remote", pair, &link);
        let row = self.row(pair, Action::DeleteRemote, reason, BTreeSet::new(), None);
        row.conflict = lost.is_some();
        row.lost = lost;
        let write = Write {
            operation: operation.clone(),
            mail: self.rules.binding.mail,
            action: WriteAction::Delete { id: item.id.clone(), revision: Some(item.revision.clone()) },
        };
        let version = pair.version().cloned();
        let intent =
            Intent::Remote { write, occurrence: item.occurrence.clone(), base: State::Gone, version };
        if pair.link.is_none() || pair.link.is_some_and(|old| old.key != link.key) {
            self.plan.group.links.push(link.clone().into());
        }
        self.intend(operation, &link, intent);
        Home::None
    }

    #[allow(clippy::too_many_arguments)]
    fn update_remote(
        &mut self,
        pair: &'a Pair<'a>,
        link: Link,
        item: &RemoteItem,
        units: BTreeSet<Unit>,
        after: Fields,
        base: State,
        revive: bool,
        reason: &str,
        action: Action,
    ) {
        let operation = self.operation_of("update-remote", pair, &link);
        self.row(pair, action, reason, units.clone(), Some(&after));
        let write = Write {
            operation: operation.clone(),
            mail: self.rules.binding.mail,
            action: WriteAction::Update {
                id: item.id.clone(),
                revision: Some(item.revision.clone()),
                units,
                fields: after.clone(),
                revive,
            },
        };
        let agrees = matches!(&base, State::Live(local) if local_diff(local, &after).is_empty());
        let version = pair.version().filter(|_| agrees).cloned();
        let intent =
            Intent::Remote { write, occurrence: item.occurrence.clone(), base: State::Live(after), version };
        if pair.link != Some(&link) {
            self.plan.group.links.push(link.clone().into());
        }
        self.intend(operation, &link, intent);
    }

    // ---- both sides there ----

    fn merge(&mut self, pair: &'a Pair<'a>, root: Option<&Link>) -> Home<'a> {
        let (Some(local), Some(remote)) = (pair.local.fields.clone(), pair.remote.fields.clone()) else {
            return Home::None;
        };
        let Some(item) = pair.item else {
            // The calendar's side is as agreed, and was never observed since: read it, so that there is a version to name.
            if let Some(link) = pair.link {
                self.plan.look_remote.push(link.remote.clone());
            }
            return pair.link.map_or(Home::None, Home::Linked);
        };
        let base = pair.base_fields();
        let times = (pair.record.map(|record| record.modified), item.updated);
        let winner = match (self.rules.binding.policy, self.answer(pair)) {
            (Policy::Ask, Some(true)) => Some(Winner::Local),
            (Policy::Ask, Some(false)) => Some(Winner::Remote),
            (policy, _) => merge::winner(policy, times.0, times.1),
        };
        let merged = merge(&base, &local, &remote, self.rules.binding.direction, &item.writable, winner);
        if merged.asks() {
            self.ask(pair, "both sides changed the same", merged.conflicts);
            return pair.link.filter(|link| link.base.is_some()).map_or(Home::None, Home::Linked);
        }
        self.merged(pair, root, item, &base, &local, &remote, &merged);
        pair.link.filter(|link| link.base.is_some()).map_or(Home::None, Home::Linked)
    }

    #[allow(clippy::too_many_arguments)]
    fn merged(
        &mut self,
        pair: &'a Pair<'a>,
        root: Option<&Link>,
        item: &'a RemoteItem,
        base: &Fields,
        local: &Fields,
        remote: &Fields,
        merged: &Merge,
    ) {
        // Where both agree once the CRM is written: the calendar's values, except where the CRM is still ahead of it.
        let mut agreed = remote.clone();
        let ahead: BTreeSet<Unit> = (merged.to_remote.union(&merged.forbidden).chain(&merged.one_way))
            .filter(|unit| !merged.conflicts.contains(*unit) || merged.one_way.contains(*unit))
            .cloned()
            .collect();
        agreed.take_from(base, &ahead);
        let link = match root {
            Some(root) => self.link_under(pair, item, root),
            None => pair.link.cloned().unwrap_or_else(|| self.link_of(pair, item, root)),
        };
        let mut local_after = local.clone();
        local_after.take_from(remote, &merged.to_local);
        let local_agrees = local_diff(&local_after, &agreed).is_empty();
        let remote_agrees = remote.same_as(&agreed);
        let reason = match (merged.to_local.is_empty(), merged.to_remote.is_empty(), merged.lost.is_some()) {
            (_, _, true) => {
                "both sides changed the same; the policy decided, the other value is in the journal"
            }
            (false, false, _) => "both sides changed different fields",
            (false, true, _) => "changed in the calendar",
            _ => "changed in the CRM",
        };
        if !merged.to_local.is_empty() {
            let mut units = merged.to_local.clone();
            units.insert("extra".into());
            let raw = match &item.seen {
                Seen::Live(fields) => fields.clone(),
                _ => remote.clone(),
            };
            let action = if merged.to_remote.is_empty() { Action::UpdateLocal } else { Action::Merge };
            let row = self.row(pair, action, reason, merged.to_local.clone(), Some(remote));
            row.conflict = merged.lost.is_some();
            row.lost.clone_from(&merged.lost);
            let operation = self.operation("update-local", pair, link.record.clone());
            let change =
                RecordChange::Patch { units, fields: raw, occurrence: None, agent: None, sync: None };
            let revision = remote_agrees.then(|| item.revision.clone());
            let id = link.record.clone();
            self.write_local(pair, operation, id, change, link, State::Live(agreed), revision, local_agrees);
            return;
        }
        if !merged.to_remote.is_empty() {
            let mut after = remote.clone();
            after.take_from(local, &merged.to_remote);
            let mut known = link;
            if merged.lost.is_some() {
                // The conflict is decided here and now; a push that has to be repeated does not decide it again.
                known.base = Some(State::Live(agreed));
                known.version = None;
            }
            let units = merged.to_remote.clone();
            let base = State::Live(local.clone());
            self.update_remote(pair, known, item, units, after, base, false, reason, Action::UpdateRemote);
            if let Some(row) = self.plan.rows.last_mut() {
                row.conflict = merged.lost.is_some();
                row.lost.clone_from(&merged.lost);
            }
            return;
        }
        if !merged.forbidden.is_empty() {
            let why = "changed in the CRM, but only the organiser may change it in the calendar";
            self.wait(pair, Waiting::Forbidden, why);
            if let Some(row) = self.plan.rows.last_mut() {
                row.units.clone_from(&merged.forbidden);
            }
        }
        // Nothing to write: the same edit on both sides, or changes that do not flow.
        let mut settled = link;
        settled.base = Some(State::Live(agreed));
        settled.normaliser = normalise::VERSION;
        settled.version = if local_agrees { pair.version().cloned() } else { None };
        settled.revision = if remote_agrees { Some(item.revision.clone()) } else { None };
        if pair.link != Some(&settled) {
            self.plan.group.links.push(settled.into());
        }
        if remote_agrees {
            self.clear_remote(pair);
        }
        if local_agrees {
            self.clear_local(pair);
        }
    }

    // ---- links, operations, rows ----

    /// The link of a remote record that is seen for the first time.
    fn link_of(&self, pair: &Pair<'_>, item: &RemoteItem, root: Option<&Link>) -> Link {
        let record = match pair.record {
            Some(record) => record.id.clone(),
            None => ids::record_id(self.rules.installation, self.rules.binding, &item.key),
        };
        Link {
            record_root: root.map_or_else(|| record.clone(), |root| root.record.clone()),
            record,
            key: item.key.clone(),
            remote: item.id.clone(),
            remote_root: item.root.clone(),
            slot: pair.slot,
            base: None,
            normaliser: normalise::VERSION,
            version: None,
            revision: None,
            incarnation: 0,
            answer: None,
        }
    }

    /// The link of an occurrence under the series as it is now.
    fn link_under(&self, pair: &Pair<'_>, item: &RemoteItem, root: &Link) -> Link {
        match pair.link {
            Some(link) if link.key == item.key => link.clone(),
            Some(link) => Link { record: link.record.clone(), ..self.link_of(pair, item, Some(root)) },
            None => self.link_of(pair, item, Some(root)),
        }
    }

    fn operation(&self, what: &str, pair: &Pair<'_>, record: RecordId) -> OperationId {
        let versions = (pair.version().map(|v| v.as_str()), pair.revision().map(|r| r.as_str()));
        ids::operation(self.rules.installation, self.rules.binding, what, &record, versions, pair.link)
    }

    fn operation_of(&self, what: &str, pair: &Pair<'_>, link: &Link) -> OperationId {
        let versions = (pair.version().map(|v| v.as_str()), pair.revision().map(|r| r.as_str()));
        ids::operation(self.rules.installation, self.rules.binding, what, &link.record, versions, Some(link))
    }

    /// Puts an intent into the outbox, unless the same one is there already.
    fn intend(&mut self, operation: OperationId, link: &Link, intent: Intent) {
        self.operations.insert(operation.clone());
        if let Some(entry) = self.family.outbox.iter().find(|entry| entry.operation == operation) {
            if let EntryState::Parked { reason, .. } = &entry.state
                && let Some(row) = self.plan.rows.last_mut()
            {
                row.action = Action::Wait;
                row.waiting = Some(Waiting::Refused);
                row.reason = format!("refused before: {reason}");
            }
            if let Some(row) = self.plan.rows.last_mut() {
                row.again = true;
            }
            return;
        }
        self.plan.group.outbox.push(Entry {
            sequence: 0,
            operation,
            record: link.record.clone(),
            root: link.record_root.clone(),
            state: EntryState::Planned,
            due: self.rules.now,
            attempts: 0,
            intent,
        });
    }

    fn drop_replaced_intents(&mut self) {
        for entry in &self.family.outbox {
            let stands = self.operations.contains(&entry.operation);
            if !stands && entry.state != EntryState::Sent && self.plan.look_remote.is_empty() {
                self.plan.group.outbox_drop.push(entry.operation.clone());
            }
        }
    }

    /// Flags and values are read in the transaction that plans the write: every record that was read must still be there as it was.
    fn expect_what_was_read(&mut self) {
        if !self.rules.own_table || !self.plan.writes() {
            return;
        }
        for record in self.family.local.iter().filter_map(|mark| mark.record.as_ref()) {
            let version = record.fields.is_some().then(|| record.version.clone());
            self.plan.group.expects.push(Expect { record: record.id.clone(), version });
        }
    }

    /// The journal goes with the group, so that there is an entry exactly when a write was planned, and once.
    fn write_down(&mut self) {
        for row in self.plan.rows.iter().filter(|row| row.writes() && !row.again) {
            let Some(record) = row.record.clone().or_else(|| {
                row.key.as_ref().map(|key| ids::record_id(self.rules.installation, self.rules.binding, key))
            }) else {
                continue;
            };
            self.plan.group.journal.push(JournalEntry {
                at: self.rules.now,
                run: self.rules.run.clone(),
                record,
                key: row.key.clone(),
                side: row.action.side(),
                action: row.action.as_str().to_owned(),
                reason: row.reason.clone(),
                before: row.before.clone(),
                after: row.after.clone(),
                lost: row.lost.clone(),
            });
        }
    }

    fn blank_row(&self, pair: &Pair<'_>, action: Action, reason: &str) -> Row {
        let fields = pair.local.fields.as_ref().or(pair.remote.fields.as_ref());
        let base = pair.link.and_then(|link| link.base.as_ref()).and_then(State::fields);
        let shown = fields.or(base).or(pair.inherited.as_ref());
        let private = shown
            .and_then(|fields| fields.get("visibility"))
            .and_then(|v| v.as_str())
            .is_some_and(|v| v == "private" || v == "confidential");
        let summary = shown.and_then(|fields| fields.get("summary")).and_then(|s| s.as_str());
        Row {
            action,
            slot: pair.slot,
            again: false,
            record: pair.link.map(|link| &link.record).or(pair.record.map(|record| &record.id)).cloned(),
            key: pair.item.map(|item| &item.key).or(pair.link.map(|link| &link.key)).cloned(),
            summary: if private { None } else { Some(summary.unwrap_or("(no title)").to_owned()) },
            reason: reason.to_owned(),
            units: BTreeSet::new(),
            before: None,
            after: None,
            lost: None,
            waiting: None,
            conflict: false,
            guests_told: 0,
            guests_untold: 0,
            versions: (pair.version().map(|v| v.to_string()), pair.revision().map(|r| r.to_string())),
        }
    }

    /// Adds a row for something that is written, and its journal entry.
    fn row(
        &mut self,
        pair: &Pair<'_>,
        action: Action,
        reason: &str,
        units: BTreeSet<Unit>,
        after: Option<&Fields>,
    ) -> &mut Row {
        let mut row = self.blank_row(pair, action, reason);
        let target = match action {
            Action::CreateLocal | Action::UpdateLocal | Action::DeleteLocal | Action::Merge => &pair.local,
            _ => &pair.remote,
        };
        row.before = target
            .fields
            .as_ref()
            .map(|fields| if units.is_empty() { fields.clone() } else { fields.only(&units) });
        row.after = after.map(|fields| fields.only(&units));
        if matches!(action, Action::CreateRemote | Action::UpdateRemote | Action::DeleteRemote) {
            let fields = after.or(pair.remote.fields.as_ref());
            let guests = fields
                .map_or(0, |f| f.iter().filter(|(unit, _)| unit.as_str().starts_with("attendee/")).count());
            let guests = u32::try_from(guests).unwrap_or(u32::MAX);
            match self.rules.binding.mail {
                Mail::Nobody => row.guests_untold = guests,
                Mail::Guests | Mail::ExternalGuests => row.guests_told = guests,
            }
        }
        row.units = units;
        self.plan.rows.push(row);
        let at = self.plan.rows.len() - 1;
        &mut self.plan.rows[at]
    }
}

/// The link as it is stored already, where there is one: books are kept only where something changes.
fn link_kept(pair: &Pair<'_>, link: Link) -> Link {
    match pair.link {
        Some(old) if old.key == link.key => old.clone(),
        _ => link,
    }
}
