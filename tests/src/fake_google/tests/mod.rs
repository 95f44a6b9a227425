//! The fake as a client meets it: requests in, answers out. Each file holds the tables of one subject.

mod auth;
mod consent;
mod copies;
mod grants;
mod list;
mod series;
mod sharing;
mod write;

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use serde_json::{Value, json};

use super::*;

pub(super) const ALICE: &str = "alice@example.com";
pub(super) const BOB: &str = "bob@example.com";
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/calendar";
pub(super) const KEY: &[u8] = include_bytes!("../../../data/keys/throwaway_service_account.pem");

/// A client with a clock, an account and a token, in front of the fake.
pub(super) struct Client {
    pub(super) fake: FakeGoogle,
    pub(super) now: DateTime<Utc>,
    pub(super) token: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What the client got.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) etag: String,
    pub(super) delivery: Delivery,
}

impl Got {
    pub(super) fn reason(&self) -> &str {
        self.body["error"]["errors"][0]["reason"].as_str().unwrap_or("")
    }

    pub(super) fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or("")
    }

    /// The ids of a listing, sorted, the cancelled ones with a dagger.
    pub(super) fn ids(&self) -> String {
        let mut ids: Vec<String> = self.body["items"]
            .as_array()
            .unwrap_or(&Vec::new())
            .iter()
            .map(|item| {
                let dagger = if item["status"] == "cancelled" { "†" } else { "" };
                format!("{}{dagger}", item["id"].as_str().unwrap())
            })
            .collect();
        ids.sort();
        ids.join(" ")
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {:#}", self.body)).to_owned()
    }

    #[track_caller]
    pub(super) fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{} {:#}", self.status, self.body);
        self
    }
}

impl Client {
    pub(super) fn new() -> Self {
        let mut fake = FakeGoogle::new();
        fake.account(ALICE);
        fake.account(BOB);
        fake.set_zone(ALICE, "Europe/Berlin");
        let now = Utc.with_ymd_and_hms(2026, 1, 1, 8, 0, 0).unwrap();
        let token = fake.access_token(now, ALICE, &["calendar"]);
        Self { fake, now, token, headers: Vec::new() }
    }

    pub(super) fn pass(&mut self, seconds: i64) -> &mut Self {
        self.now += Duration::seconds(seconds);
        self
    }

    pub(super) fn become_user(&mut self, email: &str) -> &mut Self {
        self.token = self.fake.access_token(self.now, email, &["calendar"]);
        self
    }

    /// The next request carries this header.
    pub(super) fn with(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn raw(&mut self, method: &str, uri: &str, body: impl Into<Bytes>) -> Got {
        let mut request = http::Request::builder().method(method).uri(uri);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in self.headers.drain(..) {
            request = request.header(name, value);
        }
        let answer = self.fake.handle(self.now, request.body(body.into()).unwrap());
        let header = answer.response.headers().get("etag").map(|etag| etag.to_str().unwrap().to_owned());
        Got {
            status: answer.response.status().as_u16(),
            body: serde_json::from_slice(answer.response.body()).unwrap_or(Value::Null),
            etag: header.unwrap_or_default(),
            delivery: answer.delivery,
        }
    }

    /// A call below `/calendar/v3/calendars/alice@example.com/events`, or, with a leading slash, below `/calendar/v3`.
    pub(super) fn call(&mut self, method: &str, path: &str, body: Value) -> Got {
        let uri = match path.strip_prefix('/') {
            Some(path) => format!("/calendar/v3/{path}"),
            None if path.is_empty() || path.starts_with('?') => {
                format!("/calendar/v3/calendars/{ALICE}/events{path}")
            }
            None => format!("/calendar/v3/calendars/{ALICE}/events/{path}"),
        };
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        self.raw(method, &uri, body)
    }

    pub(super) fn get(&mut self, path: &str) -> Got {
        self.call("GET", path, Value::Null)
    }

    pub(super) fn insert(&mut self, id: &str, day: &str) -> Got {
        self.call("POST", "", event(id, day)).ok()
    }

    pub(super) fn daily(&mut self, id: &str, day: &str, rule: &str) -> Got {
        let mut body = event(id, day);
        body["recurrence"] = json!([rule]);
        self.call("POST", "", body).ok()
    }

    pub(super) fn sync_token(&mut self) -> String {
        self.get("").ok().text("nextSyncToken")
    }
}

/// An hour from nine o'clock, Berlin time.
pub(super) fn event(id: &str, day: &str) -> Value {
    json!({
        "id": id,
        "summary": id,
        "start": { "dateTime": format!("{day}T09:00:00"), "timeZone": "Europe/Berlin" },
        "end": { "dateTime": format!("{day}T10:00:00"), "timeZone": "Europe/Berlin" },
    })
}
