//! One account that everybody shares a calendar with.

use super::office::{AMY, BOB, Office, SESSION, refusal};
use calsync_core::provider::{Access, Effort};
use calsync_core::{Binding, ErrorKind};
use calsync_google::connect::{Configuration, Consent, Method, Outcome, Refusal};
use calsync_google::scope::Feature;
use calsync_google::{CalendarVerdict, How};
use calsync_testkit::fake_google::{Choice, Fault, FaultKind, Role, Route};

const OFFICE: &str = "office@example.com";
const EVE: &str = "eve@example.com";

fn consent() -> Consent {
    Consent::in_session(SESSION).expecting(OFFICE).features([
        Feature::WriteEvents,
        Feature::ListCalendars,
        Feature::Subscribe,
    ])
}

#[tokio::test]
async fn a_shared_account_connects_once_and_each_agent_s_calendar_is_checked_and_can_be_subscribed() {
    let office = Office::new().await;
    let connections = &office.connections;
    {
        let mut fake = office.fake();
        fake.account(OFFICE);
        fake.account(EVE);
        fake.behaviour_mut().shared_calendars_join_list = false;
        fake.share(AMY, OFFICE, Role::Writer);
        fake.share(BOB, OFFICE, Role::Reader);
    }
    connections
        .set_method(&office.tenant, &Method::SharedAccount { account: "Office@Example.com ".into() })
        .await
        .unwrap();
    assert_eq!(connections.configuration(&office.tenant).await.unwrap(), Configuration::Configured);
    // Another account is not it.
    let other = office.consents(consent(), &Choice::of(AMY)).await;
    assert_eq!(refusal(&other), &Refusal::WrongAccount { expected: OFFICE.into() });
    assert!(matches!(office.consents(consent(), &Choice::of(OFFICE)).await, Outcome::Connected(_)));
    assert_eq!(
        connections.configuration(&office.tenant).await.unwrap(),
        Configuration::Authorised { grants: 1 }
    );

    let google = connections.google(&office.tenant).await.unwrap();
    let effort = Effort::default();
    let agents = ["AMY@example.com", " bob@example.com", EVE, "amy@Example.com"];
    let checks = google.check_calendars(&agents, &effort).await.unwrap();
    assert_eq!(checks.account.as_deref(), Some(OFFICE));
    let verdict = |address: &str| {
        let found = checks.calendars.iter().find(|check| check.address == address);
        found.unwrap_or_else(|| panic!("{address} in {checks:?}")).verdict.clone()
    };
    assert_eq!(checks.calendars.len(), 3, "case never matters");
    assert_eq!(verdict(AMY), CalendarVerdict::Reachable { access: Access::Writer, how: How::ByAddress });
    assert_eq!(verdict(BOB), CalendarVerdict::Reachable { access: Access::Reader, how: How::ByAddress });
    assert!(matches!(verdict(EVE), CalendarVerdict::Unreachable { access: Access::NotShared { .. } }));
    // On request it is put into the account's list.
    let subscribed = google.subscribe(AMY, &effort).await.unwrap();
    assert_eq!(
        subscribed.verdict,
        CalendarVerdict::Reachable { access: Access::Writer, how: How::Subscribed }
    );
    assert!(checks.none_reachable().is_none());
    office.fake().unshare(AMY, OFFICE);
    office.fake().unshare(BOB, OFFICE);
    let checks = google.check_calendars(&agents, &effort).await.unwrap();
    let cure = checks.none_reachable().expect("one outcome, one cure");
    assert!(cure.paste.iter().any(|paste| paste.value == OFFICE), "{cure:?}");
}

#[tokio::test]
async fn a_run_that_may_not_says_which_account_the_calendar_has_to_be_shared_with() {
    let office = Office::new().await;
    let engine = super::engine::engine(&office);
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    office.connected(BOB).await;
    let method = Method::SharedAccount { account: BOB.to_owned() };
    office.connections.set_method(&office.tenant, &method).await.unwrap();
    let error = engine.run(&binding).await.unwrap_err();
    assert!(error.context().contains(&("account", BOB.to_owned())), "{error:?}");
    // With its own grant it is the agent's, and nobody has to share anything.
    office.connections.set_method(&office.tenant, &Method::PerUser).await.unwrap();
    office.connected(AMY).await;
    office.fake().inject(Fault::new(FaultKind::Status { code: 404 }).on(Route::ListEvents).times(9));
    let error = engine.run(&binding).await.unwrap_err();
    assert!(error.context().iter().all(|(name, _)| *name != "account"), "{error:?}");
}

#[tokio::test]
async fn with_each_person_s_own_consent_there_is_no_list_to_check() {
    let office = Office::new().await;
    office.connected(AMY).await;
    let google = office.connections.google(&office.tenant).await.unwrap();
    let error = google.check_calendars(&[AMY], &Effort::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
