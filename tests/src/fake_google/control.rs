//! Orders to the fake itself, under `/_fake/`: what a test in another process or language needs.
//!
//! | request | effect |
//! | --- | --- |
//! | `POST /_fake/expire-sync-tokens` | all sync tokens are answered with 410 (`{"calendar": …}`: of one calendar) |
//! | `POST /_fake/expire-access-tokens` | all access tokens are answered with 401 |
//! | `POST /_fake/revoke` | `{"token": …}`: the user takes a grant back |
//! | `POST /_fake/share` | `{"calendar", "grantee", "role"}`; a role of null takes the access away |
//! | `POST /_fake/client` | an OAuth client, see below; gives what it is |
//! | `POST /_fake/consent` | somebody consents: `{"url", "account", "untick": […], "limited", "refuse"}`; gives `url` or `page` |
//! | `POST /_fake/disconnect` | `{"client", "account"}`: somebody removes the application from the own account |
//! | `POST /_fake/change-password` | `{"account"}`: somebody gets a new password |
//! | `POST /_fake/api` | `{"project", "enabled"}`: switches the Calendar API on or off for a project |
//! | `POST /_fake/fault` | queues a fault, as [`Fault`] reads from JSON, for example `{"kind": "lostAfterWork"}` |
//! | `POST /_fake/behaviour` | turns the switches that are named; gives all of them |
//! | `POST /_fake/user` | an edit in person: `{"verb": "patch", "calendar", "id", "event"}`, see below |
//! | `POST /_fake/reset` | forgets events, journal, mails and faults |
//! | `GET /_fake/journal`, `/_fake/mails`, `/_fake/screens`, `/_fake/state` | what happened, and what is |
//!
//! An order `client` names `id` and, for a new one, `secret`; what else it names is changed: `name`, `kind` (`web`,
//! `installed`), `redirectUris`, `testing`, `testUsers`, `verified`, `internalTo`, `blockedIn`, `trustedIn`, `project`, as in
//! [`OAuthClient`].
//!
//! Verbs of `user`: `insert` (`event`), `patch` (`id`, `event`), `delete`, `restore`, `purge` (`id`), `cancelInstance`
//! (`id` of the series, `slot`), `moveInstance` (`id`, `slot`, `start`, `end`), `split` (`id`, `slot`, `event`), `respond`
//! (`id`, `response`), `moveTo` (`id`, `destination`), `loadIcs` (`text`).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::FakeGoogle;
use super::behaviour::Behaviour;
use super::faults::Fault;
use super::incoming::Incoming;
use super::journal::JournalEntry;
use super::model::Role;
use super::oauth_client::{ClientKind, OAuthClient};
use super::person::{Choice, Landing};
use super::refusal::Refusal;
use super::reply::Reply;

impl FakeGoogle {
    pub(crate) fn control(&mut self, now: DateTime<Utc>, incoming: &Incoming) -> Reply {
        let order: Map<String, Value> = if incoming.body.is_empty() {
            Map::new()
        } else {
            match serde_json::from_slice(&incoming.body) {
                Ok(Value::Object(order)) => order,
                _ => return Reply::text(400, "text/plain", "the body is not a JSON object\n"),
            }
        };
        let name = incoming.segments.get(1).map(String::as_str).unwrap_or_default();
        match self.obey(now, &incoming.method, name, order) {
            Ok(body) => Reply::json(200, &body),
            Err(refusal) => refusal.into(),
        }
    }

