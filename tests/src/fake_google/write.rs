//! Insert, update, patch, delete: what a write does to the calendar it is aimed at.
//!
//! A write to an occurrence that exists only virtually makes an exception of it. A write to a series touches its
//! exceptions. Copies on guests' calendars and mails are `copies.rs`'s business; both happen after the write itself,
//! in the same request.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::FakeGoogle;
use super::auth::Principal;
use super::behaviour::ExceptionPolicy;
use super::draft::{Draft, Reading, merge, writable};
use super::incoming::Params;
use super::model::{Event, Role, Status, email_of, same_address};
use super::refusal::Refusal;
use super::seal;
use super::types;

/// Who writes, when, and how the request wants it read.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) now: DateTime<Utc>,
    pub(crate) principal: Principal,
    pub(crate) params: Params,
    pub(crate) request: u64,
    /// A person in Google's own pages: nothing is checked, nobody is mailed.
    pub(crate) in_person: bool,
}

impl Writer {
    fn asks(&self, param: &str) -> bool {
        self.in_person || self.params.text(param) == Some("1") || self.params.flag(param) == Some(true)
    }
}

/// How a body is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Put,
    Patch,
}

impl FakeGoogle {
    pub(crate) fn insert_event(
        &mut self,
        writer: &Writer,
        calendar_id: &str,
        body: &Map<String, Value>,
    ) -> Result<Event, Refusal> {
        self.check_writer(writer, calendar_id)?;
        let calendar = self.calendars.get(calendar_id).ok_or_else(Refusal::not_found)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let id = match text("id") {
            Some(id) if !writer.in_person && !is_client_id(id) => {
                return Err(Refusal::invalid("Invalid resource id value."));
            }
            // A deleted event keeps its id reserved.
            Some(id) if calendar.events.contains_key(id) => return Err(Refusal::duplicate()),
            Some(id) => id.to_owned(),
            None => loop {
                self.serial += 1;
                let id = seal::event_id(self.serial);
                if !calendar.events.contains_key(&id) {
                    break id;
                }
            },
        };
        let uid = text("iCalUID").map_or_else(|| format!("{id}@google.com"), str::to_owned);
        if !writer.in_person && calendar.by_uid.get(&uid).is_some_and(|ids| !ids.is_empty()) {
            return Err(Refusal::duplicate());
        }
        let draft = Draft::read(body, &self.reading(writer, calendar_id, false)?)?;
        if !writer.in_person {
            types::check_insert(&draft, calendar, self.accounts.get(&calendar.owner))?;
        }
        let address = |name: &str| {
            let person = writer.in_person.then(|| body.get(name)?.get("email")?.as_str()).flatten();
            person.map(str::to_owned)
        };
        let organizer = address("organizer").unwrap_or_else(|| calendar_id.to_owned());
        let creator = address("creator").unwrap_or_else(|| writer.principal.email.clone());
        let stamp = self.tick(writer.now);
        let mut event = Event {
            id,
            uid,
            fields: draft.fields,
            start: draft.start,
            end: draft.end,
            status: draft.status.unwrap_or(Status::Confirmed),
            sequence: draft.sequence.unwrap_or(0),
            created: stamp,
            updated: stamp,
            etag: stamp,
            touched: writer.now.timestamp_millis(),
            change: 0,
            creator,
            organizer,
            slot: None,
            series: draft.series,
            reminders: draft
                .reminders
                .map(|reminders| (writer.principal.email.clone(), reminders))
                .into_iter()
                .collect(),
            hidden: false,
            trimmed: false,
            removed_by_guest: false,
        };
        check_invitation(writer, &[], &event)?;
        self.seat_organizer(calendar_id, &mut event);
        settle_conference(&mut event);
        self.put(calendar_id, event.clone());
        self.propagate(writer.now, calendar_id, None, &event);
        self.mail(writer, calendar_id, None, &event);
        self.stored(calendar_id, &event.id)
    }

