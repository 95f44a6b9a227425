//! What a listing shows, held against what is known: pure.
//!
//! A version that is known already changes nothing; another version with the same content only moves the books; everything
//! else becomes an observation to decide about. Two things are not believed without reading the record once more: that
//! something came back which both sides had deleted, and (in the sweep) that something is gone because a listing lacks it.

use super::ids;
use super::lens::{Lens, View};
use super::settle::unreadable;
use crate::binding::Binding;
use crate::id::{InstallationId, RecordId, RemoteId, RemoteKey};
use crate::model::{RemoteRecord, State};
use crate::planted::{self, Fault};
use crate::provider::{Item, Provider};
use crate::store::{Link, RemoteItem, Seen};

/// What to do about one entry of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Sighting {
    /// Nothing new.
    Nothing,
    /// Store the observation.
    Observe(RemoteItem),
    /// Store the observation, and the link with the new version of the same content.
    SameContent(Box<(RemoteItem, Link)>),
    /// It was never linked and is gone: forget it.
    Forget(RemoteKey),
    /// It was deleted on both sides and is shown alive: read it first.
    Confirm,
}

/// The key under which an entry is known.
pub fn key(item: &Item) -> RemoteKey {
    match item {
        Item::Record(record) => record.key(),
        Item::Unreadable { id, occurrence, .. } => RemoteKey::of(id, occurrence.as_ref()),
    }
}

/// Holds one entry of a page against what is known of its key.
pub fn sight(
    item: &Item,
    link: Option<&Link>,
    known: Option<&RemoteItem>,
    generation: u64,
    confirmed: bool,
    lens: Lens<'_>,
) -> Sighting {
    let record = match item {
        Item::Record(record) => record,
        Item::Unreadable { id, revision, occurrence, reason } => {
            let item = unreadable(id, revision, occurrence.as_ref(), reason, generation);
            return observe(item, known);
        }
    };
    // A page can be older than what is known from the answer to a write: the provider's own clock tells.
    let stale = known
        .is_some_and(|known| known.updated.zip(record.updated).is_some_and(|(known, seen)| seen < known));
    if stale && let Some(known) = known {
        return observe(RemoteItem { generation, ..known.clone() }, Some(known));
    }
    let seen = RemoteItem::pending(record, generation);
    match (link, link.and_then(|link| link.base.as_ref()), &record.state) {
        (Some(link), Some(State::Live(base)), state) => {
            let detail = state.fields().map_or(link.detail, |fields| lens.detail(fields));
            let view = View { mirror: link.mirror, guests_out: link.guests_out, detail };
            let same = match state {
                // More is let through than was agreed on: what there is of it is decided about.
                _ if detail > link.detail => false,
                // Its guests are not taken out yet.
                State::Live(_) if link.guests_out && base.guests().next().is_some() => false,
                _ if link.revision.as_ref() == Some(&record.revision) => true,
                State::Live(fields) => lens.fields(fields, view).same_as(&lens.fields(base, view)),
                State::Gone => false,
            };
            if !same {
                return observe(seen, known);
            }
            let mut settled =
                Link { revision: Some(record.revision.clone()), remote: record.id.clone(), ..link.clone() };
            if detail < link.detail {
                // Less is let through than was agreed on: what is held back now is not kept either.
                settled.base = Some(State::Live(detail.of(base.clone())));
                settled.detail = detail;
            }
            let item = RemoteItem { seen: Seen::Base, pending: false, ..seen };
            match (observe(item.clone(), known), settled == *link) {
                (observed, true) => observed,
                (_, false) => Sighting::SameContent(Box::new((item, settled))),
            }
        }
        (Some(_), Some(State::Gone), State::Gone) => observe(RemoteItem { pending: false, ..seen }, known),
        (Some(link), Some(State::Gone), State::Live(_)) => {
            if link.revision.as_ref() == Some(&record.revision) {
                Sighting::Nothing
            } else if confirmed || planted::on(Fault::StalePageBelieved) {
                observe(seen, known)
            } else {
                Sighting::Confirm
            }
        }
        (Some(_), None, _) => observe(seen, known),
        (None, _, State::Gone) if record.occurrence.is_none() => match known {
            Some(_) => Sighting::Forget(record.key()),
            None => Sighting::Nothing,
        },
        (None, ..) => observe(unless_decided(seen, record, known, generation), known),
    }
}

/// How often a record can have been made anew and still be recognised.
const INCARNATIONS_MAX: u32 = 16;

/// The link of a record that calsync made and has no link to: its stamp names the CRM record, and its id proves it. The
/// stamp alone proves nothing, because Google copies it when a series is split.
pub fn made_by_us(
    record: &RemoteRecord,
    installation: &InstallationId,
    binding: &Binding,
    provider: &dyn Provider,
) -> Option<Link> {
    if record.occurrence.is_some() || record.state == State::Gone {
        return None;
    }
    let of = ids::record_of(record.stamp.as_ref()?)?;
    let id = |incarnation| ids::created(provider, installation, binding, &of, incarnation);
    let proven = |incarnation| planted::on(Fault::CopiedStampBelieved) || id(incarnation) == record.id;
    let incarnation = (0..INCARNATIONS_MAX).find(|incarnation| proven(*incarnation))?;
    Some(Link { incarnation, ..found(&record.id, of) })
}

/// The link that a record would get whose CRM record was made from it under an older binding to the same calendar. Whether
/// there is such a CRM record is for the caller to see.
pub fn made_from_it(record: &RemoteRecord, installation: &InstallationId, binding: &Binding) -> Option<Link> {
    if record.occurrence.is_some() || record.state == State::Gone {
        return None;
    }
    Some(found(&record.id, ids::record_id(installation, binding, &record.key())))
}

/// A link without a base: what both sides have is compared when it is decided about.
pub fn found(remote: &RemoteId, record: RecordId) -> Link {
    Link {
        record_root: record.clone(),
        record,
        key: RemoteKey::of(remote, None),
        remote: remote.clone(),
        remote_root: remote.clone(),
        slot: None,
        base: None,
        normaliser: crate::model::normalise::VERSION,
        version: None,
        revision: None,
        incarnation: 0,
        mirror: false,
        adopted: true,
        guests_out: false,
        detail: crate::detail::Detail::default(),
        answer: None,
    }
}

/// What was looked at and left alone in this generation stays left alone.
fn unless_decided(
    seen: RemoteItem,
    record: &RemoteRecord,
    known: Option<&RemoteItem>,
    generation: u64,
) -> RemoteItem {
    match known {
        Some(known) if known.revision == record.revision && known.generation == generation => known.clone(),
        _ => seen,
    }
}

fn observe(item: RemoteItem, known: Option<&RemoteItem>) -> Sighting {
    // An answer to a write knows more about when than an entry without a time.
    if known == Some(&item) { Sighting::Nothing } else { Sighting::Observe(item) }
}
