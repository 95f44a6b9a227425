//! A request taken apart: which method of the API it calls, on which calendar and event, with which parameters.
//!
//! Parameters are checked against the list that the discovery document (revision 20261030) gives for the method, names
//! and types alike, before anything else looks at them.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// The method that a request calls.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Route {
    /// `POST /token`
    Token,
    /// `POST /revoke`
    Revoke,
    /// `GET /o/oauth2/v2/auth`, and `POST` of its forms: the consent pages.
    Authorize,
    /// `GET /oauth2/v2/userinfo`
    UserInfo,
    /// `GET` or `POST /tokeninfo`, `POST /oauth2/v2/tokeninfo`
    TokenInfo,
    /// `GET /calendar/v3/users/me/calendarList`
    ListCalendars,
    /// `GET /calendar/v3/users/me/calendarList/{calendar}`
    GetCalendarEntry,
    /// `POST /calendar/v3/users/me/calendarList`
    InsertCalendarEntry,
    /// `DELETE /calendar/v3/users/me/calendarList/{calendar}`
    DeleteCalendarEntry,
    /// `GET /calendar/v3/calendars/{calendar}/acl`
    ListAcl,
    /// `GET /calendar/v3/calendars/{calendar}/acl/{rule}`
    GetAcl,
    /// `POST /calendar/v3/calendars/{calendar}/acl`
    InsertAcl,
    /// `PATCH` or `PUT /calendar/v3/calendars/{calendar}/acl/{rule}`
    ChangeAcl,
    /// `DELETE /calendar/v3/calendars/{calendar}/acl/{rule}`
    DeleteAcl,
    /// `GET /calendar/v3/calendars/{calendar}`
    GetCalendar,
    /// `GET /calendar/v3/calendars/{calendar}/events`
    ListEvents,
    /// `GET /calendar/v3/calendars/{calendar}/events/{event}`
    GetEvent,
    /// `POST /calendar/v3/calendars/{calendar}/events`
    InsertEvent,
    /// `PUT /calendar/v3/calendars/{calendar}/events/{event}`
    UpdateEvent,
    /// `PATCH /calendar/v3/calendars/{calendar}/events/{event}`
    PatchEvent,
    /// `DELETE /calendar/v3/calendars/{calendar}/events/{event}`
    DeleteEvent,
    /// `GET /calendar/v3/calendars/{calendar}/events/{event}/instances`
    Instances,
    /// `/_fake/…`: orders to the fake itself.
    Control,
    /// Anything else: the fake refuses what it does not know.
    Unknown,
}

impl Route {
    /// Whether the method writes events.
    pub fn is_write(self) -> bool {
        matches!(self, Self::InsertEvent | Self::UpdateEvent | Self::PatchEvent | Self::DeleteEvent)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) route: Route,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) segments: Vec<String>,
    pub(crate) calendar: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) query: Vec<(String, String)>,
    /// The query as it came; of the consent endpoint only.
    pub(crate) query_text: String,
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: Option<String>,
    pub(crate) bearer: Option<String>,
    pub(crate) basic: Option<String>,
    pub(crate) body: Bytes,
}

