//! `calendarList` and `calendars`: which calendars somebody sees, and what a calendar is.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::FakeGoogle;
use super::auth::Principal;
use super::incoming::Params;
use super::model::{Calendar, Role, same_address};
use super::refusal::Refusal;
use super::seal;

impl FakeGoogle {
    pub(crate) fn list_calendars(
        &self,
        now: DateTime<Utc>,
        principal: &Principal,
        params: &Params,
    ) -> Result<Value, Refusal> {
        let account = self.accounts.get(&principal.email).ok_or_else(Refusal::not_a_calendar_user)?;
        let owner = |kind: &str| {
            let text = format!(
                "{kind} {} {}",
                principal.email,
                params.fingerprint(&["pageToken", "syncToken", "maxResults"])
            );
            format!("{:016x}", seal::hash(&text))
        };
        let restricted =
            params.text("minAccessRole").is_some() || params.flag("showOwnOrganizationOnly") == Some(true);
        let mut since = None;
        let mut upto = account.list_changes;
        let mut after = String::new();
        if let Some(token) = params.text("syncToken") {
            if restricted
                || params.flag("showDeleted") == Some(false)
                || params.flag("showHidden") == Some(false)
            {
                return Err(Refusal::sync_token_restrictions());
            }
            let parts = seal::open("calendars", token).ok_or_else(Refusal::invalid_sync_token)?;
            let [who, change, epoch, _] = parts.as_slice() else { return Err(Refusal::invalid_sync_token()) };
            if *who != principal.email {
                return Err(Refusal::invalid_sync_token());
            }
            if *epoch != self.epoch.to_string() {
                return Err(Refusal::full_sync_required());
            }
            since = change.parse::<u64>().ok();
        }
        if let Some(token) = params.text("pageToken") {
            let parts = seal::open("calendar page", token).ok_or_else(Refusal::invalid_page_token)?;
            let [who, from, to, last] = parts.as_slice() else { return Err(Refusal::invalid_page_token()) };
            if *who != owner("page") {
                return Err(Refusal::invalid_page_token());
            }
            since = from.parse().ok();
            upto = to.parse().map_err(|_| Refusal::invalid_page_token())?;
            after.clone_from(last);
        }
        let least = params.text("minAccessRole").and_then(Role::named);
        let size = params.number("maxResults").unwrap_or(100).min(250);
        let mut items: Vec<(String, Value)> = Vec::new();
        for (id, entry) in account.list.range::<String, _>((
            if after.is_empty() { std::ops::Bound::Unbounded } else { std::ops::Bound::Excluded(after) },
            std::ops::Bound::Unbounded,
        )) {
            let calendar = self.calendars.get(id);
            let role = calendar.and_then(|calendar| calendar.role(&principal.email));
            let deleted = entry.deleted || role.is_none();
            match since {
                Some(since) if entry.change <= since || entry.change > upto => continue,
                None if deleted && params.flag("showDeleted") != Some(true) => continue,
                _ => {}
            }
            let item = match (calendar, role) {
                (Some(calendar), Some(role)) if !deleted => {
                    if least.is_some_and(|least| role < least) {
                        continue;
                    }
                    entry_json(calendar, role, &principal.email)
                }
                _ => json!({
                    "kind": "calendar#calendarListEntry",
                    "etag": format!("\"{}\"", entry.change),
                    "id": id,
                    "deleted": true,
                }),
            };
            items.push((id.clone(), item));
            if items.len() > size {
                break;
            }
        }
        let more = items.len() > size;
        items.truncate(size);
        let last = items.last().map(|(id, _)| id.clone()).unwrap_or_default();
        let mut body = json!({
            "kind": "calendar#calendarList",
            "etag": format!("\"p{}\"", account.list_changes),
            "items": items.into_iter().map(|(_, item)| item).collect::<Vec<_>>(),
        });
        if more {
            let since = since.map(|since| since.to_string()).unwrap_or_default();
            body["nextPageToken"] =
                json!(seal::seal("calendar page", &[owner("page"), since, upto.to_string(), last]));
        } else if !restricted {
            let parts = [
                principal.email.clone(),
                upto.to_string(),
                self.epoch.to_string(),
                now.timestamp().to_string(),
            ];
            body["nextSyncToken"] = json!(seal::seal("calendars", &parts));
        }
        Ok(body)
    }

