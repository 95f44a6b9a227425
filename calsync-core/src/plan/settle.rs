//! What a finished or doubtful write means: pure.
//!
//! The base moves only here, on an acknowledgement. A write whose answer was lost is settled by reading the record back: its
//! stamp says whether it landed. Nothing is sent twice because of a doubt, and nothing that landed is planned again.

use super::lens::{Lens, View};
use crate::host::{Applied, RecordChange, RecordWrite};
use crate::model::appointment::PROVIDER_OWNED;
use crate::model::{Fields, RemoteRecord, State, Unit, normalise};
use crate::planted::{self, Fault};
use crate::provider::{Item, Receipt, WriteAction};
use crate::store::{Entry, Group, Intent, Link, LinkPut, RemoteItem, Seen};
use std::collections::BTreeSet;

/// What reading back says about a doubtful write.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// It landed.
    Landed(Receipt),
    /// It did not, and the record is still as expected: send it.
    NotSent,
    /// The record is not as expected: drop the intent, store what was read, decide anew.
    Replan(Option<Item>),
}

/// Settles a write to the calendar by what is there now.
pub fn settle(entry: &Entry, found: Option<Item>) -> Settled {
    let Intent::Remote { write, occurrence, .. } = &entry.intent else { return Settled::NotSent };
    let record = match found {
        Some(Item::Record(record)) => record,
        unreadable @ Some(Item::Unreadable { .. }) => return Settled::Replan(unreadable),
        None => {
            return match &write.action {
                WriteAction::Create { .. } => Settled::NotSent,
                WriteAction::Update { .. } => Settled::Replan(None),
                // A deleted occurrence can still be read: this one was taken away by another rule of its series.
                WriteAction::Delete { .. } if occurrence.is_some() => Settled::Replan(None),
                WriteAction::Delete { .. } => Settled::Landed(Receipt::Deleted),
            };
        }
    };
    let live = matches!(record.state, State::Live(_));
    let stamped = record.stamp.as_ref() == Some(&entry.operation) || planted::on(Fault::DoubtTakenForDone);
    match &write.action {
        // Also where somebody deleted it since: that deletion is about what landed, and not about something older.
        WriteAction::Create { .. } | WriteAction::Update { .. } if stamped => {
            Settled::Landed(Receipt::Written(record))
        }
        WriteAction::Update { revision: Some(revision), .. } if *revision == record.revision => {
            Settled::NotSent
        }
        WriteAction::Delete { .. } if !live => Settled::Landed(Receipt::Deleted),
        WriteAction::Delete { revision: Some(revision), .. } if *revision == record.revision => {
            Settled::NotSent
        }
        _ => Settled::Replan(Some(Item::Record(record))),
    }
}

/// What an acknowledged write to the calendar changes. With `fill` the CRM's record in calsync's own table gets what only
/// the provider knows (organiser, UID, conference) in the same transaction.
pub fn acknowledge(
    entry: &Entry,
    link: &Link,
    receipt: &Receipt,
    generation: u64,
    lens: Lens<'_>,
    fill: bool,
) -> Group {
    let mut group = Group { outbox_drop: vec![entry.operation.clone()], ..Group::default() };
    let Intent::Remote { base, version, .. } = &entry.intent else { return group };
    let mut link =
        Link { answer: None, normaliser: normalise::VERSION, version: version.clone(), ..link.clone() };
    match receipt {
        Receipt::Deleted => {
            link.base = Some(State::Gone);
            link.revision = None;
            group.remote.push(gone(&link, generation));
        }
        Receipt::Written(record) => {
            let mut item = RemoteItem::pending(record, generation);
            item.key = link.key.clone();
            link.remote = record.id.clone();
            link.base = Some(base.clone());
            link.revision = Some(record.revision.clone());
            let (there, agreed, opens) = match (&record.state, base) {
                (State::Live(there), State::Live(agreed)) => {
                    let own = lens.detail(there);
                    let view = View {
                        mirror: link.mirror,
                        guests_out: link.guests_out,
                        detail: link.detail.min(own),
                    };
                    (lens.fields(there, view), agreed, own > link.detail)
                }
                _ => (Fields::new(), &Fields::new(), false),
            };
            let differs = there.diff(agreed);
            let owned: BTreeSet<Unit> =
                differs.iter().filter(|unit| PROVIDER_OWNED.contains(&unit.as_str())).cloned().collect();
            if record.state == State::Gone {
                // It landed and was deleted since: agreed on first, decided about next.
                link.revision = None;
            } else if differs.is_empty() && !opens {
                (item.seen, item.pending) = (Seen::Base, false);
            } else if fill && !opens && owned.len() == differs.len() && version.is_some() {
                (item.seen, item.pending) = (Seen::Base, false);
                link.base = Some(State::Live(there.clone()));
                group.records.push(RecordWrite {
                    operation: entry.operation.clone(),
                    id: link.record.clone(),
                    expected: version.clone(),
                    change: RecordChange::Patch {
                        units: owned,
                        fields: there,
                        occurrence: None,
                        agent: None,
                        sync: None,
                    },
                });
            } else {
                // Something else was stored than was written, or it is not private any more and what was held back can pass:
                // decided about next.
                link.revision = None;
            }
            // Another rule may have taken slots away or brought them back: what became of the occurrences is decided next.
            item.pending |= entry.intent.sets_a_rule();
            group.remote.push(item);
        }
    }
    if let Some(version) = version {
        group.unmark.push((entry.record.clone(), version.clone()));
    }
    let version_from_write = !group.records.is_empty();
    group.links.push(LinkPut { link: link.adopted_until_agreed(), version_from_write });
    group
}

