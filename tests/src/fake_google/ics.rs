//! Loads an iCalendar file as Google would hold it after an import.
//!
//! A master keeps its recurrence lines and loses DTSTART; an override becomes an exception with its original start; a
//! cancelled override a cancelled exception; EXDATE lines stay where they are. Ids are those of imported invitations:
//! an underscore and the base32hex of the UID. Zones are taken by their IANA name only. The reader is as small as tests
//! allow: it unfolds, reads parameters, and skips what it does not need.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Map, Value, json};

use super::FakeGoogle;
use super::model::instance_id;
use super::when::{When, Zone};

impl FakeGoogle {
    /// Puts every VEVENT of an iCalendar text into a calendar; gives the ids of single events and masters.
    ///
    /// # Errors
    ///
    /// The text says which line or event cannot be understood.
    pub fn load_ics(
        &mut self,
        now: DateTime<Utc>,
        calendar: &str,
        text: &str,
    ) -> Result<Vec<String>, String> {
        let (masters, overrides): (Vec<Component>, Vec<Component>) =
            read(text)?.into_iter().partition(|event| event.first("RECURRENCE-ID").is_none());
        let mut ids: Vec<String> = Vec::new();
        for event in masters {
            let uid = event.first("UID").map(|line| line.value.clone()).ok_or("an event has no UID")?;
            let mut body = event.body().map_err(|error| format!("{uid}: {error}"))?;
            let id = imported_id(&uid);
            body.insert("id".to_owned(), json!(id));
            body.insert("iCalUID".to_owned(), json!(uid));
            self.user_insert(now, calendar, &Value::Object(body))
                .map_err(|error| format!("{uid}: {error}"))?;
            ids.push(id);
        }
        for event in overrides {
            let uid = event.first("UID").map(|line| line.value.clone()).ok_or("an event has no UID")?;
            let slot = event.first("RECURRENCE-ID").ok_or("an override has no slot")?;
            let start = match when(slot).map_err(|error| format!("{uid}: {error}"))? {
                Edge::Date(date) => When::Date(date),
                Edge::Time(at, zone) => When::Time { at, zone },
            };
            let id = instance_id(&imported_id(&uid), &start);
            let result = if event.first("STATUS").is_some_and(|line| line.value == "CANCELLED") {
                self.user_delete(now, calendar, &id)
            } else {
                let mut body = event.body().map_err(|error| format!("{uid}: {error}"))?;
                body.remove("recurrence");
                self.user_patch(now, calendar, &id, &Value::Object(body))
            };
            result.map_err(|error| format!("{uid}, {}: {error}", slot.value))?;
        }
        Ok(ids)
    }
}

/// One VEVENT: its own lines, without those of its alarms.
#[derive(Default)]
struct Component {
    lines: Vec<Line>,
    alarms: Vec<i64>,
}

struct Line {
    name: String,
    parameters: BTreeMap<String, String>,
    value: String,
    raw: String,
}

enum Edge {
    Date(NaiveDate),
    Time(DateTime<Utc>, Option<Zone>),
}