    pub(crate) fn change_event(
        &mut self,
        writer: &Writer,
        calendar_id: &str,
        id: &str,
        if_match: Option<&str>,
        how: How,
        body: &Map<String, Value>,
    ) -> Result<Event, Refusal> {
        self.check_writer(writer, calendar_id)?;
        let calendar = self.calendars.get(calendar_id).ok_or_else(Refusal::not_found)?;
        let old = calendar.find(id).ok_or_else(Refusal::not_found)?;
        self.check_private(writer, calendar_id, &old)?;
        let master = old.slot.as_ref().and_then(|slot| calendar.events.get(&slot.master));
        if master.is_some_and(Event::cancelled) {
            // A deleted series has no occurrences to write to.
            return Err(Refusal::not_found());
        }
        check_condition(if_match, &old)?;
        let organizing = same_address(&old.organizer, calendar_id);
        let wants_cancelled = body.get("status").and_then(Value::as_str) == Some("cancelled");
        if old.cancelled() || old.hidden {
            if wants_cancelled {
                return Ok(old);
            }
            check_restoration(writer, &old, organizing, body)?;
        }
        if wants_cancelled {
            return self.remove(writer, calendar_id, old);
        }
        let user = writer.principal.email.clone();
        let mut wanted = match how {
            How::Put => body.clone(),
            How::Patch => {
                let mut base = writable(&old, &calendar.zone, &user);
                merge(&mut base, body);
                base
            }
        };
        keep_omitted_guests(&mut wanted, &old, calendar_id);
        let reading = self.reading(writer, calendar_id, old.slot.is_some())?;
        let draft = Draft::read(&wanted, &reading)?;
        let mut new = old.clone();
        let status = match how {
            How::Patch if !old.cancelled() => draft.status.unwrap_or(old.status),
            _ => draft.status.unwrap_or(Status::Confirmed),
        };
        new.fields = draft.fields;
        carry_over(writer, &old, &mut new, &reading);
        (new.start, new.end, new.status, new.series) = (draft.start, draft.end, status, draft.series);
        new.hidden = false;
        new.removed_by_guest = false;
        match draft.reminders {
            Some(reminders) => new.reminders.insert(user, reminders),
            None => new.reminders.remove(&user),
        };
        if !writer.in_person {
            types::check_change(&old, &new, body, how)?;
            check_locked(&old, &new)?;
            check_sequence(draft.sequence, old.sequence)?;
        }
        check_invitation(writer, old.attendees(), &new)?;
        self.seat_organizer(calendar_id, &mut new);
        settle_conference(&mut new);
        let rescheduled = timing(&old) != timing(&new);
        new.sequence = old.sequence.max(draft.sequence.unwrap_or(0));
        if rescheduled && new.sequence == old.sequence {
            new.sequence += 1;
        }
        let spreads = settle_visibility(&old, &mut new);
        if !organizing {
            new = self.guest_write(writer, calendar_id, &old, new)?;
        }
        self.restamp(writer.now, &old, &mut new);
        self.put(calendar_id, new.clone());
        if spreads {
            self.spread_visibility(writer.now, calendar_id, &new);
        }
        self.follow_series(writer.now, calendar_id, &old, &new);
        if organizing {
            self.propagate(writer.now, calendar_id, Some(&old), &new);
        }
        self.mail(writer, calendar_id, Some(&old), &new);
        self.stored(calendar_id, &new.id)
    }

    pub(crate) fn delete_event(
        &mut self,
        writer: &Writer,
        calendar_id: &str,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), Refusal> {
        self.check_writer(writer, calendar_id)?;
        let calendar = self.calendars.get(calendar_id).ok_or_else(Refusal::not_found)?;
        let old = calendar.find(id).ok_or_else(Refusal::not_found)?;
        self.check_private(writer, calendar_id, &old)?;
        let gone = old.cancelled() || old.hidden;
        if gone && self.behaviour.deleted_before_precondition {
            return Err(Refusal::deleted());
        }
        check_condition(if_match, &old)?;
        if gone {
            return Err(Refusal::deleted());
        }
        self.remove(writer, calendar_id, old).map(|_| ())
    }

    /// Cancels an event, with its copies if this calendar is the organizer's and with a refusal to the organizer if not.
    fn remove(&mut self, writer: &Writer, calendar_id: &str, old: Event) -> Result<Event, Refusal> {
        let organizing = same_address(&old.organizer, calendar_id);
        let mut new = self.cancel(writer.now, calendar_id, &old);
        if organizing {
            self.propagate(writer.now, calendar_id, Some(&old), &new);
        } else {
            new.removed_by_guest = true;
            self.put_quietly(calendar_id, &new);
            self.decline(writer, calendar_id, &old);
        }
        self.mail(writer, calendar_id, Some(&old), &new);
        self.stored(calendar_id, &new.id)
    }

