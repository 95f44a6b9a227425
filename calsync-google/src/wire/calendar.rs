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
