//! A query against the parameters of its method.
//!
//! The values are decoded as a form is: `+` is a space. So a `timeMin` with an unescaped `+02:00` is found here, as it is
//! by Google, and not read kindly.

use super::{
    Findings,
    body::{is_date, is_date_time},
    document::{Format, Method, Parameter, Type},
    route::percent_decode,
};

/// What may not stand beside `syncToken`. The document says so only in words, in the descriptions of `syncToken` of
/// events.list and calendarList.list; no other list has any of these parameters.
const NOT_BESIDE_SYNC_TOKEN: [&str; 10] = [
    "iCalUID",
    "minAccessRole",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "showOwnOrganizationOnly",
    "timeMax",
    "timeMin",
    "updatedMin",
];

/// What an incremental list always shows, so that it may not be refused (the same two descriptions).
const NOT_FALSE_BESIDE_SYNC_TOKEN: [&str; 2] = ["showDeleted", "showHidden"];

/// Checks the query and hands back the text of its `fields`, if it has them.
pub(super) fn check(method: &Method, query: &str, found: &mut Findings<'_>) -> Option<String> {
    let mut seen: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (form_decode(name), form_decode(value)) else {
            found.report("query", format!("`{pair}` is not percent-encoded UTF-8"));
            continue;
        };
        let place = format!("query.{name}");
        let Some(parameter) = method.query.get(&name) else {
            found.report(place, "the method has no such parameter");
            continue;
        };
        if !parameter.repeated && seen.iter().any(|(earlier, _)| *earlier == name) {
            found.report(&place, "given twice");
        }
        if let Some(problem) = problem(parameter, &value) {
            found.report(place, problem);
        }
        seen.push((name, value));
    }

    for (name, _) in method.query.iter().filter(|(_, parameter)| parameter.required) {
        if !seen.iter().any(|(given, _)| given == name) {
            found.report(format!("query.{name}"), "required, but missing");
        }
    }
    if seen.iter().any(|(name, _)| name == "syncToken") {
        for (name, value) in &seen {
            if NOT_BESIDE_SYNC_TOKEN.contains(&name.as_str()) {
                found.report(format!("query.{name}"), "not allowed beside syncToken");
            } else if NOT_FALSE_BESIDE_SYNC_TOKEN.contains(&name.as_str()) && value == "false" {
                found.report(format!("query.{name}"), "may not be false beside syncToken");
            }
        }
    }
    seen.into_iter().find(|(name, _)| name == "fields").map(|(_, value)| value)
}

fn problem(parameter: &Parameter, value: &str) -> Option<String> {
    let wrong = |what: &str| Some(format!("`{value}` is not {what}"));
    match parameter.kind {
        Type::Boolean if value != "true" && value != "false" => wrong("true or false"),
        Type::Integer => {
            let Ok(number) = value.parse::<i32>() else { return wrong("a 32-bit integer") };
            let bound = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<i32>().ok());
            match (bound(&parameter.minimum), bound(&parameter.maximum)) {
                (Some(minimum), _) if number < minimum => {
                    Some(format!("{number} is below the minimum {minimum}"))
                }
                (_, Some(maximum)) if number > maximum => {
                    Some(format!("{number} is above the maximum {maximum}"))
                }
                _ => None,
            }
        }
        _ if !parameter.values.is_empty() && !parameter.values.iter().any(|allowed| allowed == value) => {
            wrong(&format!("one of {}", parameter.values.join(", ")))
        }
        _ => match parameter.format {
            Some(Format::DateTime) if !is_date_time(value) => wrong("a date-time with an offset (RFC 3339)"),
            Some(Format::Date) if !is_date(value) => wrong("a date"),
            _ => None,
        },
    }
}

fn form_decode(text: &str) -> Option<String> {
    percent_decode(&text.replace('+', " "))
}
