//! One appointment or series against the hours of its agent: the same question wherever it is asked, and so the same answer.
//!
//! A run judges a family as it is stored, a plan the family as it will be once the plan is carried out ([`foreseen`]), and an edit in
//! the CRM is judged as it is about to be saved. All three come down to [`Agreed`]: all values of the appointment, and what became of
//! every occurrence that differs. What a row of a plan shows, the changed units alone, is never enough: whether a meeting that only
//! moves is free or declined stands in units that did not change.
//!
//! An occurrence that only one side has so far, and the other is still to get, counts as that side has it: it follows its series,
//! which is written first. What cannot be judged is said, with the reason, and never taken for true or untrue (C20).

use crate::binding::Binding;
use crate::error::Result;
use crate::hours::{Finding, Hours, Judged, Rota, Words, find, horizon};
use crate::id::{AgentId, RecordId};
use crate::model::{Appointment, Fields, Record, Slot, State, Status};
use crate::plan::FamilyPlan;
use crate::store::{EntryState, Family, Intent, Link, LocalMark, RemoteItem, Seen};
use chrono::{DateTime, Utc};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// One look at appointments of an agent.
pub(super) struct Look {
    hours: Hours,
    window: Range<DateTime<Utc>>,
    agent: AgentId,
    /// The agent's address among guests: that of the calendar.
    pub own: String,
}

/// What was found out about an appointment or a series, and how it would be said.
pub(super) struct Verdict {
    pub event: RecordId,
    /// What is true of it now; `None` where nobody can tell.
    pub judged: Option<Judged>,
    pub said: Option<String>,
}

impl Look {
    pub(super) fn new(agent: &AgentId, own: &str, rota: &Rota, now: DateTime<Utc>) -> Result<Self> {
        let window = horizon(now);
        let hours = Hours::compile(rota, window.clone())?;
        Ok(Self { hours, window, agent: agent.clone(), own: own.to_owned() })
    }

    /// Judges a single appointment or a series.
    pub(super) fn judge(&self, words: &Words, event: &RecordId, agreed: &Agreed<'_>) -> Verdict {
        let title = agreed.own.and_then(title);
        let (judged, said) = match self.find(agreed) {
            Ok(None) => (Some(Judged::nothing(self.agent.clone(), event.clone())), None),
            Ok(Some(found)) => {
                let said = found.said(words, title);
                (Some(found.judged(self.agent.clone(), event.clone(), self.window.clone())), said)
            }
            Err(error) => {
                tracing::warn!(record = %event, %error, "not held against working hours");
                (None, Some(words.not_judged(title, &error.with("record", event))))
            }
        };
        Verdict { event: event.clone(), judged, said }
    }

    fn find(&self, agreed: &Agreed<'_>) -> Result<Option<Finding>> {
        let Some(own) = agreed.own else { return Ok(None) };
        let own = Appointment::from_fields(own)?;
        let mut changed = BTreeMap::new();
        for (slot, state) in &agreed.occurrences {
            let occurrence = match &**state {
                State::Live(fields) => Appointment::from_fields(fields)?,
                // A cancelled one has the values of its series.
                State::Gone => Appointment { status: Status::Cancelled, ..own.clone() },
            };
            changed.insert(*slot, occurrence);
        }
        find(&self.hours, &self.window, &own, &changed, Some(&self.own))
    }
}

/// The title as others may see it.
fn title(fields: &Fields) -> Option<&str> {
    let shown = Some(fields).filter(|fields| !crate::detail::private(fields));
    shown.and_then(|fields| fields.get("summary")).and_then(|title| title.as_str())
}

/// What is judged of a single appointment or a series.
#[derive(Debug)]
pub(super) struct Agreed<'a> {
    /// Its values; `None` where it is gone.
    pub own: Option<&'a Fields>,
    /// Its occurrences that differ.
    occurrences: BTreeMap<Slot, Cow<'a, State>>,
}

