//! Plans one family: the root first, then its occurrences, in the order in which they have to be written.
//!
//! A deleted series takes its occurrences along, a change of one of its occurrences keeps it alive, and an occurrence is
//! never written before its series exists on that side. Work that is not finished stays pending: an observation or a mark
//! goes away only with the write (or the agreement) that settles it, so that nothing depends on a run being completed.

mod books;
mod both;
mod guests;
mod join;
mod local;
mod remote;
mod rows;

pub use join::is_deselected;
pub(crate) use join::roots;

use super::decide::{Decision, Delta, decide};
use super::observe::{Pair, lacked_by_calendar, organizer, pairs};
use super::row::{Row, Waiting};
use super::scope::left_alone;
use super::{FamilyPlan, Rules};
use crate::binding::EditOrDelete;
use crate::guard::Tally;
use crate::id::{OperationId, RecordId};
use crate::model::appointment::read_when;
use crate::model::{Fields, State, Writable};
use crate::planted::{self, Fault};
use crate::store::{EntryState, Family, Link, RemoteItem, Seen};
use std::collections::BTreeSet;

/// Plans a family. What a reviewer deselected waits as long as there is something to write. Once that has come to nothing it is settled
/// as ever, and not deselected any more: there is no row that anybody could select.
pub fn plan_family(family: &Family, rules: &Rules<'_>) -> FamilyPlan {
    let mut plan = plan_selected(family, rules, true);
    if plan.frozen || plan.looks() || !is_deselected(family, rules.deselected) {
        return plan;
    }
    if plan.rows.iter().any(Row::writes) {
        return plan_selected(family, rules, false);
    }
    if plan.rows.is_empty() {
        plan.group.select = roots(family).filter(|root| rules.deselected.contains(root)).collect();
    }
    plan
}

fn plan_selected(family: &Family, rules: &Rules<'_>, selected: bool) -> FamilyPlan {
    let mut planner =
        Planner { family, rules, plan: FamilyPlan::default(), operations: BTreeSet::new(), new_rule: false };
    let pairs = pairs(family, rules);
    let all = || pairs.root.iter().chain(&pairs.occurrences);
    let unsettled: Vec<&RecordId> = family
        .outbox
        .iter()
        .filter(|entry| entry.state == EntryState::Sent)
        .map(|entry| &entry.record)
        .collect();
    if !unsettled.is_empty() {
        planner.plan.frozen = true;
        for pair in all().filter(|pair| pair.link.is_some_and(|link| unsettled.contains(&&link.record))) {
            planner.wait(
                pair,
                Waiting::Unsettled,
                "an earlier run may have written it and did not hear the answer: the next run finds out first",
            );
        }
        return planner.plan;
    }
    if all().any(|pair| pair.remote.delta == Delta::Unknown) {
        planner.wait_for_the_unreadable(&all().collect::<Vec<_>>());
        return planner.plan;
    }
    // More passes than before: nothing is decided before it is seen what each side has of it.
    for pair in all().filter(|pair| pair.widens()) {
        let Some(link) = pair.link else { continue };
        if pair.record.is_none() {
            planner.plan.look_local.push(link.record.clone());
        }
        if pair.item.is_none_or(|item| item.seen == Seen::Base) {
            planner.look_at(link);
        }
    }
    if planner.plan.looks() {
        return planner.plan;
    }
    match &pairs.root {
        _ if !selected => planner.leave_deselected(all()),
        Some(root) => planner.series(root, &pairs.occurrences),
        None => planner.rootless(&pairs.occurrences),
    }
    planner.forget_tombstones_cut_off(&pairs.occurrences);
    planner.join_up(pairs.root.as_ref());
    planner.drop_replaced_intents();
    planner.write_down();
    planner.expect_what_was_read();
    planner.plan.tally = Tally::of(&planner.plan.rows, pairs.root.is_none());
    planner.plan
}

/// What has become of the series for its occurrences.
enum Home<'a> {
    /// Linked on both sides; occurrences are written there.
    Linked(&'a Link),
    /// Made in the CRM by this plan.
    NewLocal(Box<Link>),
    /// Made in the calendar by this plan: occurrences follow once it is there.
    NewRemote,
    /// Made in a CRM with tables of its own: occurrences follow once it is there.
    NewElsewhere(Box<Link>),
    /// Left alone, gone, or waiting: its occurrences as well.
    None,
}

struct Planner<'a> {
    family: &'a Family,
    rules: &'a Rules<'a>,
    plan: FamilyPlan,
    /// Outbox operations that this plan stands by.
    operations: BTreeSet<OperationId>,
    /// The calendar's series is about to get another rule.
    new_rule: bool,
}

