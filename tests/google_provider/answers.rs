//! Answers that are errors, or nothing at all: told apart, repeated or not, counted; and the credentials behind them.

use super::world::{AMY, BOB, NUMBER, ROBOT, World, fields, key, target, world, world_with};
use calsync_core::clock::Clock;
use calsync_core::clock::ManualClock;
use calsync_core::provider::{Effort, Provider, Start};
use calsync_core::{Error, ErrorKind, Retry, Secret};
use calsync_google::{Google, OAuthClient, SCOPE_EVENTS};
use calsync_testkit::fake_google::{Behaviour, Fault, FaultKind, Role, Route};
use calsync_testkit::marked::CLIENT_SECRET;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const GRANT: &str = "1//0neversay-grant";

#[tokio::test]
async fn a_shared_calendar_works_without_delegation_but_for_guests() {
    let shared = Google::service_account(key()).delegated(false);
    let world = world_with(shared, |fake| fake.share(AMY, ROBOT, Role::Writer));
    world.write("op-1", world.create(1, &fields(json!({})))).await.unwrap();
    let guests = fields(json!({"attendee/eve@elsewhere.example": {}}));
    let error = world.write("op-2", world.create(2, &guests)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.reason_code()),
        (ErrorKind::Invalid, Some("forbiddenForServiceAccounts"))
    );
    world.fake().unshare(AMY, ROBOT);
    let error = world.list(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&format!("account {ROBOT}")), "{error}");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_repeated_and_then_told() {
    for kind in [
        FaultKind::GarbageJson,
        FaultKind::Html,
        FaultKind::Truncated { bytes: 20 },
        FaultKind::Status { code: 500 },
        FaultKind::StatusHtml { code: 502 },
        FaultKind::StatusEmpty { code: 503 },
        FaultKind::StatusHtml { code: 404 },
        FaultKind::LostBeforeWork,
        FaultKind::LostAfterWork,
        FaultKind::TooManyRequests { retry_after: None },
        FaultKind::TooManyRequests { retry_after: Some("3".into()) },
        FaultKind::Refuse {
            code: 403,
            reason: "userRateLimitExceeded".into(),
            message: "User Rate Limit Exceeded".into(),
        },
        FaultKind::TokenRefused,
        FaultKind::Slow { milliseconds: 500_000 },
    ] {
        let world = world();
        world.fake().inject(Fault::new(kind.clone()).on(Route::ListEvents));
        assert!(world.list(None).await.is_ok(), "{kind:?}");
    }
    let world = world();
    world.fake().inject(Fault::new(FaultKind::Html).on_writes().times(9));
    let error = world.write("op-1", world.create(1, &fields(json!({})))).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry(), error.may_have_been_sent()),
        (ErrorKind::Protocol, Retry::Later, true)
    );
}

#[tokio::test]
async fn what_repeating_does_not_mend_is_told_at_once() {
    let refuse =
        |code, reason: &str| FaultKind::Refuse { code, reason: reason.into(), message: "Text".into() };
    for (kind, expected) in [
        (FaultKind::Redirect { location: "https://elsewhere.example/".into() }, ErrorKind::Protocol),
        (FaultKind::CalendarGone, ErrorKind::NotFound),
        (refuse(403, "quotaExceeded"), ErrorKind::QuotaExhausted),
        (refuse(403, "accessNotConfigured"), ErrorKind::Forbidden),
        (refuse(403, "insufficientPermissions"), ErrorKind::Forbidden),
        (refuse(400, "badRequest"), ErrorKind::Protocol),
    ] {
        let world = world();
        world.list(None).await.unwrap();
        let before = world.fake().requests();
        world.fake().inject(Fault::new(kind.clone()).times(9));
        let error = world.list(None).await.unwrap_err();
        assert_eq!((error.kind(), world.fake().requests() - before), (expected, 1), "{kind:?}");
    }
}

