//! How each side of each record of a family stands to the base.
//!
//! The only place that tells absence from deletion: what was never observed on a side is absent, what an observation says to
//! be gone is deleted, and what was not observed again is the same as before.

use super::Rules;
use super::decide::Delta;
use super::lens::{Lens, View};
use super::merge::local_diff;
use crate::binding::{BUSY_TITLE, Binding, Detail};
use crate::model::appointment::{PROVIDER_OWNED, read_when, when_value};
use crate::model::{Fields, Record, Recurrence, Slot, State, Unit, Writable};
use crate::planted::{self, Fault};
use crate::provider::WriteAction;
use crate::store::{Entry, Family, Intent, Link, RemoteItem, Seen};
use std::collections::BTreeMap;

/// One record with what is known of it on both sides.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub slot: Option<Slot>,
    pub link: Option<&'a Link>,
    pub item: Option<&'a RemoteItem>,
    pub record: Option<&'a Record>,
    /// Values that both sides start from where they agreed on none: what the series puts into the slot.
    pub inherited: Option<Fields>,
    pub local: Side,
    pub remote: Side,
    /// The CRM gave the appointment to somebody else.
    pub reassigned: bool,
    /// Its link is to an earlier incarnation of the series.
    pub moved_house: bool,
    /// Deleted in the CRM, whose series has no such slot any more: the CRM would not show what it gets there.
    pub lacked_here: bool,
    /// The calendar's series has no such slot: nothing can be written there.
    pub lacked_there: bool,
    /// What of it is compared, kept and carried.
    pub view: View,
    /// What both sides last agreed on, in this view.
    pub agreed: Option<State>,
}

/// One side of a pair.
#[derive(Debug)]
pub(super) struct Side {
    pub delta: Delta,
    /// The values as the provider can hold them, where the record is there.
    pub fields: Option<Fields>,
    pub unreadable: Option<String>,
}

impl Side {
    /// Whether it was there, and is not any more.
    fn gone(&self) -> bool {
        self.fields.is_none() && matches!(self.delta, Delta::Deleted | Delta::Same)
    }
}

impl<'a> Pair<'a> {
    /// What both sides last agreed on about what is there now.
    pub(super) fn base(&self) -> Option<&State> {
        self.link.and_then(|link| link.base.as_ref()).filter(|_| !self.moved_house)
    }

    /// What both sides last agreed on, or what the slot inherits from its series.
    pub(super) fn base_fields(&self) -> Fields {
        match &self.agreed {
            Some(State::Live(fields)) => fields.clone(),
            _ => self.inherited.clone().unwrap_or_default(),
        }
    }

    /// Whether more is let through than both sides agreed on, so that what each has of it must be seen first.
    pub(super) fn widens(&self) -> bool {
        matches!(self.base(), Some(State::Live(_)))
            && self.link.is_some_and(|link| link.detail < self.view.detail)
    }

    /// The link as this view has it: what is held back is not kept in its base.
    pub(super) fn rebased(&self, mut link: Link) -> Link {
        (link.mirror, link.guests_out) = (self.view.mirror, self.view.guests_out);
        if link.detail != self.view.detail {
            link.detail = self.view.detail;
            if matches!(link.base, Some(State::Live(_))) {
                link.base.clone_from(&self.agreed);
            }
        }
        link
    }

    /// Whether both sides last agreed that it is gone.
    pub(super) fn agreed_gone(&self) -> bool {
        self.link.is_some_and(|link| link.base == Some(State::Gone))
    }

    pub(super) fn version(&self) -> Option<&crate::Version> {
        match self.record {
            Some(record) => Some(&record.version),
            None => self.link.and_then(|link| link.version.as_ref()),
        }
    }

    pub(super) fn revision(&self) -> Option<&crate::Revision> {
        match self.item {
            Some(item) => Some(&item.revision),
            None => self.link.and_then(|link| link.revision.as_ref()),
        }
    }
}

/// The pairs of a family: its root first (if it has one), then occurrences by slot.
pub(super) struct Pairs<'a> {
    pub root: Option<Pair<'a>>,
    pub occurrences: Vec<Pair<'a>>,
}