    fn obey(
        &mut self,
        now: DateTime<Utc>,
        method: &str,
        name: &str,
        order: Map<String, Value>,
    ) -> Result<Value, Refusal> {
        let text = |name: &str| order.get(name).and_then(Value::as_str);
        match (method, name) {
            ("GET", "journal") => Ok(self.journal().iter().map(JournalEntry::json).collect()),
            ("GET", "mails") => Ok(json!(self.mails())),
            ("GET", "screens") => Ok(json!(self.screens())),
            ("GET", "state") => Ok(self.state()),
            ("POST", "client") => self.order_client(order),
            ("POST", "consent") => {
                let (url, account) = (wanted(text("url"), "url")?, text("account").unwrap_or_default());
                let flag = |name: &str| order.get(name).and_then(Value::as_bool) == Some(true);
                let landing = if flag("refuse") {
                    self.user_refuses(now, url, account)
                } else {
                    let mut choice = Choice::of(account);
                    choice.untick =
                        texts(order.get("untick").unwrap_or(&Value::Null)).ok_or_else(|| bad("untick"))?;
                    choice.limited = flag("limited");
                    self.user_consents(now, url, &choice)
                };
                match landing {
                    Landing::Redirect(url) => Ok(json!({ "url": url })),
                    Landing::Page(page) => Ok(json!({ "page": page })),
                    Landing::Stuck(why) => Err(bad(&why)),
                }
            }
            ("POST", "disconnect") => {
                self.user_disconnects(wanted(text("client"), "client")?, wanted(text("account"), "account")?);
                Ok(json!({}))
            }
            ("POST", "change-password") => {
                self.user_changes_password(wanted(text("account"), "account")?);
                Ok(json!({}))
            }
            ("POST", "api") => {
                let enabled = order.get("enabled").and_then(Value::as_bool);
                let enabled = enabled.ok_or_else(|| bad("enabled is missing"))?;
                self.set_calendar_api(wanted(text("project"), "project")?, enabled);
                Ok(json!({}))
            }
            ("POST", "expire-sync-tokens") => {
                match text("calendar") {
                    Some(calendar) => self.expire_sync_tokens_of(calendar),
                    None => self.expire_sync_tokens(),
                }
                Ok(json!({}))
            }
            ("POST", "expire-access-tokens") => {
                self.expire_access_tokens();
                Ok(json!({}))
            }
            ("POST", "revoke") => {
                self.revoke_refresh_token(wanted(text("token"), "token")?);
                Ok(json!({}))
            }
            ("POST", "share") => {
                let calendar = wanted(text("calendar"), "calendar")?;
                let grantee = wanted(text("grantee"), "grantee")?;
                match text("role") {
                    None => self.unshare(calendar, grantee),
                    Some(role) => {
                        let role =
                            Role::named(role).ok_or_else(|| bad(&format!("there is no role {role}")))?;
                        self.share(calendar, grantee, role);
                    }
                }
                Ok(json!({}))
            }
            ("POST", "fault") => {
                let fault: Fault =
                    serde_json::from_value(Value::Object(order)).map_err(|error| bad(&error.to_string()))?;
                self.inject(fault);
                Ok(json!({}))
            }
            ("POST", "behaviour") => {
                let mut switches = json!(self.behaviour());
                for (name, value) in order {
                    // A switch that does not exist would be silently without effect.
                    *switches.get_mut(&name).ok_or_else(|| bad(&format!("there is no switch {name}")))? =
                        value;
                }
                let behaviour: Behaviour =
                    serde_json::from_value(switches).map_err(|error| bad(&error.to_string()))?;
                *self.behaviour_mut() = behaviour;
                Ok(json!(self.behaviour()))
            }
            ("POST", "reset") => {
                self.reset();
                Ok(json!({}))
            }
            ("POST", "user") => self.act(now, &order),
            _ => {
                Err(Refusal::new(404, "fake", "unknownOrder", &format!("there is no order {method} {name}")))
            }
        }
    }

    /// Makes an OAuth client, or changes what is named of one.
    fn order_client(&mut self, order: Map<String, Value>) -> Result<Value, Refusal> {
        let text = |name: &str| order.get(name).and_then(Value::as_str);
        let id = wanted(text("id"), "id")?.to_owned();
        let known = self.auth.clients.get(&id).cloned();
        let mut client = match (known, text("secret")) {
            (Some(known), _) => known,
            (None, secret) => OAuthClient::new(&id, wanted(secret, "secret")?),
        };
        for (name, value) in &order {
            let wrong = || bad(&format!("{name} cannot be {value}"));
            let string = || value.as_str().map(str::to_owned).ok_or_else(wrong);
            let flag = || value.as_bool().ok_or_else(wrong);
            let list = || texts(value).ok_or_else(wrong);
            match name.as_str() {
                "id" => {}
                "secret" => client.secret = string()?,
                "name" => client.name = string()?,
                "kind" => {
                    client.kind = match value.as_str() {
                        Some("web") => ClientKind::Web,
                        Some("installed") => ClientKind::Installed,
                        _ => return Err(wrong()),
                    }
                }
                "redirectUris" => client.redirect_uris = list()?,
                "testing" => client.testing = flag()?,
                "testUsers" => client.test_users = list()?.into_iter().collect(),
                "verified" => client.verified = flag()?,
                "internalTo" => client.internal_to = if value.is_null() { None } else { Some(string()?) },
                "blockedIn" => client.blocked_in = list()?.into_iter().collect(),
                "trustedIn" => client.trusted_in = list()?.into_iter().collect(),
                "project" => client.project = string()?,
                other => return Err(bad(&format!("a client has no {other}"))),
            }
        }
        let told = json!({ "id": id, "project": client.project, "redirectUris": client.redirect_uris });
        self.auth.clients.insert(id, client);
        Ok(told)
    }