impl Component {
    fn first(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    fn body(&self) -> Result<Map<String, Value>, String> {
        let mut body = Map::new();
        let start = when(self.first("DTSTART").ok_or("DTSTART is missing")?)?;
        let end = match (self.first("DTEND"), self.first("DURATION")) {
            (Some(line), _) => when(line)?,
            (None, Some(line)) => start.plus(duration(&line.value).ok_or("DURATION is not a duration")?),
            (None, None) => match &start {
                Edge::Date(_) => start.plus(Duration::days(1)),
                Edge::Time(..) => start.plus(Duration::zero()),
            },
        };
        body.insert("start".to_owned(), start.json());
        body.insert("end".to_owned(), end.json());
        for (line, field) in
            [("SUMMARY", "summary"), ("DESCRIPTION", "description"), ("LOCATION", "location")]
        {
            if let Some(line) = self.first(line) {
                body.insert(field.to_owned(), json!(unescape(&line.value)));
            }
        }
        for (line, field) in [("STATUS", "status"), ("TRANSP", "transparency"), ("CLASS", "visibility")] {
            if let Some(line) = self.first(line) {
                body.insert(field.to_owned(), json!(line.value.to_ascii_lowercase()));
            }
        }
        if let Some(sequence) = self.first("SEQUENCE").and_then(|line| line.value.parse::<i64>().ok()) {
            body.insert("sequence".to_owned(), json!(sequence));
        }
        if let Some(organizer) = self.first("ORGANIZER") {
            body.insert("organizer".to_owned(), json!({ "email": address(&organizer.value) }));
        }
        let guests: Vec<Value> =
            self.lines.iter().filter(|line| line.name == "ATTENDEE").map(attendee).collect();
        if !guests.is_empty() {
            body.insert("attendees".to_owned(), Value::Array(guests));
        }
        let recurrence: Vec<&str> = self
            .lines
            .iter()
            .filter(|line| ["RRULE", "EXRULE", "RDATE", "EXDATE"].contains(&line.name.as_str()))
            .map(|line| line.raw.as_str())
            .collect();
        if !recurrence.is_empty() {
            body.insert("recurrence".to_owned(), json!(recurrence));
        }
        if !self.alarms.is_empty() {
            let overrides: Vec<Value> = self
                .alarms
                .iter()
                .take(5)
                .map(|minutes| json!({ "method": "popup", "minutes": minutes }))
                .collect();
            body.insert("reminders".to_owned(), json!({ "useDefault": false, "overrides": overrides }));
        }
        Ok(body)
    }
}

impl Edge {
    fn plus(&self, length: Duration) -> Self {
        match self {
            Self::Date(date) => Self::Date(date.checked_add_signed(length).unwrap_or(*date)),
            Self::Time(at, zone) => Self::Time(at.checked_add_signed(length).unwrap_or(*at), zone.clone()),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Date(date) => json!({ "date": date.format("%Y-%m-%d").to_string() }),
            Self::Time(at, zone) => {
                let mut edge = json!({ "dateTime": at.to_rfc3339() });
                if let Some(zone) = zone {
                    edge["timeZone"] = json!(zone.name);
                }
                edge
            }
        }
    }
}

/// The VEVENTs of the text.
fn read(text: &str) -> Result<Vec<Component>, String> {
    let text = text.replace("\r\n", "\n");
    let unfolded = text.replace("\n ", "").replace("\n\t", "");
    let (mut events, mut open): (Vec<Component>, Vec<String>) = (Vec::new(), Vec::new());
    let mut event: Option<Component> = None;
    for raw in unfolded.lines().filter(|line| !line.trim().is_empty()) {
        let line = line(raw).ok_or_else(|| format!("not a content line: {raw}"))?;
        match line.name.as_str() {
            "BEGIN" => {
                if line.value == "VEVENT" {
                    event = Some(Component::default());
                }
                open.push(line.value);
            }
            "END" => {
                if open.pop().as_deref() != Some(line.value.as_str()) {
                    return Err(format!("{raw} ends what did not begin"));
                }
                if line.value == "VEVENT" {
                    events.extend(event.take());
                }
            }
            name => {
                let Some(event) = event.as_mut() else { continue };
                match open.last().map(String::as_str) {
                    Some("VEVENT") => event.lines.push(line),
                    Some("VALARM") if name == "TRIGGER" => {
                        let before = line.value.strip_prefix('-').and_then(duration);
                        event.alarms.extend(before.map(|before| before.num_minutes()));
                    }
                    _ => {}
                }
            }
        }
    }
    if open.is_empty() { Ok(events) } else { Err(format!("{} has no end", open.join(", "))) }
}

fn line(raw: &str) -> Option<Line> {
    let mut quoted = false;
    let colon = raw.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == ':' && !quoted).then_some(at)
    })?;
    let (head, value) = (raw.get(..colon)?, raw.get(colon + 1..)?);
    let mut parts = head.split(';');
    let name = parts.next()?.to_ascii_uppercase();
    let parameters = parts
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| (key.to_ascii_uppercase(), value.trim_matches('"').to_owned()))
        .collect();
    Some(Line { name, parameters, value: value.trim_end().to_owned(), raw: raw.trim_end().to_owned() })
}