    /// Marks an event as cancelled; what belongs to a series goes with it.
    pub(crate) fn cancel(&mut self, now: DateTime<Utc>, calendar_id: &str, old: &Event) -> Event {
        let mut new = old.clone();
        new.status = Status::Cancelled;
        new.sequence += 1;
        self.restamp(now, old, &mut new);
        self.put(calendar_id, new.clone());
        let exceptions: Vec<Event> = match self.calendars.get(calendar_id) {
            Some(calendar) => {
                calendar.exceptions_of(&new.id).filter(|event| !event.hidden).cloned().collect()
            }
            None => Vec::new(),
        };
        for old in exceptions {
            let mut gone = old.clone();
            if self.behaviour.list_exceptions_of_deleted_series {
                gone.status = Status::Cancelled;
                self.restamp(now, &old, &mut gone);
            } else {
                gone.hidden = true;
            }
            self.put(calendar_id, gone);
        }
        self.stored(calendar_id, &new.id).unwrap_or(new)
    }

    /// What a write to a series means for its exceptions.
    pub(crate) fn follow_series(&mut self, now: DateTime<Utc>, calendar_id: &str, old: &Event, new: &Event) {
        if old.series.is_none() || new.slot.is_some() {
            return;
        }
        let Some(calendar) = self.calendars.get(calendar_id) else { return };
        let restored = old.cancelled() && !new.cancelled();
        let retimed = timing(old) != timing(new);
        let last = new.series.as_ref().and_then(|series| series.last());
        let behind = |event: &Event| {
            let start = event.slot.as_ref().map_or(&event.start, |slot| &slot.start).instant(&calendar.zone);
            new.series.as_ref().is_some_and(|series| series.finite())
                && last.as_ref().is_none_or(|last| start > last.instant(&calendar.zone))
        };
        let mut changed = Vec::new();
        for exception in calendar.exceptions_of(&new.id) {
            let mut event = exception.clone();
            if exception.hidden && !restored {
                continue;
            }
            event.hidden = false;
            let reset = self.behaviour.exceptions_on_master_change == ExceptionPolicy::Reset;
            if new.series.is_none() || (retimed && (reset || behind(exception))) {
                event.status = Status::Cancelled;
            }
            if self.behaviour.master_write_touches_exceptions
                || event.hidden != exception.hidden
                || event.status != exception.status
            {
                changed.push((exception.clone(), event));
            }
        }
        let trimmed = retimed
            && match (&old.series, &new.series) {
                (Some(before), Some(after)) if after.finite() => match after.last() {
                    Some(last) => {
                        before.slots().any(|slot| slot.instant(&calendar.zone) > last.instant(&calendar.zone))
                    }
                    None => true,
                },
                _ => false,
            };
        for (before, mut event) in changed {
            self.restamp(now, &before, &mut event);
            self.put(calendar_id, event);
        }
        if trimmed
            && let Some(calendar) = self.calendars.get_mut(calendar_id)
            && let Some(event) = calendar.events.get_mut(&new.id)
        {
            event.trimmed = true;
        }
    }

    /// Gives the whole series the visibility of one of its occurrences.
    fn spread_visibility(&mut self, now: DateTime<Utc>, calendar_id: &str, instance: &Event) {
        let Some(calendar) = self.calendars.get(calendar_id) else { return };
        let Some(slot) = &instance.slot else { return };
        let master = calendar.events.get(&slot.master).into_iter();
        let series: Vec<Event> = master
            .chain(calendar.exceptions_of(&slot.master))
            .filter(|event| event.id != instance.id && !event.hidden && !event.cancelled())
            .cloned()
            .collect();
        for old in series {
            let mut new = old.clone();
            if let Some(visibility) = instance.fields.get("visibility") {
                new.fields.insert("visibility".to_owned(), visibility.clone());
            }
            self.restamp(now, &old, &mut new);
            self.put(calendar_id, new);
        }
    }

    pub(crate) fn check_writer(&self, writer: &Writer, calendar: &str) -> Result<(), Refusal> {
        if writer.in_person {
            return Ok(());
        }
        let (_, role) = self.access(&writer.principal, calendar)?;
        if role < Role::WriterWithoutPrivateAccess { Err(Refusal::writer_needed()) } else { Ok(()) }
    }

    fn check_private(&self, writer: &Writer, calendar: &str, event: &Event) -> Result<(), Refusal> {
        let private = matches!(event.text("visibility"), "private" | "confidential");
        if writer.in_person || !private {
            return Ok(());
        }
        let (_, role) = self.access(&writer.principal, calendar)?;
        if role < Role::Writer { Err(Refusal::forbidden()) } else { Ok(()) }
    }

