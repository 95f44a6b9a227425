//! Writes to the CRM.
//!
//! With calsync's own table a write is part of the transaction that decided it, with the link and its new base; elsewhere
//! it becomes an intent that is delivered after the commit.

use super::{Home, Planner};
use crate::binding::{BUSY_TITLE, Detail, Removal};
use crate::host::{RecordChange, RecordWrite};
use crate::id::{OperationId, RecordId, Revision};
use crate::model::{Fields, Occurrence, State, Unit, normalise};
use crate::plan::decide::Delta;
use crate::plan::observe::Pair;
use crate::plan::row::Action;
use crate::plan::scope::left_alone;
use crate::store::{Intent, Link, LinkPut};
use serde_json::json;
use std::collections::BTreeSet;

impl<'a> Planner<'a> {
    /// A single appointment turns out to be an occurrence of a series that is linked as well.
    pub(super) fn join(&mut self, pair: &'a Pair<'a>, root: &Link) {
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

    pub(super) fn create_local(&mut self, pair: &'a Pair<'a>, root: Option<&Link>, reason: &str) -> Home<'a> {
        let Some(item) = pair.item else {
            // Agreed on once, and the calendar's version is the base: read it, so that there is a version to link to.
            if let Some(link) = pair.link {
                self.look_at(link);
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
            && let Some(why) =
                left_alone(self.rules.binding, self.rules.now, item.values().unwrap_or(&seen), false)
        {
            self.skip(pair, why);
            return Home::None;
        }
        // Written as the calendar has it; compared as the provider can hold it.
        let fields = pair.view.of(item.values().unwrap_or(&seen).clone());
        let slot = pair.slot.zip(root).map(|(slot, root)| Occurrence { series: root.record.clone(), slot });
        let link = pair.link.cloned().unwrap_or_else(|| self.link_of(pair, item, root));
        let change = match pair.record {
            Some(record) if record.fields.is_some() => {
                let mut units: BTreeSet<Unit> = fields.iter().map(|(unit, _)| unit.clone()).collect();
                units.extend(record.fields.iter().flat_map(|f| f.iter().map(|(unit, _)| unit.clone())));
                units.retain(|unit| pair.view.keeps(unit.as_str()));
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
                fields: titled(fields.clone(), pair.view.detail),
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
        let link = Box::new(link);
        if self.rules.own_table { Home::NewLocal(link) } else { Home::NewElsewhere(link) }
    }

    pub(super) fn delete_local(
        &mut self,
        pair: &'a Pair<'a>,
        root: Option<&Link>,
        reason: &str,
        lost: Option<Fields>,
    ) -> Home<'a> {
        let is_root = root.is_none();
        if is_root && pair.link.is_none() {
            return self.agree_gone(pair, None);
        }
        if !self.rules.binding.direction.writes_local() {
            self.skip(pair, "this binding does not write to the CRM");
            return Home::None;
        }
        let Some(link) = pair.link.cloned().or_else(|| pair.item.map(|item| self.link_of(pair, item, root)))
        else {
            return Home::None;
        };
        let has_record = match pair.record {
            Some(record) => record.fields.is_some(),
            None => pair.link.is_some_and(|link| link.base.is_some()),
        };
        let change = match root {
            // A cancelled occurrence of which the CRM has no record: it needs one, or its series would show it.
            Some(root) if !has_record => {
                let Some(slot) = pair.slot else { return self.agree_gone(pair, None) };
                RecordChange::Create {
                    agent: self.rules.binding.agent.clone(),
                    occurrence: Some(Occurrence { series: root.record.clone(), slot }),
                    fields: cancelled(pair),
                }
            }
            None if self.rules.binding.removal == Removal::Delete => RecordChange::Delete,
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

    /// Somebody removed the record of an occurrence from the table: without one, the CRM would show what the series puts there
    /// while the calendar shows nothing. It becomes a cancelled occurrence, and goes on from there.
    pub(super) fn keep_cancelled(&mut self, pair: &'a Pair<'a>, root: &Link) {
        let (Some(record), Some(slot)) = (pair.record, pair.slot) else { return };
        let occurrence = Some(Occurrence { series: root.record.clone(), slot });
        let (agent, fields) = (self.rules.binding.agent.clone(), cancelled(pair));
        self.plan.group.records.push(RecordWrite {
            operation: self.operation("keep-cancelled", pair, record.id.clone()),
            id: record.id.clone(),
            expected: None,
            change: RecordChange::Create { agent, occurrence, fields },
        });
    }

    /// The same for a CRM with tables of its own: asked for first, and seen again then.
    pub(super) fn keep_cancelled_elsewhere(&mut self, pair: &'a Pair<'a>, root: &Link, base: State) {
        let (Some(link), Some(slot)) = (pair.link, pair.slot) else { return };
        if !self.rules.binding.direction.writes_local() {
            return;
        }
        let change = RecordChange::Create {
            agent: self.rules.binding.agent.clone(),
            occurrence: Some(Occurrence { series: root.record.clone(), slot }),
            fields: cancelled(pair),
        };
        let operation = self.operation("keep-cancelled", pair, link.record.clone());
        let revision = link.revision.clone();
        self.write_local(pair, operation, link.record.clone(), change, link.clone(), base, revision, false);
    }

    /// Puts a write to the CRM into the plan: into the same transaction for calsync's own table, as an intent otherwise.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn write_local(
        &mut self,
        pair: &Pair<'_>,
        operation: OperationId,
        id: RecordId,
        change: RecordChange,
        link: Link,
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
            match pair.link {
                None => self
                    .plan
                    .group
                    .links
                    .push(Link { base: None, version: None, revision: None, ..link.clone() }.into()),
                // What the answer does not tell is kept now.
                Some(old) => {
                    let rebased = pair.rebased(link.clone());
                    let view = |link: &Link| (link.detail, link.mirror, link.guests_out);
                    if view(old) != view(&rebased) {
                        self.plan.group.links.push(rebased.into());
                    }
                }
            }
            let version = pair.version().cloned();
            let intent = Intent::Local { write, base, revision, agrees, version };
            return self.intend(operation, &link, intent);
        }
        let mut link = pair.rebased(link);
        link.base = Some(base);
        link.normaliser = normalise::VERSION;
        link.answer = None;
        link.revision = revision;
        link.version = None;
        if let Some(item) = pair.item {
            link.remote = item.id.clone();
        }
        let in_step = link.revision.is_some();
        link.adopted &= !(in_step && agrees);
        self.plan.group.records.push(write);
        self.plan.group.links.push(LinkPut { link, version_from_write: agrees });
        if in_step {
            self.clear_remote(pair);
        }
        if agrees {
            self.clear_local(pair);
        }
    }
}

/// Busy time is made under a title of calsync's.
pub(super) fn titled(mut fields: Fields, detail: Detail) -> Fields {
    if detail == Detail::BusyOnly {
        fields.set("summary", BUSY_TITLE.into());
    }
    fields
}

/// All that the CRM needs to know of a cancelled occurrence.
fn cancelled(pair: &Pair<'_>) -> Fields {
    let mut fields = Fields::new();
    let when = pair.inherited.as_ref().and_then(|fields| fields.get("when").cloned());
    fields.set("when", when.unwrap_or_default());
    fields.set("status", json!("cancelled"));
    fields
}
