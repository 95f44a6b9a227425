//! Credentials that die or never worked, and refusals: each has a name, nothing is lost, and nobody else stops.

use super::desk::{AMY, BOB, Desk, NUMBER, ROBOT, Setup, Way, hour, visit};
use calsync_core::clock::Clock;
use calsync_core::http::Backoff;
use calsync_core::plan::{Action, Waiting};
use calsync_core::store::EntryState;
use calsync_core::{Binding, ErrorKind, Secret};
use calsync_google::{Google, GoogleBuilder, OAuthClient, SCOPE_EVENTS};
use calsync_testkit::fake_google::{AccountState, FakeGoogle, Fault, FaultKind, Route};
use calsync_testkit::marked::{CLIENT_SECRET, MARK};
use std::sync::Arc;
use std::time::Duration;

const CLIENT: &str = "1-a.apps.googleusercontent.com";
const GRANT: &str = "1//0neversay-grant";
const NEW_GRANT: &str = "1//0neversay-new-grant";

fn grant(token: &str) -> GoogleBuilder {
    let client = OAuthClient { id: CLIENT.into(), secret: Secret::new(CLIENT_SECRET) };
    Google::refresh_token(client, Secret::new(token))
}

fn granted(fake: &mut FakeGoogle) {
    fake.oauth_client(CLIENT, CLIENT_SECRET);
    for token in [GRANT, NEW_GRANT] {
        fake.refresh_token(token, CLIENT, AMY, &["calendar.events"]);
    }
}

#[tokio::test]
async fn g30_a_revoked_grant_is_a_state_of_its_own_and_a_new_one_goes_on_with_what_waits() {
    let desk = Setup::default().google(|| grant(GRANT)).fake(granted).desk().await;
    desk.enter(hour("g1", 1));
    desk.run().await;
    desk.create(&visit("v1", "2026-12-10T09:00:00")).await;
    // It is taken back between the listing and the write.
    desk.before(|request, fake| {
        if request.method() == http::Method::POST && request.uri().path().ends_with("/events") {
            fake.revoke_refresh_token(GRANT);
            fake.expire_access_tokens();
        }
        Way::Free
    });
    let report = desk.run().await;
    let error = report.error.clone().expect("it was not clean");
    assert_eq!(error.kind, ErrorKind::Unauthorized, "{report}");
    desk.undisturbed();
    let error = desk.try_run().await.unwrap_err();
    assert_eq!((error.kind(), error.reason_code()), (ErrorKind::Unauthorized, Some("invalid_grant")));
    assert!(error.cure_text().unwrap().contains("Connect the account again"), "{error}");
    let health = desk.state().await.health;
    let last = health.last_error.unwrap();
    assert_eq!(last.kind, ErrorKind::Unauthorized);
    assert!(last.message.contains("Connect the account again"), "{}", last.message);
    assert!(!last.message.contains(MARK));
    assert_eq!(desk.queued().await, 1, "the queue is kept");
    // Nobody asks Google again and again.
    let asked = desk.asked(Route::Token);
    for _ in 0..5 {
        desk.try_run().await.unwrap_err();
    }
    assert_eq!(desk.asked(Route::Token), asked);
    // An appointment can still be booked meanwhile.
    desk.create(&visit("v2", "2026-12-11T09:00:00")).await;

    let engine = desk.another_engine(Arc::clone(desk.engine.store()), grant(NEW_GRANT), 9);
    let report = engine.run(&desk.binding).await.unwrap();
    assert_eq!(report.error, None, "{report}");
    assert_eq!((desk.living().len(), desk.writes()), (3, 2));
    let health = engine.state(&desk.binding).await.unwrap().health;
    assert_eq!((health.last_error, health.last_success), (None, Some(report.finished)));
}

#[tokio::test]
async fn g30_a_grant_of_an_app_in_testing_dies_after_seven_days_and_says_so_and_can_be_unbound() {
    let desk = Setup::default()
        .google(|| grant(GRANT))
        .fake(|fake| {
            granted(fake);
            fake.set_oauth_client_testing(CLIENT, true);
        })
        .desk()
        .await;
    desk.enter(hour("g1", 1));
    desk.run().await;
    desk.clock.advance(Duration::from_secs(8 * 24 * 3600));
    let error = desk.try_run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().contains("7 days"), "{error}");
    assert_eq!(desk.titles().await, ["g1"]);
    desk.engine.unbind(&desk.binding).await.unwrap();
    assert_eq!((desk.engine.bindings().await.unwrap().len(), desk.titles().await.len()), (0, 1));
}

