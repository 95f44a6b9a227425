//! As a user in Google's own pages: edits that no client of the API made.
//!
//! Nothing is checked that Google's pages would make impossible to enter, nothing is journalled, nobody is mailed;
//! etags, `updated`, `sequence` and the copies of guests change as after any other write. The verbs take the event as
//! JSON in the API's own form, and what they take is kept even where the API would refuse it, because real calendars
//! hold such events from imports of long ago.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};

use super::FakeGoogle;
use super::auth::Principal;
use super::draft::{Draft, Reading, merge, writable};
use super::expand::Series;
use super::incoming::Params;
use super::model::{Calendar, Event, Slot, email_of, instance_id};
use super::refusal::Refusal;
use super::when::When;
use super::write::{How, Writer};

impl FakeGoogle {
    /// A new event; gives its id. `id`, `iCalUID`, `organizer` and `creator` may be set: with an organizer from
    /// elsewhere the event is a guest's copy.
    ///
    /// # Errors
    ///
    /// The calendar is unknown, the id is taken, or the body has no usable start and end.
    pub fn user_insert(
        &mut self,
        now: DateTime<Utc>,
        calendar: &str,
        event: &Value,
    ) -> Result<String, Refusal> {
        let writer = self.in_person(now, calendar)?;
        self.insert_event(&writer, calendar, &map(event)?).map(|event| event.id)
    }

    /// Changes some fields, as a PATCH does. The id may be that of an occurrence.
    ///
    /// # Errors
    ///
    /// There is no such event, or it would have no usable start and end.
    pub fn user_patch(
        &mut self,
        now: DateTime<Utc>,
        calendar: &str,
        id: &str,
        patch: &Value,
    ) -> Result<(), Refusal> {
        let writer = self.in_person(now, calendar)?;
        self.change_event(&writer, calendar, id, None, How::Patch, &map(patch)?).map(|_| ())
    }

    /// Deletes an event, a series or one occurrence.
    ///
    /// # Errors
    ///
    /// There is no such event, or it is deleted already.
    pub fn user_delete(&mut self, now: DateTime<Utc>, calendar: &str, id: &str) -> Result<(), Refusal> {
        let writer = self.in_person(now, calendar)?;
        self.delete_event(&writer, calendar, id, None)
    }

    /// Deletes the occurrence in a slot: `2026-01-05`, `20260105`, `20260105T080000Z` or RFC 3339.
    ///
    /// # Errors
    ///
    /// The series has no such occurrence, or it is cancelled already.
    pub fn user_cancel_instance(
        &mut self,
        now: DateTime<Utc>,
        calendar: &str,
        master: &str,
        slot: &str,
    ) -> Result<(), Refusal> {
        self.user_delete(now, calendar, &format!("{master}_{}", suffix(slot)))
    }

    /// Moves the occurrence in a slot to another start and end (in the API's form, `{date}` or `{dateTime}`).
    ///
    /// # Errors
    ///
    /// The series has no such occurrence, or the new times are unusable.
    pub fn user_move_instance(
        &mut self,
        now: DateTime<Utc>,
        calendar: &str,
        master: &str,
        slot: &str,
        start: &Value,
        end: &Value,
    ) -> Result<(), Refusal> {
        let edge = |given: &Value| {
            let mut edge = json!({ "date": null, "dateTime": null });
            for (key, value) in given.as_object().into_iter().flatten() {
                edge[key] = value.clone();
            }
            edge
        };
        let patch = json!({ "start": edge(start), "end": edge(end) });
        self.user_patch(now, calendar, &format!("{master}_{}", suffix(slot)), &patch)
    }

    /// Answers an invitation on the guest's own calendar: `accepted`, `declined`, `tentative`, `needsAction`.
    ///
    /// # Errors
    ///
    /// There is no such event.
    pub fn user_respond(
        &mut self,
        now: DateTime<Utc>,
        calendar: &str,
        id: &str,
        response: &str,
    ) -> Result<(), Refusal> {
        let own = json!([{ "email": calendar, "responseStatus": response }]);
        self.user_patch(now, calendar, id, &json!({ "attendeesOmitted": true, "attendees": own }))
    }

    /// Takes a deleted event, series or occurrence out of the bin.
    ///
    /// # Errors
    ///
    /// There is no such event.
    pub fn user_restore(&mut self, now: DateTime<Utc>, calendar: &str, id: &str) -> Result<(), Refusal> {
        self.user_patch(now, calendar, id, &json!({ "status": "confirmed" }))
    }

