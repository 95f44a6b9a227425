//! What the fake holds: accounts, calendars, events.
//!
//! A calendar indexes its events by id and keeps one change number per event, so that an increment costs as much as
//! there are changes and not as much as there are events. Defaults are never stored: a field that is absent has its
//! default, as in Google's answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::expand::Series;
use super::seal;
use super::when::{When, Zone};

/// What somebody may do with a calendar.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Sees when somebody is busy.
    FreeBusyReader,
    /// Sees events; private ones only as busy.
    Reader,
    /// Writes events; private ones are only busy to it.
    WriterWithoutPrivateAccess,
    /// Writes events.
    Writer,
    /// Everything.
    Owner,
}

impl Role {
    /// Google's name of the role.
    pub fn name(self) -> &'static str {
        match self {
            Self::FreeBusyReader => "freeBusyReader",
            Self::Reader => "reader",
            Self::WriterWithoutPrivateAccess => "writerWithoutPrivateAccess",
            Self::Writer => "writer",
            Self::Owner => "owner",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::FreeBusyReader, Self::Reader, Self::WriterWithoutPrivateAccess, Self::Writer, Self::Owner]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// The state of an account, as far as it decides whether tokens are issued for it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum AccountState {
    /// A user like any other.
    #[default]
    Active,
    /// Deleted lately: `invalid_grant`, "The account has been deleted".
    DeletedLately,
    /// Deleted long ago: `invalid_request`, `Invalid impersonation "sub" field.`
    DeletedLongAgo,
    /// Restricted by the administrator: `access_denied`, "Account restricted".
    Restricted,
    /// The service is off for this user: `access_denied`, "Requested client not authorized".
    ServiceOff,
    /// Tokens are issued, but the calendar answers 403 `notACalendarUser`.
    NoCalendar,
}

/// A Google account.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// The address, which is also the id of the primary calendar.
    pub email: String,
    /// The name shown to guests; none by default.
    pub display_name: Option<String>,
    /// Whether it is a Workspace user, who can be impersonated. Default: all but `gmail.com`.
    pub workspace: bool,
    /// Whether tokens are issued.
    pub state: AccountState,
    pub(crate) service: bool,
    pub(crate) list: BTreeMap<String, ListEntry>,
    pub(crate) list_changes: u64,
}

impl Account {
    pub(crate) fn new(email: &str) -> Self {
        Self {
            email: email.to_owned(),
            display_name: None,
            workspace: !email.ends_with("@gmail.com"),
            state: AccountState::Active,
            service: false,
            list: BTreeMap::new(),
            list_changes: 0,
        }
    }

    pub(crate) fn enlist(&mut self, calendar: &str, deleted: bool) {
        self.list_changes += 1;
        self.list.insert(calendar.to_owned(), ListEntry { change: self.list_changes, deleted });
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ListEntry {
    pub(crate) change: u64,
    pub(crate) deleted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Confirmed,
    Tentative,
    Cancelled,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Tentative => "tentative",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The slot of an exception or instance: which series, which original start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    pub(crate) master: String,
    pub(crate) start: When,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) uid: String,
    /// Everything writable that has no field of its own here.
    pub(crate) fields: Map<String, Value>,
    pub(crate) start: When,
    pub(crate) end: When,
    pub(crate) status: Status,
    pub(crate) sequence: i64,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) etag: i64,
    /// When the change really happened, by the caller's clock: what a lagging listing compares.
    pub(crate) touched: i64,
    pub(crate) change: u64,
    pub(crate) creator: String,
    pub(crate) organizer: String,
    pub(crate) slot: Option<Slot>,
    pub(crate) series: Option<Arc<Series>>,
    /// Reminders belong to the user who set them.
    pub(crate) reminders: BTreeMap<String, Value>,
    /// Gone with its series, without a tombstone.
    pub(crate) hidden: bool,
    /// A series that once was longer.
    pub(crate) trimmed: bool,
    /// Taken off the calendar by a guest; the organizer's changes do not bring it back.
    pub(crate) removed_by_guest: bool,
}