impl Incoming {
    pub(crate) fn read(request: http::Request<Bytes>) -> Self {
        let (parts, mut body) = request.into_parts();
        let header =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut method = parts.method.as_str().to_ascii_uppercase();
        let mut query = form(parts.uri.query().unwrap_or_default());
        // Long GETs travel as POST with the query as a form; Google's own Python client does that beyond 2048 bytes.
        if let Some(real) = header("x-http-method-override").filter(|_| method == "POST") {
            method = real.to_ascii_uppercase();
            if method == "GET" {
                query.extend(form(&String::from_utf8_lossy(&body)));
                body = Bytes::new();
            }
        }
        let path = parts.uri.path().to_owned();
        let raw = parts.uri.query().unwrap_or_default();
        let segments: Vec<String> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| decode(segment, false))
            .collect();
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (route, calendar, event) = match (method.as_str(), names.as_slice()) {
            (_, ["_fake", ..]) => (Route::Control, None, None),
            ("POST", ["token"]) => (Route::Token, None, None),
            ("POST", ["revoke"]) => (Route::Revoke, None, None),
            ("GET" | "POST", ["o", "oauth2", "auth"] | ["o", "oauth2", "v2", "auth"]) => {
                (Route::Authorize, None, None)
            }
            ("GET", ["oauth2", "v2", "userinfo"] | ["userinfo", "v2", "me"]) => (Route::UserInfo, None, None),
            ("GET" | "POST", ["tokeninfo"]) | ("POST", ["oauth2", "v2", "tokeninfo"]) => {
                (Route::TokenInfo, None, None)
            }
            (_, ["calendar", "v3", rest @ ..]) => match (method.as_str(), rest) {
                ("GET", ["users", "me", "calendarList"]) => (Route::ListCalendars, None, None),
                ("POST", ["users", "me", "calendarList"]) => (Route::InsertCalendarEntry, None, None),
                ("GET", ["users", "me", "calendarList", id]) => (Route::GetCalendarEntry, Some(*id), None),
                ("DELETE", ["users", "me", "calendarList", id]) => {
                    (Route::DeleteCalendarEntry, Some(*id), None)
                }
                ("GET", ["calendars", id, "acl"]) => (Route::ListAcl, Some(*id), None),
                ("POST", ["calendars", id, "acl"]) => (Route::InsertAcl, Some(*id), None),
                ("GET", ["calendars", id, "acl", _]) => (Route::GetAcl, Some(*id), None),
                ("PATCH" | "PUT", ["calendars", id, "acl", _]) => (Route::ChangeAcl, Some(*id), None),
                ("DELETE", ["calendars", id, "acl", _]) => (Route::DeleteAcl, Some(*id), None),
                ("GET", ["calendars", id]) => (Route::GetCalendar, Some(*id), None),
                ("GET", ["calendars", id, "events"]) => (Route::ListEvents, Some(*id), None),
                ("POST", ["calendars", id, "events"]) => (Route::InsertEvent, Some(*id), None),
                // These are methods of their own, which the fake does not have.
                ("POST", ["calendars", _, "events", "import" | "quickAdd" | "watch"]) => {
                    (Route::Unknown, None, None)
                }
                ("GET", ["calendars", id, "events", event]) => (Route::GetEvent, Some(*id), Some(*event)),
                ("PUT", ["calendars", id, "events", event]) => (Route::UpdateEvent, Some(*id), Some(*event)),
                ("PATCH", ["calendars", id, "events", event]) => (Route::PatchEvent, Some(*id), Some(*event)),
                ("DELETE", ["calendars", id, "events", event]) => {
                    (Route::DeleteEvent, Some(*id), Some(*event))
                }
                ("GET", ["calendars", id, "events", event, "instances"]) => {
                    (Route::Instances, Some(*id), Some(*event))
                }
                _ => (Route::Unknown, None, None),
            },
            _ => (Route::Unknown, None, None),
        };
        let (calendar, event) = (calendar.map(str::to_owned), event.map(str::to_owned));
        let authorization = header("authorization").unwrap_or_default();
        let scheme = |name: &str| {
            let (scheme, rest) = authorization.split_once(' ')?;
            scheme.eq_ignore_ascii_case(name).then(|| rest.trim().to_owned())
        };
        let in_query = query
            .iter()
            .find(|(name, _)| name == "access_token" || name == "oauth_token")
            .map(|(_, v)| v.clone());
        query.retain(|(name, _)| name != "access_token" && name != "oauth_token");
        Self {
            route,
            calendar,
            event,
            bearer: scheme("bearer").or(in_query),
            basic: scheme("basic"),
            if_match: header("if-match"),
            if_none_match: header("if-none-match"),
            method,
            path,
            segments,
            query,
            query_text: if route == Route::Authorize { raw.to_owned() } else { String::new() },
            body,
        }
    }

    pub(crate) fn params(&self, refuse_unknown: bool) -> Result<Params, Refusal> {
        let specs = specs(self.route);
        for (name, value) in &self.query {
            if COMMON.contains(&name.as_str()) {
                continue;
            }
            match specs.iter().find(|(known, _)| known == name) {
                Some((_, kind)) => kind.check(name, value)?,
                None if refuse_unknown => {
                    return Err(Refusal::bad_request(&format!(
                        "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field \
                         '{name}' could not be found in request message."
                    )));
                }
                None => {}
            }
        }
        Ok(Params(self.query.clone()))
    }
}

/// Checked query parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.text(name).map(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.text(name).and_then(|value| value.parse().ok())
    }

    pub(crate) fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.text(name).and_then(time)
    }

    /// Everything that decides what a listing holds, in one line: what a page token is bound to.
    pub(crate) fn fingerprint(&self, leave_out: &[&str]) -> String {
        let mut pairs: Vec<&(String, String)> = self
            .0
            .iter()
            .filter(|(name, _)| !COMMON.contains(&name.as_str()) && !leave_out.contains(&name.as_str()))
            .collect();
        pairs.sort();
        pairs.iter().map(|(name, value)| format!("{name}={value}&")).collect()
    }
}

