//! Service accounts, with delegation and as themselves.

use super::counter::{AMY, BOB, Counter, LEAST, NUMBER, ROBOT, TEAM, ids, only, pasted};
use calsync_core::ErrorKind;
use calsync_core::binding::Direction;
use calsync_core::check::{Outcome, Who};
use calsync_core::http::TransportFault;
use calsync_core::provider::{Effort, Provider, Start, Target};
use calsync_google::scope::{CALENDAR, CALENDARS_READONLY, EVENTS, HALO_GUIDE};
use calsync_google::{Check, Feature, Google, Scopes, ServiceAccountKey};
use calsync_testkit::fake_google::{AccountState, Role, Route};
use std::time::Duration;

fn amy() -> Check {
    Check::service_account(&pasted()).delegated(true).agent(AMY).enabled(true)
}

fn itself() -> Check {
    amy().delegated(false)
}

#[tokio::test]
async fn with_everything_in_place_each_step_is_ticked_or_does_not_apply() {
    let counter = Counter::new();
    let fake = counter.transport.clone();
    let report = counter.run(amy()).await;
    assert!(report.passed(), "{report}");
    assert_eq!(ids(&report, Outcome::Skipped), ["consent_host", "push", "rooms"], "{report}");
    // Nobody is sent about for nothing: no tick has a cure beside it.
    assert!(report.steps.iter().all(|step| step.cure.is_none()), "{report}");
    // Two hosts, the key, a token for each of five scopes, one for what is asked with, the calendar, the account, the hours.
    assert_eq!(fake.google().requests(), 2 + 1 + 5 + 1 + 3);
    let order = [
        "enabled",
        "file",
        "api_host",
        "token_host",
        "consent_host",
        "clock",
        "account",
        "user",
        "scopes",
        "api_enabled",
        "calendar",
        "role",
        "agent",
        "working_hours",
        "push",
        "rooms",
    ];
    assert_eq!(report.steps.iter().map(|step| step.name.id.as_ref()).collect::<Vec<_>>(), order);
}