    /// Empties the bin of one event: the tombstone is gone from every listing, and the id is free.
    pub fn user_purge(&mut self, calendar: &str, id: &str) {
        if let Some(calendar) = self.calendars.get_mut(calendar) {
            calendar.forget(id);
        }
    }

    /// "This and following events": ends the series before a slot and begins a new one there, changed by `patch`. Gives
    /// the id of the new series.
    ///
    /// The new id is `<old>_R<slot>`; private extended properties are copied, so that two series claim the same record;
    /// the old rule ends at 23:59:59 local time of the day before, written in UTC; exceptions from the slot on leave the
    /// old series without a tombstone and belong to the new one.
    ///
    /// # Errors
    ///
    /// The series has no such occurrence, or it is the first.
    pub fn user_split(
        &mut self,
        now: DateTime<Utc>,
        calendar_id: &str,
        master: &str,
        slot: &str,
        patch: &Value,
    ) -> Result<String, Refusal> {
        let calendar = self.calendars.get(calendar_id).ok_or_else(Refusal::not_found)?;
        let old = calendar.events.get(master).cloned().ok_or_else(Refusal::not_found)?;
        let series = old.series.clone().ok_or_else(Refusal::not_found)?;
        let start = calendar.slot_start(&suffix(slot), &old.start).ok_or_else(Refusal::not_found)?;
        let zone = calendar.zone.clone();
        if !series.contains(&start, &zone) || series.slots().next().as_ref() == Some(&start) {
            return Err(Refusal::not_found());
        }
        let id = format!("{}_R{}", base_id(master), start.suffix().trim_end_matches('Z'));
        if calendar.events.contains_key(&id) {
            return Err(Refusal::duplicate());
        }
        let (before, after) = split_lines(&old, &start, calendar);

        let mut body = writable(&old, &zone, &calendar.owner);
        body.insert("recurrence".to_owned(), json!(after));
        body.insert("start".to_owned(), start.render(&zone));
        body.insert("end".to_owned(), series.end_of(&start).render(&zone));
        merge(&mut body, &map(patch)?);
        let reading = Reading {
            zone: &zone,
            behaviour: &self.behaviour,
            instance: false,
            lenient: true,
            conference: true,
            labels: false,
            attachments: true,
        };
        let draft = Draft::read(&body, &reading)?;
        let moved: Vec<Event> = calendar
            .exceptions_of(master)
            .filter(|event| !event.hidden)
            .filter(|event| {
                event.slot.as_ref().is_some_and(|slot| slot.start.instant(&zone) >= start.instant(&zone))
            })
            .cloned()
            .collect();

        for exception in &moved {
            self.forget_with_copies(calendar_id, exception);
        }
        let mut trimmed = old.clone();
        trimmed.fields.insert("recurrence".to_owned(), json!(before));
        trimmed.reparse(&zone);
        trimmed.sequence += 1;
        self.restamp(now, &old, &mut trimmed);
        self.put(calendar_id, trimmed.clone());
        self.follow_series(now, calendar_id, &old, &trimmed);
        self.propagate(now, calendar_id, Some(&old), &trimmed);

        let stamp = self.tick(now);
        let rest = Event {
            id: id.clone(),
            uid: format!("{id}@google.com"),
            fields: draft.fields,
            start: draft.start,
            end: draft.end,
            series: draft.series,
            updated: stamp,
            etag: stamp,
            touched: now.timestamp_millis(),
            ..old
        };
        self.put(calendar_id, rest.clone());
        self.propagate(now, calendar_id, None, &rest);
        for exception in moved {
            let Some(Slot { start, .. }) = exception.slot.clone() else { continue };
            let exception = Event {
                id: instance_id(&id, &start),
                uid: rest.uid.clone(),
                slot: Some(Slot { master: id.clone(), start }),
                etag: self.tick(now),
                ..exception
            };
            self.put(calendar_id, exception.clone());
            self.propagate(now, calendar_id, None, &exception);
        }
        Ok(id)
    }

    /// Moves an event to another calendar: the same id appears there, a tombstone stays behind.
    ///
    /// # Errors
    ///
    /// There is no such event, or no such calendar.
    pub fn user_move_to(
        &mut self,
        now: DateTime<Utc>,
        calendar: &str,
        id: &str,
        destination: &str,
    ) -> Result<(), Refusal> {
        let from = self.calendars.get(calendar).ok_or_else(Refusal::not_found)?;
        if !self.calendars.contains_key(destination) {
            return Err(Refusal::not_found());
        }
        let event =
            from.events.get(id).filter(|event| !event.hidden).cloned().ok_or_else(Refusal::not_found)?;
        let mut moving: Vec<Event> = from.exceptions_of(id).filter(|event| !event.hidden).cloned().collect();
        moving.insert(0, event.clone());
        self.cancel(now, calendar, &event);
        for mut event in moving {
            event.organizer = destination.to_owned();
            let stamp = self.tick(now);
            (event.updated, event.etag, event.touched) = (stamp, stamp, now.timestamp_millis());
            self.put(destination, event.clone());
            self.propagate(now, destination, None, &event);
        }
        Ok(())
    }

