//! A counter at which settings are checked: the fake Google, the line to it, and two clocks.
//!
//! Every exchange with the Calendar API is held against Google's own description of it.

use async_trait::async_trait;
use bytes::Bytes;
use calsync_core::Secret;
use calsync_core::check::{CheckReport, Outcome};
use calsync_core::clock::{ManualClock, SeededEntropy};
use calsync_core::http::{Transport, TransportError, TransportFault};
use calsync_core::provider::Effort;
use calsync_google::{Check, Google, GoogleBuilder, OAuthClient};
use calsync_testkit::discovery::Discovery;
use calsync_testkit::fake_google::{FakeGoogle, FakeTransport, Role};
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

pub(crate) const AMY: &str = "amy@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const TEAM: &str = "amy-team@group.calendar.google.com";
pub(crate) const ROBOT: &str = "sync@p1.iam.gserviceaccount.com";
pub(crate) const NUMBER: &str = "104567890123456789012";
pub(crate) const CLIENT: &str = "4711-a.apps.googleusercontent.com";
pub(crate) const CLIENT_SECRET: &str = "GOCSPX-neversay-client";
pub(crate) const GRANT: &str = "1//0neversay-grant";
pub(crate) const PEM: &str = include_str!("../data/keys/throwaway_service_account.pem");
/// Enough for events and working hours, and no more.
pub(crate) const LEAST: [&str; 2] = ["calendar.events", "calendar.calendars.readonly"];

