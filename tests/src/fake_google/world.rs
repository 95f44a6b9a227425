//! Arranging the world: accounts, calendars, sharing, tokens, and looking at what became of them.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::FakeGoogle;
use super::auth::Origin;
use super::model::{Account, Calendar, Role};
use super::oauth_client::OAuthClient;
use super::scope::canonical;
use super::view::View;
use super::when::Zone;

impl FakeGoogle {
    /// The address under which the fake is reached: assertions may name its `/token` as their audience.
    pub fn set_base_url(&mut self, base_url: &str) {
        self.base_url = base_url.trim_end_matches('/').to_owned();
    }

    /// The account of this address, made with its primary calendar if there is none yet.
    pub fn account(&mut self, email: &str) -> &mut Account {
        let email = email.to_ascii_lowercase();
        if !self.accounts.contains_key(&email) {
            let mut account = Account::new(&email);
            account.enlist(&email, false);
            self.accounts.insert(email.clone(), account);
            self.clock += 1;
            self.calendars.insert(email.clone(), Calendar::new(&email, &email, &email, self.clock));
        }
        self.accounts.entry(email.clone()).or_insert_with(|| Account::new(&email))
    }

    /// A secondary calendar.
    pub fn calendar(&mut self, owner: &str, id: &str, summary: &str) {
        self.account(owner).enlist(id, false);
        self.clock += 1;
        let owner = owner.to_ascii_lowercase();
        self.calendars.insert(id.to_owned(), Calendar::new(id, &owner, summary, self.clock));
    }

    /// Removes a calendar with all its events, as the end of its owner's account does.
    pub fn remove_calendar(&mut self, id: &str) {
        self.calendars.remove(id);
        for account in self.accounts.values_mut() {
            if account.list.contains_key(id) {
                account.enlist(id, true);
            }
        }
    }

    /// Sets a calendar's zone. An unknown name leaves the zone as it is and gives false.
    pub fn set_zone(&mut self, calendar: &str, zone: &str) -> bool {
        self.clock += 1;
        let stamp = self.clock;
        match (self.calendars.get_mut(calendar), Zone::named(zone)) {
            (Some(calendar), Some(zone)) => {
                calendar.zone = zone;
                calendar.etag = stamp;
                true
            }
            _ => false,
        }
    }

    /// Sets the `workingHours` of a primary calendar, in the API's own form.
    pub fn set_working_hours(&mut self, calendar: &str, hours: Option<Value>) {
        self.adjust(calendar, |calendar| calendar.working_hours = hours);
    }

    /// Sets the default reminders, and those for all-day events, which come back spelt out on each event.
    pub fn set_default_reminders(&mut self, calendar: &str, timed: Vec<Value>, all_day: Vec<Value>) {
        self.adjust(calendar, |calendar| {
            calendar.default_reminders = timed;
            calendar.all_day_reminders = all_day;
        });
    }

    /// Makes a calendar that of a room, which shows all-day events from midnight to midnight.
    pub fn set_room(&mut self, calendar: &str, room: bool) {
        self.adjust(calendar, |calendar| calendar.room = room);
    }

    /// Makes a calendar keep silent about deletions in increments, as birthday calendars do.
    pub fn set_silent_deletions(&mut self, calendar: &str, silent: bool) {
        self.adjust(calendar, |calendar| calendar.silent_deletions = silent);
    }

    fn adjust(&mut self, calendar: &str, change: impl FnOnce(&mut Calendar)) {
        self.clock += 1;
        let stamp = self.clock;
        if let Some(calendar) = self.calendars.get_mut(calendar) {
            change(calendar);
            calendar.etag = stamp;
        }
    }

    /// Shares a calendar. The grantee `default` is the public, `domain:example.com` all of a domain.
    pub fn share(&mut self, calendar: &str, grantee: &str, role: Role) {
        let grantee = grantee.to_ascii_lowercase();
        let Some(shared) = self.calendars.get_mut(calendar) else { return };
        let known = shared.set_role(&grantee, Some(role));
        if known != Some(role) && self.behaviour.acl_change_expires_sync_tokens && known.is_some() {
            shared.epoch += 1;
        }
        let (people, services) =
            (self.behaviour.shared_calendars_join_list, self.behaviour.shared_calendars_join_service_list);
        if let Some(account) = self.accounts.get_mut(&grantee)
            && (if account.service { services } else { people })
        {
            account.enlist(calendar, false);
        }
    }