fn when(line: &Line) -> Result<Edge, String> {
    let broken = || format!("{} is not a time", line.raw);
    if line.value.len() == 8 {
        return NaiveDate::parse_from_str(&line.value, "%Y%m%d").map(Edge::Date).map_err(|_| broken());
    }
    let wall = NaiveDateTime::parse_from_str(line.value.trim_end_matches('Z'), "%Y%m%dT%H%M%S")
        .map_err(|_| broken())?;
    if line.value.ends_with('Z') {
        return Ok(Edge::Time(wall.and_utc(), Some(Zone::utc())));
    }
    match line.parameters.get("TZID") {
        None => Ok(Edge::Time(wall.and_utc(), None)),
        Some(name) => {
            let zone = Zone::named(name).ok_or_else(|| format!("{name} is not an IANA zone"))?;
            Ok(Edge::Time(zone.instant(wall), Some(zone)))
        }
    }
}

/// `P1W`, `P1DT2H`, `PT30M`, with or without a sign in front.
fn duration(text: &str) -> Option<Duration> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut seconds = 0_i64;
    let mut number = 0_i64;
    for c in text.strip_prefix('P')?.chars() {
        let unit = match c {
            'T' => 0,
            'W' => 604_800,
            'D' => 86_400,
            'H' => 3600,
            'M' => 60,
            'S' => 1,
            digit => {
                number = number.checked_mul(10)?.checked_add(i64::from(digit.to_digit(10)?))?;
                continue;
            }
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        number = 0;
    }
    Duration::try_seconds(seconds * sign)
}

fn attendee(line: &Line) -> Value {
    let mut guest = json!({ "email": address(&line.value) });
    let parameter = |name: &str| line.parameters.get(name).map(String::as_str);
    guest["responseStatus"] = json!(match parameter("PARTSTAT") {
        Some("ACCEPTED") => "accepted",
        Some("DECLINED") => "declined",
        Some("TENTATIVE") => "tentative",
        _ => "needsAction",
    });
    if let Some(name) = parameter("CN") {
        guest["displayName"] = json!(name);
    }
    if parameter("ROLE") == Some("OPT-PARTICIPANT") {
        guest["optional"] = json!(true);
    }
    guest
}

fn address(value: &str) -> &str {
    match value.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => value.get(7..).unwrap_or_default(),
        _ => value,
    }
}

fn unescape(value: &str) -> String {
    let mut text = String::new();
    let mut escaped = false;
    for c in value.chars() {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (true, 'n' | 'N') => {
                text.push('\n');
                escaped = false;
            }
            (_, c) => {
                text.push(c);
                escaped = false;
            }
        }
    }
    text
}

