//! A body against its schema.
//!
//! One walk serves requests, answers and errors. The differences are few: a request may say `null` (it clears a field,
//! see the guide on PATCH) and leave out the offset of a time whose zone stands beside it, an answer may do neither; and a
//! field is required only where a request names it so.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::{Map, Value};

use super::{
    Findings, Part,
    document::{Format, Schema, Type},
    mask::Mask,
};

/// One body being checked.
pub(super) struct BodyCheck<'a, 'f> {
    pub(super) schemas: &'a BTreeMap<String, Schema>,
    /// Whose `annotations.required` count; nobody's in an answer.
    pub(super) required_by: Option<&'a str>,
    pub(super) found: &'a mut Findings<'f>,
}

/// Where in the body the walk is; written out only when there is something to report.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Root,
    Field(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl BodyCheck<'_, '_> {
    /// Checks a value and everything in it.
    pub(super) fn value(&mut self, schema: &Schema, value: &Value, mask: Option<&Mask>, place: Place<'_>) {
        if let Some(name) = &schema.reference {
            match self.schemas.get(name) {
                Some(schema) => self.value(schema, value, mask, place),
                None => {
                    self.report(place, format!("the document refers to `{name}`, which it does not have"))
                }
            }
            return;
        }
        match (schema.kind, value) {
            (Some(Type::Any), _) => {}
            (Some(Type::Object), Value::Object(fields)) => self.object(schema, fields, mask, place),
            (Some(Type::Array), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(of_items) = &schema.items {
                        self.value(of_items, item, mask, Place::Item(&place, index));
                    }
                    // The values of a list are listed in the description of the list, not of its items.
                    self.listed(schema, item, Place::Item(&place, index));
                }
            }
            (Some(Type::Boolean), Value::Bool(_)) | (Some(Type::Number), Value::Number(_)) => {}
            (Some(Type::Integer), Value::Number(number)) => {
                if number.as_i64().is_none_or(|number| i32::try_from(number).is_err()) {
                    self.report(place, format!("{number} is not a 32-bit integer"));
                }
            }
            (Some(Type::String), Value::String(text)) => {
                self.format(schema, text, place);
                self.listed(schema, value, place);
            }
            (Some(kind), other) => self.report(place, format!("{other} is not of type {}", name_of(kind))),
            (None, _) => self.report(place, "the document gives no type"),
        }
    }

    fn object(
        &mut self,
        schema: &Schema,
        fields: &Map<String, Value>,
        mask: Option<&Mask>,
        place: Place<'_>,
    ) {
        let zoned = schema.id.as_deref() == Some("EventDateTime")
            && fields.get("timeZone").is_some_and(Value::is_string);
        for (name, value) in fields {
            let place = Place::Field(&place, name);
            let Some(field) = schema.properties.get(name).or(schema.additional_properties.as_deref()) else {
                self.report(place, "the schema has no such field");
                continue;
            };
            let inner = match mask.map(|mask| mask.of(name)) {
                None => None,
                Some(Some(inner)) => inner.narrowing(),
                Some(None) => {
                    self.report(place, "the request's `fields` did not ask for it");
                    continue;
                }
            };
            if value.is_null() {
                if self.found.part == Part::Answer {
                    self.report(place, "null: Google leaves out what is not there");
                }
            } else if zoned && self.found.part == Part::Request && is_wall_clock(field, value) {
                // "A time zone offset is required unless a time zone is explicitly specified in timeZone."
            } else {
                self.value(field, value, inner, place);
                if name == "kind" && field.default.as_deref().is_some_and(|kind| *value != kind) {
                    self.report(place, format!("{value} is not the kind of this resource"));
                }
            }
        }
        let Some(method) = self.required_by else { return };
        for (name, field) in &schema.properties {
            if field.is_required_by(method) && fields.get(name).is_none_or(Value::is_null) {
                self.report(Place::Field(&place, name), "required, but missing");
            }
        }
    }

    fn format(&mut self, schema: &Schema, text: &str, place: Place<'_>) {
        let (good, what) = match schema.format {
            None | Some(Format::Int32) => return,
            Some(Format::Int64) => (is_int64(text), "a 64-bit integer"),
            Some(Format::Date) => (is_date(text), "a date"),
            Some(Format::DateTime) => (is_date_time(text), "a date-time with an offset (RFC 3339)"),
        };
        if !good {
            self.report(place, format!("`{text}` is not {what}"));
        }
    }

    fn listed(&mut self, schema: &Schema, value: &Value, place: Place<'_>) {
        let Value::String(text) = value else { return };
        if !schema.values.is_empty() && !schema.values.iter().any(|listed| listed == text) {
            self.report(place, format!("`{text}` is not one of {}", schema.values.join(", ")));
        }
    }

    fn report(&mut self, place: Place<'_>, problem: impl Into<String>) {
        self.found.report(place.to_string(), problem);
    }
}

impl Place<'_> {
    /// The body itself.
    pub(super) const ROOT: Place<'static> = Place::Root;
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => f.write_str("body"),
            Place::Field(outer, name) => write!(f, "{outer}.{name}"),
            Place::Item(outer, index) => write!(f, "{outer}[{index}]"),
        }
    }
}

/// A full date, `2026-02-28`.
pub(super) fn is_date(text: &str) -> bool {
    // chrono also reads unpadded and signed years.
    text.len() == 10
        && text.as_bytes()[0].is_ascii_digit()
        && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// A date and time with an offset, as RFC 3339 writes it; chrono alone would take a space for the `T`.
pub(super) fn is_date_time(text: &str) -> bool {
    text.as_bytes().get(10) == Some(&b'T')
        && !text.ends_with('z')
        && DateTime::parse_from_rfc3339(text).is_ok()
}

/// A date and time without an offset in a field that holds date-times.
fn is_wall_clock(field: &Schema, value: &Value) -> bool {
    field.format == Some(Format::DateTime)
        && value
            .as_str()
            .is_some_and(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").is_ok())
}

fn is_int64(text: &str) -> bool {
    !text.starts_with('+') && text.parse::<i64>().is_ok()
}

fn name_of(kind: Type) -> &'static str {
    match kind {
        Type::String => "string",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::Boolean => "boolean",
        Type::Array => "array",
        Type::Object => "object",
        Type::Any => "any",
    }
}