pub(super) fn pairs<'a>(family: &'a Family, rules: &Rules<'_>) -> Pairs<'a> {
    #[derive(Default)]
    struct Known<'a>(Option<&'a Link>, Option<&'a RemoteItem>, Option<&'a Record>);
    let mut known: BTreeMap<Option<Slot>, Known<'_>> = BTreeMap::new();
    let root_link = family.links.iter().find(|link| link.slot.is_none());
    for link in &family.links {
        known.entry(link.slot).or_default().0 = Some(link);
    }
    // What belongs to an earlier incarnation of the series is of no interest once there is a newer one.
    for item in family.remote.iter().filter(|item| root_link.is_none_or(|root| item.root == root.remote)) {
        known.entry(item.occurrence.as_ref().map(|o| o.slot)).or_default().1 = Some(item);
    }
    for record in family.local.iter().filter_map(|mark| mark.record.as_ref()) {
        let slot = match family.links.iter().find(|link| link.record == record.id) {
            Some(link) => link.slot,
            None => record.occurrence.as_ref().map(|o| o.slot),
        };
        known.entry(slot).or_default().2 = Some(record);
    }
    let mut root: Option<Pair<'a>> = None;
    let mut occurrences = Vec::new();
    for (slot, Known(link, item, record)) in known {
        let series = root.as_ref().filter(|_| slot.is_some());
        let pair = pair(slot, link, item, record, series, &family.outbox, rules);
        match slot {
            None => root = Some(pair),
            Some(_) => occurrences.push(pair),
        }
    }
    Pairs { root, occurrences }
}

#[allow(clippy::too_many_arguments)]
fn pair<'a>(
    slot: Option<Slot>,
    link: Option<&'a Link>,
    item: Option<&'a RemoteItem>,
    record: Option<&'a Record>,
    series: Option<&Pair<'a>>,
    outbox: &[Entry],
    rules: &Rules<'_>,
) -> Pair<'a> {
    let (binding, provider) = (rules.binding, rules.provider);
    // The series was made anew under another id: its occurrences have to be made there again.
    let moved_house = match (link, series.and_then(|series| series.link)) {
        (Some(link), Some(root)) => link.remote_root != root.remote,
        _ => false,
    };
    // Cut off once when the series was shortened, and part of it again: whatever is there now is not what was agreed on.
    let back = slot.zip(series).zip(item).is_some_and(|((slot, series), item)| {
        item.no_such_slot() && has_slot(series.remote.fields.as_ref(), slot) == Some(true)
    });
    let item = item.filter(|_| !back);
    // A change of its own that was cut off with the rule is shown as cancelled.
    let lacked_there = item.is_some_and(|item| {
        let cut_off = |(slot, series)| lacked_by_calendar(series, slot);
        item.no_such_slot() || item.seen == Seen::Gone && slot.zip(series).is_some_and(cut_off)
    });
    let found_back = item.is_some_and(|item| matches!(item.seen, Seen::Looked(_)));
    let moved_house = moved_house || back || (found_back && link.is_some());
    let mirror = match (series, link) {
        (Some(series), _) => series.view.mirror,
        (None, Some(link)) if link.base.is_some() => link.mirror || invites_elsewhere(record, rules),
        _ => is_mirror(record, item, rules),
    };
    let guests_out = series.is_some_and(|series| series.view.guests_out)
        || link.is_some_and(|link| link.guests_out)
        || rules.guests_out && !mirror && invites(link, item, binding);
    // What a read found in a slot counts only in the plan that it was read for.
    let item = item.filter(|item| !matches!(item.seen, Seen::Looked(_)) || rules.fresh.contains(&item.id));
    let lens = Lens::new(provider, binding);
    let view = View { mirror, guests_out, detail: detail(link, item, record, &lens) };
    let known_base = known_base(link, item, record, &lens, view);
    let base = known_base.clone().filter(|_| !moved_house);
    // An occurrence belongs to whoever has its series.
    let reassigned = match series {
        Some(series) => series.reassigned,
        None => record.is_some_and(|record| record.fields.is_some() && record.agent != binding.agent),
    };
    let local = match record {
        Some(_) if reassigned => Some(State::Gone),
        Some(record) => Some(lens.state(record.state(), view)),
        None if moved_house => known_base.clone(),
        // About to be made in the calendar: what was planned for it still stands.
        None if base.is_none() => {
            link.and_then(|link| planned_creation(outbox, link)).map(|state| lens.state(state, view))
        }
        None => None,
    };
    let mut unreadable = None;
    let remote = match item.map(|item| &item.seen) {
        None | Some(Seen::Base) => None,
        Some(Seen::Live(fields) | Seen::Looked(fields)) => {
            Some(lens.state(State::Live(fields.clone()), view))
        }
        Some(Seen::Gone) => Some(State::Gone),
        // It went with its series, whatever it was.
        Some(Seen::Unreadable(_)) if series.is_some_and(|series| series.remote.gone()) => Some(State::Gone),
        Some(Seen::Unreadable(why)) => {
            unreadable = Some(why.clone());
            None
        }
    };
    let inherited = slot.zip(series).and_then(|(slot, series)| {
        let of_series = series.remote.fields.as_ref().or(series.local.fields.as_ref())?;
        Some(lens.fields(&inherited(of_series, &slot)?, view))
    });
    let mut pair = Pair {
        slot,
        link,
        item,
        record,
        inherited,
        local: side(local, base.as_ref(), true),
        remote: side(remote, base.as_ref(), false),
        reassigned,
        moved_house,
        lacked_here: false,
        lacked_there,
        view,
        agreed: known_base,
    };
    if let Some(why) = unreadable {
        pair.remote = Side { delta: Delta::Unknown, fields: None, unreadable: Some(why) };
    }
    // An occurrence that nobody changed exists only as what its series puts there; reading it is no change.
    if pair.remote.delta == Delta::New
        && (moved_house || !pair.agreed_gone())
        && let (Some(fields), Some(inherited)) = (&pair.remote.fields, &pair.inherited)
        && fields.same_as(inherited)
    {
        pair.remote.delta = Delta::Same;
    }
    pair.lacked_here = pair.local.delta == Delta::Deleted
        && slot.zip(series).is_some_and(|(slot, series)| lacked_here(series, slot));
    // What the provider adds by itself to what calsync writes is nobody's work, and does not outlive a deletion.
    if (pair.local.delta, pair.remote.delta) == (Delta::Deleted, Delta::Edited)
        && let (Some(fields), Some(State::Live(base))) = (&pair.remote.fields, &base)
        && fields.diff(base).iter().all(|unit| added_by_provider(unit, binding))
    {
        pair.remote.delta = Delta::Same;
    }
    pair
}

