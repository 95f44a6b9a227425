//! `events.instances`: the occurrences of one series, exceptions in their places.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::FakeGoogle;
use super::auth::Principal;
use super::incoming::Params;
use super::list::{free, page_owner};
use super::model::{Calendar, Event, Status, instance_id};
use super::refusal::Refusal;
use super::seal;
use super::when::{When, render_millis};

impl FakeGoogle {
    pub(crate) fn list_instances(
        &self,
        now: DateTime<Utc>,
        principal: &Principal,
        calendar: &str,
        master: &str,
        params: &Params,
    ) -> Result<Value, Refusal> {
        let (calendar, role) = self.access(principal, calendar)?;
        let view = self.view(calendar, &principal.email, role, params)?;
        let master =
            calendar.events.get(master).filter(|event| !event.hidden).ok_or_else(Refusal::not_found)?;
        if let (Some(from), Some(to)) = (params.time("timeMin"), params.time("timeMax"))
            && to <= from
        {
            return Err(Refusal::time_range_empty());
        }
        let after = match params.text("pageToken") {
            None => String::new(),
            Some(token) => match seal::open("instances", token).as_deref() {
                Some([owner, after]) if *owner == page_owner(calendar, principal, params) => after.clone(),
                _ => return Err(Refusal::invalid_page_token()),
            },
        };
        let deleted = params.flag("showDeleted") == Some(true);
        let size = params.number("maxResults").unwrap_or(250).min(2500);
        let key = |event: &Event| {
            let start = event.slot.as_ref().map_or(&event.start, |slot| &slot.start);
            format!("{:020}", start.instant(&calendar.zone).timestamp() + 100_000_000_000)
        };
        let original = params.text("originalStart").map(|text| {
            DateTime::parse_from_rfc3339(text).map_or_else(
                |_| text.to_owned(),
                |at| at.with_timezone(&Utc).format("%Y%m%dT%H%M%SZ").to_string(),
            )
        });
        let mut found: Vec<(String, Event)> = self
            .instances_of(calendar, master, now, params.time("timeMin"), params.time("timeMax"))
            .into_iter()
            .filter(|event| deleted || !event.cancelled())
            .filter(|event| {
                let start = event.slot.as_ref().map_or(&event.start, |slot| &slot.start);
                original.as_ref().is_none_or(|wanted| start.suffix() == wanted.replace('-', ""))
            })
            .map(|event| (key(&event), event))
            .filter(|(key, _)| after.is_empty() || *key > after)
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let more = found.len() > size;
        found.truncate(size);
        let mut body = json!({
            "kind": "calendar#events",
            "etag": master.etag(),
            "summary": calendar.summary,
            "updated": render_millis(master.updated),
            "timeZone": calendar.zone.name,
            "accessRole": role.name(),
            "defaultReminders": calendar.default_reminders,
            "items": found.iter().map(|(_, event)| view.listed(event)).collect::<Vec<_>>(),
        });
        if let Some((key, _)) = found.last().filter(|_| more) {
            let parts = [page_owner(calendar, principal, params), key.clone()];
            body["nextPageToken"] = json!(seal::seal("instances", &parts));
        }
        Ok(body)
    }

    /// The occurrences of a series with its exceptions in their places, cancelled ones included.
    pub(crate) fn instances_of(
        &self,
        calendar: &Calendar,
        master: &Event,
        now: DateTime<Utc>,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
    ) -> Vec<Event> {
        let horizon = to.unwrap_or_else(|| now + Duration::days(self.behaviour.expansion_days));
        let overlaps = |start: &When, end: &When| {
            let (start, end) = (start.instant(&calendar.zone), end.instant(&calendar.zone));
            start < horizon && from.is_none_or(|from| end > from || (start == end && end >= from))
        };
        let mut instances: Vec<Event> = calendar
            .exceptions_of(&master.id)
            .filter(|event| !event.hidden && overlaps(&event.start, &event.end))
            .cloned()
            .collect();
        if let Some(series) = &master.series {
            for slot in series.between(from, horizon, &calendar.zone) {
                if free(calendar, &instance_id(&master.id, &slot)) {
                    instances.push(calendar.occurrence(master, series, &slot));
                }
            }
        }
        if master.cancelled() {
            for event in &mut instances {
                event.status = Status::Cancelled;
            }
        }
        instances
    }
}
