//! A fake Google Calendar: the parts of the Calendar API v3 and of the token endpoint that calsync talks to.
//!
//! It keeps state and behaves like the real thing, or refuses: what it does not know is answered with 501 and never
//! with an empty success. Everything that Google documents, and everything that its clients have found out the hard
//! way, is built in; what nobody can be sure of is a switch in [`Behaviour`].
//!
//! [`FakeGoogle::handle`] is synchronous and pure but for its own state: time comes in with each request, ids, etags
//! and tokens come from counters, so that the same requests at the same times give the same answers. That makes it fit
//! for a seeded simulation, where it handles millions of requests. [`Server`] puts it behind a socket.
//!
//! Three kinds of verbs: those that arrange the world (accounts, calendars, sharing, tokens), those that act *as a user
//! in Google's own pages* (`user_…`; never journalled, nobody is mailed), and those that look at what happened
//! ([`FakeGoogle::journal`], [`FakeGoogle::mails`], [`FakeGoogle::events`]).
//!
//! A person consents on pages of the fake ([`FakeGoogle::user_consents`], or a browser at `/o/oauth2/v2/auth`), an
//! application takes the code to the token endpoint, and what it may do from then on is what was ticked, what the calendar's
//! access list says, and what the project has switched on ([`OAuthClient`], [`FakeGoogle::set_calendar_api`]).
//!
//! Not here: signing in, the implicit flow, groups; batch, push channels, `events.import`, `move`, `quickAdd`, free/busy
//! and settings methods; making, changing and deleting calendars through the API; the Directory API.

mod acl;
mod auth;
mod behaviour;
mod calendars;
mod consent;
mod consent_page;
mod control;
mod copies;
mod draft;
mod expand;
mod faults;
mod fields;
mod grants;
mod ics;
mod identity;
mod incoming;
mod instances;
mod journal;
mod list;
mod model;
mod oauth_client;
mod person;
mod quota;
mod refusal;
mod reply;
mod scope;
mod screens;
mod seal;
mod server;
mod transport;
mod types;
mod ui;
mod view;
mod when;
mod world;
mod write;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

pub use auth::GOOGLE_TOKEN_URL;
pub use behaviour::{
    Behaviour, ExceptionPolicy, GuestWrite, ListOrder, QuotaForm, TokenInfoForm, TombstoneForm,
};
pub use faults::{Fault, FaultKind};
pub use incoming::Route;
pub use journal::{JournalEntry, Mail, MailKind};
pub use model::{Account, AccountState, Role};
pub use oauth_client::{ClientKind, OAuthClient};
pub use person::{Choice, Landing};
pub use refusal::Refusal;
pub use screens::{ErrorPage, Screen, ScreenAnswer, ScreenKind};
pub use server::Server;
pub use transport::FakeTransport;

use auth::{Auth, Principal};
use faults::Faults;
use fields::Mask;
use incoming::{Incoming, Params};
use list::Bend;
use model::Calendar;
use quota::Quota;
use reply::Reply;
use write::{How, Writer};

/// The whole of Google, as far as it concerns calendars.
#[derive(Clone, Debug, Default)]
pub struct FakeGoogle {
    base_url: String,
    behaviour: Behaviour,
    accounts: BTreeMap<String, Account>,
    calendars: BTreeMap<String, Calendar>,
    auth: Auth,
    quota: Quota,
    faults: Faults,
    journal: Vec<JournalEntry>,
    mails: Vec<Mail>,
    screens: Vec<Screen>,
    disabled_apis: BTreeSet<String>,
    requests: u64,
    serial: u64,
    clock: i64,
    epoch: u64,
}

/// An answer, and what becomes of it on its way.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the fake says.
    pub response: http::Response<Bytes>,
    /// How much of it arrives.
    pub delivery: Delivery,
}

/// What the client gets to see of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Everything.
    Whole,
    /// The work is done; the client sees a broken connection.
    LostAfterWork,
    /// Nothing was done; the client sees a broken connection.
    LostBeforeWork,
    /// The body breaks off.
    Truncated {
        /// After so many bytes.
        bytes: usize,
    },
    /// Everything, but late.
    Slow {
        /// How late.
        pause: Duration,
    },
}

/// What the journal wants to know of a request, beyond what the request says.
#[derive(Default)]
struct Trace {
    subject: Option<String>,
    calendar: Option<String>,
    event: Option<String>,
}

impl FakeGoogle {
    /// An empty Google: no accounts, no calendars.
    pub fn new() -> Self {
        crate::keep_logs();
        Self::default()
    }