const COMMON: &[&str] = &[
    "alt",
    "fields",
    "key",
    "prettyPrint",
    "quotaUser",
    "userIp",
    "callback",
    "$.xgafv",
    "uploadType",
    "upload_protocol",
];

enum Kind {
    Text,
    Flag,
    Time,
    Number(i64, Option<i64>),
    OneOf(&'static [&'static str]),
}

impl Kind {
    fn check(&self, name: &str, value: &str) -> Result<(), Refusal> {
        let wrong = |what: String| Err(Refusal::invalid_parameter(name, &what));
        match self {
            Self::Text => Ok(()),
            Self::Flag if ["true", "false"].contains(&value.to_ascii_lowercase().as_str()) => Ok(()),
            Self::Flag => wrong(format!("Invalid boolean value: '{value}'.")),
            Self::Time if time(value).is_some() => Ok(()),
            Self::Time => Err(Refusal::bad_request("Bad Request").at("parameter", name)),
            Self::Number(min, max) => match value.parse::<i32>().map(i64::from) {
                Ok(number) if number >= *min && max.is_none_or(|max| number <= max) => Ok(()),
                Ok(_) => {
                    let max = max.unwrap_or(i64::from(i32::MAX));
                    wrong(format!("Invalid value '{value}'. Values must be within the range: [{min}, {max}]"))
                }
                Err(_) => wrong(format!("Invalid integer value: '{value}'.")),
            },
            Self::OneOf(allowed) if allowed.contains(&value) => Ok(()),
            Self::OneOf(allowed) => {
                wrong(format!("Invalid string value: '{value}'. Allowed values: [{}]", allowed.join(", ")))
            }
        }
    }
}

/// RFC 3339 with an offset; without one Google answers "Bad Request".
fn time(value: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value).ok().map(|at| at.with_timezone(&Utc))
}

fn specs(route: Route) -> &'static [(&'static str, Kind)] {
    const TYPES: &[&str] =
        &["birthday", "default", "focusTime", "fromGmail", "outOfOffice", "workingLocation"];
    const UPDATES: &[&str] = &["all", "externalOnly", "none"];
    const ROLES: &[&str] = &["freeBusyReader", "owner", "reader", "writer", "writerWithoutPrivateAccess"];
    match route {
        Route::ListEvents => &[
            ("alwaysIncludeEmail", Kind::Flag),
            ("eventTypes", Kind::OneOf(TYPES)),
            ("iCalUID", Kind::Text),
            ("maxAttendees", Kind::Number(1, None)),
            ("maxResults", Kind::Number(1, None)),
            ("orderBy", Kind::OneOf(&["startTime", "updated"])),
            ("pageToken", Kind::Text),
            ("privateExtendedProperty", Kind::Text),
            ("q", Kind::Text),
            ("sharedExtendedProperty", Kind::Text),
            ("showDeleted", Kind::Flag),
            ("showHiddenInvitations", Kind::Flag),
            ("singleEvents", Kind::Flag),
            ("syncToken", Kind::Text),
            ("timeMax", Kind::Time),
            ("timeMin", Kind::Time),
            ("timeZone", Kind::Text),
            ("updatedMin", Kind::Time),
        ],
        Route::Instances => &[
            ("alwaysIncludeEmail", Kind::Flag),
            ("maxAttendees", Kind::Number(1, None)),
            ("maxResults", Kind::Number(1, None)),
            ("originalStart", Kind::Text),
            ("pageToken", Kind::Text),
            ("showDeleted", Kind::Flag),
            ("timeMax", Kind::Time),
            ("timeMin", Kind::Time),
            ("timeZone", Kind::Text),
        ],
        Route::GetEvent => &[
            ("alwaysIncludeEmail", Kind::Flag),
            ("maxAttendees", Kind::Number(1, None)),
            ("timeZone", Kind::Text),
        ],
        Route::InsertEvent => &[
            ("conferenceDataVersion", Kind::Number(0, Some(1))),
            ("eventLabelVersion", Kind::Number(0, Some(1))),
            ("maxAttendees", Kind::Number(1, None)),
            ("sendNotifications", Kind::Flag),
            ("sendUpdates", Kind::OneOf(UPDATES)),
            ("supportsAttachments", Kind::Flag),
        ],
        Route::UpdateEvent | Route::PatchEvent => &[
            ("alwaysIncludeEmail", Kind::Flag),
            ("conferenceDataVersion", Kind::Number(0, Some(1))),
            ("eventLabelVersion", Kind::Number(0, Some(1))),
            ("maxAttendees", Kind::Number(1, None)),
            ("sendNotifications", Kind::Flag),
            ("sendUpdates", Kind::OneOf(UPDATES)),
            ("supportsAttachments", Kind::Flag),
        ],
        Route::DeleteEvent => &[("sendNotifications", Kind::Flag), ("sendUpdates", Kind::OneOf(UPDATES))],
        Route::ListCalendars => &[
            ("maxResults", Kind::Number(1, None)),
            ("minAccessRole", Kind::OneOf(ROLES)),
            ("pageToken", Kind::Text),
            ("showDeleted", Kind::Flag),
            ("showHidden", Kind::Flag),
            ("showOwnOrganizationOnly", Kind::Flag),
            ("syncToken", Kind::Text),
        ],
        Route::InsertCalendarEntry => &[("colorRgbFormat", Kind::Flag)],
        Route::ListAcl => &[
            ("maxResults", Kind::Number(1, None)),
            ("pageToken", Kind::Text),
            ("showDeleted", Kind::Flag),
            ("syncToken", Kind::Text),
        ],
        Route::InsertAcl | Route::ChangeAcl => &[("sendNotifications", Kind::Flag)],
        _ => &[],
    }
}

