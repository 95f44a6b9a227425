//! Asking Google, step by step; what the answers mean is decided elsewhere.
//!
//! One request is made after another: a check is a dozen of them, and in order each is made only where it can still say something.

use super::account::{self, Known, Needs, Probe, ScopeAnswer, Way, scope_answer, to_ask, troubled};
use super::calendar::{self, Asked};
use super::network::{self, Answer, Host};
use super::steps::*;
use super::{Check, Client, Credential, Given, WELCOME};
use crate::auth::{RefreshTokens, ServiceAccountTokens, StaticToken};
use crate::call::{
    CalendarHead, GetCalendar, GetCalendarEntry, GetCalendarProperties, ListRooms, encode, pairs,
};
use crate::scope::{EVENTS, Feature, Scopes};
use bytes::Bytes;
use calsync_core::check::{CheckName, CheckReport, Cure, Finding, Outcome, Who};
use calsync_core::http::{Backoff, BaseUrl, Call, ReqwestTransport, Sender, TokenSource, Transport};
use calsync_core::provider::Effort;
use calsync_core::{CalendarId, Error, ErrorKind, Result, Secret};
use std::sync::Arc;
use std::time::Duration;

/// Somebody waits for the answer: once more, and no longer.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(300), wait_max: Duration::from_secs(2), attempts_max: 2 };

pub(super) async fn run(check: &Check, effort: &Effort) -> CheckReport {
    let mut report = CheckReport::new("google", check.clock.now());
    report.note(&ENABLED, enabled(check.enabled), None);
    let known = check.known();
    report.note(&FILE, account::file(known.as_ref().map_err(|error| *error)), None);
    let known = known.unwrap_or_default();
    let transport = match transport(check) {
        Ok(transport) => transport,
        Err(error) => return unsent(report, &error),
    };
    let look = Look { check, effort, transport, known };
    look.hosts(&mut report).await;
    let tokens = look.credential(&mut report).await;
    look.calendar(&mut report, tokens.as_ref()).await;
    look.push(&mut report).await;
    look.rooms(&mut report, tokens.as_ref()).await;
    report
}

/// The scopes that are granted, or why nobody knows.
pub(super) async fn granted(check: &Check, effort: &Effort) -> Result<Scopes> {
    let known = check.known().map_err(again)?;
    let look = Look { check, effort, transport: transport(check)?, known };
    let needed = check.needed();
    let needs = Needs { needed: &needed, welcome: WELCOME };
    match (check.way(), &check.credential) {
        (Way::Itself, _) => Ok(needs.candidates()),
        (Way::Delegated, Credential::ServiceAccount(Ok(_))) => {
            let probe = look.probe(&needs).await?;
            match probe.other {
                Some(error) if probe.granted.is_empty() => Err(error),
                _ => Ok(probe.granted),
            }
        }
        (_, Credential::Grant(Ok(client), Some(grant))) => {
            let unknown =
                || Error::new(ErrorKind::Protocol, "the answer does not say which scopes are granted");
            look.grant(client, grant).await?.1.ok_or_else(unknown)
        }
        _ => Err(Error::new(ErrorKind::Config, "nobody has connected an account yet")
            .cure("Connect one, and check again.")),
    }
}

/// The same error once more; the first one stays with the settings.
fn again(error: &Error) -> Error {
    let same = Error::new(error.kind(), error.message().to_owned());
    match error.cure_text() {
        Some(cure) => same.cure(cure.to_owned()),
        None => same,
    }
}

fn transport(check: &Check) -> Result<Arc<dyn Transport>> {
    Ok(match &check.transport {
        Some(transport) => transport.clone(),
        None => Arc::new(ReqwestTransport::new()?),
    })
}

/// Nothing can be sent from here at all.
fn unsent(mut report: CheckReport, error: &Error) -> CheckReport {
    for host in [&API_HOST, &TOKEN_HOST] {
        report.note(host, Finding::error(error).by(Who::NetworkAdministrator), None);
    }
    for name in [&CONSENT_HOST].into_iter().chain(AFTER_HOSTS).chain([&PUSH, &ROOMS]) {
        let finding =
            report.waiting(&[&API_HOST]).unwrap_or_else(|| Finding::skip("nothing can be sent from here"));
        report.note(name, finding, None);
    }
    report
}