    /// Handles one request. Whatever the request is, this returns an answer.
    pub fn handle(&mut self, now: DateTime<Utc>, request: http::Request<Bytes>) -> Answer {
        let incoming = Incoming::read(request);
        if incoming.route == Route::Control {
            let response = self.control(now, &incoming).response(now);
            return Answer { response, delivery: Delivery::Whole };
        }
        self.requests += 1;
        let fault = self.faults.take(&incoming);
        let mut trace = Trace { event: incoming.event.clone(), ..Trace::default() };
        let mut delivery = Delivery::Whole;
        let mut bend = Bend::None;
        let mut instead = None;
        let mut afterwards = None;
        match fault {
            None => {}
            Some(FaultKind::LostBeforeWork) => {
                delivery = Delivery::LostBeforeWork;
                instead = Some(Reply::empty(503));
            }
            Some(FaultKind::LostAfterWork) => delivery = Delivery::LostAfterWork,
            Some(FaultKind::Slow { milliseconds }) => {
                delivery = Delivery::Slow { pause: Duration::from_millis(milliseconds) };
            }
            Some(FaultKind::Truncated { bytes }) => delivery = Delivery::Truncated { bytes },
            Some(FaultKind::RepeatPage) => bend = Bend::RepeatPage,
            Some(FaultKind::RepeatItems) => bend = Bend::RepeatItems,
            Some(FaultKind::EmptyPage) => bend = Bend::EmptyPage,
            Some(FaultKind::EmptyListing) => bend = Bend::EmptyListing,
            Some(FaultKind::StatusAfterWork { code }) => afterwards = Some(failure(code)),
            Some(kind) => instead = Some(instead_of(kind)),
        }
        let mut reply = match instead {
            Some(reply) => reply,
            None => self.work(now, &incoming, &mut trace, bend),
        };
        if let Some(afterwards) = afterwards {
            reply = afterwards;
        }
        self.remember(now, incoming, trace, &reply, delivery.clone());
        Answer { response: reply.response(now), delivery }
    }

    /// Queues a fault; the first one that matches a request hits it.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Forgets the faults that were injected and have not been met.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Every request with its answer, oldest first.
    pub fn journal(&self) -> &[JournalEntry] {
        &self.journal
    }

    /// Every mail that Google would have sent, oldest first.
    pub fn mails(&self) -> &[Mail] {
        &self.mails
    }

    /// Forgets journal and mails, and nothing else.
    pub fn clear_journal(&mut self) {
        self.journal.clear();
        self.mails.clear();
    }

    /// How many requests were handled so far.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// The switches.
    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// The switches, to be turned.
    pub fn behaviour_mut(&mut self) -> &mut Behaviour {
        &mut self.behaviour
    }

    fn work(&mut self, now: DateTime<Utc>, incoming: &Incoming, trace: &mut Trace, bend: Bend) -> Reply {
        match incoming.route {
            Route::Token => {
                let answer = self.auth.token(now, incoming, &self.base_url, &self.accounts, &self.behaviour);
                trace.subject = answer.subject;
                let mut reply = Reply::json(answer.status, &answer.body);
                reply.reason = answer.body.get("error").and_then(Value::as_str).map(str::to_owned);
                reply
            }
            Route::Revoke => self.revocation(incoming),
            Route::Authorize => self.authorize(now, incoming),
            Route::TokenInfo => self.token_info(now, incoming),
            Route::UserInfo => match self.user_info(now, incoming) {
                Ok((email, body)) => {
                    trace.subject = Some(email);
                    Reply::json(200, &body)
                }
                Err(refusal) => refusal.into(),
            },
            Route::Unknown | Route::Control => Reply::text(
                501,
                "text/plain; charset=UTF-8",
                &format!("The fake Google does not know {} {}\n", incoming.method, incoming.path),
            ),
            _ => self.call(now, incoming, trace, bend).unwrap_or_else(Reply::from),
        }
    }

