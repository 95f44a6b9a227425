//! `events.list`.
//!
//! A full listing walks the calendar in a stable order and remembers where it was by key, never by count, so that
//! nothing is skipped when events come and go between two pages. Its sync token names the change number that stood
//! when the *first* page was made: what changed while paging comes again with the next increment instead of being lost.
//! An increment walks the change log; an event that changes meanwhile leaves this increment and waits in the next.

use std::collections::BTreeMap;
use std::ops::Bound;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::FakeGoogle;
use super::auth::Principal;
use super::behaviour::ListOrder;
use super::incoming::Params;
use super::model::{Calendar, Event, Role, instance_id};
use super::refusal::Refusal;
use super::seal;
use super::view::View;
use super::when::{Zone, render_millis};

/// How a fault bends a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bend {
    None,
    RepeatPage,
    RepeatItems,
    EmptyPage,
    EmptyListing,
}

/// Where a listing stands: all of it travels inside the page token.
#[derive(Clone, Debug, PartialEq)]
struct Progress {
    /// Changes after this one are wanted; nothing means a full listing.
    since: Option<u64>,
    /// The last change that this listing accounts for.
    upto: u64,
    /// The key of the last item delivered.
    after: String,
    /// The window of the listing that began the chain, in seconds.
    window: (Option<i64>, Option<i64>),
}

/// The filters of a request.
struct Filter<'a> {
    single: bool,
    show_deleted: bool,
    types: Vec<&'a str>,
    words: Option<String>,
    uid: Option<&'a str>,
    private: Vec<&'a str>,
    shared: Vec<&'a str>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    updated_from: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    /// With a lag, events created after this moment (in milliseconds) are not seen yet.
    unseen_after: Option<i64>,
}