#[tokio::test]
async fn g31_each_refusal_of_a_service_account_is_named_and_others_go_on() {
    type Arrange = fn(&mut FakeGoogle);
    let cases: [(Arrange, ErrorKind, &str); 6] = [
        (
            |fake| fake.account(AMY).state = AccountState::DeletedLately,
            ErrorKind::Unauthorized,
            "was deleted",
        ),
        (
            |fake| fake.account(AMY).state = AccountState::DeletedLongAgo,
            ErrorKind::Unauthorized,
            "unbind this person",
        ),
        (|fake| fake.account(AMY).state = AccountState::Restricted, ErrorKind::Forbidden, "not suspended"),
        (
            |fake| fake.account(AMY).state = AccountState::ServiceOff,
            ErrorKind::Forbidden,
            "Calendar service is on",
        ),
        (
            |fake| fake.account(AMY).state = AccountState::NoCalendar,
            ErrorKind::Forbidden,
            "has no Google Calendar",
        ),
        (
            |fake| {
                fake.inject(
                    Fault::new(FaultKind::Refuse {
                        code: 403,
                        reason: "accessNotConfigured".into(),
                        message:
                            "Google Calendar API has not been used in project 1 before or it is disabled."
                                .into(),
                    })
                    .calendar(AMY)
                    .times(50),
                );
            },
            ErrorKind::Forbidden,
            "the Google Calendar API is not enabled",
        ),
    ];
    for (arrange, kind, text) in cases {
        let desk = Desk::new().await;
        let bob = desk.engine.bind(Binding::two_way(BOB).to("google", BOB)).await.unwrap();
        desk.enter(hour("g1", 1));
        desk.run().await;
        desk.clock.advance(Duration::from_secs(3600));
        arrange(&mut desk.fake());
        desk.user(|fake, now| fake.user_insert(now, BOB, &hour("b1", 1))).unwrap();
        let before = desk.fake().requests();
        let error = desk.try_run().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(text) && error.to_string().contains(AMY), "{text}: {error}");
        assert!(desk.fake().requests() - before <= 3, "{text}: asked too often");
        let last = desk.state().await.health.last_error.unwrap();
        assert_eq!((last.kind, last.message.contains(text)), (kind, true), "{}", last.message);
        assert_eq!(desk.titles().await, ["g1"], "{text}");
        let report = desk.try_run_of(&bob).await.unwrap();
        assert_eq!(report.count(Action::CreateLocal), 1, "{text}: {report}");
    }
}

