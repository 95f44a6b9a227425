//! The state of a tenant's configuration, and what another client file does to it.

use super::office::{AMY, BOB, CLIENT, OTHER_CLIENT, Office, REDIRECT, SESSION, clean, web_client};
use calsync_core::{Error, ErrorKind};
use calsync_google::ClientKind;
use calsync_google::OAuthClientFile;
use calsync_google::connect::{Configuration, Consent, GrantState};
use serde_json::json;

#[tokio::test]
async fn a_consent_while_unconfigured_says_who_must_upload_what() {
    let office = Office::unconfigured();
    let Configuration::Unconfigured { why } = office.connections.configuration(&office.tenant).await.unwrap()
    else {
        panic!("it is configured")
    };
    assert!(why.contains("administrator") && why.contains("OAuth client file"), "{why}");
    let error = office.connections.begin(&office.tenant, &Consent::in_session(SESSION)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.cure_text().unwrap().contains("administrator"), "{error}");
}

#[tokio::test]
async fn a_tenant_goes_from_unconfigured_to_authorised_and_says_who_has_to_connect_again() {
    let office = Office::new().await;
    let state = async || office.connections.configuration(&office.tenant).await.unwrap();
    assert_eq!(state().await, Configuration::Configured);
    office.connected(AMY).await;
    office.connected(BOB).await;
    assert_eq!(state().await, Configuration::Authorised { grants: 2 });
    // Another tenant sees nothing of it.
    let other = office.connections.configuration(&"other".into()).await.unwrap();
    assert!(matches!(other, Configuration::Unconfigured { .. }), "{other:?}");
    // The client is replaced by another one: how many have to connect again is known before.
    let file = web_client(OTHER_CLIENT, &[REDIRECT]);
    let change = office.connections.preview_client(&office.tenant, &file).await.unwrap();
    assert_eq!((change.grants_lost, change.same_client()), (2, false));
    assert_eq!(state().await, Configuration::Authorised { grants: 2 }, "a preview changes nothing");
    assert_eq!(office.connections.set_client(&office.tenant, &file).await.unwrap(), change);
    let Configuration::NeedsReauthorisation { accounts, live: 0 } = state().await else {
        panic!("{:?}", state().await)
    };
    let states: Vec<_> = accounts.iter().map(|(grant, state)| (grant.account.as_str(), *state)).collect();
    assert_eq!(states, [(AMY, GrantState::OtherClient), (BOB, GrantState::OtherClient)]);
    // One connects again; the other one's grant lives again when the first client is back.
    office.connected(AMY).await;
    assert!(matches!(state().await, Configuration::NeedsReauthorisation { live: 1, .. }));
    office.connections.set_client(&office.tenant, &web_client(CLIENT, &[REDIRECT])).await.unwrap();
    assert!(matches!(state().await, Configuration::NeedsReauthorisation { live: 1, .. }));
}

#[tokio::test]
async fn a_new_file_of_the_same_client_goes_on() {
    let office = Office::new().await;
    office.connected(AMY).await;
    let change =
        office.connections.set_client(&office.tenant, &web_client(CLIENT, &[REDIRECT])).await.unwrap();
    assert!(change.same_client() && change.grants_lost == 0);
    assert_eq!(
        office.connections.configuration(&office.tenant).await.unwrap(),
        Configuration::Authorised { grants: 1 }
    );
    office.connections.remove_client(&office.tenant).await.unwrap();
    assert!(matches!(
        office.connections.configuration(&office.tenant).await.unwrap(),
        Configuration::Unconfigured { .. }
    ));
}

#[tokio::test]
pub(crate) async fn s05_a_file_without_the_redirect_uri_is_refused_with_the_exact_one_to_register() {
    let office = Office::unconfigured();
    let slash = format!("{REDIRECT}/");
    let stored = office.connections.set_client(&office.tenant, &web_client(CLIENT, &[&slash])).await;
    assert_eq!(stored.as_ref().err().map(Error::kind), Some(ErrorKind::Config), "{stored:?}");
    let error = stored.unwrap_err();
    let cure = error.cure_text().unwrap();
    assert!(cure.contains(&format!("exactly {REDIRECT} ")) && cure.contains("slash"), "{cure}");
    assert!(office.connections.client_facts(&office.tenant).await.unwrap().is_none(), "nothing was stored");
    clean(&error.to_string());
}

#[tokio::test]
async fn a_vendor_s_client_serves_tenants_that_bring_none() {
    let office = Office::unconfigured();
    let connections = office.worker(3).vendor_client(web_client(CLIENT, &[REDIRECT])).build().unwrap();
    let facts = connections.client_facts(&office.tenant).await.unwrap().unwrap();
    assert!(facts.vendor && facts.kind == ClientKind::Web);
    assert_eq!(connections.configuration(&office.tenant).await.unwrap(), Configuration::Configured);
    assert!(connections.begin(&office.tenant, &Consent::in_session(SESSION)).await.is_ok());
    connections.set_client(&office.tenant, &web_client(OTHER_CLIENT, &[REDIRECT])).await.unwrap();
    let own = connections.client_facts(&office.tenant).await.unwrap().unwrap();
    assert_eq!((own.client_id.as_str(), own.vendor), (OTHER_CLIENT, false));
}

#[tokio::test]
async fn a_desktop_client_cannot_be_sent_to_an_address_of_the_crm() {
    let office = Office::unconfigured();
    let file = json!({"installed": {"client_id": CLIENT, "client_secret": "GOCSPX-neversay", "redirect_uris": ["http://localhost"]}});
    let file = OAuthClientFile::from_json(&file.to_string()).unwrap();
    office.connections.set_client(&office.tenant, &file).await.unwrap();
    let error = office.connections.begin(&office.tenant, &Consent::in_session(SESSION)).await.unwrap_err();
    assert!(error.cure_text().unwrap().contains("Web application"), "{error}");
}