    pub(crate) fn get_calendar_entry(&self, principal: &Principal, id: &str) -> Result<Value, Refusal> {
        let account = self.accounts.get(&principal.email).ok_or_else(Refusal::not_a_calendar_user)?;
        let (calendar, role) = self.access(principal, id)?;
        // Shared is not enough: the calendar must be on the list.
        match account.list.get(&calendar.id) {
            Some(entry) if !entry.deleted => Ok(entry_json(calendar, role, &principal.email)),
            _ => Err(Refusal::not_found()),
        }
    }

    pub(crate) fn insert_calendar_entry(
        &mut self,
        principal: &Principal,
        body: &Map<String, Value>,
    ) -> Result<Value, Refusal> {
        let id = body.get("id").and_then(Value::as_str).ok_or_else(|| Refusal::required("Required"))?;
        let (calendar, role) = self.access(principal, id)?;
        let (id, entry) = (calendar.id.clone(), entry_json(calendar, role, &principal.email));
        if let Some(account) = self.accounts.get_mut(&principal.email) {
            account.enlist(&id, false);
        }
        Ok(entry)
    }

    /// Takes a calendar off the own list; the access to it stays. One's own calendars cannot be taken off.
    pub(crate) fn delete_calendar_entry(&mut self, principal: &Principal, id: &str) -> Result<(), Refusal> {
        let owner = self.access(principal, id)?.0.owner.clone();
        let account = self.accounts.get_mut(&principal.email).ok_or_else(Refusal::not_a_calendar_user)?;
        if account.list.get(id).is_none_or(|entry| entry.deleted) {
            return Err(Refusal::not_found());
        }
        if same_address(&owner, &principal.email) {
            return Err(Refusal::forbidden());
        }
        account.enlist(id, true);
        Ok(())
    }

    pub(crate) fn get_calendar(&self, principal: &Principal, id: &str) -> Result<(String, Value), Refusal> {
        let (calendar, role) = self.access(principal, id)?;
        let mut body = json!({
            "kind": "calendar#calendar",
            "etag": etag(calendar),
            "id": calendar.id,
            "summary": calendar.summary,
            "timeZone": calendar.zone.name,
            "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
        });
        if let Some(description) = &calendar.description {
            body["description"] = json!(description);
        }
        if !calendar.primary() {
            body["dataOwner"] = json!(calendar.owner);
        }
        // Working hours exist on primary calendars of Workspace users only.
        let workspace =
            self.accounts.get(&calendar.owner).is_some_and(|owner| owner.workspace && !owner.service);
        if let Some(hours) = calendar.working_hours.as_ref().filter(|_| workspace && role >= Role::Reader) {
            body["workingHours"] = hours.clone();
        }
        Ok((etag(calendar), body))
    }
}

fn etag(calendar: &Calendar) -> String {
    format!("\"c{}\"", calendar.etag)
}

fn entry_json(calendar: &Calendar, role: Role, reader: &str) -> Value {
    let mut entry = json!({
        "kind": "calendar#calendarListEntry",
        "etag": etag(calendar),
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.zone.name,
        "colorId": "14",
        "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000",
        "selected": true,
        "accessRole": role.name(),
        "defaultReminders": calendar.default_reminders,
        "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
    });
    if let Some(description) = &calendar.description {
        entry["description"] = json!(description);
    }
    if same_address(&calendar.id, reader) {
        entry["primary"] = json!(true);
    } else if !calendar.primary() {
        entry["dataOwner"] = json!(calendar.owner);
    }
    entry
}