/// A form or a query string as pairs.
pub(crate) fn form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

/// Percent-encodes a value of a query.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Undoes percent-encoding; `plus` also turns `+` into a space, as in forms and queries.
fn decode(text: &str, plus: bool) -> String {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'+' if plus => decoded.push(b' '),
            b'%' => match (hex(bytes.get(at)), hex(bytes.get(at + 1))) {
                (Some(high), Some(low)) => {
                    decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                    at += 2;
                }
                _ => decoded.push(byte),
            },
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, uri: &str) -> Incoming {
        Incoming::read(http::Request::builder().method(method).uri(uri).body(Bytes::new()).unwrap())
    }

    #[test]
    fn paths_lead_to_methods_and_are_decoded_segment_by_segment() {
        for (method, uri, route, calendar, event) in [
            ("GET", "/calendar/v3/users/me/calendarList", Route::ListCalendars, "", ""),
            (
                "GET",
                "/calendar/v3/calendars/en.usa%23holiday%40group",
                Route::GetCalendar,
                "en.usa#holiday@group",
                "",
            ),
            ("GET", "/calendar/v3/calendars/a%2Fb/events", Route::ListEvents, "a/b", ""),
            ("PATCH", "/calendar/v3/calendars/a@x/events/e_1", Route::PatchEvent, "a@x", "e_1"),
            ("GET", "/calendar/v3/calendars/a/events/e/instances?maxResults=3", Route::Instances, "a", "e"),
            ("POST", "/calendar/v3/calendars/a/events/import", Route::Unknown, "", ""),
            ("POST", "/calendar/v3/freeBusy", Route::Unknown, "", ""),
            ("GET", "/token", Route::Unknown, "", ""),
        ] {
            let incoming = read(method, uri);
            assert_eq!(incoming.route, route, "{uri}");
            assert_eq!(incoming.calendar.unwrap_or_default(), calendar, "{uri}");
            assert_eq!(incoming.event.unwrap_or_default(), event, "{uri}");
        }
    }

    #[test]
    fn parameters_are_checked_by_name_and_by_type() {
        for (query, reason) in [
            ("maxResults=10&fields=x&alt=json&quotaUser=a", ""),
            ("maxResults=0", "invalidParameter"),
            ("maxResults=ten", "invalidParameter"),
            ("singleEvents=yes", "invalidParameter"),
            ("orderBy=summary", "invalidParameter"),
            ("eventTypes=default&eventTypes=party", "invalidParameter"),
            ("timeMin=2026-01-01T00:00:00", "badRequest"),
            ("timeMin=2026-01-01T00:00:00%2B01:00", ""),
            ("showdeleted=true", "badRequest"),
        ] {
            let incoming = read("GET", &format!("/calendar/v3/calendars/a/events?{query}"));
            let answer =
                incoming.params(true).map(|_| String::new()).unwrap_or_else(|refusal| refusal.reason);
            assert_eq!(answer, reason, "{query}");
        }
    }
}