    fn call(
        &mut self,
        now: DateTime<Utc>,
        incoming: &Incoming,
        trace: &mut Trace,
        bend: Bend,
    ) -> Result<Reply, Refusal> {
        let principal = self.auth.principal(now, incoming)?;
        trace.subject = Some(principal.email.clone());
        if self.disabled_apis.contains(&principal.origin.project) {
            return Err(Refusal::access_not_configured(&principal.origin.project));
        }
        let params = incoming.params(self.behaviour.refuse_unknown_parameters)?;
        // A PATCH is worth three requests.
        let weight = if incoming.route == Route::PatchEvent { 3 } else { 1 };
        let user = params.text("quotaUser").unwrap_or(&principal.email);
        self.quota.charge(now, user, weight, &self.behaviour)?;
        if !principal.allows(incoming.route) {
            return Err(Refusal::insufficient_permissions());
        }
        if self
            .accounts
            .get(&principal.email)
            .is_some_and(|account| account.state == AccountState::NoCalendar)
        {
            return Err(Refusal::not_a_calendar_user());
        }
        let mask = params.text("fields").map(Mask::parse).transpose()?;
        let masked = |value: Value| match &mask {
            Some(mask) => mask.apply(value),
            None => value,
        };
        let calendar = match incoming.calendar.as_deref() {
            Some("primary") => principal.email.clone(),
            Some(id) => id.to_owned(),
            None => String::new(),
        };
        if incoming.calendar.is_some() {
            trace.calendar = Some(calendar.clone());
        }
        let event = incoming.event.as_deref().unwrap_or_default();
        let rule = incoming.segments.get(5).map(String::as_str).unwrap_or_default();
        let fresh = |etag: &str| {
            let known = incoming.if_none_match.as_deref();
            known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag))
        };
        match incoming.route {
            Route::ListCalendars => {
                Ok(Reply::json(200, &masked(self.list_calendars(now, &principal, &params)?)))
            }
            Route::GetCalendarEntry => {
                Ok(Reply::json(200, &masked(self.get_calendar_entry(&principal, &calendar)?)))
            }
            Route::InsertCalendarEntry => {
                let body = object(&incoming.body)?;
                Ok(Reply::json(200, &masked(self.insert_calendar_entry(&principal, &body)?)))
            }
            Route::DeleteCalendarEntry => {
                self.delete_calendar_entry(&principal, &calendar)?;
                Ok(Reply::empty(204))
            }
            Route::ListAcl => {
                Ok(Reply::json(200, &masked(self.list_acl(now, &principal, &calendar, &params)?)))
            }
            Route::GetAcl => Ok(Reply::json(200, &masked(self.get_acl(&principal, &calendar, rule)?))),
            Route::InsertAcl => {
                let body = object(&incoming.body)?;
                Ok(Reply::json(200, &masked(self.insert_acl(&principal, &calendar, &params, &body)?)))
            }
            Route::ChangeAcl => {
                let body = object(&incoming.body)?;
                Ok(Reply::json(200, &masked(self.change_acl(&principal, &calendar, rule, &params, &body)?)))
            }
            Route::DeleteAcl => {
                self.delete_acl(&principal, &calendar, rule)?;
                Ok(Reply::empty(204))
            }
            Route::GetCalendar => {
                let (etag, body) = self.get_calendar(&principal, &calendar)?;
                let reply = if fresh(&etag) { Reply::empty(304) } else { Reply::json(200, &masked(body)) };
                Ok(reply.with("etag", etag))
            }
            Route::ListEvents => {
                let body = self.list_events(now, &principal, &calendar, &params, bend)?;
                Ok(Reply::json(200, &masked(body)))
            }
            Route::Instances => {
                let body = self.list_instances(now, &principal, &calendar, event, &params)?;
                Ok(Reply::json(200, &masked(body)))
            }
            Route::GetEvent => {
                let (calendar, role) = self.access(&principal, &calendar)?;
                let view = self.view(calendar, &principal.email, role, &params)?;
                let found = calendar.find(event).ok_or_else(Refusal::not_found)?;
                let found = if found.hidden {
                    model::Event { status: model::Status::Cancelled, ..found }
                } else {
                    found
                };
                let reply = if fresh(&found.etag()) {
                    Reply::empty(304)
                } else {
                    Reply::json(200, &masked(view.event(&found)))
                };
                Ok(reply.with("etag", found.etag()))
            }
            Route::InsertEvent | Route::UpdateEvent | Route::PatchEvent => {
                let body = object(&incoming.body)?;
                let writer = self.writer(now, principal, params);
                let if_match = incoming.if_match.as_deref();
                let written = match incoming.route {
                    Route::InsertEvent => self.insert_event(&writer, &calendar, &body)?,
                    Route::UpdateEvent => {
                        self.change_event(&writer, &calendar, event, if_match, How::Put, &body)?
                    }
                    _ => self.change_event(&writer, &calendar, event, if_match, How::Patch, &body)?,
                };
                trace.event = Some(written.id.clone());
                let (calendar, role) = self.access(&writer.principal, &calendar)?;
                let view = self.view(calendar, &writer.principal.email, role, &writer.params)?;
                let reply = Reply::json(200, &masked(view.event(&written)));
                Ok(reply.with("etag", written.etag()))
            }
            Route::DeleteEvent => {
                let writer = self.writer(now, principal, params);
                self.delete_event(&writer, &calendar, event, incoming.if_match.as_deref())?;
                Ok(Reply::empty(204))
            }
            Route::Token
            | Route::Revoke
            | Route::Authorize
            | Route::UserInfo
            | Route::TokenInfo
            | Route::Control
            | Route::Unknown => Err(Refusal::not_found()),
        }
    }

    fn writer(&self, now: DateTime<Utc>, principal: Principal, params: Params) -> Writer {
        Writer { now, principal, params, request: self.requests, in_person: false }
    }

    /// The calendar and what the caller may do with it; without any access it does not exist for the caller.
    fn access(&self, principal: &Principal, calendar: &str) -> Result<(&Calendar, Role), Refusal> {
        let calendar = self.calendars.get(calendar).ok_or_else(Refusal::not_found)?;
        let role = calendar.role(&principal.email).ok_or_else(Refusal::not_found)?;
        let role = if principal.free_busy_only() { Role::FreeBusyReader } else { role };
        Ok((calendar, role))
    }

    /// The next stamp in milliseconds: never behind `now`, and later than any before it.
    fn tick(&mut self, now: DateTime<Utc>) -> i64 {
        self.clock = now.timestamp_millis().max(self.clock + 1);
        self.clock
    }

    fn remember(
        &mut self,
        now: DateTime<Utc>,
        incoming: Incoming,
        trace: Trace,
        reply: &Reply,
        delivery: Delivery,
    ) {
        let limit = self.behaviour.journal_entries_max.max(2);
        if self.journal.len() >= limit {
            self.journal.drain(..limit / 2);
        }
        if self.mails.len() >= limit {
            self.mails.drain(..limit / 2);
        }
        let secret =
            matches!(incoming.route, Route::Token | Route::Revoke | Route::Authorize | Route::TokenInfo);
        let harmless = |name: &str| HARMLESS.contains(&name);
        let mut query = incoming.query;
        let request = if secret {
            query.retain(|(name, _)| incoming.route == Route::Authorize && harmless(name));
            let fields = incoming::form(&String::from_utf8_lossy(&incoming.body));
            let fields: Map<String, Value> = fields
                .into_iter()
                .filter(|(name, _)| harmless(name))
                .map(|(name, value)| (name, Value::String(value)))
                .collect();
            Bytes::from(Value::Object(fields).to_string())
        } else {
            incoming.body
        };
        self.journal.push(JournalEntry {
            number: self.requests,
            at: now,
            method: incoming.method,
            path: incoming.path,
            route: incoming.route,
            calendar: trace.calendar.or(incoming.calendar),
            event: trace.event,
            query,
            if_match: incoming.if_match,
            if_none_match: incoming.if_none_match,
            subject: trace.subject,
            status: reply.status,
            reason: reply.reason.clone(),
            request,
            answer: if secret { Bytes::new() } else { reply.body.clone() },
            delivery,
        });
    }
}