#[tokio::test]
async fn g31_a_delegation_that_lacks_a_scope_or_is_withdrawn_is_named_and_heals() {
    let desk = Setup::default().fake(|fake| fake.delegate(NUMBER, &["calendar.readonly"])).desk().await;
    let named = |text: String| {
        for part in [NUMBER, SCOPE_EVENTS, "unauthorized_client", "Domain-wide delegation", AMY] {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    let error = desk.try_run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    named(error.to_string());
    desk.fake().delegate(NUMBER, &[SCOPE_EVENTS]);
    desk.enter(hour("g1", 1));
    desk.run().await;
    desk.fake().withdraw_delegation(NUMBER);
    desk.fake().expire_access_tokens();
    named(desk.try_run().await.unwrap_err().to_string());
    assert_eq!(desk.titles().await, ["g1"]);
    desk.fake().delegate(NUMBER, &[SCOPE_EVENTS]);
    desk.settled().await;
    desk.fake().remove_service_account(ROBOT);
    desk.fake().expire_access_tokens();
    let error = desk.try_run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().contains(ROBOT), "{error}");
}

fn refuse(code: u16, reason: &str) -> Fault {
    Fault::new(FaultKind::Refuse { code, reason: reason.into(), message: "No".into() }).on_writes()
}

#[tokio::test]
async fn g32_a_rate_limit_waits_and_is_tried_again_in_the_same_run() {
    for (code, reason) in
        [(403, "rateLimitExceeded"), (403, "userRateLimitExceeded"), (429, "rateLimitExceeded")]
    {
        let desk = Desk::new().await;
        desk.create(&visit("v1", "2026-12-01T09:00:00")).await;
        desk.fake().inject(refuse(code, reason).times(2));
        let before = desk.clock.now();
        let report = desk.run().await;
        assert_eq!((desk.living().len(), report.error.clone()), (1, None), "{reason}: {report}");
        assert!(desk.clock.now() > before + chrono::Duration::seconds(60), "it did not wait");
    }
}

#[tokio::test]
async fn g32_a_rate_limit_that_lasts_keeps_the_write_for_later_runs() {
    let desk = Desk::new().await;
    desk.enter(hour("g1", 1));
    desk.create(&visit("v1", "2026-12-02T09:00:00")).await;
    desk.create(&visit("v2", "2026-12-03T09:00:00")).await;
    desk.fake().inject(refuse(403, "rateLimitExceeded").times(Backoff::default().attempts_max * 2));
    let report = desk.run().await;
    assert_eq!(report.error.as_ref().map(|error| error.kind), Some(ErrorKind::RateLimited), "{report}");
    assert_eq!(desk.titles().await.len(), 3, "reading goes on");
    assert_eq!(desk.queued().await, 2);
    assert!(desk.state().await.health.last_error.is_some());
    desk.heal().await;
    desk.heal().await;
    desk.run().await;
    assert_eq!((desk.living().len(), desk.queued().await), (3, 0));
    assert_eq!(desk.state().await.health.last_error, None);
    desk.settled().await;
}

#[tokio::test]
async fn g32_a_calendar_that_is_closed_for_some_hours_is_written_after_them_and_read_meanwhile() {
    let desk = Desk::new().await;
    let record = desk.create(&visit("v1", "2026-12-02T09:00:00")).await;
    desk.run().await;
    desk.edit(&record, |a| a.location = Some("Dock 4".into())).await;
    desk.fake().inject(refuse(403, "quotaExceeded"));
    let report = desk.run().await;
    let error = report.error.clone().unwrap();
    assert_eq!(error.kind, ErrorKind::QuotaExhausted, "{report}");
    assert!(error.message.contains("for some hours"), "{}", error.message);
    desk.enter(hour("g1", 1));
    let before = desk.asked(Route::PatchEvent);
    desk.run().await;
    assert_eq!((desk.titles().await.len(), desk.asked(Route::PatchEvent)), (2, before), "{report}");
    desk.clock.advance(Duration::from_secs(2 * 3600));
    desk.run().await;
    assert_eq!(desk.titled("v1")["location"], "Dock 4");
    desk.settled().await;
}

#[tokio::test]
pub(crate) async fn g32_what_only_the_organiser_may_change_is_parked_alone_and_said() {
    let desk = Desk::new().await;
    let one = desk.create(&visit("v1", "2026-12-01T09:00:00")).await;
    let two = desk.create(&visit("v2", "2026-12-02T09:00:00")).await;
    desk.run().await;
    for record in [&one, &two] {
        desk.edit(record, |a| a.location = Some("Dock 4".into())).await;
    }
    let id = desk.titled("v1")["id"].as_str().unwrap().to_owned();
    desk.fake().inject(refuse(403, "forbiddenForNonOrganizer").event(&id));
    desk.run().await;
    assert_eq!(desk.titled("v2")["location"], "Dock 4");
    let store = desk.engine.store();
    let outbox = store.outbox(desk.engine.tenant(), &desk.binding.id, 0, 10).await.unwrap();
    assert_eq!(outbox.len(), 1);
    match &outbox[0].state {
        EntryState::Parked { kind, reason } => {
            assert_eq!(*kind, ErrorKind::Invalid);
            assert!(reason.contains("organizer") && reason.contains("forbiddenForNonOrganizer"), "{reason}");
        }
        state => panic!("{state:?}"),
    }
    // Said in every run, asked about in none, until somebody changes something.
    let asked = desk.asked(Route::PatchEvent);
    let report = desk.run().await;
    assert_eq!(report.waiting.get(&Waiting::Refused), Some(&1), "{report}");
    assert_eq!(desk.asked(Route::PatchEvent), asked);
    assert_eq!(desk.value(&one, "location").await, "Dock 4", "what the user wrote stays");
    desk.edit(&one, |a| a.location = Some("Dock 5".into())).await;
    desk.run().await;
    assert_eq!(desk.titled("v1")["location"], "Dock 5");
    desk.settled().await;
}

#[tokio::test]
async fn g31_credentials_of_two_people_do_not_mix() {
    let desk = Desk::new().await;
    let bob = desk.engine.bind(Binding::two_way(BOB).to("google", BOB)).await.unwrap();
    desk.enter(hour("g1", 1));
    desk.run().await;
    desk.try_run_of(&bob).await.unwrap();
    for entry in desk.fake().journal().iter().filter(|entry| entry.calendar.is_some()) {
        assert_eq!(entry.subject, entry.calendar);
    }
}