    /// Takes the access away; to the grantee the calendar no longer exists.
    pub fn unshare(&mut self, calendar: &str, grantee: &str) {
        let grantee = grantee.to_ascii_lowercase();
        let Some(shared) = self.calendars.get_mut(calendar) else { return };
        shared.set_role(&grantee, None);
        if self.behaviour.acl_change_expires_sync_tokens {
            shared.epoch += 1;
        }
        if let Some(account) = self.accounts.get_mut(&grantee)
            && account.list.contains_key(calendar)
        {
            account.enlist(calendar, true);
        }
    }

    /// A service account with the number that an administrator delegates to, and its key: a PKCS#8 private key in PEM
    /// form, or a public key in PKCS#1 form.
    ///
    /// # Errors
    ///
    /// The text says why the key cannot be read.
    pub fn service_account(&mut self, email: &str, client_id: &str, key: &[u8]) -> Result<(), String> {
        self.auth.add_service_account(email, client_id, key)?;
        let account = self.account(email);
        account.service = true;
        account.workspace = false;
        Ok(())
    }

    /// Deletes a service account: its assertions find no verifier any more.
    pub fn remove_service_account(&mut self, email: &str) {
        self.auth.remove_service_account(email);
    }

    /// What the Workspace administrator enters: this client id may impersonate users for these scopes. Scopes may be
    /// given short (`calendar.events`) or in full.
    pub fn delegate(&mut self, client_id: &str, scopes: &[&str]) {
        self.auth.delegate(client_id, scopes);
    }

    /// Takes a delegation back.
    pub fn withdraw_delegation(&mut self, client_id: &str) {
        self.auth.withdraw_delegation(client_id);
    }

    /// The OAuth client of this id and secret, made if there is none yet: a web application in production, verified, that
    /// is open to everybody and has no redirect URI.
    pub fn oauth_client(&mut self, id: &str, secret: &str) -> &mut OAuthClient {
        let client = self.auth.clients.entry(id.to_owned()).or_insert_with(|| OAuthClient::new(id, secret));
        client.secret = secret.to_owned();
        client
    }

    /// Whether the app's publishing status is *Testing*: its refresh tokens end after seven days. Default: no.
    pub fn set_oauth_client_testing(&mut self, id: &str, testing: bool) {
        if let Some(client) = self.auth.clients.get_mut(id) {
            client.testing = testing;
        }
    }

    /// Disables or deletes an OAuth client: `disabled_client`, or `deleted_client`.
    pub fn disable_oauth_client(&mut self, id: &str, deleted: bool) {
        self.auth.disable_client(id, if deleted { "deleted_client" } else { "disabled_client" });
    }

    /// Switches the Calendar API on or off for a project: off, its calls are refused with 403 `accessNotConfigured`, and
    /// tokens are issued all the same. The project is [`OAuthClient::project`], or what stands between `@` and
    /// `.iam.gserviceaccount.com` in a service account's address. Default: on.
    pub fn set_calendar_api(&mut self, project: &str, enabled: bool) {
        if enabled {
            self.disabled_apis.remove(project);
        } else {
            self.disabled_apis.insert(project.to_owned());
        }
    }

    /// A refresh token of a user for an OAuth client, as if the user had consented long ago.
    pub fn refresh_token(&mut self, token: &str, client_id: &str, email: &str, scopes: &[&str]) {
        self.account(email);
        self.auth.add_refresh_token(token, client_id, &email.to_ascii_lowercase(), scopes);
    }

    /// The user takes this grant back: the refresh token and the access tokens made from it are dead. Others that the client
    /// has of the account are not; for those see [`FakeGoogle::user_disconnects`].
    pub fn revoke_refresh_token(&mut self, token: &str) {
        self.auth.kill_refresh_token(token);
    }