#[tokio::test]
async fn one_token_serves_many_calls_and_each_person_has_one() {
    let world = world();
    let tokens =
        |world: &World| world.fake().journal().iter().filter(|entry| entry.route == Route::Token).count();
    for _ in 0..3 {
        world.list(None).await.unwrap();
        world.list_of(&target(BOB), None).await.unwrap();
    }
    assert_eq!(tokens(&world), 2);
    world.clock.advance(Duration::from_secs(3600));
    world.list(None).await.unwrap();
    assert_eq!(tokens(&world), 3);
    world.fake().expire_access_tokens();
    world.list(None).await.unwrap();
    assert_eq!(tokens(&world), 4);
}

#[tokio::test]
async fn g31_what_is_missing_in_a_delegation_is_named_with_its_cure() {
    let told = |error: Error| (error.kind(), error.to_string());
    let withdrawn = world();
    withdrawn.fake().withdraw_delegation(NUMBER);
    let (kind, text) = told(withdrawn.list(None).await.unwrap_err());
    assert_eq!(kind, ErrorKind::Forbidden);
    for part in [NUMBER, SCOPE_EVENTS, AMY, "unauthorized_client", "Domain-wide delegation"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (kind, text) = told(world().list_of(&target("nobody@example.com"), None).await.unwrap_err());
    assert_eq!(kind, ErrorKind::Config);
    assert!(text.contains("nobody@example.com"), "{text}");
    let removed = world();
    removed.fake().remove_service_account(ROBOT);
    assert_eq!(removed.list(None).await.unwrap_err().kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn a_clock_that_is_hours_off_is_no_obstacle() {
    for hours in [3_i64, -3] {
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let reference = world();
        // Google's time is the reference's; the machine's is another.
        clock.set(reference.clock.now() + chrono::Duration::hours(hours));
        let google =
            Google::service_account(key()).transport(Arc::new(reference.transport.clone())).clock(clock);
        let google = google.build().unwrap();
        let page = google.list(&target(AMY), &Start::Full(None), &Effort::default()).await;
        assert!(page.is_ok(), "{hours} h: {page:?}");
    }
}

#[tokio::test]
async fn g30_a_revoked_refresh_token_is_told_once_and_asked_about_no_more() {
    let client =
        || OAuthClient { id: "1-a.apps.googleusercontent.com".into(), secret: Secret::new(CLIENT_SECRET) };
    let arrange = |behaviour: fn(&mut Behaviour)| {
        world_with(Google::refresh_token(client(), Secret::new(GRANT)), |fake| {
            fake.oauth_client("1-a.apps.googleusercontent.com", CLIENT_SECRET);
            fake.refresh_token(GRANT, "1-a.apps.googleusercontent.com", AMY, &["calendar.events"]);
            behaviour(fake.behaviour_mut());
        })
    };
    let world = arrange(|_| {});
    world.list(None).await.unwrap();
    world.fake().revoke_refresh_token(GRANT);
    world.fake().expire_access_tokens();
    let before = world.fake().requests();
    let error = world.list(None).await.unwrap_err();
    assert_eq!((error.kind(), error.reason_code()), (ErrorKind::Unauthorized, Some("invalid_grant")));
    let asked = world.fake().requests();
    assert_eq!(asked - before, 2);
    assert_eq!(world.list(None).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(world.fake().requests(), asked);
    // Rotation, and a lifetime that comes as text.
    let world = arrange(|behaviour| {
        behaviour.rotate_refresh_tokens = true;
        behaviour.expires_in_as_text = true;
    });
    for _ in 0..3 {
        world.list(None).await.unwrap();
        world.clock.advance(Duration::from_secs(3600));
    }
}

#[tokio::test]
async fn a_run_s_deadline_and_its_requests_are_counted_through_all_calls() {
    let world = world();
    let effort = Effort::until(Duration::from_secs(60));
    world.google.list(&target(AMY), &Start::Full(None), &effort).await.unwrap();
    assert_eq!(effort.requests(), 2);
    world.clock.advance(Duration::from_secs(61));
    let error = world.google.list(&target(AMY), &Start::Full(None), &effort).await.unwrap_err();
    assert_eq!((error.kind(), error.retry(), effort.requests()), (ErrorKind::Limit, Retry::Later, 2));
}
