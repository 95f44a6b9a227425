//! Partial responses: the `fields` parameter.
//!
//! `items(id,start/dateTime),nextPageToken` keeps what it names and drops the rest, through arrays as through objects;
//! `*` keeps everything at its level. A mask that does not parse, or names a field that no Calendar resource has, is
//! refused, as Google does.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What to keep: nothing below a name means everything below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mask(BTreeMap<String, Mask>);

impl Mask {
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut parser = Parser { rest: text };
        let mask = parser.list(0).filter(|mask| parser.rest.is_empty() && !mask.0.is_empty());
        let refused = || Refusal::invalid_parameter("fields", &format!("Invalid field selection {text}"));
        let mask = mask.ok_or_else(refused)?;
        if !mask.known() {
            return Err(refused());
        }
        Ok(mask)
    }

    pub(crate) fn apply(&self, value: Value) -> Value {
        if self.0.is_empty() {
            return value;
        }
        match value {
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.apply(item)).collect()),
            Value::Object(map) => {
                let mut kept = Map::new();
                for (key, value) in map {
                    if let Some(mask) = self.0.get(&key).or_else(|| self.0.get("*")) {
                        kept.insert(key, mask.apply(value));
                    }
                }
                Value::Object(kept)
            }
            other => other,
        }
    }

    fn known(&self) -> bool {
        self.0.iter().all(|(name, below)| {
            // Below these two the names are the client's own.
            name == "*"
                || name == "private"
                || name == "shared"
                || (NAMES.contains(&name.as_str()) && below.known())
        })
    }

    fn merge(&mut self, path: &[&str], below: Self) {
        match path.split_first() {
            Some((first, rest)) => self.0.entry((*first).to_owned()).or_default().merge(rest, below),
            None => self.0.extend(below.0),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn list(&mut self, depth: usize) -> Option<Mask> {
        if depth > 20 {
            return None;
        }
        let mut mask = Mask::default();
        loop {
            let mut path = vec![self.name()?];
            while self.eat('/') {
                path.push(self.name()?);
            }
            let below = if self.eat('(') {
                let below = self.list(depth + 1)?;
                if !self.eat(')') {
                    return None;
                }
                below
            } else {
                Mask::default()
            };
            mask.merge(&path, below);
            if !self.eat(',') {
                return Some(mask);
            }
        }
    }

    fn name(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "*_-.".contains(c)))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        (!name.is_empty()).then_some(name)
    }

    fn eat(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

/// The property names of the calendar, calendar list and event resources in the discovery document 20261030.
const NAMES: &[&str] = &[
    "accessCode",
    "accessRole",
    "addOnParameters",
    "additionalGuests",
    "allowedConferenceSolutionTypes",
    "anyoneCanAddSelf",
    "asyncOperation",
    "attachments",
    "attendees",
    "attendeesOmitted",
    "autoAcceptInvitations",
    "autoDeclineMode",
    "availableTimes",
    "backgroundColor",
    "birthdayProperties",
    "buildingId",
    "chatStatus",
    "code",
    "colorId",
    "comment",
    "conferenceData",
    "conferenceId",
    "conferenceProperties",
    "conferenceSolution",
    "conferenceSolutionKey",
    "contact",
    "createRequest",
    "created",
    "creator",
    "customLocation",
    "customTypeName",
    "dataOwner",
    "date",
    "dateTime",
    "dayOfWeek",
    "declineMessage",
    "defaultReminders",
    "deleted",
    "description",
    "deskId",
    "display",
    "displayName",
    "email",
    "end",
    "endTimeUnspecified",
    "entryPointFeatures",
    "entryPointType",
    "entryPoints",
    "error",
    "errors",
    "etag",
    "eventLabelId",
    "eventLabels",
    "eventType",
    "extendedProperties",
    "fileId",
    "fileUrl",
    "floorId",
    "floorSectionId",
    "focusTimeProperties",
    "foregroundColor",
    "gadget",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
    "hangoutLink",
    "height",
    "hidden",
    "homeOffice",
    "htmlLink",
    "iCalUID",
    "iconLink",
    "iconUri",
    "id",
    "items",
    "key",
    "kind",
    "label",
    "labelProperties",
    "link",
    "location",
    "locked",
    "meetingCode",
    "message",
    "method",
    "mimeType",
    "minutes",
    "name",
    "nextPageToken",
    "nextSyncToken",
    "notes",
    "notificationSettings",
    "notifications",
    "officeLocation",
    "optional",
    "organizer",
    "originalStartTime",
    "outOfOfficeProperties",
    "overrides",
    "parameters",
    "passcode",
    "password",
    "periodEnd",
    "periodStart",
    "pin",
    "preferences",
    "primary",
    "private",
    "privateCopy",
    "recurrence",
    "recurringEventId",
    "regionCode",
    "reminders",
    "requestId",
    "resource",
    "responseStatus",
    "selected",
    "self",
    "sequence",
    "shared",
    "signature",
    "source",
    "start",
    "status",
    "statusCode",
    "summary",
    "summaryOverride",
    "timeZone",
    "title",
    "transparency",
    "type",
    "updated",
    "uri",
    "url",
    "useDefault",
    "visibility",
    "width",
    "workingHours",
    "workingHoursEnabled",
    "workingLocationProperties",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(mask: &str, expected: Value) {
        let value = json!({
            "kind": "calendar#events",
            "items": [
                { "id": "a", "start": { "dateTime": "t", "timeZone": "z" }, "extendedProperties": { "private": { "k": "v" } } },
                { "id": "b", "status": "cancelled" },
            ],
            "nextSyncToken": "n",
        });
        assert_eq!(Mask::parse(mask).unwrap().apply(value), expected, "{mask}");
    }

    #[test]
    fn a_mask_keeps_what_it_names() {
        check("nextSyncToken", json!({ "nextSyncToken": "n" }));
        check("items/id", json!({ "items": [{ "id": "a" }, { "id": "b" }] }));
        check(
            "items(id,start/timeZone)",
            json!({ "items": [{ "id": "a", "start": { "timeZone": "z" } }, { "id": "b" }] }),
        );
        check(
            "items/*/private, kind",
            json!({
                "kind": "calendar#events", "items": [{ "id": "a", "start": {}, "extendedProperties": { "private": { "k": "v" } } }, { "id": "b", "status": "cancelled" }],
            }),
        );
        check(
            "items(extendedProperties(private/k))",
            json!({
                "items": [{ "extendedProperties": { "private": { "k": "v" } } }, {}],
            }),
        );
        check(
            "items(id),items(status)",
            json!({ "items": [{ "id": "a" }, { "id": "b", "status": "cancelled" }] }),
        );
    }

    #[test]
    fn a_mask_that_google_would_not_understand_is_refused() {
        for mask in ["", "items(", "items)", "items(id", "items//id", "itms", "items(id,strat)", ",id", "id,"]
        {
            let refused = Mask::parse(mask).unwrap_err();
            assert_eq!((refused.status, refused.reason.as_str()), (400, "invalidParameter"), "{mask}");
        }
    }
}
