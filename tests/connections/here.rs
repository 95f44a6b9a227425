//! Consent on the machine itself, with a desktop client, over a real socket.

use super::office::{AMY, CLIENT, Office, SESSION, clean, refusal};
use calsync_core::clock::SystemClock;
use calsync_core::provider::Effort;
use calsync_google::OAuthClientFile;
use calsync_google::connect::{Connections, Consent, Loopback, Outcome, Refusal};
use calsync_testkit::fake_google::{Choice, ClientKind};
use serde_json::json;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An office whose client is a desktop app, and its connections by the time of this machine.
async fn desktop() -> (Office, Connections) {
    let office = Office::unconfigured();
    office.fake().oauth_client(CLIENT, "GOCSPX-neversay").kind = ClientKind::Installed;
    let connections = office.worker(4).clock(Arc::new(SystemClock)).build().unwrap();
    let file = json!({"installed": {"client_id": CLIENT, "client_secret": "GOCSPX-neversay", "redirect_uris": ["http://localhost"]}});
    let file = OAuthClientFile::from_json(&file.to_string()).unwrap();
    connections.set_client(&office.tenant, &file).await.unwrap();
    (office, connections)
}

/// What a browser shows of an address of the loopback.
async fn browse(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, target) = rest.split_once('/').unwrap();
    let mut socket = TcpStream::connect(authority).await.unwrap();
    let request = format!("GET /{target} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn begun(office: &Office, connections: &Connections) -> (String, Loopback) {
    let consent = Consent::in_session(SESSION).of("agent-7").expecting(AMY);
    let (page, loopback) = connections.begin_here(&office.tenant, consent).await.unwrap();
    let now = office.now();
    let landing = office.fake().user_consents(now, &page.url, &Choice::of(AMY));
    let url = landing.url().unwrap_or_else(|| panic!("{landing:?}")).to_owned();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    (url, loopback)
}

#[tokio::test]
async fn a_desktop_client_comes_back_to_the_loopback_once_and_strangers_do_not_end_the_wait() {
    let (office, connections) = desktop().await;
    let (url, loopback) = begun(&office, &connections).await;
    let root = url.split('?').next().unwrap().to_owned();
    let browser = async {
        assert!(browse(&format!("{root}favicon.ico")).await.starts_with("HTTP/1.1 404"));
        let forged = browse(&format!("{root}?state=forged&code=4/0neversay")).await;
        assert!(forged.starts_with("HTTP/1.1 400"), "{forged}");
        clean(&forged);
        browse(&url).await
    };
    let effort = Effort::default();
    let (outcome, shown) = tokio::join!(loopback.wait(&connections, &effort), browser);
    assert!(matches!(outcome.unwrap(), Outcome::Connected(connected) if connected.account == AMY));
    assert!(shown.starts_with("HTTP/1.1 200") && shown.contains("amy@example.com is connected"), "{shown}");
    assert!(connections.grant(&office.tenant, AMY).await.unwrap().is_some());
    // The listener is gone.
    let authority = root.trim_start_matches("http://").trim_end_matches('/').to_owned();
    assert!(TcpStream::connect(authority).await.is_err());
}

#[tokio::test]
async fn the_address_at_which_a_browser_elsewhere_ended_can_be_pasted() {
    let (office, connections) = desktop().await;
    let (url, loopback) = begun(&office, &connections).await;
    drop(loopback);
    let paste = async |text: &str| connections.finish(text, SESSION, &Effort::default()).await.unwrap();
    assert_eq!(refusal(&paste("http://127.0.0.1/").await), &Refusal::Altered);
    assert!(matches!(paste(&format!(" {url} \n")).await, Outcome::Connected(_)));
    assert_eq!(refusal(&paste(&url).await), &Refusal::Unknown);
}
