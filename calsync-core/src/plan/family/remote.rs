//! Writes to the calendar, as intents for the outbox.
//!
//! Every change and deletion names the version it is made from: where none is known, the plan asks for the record to be read
//! first. The same decision about the same versions is the same operation and is not planned twice.

use super::local::titled;
use super::{Home, Planner};
use crate::id::{OperationId, RemoteKey};
use crate::model::{Fields, RemoteOccurrence, Slot, State, Unit, Writable, normalise};
use crate::plan::decide::Delta;
use crate::plan::ids;
use crate::plan::merge::local_diff;
use crate::plan::observe::Pair;
use crate::plan::row::{Action, Waiting};
use crate::plan::scope::left_alone;
use crate::planted::{self, Fault};
use crate::provider::{Write, WriteAction};
use crate::store::{Entry, EntryState, Intent, Link, RemoteItem, Seen};
use std::collections::BTreeSet;

/// The units that a record which comes back says anew.
const STANDING: [&str; 8] =
    ["summary", "description", "location", "when", "transparency", "visibility", "reminders", "source"];

impl<'a> Planner<'a> {
    pub(super) fn create_remote(
        &mut self,
        pair: &'a Pair<'a>,
        root: Option<&Link>,
        reason: &str,
    ) -> Home<'a> {
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
        let seen = pair.record.and_then(|record| record.fields.as_ref());
        if pair.link.is_none()
            && let Some(why) = left_alone(self.rules.binding, self.rules.now, seen.unwrap_or(&fields), true)
        {
            self.skip(pair, why);
            return Home::None;
        }
        // Its changed occurrences follow it: what was passed over while it was not here is pending again.
        let recurring = fields.get("when").is_some_and(|when| !when["recurrence"].is_null());
        if recurring && self.rules.own_table && !self.rules.occurrences_read {
            self.plan.look_occurrences = Some(record);
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
        let (installation, binding) = (self.rules.installation, self.rules.binding);
        let remote = ids::created(self.rules.provider, installation, binding, &record, incarnation);
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
            mirror: pair.view.mirror,
            detail: pair.view.detail,
            adopted: false,
            guests_out: pair.view.guests_out,
            answer: None,
        };
        // Named by the CRM's version and the incarnation alone: what was there before is forgotten with this plan.
        let versions = (pair.version().map(|version| version.as_str()), None);
        let what = self.in_detail("create-remote", pair);
        let operation =
            ids::operation(self.rules.installation, binding, &what, &record, versions, Some(&link));
        let units: BTreeSet<Unit> = fields.iter().map(|(unit, _)| unit.clone()).collect();
        let conflict = pair.remote.delta == Delta::Deleted;
        let row = self.row(pair, Action::CreateRemote, reason, units, Some(&fields));
        row.conflict = conflict;
        row.key = Some(key);
        row.record = Some(record);
        let write = Write {
            operation: operation.clone(),
            mail: self.mail(None, Some(&fields)),
            action: WriteAction::Create { id: remote, fields: titled(fields.clone(), pair.view.detail) },
        };
        let version = pair.version().cloned();
        let intent = Intent::Remote { write, occurrence: None, base: State::Live(fields), version };
        if pair.link != Some(&link) {
            self.plan.group.links.push(link.clone().into());
        }
        if let Some(old) = pair.item.filter(|item| item.key != link.key) {
            self.plan.group.forget.push(old.key.clone());
        }
        if pair.link.is_some_and(|link| link.base.is_some()) {
            self.mark_again(pair);
        }
        self.intend(operation, &link, intent);
        Home::NewRemote
    }

    /// An occurrence that the CRM changed. The calendar has something in the slot already, if only what the series puts
    /// there; it is read first, so that the write can name the version it is made from.
    pub(super) fn write_occurrence(
        &mut self,
        pair: &'a Pair<'a>,
        root: &Link,
        slot: crate::model::Slot,
        fields: Fields,
        reason: &str,
    ) {
        let Some(item) = pair.item else { return self.look_into(root, slot) };
        let revive = matches!(item.seen, Seen::Gone);
        if revive && !self.rules.fresh.contains(&root.remote) {
            // Gone by itself, or with its series? Nothing is brought back in a series that is gone.
            return self.look_into(root, slot);
        }
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
            // Just like the rest today; written all the same, or it would follow the series when that is changed next.
            units.insert("when".into());
        }
        self.update_remote(
            pair,
            link,
            item,
            units,
            after.clone(),
            after,
            &fields,
            revive,
            reason,
            Action::UpdateRemote,
        );
    }

    /// Asks for a linked record to be read.
    pub(super) fn look_at(&mut self, link: &Link) {
        self.plan.look_remote.push((link.remote.clone(), link.occurrence()));
    }

    /// Asks for what the calendar has in a slot of a series, if only what the series puts there.
    pub(super) fn look_into(&mut self, root: &Link, slot: Slot) {
        let id = self.rules.provider.occurrence_id(&root.remote, &slot);
        // The series as well: whether the slot holds a change of its own is told by comparing the two at one moment.
        if !self.plan.look_remote.iter().any(|(id, _)| *id == root.remote) {
            self.plan.look_remote.push((root.remote.clone(), None));
        }
        self.plan.look_remote.push((id, Some(RemoteOccurrence { series: root.remote.clone(), slot })));
    }

    pub(super) fn delete_remote(
        &mut self,
        pair: &'a Pair<'a>,
        root: Option<&Link>,
        reason: &str,
        lost: Option<Fields>,
    ) -> Home<'a> {
        if !self.rules.binding.direction.writes_remote() {
            self.skip(pair, "this binding does not write to the calendar");
            return Home::None;
        }
        let (link, item) = match (pair.link, pair.item, pair.slot, root) {
            (_, None, Some(slot), Some(root)) => {
                self.look_into(root, slot);
                return Home::None;
            }
            (_, Some(item), Some(_), Some(root)) => (self.link_under(pair, item, root), item),
            (Some(link), Some(item), ..) => (link.clone(), item),
            (Some(link), None, ..) if link.base.is_some() => {
                self.look_at(link);
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
        let operation = self.operation_of("delete-remote", pair, &link);
        let row = self.row(pair, Action::DeleteRemote, reason, BTreeSet::new(), None);
        row.conflict = lost.is_some();
        row.lost = lost;
        let write = Write {
            operation: operation.clone(),
            mail: self.mail(Some(&link), pair.remote.fields.as_ref()),
            action: WriteAction::Delete {
                id: item.id.clone(),
                revision: Some(item.revision.clone()).filter(|_| !planted::on(Fault::DeletionWithoutVersion)),
            },
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
    pub(super) fn update_remote(
        &mut self,
        pair: &'a Pair<'a>,
        link: Link,
        item: &RemoteItem,
        units: BTreeSet<Unit>,
        after: Fields,
        agreed: Fields,
        local: &Fields,
        revive: bool,
        reason: &str,
        action: Action,
    ) {
        let link = pair.rebased(link);
        let leaving = self.guests_due(pair);
        let what = if leaving.is_empty() { "update-remote" } else { "guests-out" };
        let operation = self.operation_of(what, pair, &link);
        let mut written = units;
        written.extend(leaving.iter().map(|(unit, _)| unit.clone()));
        let row = self.row(pair, action, reason, written.clone(), Some(&after));
        if !leaving.is_empty() {
            row.before.get_or_insert_default().take_all(&leaving);
        }
        if revive {
            // It says everything anew that passes, whether it has a value or not; what is held back stays as it was there.
            written.extend(after.iter().map(|(unit, _)| unit.clone()));
            written.extend(STANDING.into_iter().filter(|unit| pair.view.keeps(unit)).map(Unit::from));
        }
        let write = Write {
            operation: operation.clone(),
            mail: self.mail(Some(&link), Some(&after)),
            action: WriteAction::Update {
                id: if planted::on(Fault::OccurrenceEditsSeries) { &item.root } else { &item.id }.clone(),
                revision: Some(item.revision.clone()).filter(|_| !planted::on(Fault::ChangeWithoutVersion)),
                units: written,
                fields: after.clone(),
                revive,
            },
        };
        let agrees = local_diff(local, &agreed).is_empty();
        let version = pair.version().filter(|_| agrees).cloned();
        let intent =
            Intent::Remote { write, occurrence: item.occurrence.clone(), base: State::Live(agreed), version };
        if pair.link != Some(&link) {
            self.plan.group.links.push(link.clone().into());
        }
        self.intend(operation, &link, intent);
    }

    /// Puts an intent into the outbox, unless the same one is there already.
    pub(super) fn intend(&mut self, operation: OperationId, link: &Link, intent: Intent) {
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

    pub(super) fn drop_replaced_intents(&mut self) {
        for entry in &self.family.outbox {
            let stands = self.operations.contains(&entry.operation);
            if !stands && entry.state != EntryState::Sent && !self.plan.looks() {
                self.plan.group.outbox_drop.push(entry.operation.clone());
            }
        }
    }
}
