//! One canonical form for both sides.
//!
//! What a provider rewrites on its own (the order of a rule's parts, line endings, the case of an address) must not look
//! like an edit, or two sides correct each other for ever. So values are compared in a canonical form, and stored as they
//! were written. Stored bases carry [`VERSION`]; they are brought into today's form whenever they are compared, so that a new
//! version of this file writes nothing to either side.
//!
//! The rule here: two values may be equal in canonical form only if no user could tell them apart.

use super::recurrence::Recurrence;
use crate::planted::{self, Fault};
use serde_json::Value;

/// The version of the canonical form; stored with every base.
pub const VERSION: u32 = 1;

/// The canonical form of a unit's value; `None` where that is the default.
pub fn canonical(unit: &str, value: Option<&Value>) -> Option<Value> {
    let value = value?;
    if planted::on(Fault::ComparedAsWritten) {
        return Some(value.clone());
    }
    let head = unit.split_once('/').map_or(unit, |(head, _)| head);
    match (head, value) {
        // The bag of fields that calsync does not model travels along and is never compared.
        ("extra", _) => None,
        (_, Value::Null) => None,
        ("status", Value::String(s)) if s == "confirmed" => None,
        ("transparency", Value::String(s)) if s == "opaque" => None,
        ("visibility", Value::String(s)) if s == "default" => None,
        // Google reads both in the same way; `confidential` exists for compatibility only (events resource, `visibility`).
        ("visibility", Value::String(s)) if s == "confidential" => Some(Value::from("private")),
        ("event_type", Value::String(s)) if s == "default" => None,
        ("summary" | "location", Value::String(s)) => text(s.trim()),
        ("description", Value::String(s)) => text(&plain_breaks(s)),
        ("when", Value::Object(when)) => {
            let mut when = when.clone();
            let lines = when.remove("recurrence");
            let lines: Vec<String> = lines.and_then(|l| serde_json::from_value(l).ok()).unwrap_or_default();
            if !lines.is_empty() {
                // Whole days have no zone (as `Appointment` writes them).
                let whole_days = !when.contains_key("zone");
                when.insert("recurrence".into(), Recurrence::new(lines).canonical(whole_days).into());
            }
            // A zone that was renamed is the same zone (Google may know one of its names only).
            for zone in ["zone", "end_zone"] {
                if let Some(Value::String(name)) = when.get_mut(zone) {
                    *name = crate::zone_links::newer(name).to_owned();
                }
            }
            if when.get("end_zone") == when.get("zone") {
                when.remove("end_zone");
            }
            Some(Value::Object(when))
        }
        ("attendee", Value::Object(guest)) => {
            let mut guest = guest.clone();
            guest.retain(|_, v| !(v.is_null() || *v == false || *v == 0 || *v == "" || *v == "needsAction"));
            Some(Value::Object(guest))
        }
        ("reminders", Value::Array(reminders)) => {
            let mut reminders = reminders.clone();
            reminders.sort_by_key(|r| r.to_string());
            reminders.dedup();
            Some(Value::Array(reminders))
        }
        (_, value) => Some(value.clone()),
    }
}

fn text(text: &str) -> Option<Value> {
    if text.is_empty() { None } else { Some(Value::from(text)) }
}

/// Line endings and `<br>` as one kind of line break, the five entities decoded, no blank ends. Google gives descriptions
/// back as HTML without saying so, once somebody opened them in its editor; tags other than `<br>` stay and count.
fn plain_breaks(text: &str) -> String {
    let mut plain = text.replace("\r\n", "\n").replace('\r', "\n");
    for br in ["<br />", "<br/>", "<br>", "<BR>"] {
        if plain.contains(br) {
            plain = plain.replace(br, "\n");
        }
    }
    if plain.contains('&') {
        for (entity, character) in [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&nbsp;", "\u{a0}"),
            ("&amp;", "&"),
        ] {
            plain = plain.replace(entity, character);
        }
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn same(unit: &str, a: Value, b: Value) {
        assert_eq!(canonical(unit, Some(&a)), canonical(unit, Some(&b)));
        assert_eq!(
            canonical(unit, canonical(unit, Some(&a)).as_ref()),
            canonical(unit, Some(&a)),
            "canonical twice"
        );
    }

    #[test]
    fn what_a_provider_rewrites_on_its_own_is_no_difference() {
        same("description", json!("a & b<br>c"), json!("a &amp; b\r\nc\n"));
        same("visibility", json!("confidential"), json!("private"));
        same("attendee/a@b.c", json!({"response": "needsAction", "optional": false}), json!({}));
        same(
            "reminders",
            json!([{"method": "popup", "minutes": 5}, {"method": "email", "minutes": 0}]),
            json!([{"method": "email", "minutes": 0}, {"method": "popup", "minutes": 5}]),
        );
        same(
            "when",
            json!({"start": "x", "zone": "Europe/Kyiv", "end_zone": "Europe/Kiev"}),
            json!({"start": "x", "zone": "Europe/Kiev"}),
        );
        same(
            "when",
            json!({"start": "x", "recurrence": ["RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO"]}),
            json!({"start": "x", "recurrence": ["RRULE:BYDAY=MO;FREQ=WEEKLY"]}),
        );
    }
}