    /// An access token for a user, past the token endpoint.
    pub fn access_token(&mut self, now: DateTime<Utc>, email: &str, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|scope| canonical(scope)).collect();
        let undelegated = self.account(email).service;
        let origin = Origin::default();
        self.auth.issue(now, &email.to_ascii_lowercase(), undelegated, scopes, origin, &self.behaviour)
    }

    /// All access tokens are refused from now on.
    pub fn expire_access_tokens(&mut self) {
        self.auth.expire_access_tokens();
    }

    /// All sync tokens are answered with 410 from now on.
    pub fn expire_sync_tokens(&mut self) {
        self.epoch += 1;
    }

    /// The sync tokens of one calendar are answered with 410 from now on.
    pub fn expire_sync_tokens_of(&mut self, calendar: &str) {
        if let Some(calendar) = self.calendars.get_mut(calendar) {
            calendar.epoch += 1;
        }
    }

    /// Forgets events, journal, mails, screens and faults; accounts, calendars, clients and tokens stay. Sync tokens expire.
    pub fn reset(&mut self) {
        self.epoch += 1;
        self.journal.clear();
        self.mails.clear();
        self.screens.clear();
        self.faults.clear();
        for calendar in self.calendars.values_mut() {
            let mut empty = Calendar::new(&calendar.id, &calendar.owner, &calendar.summary, calendar.etag);
            empty.description.clone_from(&calendar.description);
            empty.zone = calendar.zone.clone();
            empty.default_reminders.clone_from(&calendar.default_reminders);
            empty.all_day_reminders.clone_from(&calendar.all_day_reminders);
            empty.working_hours.clone_from(&calendar.working_hours);
            empty.acl.clone_from(&calendar.acl);
            empty.acl_log.clone_from(&calendar.acl_log);
            empty.acl_changes = calendar.acl_changes;
            (empty.room, empty.silent_deletions) = (calendar.room, calendar.silent_deletions);
            // Change numbers go on, so that no old token points into the new log.
            (empty.changes, empty.epoch) = (calendar.changes, calendar.epoch);
            *calendar = empty;
        }
    }

    /// The stored events of a calendar as their owner sees them, cancelled ones with all their fields, by id.
    pub fn events(&self, calendar: &str) -> impl Iterator<Item = Value> + '_ {
        let calendar = self.calendars.get(calendar);
        calendar.into_iter().flat_map(move |calendar| {
            let view = self.owners_view(calendar);
            calendar.events.values().filter(|event| !event.hidden).map(move |event| view.event(event))
        })
    }

    /// One stored event, or an occurrence of a series, as the calendar's owner sees it.
    pub fn event(&self, calendar: &str, id: &str) -> Option<Value> {
        let calendar = self.calendars.get(calendar)?;
        let event = calendar.find(id).filter(|event| !event.hidden)?;
        Some(self.owners_view(calendar).event(&event))
    }

    /// What the owner sees in the calendar between two instants: single events and occurrences, by start and id.
    pub fn instances(&self, calendar: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Value> {
        let Some(calendar) = self.calendars.get(calendar) else { return Vec::new() };
        let mut found = Vec::new();
        for event in calendar.events.values().filter(|event| !event.hidden && !event.cancelled()) {
            if event.series.is_some() {
                found.extend(
                    self.instances_of(calendar, event, from, Some(from), Some(to))
                        .into_iter()
                        .filter(|instance| !calendar.events.contains_key(&instance.id)),
                );
            } else {
                let (start, end) = (event.start.instant(&calendar.zone), event.end.instant(&calendar.zone));
                if start < to && (end > from || (start == end && end >= from)) {
                    found.push(event.clone());
                }
            }
        }
        found.sort_by_key(|event| (event.start.instant(&calendar.zone), event.id.clone()));
        let view = self.owners_view(calendar);
        found.iter().map(|event| view.event(event)).collect()
    }

    /// The calendar's ids.
    pub fn calendar_ids(&self) -> impl Iterator<Item = &str> {
        self.calendars.keys().map(String::as_str)
    }

    pub(crate) fn state(&self) -> Value {
        let calendars: Map<String, Value> = self
            .calendars
            .values()
            .map(|calendar| {
                let events: Vec<Value> = self.events(&calendar.id).collect();
                let state = json!({
                    "owner": calendar.owner,
                    "summary": calendar.summary,
                    "timeZone": calendar.zone.name,
                    "acl": calendar.acl,
                    "events": events,
                });
                (calendar.id.clone(), state)
            })
            .collect();
        json!({
            "accounts": self.accounts.keys().collect::<Vec<_>>(),
            "calendars": calendars,
            "requests": self.requests,
            "behaviour": self.behaviour,
        })
    }

    fn owners_view<'a>(&'a self, calendar: &'a Calendar) -> View<'a> {
        View {
            calendar,
            accounts: &self.accounts,
            behaviour: &self.behaviour,
            reader: &calendar.owner,
            role: Role::Owner,
            zone: calendar.zone.clone(),
            attendees_max: None,
        }
    }
}
