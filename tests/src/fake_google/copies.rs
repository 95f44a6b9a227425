//! Guests: their copies of an event, their answers, and the mails that Google would send.
//!
//! The organizer's copy is the authoritative one. After each write to it the copies of guests with an account here are
//! brought into line; a copy whose shared part did not change is left alone, so that nobody sees an echo. What belongs
//! to a copy alone (reminders, colour, transparency, visibility, private properties) never travels.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::FakeGoogle;
use super::behaviour::GuestWrite;
use super::journal::{Mail, MailKind};
use super::model::{Calendar, Event, Slot, email_of, instance_id, same_address};
use super::refusal::Refusal;
use super::write::{Writer, timing};

/// What all copies have in common, besides times, status, sequence and shared properties.
const SHARED: &[&str] = &[
    "summary",
    "description",
    "location",
    "recurrence",
    "endTimeUnspecified",
    "eventType",
    "guestsCanModify",
    "guestsCanInviteOthers",
    "guestsCanSeeOtherGuests",
    "anyoneCanAddSelf",
    "conferenceData",
    "hangoutLink",
    "attachments",
    "source",
];

/// With more guests than this, answers are no longer passed on.
const RESPONSES_GUESTS_MAX: usize = 200;

/// What even a guest who may modify cannot change.
const ORGANIZERS_OWN: &[&str] =
    &["guestsCanModify", "guestsCanInviteOthers", "guestsCanSeeOtherGuests", "anyoneCanAddSelf"];

impl FakeGoogle {
    /// Brings the copies of all guests into line with the organizer's event.
    pub(crate) fn propagate(
        &mut self,
        now: DateTime<Utc>,
        calendar: &str,
        before: Option<&Event>,
        after: &Event,
    ) {
        let private = after.flag("privateCopy", false);
        if !self.behaviour.propagate_copies || private || !same_address(&after.organizer, calendar) {
            return;
        }
        let guests = |event: &Event| -> BTreeSet<String> {
            event.attendees().iter().map(|guest| email_of(guest).to_ascii_lowercase()).collect()
        };
        let invited = if after.cancelled() { BTreeSet::new() } else { guests(after) };
        let mut all = before.map(guests).unwrap_or_default();
        all.extend(invited.iter().cloned());
        for guest in all {
            if same_address(&guest, calendar) || !self.calendars.contains_key(&guest) {
                continue;
            }
            if invited.contains(&guest) {
                self.bring_copy(now, &guest, after);
            } else {
                self.cancel_copy(now, &guest, after);
            }
        }
    }

    fn bring_copy(&mut self, now: DateTime<Utc>, guest: &str, source: &Event) {
        let Some(calendar) = self.calendars.get(guest) else { return };
        let master = master_copy(calendar, source);
        let old = copy_of(calendar, source);
        let stored = old.as_ref().is_some_and(|old| calendar.events.contains_key(&old.id));
        let mut new = match &old {
            Some(old) if old.removed_by_guest => return,
            Some(old) => old.clone(),
            None => {
                let mut fresh = source.clone();
                fresh.fields = Map::new();
                fresh.reminders.clear();
                if let Some(slot) = &mut fresh.slot {
                    // The series may be unknown here: a guest can be invited to one occurrence alone.
                    slot.master = master.unwrap_or_else(|| slot.master.clone());
                    fresh.id = instance_id(&slot.master, &slot.start);
                }
                if calendar.events.contains_key(&fresh.id) {
                    self.serial += 1;
                    fresh.id = super::seal::event_id(self.serial);
                }
                fresh
            }
        };
        adopt_shared(&mut new, source);
        let zone = calendar.zone.clone();
        new.reparse(&zone);
        if let Some(old) = &old
            && stored
            && !old.hidden
            && same_shared(old, &new)
            && old.attendees() == new.attendees()
        {
            return;
        }
        // A guest's series already shows an occurrence that differs from it in nothing.
        if let Some(old) = &old
            && !stored
            && same_shared(old, &new)
            && old.attendees() == new.attendees()
        {
            return;
        }
        new.hidden = false;
        let stamp = self.tick(now);
        (new.updated, new.etag, new.touched) = (stamp, stamp, now.timestamp_millis());
        self.put(guest, new.clone());
        if let Some(old) = old {
            self.follow_series(now, guest, &old, &new);
        }
    }

    fn cancel_copy(&mut self, now: DateTime<Utc>, guest: &str, source: &Event) {
        let Some(calendar) = self.calendars.get(guest) else { return };
        let Some(copy) = copy_of(calendar, source).filter(|copy| !copy.cancelled() && !copy.hidden) else {
            return;
        };
        self.cancel(now, guest, &copy);
    }