/// The id that Google gives an imported invitation: `_` and the base32hex of its UID.
fn imported_id(uid: &str) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let (mut id, mut bits, mut held) = ("_".to_owned(), 0_u32, 0);
    let mut push = |index: u32| {
        let letter = ALPHABET.get(usize::try_from(index & 31).unwrap_or_default());
        id.push(letter.map_or('0', |letter| char::from(*letter)));
    };
    for byte in uid.bytes() {
        bits = (bits << 8) | u32::from(byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            push(bits >> held);
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        push(bits << (5 - held));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone as _;

    fn load(text: &str) -> (FakeGoogle, Vec<String>) {
        let mut fake = FakeGoogle::new();
        fake.account("a@x.test");
        let now = Utc.with_ymd_and_hms(2026, 1, 1, 8, 0, 0).unwrap();
        let ids = fake.load_ics(now, "a@x.test", text).unwrap();
        (fake, ids)
    }

    /// Start and end of all instances, compared with what two independent engines made of the same file.
    #[track_caller]
    fn check(text: &str, from: &str, to: &str, expected: &[&str]) {
        let (fake, _) = load(text);
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let starts: Vec<String> = fake
            .instances("a@x.test", at(from), at(to))
            .iter()
            .map(|event| event["start"]["dateTime"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(starts, expected);
    }

    #[test]
    fn a_daily_series_with_a_moved_occurrence_in_an_old_zone_name() {
        check(
            include_str!("../../data/ics/calcard__297.ics"),
            "2005-12-31T00:00:00Z",
            "2007-02-02T00:00:00Z",
            &[
                "2006-01-02T17:00:00Z",
                "2006-01-03T17:00:00Z",
                "2006-01-04T19:00:00Z",
                "2006-01-05T17:00:00Z",
                "2006-01-06T17:00:00Z",
            ],
        );
    }

    #[test]
    fn a_monthly_series_with_extra_excluded_and_moved_occurrences() {
        check(
            include_str!("../../data/ics/calcard__259.ics"),
            "2012-09-30T00:00:00Z",
            "2013-11-02T00:00:00Z",
            &[
                "2012-10-02T22:00:00Z",
                "2012-11-06T18:00:00Z",
                "2012-11-07T04:00:00Z",
                "2012-11-10T18:00:00Z",
                "2012-11-30T18:00:00Z",
                "2013-01-01T18:00:00Z",
                "2013-03-05T18:00:00Z",
                "2013-05-07T17:00:00Z",
                "2013-06-04T17:00:00Z",
                "2013-07-02T17:00:00Z",
                "2013-08-06T17:00:00Z",
                "2013-09-03T17:00:00Z",
                "2013-10-01T17:00:00Z",
            ],
        );
    }

    #[test]
    fn a_series_is_held_as_google_holds_it() {
        let (fake, ids) = load(include_str!("../../data/ics/calcard__297.ics"));
        let master = fake.event("a@x.test", &ids[0]).unwrap();
        assert_eq!(master["recurrence"], json!(["RRULE:FREQ=DAILY;COUNT=5"]));
        assert_eq!(master["start"]["timeZone"], "US/Eastern");
        assert_eq!(ids[0], imported_id("00959BC664CA650E933C892C@example.com"));
        let moved = fake.events("a@x.test").find(|event| event["recurringEventId"] == json!(ids[0])).unwrap();
        assert_eq!(moved["originalStartTime"]["dateTime"], "2006-01-04T17:00:00Z");
        assert_eq!(moved["id"], format!("{}_20060104T170000Z", ids[0]));
    }

    #[test]
    fn all_day_events_cancelled_overrides_and_escapes() {
        let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART;VALUE=DATE:20260105\r\nRRULE:FREQ=DAILY;COUNT=3\r\n\
                    EXDATE;VALUE=DATE:20260106\r\nSUMMARY:one\\, two\\n thr\r\n ee\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:u\r\n\
                    RECURRENCE-ID;VALUE=DATE:20260107\r\nDTSTART;VALUE=DATE:20260107\r\nSTATUS:CANCELLED\r\nEND:VEVENT\r\n\
                    END:VCALENDAR\r\n";
        let (fake, ids) = load(text);
        let master = fake.event("a@x.test", &ids[0]).unwrap();
        assert_eq!(master["summary"], "one, two\n three");
        assert_eq!(master["end"], json!({ "date": "2026-01-06" }));
        assert_eq!(master["recurrence"][1], "EXDATE;VALUE=DATE:20260106");
        assert_eq!(fake.event("a@x.test", &format!("{}_20260107", ids[0])).unwrap()["status"], "cancelled");
        for broken in
            ["nonsense", "BEGIN:VEVENT\nEND:VALARM", "BEGIN:VEVENT\nUID:u\nEND:VEVENT", "BEGIN:VEVENT"]
        {
            let mut fake = FakeGoogle::new();
            fake.account("a@x.test");
            assert!(fake.load_ics(Utc::now(), "a@x.test", broken).is_err(), "{broken}");
        }
    }
}