impl FakeGoogle {
    pub(crate) fn view<'a>(
        &'a self,
        calendar: &'a Calendar,
        reader: &'a str,
        role: Role,
        params: &Params,
    ) -> Result<View<'a>, Refusal> {
        let zone = match params.text("timeZone") {
            None => calendar.zone.clone(),
            Some(name) => Zone::named(name)
                .ok_or_else(|| Refusal::invalid_parameter("timeZone", "Invalid time zone value."))?,
        };
        Ok(View {
            calendar,
            accounts: &self.accounts,
            behaviour: &self.behaviour,
            reader,
            role,
            zone,
            attendees_max: params.number("maxAttendees"),
        })
    }

    pub(crate) fn list_events(
        &self,
        now: DateTime<Utc>,
        principal: &Principal,
        calendar: &str,
        params: &Params,
        bend: Bend,
    ) -> Result<Value, Refusal> {
        let (calendar, role) = self.access(principal, calendar)?;
        let view = self.view(calendar, &principal.email, role, params)?;
        check_combination(params)?;
        let before = self.progress(now, principal, calendar, params)?;
        let lag = self.behaviour.listing_lag_milliseconds;
        let from_seconds =
            |seconds: Option<i64>| seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let mut filter = Filter {
            single: params.flag("singleEvents") == Some(true),
            show_deleted: params.flag("showDeleted") == Some(true),
            types: params.all("eventTypes"),
            words: params.text("q").map(str::to_lowercase),
            uid: params.text("iCalUID"),
            private: params.all("privateExtendedProperty"),
            shared: params.all("sharedExtendedProperty"),
            from: params.time("timeMin").map(whole_seconds),
            to: params.time("timeMax").map(whole_seconds),
            updated_from: params.time("updatedMin"),
            now,
            unseen_after: (lag > 0).then(|| now.timestamp_millis() - lag),
        };
        if before.since.is_some() && self.behaviour.increments_keep_window {
            (filter.from, filter.to) = (from_seconds(before.window.0), from_seconds(before.window.1));
        }
        let reach = self.behaviour.updated_min_reach_seconds.map(|seconds| now - Duration::seconds(seconds));
        if filter.updated_from.is_some_and(|from| reach.is_some_and(|reach| from < reach)) {
            return Err(Refusal::updated_min_too_long_ago());
        }
        let size = params.number("maxResults").unwrap_or(250).min(2500);
        let mut found = match (before.since, filter.single || params.text("orderBy").is_some()) {
            (None, false) => self.walk(calendar, &filter, &before, &view, size),
            (Some(since), false) => self.increment(calendar, &filter, &before, since, &view, size),
            (_, true) => self.sorted(calendar, &filter, &before, &view, params.text("orderBy"), size),
        };
        let more = found.len() > size;
        found.truncate(size);
        let mut next =
            found.last().filter(|_| more).map(|(key, _)| Progress { after: key.clone(), ..before.clone() });
        let mut items: Vec<Value> = found.into_iter().map(|(_, item)| item).collect();
        match bend {
            Bend::None => {}
            Bend::RepeatPage => next = Some(before.clone()),
            Bend::RepeatItems => items = items.into_iter().flat_map(|item| [item.clone(), item]).collect(),
            Bend::EmptyPage => {
                items.clear();
                next = Some(before.clone());
            }
            Bend::EmptyListing => {
                items.clear();
                next = None;
            }
        }
        let mut body = json!({
            "kind": "calendar#events",
            "etag": format!("\"p{}\"", seal::hash(&format!("{} {}", calendar.id, calendar.changes))),
            "summary": calendar.summary,
            "updated": render_millis(calendar.log.values().next_back().and_then(|id| calendar.events.get(id)).map_or(calendar.etag, |event| event.updated)),
            "timeZone": calendar.zone.name,
            "accessRole": role.name(),
            "defaultReminders": calendar.default_reminders,
            "items": items,
        });
        if let Some(description) = &calendar.description {
            body["description"] = json!(description);
        }
        match next {
            Some(progress) => {
                body["nextPageToken"] = json!(page_token(calendar, principal, params, &progress));
            }
            // Some restrictions leave a listing without any token at its end.
            None if NO_TOKEN.iter().any(|name| params.text(name).is_some()) => {}
            None => body["nextSyncToken"] = json!(self.sync_token(now, calendar, principal, params, &before)),
        }
        Ok(body)
    }

    fn progress(
        &self,
        now: DateTime<Utc>,
        principal: &Principal,
        calendar: &Calendar,
        params: &Params,
    ) -> Result<Progress, Refusal> {
        if let Some(token) = params.text("pageToken") {
            let parts = seal::open("page", token).ok_or_else(Refusal::invalid_page_token)?;
            let [owner, since, upto, from, to, after] = parts.as_slice() else {
                return Err(Refusal::invalid_page_token());
            };
            if *owner != page_owner(calendar, principal, params) {
                return Err(Refusal::invalid_page_token());
            }
            return Ok(Progress {
                since: since.parse().ok(),
                upto: upto.parse().map_err(|_| Refusal::invalid_page_token())?,
                after: after.clone(),
                window: (from.parse().ok(), to.parse().ok()),
            });
        }
        let upto = self.visible_upto(now, calendar);
        let seconds = |name: &str| params.time(name).map(|at| at.timestamp());
        let Some(token) = params.text("syncToken") else {
            let window = (seconds("timeMin"), seconds("timeMax"));
            return Ok(Progress { since: None, upto, after: String::new(), window });
        };
        let parts = seal::open("sync", token).ok_or_else(Refusal::invalid_sync_token)?;
        let [owner, since, epoch, issued, from, to] = parts.as_slice() else {
            return Err(Refusal::invalid_sync_token());
        };
        if *owner != sync_owner(calendar, principal, params) {
            return Err(Refusal::invalid_sync_token());
        }
        let age = issued.parse::<i64>().map_or(0, |issued| now.timestamp() - issued);
        if *epoch != self.sync_epoch(calendar)
            || self.behaviour.sync_token_lifetime_seconds.is_some_and(|lifetime| age > lifetime)
        {
            return Err(Refusal::full_sync_required());
        }
        let since: u64 = since.parse().map_err(|_| Refusal::invalid_sync_token())?;
        let window = (from.parse().ok(), to.parse().ok());
        Ok(Progress { since: Some(since), upto: upto.max(since), after: String::new(), window })
    }

    fn sync_epoch(&self, calendar: &Calendar) -> String {
        format!("{}.{}", self.epoch, calendar.epoch)
    }

    fn sync_token(
        &self,
        now: DateTime<Utc>,
        calendar: &Calendar,
        principal: &Principal,
        params: &Params,
        progress: &Progress,
    ) -> String {
        seal::seal(
            "sync",
            &[
                sync_owner(calendar, principal, params),
                progress.upto.to_string(),
                self.sync_epoch(calendar),
                now.timestamp().to_string(),
                optional(progress.window.0),
                optional(progress.window.1),
            ],
        )
    }

    /// The newest change that listings show already.
    fn visible_upto(&self, now: DateTime<Utc>, calendar: &Calendar) -> u64 {
        let lag = self.behaviour.listing_lag_milliseconds;
        if lag <= 0 {
            return calendar.changes;
        }
        let seen = now.timestamp_millis() - lag;
        let hidden = calendar
            .log
            .iter()
            .rev()
            .take_while(|(_, id)| calendar.events.get(*id).is_some_and(|event| event.touched > seen))
            .last();
        hidden.map_or(calendar.changes, |(change, _)| change - 1)
    }

    /// A full listing of stored events, in the calendar's own order.
    fn walk(
        &self,
        calendar: &Calendar,
        filter: &Filter<'_>,
        progress: &Progress,
        view: &View<'_>,
        size: usize,
    ) -> Vec<(String, Value)> {
        let after = progress.after.as_str();
        let lower = if after.is_empty() { Bound::Unbounded } else { Bound::Excluded(after.to_owned()) };
        let by_id = |bounds: (Bound<String>, Bound<String>)| calendar.events.range::<String, _>(bounds);
        let events: Box<dyn Iterator<Item = &Event> + '_> = match (filter.uid, self.behaviour.list_order) {
            (Some(uid), _) => {
                let ids = calendar.by_uid.get(uid).into_iter().flatten();
                Box::new(ids.filter(move |id| id.as_str() > after).filter_map(|id| calendar.events.get(id)))
            }
            (None, ListOrder::ById) => Box::new(by_id((lower, Bound::Unbounded)).map(|(_, event)| event)),
            (None, ListOrder::Reversed) => {
                Box::new(by_id((Bound::Unbounded, lower)).rev().map(|(_, event)| event))
            }
            (None, ListOrder::Scrambled) => {
                let lower = match lower {
                    Bound::Excluded(id) => Bound::Excluded((seal::hash(&id), id)),
                    _ => Bound::Unbounded,
                };
                let order = calendar.order.range((lower, Bound::Unbounded));
                Box::new(order.filter_map(|(_, id)| calendar.events.get(id)))
            }
        };
        events
            .filter(|event| self.shows(calendar, event, filter))
            .take(size + 1)
            .map(|event| {
                let full = event.cancelled() && !self.shows_tombstone(event, filter);
                (event.id.clone(), if full { view.event(event) } else { view.listed(event) })
            })
            .collect()
    }

    /// An increment: the events whose newest change lies behind the token.
    fn increment(
        &self,
        calendar: &Calendar,
        filter: &Filter<'_>,
        progress: &Progress,
        since: u64,
        view: &View<'_>,
        size: usize,
    ) -> Vec<(String, Value)> {
        let after: Option<u64> = progress.after.parse().ok();
        let reversed = self.behaviour.list_order == ListOrder::Reversed;
        let changes: Box<dyn Iterator<Item = (&u64, &String)> + '_> = if reversed {
            let upto = after.map_or(Bound::Included(progress.upto), Bound::Excluded);
            // A range that ends before it begins would panic.
            if after.is_some_and(|after| after <= since + 1) || progress.upto <= since {
                Box::new(std::iter::empty())
            } else {
                Box::new(calendar.log.range((Bound::Excluded(since), upto)).rev())
            }
        } else {
            let since = after.unwrap_or(since);
            if progress.upto <= since {
                Box::new(std::iter::empty())
            } else {
                Box::new(calendar.log.range((Bound::Excluded(since), Bound::Included(progress.upto))))
            }
        };
        changes
            .filter_map(|(change, id)| calendar.events.get(id).map(|event| (change, event)))
            .filter(|(_, event)| {
                type_matches(event, filter)
                    && !(calendar.silent_deletions && event.cancelled())
                    && (event.cancelled() || in_window(self, calendar, event, filter))
            })
            .take(size + 1)
            .map(|(change, event)| (change.to_string(), view.listed(event)))
            .collect()
    }

    /// Listings that need the whole result before they can cut a page from it: expanded or ordered ones.
    fn sorted(
        &self,
        calendar: &Calendar,
        filter: &Filter<'_>,
        progress: &Progress,
        view: &View<'_>,
        order: Option<&str>,
        size: usize,
    ) -> Vec<(String, Value)> {
        let mut sorted: BTreeMap<String, Event> = BTreeMap::new();
        let mut put = |event: Event| {
            let key = match order {
                Some("startTime") => {
                    format!(
                        "{:020}{}",
                        event.start.instant(&calendar.zone).timestamp() + 100_000_000_000,
                        event.id
                    )
                }
                Some(_) => format!("{:020}{}", event.updated, event.id),
                None => event.id.clone(),
            };
            if progress.after.is_empty() || key > progress.after {
                sorted.insert(key, event);
            }
        };
        let events: Box<dyn Iterator<Item = &Event> + '_> = match progress.since {
            None => Box::new(calendar.events.values()),
            Some(since) if since < progress.upto => Box::new(
                calendar
                    .log
                    .range((Bound::Excluded(since), Bound::Included(progress.upto)))
                    .filter_map(|(_, id)| calendar.events.get(id)),
            ),
            Some(_) => Box::new(std::iter::empty()),
        };
        for event in events {
            if !filter.single {
                if self.shows(calendar, event, filter) {
                    put(event.clone());
                }
                continue;
            }
            let incremental = progress.since.is_some();
            for event in self.expanded(calendar, event, filter, incremental) {
                put(event);
            }
        }
        sorted.into_iter().take(size + 1).map(|(key, event)| (key, view.listed(&event))).collect()
    }

    /// What one stored event contributes to a listing with `singleEvents=true`.
    fn expanded(
        &self,
        calendar: &Calendar,
        event: &Event,
        filter: &Filter<'_>,
        incremental: bool,
    ) -> Vec<Event> {
        let with_deleted = filter.show_deleted || filter.updated_from.is_some() || incremental;
        let wanted = |event: &Event| {
            type_matches(event, filter)
                && content_matches(self, event, filter)
                && updated_matches(event, filter)
        };
        if event.hidden || (event.cancelled() && !with_deleted) || too_new(event, filter) {
            return Vec::new();
        }
        let Some(series) = &event.series else {
            let shown = wanted(event) && (event.cancelled() || in_window(self, calendar, event, filter));
            return if shown { vec![event.clone()] } else { Vec::new() };
        };
        // Instances of a deleted series are reported for about half a year only, the series itself never.
        let days = if event.cancelled() {
            self.behaviour.deleted_instances_days
        } else {
            self.behaviour.expansion_days
        };
        let horizon = filter.now + Duration::days(days);
        let to = filter.to.map_or(horizon, |to| if event.cancelled() { to.min(horizon) } else { to });
        series
            .between(filter.from, to, &calendar.zone)
            .iter()
            .filter(|slot| free(calendar, &instance_id(&event.id, slot)))
            .map(|slot| calendar.occurrence(event, series, slot))
            .filter(wanted)
            .collect()
    }

    /// Whether a full listing of stored events holds this one.
    fn shows(&self, calendar: &Calendar, event: &Event, filter: &Filter<'_>) -> bool {
        if event.hidden || too_new(event, filter) {
            return false;
        }
        if !type_matches(event, filter)
            || !content_matches(self, event, filter)
            || !updated_matches(event, filter)
        {
            return false;
        }
        if event.cancelled() && event.slot.is_none() {
            if self.shows_tombstone(event, filter) {
                return in_window(self, calendar, event, filter);
            }
            return self.behaviour.cancelled_masters_listed && event.series.is_some();
        }
        // Cancelled instances come even though showDeleted is false, by design.
        in_window(self, calendar, event, filter)
    }

    fn shows_tombstone(&self, event: &Event, filter: &Filter<'_>) -> bool {
        let lifetime = self.behaviour.tombstone_lifetime_seconds;
        let age = (filter.now.timestamp_millis() - event.updated) / 1000;
        event.slot.is_some()
            || ((filter.show_deleted || filter.updated_from.is_some())
                && lifetime.is_none_or(|lifetime| age <= lifetime))
    }
}