    /// A write to a guest's copy: what may stay here, what goes to the organizer, what is refused.
    pub(crate) fn guest_write(
        &mut self,
        writer: &Writer,
        calendar: &str,
        old: &Event,
        mut new: Event,
    ) -> Result<Event, Refusal> {
        let others = |event: &Event| -> Vec<Value> {
            let mut others: Vec<Value> = event
                .attendees()
                .iter()
                .filter(|guest| !same_address(email_of(guest), calendar))
                .cloned()
                .collect();
            others.sort_by_key(|guest| email_of(guest).to_ascii_lowercase());
            others
        };
        let (before, after) = (others(old), others(&new));
        let left_list = old.attendees().len() > new.attendees().len();
        let only_added = !left_list && before.iter().all(|guest| after.contains(guest));
        let guests_changed = before != after && !(only_added && old.flag("guestsCanInviteOthers", true));
        let shared_changed = !same_shared(old, &new) || guests_changed || left_list;
        let flags_changed = ORGANIZERS_OWN.iter().any(|name| old.fields.get(*name) != new.fields.get(*name));
        let allowed = old.flag("guestsCanModify", false) && !flags_changed;
        if shared_changed && !allowed && !writer.in_person {
            match self.behaviour.guest_shared_write {
                GuestWrite::Refuse => return Err(Refusal::non_organizer()),
                GuestWrite::Diverge => return Ok(new),
                GuestWrite::Ignore => {
                    let own =
                        new.attendees().iter().find(|guest| same_address(email_of(guest), calendar)).cloned();
                    adopt_shared(&mut new, old);
                    (new.series, new.sequence) = (old.series.clone(), old.sequence);
                    replace_guest(&mut new, calendar, own);
                }
            }
        }
        let Some((home, theirs)) = self.organizers_copy(&new) else { return Ok(new) };
        let mut updated = theirs.clone();
        if shared_changed && (allowed || writer.in_person) {
            adopt_shared(&mut updated, &new);
            updated.series = new.series.clone();
        } else if theirs.attendees().len() <= RESPONSES_GUESTS_MAX {
            for guest in new.attendees() {
                let known =
                    updated.attendees().iter().any(|known| same_address(email_of(known), email_of(guest)));
                if same_address(email_of(guest), calendar) || !known {
                    replace_guest(&mut updated, email_of(guest), Some(guest.clone()));
                }
            }
        }
        if updated.fields != theirs.fields || timing(&updated) != timing(&theirs) {
            self.restamp(writer.now, &theirs, &mut updated);
            self.put(&home, updated.clone());
            // The others learn of it; the caller stores the writer's own copy.
            self.propagate(writer.now, &home, Some(&theirs), &updated);
        }
        Ok(new)
    }

    /// A guest has taken the event off the calendar: to the organizer that is a refusal.
    pub(crate) fn decline(&mut self, writer: &Writer, calendar: &str, copy: &Event) {
        let Some((home, theirs)) = self.organizers_copy(copy) else { return };
        let guest = theirs.attendees().iter().find(|guest| same_address(email_of(guest), calendar)).cloned();
        let Some(mut guest) = guest else { return };
        guest["responseStatus"] = json!("declined");
        let mut updated = theirs.clone();
        replace_guest(&mut updated, calendar, Some(guest));
        self.restamp(writer.now, &theirs, &mut updated);
        self.put(&home, updated.clone());
        self.propagate(writer.now, &home, Some(&theirs), &updated);
    }

    fn organizers_copy(&self, copy: &Event) -> Option<(String, Event)> {
        if !self.behaviour.propagate_copies {
            return None;
        }
        let home = self.calendars.get(&copy.organizer)?;
        let theirs = copy_of(home, copy).filter(|theirs| !theirs.cancelled() && !theirs.hidden)?;
        Some((home.id.clone(), theirs))
    }