/// The key file of the service account, as it is pasted.
pub(crate) fn pasted() -> String {
    let key: Value = json!({
        "type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": PEM,
        "client_email": ROBOT, "client_id": NUMBER, "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    });
    key.to_string()
}

pub(crate) fn client() -> OAuthClient {
    OAuthClient { id: CLIENT.into(), secret: Secret::new(CLIENT_SECRET) }
}

type Instead =
    Box<dyn Fn(&http::Request<Bytes>) -> Option<Result<http::Response<Bytes>, TransportError>> + Send + Sync>;

/// The line to the fake; it may answer in its place.
pub(crate) struct Line {
    fake: FakeTransport,
    instead: Instead,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        if let Some(instead) = (self.instead)(&request) {
            return instead;
        }
        let (method, body) = (request.method().clone(), request.body().clone());
        let path = request.uri().path_and_query().unwrap().as_str().to_owned();
        let answer = self.fake.send(request).await?;
        if path.starts_with("/calendar/v3/") {
            let status = answer.status().as_u16();
            Discovery::calendar().check_exchange(&method, &path, &body, status, answer.body()).unwrap();
        }
        Ok(answer)
    }
}

pub(crate) struct Counter {
    pub(crate) transport: FakeTransport,
    pub(crate) clock: Arc<ManualClock>,
    instead: Instead,
}

impl Counter {
    /// Amy, Bob, Amy's team, a service account with delegation for [`LEAST`], and a grant of Amy's for the same.
    pub(crate) fn new() -> Self {
        let time = Arc::new(ManualClock::new("2026-11-23T08:00:00Z".parse().unwrap()));
        let mut fake = FakeGoogle::new();
        fake.account(AMY);
        fake.account(BOB);
        fake.calendar(AMY, TEAM, "Amy's team");
        fake.set_working_hours(
            AMY,
            Some(json!({
                "workingHoursEnabled": true,
                "availableTimes": [{"dayOfWeek": "monday", "periodStart": 540, "periodEnd": 1020}],
            })),
        );
        fake.service_account(ROBOT, NUMBER, PEM.as_bytes()).unwrap();
        fake.delegate(NUMBER, &LEAST);
        fake.oauth_client(CLIENT, CLIENT_SECRET);
        fake.refresh_token(GRANT, CLIENT, AMY, &LEAST);
        let transport = FakeTransport::new(fake, time);
        let clock = Arc::new(ManualClock::new("2026-11-23T08:00:00Z".parse().unwrap()));
        Self { transport, clock, instead: Box::new(|_| None) }
    }

    /// Answers in Google's place where this says so.
    pub(crate) fn instead(
        mut self,
        instead: impl Fn(&http::Request<Bytes>) -> Option<Result<http::Response<Bytes>, TransportError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.instead = Box::new(instead);
        self
    }

    /// No request reaches this host.
    pub(crate) fn cut_off(self, host: &'static str, fault: TransportFault) -> Self {
        self.instead(move |request| {
            let lost = TransportError { message: "no way".into(), maybe_sent: false, limit: false, fault };
            (request.uri().host() == Some(host)).then_some(Err(lost))
        })
    }

    /// Answers what is asked of this path.
    pub(crate) fn answer(self, path: &'static str, status: u16, body: &'static str) -> Self {
        self.instead(move |request| {
            let answer = http::Response::builder().status(status).body(Bytes::from_static(body.as_bytes()));
            request.uri().path().starts_with(path).then(|| Ok(answer.unwrap()))
        })
    }

    pub(crate) fn fake(&self) -> MutexGuard<'_, FakeGoogle> {
        self.transport.google()
    }

    pub(crate) fn share(&self, calendar: &str, grantee: &str, role: Role) {
        self.fake().share(calendar, grantee, role);
    }

    /// Runs a check, and looks that nothing was written and no secret shows.
    pub(crate) async fn run(self, check: Check) -> CheckReport {
        self.run_within(check, &Effort::default()).await
    }

    pub(crate) async fn run_within(self, check: Check, effort: &Effort) -> CheckReport {
        let fake = self.transport.clone();
        let check = self.wire(check);
        let report = check.run(effort).await;
        assert!(fake.google().journal().iter().all(|entry| !entry.wrote()), "it wrote");
        let shown = format!("{report}{report:?}{}{check:?}", serde_json::to_string(&report).unwrap());
        for secret in
            ["neversay", "ya29.", "PRIVATE KEY", "evil.example", PEM.lines().nth(1).unwrap(), "assertion="]
        {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        report
    }

    /// The check with this counter's line and clock.
    pub(crate) fn wire(self, check: Check) -> Check {
        let clock = self.clock.clone();
        let line = Line { fake: self.transport, instead: self.instead };
        check.transport(Arc::new(line)).clock(clock).entropy(Arc::new(SeededEntropy::new(1)))
    }

    /// A connection over this counter's line.
    pub(crate) fn google(&self, builder: GoogleBuilder) -> Google {
        let line = Line { fake: self.transport.clone(), instead: Box::new(|_| None) };
        let builder = builder.transport(Arc::new(line)).clock(self.clock.clone());
        builder.entropy(Arc::new(SeededEntropy::new(1))).build().unwrap()
    }

    /// Lets this machine's clock fall behind Google's.
    pub(crate) fn lag(self, seconds: i64) -> Self {
        self.clock.set(calsync_core::clock::Clock::now(&*self.clock) - chrono::Duration::seconds(seconds));
        self.clock.advance(Duration::ZERO);
        self
    }
}

/// Just this step has a cross, and its cause, cure or values have these words.
#[track_caller]
pub(crate) fn only(report: &CheckReport, id: &str, words: &[&str]) {
    let failed: Vec<&str> = report.failed().map(|step| step.name.id.as_ref()).collect();
    assert_eq!(failed, [id], "\n{report}");
    let step = report.step(id).unwrap();
    assert!(step.who.is_some() && step.cure.is_some(), "{id} has no cure\n{report}");
    let json = serde_json::to_string(step).unwrap().replace("\\\"", "\"");
    for word in words {
        assert!(json.contains(word), "no {word:?} in {id}\n{report}");
    }
}

/// The steps that ended so.
pub(crate) fn ids(report: &CheckReport, outcome: Outcome) -> Vec<&str> {
    report.steps.iter().filter(|step| step.outcome == outcome).map(|step| step.name.id.as_ref()).collect()
}
