//! "Check calendars": one account, many agents.

use super::counter::{AMY, BOB, CLIENT, Counter, ROBOT, TEAM, client, pasted};
use calsync_core::provider::{Access, Effort};
use calsync_core::{ErrorKind, Secret};
use calsync_google::{
    CalendarChecks, CalendarVerdict, Google, How, SCOPE_CALENDAR, SCOPE_EVENTS, ServiceAccountKey,
};
use calsync_testkit::fake_google::Role;

const OFFICE: &str = "office@example.com";
const CARL: &str = "carl@example.com";
const DORA: &str = "dora@example.com";

/// The account that the agents share their calendars with.
fn office(counter: &Counter, scopes: &[&str]) -> Google {
    for person in [OFFICE, CARL, DORA] {
        counter.fake().account(person);
    }
    counter.fake().refresh_token("office-neversay", CLIENT, OFFICE, scopes);
    counter.google(Google::refresh_token(client(), Secret::new("office-neversay")))
}

/// A service account that acts as itself.
fn robot(counter: &Counter, scopes: &[&str]) -> Google {
    let key = ServiceAccountKey::from_json(&pasted()).unwrap();
    let scopes = scopes.iter().map(|scope| (*scope).to_owned());
    counter.google(Google::service_account(key).delegated(false).scopes(scopes))
}

/// `address: verdict`.
fn lines(checks: &CalendarChecks) -> Vec<String> {
    checks.calendars.iter().map(|check| format!("{}: {}", check.address, check.verdict)).collect()
}

#[tokio::test]
async fn each_agent_is_asked_about_once_whatever_the_case_and_gets_one_verdict() {
    let counter = Counter::new();
    let google = office(&counter, &["calendar"]);
    counter.share(AMY, OFFICE, Role::Writer);
    counter.share(BOB, OFFICE, Role::Reader);
    counter.share(CARL, OFFICE, Role::FreeBusyReader);
    let agents =
        ["AMY@Example.com", " bob@example.com ", CARL, DORA, "nobody@example.com", "amy@example.COM", " "];
    let checks = google.check_calendars(&agents, &Effort::default()).await.unwrap();
    assert_eq!(
        lines(&checks),
        [
            "amy@example.com: can be read and written",
            "bob@example.com: can be read only",
            "carl@example.com: only when somebody is busy can be seen",
            // Google says the same for both.
            "dora@example.com: not shared with the account, or no such calendar",
            "nobody@example.com: not shared with the account, or no such calendar",
        ]
    );
    assert_eq!((checks.account.as_deref(), checks.list_read), (Some(OFFICE), true));
    assert_eq!(checks.none_reachable(), None);
    let printed = checks.to_string();
    assert!(printed.contains("✓ amy@example.com") && !printed.contains("neversay"), "{printed}");
    let json = serde_json::to_string(&checks).unwrap();
    assert_eq!(serde_json::from_str::<CalendarChecks>(&json).unwrap(), checks);
}

#[tokio::test]
async fn what_is_shared_and_not_in_the_list_is_reached_by_its_address_until_it_is_subscribed_to() {
    let counter = Counter::new();
    let google = robot(&counter, &[SCOPE_CALENDAR]);
    counter.share(AMY, ROBOT, Role::Writer);
    let effort = Effort::default();
    for how in [How::ByAddress, How::Subscribed, How::Subscribed] {
        let checks = google.check_calendars(&[AMY], &effort).await.unwrap();
        let verdict = CalendarVerdict::Reachable { access: Access::Writer, how };
        assert_eq!((checks.list_read, &checks.calendars[0].verdict), (true, &verdict));
        assert_eq!(checks.calendars[0].can_be_subscribed(), how == How::ByAddress);
        // Repeating it changes nothing.
        let check = google.subscribe(" Amy@Example.com", &effort).await.unwrap();
        assert_eq!(
            check.verdict,
            CalendarVerdict::Reachable { access: Access::Writer, how: How::Subscribed }
        );
    }
    let error = google.subscribe(BOB, &effort).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(counter.fake().journal().iter().all(|entry| !entry.wrote()));
}

#[tokio::test]
async fn without_the_scope_for_it_subscribing_names_the_scope() {
    let counter = Counter::new();
    counter.share(AMY, ROBOT, Role::Writer);
    let error = robot(&counter, &[SCOPE_EVENTS]).subscribe(AMY, &Effort::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.to_string().contains("auth/calendar.calendarlist,"), "{error}");
}

#[tokio::test]
async fn without_the_scope_of_the_list_each_is_asked_for_by_its_address_and_that_is_said() {
    let counter = Counter::new();
    let google = office(&counter, &["calendar.events"]);
    counter.share(AMY, OFFICE, Role::Writer);
    let checks = google.check_calendars(&[AMY, BOB], &Effort::default()).await.unwrap();
    assert!(!checks.list_read && checks.account.is_none());
    assert!(checks.calendars[0].reachable() && !checks.calendars[1].reachable());
    assert!(checks.to_string().contains("calendar.calendarlist.readonly"), "{checks}");
}

#[tokio::test]
async fn none_reachable_is_one_outcome_with_one_cure() {
    let counter = Counter::new();
    let checks =
        office(&counter, &["calendar"]).check_calendars(&[AMY, BOB, CARL], &Effort::default()).await.unwrap();
    let cure = checks.none_reachable().unwrap();
    assert_eq!(cure.paste[0].value, OFFICE);
    assert_eq!(checks.to_string().matches("Make changes to events").count(), 1, "{checks}");
}

#[tokio::test]
async fn another_calendar_of_the_same_person_is_offered_and_never_taken() {
    let counter = Counter::new();
    let google = office(&counter, &["calendar"]);
    counter.share(TEAM, OFFICE, Role::Writer);
    let checks = google.check_calendars(&[AMY], &Effort::default()).await.unwrap();
    assert_eq!(checks.calendars[0].verdict, CalendarVerdict::Ambiguous { candidates: vec![TEAM.into()] });
    counter.share(AMY, OFFICE, Role::Reader);
    let checks = google.check_calendars(&[AMY], &Effort::default()).await.unwrap();
    assert!(checks.calendars[0].reachable(), "{checks}");
}

#[tokio::test]
async fn a_list_of_several_pages_is_read_to_its_end() {
    let counter = Counter::new();
    let google = office(&counter, &["calendar"]);
    // Every page but the last is full of the account's own calendars.
    for number in 0..520 {
        counter.fake().calendar(OFFICE, &format!("a{number:03}@group.calendar.google.com"), "one of many");
    }
    counter.fake().calendar("zoe@example.com", "z@group.calendar.google.com", "Zoe's");
    counter.share("zoe@example.com", OFFICE, Role::Writer);
    let before = counter.fake().requests();
    let checks = google.check_calendars(&["zoe@example.com"], &Effort::default()).await.unwrap();
    let verdict = CalendarVerdict::Reachable { access: Access::Writer, how: How::Subscribed };
    assert_eq!(checks.calendars[0].verdict, verdict);
    assert_eq!(counter.fake().requests() - before, 1 + 3, "a token and three pages");
}

#[tokio::test]
async fn a_delegated_account_and_a_dead_grant_are_refused_as_a_whole() {
    let counter = Counter::new();
    let key = ServiceAccountKey::from_json(&pasted()).unwrap();
    let error = counter
        .google(Google::service_account(key))
        .check_calendars(&[AMY], &Effort::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let google = office(&counter, &["calendar"]);
    counter.fake().revoke_refresh_token("office-neversay");
    let error = google.check_calendars(&[AMY], &Effort::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}