    fn act(&mut self, now: DateTime<Utc>, order: &Map<String, Value>) -> Result<Value, Refusal> {
        let text = |name: &str| wanted(order.get(name).and_then(Value::as_str), name);
        let value = |name: &str| order.get(name).cloned().unwrap_or_else(|| json!({}));
        let calendar = text("calendar")?;
        let id = match text("verb")? {
            "insert" => self.user_insert(now, calendar, &value("event"))?,
            "split" => self.user_split(now, calendar, text("id")?, text("slot")?, &value("event"))?,
            "loadIcs" => {
                let ids = self.load_ics(now, calendar, text("text")?).map_err(|error| bad(&error))?;
                return Ok(json!({ "ids": ids }));
            }
            verb => {
                let id = text("id")?;
                match verb {
                    "patch" => self.user_patch(now, calendar, id, &value("event"))?,
                    "delete" => self.user_delete(now, calendar, id)?,
                    "restore" => self.user_restore(now, calendar, id)?,
                    "purge" => self.user_purge(calendar, id),
                    "cancelInstance" => self.user_cancel_instance(now, calendar, id, text("slot")?)?,
                    "moveInstance" => {
                        let (start, end) = (value("start"), value("end"));
                        self.user_move_instance(now, calendar, id, text("slot")?, &start, &end)?;
                    }
                    "respond" => self.user_respond(now, calendar, id, text("response")?)?,
                    "moveTo" => self.user_move_to(now, calendar, id, text("destination")?)?,
                    verb => return Err(bad(&format!("there is no verb {verb}"))),
                }
                id.to_owned()
            }
        };
        Ok(json!({ "id": id }))
    }
}

fn wanted<'a>(text: Option<&'a str>, name: &str) -> Result<&'a str, Refusal> {
    text.ok_or_else(|| bad(&format!("{name} is missing")))
}