    /// Records the mails that a write would have sent.
    pub(crate) fn mail(&mut self, writer: &Writer, calendar: &str, before: Option<&Event>, after: &Event) {
        let asked = match (writer.params.text("sendUpdates"), writer.params.flag("sendNotifications")) {
            (Some(asked), _) => asked,
            (None, Some(true)) => "all",
            _ => "none",
        };
        if writer.in_person || asked == "none" {
            return;
        }
        let mut mails: Vec<(String, MailKind)> = Vec::new();
        let listed = |event: &Event, email: &str| {
            event.attendees().iter().any(|guest| same_address(email_of(guest), email))
        };
        if same_address(&after.organizer, calendar) {
            let cancelled = after.cancelled();
            let changed = before.is_none_or(|before| {
                !same_shared(before, after) || before.attendees().len() != after.attendees().len()
            });
            for guest in after.attendees() {
                let email = email_of(guest);
                let known = before.is_some_and(|before| !before.cancelled() && listed(before, email));
                let kind = match (cancelled, known, changed) {
                    (true, true, _) => Some(MailKind::Cancellation),
                    (false, true, true) => Some(MailKind::Update),
                    (false, false, _) => Some(MailKind::Invitation),
                    (true, false, _) | (false, true, false) => None,
                };
                mails.extend(kind.map(|kind| (email.to_owned(), kind)));
            }
            let removed = before.into_iter().flat_map(Event::attendees).map(email_of);
            mails.extend(
                removed
                    .filter(|email| !listed(after, email))
                    .map(|email| (email.to_owned(), MailKind::Cancellation)),
            );
        } else {
            let answer = |event: &Event| {
                let own = event.attendees().iter().find(|guest| same_address(email_of(guest), calendar));
                own.and_then(|own| own.get("responseStatus")).cloned()
            };
            if after.cancelled() || before.and_then(answer) != answer(after) {
                mails.push((after.organizer.clone(), MailKind::Response));
            }
        }
        let stamp = after.properties("private");
        for (recipient, kind) in mails {
            let own = same_address(&recipient, &writer.principal.email)
                || (same_address(&recipient, &after.organizer) && kind != MailKind::Response);
            // Rooms read no mail.
            let room = recipient.ends_with("@resource.calendar.google.com");
            if own || room || (asked == "externalOnly" && !self.is_external(&recipient, &after.organizer)) {
                continue;
            }
            self.mails.push(Mail {
                recipient,
                calendar: calendar.to_owned(),
                event: after.id.clone(),
                kind,
                request: writer.request,
                actor: writer.principal.email.clone(),
                stamp: stamp.clone(),
            });
        }
    }

    /// `externalOnly` means guests outside Google Calendar: without an account here, and of another domain.
    fn is_external(&self, guest: &str, organizer: &str) -> bool {
        let domain = |email: &str| email.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
        !self.accounts.contains_key(&guest.to_ascii_lowercase()) && domain(guest) != domain(organizer)
    }
}

/// The event of this calendar that is a copy of `source`: same iCalUID, same slot; an occurrence may be virtual.
fn copy_of(calendar: &Calendar, source: &Event) -> Option<Event> {
    let start = source.slot.as_ref().map(|slot| slot.start.suffix());
    let ids = calendar.by_uid.get(&source.uid)?;
    let stored = ids
        .iter()
        .filter_map(|id| calendar.events.get(id))
        .find(|event| event.slot.as_ref().map(|slot| slot.start.suffix()) == start);
    if let Some(event) = stored {
        return Some(event.clone());
    }
    let Slot { start, .. } = source.slot.as_ref()?;
    calendar.find(&instance_id(&master_copy(calendar, source)?, start))
}

fn master_copy(calendar: &Calendar, source: &Event) -> Option<String> {
    let ids = calendar.by_uid.get(&source.uid)?;
    let master = ids.iter().filter_map(|id| calendar.events.get(id)).find(|event| event.slot.is_none())?;
    Some(master.id.clone())
}

fn adopt_shared(copy: &mut Event, source: &Event) {
    for name in SHARED.iter().chain(&["attendees"]) {
        match source.fields.get(*name) {
            Some(value) => copy.fields.insert((*name).to_owned(), value.clone()),
            None => copy.fields.remove(*name),
        };
    }
    let mut properties =
        copy.fields.get("extendedProperties").and_then(Value::as_object).cloned().unwrap_or_default();
    let shared = source.properties("shared");
    if shared.is_empty() {
        properties.remove("shared");
    } else {
        properties.insert("shared".to_owned(), Value::Object(shared));
    }
    if properties.is_empty() {
        copy.fields.remove("extendedProperties");
    } else {
        copy.fields.insert("extendedProperties".to_owned(), Value::Object(properties));
    }
    copy.start = source.start.clone();
    copy.end = source.end.clone();
    copy.status = source.status;
    copy.sequence = source.sequence;
}

/// Whether two copies agree in all that is shared, the guest list apart.
fn same_shared(one: &Event, other: &Event) -> bool {
    SHARED.iter().all(|name| one.fields.get(*name) == other.fields.get(*name))
        && timing(one) == timing(other)
        && one.status == other.status
        && one.properties("shared") == other.properties("shared")
}

fn replace_guest(event: &mut Event, email: &str, guest: Option<Value>) {
    let mut guests = event.attendees().to_vec();
    match (guests.iter_mut().find(|known| same_address(email_of(known), email)), guest) {
        (Some(known), Some(guest)) => *known = guest,
        (None, Some(guest)) => guests.push(guest),
        (_, None) => {}
    }
    if !guests.is_empty() {
        event.fields.insert("attendees".to_owned(), Value::Array(guests));
    }
}