/// What the journal keeps of requests that carry secrets.
const HARMLESS: &[&str] = &[
    "access_type",
    "client_id",
    "grant_type",
    "include_granted_scopes",
    "login_hint",
    "prompt",
    "redirect_uri",
    "response_type",
    "scope",
];

/// The body of a write.
fn object(body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    let error = || Refusal::new(400, "global", "parseError", "Parse Error");
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(error()),
    }
}

fn failure(code: u16) -> Reply {
    match code {
        500 => Refusal::new(500, "global", "backendError", "Backend Error").into(),
        429 => Refusal::new(429, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded").into(),
        code => Refusal::new(code, "global", "backendError", "The service is currently unavailable.").into(),
    }
}

/// The answers that take the place of any work.
fn instead_of(kind: FaultKind) -> Reply {
    match kind {
        FaultKind::StatusHtml { code } => Reply::html(code),
        FaultKind::StatusEmpty { code } => Reply::empty(code),
        FaultKind::TooManyRequests { retry_after } => {
            let reply = failure(429);
            match retry_after {
                Some(wait) => reply.with("retry-after", wait),
                None => reply,
            }
        }
        FaultKind::Refuse { code, reason, message } => {
            let domain = if reason.ends_with("Exceeded") { "usageLimits" } else { "global" };
            Refusal::new(code, domain, &reason, if message.is_empty() { &reason } else { &message }).into()
        }
        FaultKind::TokenRefused => Refusal::auth_error().into(),
        FaultKind::GarbageJson => {
            Reply::text(200, "application/json; charset=UTF-8", "{\"items\": [{\"id\": \"tr")
        }
        FaultKind::Html => {
            Reply::text(200, "text/html; charset=UTF-8", "<html><body>Sign in to the network</body></html>")
        }
        FaultKind::Redirect { location } => Reply::empty(302).with("location", location),
        FaultKind::CalendarGone => Refusal::not_found().into(),
        FaultKind::Status { code } => failure(code),
        _ => failure(503),
    }
}