/// A list of texts; nothing is an empty one.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn bad(message: &str) -> Refusal {
    Refusal::new(400, "fake", "badOrder", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn order(fake: &mut FakeGoogle, method: &str, name: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request =
            http::Request::builder().method(method).uri(format!("/_fake/{name}")).body(body).unwrap();
        let answer = fake.handle(DateTime::default(), request);
        let status = answer.response.status().as_u16();
        (status, serde_json::from_slice(answer.response.body()).unwrap_or(Value::Null))
    }

    #[test]
    fn every_order_is_obeyed_or_refused_with_its_reason() {
        let mut fake = FakeGoogle::new();
        fake.account("a@x.test");
        let edge = json!({ "date": "2026-01-05" });
        let series =
            json!({ "id": "s", "start": edge, "end": edge, "recurrence": ["RRULE:FREQ=DAILY;COUNT=9"] });
        let url = "https://accounts.google.com/o/oauth2/v2/auth?client_id=c&response_type=code&scope=email\
                   &redirect_uri=https://x.test/cb";
        let user = |verb: &str, more: Value| {
            let mut order = json!({ "verb": verb, "calendar": "a@x.test", "id": "s" });
            for (key, value) in more.as_object().unwrap() {
                order[key] = value.clone();
            }
            order
        };
        for (method, name, body, status) in [
            ("POST", "user", user("insert", json!({ "event": series })), 200),
            ("POST", "user", user("patch", json!({ "event": { "summary": "x" } })), 200),
            ("POST", "user", user("cancelInstance", json!({ "slot": "2026-01-06" })), 200),
            (
                "POST",
                "user",
                user("moveInstance", json!({ "slot": "20260107", "start": edge, "end": edge })),
                200,
            ),
            ("POST", "user", user("split", json!({ "slot": "20260110" })), 200),
            ("POST", "user", user("respond", json!({ "response": "accepted" })), 200),
            ("POST", "user", user("delete", json!({})), 200),
            ("POST", "user", user("delete", json!({})), 410),
            ("POST", "user", user("restore", json!({})), 200),
            ("POST", "user", user("moveTo", json!({ "destination": "b@x.test" })), 404),
            ("POST", "user", user("purge", json!({})), 200),
            ("POST", "user", user("dance", json!({})), 400),
            ("POST", "user", json!({ "verb": "delete" }), 400),
            ("POST", "fault", json!({ "kind": "lostAfterWork", "route": "insertEvent", "times": 2 }), 200),
            ("POST", "fault", json!({ "kind": { "tooManyRequests": { "retryAfter": "3" } } }), 200),
            ("POST", "fault", json!({ "kind": "meteor" }), 400),
            ("POST", "behaviour", json!({ "listOrder": "reversed", "userQuotaPerMinute": 7 }), 200),
            ("POST", "behaviour", json!({ "listOrdr": "reversed" }), 400),
            ("POST", "behaviour", json!({ "listOrder": "sideways" }), 400),
            (
                "POST",
                "share",
                json!({ "calendar": "a@x.test", "grantee": "b@x.test", "role": "reader" }),
                200,
            ),
            ("POST", "share", json!({ "calendar": "a@x.test", "grantee": "b@x.test" }), 200),
            ("POST", "share", json!({ "calendar": "a@x.test", "grantee": "b@x.test", "role": "king" }), 400),
            ("POST", "revoke", json!({ "token": "t" }), 200),
            (
                "POST",
                "client",
                json!({ "id": "c", "secret": "neversay", "kind": "web", "redirectUris": ["https://x.test/cb"] }),
                200,
            ),
            (
                "POST",
                "client",
                json!({ "id": "c", "name": "C", "testing": true, "testUsers": ["a@x.test"], "verified": false,
                        "internalTo": null, "blockedIn": [], "trustedIn": [], "project": "p" }),
                200,
            ),
            ("POST", "client", json!({ "id": "new" }), 400),
            ("POST", "client", json!({ "id": "c", "kind": "phone" }), 400),
            ("POST", "client", json!({ "id": "c", "redirectUri": "https://x.test/cb" }), 400),
            ("POST", "consent", json!({ "url": url, "account": "a@x.test" }), 200),
            ("POST", "consent", json!({ "url": url, "account": "b@x.test" }), 200),
            ("POST", "consent", json!({ "url": url, "account": "a@x.test", "refuse": true }), 200),
            ("POST", "consent", json!({ "url": url, "account": "a@x.test", "untick": ["calendar"] }), 400),
            ("POST", "consent", json!({ "url": "https://x.test/", "account": "a@x.test" }), 400),
            ("POST", "disconnect", json!({ "client": "c", "account": "a@x.test" }), 200),
            ("POST", "change-password", json!({ "account": "a@x.test" }), 200),
            ("POST", "api", json!({ "project": "p", "enabled": false }), 200),
            ("POST", "api", json!({ "project": "p" }), 400),
            ("GET", "screens", Value::Null, 200),
            ("POST", "expire-sync-tokens", Value::Null, 200),
            ("POST", "expire-access-tokens", Value::Null, 200),
            ("GET", "journal", Value::Null, 200),
            ("GET", "mails", Value::Null, 200),
            ("GET", "state", Value::Null, 200),
            ("POST", "reset", Value::Null, 200),
            ("GET", "reset", Value::Null, 404),
            ("POST", "reset", json!([1]), 400),
        ] {
            let (got, answer) = order(&mut fake, method, name, &body);
            assert_eq!(got, status, "{method} {name} {body}: {answer}");
        }
        assert_eq!(fake.behaviour().user_quota_per_minute, Some(7));
        assert_eq!(fake.screens().len(), 0, "they are forgotten with the rest");
        assert_eq!(fake.journal().len(), 0, "orders are not journalled");
    }
}