#[tokio::test]
async fn each_step_fails_alone_and_says_who_mends_it_and_how() {
    type Arrange = fn(Counter) -> Counter;
    type Set = fn(Check) -> Check;
    let same: Arrange = |counter| counter;
    let cases: [(&str, Arrange, Set, Who, &[&str]); 18] = [
        ("enabled", same, |check| check.enabled(false), Who::CrmAdministrator, &["Switch it on"]),
        (
            "file",
            same,
            |_| Check::service_account(&pasted()[..300]).agent(AMY).enabled(true),
            Who::CrmAdministrator,
            &["cut off", "IAM & Admin"],
        ),
        (
            "api_host",
            |counter| counter.cut_off("www.googleapis.com", TransportFault::Name),
            |check| check,
            Who::NetworkAdministrator,
            &["www.googleapis.com (DNS)", "\"value\":\"www.googleapis.com\""],
        ),
        (
            "token_host",
            |counter| counter.cut_off("oauth2.googleapis.com", TransportFault::Certificate),
            |check| check,
            Who::NetworkAdministrator,
            &["oauth2.googleapis.com is not trusted here", "trust store"],
        ),
        (
            "token_host",
            |counter| counter.answer("/token", 200, "<html>Sign in to the hotel"),
            |check| check,
            Who::NetworkAdministrator,
            &["in the place of oauth2.googleapis.com", "sign-in page"],
        ),
        (
            "clock",
            |counter| counter.lag(93),
            |check| check,
            Who::NetworkAdministrator,
            &["93 s behind", "NTP"],
        ),
        (
            "account",
            |counter| {
                counter.fake().remove_service_account(ROBOT);
                counter
            },
            |check| check,
            Who::CrmAdministrator,
            &[ROBOT, "Make a new service account"],
        ),
        (
            "user",
            |counter| {
                counter.fake().account(AMY).state = AccountState::DeletedLately;
                counter
            },
            |check| check,
            Who::WorkspaceAdministrator,
            &["was deleted", "restore the account"],
        ),
        (
            "user",
            same,
            |check| check.agent("nobody@example.com"),
            Who::CrmAdministrator,
            &["no user nobody@example.com", "Correct the address"],
        ),
        (
            "user",
            |counter| {
                counter.fake().account(AMY).state = AccountState::ServiceOff;
                counter
            },
            |check| check,
            Who::WorkspaceAdministrator,
            &["Calendar service is on"],
        ),
        (
            "scopes",
            |counter| {
                counter.fake().delegate(NUMBER, &["calendar.events.readonly", "calendar.calendars.readonly"]);
                counter
            },
            |check| check,
            Who::WorkspaceAdministrator,
            &[
                NUMBER,
                "read and write events",
                "\"value\":\"https://www.googleapis.com/auth/calendar.events\"",
            ],
        ),
        (
            "scopes",
            |counter| {
                counter.fake().withdraw_delegation(NUMBER);
                counter
            },
            |check| check,
            Who::WorkspaceAdministrator,
            &[NUMBER, "domainwidedelegation", "24 hours"],
        ),
        (
            "scopes",
            same,
            |check| check.features([Feature::FreeBusy]),
            Who::WorkspaceAdministrator,
            &["read when somebody is busy", "auth/calendar.freebusy"],
        ),
        (
            "api_enabled",
            |counter| {
                counter.fake().set_calendar_api("p1", false);
                counter
            },
            |check| check,
            Who::CrmAdministrator,
            &["https://console.cloud.google.com/apis/library/calendar-json.googleapis.com?project=p1"],
        ),
        (
            "calendar",
            same,
            |check| check.calendar("carl@example.com"),
            Who::Agent,
            &["not shared with amy@example.com", "\"value\":\"Make changes to events\""],
        ),
        (
            "calendar",
            |counter| {
                counter.fake().account(AMY).state = AccountState::NoCalendar;
                counter
            },
            |check| check,
            Who::WorkspaceAdministrator,
            &["has no Google Calendar"],
        ),
        (
            "role",
            |counter| {
                counter.share(BOB, AMY, Role::Reader);
                counter
            },
            |check| check.calendar(BOB),
            Who::Agent,
            &["reader", "writer or owner", "\"value\":\"amy@example.com\""],
        ),
        (
            "push",
            same,
            |check| check.public_address("http://crm.example.com/hook"),
            Who::Vendor,
            &["it is not https"],
        ),
    ];
    for (id, arrange, set, who, words) in cases {
        let report = arrange(Counter::new()).run(set(amy())).await;
        only(&report, id, words);
        assert_eq!(report.step(id).unwrap().who, Some(who), "{report}");
        // What cannot be looked at names the step that failed, and nothing else is skipped for it.
        for step in &report.steps {
            assert!(step.waits_for.as_deref().is_none_or(|other| other == id), "{report}");
        }
    }
}

#[tokio::test]
async fn a_step_that_needs_a_failed_one_waits_for_it_and_is_not_asked() {
    let counter = Counter::new();
    let fake = counter.transport.clone();
    let report = counter.run(Check::service_account("AIzaSyNeversay").agent(AMY)).await;
    for id in ["account", "user", "scopes", "api_enabled", "calendar", "role", "agent", "working_hours"] {
        let step = report.step(id).unwrap();
        assert_eq!((step.outcome, step.waits_for.as_deref()), (Outcome::Skipped, Some("file")), "{report}");
        assert_eq!(step.cause.as_deref(), Some("waits for \"The file can be used\""));
    }
    assert_eq!(fake.google().requests(), 2, "only the hosts were asked");
}

