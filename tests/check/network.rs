//! Over sockets: the way that runs take.

use super::counter::{AMY, NUMBER, PEM, ROBOT, ids, pasted};
use calsync_core::check::Outcome;
use calsync_core::http::BaseUrl;
use calsync_core::provider::Effort;
use calsync_google::{Check, Endpoints};
use calsync_testkit::fake_google::{FakeGoogle, Server};

fn server() -> Server {
    let mut fake = FakeGoogle::new();
    fake.account(AMY);
    fake.service_account(ROBOT, NUMBER, PEM.as_bytes()).unwrap();
    fake.delegate(NUMBER, &["calendar.events", "calendar.calendars.readonly"]);
    Server::start(fake, "127.0.0.1:0").unwrap()
}

fn check(endpoints: Endpoints) -> Check {
    Check::service_account(&pasted()).agent(AMY).endpoints(endpoints)
}

#[tokio::test]
async fn over_http_everything_is_ticked() {
    let server = server();
    let report = check(Endpoints::under(server.base_url()).unwrap()).run(&Effort::default()).await;
    assert!(report.passed(), "{report}");
    assert_eq!(report.step("role").unwrap().outcome, Outcome::Pass, "{report}");
    assert!(report.step("api_host").unwrap().took.is_some());
}

#[tokio::test]
async fn a_closed_port_an_unknown_name_and_no_tls_are_told_apart() {
    let server = server();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let good = Endpoints::under(server.base_url()).unwrap();
    for (address, words) in [
        (closed, "nobody takes the connection to 127.0.0.1"),
        ("https://calsync.invalid".to_owned(), "cannot find the name calsync.invalid (DNS)"),
        (server.base_url().replace("http:", "https:"), "no TLS 1.2 or newer with 127.0.0.1"),
    ] {
        let api = BaseUrl::new(&format!("{address}/calendar/v3")).unwrap();
        let report = check(Endpoints { api, ..good.clone() }).run(&Effort::default()).await;
        assert_eq!(ids(&report, Outcome::Fail), ["api_host"], "{report}");
        let step = report.step("api_host").unwrap();
        assert!(step.cause.as_ref().unwrap().contains(words), "{report}");
        // The token endpoint is another host: what it says was looked at.
        assert_eq!(report.step("scopes").unwrap().outcome, Outcome::Pass, "{report}");
        assert_eq!(report.step("calendar").unwrap().waits_for.as_deref(), Some("api_host"));
    }
}