impl Event {
    pub(crate) fn cancelled(&self) -> bool {
        self.status == Status::Cancelled
    }

    pub(crate) fn etag(&self) -> String {
        // Real etags are twice the microseconds of `updated`.
        format!("\"{}\"", self.etag.saturating_mul(2000))
    }

    pub(crate) fn recurrence(&self) -> Vec<String> {
        let lines = self.fields.get("recurrence").and_then(Value::as_array);
        lines.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(crate) fn attendees(&self) -> &[Value] {
        self.fields.get("attendees").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn flag(&self, field: &str, default: bool) -> bool {
        self.fields.get(field).and_then(Value::as_bool).unwrap_or(default)
    }

    pub(crate) fn properties(&self, kind: &str) -> Map<String, Value> {
        let properties = self.fields.get("extendedProperties").and_then(|kinds| kinds.get(kind));
        properties.and_then(Value::as_object).cloned().unwrap_or_default()
    }

    pub(crate) fn reparse(&mut self, calendar: &Zone) {
        let lines = self.recurrence();
        self.series = if lines.is_empty() || self.slot.is_some() {
            None
        } else {
            Series::parse(&self.start, &self.end, &lines, calendar, false).ok().map(Arc::new)
        };
    }
}

pub(crate) fn email_of(attendee: &Value) -> &str {
    attendee.get("email").and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn same_address(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

pub(crate) fn instance_id(master: &str, start: &When) -> String {
    format!("{master}_{}", start.suffix())
}

#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) summary: String,
    pub(crate) description: Option<String>,
    pub(crate) zone: Zone,
    pub(crate) etag: i64,
    pub(crate) default_reminders: Vec<Value>,
    pub(crate) all_day_reminders: Vec<Value>,
    pub(crate) working_hours: Option<Value>,
    /// Room calendars show all-day events as timed ones.
    pub(crate) room: bool,
    /// Birthday calendars do not report deletions in increments.
    pub(crate) silent_deletions: bool,
    /// By address, `default` or `domain:example.com`.
    pub(crate) acl: BTreeMap<String, Role>,
    /// When each rule was changed last, those that were taken back among them.
    pub(crate) acl_log: BTreeMap<String, u64>,
    pub(crate) acl_changes: u64,
    pub(crate) events: BTreeMap<String, Event>,
    pub(crate) order: BTreeSet<(u64, String)>,
    pub(crate) log: BTreeMap<u64, String>,
    pub(crate) changes: u64,
    pub(crate) by_uid: BTreeMap<String, BTreeSet<String>>,
    pub(crate) exceptions: BTreeMap<String, BTreeSet<String>>,
    pub(crate) epoch: u64,
}

impl Calendar {
    pub(crate) fn new(id: &str, owner: &str, summary: &str, etag: i64) -> Self {
        Self {
            id: id.to_owned(),
            owner: owner.to_owned(),
            summary: summary.to_owned(),
            description: None,
            zone: Zone::utc(),
            etag,
            default_reminders: vec![serde_json::json!({ "method": "popup", "minutes": 30 })],
            all_day_reminders: Vec::new(),
            working_hours: None,
            room: false,
            silent_deletions: false,
            acl: BTreeMap::from([(owner.to_owned(), Role::Owner)]),
            acl_log: BTreeMap::from([(owner.to_owned(), 1)]),
            acl_changes: 1,
            events: BTreeMap::new(),
            order: BTreeSet::new(),
            log: BTreeMap::new(),
            changes: 0,
            by_uid: BTreeMap::new(),
            exceptions: BTreeMap::new(),
            epoch: 0,
        }
    }

    pub(crate) fn primary(&self) -> bool {
        same_address(&self.id, &self.owner)
    }

    pub(crate) fn role(&self, email: &str) -> Option<Role> {
        let own = self.acl.iter().find(|(who, _)| same_address(who, email)).map(|(_, role)| *role);
        let domain =
            email.split_once('@').map(|(_, domain)| format!("domain:{}", domain.to_ascii_lowercase()));
        let domain = domain.and_then(|domain| self.acl.get(&domain).copied());
        // `default` is how access rules name the public.
        own.max(domain).max(self.acl.get("default").copied())
    }

    /// Gives or takes a role; tells which one it was before.
    pub(crate) fn set_role(&mut self, who: &str, role: Option<Role>) -> Option<Role> {
        self.acl_changes += 1;
        self.acl_log.insert(who.to_owned(), self.acl_changes);
        match role {
            Some(role) => self.acl.insert(who.to_owned(), role),
            None => self.acl.remove(who),
        }
    }

    pub(crate) fn store(&mut self, mut event: Event) {
        if let Some(old) = self.events.get(&event.id) {
            self.log.remove(&old.change);
        } else {
            self.order.insert((seal::hash(&event.id), event.id.clone()));
            self.by_uid.entry(event.uid.clone()).or_default().insert(event.id.clone());
            if let Some(slot) = &event.slot {
                self.exceptions.entry(slot.master.clone()).or_default().insert(event.id.clone());
            }
        }
        self.changes += 1;
        event.change = self.changes;
        // What vanished with its series has no place in any listing, so no change either.
        if !event.hidden {
            self.log.insert(event.change, event.id.clone());
        }
        self.events.insert(event.id.clone(), event);
    }

    /// Takes the event away as if it had never been: no tombstone, the id is free again.
    pub(crate) fn forget(&mut self, id: &str) {
        let Some(event) = self.events.remove(id) else { return };
        self.log.remove(&event.change);
        self.order.remove(&(seal::hash(id), id.to_owned()));
        if let Some(ids) = self.by_uid.get_mut(&event.uid) {
            ids.remove(id);
        }
        if let Some(slot) = &event.slot
            && let Some(ids) = self.exceptions.get_mut(&slot.master)
        {
            ids.remove(id);
        }
    }

    pub(crate) fn exceptions_of(&self, master: &str) -> impl Iterator<Item = &Event> {
        self.exceptions.get(master).into_iter().flatten().filter_map(|id| self.events.get(id))
    }

    /// The event behind an id: stored, or an occurrence that exists only because its series says so.
    pub(crate) fn find(&self, id: &str) -> Option<Event> {
        if let Some(event) = self.events.get(id) {
            return Some(event.clone());
        }
        let (master, suffix) = id.rsplit_once('_')?;
        let master = self.events.get(master)?;
        let series = master.series.as_ref()?;
        let start = self.slot_start(suffix, &master.start)?;
        series.contains(&start, &self.zone).then(|| self.occurrence(master, series, &start))
    }

    pub(crate) fn slot_start(&self, suffix: &str, like: &When) -> Option<When> {
        match like {
            When::Date(_) => chrono::NaiveDate::parse_from_str(suffix, "%Y%m%d").ok().map(When::Date),
            When::Time { zone, .. } => {
                let wall = chrono::NaiveDateTime::parse_from_str(suffix, "%Y%m%dT%H%M%SZ").ok()?;
                Some(When::Time { at: wall.and_utc(), zone: zone.clone() })
            }
        }
    }

    /// An instance as a copy of its series, in its slot.
    pub(crate) fn occurrence(&self, master: &Event, series: &Series, start: &When) -> Event {
        let mut event = master.clone();
        event.id = instance_id(&master.id, start);
        event.fields.remove("recurrence");
        event.start = start.clone();
        event.end = series.end_of(start);
        event.slot = Some(Slot { master: master.id.clone(), start: start.clone() });
        event.series = None;
        event.trimmed = false;
        event
    }
}