#[tokio::test]
async fn rooms_are_looked_for_only_when_asked_and_need_an_administrator() {
    const ROOM: &str = "admin.directory.resource.calendar.readonly";
    let arrange = || {
        let counter = Counter::new();
        counter.fake().delegate(NUMBER, &[LEAST[0], LEAST[1], ROOM]);
        counter.fake().account("boss@example.com");
        counter
    };
    let path = "/admin/directory/v1/customer/my_customer/resources/calendars";
    let rooms = || amy().rooms("boss@example.com");
    let report = arrange().answer(path, 200, r#"{"items":[]}"#).run(rooms()).await;
    assert!(report.passed() && report.step("rooms").unwrap().outcome == Outcome::Pass, "{report}");
    let forbidden = r#"{"error":{"code":403,"message":"Not Authorized to access this resource/api","errors":[{"reason":"forbidden"}]}}"#;
    let report = arrange().answer(path, 403, forbidden).run(rooms()).await;
    only(&report, "rooms", &["boss@example.com is not an administrator"]);
    let disabled = r#"{"error":{"code":403,"errors":[{"reason":"accessNotConfigured"}]}}"#;
    let report = arrange().answer(path, 403, disabled).run(rooms()).await;
    only(
        &report,
        "rooms",
        &["https://console.cloud.google.com/apis/library/admin.googleapis.com?project=p1"],
    );
    let report = Counter::new().answer(path, 200, "{}").run(rooms()).await;
    only(&report, "rooms", &[ROOM, NUMBER]);
}

#[tokio::test]
async fn a_receiver_that_answers_is_a_tick_with_a_word_about_what_was_not_seen() {
    let hook = || amy().public_address("https://crm.example.com/hooks");
    let report = Counter::new().answer("/hooks", 204, "").run(hook()).await;
    let step = report.step("push").unwrap();
    assert_eq!(
        (step.outcome, step.cause.as_ref().unwrap().starts_with("asked from here")),
        (Outcome::Pass, true)
    );
    let report = Counter::new().answer("/hooks", 404, "").run(hook()).await;
    only(&report, "push", &["crm.example.com answers with status 404"]);
}

#[tokio::test]
async fn a_service_account_as_itself_is_told_the_address_to_share_with_and_the_level() {
    for (role, direction, failed, words) in [
        (None, Direction::TwoWay, "calendar", &[ROBOT, "Make changes to events"][..]),
        (None, Direction::FromRemote, "calendar", &[ROBOT, "See all event details"]),
        (Some(Role::FreeBusyReader), Direction::FromRemote, "role", &[ROBOT, "only when somebody is busy"]),
        (Some(Role::Reader), Direction::TwoWay, "role", &[ROBOT, "Make changes to events"]),
        (Some(Role::Reader), Direction::FromRemote, "", &[]),
        (Some(Role::WriterWithoutPrivateAccess), Direction::TwoWay, "", &[]),
        (Some(Role::Writer), Direction::ToRemote, "", &[]),
    ] {
        let counter = Counter::new();
        counter.fake().withdraw_delegation(NUMBER);
        if let Some(role) = role {
            counter.share(AMY, ROBOT, role);
        }
        let report = counter.run(itself().direction(direction)).await;
        match failed {
            "" => assert!(report.passed(), "{role:?} {direction:?}\n{report}"),
            id => only(&report, id, words),
        }
        assert_eq!(report.step("user").unwrap().outcome, Outcome::Skipped);
        assert_eq!(report.step("scopes").unwrap().outcome, Outcome::Pass);
    }
}

#[tokio::test]
async fn a_calendar_that_is_not_the_agent_s_is_a_tick_with_a_warning_whatever_the_case() {
    let report = Counter::new().run(amy().calendar(TEAM)).await;
    assert!(report.passed(), "{report}");
    let step = report.step("agent").unwrap();
    assert!(step.cause.as_ref().unwrap().contains("is not the one of the agent"), "{report}");
    // A group's calendar has no working hours, which is no fault.
    assert!(report.step("working_hours").unwrap().cause.as_ref().unwrap().contains("Those of the CRM count"));
    for calendar in ["", "Amy@example.com "] {
        let report = Counter::new().run(amy().agent(" AMY@Example.com ").calendar(calendar)).await;
        assert!(report.passed(), "{report}");
        assert_eq!(report.step("agent").unwrap().cause, None, "{report}");
    }
}

#[tokio::test]
pub(crate) async fn s10_the_scopes_of_halo_s_guide_work_unchanged_and_narrower_ones_are_recommended() {
    let arrange = |scopes: &[&str]| {
        let counter = Counter::new();
        counter.fake().delegate(NUMBER, scopes);
        counter
    };
    let report = arrange(&HALO_GUIDE).run(amy()).await;
    assert!(report.passed(), "{report}");
    let step = report.step("scopes").unwrap();
    let cause = step.cause.as_deref().unwrap_or_default();
    assert!(cause.contains("granted is more than is needed") && cause.contains(CALENDAR), "{report}");
    let cure = step.cure.as_ref().unwrap();
    assert_eq!(cure.paste[0].value, format!("{CALENDARS_READONLY},{EVENTS}"), "{report}");
    assert!(cure.text.starts_with("Nothing has to be done"));

    let effort = Effort::default();
    for (granted, asked) in [
        (&HALO_GUIDE[..], &[CALENDAR][..]),
        (&[EVENTS], &[EVENTS]),
        (&[EVENTS, CALENDARS_READONLY], &[EVENTS, CALENDARS_READONLY]),
    ] {
        let counter = arrange(granted);
        let google = |scopes: Scopes| {
            let key = ServiceAccountKey::from_json(&pasted()).unwrap();
            counter.google(Google::service_account(key).scopes(scopes))
        };
        let check = arrange(granted).wire(amy());
        let scopes = check.scopes_to_ask(&effort).await.unwrap();
        assert_eq!(scopes, asked.iter().collect::<Scopes>());
        // A connection that asks for just that works.
        let target = Target { calendar: AMY.into(), subject: AMY.into() };
        google(scopes).list(&target, &Start::Full(None), &effort).await.unwrap();
    }
    let check = arrange(&["calendar.events.readonly"]).wire(amy());
    let error = check.scopes_to_ask(&effort).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.to_string().contains(EVENTS), "{error}");
    let check = arrange(&["calendar.events.readonly"]).wire(amy().direction(Direction::FromRemote));
    assert_eq!(
        check.scopes_to_ask(&effort).await.unwrap().to_string(),
        "https://www.googleapis.com/auth/calendar.events.readonly"
    );
    let check = arrange(&HALO_GUIDE).wire(amy().agent("nobody@example.com"));
    assert_eq!(check.granted_scopes(&effort).await.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn s10_working_hours_that_are_not_granted_are_no_cross_and_are_not_asked_for() {
    let counter = Counter::new();
    counter.fake().delegate(NUMBER, &["calendar.events"]);
    let fake = counter.transport.clone();
    let report = counter.run(amy()).await;
    assert!(report.passed(), "{report}");
    let step = report.step("working_hours").unwrap();
    assert_eq!(step.outcome, Outcome::Skipped);
    assert!(step.cause.as_ref().unwrap().contains(CALENDARS_READONLY), "{report}");
    assert!(fake.google().journal().iter().all(|entry| entry.route != Route::GetCalendar));
    assert!(
        report.step("scopes").unwrap().cause.as_ref().unwrap().contains("come from the CRM alone"),
        "{report}"
    );
}

#[tokio::test]
async fn nothing_is_asked_once_the_time_is_up_and_what_was_not_looked_at_is_no_cross() {
    let counter = Counter::new();
    let fake = counter.transport.clone();
    let effort = Effort::until(Duration::ZERO);
    let report = counter.run_within(amy(), &effort).await;
    assert_eq!((effort.requests(), fake.google().requests()), (0, 0));
    assert_eq!(ids(&report, Outcome::Fail), [""; 0], "{report}");
    assert_eq!(ids(&report, Outcome::Pass), ["enabled", "file"], "{report}");
    assert_eq!(report.steps.len(), 16);
}

#[tokio::test]
async fn what_an_administrator_sees_is_a_mark_per_step_with_the_cure_below() {
    let counter = Counter::new();
    counter.fake().withdraw_delegation(NUMBER);
    let printed = counter.run(amy()).await.to_string();
    let expected = "\
✓ The integration is enabled
✓ The file can be used                    sync@p1.iam.gserviceaccount.com
✓ The Calendar API can be reached
✓ The token endpoint can be reached
– The consent page can be reached         a service account asks nobody for consent
✓ The clock is right
✓ Google accepts the credential
– The agent is a user that can be acted for  nothing is authorised, and Google says the same where amy@example.com is no user of the \
Workspace: authorise the scopes first
✗ The scopes are granted                  not granted: read and write events (https://www.googleapis.com/auth/calendar.events)
    Workspace administrator: In the Admin console open Security > Access and data control > API controls > Domain-wide delegation \
(https://admin.google.com/ac/owl/domainwidedelegation). Where 104567890123456789012 is in the list, edit it and add the missing \
scopes to those that are there; else add it with them. It can take minutes, in the worst case 24 hours. gmail.com accounts cannot be \
delegated.
      client ID: 104567890123456789012
      missing scopes: https://www.googleapis.com/auth/calendar.events
– The Calendar API is enabled             waits for \"The scopes are granted\"
– The calendar can be reached             waits for \"The scopes are granted\"
– The access is enough for the direction  waits for \"The scopes are granted\"
– The calendar belongs to the agent       waits for \"The scopes are granted\"
– Working hours are known                 waits for \"The scopes are granted\"
– Notifications can arrive                no public address was given: Google is asked at each run
– Rooms can be listed                     no rooms are asked for
6 passed, 1 failed, 9 not looked at
";
    // Columns are as wide as the longest title.
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed(&printed), squeezed(expected), "{printed}");
}