fn enabled(enabled: Option<bool>) -> Finding {
    match enabled {
        Some(true) => Finding::pass(),
        Some(false) => Finding::fail("it is switched off: nothing is run").by(Who::CrmAdministrator).cure(Cure::new(
            "Switch it on in the CRM once the rest of this list is in order, and let the first run only plan.",
        )),
        None => Finding::skip("the CRM did not say"),
    }
}

/// How calls are made once a credential was accepted.
struct Tokens {
    source: Arc<dyn TokenSource>,
    /// What is granted, where it is known.
    granted: Option<Scopes>,
}

struct Look<'a> {
    check: &'a Check,
    effort: &'a Effort,
    transport: Arc<dyn Transport>,
    known: Known,
}

impl Look<'_> {
    async fn timed<T>(&self, asking: impl Future<Output = T>) -> (T, Option<Duration>) {
        let before = self.check.clock.monotonic();
        let answer = asking.await;
        (answer, Some(self.check.clock.monotonic().saturating_sub(before)))
    }

    /// Notes what asking brings, or what it waits for.
    async fn step(
        &self,
        report: &mut CheckReport,
        name: &CheckName,
        needs: &[&CheckName],
        asking: impl Future<Output = Finding>,
    ) {
        let (finding, took) = match report.waiting(needs) {
            Some(waits) => (waits, None),
            None => self.timed(asking).await,
        };
        report.note(name, finding, took);
    }

    fn sender(&self, base: &BaseUrl) -> Sender {
        let check = self.check;
        Sender::new(base.clone(), self.transport.clone(), check.clock.clone(), check.entropy.clone())
            .with_backoff(BACKOFF)
    }

    fn token_sender(&self) -> Sender {
        self.sender(&self.check.endpoints.token)
    }

    fn agent(&self) -> Option<&str> {
        self.check.agent.as_deref()
    }

    /// Sends past everything that adds to a request, so that nothing secret can be in it.
    async fn raw(&self, request: http::Request<Bytes>) -> Option<Answer> {
        let deadline = self.effort.deadline();
        if deadline.is_some_and(|deadline| self.check.clock.monotonic() >= deadline) {
            return None;
        }
        self.effort.spend();
        Some(self.transport.send(request).await)
    }

    async fn hosts(&self, report: &mut CheckReport) {
        let endpoints = &self.check.endpoints;
        let mut ahead = None;
        let api = format!("{}/users/me/calendarList?{}", endpoints.api, pairs(&[("maxResults", "1")]));
        // A grant that does not exist: refused by name, whoever asks.
        let body = format!("grant_type={}", encode("calsync-check"));
        let form = http::Request::post(endpoints.token.as_str())
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let consent_needed = self.check.way() == Way::Grant;
        for (name, host, base, request) in [
            (&API_HOST, Host::Api, &endpoints.api, http::Request::get(api).body(Bytes::new())),
            (&TOKEN_HOST, Host::Token, &endpoints.token, form.body(body.into())),
            (
                &CONSENT_HOST,
                Host::Consent,
                &endpoints.consent,
                http::Request::get(endpoints.consent.as_str()).body(Bytes::new()),
            ),
        ] {
            if host == Host::Consent && !consent_needed {
                report.note(name, Finding::skip("a service account asks nobody for consent"), None);
                continue;
            }
            let Ok(request) = request else {
                report.note(name, Finding::fail("its address is not one").by(Who::CrmAdministrator), None);
                continue;
            };
            let (answer, took) = self.timed(self.raw(request)).await;
            let Some(answer) = answer else {
                report.note(name, Finding::skip("there was no time left to ask"), None);
                continue;
            };
            let finding = network::host(host, base, &answer);
            let date = answer.as_ref().ok().and_then(|answer| crate::wire::error::date(answer.headers()));
            // The clock of whatever answered in Google's place is not Google's.
            if let (Outcome::Pass, Some(date), true) = (finding.outcome(), date, host != Host::Consent) {
                ahead = Some(date - self.check.clock.now());
            }
            report.note(name, finding, took);
        }
        let waits = report.waiting(&[&API_HOST, &TOKEN_HOST]).filter(|_| ahead.is_none());
        report.note(&CLOCK, waits.unwrap_or_else(|| network::clock(ahead)), None);
    }

    /// Whether the credential is accepted and what it may do; gives what calls are made with.
    async fn credential(&self, report: &mut CheckReport) -> Option<Tokens> {
        let needed = self.check.needed();
        let needs = Needs { needed: &needed, welcome: WELCOME };
        match &self.check.credential {
            Credential::ServiceAccount(key) => {
                let tokens = |scopes: Vec<String>, delegated| {
                    let key = key.as_ref().ok()?.clone();
                    let clock = self.check.clock.clone();
                    Some(ServiceAccountTokens::new(key, scopes, delegated, self.token_sender(), clock))
                };
                let itself = tokens(vec![EVENTS.to_owned()], false);
                let asking = async {
                    let Some(itself) = &itself else { return Finding::skip("there is no key") };
                    // On its own behalf a service account may ask for any scope: what is refused here is the key.
                    match itself.token("", self.effort).await {
                        Ok(_) => Finding::pass(),
                        Err(error) => troubled(&error, Way::Itself),
                    }
                };
                self.step(report, &ACCOUNT, &[&FILE, &TOKEN_HOST], asking).await;
                let accepted = report.step(&ACCOUNT.id).is_some_and(|step| step.outcome == Outcome::Pass);
                if !self.check.delegated {
                    report.note(&USER, Finding::skip("the service account acts as itself"), None);
                    let pass = Finding::pass_but("a service account that acts as itself needs no grant");
                    report.note(&SCOPES, report.waiting(&[&ACCOUNT]).unwrap_or(pass), None);
                    let scopes = to_ask(&needs.candidates(), &needs);
                    let source = tokens(scopes.clone().into_iter().collect(), false).filter(|_| accepted)?;
                    return Some(Tokens { source: Arc::new(source), granted: Some(scopes) });
                }
                let scopes = self.delegated(report, &needs).await.filter(|_| accepted)?;
                let source = tokens(scopes.clone().into_iter().collect(), true)?;
                Some(Tokens { source: Arc::new(source), granted: Some(scopes) })
            }
            Credential::Grant(client, grant) => {
                let found = match (client, grant) {
                    (Ok(client), Some(grant)) if report.waiting(&[&FILE, &TOKEN_HOST]).is_none() => {
                        let (found, took) = self.timed(self.grant(client, grant)).await;
                        let finding = match &found {
                            Ok(_) => Finding::pass(),
                            Err(error) => troubled(error, Way::Grant),
                        };
                        report.note(&ACCOUNT, finding, took);
                        found.ok()
                    }
                    _ => {
                        let nobody = || Finding::skip("nobody has connected an account yet");
                        let finding = report.waiting(&[&FILE, &TOKEN_HOST]).unwrap_or_else(nobody);
                        report.note(&ACCOUNT, finding, None);
                        None
                    }
                };
                report.note(&USER, Finding::skip("the account that gave its consent is acted for"), None);
                let granted = found.as_ref().and_then(|(_, granted)| granted.as_ref());
                let scopes = report.waiting(&[&ACCOUNT]).unwrap_or_else(|| match granted {
                    Some(granted) => account::scopes(granted, &needs, Way::Grant, &self.known),
                    None => Finding::skip("no answer said which are granted"),
                });
                report.note(&SCOPES, scopes, None);
                found.map(|(token, granted)| Tokens { source: Arc::new(StaticToken(token)), granted })
            }
        }
    }

    /// A token of a grant, and the scopes that it has as far as that is said.
    async fn grant(&self, client: &Client, given: &Given) -> Result<(Secret, Option<Scopes>)> {
        match given {
            Given::Token(token) => {
                let (client, clock) = (client.client.clone(), self.check.clock.clone());
                RefreshTokens::new(client, token.clone(), self.token_sender(), clock).look(self.effort).await
            }
            Given::Kept { account, scopes, tokens } => {
                Ok((tokens.token(account, self.effort).await?, Some(scopes.clone())))
            }
        }
    }

    /// The user and the scopes of a delegated service account, from one answer per scope.
    async fn delegated(&self, report: &mut CheckReport, needs: &Needs<'_>) -> Option<Scopes> {
        let waits = report.waiting(&[&ACCOUNT]);
        let agent = self.agent();
        if waits.is_some() || agent.is_none() {
            let finding = waits.unwrap_or_else(|| Finding::skip("no agent was named"));
            report.note(&USER, finding.clone(), None);
            report.note(&SCOPES, finding, None);
            return None;
        }
        let (probe, took) = self.timed(self.probe(needs)).await;
        let probe = probe.unwrap_or_else(|error| Probe { other: Some(error), ..Probe::default() });
        report.note(&USER, account::user(&probe, agent.unwrap_or_default()), took);
        let told = match &probe.other {
            Some(error) if probe.granted.is_empty() => {
                report.waiting(&[&USER]).unwrap_or_else(|| troubled(error, Way::Delegated))
            }
            Some(error) => troubled(error, Way::Delegated),
            None => account::scopes(&probe.granted, needs, Way::Delegated, &self.known),
        };
        let enough = probe.granted.missing(needs.needed).is_empty();
        report.note(&SCOPES, told, None);
        enough.then(|| to_ask(&probe.granted, needs))
    }

    /// Asks for each scope alone.
    async fn probe(&self, needs: &Needs<'_>) -> Result<Probe> {
        let Credential::ServiceAccount(Ok(key)) = &self.check.credential else { return Ok(Probe::default()) };
        let agent = self.agent().ok_or_else(|| Error::new(ErrorKind::Config, "no agent was named"))?;
        let mut probe = Probe::default();
        let mut granted = Vec::new();
        for scope in needs.candidates() {
            let (scopes, clock) = (vec![scope.clone()], self.check.clock.clone());
            let tokens = ServiceAccountTokens::new(key.clone(), scopes, true, self.token_sender(), clock);
            match scope_answer(tokens.token(agent, self.effort).await) {
                ScopeAnswer::Granted => granted.push(scope),
                ScopeAnswer::Missing => {}
                ScopeAnswer::Other(error) => {
                    probe.other = Some(error);
                    break;
                }
            }
        }
        probe.granted = granted.into_iter().collect();
        Ok(probe)
    }

    async fn call<C: Call>(
        &self,
        base: &BaseUrl,
        tokens: &Tokens,
        subject: &str,
        call: &C,
    ) -> Result<C::Output> {
        self.sender(base).with_tokens(tokens.source.clone()).send(call, subject, self.effort).await
    }

    async fn calendar(&self, report: &mut CheckReport, tokens: Option<&Tokens>) {
        let (check, api) = (self.check, &self.check.endpoints.api);
        let way = check.way();
        // The account's own calendar is `primary` to itself; a service account has one that nobody knows of.
        let own = (way == Way::Grant).then_some("primary");
        let calendar = check.target().or(own);
        let needed = check.needed();
        let Some((tokens, calendar)) = tokens.zip(calendar) else {
            let lacks = if calendar.is_none() {
                "no agent was named"
            } else {
                "there is no access token to ask with"
            };
            for name in [&API_ENABLED, &CALENDAR, &ROLE, &AGENT, &HOURS] {
                let waits = report.waiting(&[&ACCOUNT, &USER, &SCOPES]);
                report.note(name, waits.unwrap_or_else(|| Finding::skip(lacks)), None);
            }
            return;
        };
        let asked = Asked {
            way,
            known: &self.known,
            calendar,
            agent: self.agent().or((calendar == "primary").then_some("primary")),
            direction: check.direction,
            needed: &needed,
        };
        let subject = self.agent().unwrap_or_default();
        let id = CalendarId::from(calendar);
        let mut head: Option<Result<CalendarHead>> = None;
        if report.waiting(&[&API_HOST, &SCOPES]).is_none() {
            let (answer, took) = self.timed(self.call(api, tokens, subject, &GetCalendar(&id))).await;
            report.note(&API_ENABLED, calendar::api_enabled(&answer, &asked), took);
            let finding =
                report.waiting(&[&API_ENABLED]).unwrap_or_else(|| calendar::reachable(&answer, &asked));
            report.note(&CALENDAR, finding, None);
            head = Some(answer);
        } else {
            for name in [&API_ENABLED, &CALENDAR] {
                let waits = report
                    .waiting(&[&API_HOST, &SCOPES])
                    .unwrap_or_else(|| Finding::skip("nothing was asked"));
                report.note(name, waits, None);
            }
        }
        let role = match &head {
            Some(Ok(head)) => calendar::role(head.access_role.as_deref(), &asked),
            _ => {
                report.waiting(&[&CALENDAR]).unwrap_or_else(|| Finding::skip("there was no time left to ask"))
            }
        };
        report.note(&ROLE, role, None);

        let agent = async {
            let primary = self.primary(tokens, subject).await;
            calendar::agent_matched(&asked, primary.as_deref())
        };
        self.step(report, &AGENT, &[&CALENDAR], agent).await;
        let hours = async {
            let granted = tokens.granted.as_ref().is_none_or(|granted| granted.covers(Feature::WorkingHours));
            let answer = match granted {
                true => self.call(api, tokens, subject, &GetCalendarProperties(&id)).await,
                false => Err(Error::new(ErrorKind::Forbidden, "not granted")),
            };
            calendar::hours(&answer, &asked)
        };
        self.step(report, &HOURS, &[&CALENDAR], hours).await;
    }

    /// The address that Google has for the account that acts, where a granted scope lets it be asked. A service account's own says
    /// nothing about the agent.
    async fn primary(&self, tokens: &Tokens, subject: &str) -> Option<String> {
        let api = &self.check.endpoints.api;
        let primary = CalendarId::from("primary");
        let may = |feature| tokens.granted.as_ref().is_none_or(|granted| granted.covers(feature));
        if self.check.way() == Way::Itself {
            return None;
        }
        if may(Feature::WorkingHours) {
            let calendar = self.call(api, tokens, subject, &GetCalendarProperties(&primary)).await;
            return calendar.ok()?.id().map(str::to_owned);
        }
        if may(Feature::ListCalendars) {
            let entry = self.call(api, tokens, subject, &GetCalendarEntry(&primary)).await;
            return entry.ok()?.id().map(str::to_owned);
        }
        None
    }

    async fn push(&self, report: &mut CheckReport) {
        let base = match calendar::push_address(self.check.public_address.as_deref()) {
            Ok(base) => base,
            Err(finding) => return report.note(&PUSH, *finding, None),
        };
        // As Google opens a channel, of one that nobody opened: a receiver answers, and does nothing.
        let request =
            http::Request::post(base.as_str()).header("x-goog-resource-state", "sync").body(Bytes::new());
        let Ok(request) = request else {
            return report.note(&PUSH, Finding::fail("the public address is not one").by(Who::Vendor), None);
        };
        let (answer, took) = self.timed(self.raw(request)).await;
        let late = || Finding::skip("there was no time left to ask");
        report.note(&PUSH, answer.map_or_else(late, |answer| calendar::push(&base, &answer)), took);
    }

    async fn rooms(&self, report: &mut CheckReport, tokens: Option<&Tokens>) {
        let Some(administrator) = self.check.rooms.as_deref() else {
            return report.note(&ROOMS, Finding::skip("no rooms are asked for"), None);
        };
        let asking = async {
            let base = match &self.check.directory {
                Some(base) => Ok(base.clone()),
                None => BaseUrl::new("https://admin.googleapis.com/admin/directory/v1"),
            };
            let answer = match base {
                Ok(base) => self.ask_for_rooms(&base, administrator, tokens).await,
                Err(error) => Err(error),
            };
            calendar::rooms(&answer, administrator, self.check.way(), &self.known)
        };
        self.step(report, &ROOMS, &[&FILE, &TOKEN_HOST, &ACCOUNT], asking).await;
    }

    async fn ask_for_rooms(
        &self,
        base: &BaseUrl,
        administrator: &str,
        tokens: Option<&Tokens>,
    ) -> Result<()> {
        let Credential::ServiceAccount(Ok(key)) = &self.check.credential else {
            let tokens =
                tokens.ok_or_else(|| Error::new(ErrorKind::Config, "nobody has connected an account yet"))?;
            return self.call(base, tokens, "", &ListRooms).await;
        };
        if !self.check.delegated {
            let error = Error::new(ErrorKind::Config, "a service account that acts as itself sees no rooms");
            return Err(error.cure("Set up domain-wide delegation, or leave rooms out."));
        }
        // The narrower one first; whichever of them is authorised is enough.
        let mut refused = Error::new(ErrorKind::Config, "no scope opens the rooms");
        for scope in Feature::Rooms.any_of() {
            let (scopes, clock) = (vec![(*scope).to_owned()], self.check.clock.clone());
            let source = ServiceAccountTokens::new(key.clone(), scopes, true, self.token_sender(), clock);
            let tokens = Tokens { source: Arc::new(source), granted: None };
            match self.call(base, &tokens, administrator, &ListRooms).await {
                Err(error) if account::for_the_scope(&error) => refused = error,
                answer => return answer,
            }
        }
        Err(refused)
    }
}