/// With one of these a listing has no sync token at its end.
const NO_TOKEN: &[&str] =
    &["orderBy", "q", "iCalUID", "privateExtendedProperty", "sharedExtendedProperty", "updatedMin"];

fn check_combination(params: &Params) -> Result<(), Refusal> {
    if params.text("syncToken").is_some() {
        let forbidden =
            NO_TOKEN.iter().chain(&["timeMin", "timeMax"]).any(|name| params.text(name).is_some());
        if forbidden || params.flag("showDeleted") == Some(false) {
            return Err(Refusal::sync_token_restrictions());
        }
    }
    if params.text("orderBy") == Some("startTime") && params.flag("singleEvents") != Some(true) {
        return Err(Refusal::bad_request(
            "The requested ordering is not available for the particular query.",
        )
        .at("parameter", "orderBy"));
    }
    match (params.time("timeMin"), params.time("timeMax")) {
        (Some(from), Some(to)) if to <= from => Err(Refusal::time_range_empty()),
        _ => Ok(()),
    }
}

pub(super) fn page_owner(calendar: &Calendar, principal: &Principal, params: &Params) -> String {
    let text = format!("{} {} {}", calendar.id, principal.email, params.fingerprint(&["pageToken"]));
    format!("{:016x}", seal::hash(&text))
}