impl<'a> Agreed<'a> {
    /// These values, and nothing that differs.
    pub(super) fn alone(own: &'a Fields) -> Self {
        Self { own: Some(own), occurrences: BTreeMap::new() }
    }

    /// What both sides agree on, with the occurrences that follow.
    pub(super) fn of(family: &'a Family, record: &RecordId, binding: &Binding) -> Self {
        let mut occurrences = BTreeMap::new();
        if binding.direction.writes_remote() {
            let records = family.local.iter().filter_map(|mark| mark.record.as_ref());
            for record in records.filter(|record| record.sync && record.fields.is_some()) {
                let Some(occurrence) = &record.occurrence else { continue };
                occurrences.insert(occurrence.slot, Cow::Owned(passing(binding, record.state())));
            }
        }
        if binding.direction.writes_local() {
            for item in family.remote.iter().filter(|item| item.pending && !item.no_such_slot()) {
                let Some(occurrence) = &item.occurrence else { continue };
                let state = match &item.seen {
                    Seen::Live(fields) => passing(binding, State::Live(fields.clone())),
                    Seen::Gone => State::Gone,
                    Seen::Base | Seen::Looked(_) | Seen::Unreadable(_) => continue,
                };
                occurrences.insert(occurrence.slot, Cow::Owned(state));
            }
        }
        for link in &family.links {
            occurrences
                .extend(link.slot.zip(link.base.as_ref()).map(|(slot, base)| (slot, Cow::Borrowed(base))));
        }
        let own = family.links.iter().find(|link| link.record == *record);
        Self { own: own.and_then(|link| link.base.as_ref()?.fields()), occurrences }
    }
}

/// What of a record a binding lets through: of a guest that is held back no run knows that it declined.
pub(super) fn passing(binding: &Binding, state: State) -> State {
    match state {
        State::Live(fields) => State::Live(binding.detail_of(&fields).of(fields)),
        State::Gone => State::Gone,
    }
}

/// A family as it is once a plan is carried out and everything has arrived.
pub(super) fn foreseen(family: &Family, plan: &FamilyPlan) -> Family {
    let group = &plan.group;
    let mut links: BTreeMap<&RecordId, Link> =
        family.links.iter().map(|link| (&link.record, link.clone())).collect();
    links.extend(group.links.iter().map(|put| (&put.link.record, put.link.clone())));
    links.retain(|record, _| !group.unlink.contains(record));
    let goes = |state: &EntryState| matches!(state, EntryState::Planned | EntryState::Sent);
    let before = family.outbox.iter().filter(|entry| !group.outbox_drop.contains(&entry.operation));
    for entry in before.chain(&group.outbox).filter(|entry| goes(&entry.state)) {
        let (Intent::Remote { base, .. } | Intent::Local { base, .. }) = &entry.intent;
        if let Some(link) = links.get_mut(&entry.record) {
            link.base = Some(base.clone());
        }
    }
    for (record, state) in &plan.in_the_end {
        if let Some(link) = links.get_mut(record) {
            link.base = Some(state.clone());
        }
    }
    let settled = |item: &&RemoteItem| {
        group.remote.iter().all(|put| put.key != item.key) && !group.forget.contains(&item.key)
    };
    let remote = family.remote.iter().filter(settled).chain(&group.remote).cloned().collect();
    let mut local = family.local.clone();
    local.retain(|mark| group.unmark.iter().all(|(record, _)| *record != mark.id));
    Family { links: links.into_values().collect(), remote, local, outbox: Vec::new() }
}

/// A family as it is once what the CRM's own table has of a series' occurrences has arrived.
pub(super) fn with_records(mut family: Family, occurrences: &[Record], binding: &Binding) -> Family {
    let goes = |record: &Record| binding.direction.writes_remote() && record.sync;
    family.links.retain(|link| !occurrences.iter().any(|record| record.id == link.record && goes(record)));
    family.local = (occurrences.iter()).map(|record| LocalMark::of(record, true)).collect();
    family
}