/// Who organises it and under which UID, and the calendar's own place among the guests.
fn added_by_provider(unit: &Unit, binding: &Binding) -> bool {
    let own_place = unit.guest();
    PROVIDER_OWNED.contains(&unit.as_str())
        || own_place.is_some_and(|address| address.eq_ignore_ascii_case(binding.target.calendar.as_str()))
}

fn planned_creation(outbox: &[Entry], link: &Link) -> Option<State> {
    outbox.iter().filter(|entry| entry.record == link.record).find_map(|entry| match &entry.intent {
        Intent::Remote { write, .. } => match &write.action {
            WriteAction::Create { fields, .. } => Some(State::Live(fields.clone())),
            _ => None,
        },
        Intent::Local { .. } => None,
    })
}

fn side(state: Option<State>, base: Option<&State>, local: bool) -> Side {
    let delta = match (&state, base) {
        (None, None) => Delta::Absent,
        (None, Some(_)) => Delta::Same,
        (Some(State::Live(_)), None | Some(State::Gone)) => Delta::New,
        (Some(State::Gone), None | Some(State::Live(_))) => Delta::Deleted,
        (Some(State::Gone), Some(State::Gone)) => Delta::Same,
        (Some(State::Live(now)), Some(State::Live(then))) => {
            let same = if local { local_diff(now, then).is_empty() } else { now.same_as(then) };
            if same { Delta::Same } else { Delta::Edited }
        }
    };
    let fields = match state.as_ref().or(base) {
        Some(State::Live(fields)) => Some(fields.clone()),
        _ => None,
    };
    Side { delta, fields, unreadable: None }
}

/// How much of a record passes. It is as private as either side says; of a side that is as agreed the base tells.
fn detail(
    link: Option<&Link>,
    item: Option<&RemoteItem>,
    record: Option<&Record>,
    lens: &Lens<'_>,
) -> Detail {
    let base = link.and_then(|link| link.base.as_ref()).and_then(State::fields);
    let there = match item.map(|item| &item.seen) {
        Some(Seen::Live(fields) | Seen::Looked(fields)) => Some(fields),
        _ => base,
    };
    let here = match record {
        Some(record) => record.fields.as_ref(),
        None => base,
    };
    let own = [there, here].into_iter().flatten().map(|fields| lens.detail(fields)).min();
    own.unwrap_or_else(|| lens.detail(&Fields::new()))
}