/// A sync token is bound to the calendar, the user, and the parameters that decide what the listing holds.
fn sync_owner(calendar: &Calendar, principal: &Principal, params: &Params) -> String {
    let mut types = params.all("eventTypes");
    types.sort_unstable();
    let text = format!(
        "{} {} {} {types:?} {:?} {:?} {:?}",
        calendar.id,
        principal.email,
        params.flag("singleEvents") == Some(true),
        params.number("maxAttendees"),
        params.flag("showHiddenInvitations") == Some(true),
        params.text("timeZone"),
    );
    format!("{:016x}", seal::hash(&text))
}

fn page_token(calendar: &Calendar, principal: &Principal, params: &Params, progress: &Progress) -> String {
    seal::seal(
        "page",
        &[
            page_owner(calendar, principal, params),
            optional(progress.since),
            progress.upto.to_string(),
            optional(progress.window.0),
            optional(progress.window.1),
            progress.after.clone(),
        ],
    )
}

fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn whole_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}

fn type_matches(event: &Event, filter: &Filter<'_>) -> bool {
    let own = event.fields.get("eventType").and_then(Value::as_str).unwrap_or("default");
    filter.types.is_empty() || filter.types.contains(&own)
}

/// Whether no exception stands in the way of the occurrence; those that went with a deleted series do not.
pub(super) fn free(calendar: &Calendar, id: &str) -> bool {
    calendar.events.get(id).is_none_or(|event| event.hidden)
}