impl<'a> Planner<'a> {
    fn series(&mut self, root: &'a Pair<'a>, occurrences: &'a [Pair<'a>]) {
        if root.record.is_some_and(|record| !record.sync) && !planted::on(Fault::FlagIgnored) {
            return self.skip(root, "flagged \"don't sync\" in the CRM");
        }
        if let Some(candidates) = self.unclear(root) {
            self.wait(
                root,
                Waiting::Ambiguous,
                "may be on both sides already: somebody has to say what it is the same as",
            );
            if let Some(row) = self.plan.rows.last_mut() {
                row.candidates = candidates;
            }
            return;
        }
        if self.joins(root).is_some() && self.needs_occurrences(root) {
            return;
        }
        if let Some(why) = self.stands_elsewhere(root) {
            for pair in occurrences {
                self.quiet(pair);
            }
            let there = root.link.is_some_and(|link| matches!(link.base, Some(State::Live(_))));
            return self.leave_to_organiser(root, None, there, why);
        }
        let decision = self.with_occurrences(root, occurrences);
        let home = self.carry_out(root, decision, None);
        if root.link.is_some_and(|link| self.plan.group.unlink.contains(&link.record)) {
            // It was to be made anew in the calendar and never was: what waits to follow it follows nothing.
            for pair in occurrences {
                self.forget_occurrence(pair);
            }
            return;
        }
        match home {
            Home::Linked(link) => {
                self.look_for_slots_cut_off(root, occurrences);
                // A slot that the calendar's series lacks may be there once it has its new rule, and the series is planned again.
                let ready: Vec<_> =
                    occurrences.iter().filter(|pair| !(self.new_rule && pair.lacked_there)).collect();
                for pair in ready {
                    self.occurrence(pair, link);
                }
            }
            Home::NewLocal(link) => {
                self.look_for_slots_cut_off(root, occurrences);
                // A series that comes back: what became of its occurrences' records in the meantime has to be known.
                let unknown =
                    |pair: &&Pair<'_>| root.link.is_some() && pair.link.is_some() && pair.record.is_none();
                let unknown = occurrences.iter().filter(unknown).filter_map(|pair| pair.link);
                self.plan.look_local.extend(unknown.map(|link| link.record.clone()));
                if !self.plan.looks() {
                    for pair in occurrences {
                        self.comes_along(pair, &link);
                    }
                }
            }
            Home::NewRemote => {
                for pair in occurrences {
                    self.remember_to_write(pair);
                }
            }
            // Gone on both sides: its occurrences went with it.
            Home::None
                if matches!(decision, Decision::Keep | Decision::AgreeGone | Decision::CancelLocal) =>
            {
                for pair in occurrences {
                    self.quiet(pair);
                }
            }
            Home::NewElsewhere(link) => {
                self.look_for_slots_cut_off(root, occurrences);
                for pair in occurrences {
                    self.follows_elsewhere(pair, &link);
                }
            }
            // It was made anew under another id and has just been found there: what was agreed on of its occurrences is not
            // there yet, and follows once the two are linked.
            Home::None => {
                for pair in occurrences.iter().filter(|pair| pair.moved_house) {
                    self.mark_again(pair);
                }
            }
        }
    }

    /// A family waits for what cannot be read of it. An occurrence may be gone by now without a word, with a series that was
    /// split: if anything waits behind it, it is read once more.
    fn wait_for_the_unreadable(&mut self, pairs: &[&Pair<'_>]) {
        let unreadable = pairs.iter().filter(|pair| pair.remote.delta == Delta::Unknown);
        let waits = |delta: Delta| !matches!(delta, Delta::Absent | Delta::Same | Delta::Unknown);
        if pairs.iter().any(|pair| waits(pair.local.delta) || waits(pair.remote.delta)) {
            let occurrences =
                unreadable.clone().filter_map(|pair| pair.item).filter(|item| item.occurrence.is_some());
            let unasked = occurrences.filter(|item| !self.rules.fresh.contains(&item.id));
            self.plan.look_remote.extend(unasked.map(|item| (item.id.clone(), item.occurrence.clone())));
        }
        if self.plan.looks() {
            return;
        }
        for pair in unreadable {
            let why = pair.remote.unreadable.as_deref().unwrap_or_default();
            self.wait(pair, Waiting::Quarantined, format!("the calendar's version cannot be read: {why}"));
        }
    }

    /// A series that was cut short in the calendar takes the occurrences after its end along without a word: when it is split
    /// there, Google moves them to the new series and leaves no tombstones. They are read once more, by id.
    fn look_for_slots_cut_off(&mut self, root: &Pair<'_>, occurrences: &[Pair<'_>]) {
        let rule = |fields: &Fields| read_when(fields.get("when")?).ok().map(|(_, recurrence)| recurrence);
        let Some(recurrence) = root.remote.fields.as_ref().and_then(rule) else { return };
        if root.remote.delta != Delta::Edited || rule(&root.base_fields()).as_ref() == Some(&recurrence) {
            return;
        }
        if planted::on(Fault::CutOffUnasked) {
            return;
        }
        let cut_off = |pair: &&Pair<'_>| {
            !pair.lacked_there && pair.slot.is_some_and(|slot| lacked_by_calendar(root, slot))
        };
        for pair in occurrences.iter().filter(cut_off) {
            // Also what was seen to be changed there: it may have been, before the series was cut short.
            let (id, occurrence) = match (pair.link.filter(|link| link.base.is_some()), pair.item) {
                (Some(link), _) => (&link.remote, link.occurrence()),
                (None, Some(item)) if item.pending => (&item.id, item.occurrence.clone()),
                _ => continue,
            };
            if !self.rules.fresh.contains(id) {
                self.plan.look_remote.push((id.clone(), occurrence));
            }
        }
    }

    /// A cancelled occurrence that the calendar's series does not reach any more, because it was cut short, is not cancelled there but
    /// nothing: Google drops it with its slot, and once the series reaches that far again, the slot shows what the series puts there.
    fn forget_tombstones_cut_off(&mut self, occurrences: &[Pair<'_>]) {
        for pair in occurrences.iter().filter(|pair| pair.lacked_there) {
            let Some(item) = pair.item.filter(|item| item.seen == Seen::Gone && !item.no_such_slot()) else {
                continue;
            };
            let planned = self.plan.group.remote.iter_mut().find(|planned| planned.key == item.key);
            match planned {
                Some(planned) if planned.seen == Seen::Gone => planned.writable = Writable::Nothing,
                Some(_) => {}
                None => {
                    self.plan.group.remote.push(RemoteItem { writable: Writable::Nothing, ..item.clone() })
                }
            }
        }
    }

    /// A meeting whose guests include this calendar: the calendar service puts the guest's copy there by itself, and a second
    /// copy that calsync made before is one too many. The organiser's own event is what is kept in step, if another binding of
    /// the same agent has it (G04, C3).
    fn stands_elsewhere(&self, pair: &Pair<'_>) -> Option<&'static str> {
        if pair.link.is_none()
            && let (Some(item), Some(fields)) = (pair.item, &pair.remote.fields)
            && matches!(item.writable, Writable::OwnCopy { .. })
            && organizer(fields).is_some_and(|organizer| self.rules.own_calendars.contains(&organizer))
        {
            return Some("a guest's copy; another binding of this agent has the organiser's event");
        }
        if planted::on(Fault::LeavingScopeDeletes)
            && let Some(fields) = &pair.remote.fields
        {
            return left_alone(self.rules.binding, self.rules.now, fields, false);
        }
        let here = format!("attendee/{}", self.rules.binding.target.calendar.as_str().to_lowercase());
        let invited =
            pair.record.and_then(|record| record.fields.as_ref()).is_some_and(|f| f.get(&here).is_some());
        (pair.view.mirror && invited)
            .then_some("the calendar is a guest of this meeting and gets its copy from the organiser's")
    }

    /// Takes away what calsync made before, if it is there.
    fn leave_to_organiser(&mut self, pair: &'a Pair<'a>, root: Option<&Link>, there: bool, why: &str) {
        if there {
            _ = self.delete_remote(pair, root, why, None);
        } else {
            self.skip(pair, why);
            self.clear_local(pair);
        }
    }

    /// The decision about the root, where a change of an occurrence counts as a change of the series that keeps it alive.
    fn with_occurrences(&self, root: &Pair<'_>, occurrences: &[Pair<'_>]) -> Decision {
        let decision = decide(root.local.delta, root.remote.delta);
        let touched = |delta: Delta| matches!(delta, Delta::New | Delta::Edited | Delta::Deleted);
        match decision {
            decision if planted::on(Fault::EditedOccurrenceGoesAlong) => decision,
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

    /// An occurrence of a series that is being made, or made again, in the CRM.
    fn comes_along(&mut self, pair: &'a Pair<'a>, root: &Link) {
        let lost = pair.record.is_some_and(|record| record.fields.is_none());
        // What the series puts into the slot by itself needs no record of its own.
        let agreed = matches!(pair.base(), Some(State::Live(_)));
        let there = pair.remote.fields.as_ref().filter(|_| agreed || pair.remote.delta != Delta::Same);
        let cut_off = pair.lacked_there;
        match (lost, there) {
            (true, None) if cut_off => self.forget_occurrence(pair),
            (true, Some(_)) => _ = self.create_local(pair, Some(root), "its series came back"),
            (true, None) if pair.agreed_gone() && pair.moved_house => self.keep_cancelled(pair, root),
            (true, None) if pair.agreed_gone() || pair.remote.delta == Delta::Deleted => {
                _ = self.delete_local(pair, Some(root), "cancelled in the calendar", None);
            }
            // Changed in the CRM, never in the calendar, and deleted with its series: it is as its series puts it again.
            (true, None) => self.forget_occurrence(pair),
            (false, _) if pair.item.is_some() || pair.link.is_some() => self.occurrence(pair, root),
            _ => {}
        }
    }

    /// An occurrence of a series that is being made again in a CRM with tables of its own. One that the CRM lost with the series
    /// is new to it once the series is there, as the calendar has it.
    fn follows_elsewhere(&mut self, pair: &Pair<'_>, root: &Link) {
        match pair.record {
            Some(record) if record.fields.is_none() => {}
            // The calendar's series was made anew as well, without what was agreed on.
            None if pair.moved_house => return self.mark_again(pair),
            _ => return,
        }
        // Nothing of it is in the calendar's series either.
        if pair.moved_house || pair.lacked_there {
            return self.forget_occurrence(pair);
        }
        let (link, item) = match (pair.link, pair.item) {
            (Some(link), Some(item)) => (link.clone(), item),
            (None, Some(item)) => (self.link_of(pair, item, Some(root)), item),
            (Some(link), None) => return self.look_at(link),
            (None, None) => return self.clear_local(pair),
        };
        let seen = match (&item.seen, pair.base()) {
            (Seen::Base, Some(State::Live(fields))) => Seen::Live(fields.clone()),
            (seen, _) => seen.clone(),
        };
        self.plan.group.remote.push(RemoteItem { seen, pending: true, ..item.clone() });
        // The version tells this creation from an earlier one of the same record.
        let version = pair.version().cloned();
        self.plan.group.links.push(Link { base: None, version, revision: None, ..link }.into());
        self.clear_local(pair);
    }

    /// An occurrence that is as its series puts it on both sides, if it is there at all.
    fn forget_occurrence(&mut self, pair: &Pair<'_>) {
        self.plan.group.unlink.extend(pair.link.map(|link| link.record.clone()));
        // A CRM with tables of its own does not say again what it said of an occurrence when its series is back.
        if self.rules.own_table || pair.record.is_none_or(|record| record.fields.is_none()) {
            self.clear_local(pair);
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
            if let (None, Some(item)) = (pair.link, pair.item)
                && pair.remote.delta == Delta::New
                && !self.rules.fresh.contains(&item.root)
            {
                // A guest of one occurrence only, or what is left of a deleted series? The series tells.
                self.plan.look_remote.push((item.root.clone(), None));
                continue;
            }
            if let Some(why) = self.stands_elsewhere(pair) {
                self.leave_to_organiser(pair, None, false, why);
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
        if pair.record.is_some_and(|record| record.fields.is_none()) {
            let base = pair.link.and_then(|link| link.base.clone());
            match (self.rules.own_table, base, pair.remote.delta) {
                (true, ..) => return self.keep_cancelled(pair, root),
                (false, Some(base), _) => return self.keep_cancelled_elsewhere(pair, root, base),
                // Made and removed before it was ever dealt with.
                (false, None, Delta::Absent | Delta::Same) => return self.clear_local(pair),
                // Without a record of its own the CRM shows what its series puts there.
                (false, None, Delta::Deleted) => {
                    _ = self.delete_local(pair, Some(root), "cancelled in the calendar", None);
                    return;
                }
                (false, None, delta) => {
                    _ = self.carry_out(pair, decide(Delta::Absent, delta), Some(root));
                    return;
                }
            }
        }
        if let Some(why) = self.stands_elsewhere(pair) {
            return self.leave_to_organiser(pair, Some(root), !pair.agreed_gone(), why);
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
            Decision::Keep if !self.guests_due(pair).is_empty() => self.take_guests_out(pair),
            Decision::Keep | Decision::Wait => self.remember(pair, root),
            // The calendar's series has no such slot any more, so that there is nowhere to write to.
            Decision::CreateRemote | Decision::LocalEditMeetsDelete if pair.lacked_there => {
                let lost = pair.local.fields.clone();
                self.delete_local(pair, root, "the calendar's series has no such occurrence any more", lost)
            }
            // Taken out of the calendar's bin again. The record is another agent's by now, whose values it must not get.
            Decision::CreateLocal if pair.reassigned => {
                let lost = pair.remote.fields.clone();
                self.delete_remote(pair, root, "given to another agent in the CRM", lost)
            }
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
                _ if pair.lacked_here => {
                    let lost = pair.remote.fields.clone();
                    self.delete_remote(pair, root, "the CRM's series has no such occurrence any more", lost)
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
}
