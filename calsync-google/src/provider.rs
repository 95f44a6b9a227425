//! [`Google`]: the calls put together into a [`Provider`].
//!
//! The only state is a cache of what calendars say about themselves (zone, access, a page size that worked), refreshed by
//! every listing; losing it costs a request. Page tokens are handed out together with the page size they were made for,
//! because Google wants every other parameter of the listing repeated unchanged.

use crate::auth::lock;
use crate::auth::refusal::no_such_user;
use crate::call::{DeleteEvent, GetCalendar, GetEvent, InsertEvent, ListEvents, PatchEvent};
use crate::decode::{self, CalendarFacts};
use crate::encode::Body;
use crate::wire::error::names_an_unknown_zone;
use async_trait::async_trait;
use calsync_core::http::{Call, Sender};
use calsync_core::model::{Fields, RemoteOccurrence, RemoteRecord, Slot, State, Writable};
use calsync_core::provider::{
    Access, CalendarInfo, Effort, Item, Next, Page, Provider, Receipt, Start, Target, Write, WriteAction,
};
use calsync_core::{
    CalendarId, Cursor, Error, ErrorKind, OperationId, PageToken, RemoteId, Result, Retry, Revision, Zone,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use tracing::Instrument;

/// Google Calendar.
pub struct Google {
    sender: Sender,
    /// The account's address, for errors that a person mends by sharing a calendar with it; else that which the tokens know.
    account: Option<String>,
    /// Whether each call is made on behalf of its subject, and not of one account.
    delegated: bool,
    page_size: u32,
    known: Mutex<BTreeMap<CalendarId, Known>>,
}

/// What a calendar said lately.
#[derive(Clone, Debug, Default)]
struct Known {
    facts: Option<CalendarFacts>,
    /// A page of this many events was not too large.
    page_size: Option<u32>,
}

impl Google {
    pub(crate) fn new(sender: Sender, account: Option<String>, delegated: bool, page_size: u32) -> Self {
        Self { sender, account, delegated, page_size, known: Mutex::default() }
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    pub(crate) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Whether there is an account of its own behind each agent.
    pub(crate) fn acts_as_others(&self) -> bool {
        self.delegated
    }

    async fn send<C: Call>(
        &self,
        call: &C,
        target: &Target,
        event: Option<&RemoteId>,
        effort: &Effort,
    ) -> Result<C::Output> {
        self.sender
            .send(call, &target.subject, effort)
            .await
            .map_err(|error| self.located(error, target, event))
    }

    /// Says where it happened.
    fn located(&self, error: Error, target: &Target, event: Option<&RemoteId>) -> Error {
        let mut error = error.with("calendar", &target.calendar);
        if let Some(event) = event {
            error = error.with("event", event);
        }
        match (self.account.clone().or_else(|| self.sender.account()), error.kind()) {
            (Some(account), ErrorKind::Forbidden | ErrorKind::NotFound)
                if !error.context().iter().any(|(name, _)| *name == "account") =>
            {
                error.with("account", account)
            }
            _ => error,
        }
    }

    fn remember(&self, calendar: &CalendarId, change: impl FnOnce(&mut Known)) {
        change(lock(&self.known).entry(calendar.clone()).or_default());
    }

    fn known(&self, calendar: &CalendarId) -> Known {
        lock(&self.known).get(calendar).cloned().unwrap_or_default()
    }

    /// What is known of the calendar, asked for where the event cannot be read without. A failure here must not lose the
    /// answer to a write: the event is then read without its zone's name.
    async fn facts_for(&self, target: &Target, event: &Map<String, Value>, effort: &Effort) -> CalendarFacts {
        let known = self.known(&target.calendar).facts;
        if known.is_none() && decode::needs_zone(event) {
            let head = self.head(target, effort).await.map(|(facts, _)| facts);
            return head.unwrap_or_default();
        }
        known.unwrap_or_default()
    }

    async fn head(&self, target: &Target, effort: &Effort) -> Result<(CalendarFacts, Option<String>)> {
        let head = self.send(&GetCalendar(&target.calendar), target, None, effort).await?;
        let facts = CalendarFacts::new(head.time_zone.as_deref(), head.access_role.as_deref());
        self.remember(&target.calendar, |known| known.facts = Some(facts.clone()));
        Ok((facts, head.summary))
    }

    async fn page(&self, target: &Target, start: &Start, effort: &Effort) -> Result<Page> {
        let (since, token) = match start {
            Start::Full(token) => (None, token),
            Start::Since(cursor, token) => (Some(cursor), token),
        };
        let (mut size, token) = match token {
            Some(token) => split_token(token)?,
            None => (self.known(&target.calendar).page_size.unwrap_or(self.page_size), None),
        };
        let page = loop {
            let call = ListEvents { calendar: &target.calendar, since, page_token: token, results_max: size };
            match self.send(&call, target, None, effort).await {
                Err(error) if too_large(&error) && size > 1 => {
                    size = (size / 2).max(1);
                    tracing::debug!(size, "the page is too large; asking for fewer events");
                    self.remember(&target.calendar, |known| known.page_size = Some(size));
                }
                page => break page?,
            }
        };
        let facts = CalendarFacts::new(page.time_zone(), page.access_role());
        self.remember(&target.calendar, |known| known.facts = Some(facts.clone()));
        let next = match (page.next_page_token(), page.next_sync_token()) {
            (Some(token), _) => Next::More(PageToken::new(format!("{size}:{token}"))),
            (None, Some(token)) => Next::Done(Cursor::new(token)),
            (None, None) => return Err(Error::new(ErrorKind::Protocol, "the page has no token").later()),
        };
        let items =
            page.items.unwrap_or_default().into_iter().map(|entry| decode::item(&entry, &facts)).collect();
        Ok(Page { items, next })
    }

    async fn read(&self, target: &Target, id: &RemoteId, effort: &Effort) -> Result<Option<Item>> {
        let call = GetEvent { calendar: &target.calendar, event: id };
        match self.send(&call, target, Some(id), effort).await {
            Ok(event) => {
                let facts = self.facts_for(target, &event, effort).await;
                Ok(Some(decode::event_item(event, &facts)))
            }
            Err(error) if error.kind() == ErrorKind::Gone => Ok(Some(Item::Record(gone(id)))),
            Err(error) if error.kind() == ErrorKind::NotFound => self.read_split(target, id, effort).await,
            Err(error) => Err(error),
        }
    }

    /// An occurrence of a series that Google's own pages split off (`<id>_R<time>`): its id can lack the `_R` part, and can
    /// change between both forms (odoo #120798). It is that occurrence only if it says that it belongs to that series.
    async fn read_split(&self, target: &Target, id: &RemoteId, effort: &Effort) -> Result<Option<Item>> {
        let split = decode::slot_of_id(id).and_then(|_| id.as_str().rsplit_once('_'));
        let Some((series, slot)) = split else { return Ok(None) };
        let Some((plain, _)) = series.rsplit_once("_R") else { return Ok(None) };
        let plain = RemoteId::new(format!("{plain}_{slot}"));
        let call = GetEvent { calendar: &target.calendar, event: &plain };
        match self.send(&call, target, Some(&plain), effort).await {
            Ok(event) if event.get("recurringEventId").and_then(Value::as_str) == Some(series) => {
                let facts = self.facts_for(target, &event, effort).await;
                Ok(Some(decode::event_item(event, &facts)))
            }
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn carry_out(&self, target: &Target, write: &Write, effort: &Effort) -> Result<Receipt> {
        let (calendar, mail, operation) = (&target.calendar, write.mail, &write.operation);
        let event = match &write.action {
            WriteAction::Create { id, fields } => {
                let body = self.body(target, id, Body::create(id, operation, &self.project(fields)))?;
                let insert = |body| InsertEvent { calendar, event: id, body, mail };
                match self.send(&insert(&body), target, Some(id), effort).await {
                    Err(error) => {
                        let body = by_other_zones(&body, error)?;
                        self.send(&insert(&body), target, Some(id), effort).await?
                    }
                    Ok(event) => event,
                }
            }
            WriteAction::Update { id, revision, units, fields, revive } => {
                let fields = self.project(fields);
                let encode = if *revive { Body::revive } else { Body::patch };
                let body = self.body(target, id, encode(id, operation, units, &fields))?;
                let revision = revision.as_ref();
                let patch = |body| PatchEvent { calendar, event: id, revision, body, mail };
                match self.send(&patch(&body), target, Some(id), effort).await {
                    Err(error) => {
                        let body = by_other_zones(&body, error)?;
                        self.send(&patch(&body), target, Some(id), effort).await?
                    }
                    Ok(event) => event,
                }
            }
            WriteAction::Delete { id, revision } => {
                let call = DeleteEvent { calendar, event: id, revision: revision.as_ref(), mail };
                self.send(&call, target, Some(id), effort).await?;
                return Ok(Receipt::Deleted);
            }
        };
        let facts = self.facts_for(target, &event, effort).await;
        match decode::event_item(event, &facts) {
            Item::Record(record) => Ok(Receipt::Written(record)),
            // The write has happened, and repeating it would not make the answer better.
            Item::Unreadable { id, reason, .. } => {
                let error = Error::new(
                    ErrorKind::Protocol,
                    "the written event came back in a form that cannot be read",
                );
                Err(self.located(error.with("cause", reason).maybe_sent(), target, Some(&id)))
            }
        }
    }

    fn body(&self, target: &Target, id: &RemoteId, body: Result<Body>) -> Result<Body> {
        body.map_err(|error| self.located(error, target, Some(id)))
    }
}

#[async_trait]
impl Provider for Google {
    async fn calendar(&self, target: &Target, effort: &Effort) -> Result<CalendarInfo> {
        let span = tracing::debug_span!("google.calendar", calendar = %target.calendar);
        let (facts, summary) = self.head(target, effort).instrument(span).await?;
        Ok(CalendarInfo { zone: facts.zone.unwrap_or_else(Zone::utc), summary })
    }

    async fn access(&self, target: &Target, effort: &Effort) -> Result<Access> {
        let span = tracing::debug_span!("google.access", calendar = %target.calendar);
        let call = GetCalendar(&target.calendar);
        match self.send(&call, target, None, effort).instrument(span).await {
            Ok(head) => access(head.access_role.as_deref()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Access::NotShared { message: error.to_string() })
            }
            Err(error) if no_such_user(&error) => Ok(Access::NoSuchUser { message: error.to_string() }),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, target: &Target, start: &Start, effort: &Effort) -> Result<Page> {
        let full = matches!(start, Start::Full(_));
        let span = tracing::debug_span!("google.list", calendar = %target.calendar, full);
        self.page(target, start, effort).instrument(span).await
    }

    async fn get(&self, target: &Target, id: &RemoteId, effort: &Effort) -> Result<Option<Item>> {
        let span = tracing::debug_span!("google.get", calendar = %target.calendar, event = %id);
        self.read(target, id, effort).instrument(span).await
    }

    async fn write(&self, target: &Target, write: &Write, effort: &Effort) -> Result<Receipt> {
        let what = match &write.action {
            WriteAction::Create { .. } => "create",
            WriteAction::Update { .. } => "update",
            WriteAction::Delete { .. } => "delete",
        };
        let span = tracing::debug_span!(
            "google.write", calendar = %target.calendar, event = %write.action.id(), what, operation = %write.operation
        );
        self.carry_out(target, write, effort).instrument(span).await
    }

    fn fingerprint(&self) -> String {
        crate::call::FINGERPRINT.to_owned()
    }

    /// 160 bits in base32hex: Google takes 5 to 1,024 of the characters `0`–`9` and `a`–`v` (events resource, `id`).
    fn create_id(&self, hash: &[u8; 32]) -> RemoteId {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
        let mut id = String::with_capacity(32);
        for chunk in hash[..20].chunks_exact(5) {
            let bits = chunk.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            id.extend((0..8).rev().map(|digit| char::from(DIGITS[(bits >> (5 * digit)) as usize & 31])));
        }
        RemoteId::new(id)
    }

    fn occurrence_id(&self, series: &RemoteId, slot: &Slot) -> RemoteId {
        RemoteId::new(format!("{series}_{slot}"))
    }

    fn project(&self, fields: &Fields) -> Fields {
        crate::project::project(fields)
    }
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google")
            .field("api", self.sender.base())
            .field("account", &self.account)
            .field("page_size", &self.page_size)
            .finish_non_exhaustive()
    }
}

/// The roles of the head of a listing (events.list, `accessRole`).
pub(crate) fn access(role: Option<&str>) -> Result<Access> {
    match role {
        Some("owner" | "writer" | "writerWithoutPrivateAccess") => Ok(Access::Writer),
        Some("reader") => Ok(Access::Reader),
        Some("freeBusyReader" | "none") => Ok(Access::FreeBusy),
        _ => Err(Error::new(ErrorKind::Protocol, "the calendar does not say how it may be used").later()),
    }
}

/// `<page size>:<Google's token>`.
fn split_token(token: &PageToken) -> Result<(u32, Option<&str>)> {
    let parts =
        token.as_str().split_once(':').and_then(|(size, token)| Some((size.parse().ok()?, Some(token))));
    parts.ok_or_else(|| {
        Error::new(ErrorKind::CursorExpired, "the stored page token is not one of this provider's")
    })
}

/// The transport gave up on the size, which fewer events mend; a run whose time is up says that it will be tried again.
fn too_large(error: &Error) -> bool {
    error.kind() == ErrorKind::Limit && error.retry() == Retry::Never
}

/// What to ask with once more where Google does not know a zone by its name, but may by another: new names reach it months later
/// (OutlookGoogleCalendarSync, `HandleAPIlimits`). Nothing was written, so asking again makes nothing twice.
///
/// # Errors
/// The refusal, where it is another one or the zone has one name only.
fn by_other_zones(body: &Body, refused: Error) -> Result<Body> {
    let other = if names_an_unknown_zone(&refused) { body.with_other_zones() } else { None };
    other.ok_or(refused)
}

/// A record of which nothing is left but that it was deleted.
fn gone(id: &RemoteId) -> RemoteRecord {
    let slot = decode::slot_of_id(id).zip(id.as_str().rsplit_once('_'));
    RemoteRecord {
        id: id.clone(),
        revision: Revision::new(""),
        occurrence: slot.map(|(slot, (series, _))| RemoteOccurrence { series: RemoteId::from(series), slot }),
        state: State::Gone,
        updated: None,
        stamp: None::<OperationId>,
        writable: Writable::All,
    }
}

#[cfg(test)]
mod tests;
