//! Nothing secret is printed, whatever happens; and nothing secret is sent to where a file says.

use super::log::Log;
use super::office::{AMY, BOB, CLIENT, OTHER_CLIENT, Office, REDIRECT, SESSION, web_client};
use calsync_core::provider::{Effort, Target};
use calsync_core::{ErrorKind, Result, Secret};
use calsync_google::OAuthClientFile;
use calsync_google::connect::{Consent, Invite, Opening};
use calsync_testkit::fake_google::{Choice, Fault, FaultKind, Landing, Route};
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;

const PEM: &str = include_str!("../data/keys/throwaway_service_account.pem");

#[tokio::test]
pub(crate) async fn s09_no_token_code_state_session_or_link_is_logged_or_printed() {
    let log = Log::default();
    // With a single one, tracing takes it for every thread's, and other threads have none.
    let _second = tracing::Dispatch::new(Log::default());
    let _guard = tracing::subscriber::set_default(log.clone());
    let mut printed = String::new();
    let office = Office::new().await;
    let connections = &office.connections;
    let mut secrets: Vec<String> =
        ["GOCSPX-neversay", SESSION, "1//0neversay", "ya29.neversay", "4/0neversay"]
            .map(str::to_owned)
            .into();
    // Invited, mistaken, invited once more, connected.
    let invited = connections.invite(&office.tenant, &Invite::agent("agent-7", AMY)).await.unwrap();
    secrets.push(invited.token.reveal().to_owned());
    for choice in [Choice::of(BOB), Choice::of(AMY)] {
        let opening = connections.open_invitation(invited.token.reveal(), SESSION).await.unwrap();
        let Opening::Page(page) = &opening else { panic!("{opening:?}") };
        let landing = office.opens(page, &choice);
        secrets.extend(landing.param("state"));
        secrets.extend(landing.param("code"));
        let forged = format!("{}x", landing.url().unwrap());
        let _ = write!(printed, "{:?}", connections.finish(&forged, SESSION, &Effort::default()).await);
        let stranger =
            connections.finish(landing.url().unwrap(), "session-neversay-of-eve", &Effort::default()).await;
        let _ = write!(printed, "{stranger:?}{:?}", office.comes_back(&landing).await);
    }
    secrets.push("session-neversay".into());
    // Declined; refreshed with trouble; ended; another client; taken back.
    let page = office.begin(Consent::in_session(SESSION)).await;
    secrets.extend(Landing::Redirect(page.url.clone()).param("state"));
    let refused = office.fake().user_refuses(office.now(), &page.url, AMY);
    let _ = write!(printed, "{:?}", office.comes_back(&refused).await);
    let google = connections.google(&office.tenant).await.unwrap();
    let target = Target { calendar: AMY.into(), subject: AMY.to_owned() };
    for kind in [FaultKind::Status { code: 503 }, FaultKind::Status { code: 401 }, FaultKind::LostAfterWork] {
        office.clock.advance(Duration::from_secs(3600));
        office.fake().inject(Fault::new(kind).on(Route::Token));
        let asked = calsync_core::provider::Provider::calendar(&google, &target, &Effort::default()).await;
        let _ = write!(printed, "{asked:?}");
    }
    office.fake().user_disconnects(CLIENT, AMY);
    office.clock.advance(Duration::from_secs(3600));
    let asked = calsync_core::provider::Provider::calendar(&google, &target, &Effort::default()).await;
    let error = asked.unwrap_err();
    let _ = write!(printed, "{error}{error:?}{:?}", error.cure_text());
    let change = connections.set_client(&office.tenant, &web_client(OTHER_CLIENT, &[REDIRECT])).await;
    let gone = connections.disconnect_tenant(&office.tenant, &Effort::default()).await;
    let _ = write!(printed, "{change:?}{gone:?}{connections:?}{google:?}{invited:?}");
    let log = log.0.lock().unwrap().clone();
    for event in
        ["invited", "connected", "callback refused", "grant refused", "disconnected", "OAuth client stored"]
    {
        assert!(log.contains(event), "{event} is not told: {log}");
    }
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} in the log: {log}");
        assert!(!printed.contains(secret.as_str()), "{secret} is printed: {printed}");
    }
}

/// Whether a file was refused for this field's sake.
fn refused_for<T>(field: &str, taken: &Result<T>) -> bool {
    taken.as_ref().is_err_and(|e| e.kind() == ErrorKind::Config && e.message().contains(field))
}

#[tokio::test]
pub(crate) async fn s01_an_upload_that_names_another_endpoint_is_refused_and_nobody_listens_to_anything() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("http://{}/token", listener.local_addr().unwrap());
    let office = Office::unconfigured();
    for field in ["token_uri", "auth_uri"] {
        let mut file = json!({"web": {"client_id": CLIENT, "client_secret": "GOCSPX-neversay", "redirect_uris": [REDIRECT]}});
        file["web"][field] = json!(here);
        let read = OAuthClientFile::from_json(&file.to_string());
        assert!(refused_for(field, &read), "a client's {field}: {read:?}");
    }
    for (field, says, blamed) in [
        ("token_uri", here.as_str(), "token_uri"),
        ("universe_domain", "evil.example", "universe_domain"),
        ("type", "external_account", "external_account"),
    ] {
        let mut key = json!({
            "type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": PEM, "client_id": "1",
            "client_email": "sync@p1.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
        });
        key[field] = json!(says);
        let key = Secret::new(key.to_string());
        let stored = office.connections.set_service_account(&office.tenant, &key, &["x"]).await;
        assert!(refused_for(blamed, &stored), "a key's {field}: {stored:?}");
    }
    assert_eq!(office.connections.service_account(&office.tenant).await.unwrap(), None);
    let heard = tokio::select! {
        biased;
        heard = listener.accept() => Some(heard),
        () = std::future::ready(()) => None,
    };
    assert!(heard.is_none(), "somebody called");
}
