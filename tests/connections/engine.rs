//! The engine over connections: each tenant with its own, switched from one method to another without a trace in the calendars.

use super::office::{AMY, BOB, CLIENT, Office, REDIRECT, web_client};
use calsync_core::model::{Appointment, When};
use calsync_core::plan::Action;
use calsync_core::report::Listed;
use calsync_core::{Binding, Engine, ErrorKind, Secret, Zone};
use calsync_google::connect::Consent;
use calsync_google::connect::{Method, Outcome};
use calsync_google::scope;
use calsync_testkit::fake_google::{Choice, Role};
use serde_json::json;
use std::time::Duration;

const ROBOT: &str = "sync@p1.iam.gserviceaccount.com";
const NUMBER: &str = "104567890123456789012";
const PEM: &str = include_str!("../data/keys/throwaway_service_account.pem");

pub(crate) fn engine(office: &Office) -> Engine {
    Engine::builder_shared(office.store.clone())
        .provider_per_tenant("google", office.connections.providers())
        .tenant(office.tenant.clone())
        .clock(office.clock.clone())
        .entropy(std::sync::Arc::new(calsync_core::clock::SeededEntropy::new(5)))
        .build()
        .unwrap()
}

pub(crate) fn visit(title: &str) -> Appointment {
    let zone = Zone::new("Europe/Amsterdam").unwrap();
    let start = "2026-12-01T09:00:00".parse().unwrap();
    Appointment::new(title, When::timed(start, chrono::Duration::hours(1), &zone).unwrap())
}

#[tokio::test]
async fn pages_are_as_large_as_connections_are_told() {
    for none in [0, 2501] {
        let error = Office::unconfigured().worker(2).page_size(none).build().unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains("1 to 2,500"), "{error}");
    }
    let mut office = Office::new().await;
    office.connections = office.worker(2).page_size(7).build().unwrap();
    office.connected(AMY).await;
    let engine = engine(&office);
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    engine.run(&binding).await.unwrap();
    assert!(office.fake().journal().iter().any(|entry| entry.param("maxResults") == Some("7")));
}

#[tokio::test]
async fn a_binding_waits_for_its_agent_to_connect_and_goes_on_when_they_connect_again() {
    let office = Office::new().await;
    let engine = engine(&office);
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    engine.appointments().unwrap().create(AMY, &visit("Visit")).await.unwrap();
    let error = engine.run(&binding).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.cure_text().unwrap().contains("link to connect"), "{error}");
    office.connected(AMY).await;
    office.clock.advance(Duration::from_secs(60));
    assert_eq!(engine.run(&binding).await.unwrap().count(Action::CreateRemote), 1);
    // Gone and back: nothing twice, nobody mailed.
    office.fake().user_disconnects(CLIENT, AMY);
    office.clock.advance(Duration::from_secs(4000));
    assert_eq!(engine.run(&binding).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert!(engine.state(&binding).await.unwrap().health.last_error.unwrap().message.contains(AMY));
    office.connected(AMY).await;
    office.clock.advance(Duration::from_secs(60));
    engine.run(&binding).await.unwrap();
    office.clock.advance(Duration::from_secs(60));
    assert!(!engine.run(&binding).await.unwrap().wrote());
    let fake = office.fake();
    assert_eq!((fake.events(AMY).count(), fake.mails().len()), (1, 0));
}

#[tokio::test]
async fn the_method_can_be_switched_and_links_calendars_and_what_holds_of_cursors_stay_as_they_are() {
    let office = Office::new().await;
    let engine = engine(&office);
    office.connected(AMY).await;
    // Sharing a calendar ends its sync tokens: it is done before, so that only the method moves.
    for other in [ROBOT, BOB] {
        office.fake().share(AMY, other, Role::Writer);
    }
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    engine.appointments().unwrap().create(AMY, &visit("Visit")).await.unwrap();
    let run = async || {
        office.clock.advance(Duration::from_secs(60));
        engine.run(&binding).await
    };
    run().await.unwrap();
    run().await.unwrap();
    let writes = |office: &Office| office.fake().journal().iter().filter(|entry| entry.wrote()).count();
    let written = writes(&office);
    let settled = async |what: &str, listed: Listed| {
        let report = run().await.unwrap();
        assert!(!report.wrote(), "{what}: {report}");
        assert_eq!(writes(&office), written, "{what}");
        assert_eq!(report.listed, listed, "{what}");
    };
    settled("per user", Listed::Changes).await;
    // A service account with delegation.
    {
        let mut fake = office.fake();
        fake.service_account(ROBOT, NUMBER, PEM.as_bytes()).unwrap();
        fake.delegate(NUMBER, &[scope::EVENTS]);
    }
    let key = json!({
        "type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": PEM,
        "client_email": ROBOT, "client_id": NUMBER, "token_uri": "https://oauth2.googleapis.com/token",
    });
    let switch = async |method: &Method| office.connections.set_method(&office.tenant, method).await.unwrap();
    switch(&Method::ServiceAccount { delegated: true }).await;
    let error = run().await.unwrap_err();
    assert!(error.cure_text().unwrap().contains("JSON key"), "{error}");
    let file = Secret::new(key.to_string());
    let facts =
        office.connections.set_service_account(&office.tenant, &file, &[scope::EVENTS]).await.unwrap();
    assert_eq!(facts.client_email, ROBOT);
    settled("delegated: the same account reads", Listed::Changes).await;
    // As itself, in a calendar that is shared with it.
    switch(&Method::ServiceAccount { delegated: false }).await;
    settled(
        "shared with the service account: a cursor is its account's, and everything is listed once",
        Listed::Again,
    )
    .await;
    settled("shared with the service account", Listed::Changes).await;
    // One shared account.
    assert!(matches!(
        office.consents(Consent::in_session(super::office::SESSION), &Choice::of(BOB)).await,
        Outcome::Connected(_)
    ));
    switch(&Method::SharedAccount { account: "Bob@Example.com".into() }).await;
    settled("one shared account: a cursor is its account's, and everything is listed once", Listed::Again)
        .await;
    settled("one shared account", Listed::Changes).await;
    // And back: Amy's grant is still there.
    switch(&Method::PerUser).await;
    settled("per user again: a cursor is its account's, and everything is listed once", Listed::Again).await;
    settled("per user again", Listed::Changes).await;
    let fake = office.fake();
    assert_eq!((fake.events(AMY).count(), fake.mails().len()), (1, 0));
}

#[tokio::test]
async fn tenants_do_not_share_what_they_connected() {
    let office = Office::new().await;
    office.connected(AMY).await;
    let engine = engine(&office).for_tenant("other");
    office.connections.set_client(&"other".into(), &web_client(CLIENT, &[REDIRECT])).await.unwrap();
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY)).await.unwrap();
    let error = engine.run(&binding).await.unwrap_err();
    assert!(error.message().contains("has not connected"), "{error}");
}