    fn reading(&self, writer: &Writer, calendar: &str, instance: bool) -> Result<Reading<'_>, Refusal> {
        let calendar = self.calendars.get(calendar).ok_or_else(Refusal::not_found)?;
        Ok(Reading {
            zone: &calendar.zone,
            behaviour: &self.behaviour,
            instance,
            lenient: writer.in_person,
            conference: writer.asks("conferenceDataVersion"),
            labels: !writer.in_person && writer.asks("eventLabelVersion"),
            attachments: writer.asks("supportsAttachments"),
        })
    }

    /// The organizer sits on the guest list as soon as there is one.
    fn seat_organizer(&self, calendar_id: &str, event: &mut Event) {
        let primary = self.calendars.get(calendar_id).is_some_and(|calendar| calendar.primary());
        if !self.behaviour.organizer_joins_guests || !primary || !same_address(&event.organizer, calendar_id)
        {
            return;
        }
        let attendees = event.attendees();
        if attendees.is_empty() || attendees.iter().any(|guest| same_address(email_of(guest), calendar_id)) {
            return;
        }
        let mut attendees = attendees.to_vec();
        attendees.push(json!({ "email": calendar_id, "responseStatus": "accepted" }));
        event.fields.insert("attendees".to_owned(), Value::Array(attendees));
    }

    /// Gives a written event its new etag, and a new `updated` unless only reminders changed.
    pub(crate) fn restamp(&mut self, now: DateTime<Utc>, old: &Event, new: &mut Event) {
        let same = old.fields == new.fields
            && timing(old) == timing(new)
            && (old.status, old.hidden, old.sequence) == (new.status, new.hidden, new.sequence);
        let reminders_only = same && old.reminders != new.reminders;
        if reminders_only && !self.behaviour.reminder_change_alters_etag {
            return;
        }
        if same && !reminders_only && !self.behaviour.unchanged_write_alters_etag && !old.hidden {
            return;
        }
        let stamp = self.tick(now);
        new.etag = stamp;
        new.touched = now.timestamp_millis();
        if !reminders_only {
            new.updated = stamp;
        }
    }

    pub(crate) fn put(&mut self, calendar: &str, event: Event) {
        if let Some(calendar) = self.calendars.get_mut(calendar) {
            calendar.store(event);
        }
    }

    /// Replaces a stored event without a new change.
    fn put_quietly(&mut self, calendar: &str, event: &Event) {
        if let Some(calendar) = self.calendars.get_mut(calendar)
            && let Some(stored) = calendar.events.get_mut(&event.id)
        {
            stored.removed_by_guest = event.removed_by_guest;
        }
    }

    fn stored(&self, calendar: &str, id: &str) -> Result<Event, Refusal> {
        let calendar = self.calendars.get(calendar).ok_or_else(Refusal::not_found)?;
        calendar.events.get(id).cloned().ok_or_else(Refusal::not_found)
    }
}

/// What makes the sequence number grow: time and recurrence, not the title.
pub(crate) fn timing(event: &Event) -> (String, String, Option<&str>, Option<&str>, Vec<String>) {
    let text = |when: &super::when::When| when.suffix();
    (text(&event.start), text(&event.end), event.start.zone_name(), event.end.zone_name(), event.recurrence())
}

/// Lowercase base32hex, 5 to 1024 characters.
fn is_client_id(id: &str) -> bool {
    (5..=1024).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'))
}

pub(crate) fn check_condition(if_match: Option<&str>, event: &Event) -> Result<(), Refusal> {
    let Some(condition) = if_match.map(str::trim).filter(|condition| *condition != "*") else {
        return Ok(());
    };
    let etag = event.etag();
    let met = condition.split(',').any(|one| one.trim().trim_start_matches("W/") == etag);
    if met { Ok(()) } else { Err(Refusal::condition_not_met()) }
}

/// A deleted event comes back only when its organizer asks for it by status.
fn check_restoration(
    writer: &Writer,
    old: &Event,
    organizing: bool,
    body: &Map<String, Value>,
) -> Result<(), Refusal> {
    if writer.in_person {
        return Ok(());
    }
    // Patching a cancelled instance without saying when it is gives this text.
    if old.slot.is_some() && (body.get("start").is_none() || body.get("end").is_none()) {
        return Err(Refusal::invalid("Invalid start time."));
    }
    let asked = matches!(body.get("status").and_then(Value::as_str), Some("confirmed" | "tentative"));
    if old.hidden || !organizing || !asked { Err(Refusal::forbidden()) } else { Ok(()) }
}

