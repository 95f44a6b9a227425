//! The events that the fake makes up for a calendar: as people have them, of a certain size, or as large as Google lets them
//! become.

use serde_json::{Map, Value, json};

/// How large the events are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Size {
    /// A title, a place, a few lines: about 1 kB.
    #[default]
    Usual,
    /// Filled up by their descriptions, so that each takes about so many bytes of a listing.
    Bytes(usize),
    /// As large as Google lets them become in every field at once.
    Hostile,
}

/// Less than this an event with guests takes in a listing without any description, and so more than can be asked for.
const BYTES_MIN: usize = 2000;
/// More than this does not fit into a description.
const BYTES_MAX: usize = 9000;
/// Google cuts a description here.
const DESCRIPTION_CHARS: usize = 8192;
/// What a listing adds to what was inserted: kind, etag, link, times, who made it.
const LISTED_BYTES: usize = 480;
/// Above 200 Google does not pass answers on any more, but takes them.
const GUESTS: usize = 300;
/// Google takes 300 of a kind with 32 kB together, keys of 44 characters at most. Room is left for what calsync adds.
const PROPERTIES: usize = 298;

impl Size {
    /// # Errors
    /// The text is not a size, or not one that an event can have.
    pub(crate) fn of_bytes(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(0) => Ok(Self::Usual),
            Ok(bytes) if (BYTES_MIN..=BYTES_MAX).contains(&bytes) => Ok(Self::Bytes(bytes)),
            Ok(_) => {
                Err(format!("--event-bytes is {BYTES_MIN} to {BYTES_MAX}, or 0 for the usual, not {text}"))
            }
            Err(_) => Err(format!("{text} is not a number")),
        }
    }
}

/// An event as people have them: a title, a place, some text, every tenth with two guests, every hundredth a series.
pub(crate) fn event(number: u32, size: Size) -> Value {
    let day = chrono::NaiveDate::default() + chrono::Days::new(u64::from(18_000 + number % 3_000));
    let hour = 6 + number / 3_000 % 12;
    let time = |hour: u32| json!({ "dateTime": format!("{day}T{hour:02}:00:00Z"), "timeZone": "UTC" });
    let mut event = json!({
        "id": format!("{:032x}", u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
        "summary": format!("Visit {number}"),
        "location": format!("Dock {}, Harbour Road 7", number % 40),
        "description": format!("Order {number}.\n{}", "What was agreed on the telephone stands here. ".repeat(8)),
        "start": time(hour),
        "end": time(hour + 1),
        "reminders": { "useDefault": false, "overrides": [{ "method": "popup", "minutes": 10 }] },
        "extendedProperties": { "private": { "crm": format!("order-{number}") } },
    });
    if number % 10 == 3 {
        event["attendees"] = json!([
            { "email": format!("guest{number}@customer.example"), "displayName": "A Guest" },
            { "email": "other@customer.example", "responseStatus": "accepted" },
        ]);
    }
    if number % 100 == 7 {
        event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=10"]);
    }
    match size {
        Size::Usual => {}
        Size::Bytes(bytes) => {
            let rest = event.to_string().len() + LISTED_BYTES;
            let text = event["description"].as_str().unwrap_or_default();
            let length = (text.len() + bytes).saturating_sub(rest).min(DESCRIPTION_CHARS);
            event["description"] = filled(text, length).into();
        }
        Size::Hostile => blow_up(&mut event, number, day),
    }
    event
}

/// The text, again and again until it is so long.
fn filled(text: &str, chars: usize) -> String {
    text.chars().cycle().take(chars).collect()
}

fn blow_up(event: &mut Value, number: u32, day: chrono::NaiveDate) {
    // Three bytes each, and one character by every way of counting.
    for (field, chars) in [("description", DESCRIPTION_CHARS), ("summary", 1024), ("location", 1024)] {
        event[field] = filled(&format!("第{number}号訪問者用、電話で合意した内容"), chars).into();
    }
    let guest = |guest: usize| {
        json!({
            "email": format!("guest.{guest}.of.{number}@a-long-name-for-a.customer.example"),
            "displayName": format!("Guest {guest} with a Long-Winded Name"),
            "comment": "I may come a little later than that. ".repeat(2),
            "responseStatus": "tentative",
        })
    };
    event["attendees"] = (0..GUESTS).map(guest).collect();
    let properties: Map<String, Value> = (0..PROPERTIES)
        .map(|at| (format!("{at:04}{}", "k".repeat(40)), format!("{number:08}{}", "v".repeat(56)).into()))
        .collect();
    event["extendedProperties"] = json!({ "private": properties, "shared": properties });
    let reminders: Value = (1..=5).map(|at| json!({ "method": "popup", "minutes": at * 10 })).collect();
    event["reminders"]["overrides"] = reminders;
    if event["recurrence"].is_array() {
        let cut: Vec<String> = (1..1000)
            .map(|at| format!("{}T060000Z", (day + chrono::Days::new(at)).format("%Y%m%d")))
            .collect();
        event["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=2000", format!("EXDATE:{}", cut.join(","))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_testkit::fake_google::FakeGoogle;

    /// The bytes of each of the first events as the fake lists them.
    fn listed(size: Size) -> Vec<usize> {
        let mut fake = FakeGoogle::new();
        fake.account("a@x.test");
        let of = |number| {
            let id = fake.user_insert(chrono::Utc::now(), "a@x.test", &event(number, size)).unwrap();
            fake.event("a@x.test", &id).unwrap().to_string().len()
        };
        (0..10).map(of).collect()
    }

    #[test]
    fn an_event_takes_about_as_many_bytes_of_a_listing_as_was_asked_for() {
        for bytes in [BYTES_MIN, 4000, BYTES_MAX] {
            for length in listed(Size::Bytes(bytes)) {
                assert!(length.abs_diff(bytes) < 200, "{length} instead of {bytes}");
            }
        }
        assert!(listed(Size::Usual).into_iter().all(|length| length < BYTES_MIN));
    }

    #[test]
    fn a_hostile_event_is_as_large_as_the_fake_takes_one_in_every_field() {
        let large = event(7, Size::Hostile);
        assert_eq!(large["description"].as_str().unwrap().chars().count(), DESCRIPTION_CHARS);
        assert!(listed(Size::Hostile).into_iter().all(|length| length > 140_000));
        // Whatever calsync adds to the private properties still fits; no more than that.
        let private = large["extendedProperties"]["private"].as_object().unwrap();
        let bytes: usize = private.iter().map(|(key, value)| key.len() + value.as_str().unwrap().len()).sum();
        assert!((31_000..32_768 - 300).contains(&bytes), "{bytes}");
    }
}
