//! What surrounds the events of a listing: the calendar's own properties, and the tokens.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The answer of `events.list`. The items stay as they were sent, so that one that makes no sense does not take the page with it,
/// and that a page is not held as values all at once; the calendar's properties are read as far as they are what they should be.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Events {
    #[serde(default)]
    pub(crate) items: Option<Vec<Box<RawValue>>>,
    next_page_token: Option<Value>,
    next_sync_token: Option<Value>,
    summary: Option<Value>,
    time_zone: Option<Value>,
    access_role: Option<Value>,
}

impl Events {
    pub(crate) fn next_page_token(&self) -> Option<&str> {
        text(&self.next_page_token)
    }

    pub(crate) fn next_sync_token(&self) -> Option<&str> {
        text(&self.next_sync_token)
    }

    pub(crate) fn summary(&self) -> Option<&str> {
        text(&self.summary)
    }

    pub(crate) fn time_zone(&self) -> Option<&str> {
        text(&self.time_zone)
    }

    pub(crate) fn access_role(&self) -> Option<&str> {
        text(&self.access_role)
    }
}

fn text(value: &Option<Value>) -> Option<&str> {
    value.as_ref().and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The answer of `calendarList.list`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CalendarEntries {
    #[serde(default)]
    pub(crate) items: Vec<CalendarEntry>,
    pub(crate) next_page_token: Option<String>,
}

/// A calendar in somebody's list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CalendarEntry {
    id: Option<Value>,
    summary: Option<Value>,
    access_role: Option<Value>,
    primary: Option<Value>,
    data_owner: Option<Value>,
    deleted: Option<Value>,
}

impl CalendarEntry {
    pub(crate) fn id(&self) -> Option<&str> {
        text(&self.id)
    }

    pub(crate) fn summary(&self) -> Option<&str> {
        text(&self.summary)
    }

    pub(crate) fn access_role(&self) -> Option<&str> {
        text(&self.access_role)
    }

    /// Who owns a secondary calendar; primary ones do not say it.
    pub(crate) fn data_owner(&self) -> Option<&str> {
        text(&self.data_owner)
    }

    pub(crate) fn primary(&self) -> bool {
        self.primary == Some(Value::Bool(true))
    }

    pub(crate) fn deleted(&self) -> bool {
        self.deleted == Some(Value::Bool(true))
    }
}

/// The answer of `calendars.get`, as far as a check reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CalendarProperties {
    id: Option<Value>,
    working_hours: Option<Value>,
}

impl CalendarProperties {
    pub(crate) fn id(&self) -> Option<&str> {
        text(&self.id)
    }

    /// Whether any are set and switched on.
    pub(crate) fn has_working_hours(&self) -> bool {
        let hours = self.working_hours.as_ref();
        hours.and_then(|hours| hours.get("workingHoursEnabled")) == Some(&Value::Bool(true))
    }
}