/// What the CRM's answer to a write changes; `None` when the write has to be decided anew.
pub fn applied(entry: &Entry, link: &Link, item: Option<&RemoteItem>, answer: &Applied) -> Option<Group> {
    let Intent::Local { base, revision, agrees, version: decided, .. } = &entry.intent else { return None };
    let Applied::Applied { id, version } = answer else { return None };
    let mut group = Group { outbox_drop: vec![entry.operation.clone()], ..Group::default() };
    let mut settled = Link {
        record: id.clone(),
        base: Some(base.clone()),
        normaliser: normalise::VERSION,
        version: agrees.then(|| version.clone()),
        revision: revision.clone(),
        answer: None,
        ..link.clone()
    };
    if settled.slot.is_none() || settled.record_root == link.record {
        settled.record_root = id.clone();
    }
    if link.record != *id {
        group.unlink.push(link.record.clone());
    }
    // What was seen since then is decided about next.
    if let Some(item) = item.filter(|item| revision.as_ref() == Some(&item.revision)) {
        let seen = match &item.seen {
            Seen::Live(_) => Seen::Base,
            seen => seen.clone(),
        };
        group.remote.push(RemoteItem { seen, pending: false, ..item.clone() });
    }
    if let (Some(decided), true) = (decided, agrees) {
        group.unmark.push((link.record.clone(), decided.clone()));
    }
    group.links.push(settled.adopted_until_agreed().into());
    Some(group)
}

/// The observation that a link's remote record is gone.
pub fn gone(link: &Link, generation: u64) -> RemoteItem {
    RemoteItem {
        key: link.key.clone(),
        id: link.remote.clone(),
        root: link.remote_root.clone(),
        occurrence: link.occurrence(),
        revision: link.revision.clone().unwrap_or_else(|| "".into()),
        updated: None,
        writable: crate::model::Writable::All,
        generation,
        seen: Seen::Gone,
        pending: false,
    }
}

/// The observation that a read found nothing of what a link stands for.
pub fn missing(link: &Link, generation: u64) -> RemoteItem {
    match link.occurrence() {
        Some(occurrence) => no_such_slot(&link.remote, &occurrence, generation),
        None => RemoteItem { pending: true, ..gone(link, generation) },
    }
}

/// The observation that a series has nothing in a slot: nothing was deleted there, and nothing can be written there.
pub fn no_such_slot(
    id: &crate::RemoteId,
    occurrence: &crate::model::RemoteOccurrence,
    generation: u64,
) -> RemoteItem {
    RemoteItem {
        key: crate::RemoteKey::of(id, Some(occurrence)),
        id: id.clone(),
        root: occurrence.series.clone(),
        occurrence: Some(occurrence.clone()),
        revision: "".into(),
        updated: None,
        writable: crate::model::Writable::Nothing,
        generation,
        seen: Seen::Gone,
        pending: true,
    }
}

/// Whether a single read is to be taken as a sight of a record that is known: an occurrence without a link, or one that its
/// series lacked when it was last looked at, may be a change of its own or just what its series puts there.
pub fn recognised(link: Option<&Link>, known: Option<&RemoteItem>) -> bool {
    let lacked = known.is_some_and(|known| known.no_such_slot() || matches!(known.seen, Seen::Looked(_)));
    link.is_some_and(|link| link.base.is_some()) && !lacked
}

/// The observation of what a single read found of what is not recognised.
pub fn looked(item: &Item, generation: u64) -> RemoteItem {
    let observed = observed(item, generation);
    match observed.seen {
        Seen::Live(fields) if observed.occurrence.is_some() => {
            RemoteItem { seen: Seen::Looked(fields), pending: false, ..observed }
        }
        _ => observed,
    }
}

/// The observation of what was read back, to be decided about.
pub fn observed(item: &Item, generation: u64) -> RemoteItem {
    match item {
        Item::Record(record) => RemoteItem::pending(record, generation),
        Item::Unreadable { id, revision, occurrence, reason } => {
            unreadable(id, revision, occurrence.as_ref(), reason, generation)
        }
    }
}

pub(super) fn unreadable(
    id: &crate::RemoteId,
    revision: &crate::Revision,
    occurrence: Option<&crate::model::RemoteOccurrence>,
    reason: &str,
    generation: u64,
) -> RemoteItem {
    let record = RemoteRecord {
        id: id.clone(),
        revision: revision.clone(),
        occurrence: occurrence.cloned(),
        state: State::Gone,
        updated: None,
        stamp: None,
        writable: crate::model::Writable::Nothing,
    };
    RemoteItem { seen: Seen::Unreadable(reason.to_owned()), ..RemoteItem::pending(&record, generation) }
}