/// What both sides last agreed on, in today's form. Where titles pass now and did not before, the title that calsync gave
/// busy time is what both agreed on: it gives way to a real one, and is never pushed over it.
fn known_base(
    link: Option<&Link>,
    item: Option<&RemoteItem>,
    record: Option<&Record>,
    lens: &Lens<'_>,
    view: View,
) -> Option<State> {
    let link = link?;
    let mut base = lens.state(link.base.clone()?, view);
    if link.detail == Detail::BusyOnly
        && view.detail > Detail::BusyOnly
        && let State::Live(fields) = &mut base
    {
        let there = match item.map(|item| &item.seen) {
            Some(Seen::Live(fields) | Seen::Looked(fields)) => Some(fields),
            _ => None,
        };
        let here = record.and_then(|record| record.fields.as_ref());
        let busy = |fields: &&Fields| fields.get("summary").is_some_and(|title| title == BUSY_TITLE);
        if there.iter().chain(&here).any(busy) {
            fields.set("summary", BUSY_TITLE.into());
        }
    }
    Some(base)
}

/// Whether the CRM's record is a meeting that somebody else's calendar organises, while this calendar has, or is to get, an
/// event of its own for it. A guest's copy of the meeting names the same organiser and is no mirror.
fn is_mirror(record: Option<&Record>, item: Option<&RemoteItem>, rules: &Rules<'_>) -> bool {
    let Some(record) = record.filter(|_| !planted::on(Fault::CopyWithGuests)) else { return false };
    // A guest's copy is the service's own, whether or not it may be seen who invites.
    if item.is_some_and(|item| matches!(item.writable, Writable::OwnCopy { .. })) {
        return false;
    }
    let Some(organizer) = record.fields.as_ref().and_then(organizer) else {
        return item.is_none() && !rules.organises;
    };
    let here = match item.map(|item| &item.seen) {
        Some(Seen::Live(fields)) => self::organizer(fields),
        _ => None,
    };
    organizer != here.unwrap_or_else(|| rules.binding.target.calendar.as_str().to_lowercase())
}

/// Whether another calendar of the same agent invites to what the CRM has.
fn invites_elsewhere(record: Option<&Record>, rules: &Rules<'_>) -> bool {
    let organizer = record.and_then(|record| record.fields.as_ref()).and_then(organizer);
    organizer.is_some_and(|organizer| rules.own_calendars.contains(&organizer))
}

/// Whether this calendar invites guests to what both sides have agreed on.
fn invites(link: Option<&Link>, item: Option<&RemoteItem>, binding: &Binding) -> bool {
    let Some(State::Live(fields)) = link.and_then(|link| link.base.as_ref()) else { return false };
    let own = binding.target.calendar.as_str().to_lowercase();
    fields.guests().next().is_some()
        && organizer(fields).is_none_or(|organizer| organizer == own)
        && item.is_none_or(|item| item.writable == Writable::All)
}

/// The address of who invites, in lower case.
pub(super) fn organizer(fields: &Fields) -> Option<String> {
    Some(fields.get("organizer")?.get("email")?.as_str()?.to_lowercase())
}

/// Whether the CRM's series does not have this slot, nor gets a rule from the calendar that does.
fn lacked_here(series: &Pair<'_>, slot: Slot) -> bool {
    let rule = |fields: &Fields| fields.get("when").cloned();
    let Some((here, there)) = series.local.fields.as_ref().zip(series.remote.fields.as_ref()) else {
        return false;
    };
    rule(there) == rule(&series.base_fields()) && has_slot(Some(here), slot) == Some(false)
}

/// Whether the calendar's series does not have this slot.
pub(super) fn lacked_by_calendar(series: &Pair<'_>, slot: Slot) -> bool {
    has_slot(series.remote.fields.as_ref(), slot) == Some(false)
}

/// `None` where it cannot be told: then nothing is decided by it.
fn has_slot(series: Option<&Fields>, slot: Slot) -> Option<bool> {
    let (when, recurrence) = read_when(series?.get("when")?).ok()?;
    crate::calendar::has_slot(&when, &recurrence, slot).ok()
}

/// What a series puts into a slot: its own values, moved there, without the rule.
pub(super) fn inherited(series: &Fields, slot: &Slot) -> Option<Fields> {
    let (when, _) = read_when(series.get("when")?).ok()?;
    let when = when.moved_to(slot).ok()?;
    let mut fields = series.clone();
    fields.set("when", when_value(&when, &Recurrence::default()));
    Some(fields)
}
