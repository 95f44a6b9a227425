//! Over a real connection: what a lost answer means where it is really lost.

use super::desk::{AMY, EVE, NUMBER, PEM, ROBOT, key, visit};
use calsync_core::clock::ManualClock;
use calsync_core::model::Attendee;
use calsync_core::provider::Mail;
use calsync_core::store::MemoryStore;
use calsync_core::{Binding, Engine};
use calsync_google::{Endpoints, Google, SCOPE_EVENTS};
use calsync_testkit::fake_google::{FakeGoogle, Fault, FaultKind, Server};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn c07_a_connection_that_breaks_after_the_work_mails_every_guest_once() {
    let mut fake = FakeGoogle::new();
    fake.account(AMY);
    fake.service_account(ROBOT, NUMBER, PEM.as_bytes()).unwrap();
    fake.delegate(NUMBER, &[SCOPE_EVENTS]);
    let server = Server::start(fake, "127.0.0.1:0").unwrap();
    let clock = Arc::new(ManualClock::new("2026-11-23T08:00:00Z".parse().unwrap()));
    let google = Google::service_account(key())
        .endpoints(Endpoints::under(server.base_url()).unwrap())
        .clock(clock.clone())
        .build()
        .unwrap();
    let engine = Engine::builder(MemoryStore::new(clock.clone(), "installation".into()))
        .provider("google", google)
        .clock(clock.clone())
        .build()
        .unwrap();
    let binding = engine.bind(Binding::two_way(AMY).to("google", AMY).mail(Mail::Guests)).await.unwrap();
    let crm = engine.appointments().unwrap();
    let mut visit = visit("Visit", "2026-12-01T09:00:00");
    visit.attendees.insert(EVE.into(), Attendee::default());
    let record = crm.create(AMY, &visit).await.unwrap();
    for (fault, mails) in [
        (FaultKind::LostAfterWork, 1),
        (FaultKind::Truncated { bytes: 30 }, 2),
        (FaultKind::LostAfterWork, 3),
    ] {
        server.fake().inject(Fault::new(fault.clone()).on_writes());
        for _ in 0..3 {
            clock.advance(Duration::from_secs(60));
            engine.run(&binding).await.unwrap();
        }
        assert_eq!(server.fake().mails().len(), mails, "{fault:?}");
        assert_eq!(server.fake().events(AMY).count(), 1);
        if mails < 2 {
            crm.edit(&record.id, |a| a.when = super::desk::visit("", "2026-12-01T11:00:00").when)
                .await
                .unwrap();
        } else if mails < 3 {
            crm.delete(&record.id).await.unwrap();
        }
    }
    assert_eq!(server.fake().events(AMY).filter(|event| event["status"] != "cancelled").count(), 0);
}
