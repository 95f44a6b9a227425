//! A token endpoint that is not what it should be: it sends elsewhere, and it says what it was told.

use super::office::{AMY, BOB, Office};
use calsync_core::http::ReqwestTransport;
use calsync_core::provider::{Effort, Provider, Target};
use calsync_google::Endpoints;
use calsync_testkit::marked::MARK;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const HOUR: Duration = Duration::from_secs(3600);

async fn ask(provider: &dyn Provider) -> calsync_core::Result<()> {
    let target = Target { calendar: AMY.into(), subject: AMY.to_owned() };
    provider.calendar(&target, &Effort::default()).await.map(drop)
}

/// Gives everybody the same answer, and keeps what they sent.
async fn answers(listener: TcpListener, answer: &str, heard: &Mutex<Vec<String>>) -> Infallible {
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 16 * 1024];
        let read = socket.read(&mut request).await.unwrap();
        heard.lock().unwrap().push(String::from_utf8_lossy(&request[..read]).into_owned());
        socket.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
pub(crate) async fn s03_a_redirect_of_the_token_endpoint_is_not_followed_and_no_token_goes_along() {
    // These two keep the method, and the body, which has the refresh token and the client's secret in it.
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let office = Office::new().await;
        office.connected(AMY).await;
        office.clock.advance(HOUR);
        let google = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = format!("http://{}", google.local_addr().unwrap());
        let there = format!("http://{}/token", elsewhere.local_addr().unwrap());
        let redirect = format!(
            "HTTP/1.1 {status}
location: {there}
content-length: 0
connection: close

"
        );
        let nothing = "HTTP/1.1 400 Bad Request
content-length: 2
connection: close

{}";
        let connections = office
            .worker(7)
            .endpoints(Endpoints::under(&here).unwrap())
            .transport(Arc::new(ReqwestTransport::new().unwrap()))
            .build()
            .unwrap();
        let provider = connections.providers()(&office.tenant).unwrap();
        let (told_here, told_there) = (Mutex::default(), Mutex::default());
        let outcome = tokio::select! {
            outcome = ask(&*provider) => outcome,
            _ = answers(google, &redirect, &told_here) => unreachable!(),
            _ = answers(elsewhere, nothing, &told_there) => unreachable!(),
        };
        assert!(told_here.lock().unwrap()[0].contains("refresh_token="), "{told_here:?}");
        assert!(told_there.lock().unwrap().is_empty(), "{status}: somebody else was told: {told_there:?}");
        let error = outcome.unwrap_err();
        assert!(error.message().contains("a redirect, which is not followed"), "{error}");
    }
}

#[tokio::test]
pub(crate) async fn s09_nothing_that_the_token_endpoint_says_beside_its_code_is_in_an_error() {
    for (status, body) in [
        (200, r#"{"access_token":7,"refresh_token":"1//0neversay","token_type":"Bearer"}"#),
        (200, r#"{"token":"neversay"}"#),
        (200, "<html>neversay"),
        (
            400,
            r#"{"error":"invalid_request","error_description":"Bad token 1//0neversay-neversay-neversay-neversay"}"#,
        ),
        (400, r#"{"error":"invalid_scope","error_description":"The token "1//0neversay" is not good"}"#),
        (400, r#"{"error":"invalid_client","error_uri":"https://neversay.example"}"#),
        (401, r#"{"refresh_token":"neversay"}"#),
        (503, "neversay"),
    ] {
        let office = Office::new().await;
        office.connected(AMY).await;
        office.clock.advance(HOUR);
        let provider = office.connections.providers()(&office.tenant).unwrap();
        office.token_endpoint_says(Some((status, body)));
        let error = ask(&*provider).await.unwrap_err();
        let printed = format!("{error} {error:?} {:?}", error.cure_text());
        assert!(!printed.contains(MARK), "to a refresh, {body}: {printed}");
        let outcome = office.try_connect(BOB).await;
        assert!(!format!("{outcome:?}").contains(MARK), "to a code, {body}: {outcome:?}");
        // That is over, and nobody lost anything by it.
        office.token_endpoint_says(None);
        let asked = ask(&*provider).await;
        assert!(asked.is_ok(), "{body}: {asked:?}");
    }
}