fn too_new(event: &Event, filter: &Filter<'_>) -> bool {
    filter.unseen_after.is_some_and(|seen| event.created > seen)
}

fn updated_matches(event: &Event, filter: &Filter<'_>) -> bool {
    filter.updated_from.is_none_or(|from| event.updated >= from.timestamp_millis())
}

fn content_matches(fake: &FakeGoogle, event: &Event, filter: &Filter<'_>) -> bool {
    let has = |kind: &str, wanted: &&str| {
        let (name, value) = wanted.split_once('=').unwrap_or((wanted, ""));
        event.fields.get("extendedProperties").and_then(|kinds| kinds.get(kind)?.get(name)?.as_str())
            == Some(value)
    };
    let mut properties = filter
        .private
        .iter()
        .map(|wanted| has("private", wanted))
        .chain(filter.shared.iter().map(|wanted| has("shared", wanted)));
    let asked = !filter.private.is_empty() || !filter.shared.is_empty();
    let properties = !asked
        || if fake.behaviour.all_properties_must_match {
            properties.all(|matches| matches)
        } else {
            properties.any(|matches| matches)
        };
    let words = filter.words.as_ref().is_none_or(|words| {
        let mut text: String =
            ["summary", "description", "location"].map(|field| event.text(field)).join("\n").to_lowercase();
        for attendee in event.attendees() {
            for field in ["email", "displayName"] {
                text.push('\n');
                text.push_str(
                    &attendee.get(field).and_then(Value::as_str).unwrap_or_default().to_lowercase(),
                );
            }
        }
        words.split_whitespace().all(|word| text.contains(word))
    });
    properties && words && filter.uid.is_none_or(|uid| uid == event.uid)
}

fn in_window(fake: &FakeGoogle, calendar: &Calendar, event: &Event, filter: &Filter<'_>) -> bool {
    if filter.from.is_none() && filter.to.is_none() {
        return true;
    }
    if let Some(series) = &event.series {
        // A trimmed series stays in results although it ended before `timeMin`.
        let meets = series.meets(filter.from, filter.to, &calendar.zone);
        return meets
            || (event.trimmed
                && fake.behaviour.trimmed_series_stay
                && series.meets(None, filter.to, &calendar.zone));
    }
    let (start, end) = (event.start.instant(&calendar.zone), event.end.instant(&calendar.zone));
    filter.to.is_none_or(|to| start < to)
        && filter.from.is_none_or(|from| end > from || (start == end && end >= from))
}
