//! OAuth clients and what people grant to them.

use super::counter::{AMY, BOB, CLIENT, CLIENT_SECRET, Counter, GRANT, LEAST, client, ids, only};
use calsync_core::Secret;
use calsync_core::check::{Outcome, Who};
use calsync_core::http::TransportFault;
use calsync_google::{Check, OAuthClient};
use calsync_testkit::fake_google::{Fault, FaultKind, Role};
use serde_json::json;

fn amy() -> Check {
    Check::oauth(client(), Secret::new(GRANT)).agent(AMY).enabled(true)
}

fn file() -> String {
    json!({"web": {
        "client_id": CLIENT, "project_id": "p2", "client_secret": CLIENT_SECRET,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": "https://oauth2.googleapis.com/token",
        "redirect_uris": ["https://crm.example.com/cb"],
    }})
    .to_string()
}

#[tokio::test]
async fn a_grant_with_everything_in_place_is_ticked_and_refreshed_once() {
    let counter = Counter::new();
    let fake = counter.transport.clone();
    let report = counter.run(amy()).await;
    assert!(report.passed(), "{report}");
    assert_eq!(ids(&report, Outcome::Skipped), ["user", "push", "rooms"], "{report}");
    // Three hosts, one token, the calendar, the account, the hours.
    assert_eq!(fake.google().requests(), 3 + 1 + 3);
    let report =
        Counter::new().run(Check::oauth_file(&file()).refresh_token(Secret::new(GRANT)).agent(AMY)).await;
    assert!(report.passed(), "{report}");
}

#[tokio::test]
async fn each_step_of_a_grant_fails_alone_and_says_who_mends_it() {
    type Arrange = fn(Counter) -> Counter;
    type Set = fn(Check) -> Check;
    let cases: [(&str, Arrange, Set, Who, &[&str]); 6] = [
        (
            "file",
            |counter| counter,
            |_| Check::oauth_file(&super::counter::pasted()).agent(AMY),
            Who::CrmAdministrator,
            &["service account"],
        ),
        (
            "account",
            |counter| {
                counter.fake().revoke_refresh_token(GRANT);
                counter
            },
            |check| check,
            Who::Agent,
            &["expired or revoked", "7 days"],
        ),
        (
            "account",
            |counter| counter,
            |_| {
                let client = OAuthClient { id: CLIENT.into(), secret: Secret::new("GOCSPX-other-neversay") };
                Check::oauth(client, Secret::new(GRANT)).agent(AMY)
            },
            Who::CrmAdministrator,
            &[CLIENT, "its secret"],
        ),
        (
            "scopes",
            |counter| {
                counter.fake().refresh_token(GRANT, CLIENT, AMY, &["calendar.calendars.readonly"]);
                counter
            },
            |check| check,
            Who::Agent,
            &["Connect the account again, and tick every permission", "auth/calendar.events"],
        ),
        (
            "api_enabled",
            |counter| {
                let kind = FaultKind::Refuse {
                    code: 403,
                    reason: "accessNotConfigured".into(),
                    message: "Visit https://evil.example/activate.".into(),
                };
                counter.fake().inject(Fault::new(kind).calendar(AMY).times(50));
                counter
            },
            |check| check,
            Who::CrmAdministrator,
            &["calendar-json.googleapis.com?project=4711"],
        ),
        (
            "calendar",
            |counter| counter,
            |check| check.agent(BOB),
            Who::Agent,
            &["there is no calendar bob@example.com, or it is not shared with the connected account"],
        ),
    ];
    for (id, arrange, set, who, words) in cases {
        let report = arrange(Counter::new()).run(set(amy())).await;
        only(&report, id, words);
        assert_eq!(report.step(id).unwrap().who, Some(who), "{report}");
    }
}

#[tokio::test]
async fn one_account_for_many_is_a_tick_with_a_word_about_whose_it_is() {
    let counter = Counter::new();
    counter.share(BOB, AMY, Role::Writer);
    let report = counter.run(amy().agent(BOB)).await;
    assert!(report.passed(), "{report}");
    assert!(
        report
            .step("agent")
            .unwrap()
            .cause
            .as_ref()
            .unwrap()
            .contains("connected account is amy@example.com")
    );
}

#[tokio::test]
async fn before_anybody_connected_the_file_and_the_hosts_are_looked_at_and_no_more() {
    let report = Counter::new().run(Check::oauth_file(&file()).agent(AMY)).await;
    assert_eq!(
        ids(&report, Outcome::Pass),
        ["file", "api_host", "token_host", "consent_host", "clock"],
        "{report}"
    );
    assert!(
        report.passed()
            && report.step("account").unwrap().cause.as_ref().unwrap().contains("nobody has connected")
    );
}

#[tokio::test]
async fn a_machine_that_cannot_reach_the_consent_page_can_still_run() {
    let report = Counter::new().cut_off("accounts.google.com", TransportFault::Connect).run(amy()).await;
    assert!(report.passed(), "{report}");
    let step = report.step("consent_host").unwrap();
    assert!(step.cause.as_ref().unwrap().contains("only the browser"), "{report}");
    assert_eq!(step.who, Some(Who::NetworkAdministrator));
}

#[tokio::test]
async fn without_an_agent_the_account_s_own_calendar_is_looked_at() {
    let report = Counter::new().run(Check::oauth(client(), Secret::new(GRANT))).await;
    assert!(report.passed(), "{report}");
    assert_eq!(report.step("role").unwrap().outcome, Outcome::Pass);
    let check = Counter::new().wire(amy());
    let granted = check.granted_scopes(&Default::default()).await.unwrap();
    assert!(LEAST.iter().all(|scope| granted.contains(&format!("https://www.googleapis.com/auth/{scope}"))));
}