    fn in_person(&self, now: DateTime<Utc>, calendar: &str) -> Result<Writer, Refusal> {
        let owner = &self.calendars.get(calendar).ok_or_else(Refusal::not_found)?.owner;
        let principal = Principal::in_person(owner);
        Ok(Writer { now, principal, params: Params::default(), request: self.requests, in_person: true })
    }

    fn forget_with_copies(&mut self, calendar: &str, event: &Event) {
        let guests: Vec<String> =
            event.attendees().iter().map(|guest| email_of(guest).to_ascii_lowercase()).collect();
        for guest in guests.iter().filter(|guest| self.behaviour.propagate_copies && *guest != calendar) {
            if let Some(theirs) = self.calendars.get_mut(guest)
                && theirs.events.get(&event.id).is_some_and(|copy| copy.uid == event.uid)
            {
                theirs.forget(&event.id);
            }
        }
        if let Some(calendar) = self.calendars.get_mut(calendar) {
            calendar.forget(&event.id);
        }
    }
}

fn map(value: &Value) -> Result<Map<String, Value>, Refusal> {
    value.as_object().cloned().ok_or_else(|| Refusal::new(400, "global", "parseError", "Parse Error"))
}

/// A slot in the form that instance ids have.
fn suffix(slot: &str) -> String {
    match DateTime::parse_from_rfc3339(slot) {
        Ok(at) => at.with_timezone(&Utc).format("%Y%m%dT%H%M%SZ").to_string(),
        Err(_) => slot.replace(['-', ':'], ""),
    }
}

/// The id without the mark of an earlier split.
fn base_id(id: &str) -> &str {
    match id.rsplit_once("_R") {
        Some((base, mark))
            if mark.len() >= 8 && mark.bytes().all(|byte| byte.is_ascii_digit() || byte == b'T') =>
        {
            base
        }
        _ => id,
    }
}

/// The recurrence lines before and from the slot on.
fn split_lines(old: &Event, start: &When, calendar: &Calendar) -> (Vec<String>, Vec<String>) {
    let zone = &calendar.zone;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let at = start.instant(zone);
    let own_zone = match &old.start {
        When::Time { zone: Some(own), .. } => own.clone(),
        _ => zone.clone(),
    };
    let eve = start.wall(zone).date() - Duration::days(1);
    let until = if start.is_date() {
        eve.format("%Y%m%d").to_string()
    } else {
        let last = eve.and_hms_opt(23, 59, 59).unwrap_or_default();
        own_zone.instant(last).format("%Y%m%dT%H%M%SZ").to_string()
    };
    for line in old.recurrence() {
        let Some((head, value)) = line.split_once(':') else { continue };
        if head.to_ascii_uppercase().starts_with("RRULE") {
            let parts: Vec<&str> = value
                .split(';')
                .filter(|part| {
                    let part = part.to_ascii_uppercase();
                    !part.starts_with("COUNT=") && !part.starts_with("UNTIL=")
                })
                .collect();
            before.push(format!("{head}:{};UNTIL={until}", parts.join(";")));
            let count = value.split(';').find_map(|part| part.strip_prefix("COUNT=")?.parse::<usize>().ok());
            match count {
                None => after.push(line.clone()),
                Some(count) => {
                    let alone = Series::parse(&old.start, &old.end, std::slice::from_ref(&line), zone, false);
                    let gone = alone
                        .map_or(0, |rule| rule.slots().take_while(|slot| slot.instant(zone) < at).count());
                    let rest = count.saturating_sub(gone).max(1);
                    after.push(format!("{head}:{};COUNT={rest}", parts.join(";")));
                }
            }
        } else if head.to_ascii_uppercase().starts_with("RDATE") {
            for value in value.split(',') {
                let line = format!("{head}:{value}");
                let alone = Series::parse(&old.start, &old.end, std::slice::from_ref(&line), zone, false);
                let later = alone.is_ok_and(|dates| dates.slots().any(|slot| slot.instant(zone) >= at));
                if later { after.push(line) } else { before.push(line) }
            }
        } else {
            before.push(line.clone());
            after.push(line);
        }
    }
    (before, after)
}
