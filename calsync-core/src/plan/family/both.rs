//! Both sides are there: merged unit by unit.

use super::{Home, Planner};
use crate::binding::Policy;
use crate::host::RecordChange;
use crate::model::{Fields, State, Unit, normalise};
use crate::plan::merge::{self, Merge, Winner, local_diff, merge};
use crate::plan::observe::Pair;
use crate::plan::row::{Action, Waiting};
use crate::store::{Link, RemoteItem, Seen};
use std::collections::BTreeSet;

impl<'a> Planner<'a> {
    pub(super) fn merge(&mut self, pair: &'a Pair<'a>, root: Option<&Link>) -> Home<'a> {
        let (Some(local), Some(remote)) = (pair.local.fields.clone(), pair.remote.fields.clone()) else {
            return Home::None;
        };
        let Some(item) = pair.item else {
            // The calendar's side is as agreed, and was never observed since: read it, so that there is a version to name.
            if let Some(link) = pair.link {
                self.look_at(link);
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
        self.new_rule |= pair.slot.is_none() && merged.to_remote.contains("when");
        self.merged(pair, root, item, &base, &local, &remote, &merged);
        pair.link.filter(|link| link.base.is_some()).map_or(Home::None, Home::Linked)
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn merged(
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
        let link = pair.rebased(link);
        let mut local_after = local.clone();
        local_after.take_from(remote, &merged.to_local);
        let local_agrees = local_diff(&local_after, &agreed).is_empty();
        // What is not private any more once this is carried over is not settled before the rest of it has passed.
        let opens = self.rules.binding.detail_of(&agreed) > pair.view.detail;
        let guests_due = !self.guests_due(pair).is_empty();
        let remote_agrees = remote.same_as(&agreed) && !opens && !guests_due;
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
            units.extend(Some(Unit::from("extra")).filter(|unit| pair.view.keeps(unit.as_str())));
            let raw = match &item.seen {
                Seen::Live(fields) | Seen::Looked(fields) => fields.clone(),
                _ => remote.clone(),
            };
            let raw = pair.view.of(raw);
            let action = if merged.to_remote.is_empty() { Action::UpdateLocal } else { Action::Merge };
            let row = self.row(pair, action, reason, merged.to_local.clone(), Some(remote));
            row.conflict = merged.lost.is_some();
            row.lost.clone_from(&merged.lost);
            let operation = self.operation("update-local", pair, link.record.clone());
            let change =
                RecordChange::Patch { units, fields: raw, occurrence: None, agent: None, sync: None };
            let revision = remote_agrees.then(|| item.revision.clone());
            let id = link.record.clone();
            if !merged.to_remote.is_empty() {
                let mut both = agreed.clone();
                both.take_from(local, &merged.to_remote);
                self.plan.in_the_end.insert(id.clone(), State::Live(both));
            }
            let base = State::Live(self.with_guests_due(pair, agreed));
            self.write_local(pair, operation, id, change, link, base, revision, local_agrees);
            return;
        }
        if !merged.to_remote.is_empty() {
            let mut after = remote.clone();
            after.take_from(local, &merged.to_remote);
            let mut known = link;
            if merged.lost.is_some() {
                // The conflict is decided here and now; a push that has to be repeated does not decide it again.
                known.base = Some(State::Live(self.with_guests_due(pair, agreed.clone())));
                known.version = None;
            }
            let units = merged.to_remote.clone();
            let mut agreed = agreed;
            agreed.take_from(local, &units);
            self.update_remote(
                pair,
                known,
                item,
                units,
                after,
                agreed,
                local,
                false,
                reason,
                Action::UpdateRemote,
            );
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
        settled.base = Some(State::Live(self.with_guests_due(pair, agreed)));
        settled.normaliser = normalise::VERSION;
        settled.version = if local_agrees { pair.version().cloned() } else { None };
        settled.revision = if remote_agrees { Some(item.revision.clone()) } else { None };
        let settled = settled.adopted_until_agreed();
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
}