/// With `attendeesOmitted` only the participant's own entry is taken from the body.
fn keep_omitted_guests(wanted: &mut Map<String, Value>, old: &Event, calendar: &str) {
    if wanted.remove("attendeesOmitted") != Some(Value::Bool(true)) {
        return;
    }
    let own = wanted
        .get("attendees")
        .and_then(Value::as_array)
        .and_then(|guests| guests.iter().find(|guest| same_address(email_of(guest), calendar)).cloned());
    let mut guests = old.attendees().to_vec();
    if let Some(own) = own {
        for guest in guests.iter_mut().filter(|guest| same_address(email_of(guest), calendar)) {
            *guest = own.clone();
        }
    }
    wanted.insert("attendees".to_owned(), Value::Array(guests));
}

/// Fields that a body cannot take away: what it is not allowed to touch without a version, and what the server owns.
fn carry_over(writer: &Writer, old: &Event, new: &mut Event, reading: &Reading<'_>) {
    let mut names: Vec<&str> = vec!["eventType"];
    if !reading.conference {
        names.push("conferenceData");
    }
    if !reading.attachments {
        names.push("attachments");
    }
    if !writer.in_person {
        names.push(if reading.labels { "colorId" } else { "eventLabelId" });
        names.extend(["hangoutLink", "locked"]);
    }
    for name in names {
        if let Some(value) = old.fields.get(name)
            && !new.fields.contains_key(name)
        {
            new.fields.insert(name.to_owned(), value.clone());
        }
    }
}

/// Since 2026-07-07 a more restrictive visibility of one occurrence spreads to its whole series (the result says so),
/// and a less restrictive one is ignored.
fn settle_visibility(old: &Event, new: &mut Event) -> bool {
    let rank = |event: &Event| match event.text("visibility") {
        "public" => 0,
        "" => 1,
        _ => 2,
    };
    if new.slot.is_none() || rank(new) == rank(old) {
        return false;
    }
    if rank(new) > rank(old) {
        return true;
    }
    match old.fields.get("visibility") {
        Some(visibility) => new.fields.insert("visibility".to_owned(), visibility.clone()),
        None => new.fields.remove("visibility"),
    };
    false
}

fn check_locked(old: &Event, new: &Event) -> Result<(), Refusal> {
    let locked = ["summary", "description", "location"].iter().any(|name| old.text(name) != new.text(name))
        || timing(old) != timing(new);
    if old.flag("locked", false) && locked { Err(Refusal::forbidden()) } else { Ok(()) }
}

fn check_sequence(given: Option<i64>, current: i64) -> Result<(), Refusal> {
    if given.is_some_and(|given| given < current) {
        return Err(Refusal::invalid(
            "Invalid sequence value. The specified sequence number is below the current sequence number of the \
             resource. Re-fetch the resource and use its sequence number on the following request.",
        ));
    }
    Ok(())
}

/// A service account that acts as itself may not invite.
fn check_invitation(writer: &Writer, before: &[Value], event: &Event) -> Result<(), Refusal> {
    let invites = event.attendees().iter().any(|guest| {
        let email = email_of(guest);
        !same_address(email, &writer.principal.email)
            && !before.iter().any(|known| same_address(email_of(known), email))
    });
    if writer.principal.undelegated && invites { Err(Refusal::service_account_invites()) } else { Ok(()) }
}

/// Turns a request for a conference into the conference, which Google does a moment later.
fn settle_conference(event: &mut Event) {
    let Some(conference) = event.fields.get("conferenceData").cloned() else { return };
    let Some(request) = conference.get("createRequest") else { return };
    if conference.get("conferenceId").is_some() {
        return;
    }
    let hash = seal::event_id(seal::hash(&format!("meet {} {request}", event.id)));
    let code = format!(
        "{}-{}-{}",
        hash.get(0..3).unwrap_or("abc"),
        hash.get(3..7).unwrap_or("defg"),
        hash.get(7..10).unwrap_or("hij")
    );
    let mut request = request.clone();
    if let Some(request) = request.as_object_mut() {
        request.insert("status".to_owned(), json!({ "statusCode": "success" }));
    }
    let link = format!("https://meet.google.com/{code}");
    event.fields.insert("hangoutLink".to_owned(), json!(link));
    event.fields.insert(
        "conferenceData".to_owned(),
        json!({
            "createRequest": request,
            "conferenceId": code,
            "conferenceSolution": { "key": { "type": "hangoutsMeet" }, "name": "Google Meet" },
            "entryPoints": [{ "entryPointType": "video", "uri": link, "label": link.trim_start_matches("https://") }],
        }),
    );
}
