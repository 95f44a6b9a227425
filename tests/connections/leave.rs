//! Somebody disconnects, and says what is to become of what was kept in step.

use super::engine::{engine, visit};
use super::office::{AMY, BOB, Office};
use calsync_core::engine::Made;
use calsync_core::provider::Effort;
use calsync_core::{Binding, Engine, ErrorKind};
use calsync_google::connect::{Leaving, Method};
use calsync_testkit::fake_google::{Fault, FaultKind, Role, Route};
use serde_json::json;
use std::time::Duration;

/// Amy is connected and in step: a visit of the CRM's, and an event of her own.
async fn in_step(office: &Office) -> (Engine, Binding) {
    office.connected(AMY).await;
    let engine = engine(office);
    let binding = engine.bind(Binding::two_way("agent-7").to("google", AMY).on_behalf_of(AMY)).await.unwrap();
    let now = office.now();
    let lunch = json!({
        "id": "lunch1", "summary": "Lunch", "start": {"dateTime": "2026-12-01T12:00:00+01:00"},
        "end": {"dateTime": "2026-12-01T13:00:00+01:00"},
    });
    office.fake().user_insert(now, AMY, &lunch).unwrap();
    engine.appointments().unwrap().create("agent-7", &visit("Visit")).await.unwrap();
    for _ in 0..2 {
        run(office, &engine, &binding).await;
    }
    (engine, binding)
}

async fn run(office: &Office, engine: &Engine, binding: &Binding) -> calsync_core::Report {
    office.clock.advance(Duration::from_secs(60));
    engine.run(binding).await.unwrap()
}

fn in_the_calendar(office: &Office, calendar: &str) -> Vec<String> {
    let fake = office.fake();
    let living = fake.events(calendar).filter(|event| event["status"] != "cancelled");
    let mut titles: Vec<String> =
        living.map(|event| event["summary"].as_str().unwrap_or_default().to_owned()).collect();
    titles.sort();
    titles
}

async fn leave(
    office: &Office,
    engine: &Engine,
    leaving: &Leaving,
) -> calsync_core::Result<calsync_google::connect::Departure> {
    office.connections.leave(engine, " Amy@Example.com", leaving, &Effort::default()).await
}

#[tokio::test]
async fn whatever_becomes_of_the_bindings_who_connects_again_finds_everything_once() {
    for choice in ["keep", "unlink", "delete"] {
        let office = Office::new().await;
        let (engine, _) = in_step(&office).await;
        assert_eq!(in_the_calendar(&office, AMY), ["Lunch", "Visit"]);
        let made = office.connections.made(&engine, AMY).await.unwrap();
        assert_eq!((made.len(), made[0].made, made[0].others), (1, 1, 1));
        let leaving = match choice {
            "keep" => Leaving::Keep,
            "unlink" => Leaving::Unlink,
            _ => Leaving::DeleteMade(made),
        };
        let departure = leave(&office, &engine, &leaving).await.unwrap();
        assert!(departure.finished, "{choice}: {departure:?}");
        let disconnected = departure.disconnected.unwrap();
        assert_eq!((disconnected.account.as_str(), disconnected.revoked.unwrap()), (AMY, true));
        let left: &[&str] = if choice == "delete" { &["Lunch"] } else { &["Lunch", "Visit"] };
        assert_eq!(in_the_calendar(&office, AMY), left, "{choice}");
        assert_eq!(engine.bindings().await.unwrap().len(), usize::from(choice == "keep"), "{choice}");
        // Said again, it does nothing more.
        let again = leave(&office, &engine, &Leaving::Unlink).await;
        if choice == "keep" {
            assert!(again.is_ok());
        } else {
            let again = again.unwrap();
            assert!(again.finished && again.disconnected.is_none() && again.unbound.is_empty(), "{choice}");
        }

        office.connected(AMY).await;
        let binding = match engine.bindings().await.unwrap().pop() {
            Some(binding) => binding,
            None => {
                engine.bind(Binding::two_way("agent-7").to("google", AMY).on_behalf_of(AMY)).await.unwrap()
            }
        };
        for _ in 0..3 {
            run(&office, &engine, &binding).await;
        }
        assert!(!run(&office, &engine, &binding).await.wrote(), "{choice}");
        assert_eq!(in_the_calendar(&office, AMY), ["Lunch", "Visit"], "{choice}");
        let crm = engine.appointments().unwrap();
        let (from, to) = ("2026-11-30T00:00:00Z".parse().unwrap(), "2026-12-10T00:00:00Z".parse().unwrap());
        assert_eq!(crm.window("agent-7", from, to).await.unwrap().len(), 2, "{choice}");
        assert!(office.fake().mails().is_empty());
    }
}

#[tokio::test]
async fn nothing_is_deleted_or_disconnected_that_nobody_agreed_to() {
    let office = Office::new().await;
    let (engine, binding) = in_step(&office).await;
    let made = office.connections.made(&engine, AMY).await.unwrap();
    for shown in [vec![], vec![Made { made: 0, ..made[0].clone() }]] {
        let error = leave(&office, &engine, &Leaving::DeleteMade(shown)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error}");
        assert_eq!(in_the_calendar(&office, AMY), ["Lunch", "Visit"]);
        assert!(
            !run(&office, &engine, &binding).await.wrote(),
            "the account is connected, the binding lives"
        );
    }
    // Google fails in the middle: the account stays connected until it is done.
    office.fake().inject(Fault::new(FaultKind::Status { code: 503 }).on(Route::DeleteEvent).times(20));
    let leaving = Leaving::DeleteMade(made);
    leave(&office, &engine, &leaving).await.unwrap_err();
    assert!(office.connections.grant(&office.tenant, AMY).await.unwrap().is_some());
    office.fake().clear_faults();
    office.clock.advance(Duration::from_secs(600));
    let departure = leave(&office, &engine, &leaving).await.unwrap();
    assert!(departure.finished && departure.disconnected.is_some(), "{departure:?}");
    assert_eq!(in_the_calendar(&office, AMY), ["Lunch"]);
}

#[tokio::test]
async fn a_shared_account_takes_all_its_calendars_along_and_an_agent_only_its_own() {
    let office = Office::new().await;
    for calendar in [AMY, BOB] {
        office.connected(calendar).await;
    }
    office.fake().share(AMY, BOB, Role::Writer);
    let engine = engine(&office);
    for calendar in [AMY, BOB] {
        engine.bind(Binding::two_way(calendar).to("google", calendar)).await.unwrap();
    }
    let of = async |account: &str| {
        let bindings = office.connections.bindings(&engine, account).await.unwrap();
        bindings.into_iter().map(|binding| binding.target.calendar.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((of(AMY).await, of("BOB@example.com").await), (vec![AMY.to_owned()], vec![BOB.to_owned()]));
    let method = Method::SharedAccount { account: BOB.to_owned() };
    office.connections.set_method(&office.tenant, &method).await.unwrap();
    assert_eq!(of(BOB).await.len(), 2);
    let departure =
        office.connections.leave(&engine, BOB, &Leaving::Unlink, &Effort::default()).await.unwrap();
    assert_eq!(departure.unbound.len(), 2);
    assert!(engine.bindings().await.unwrap().is_empty());
}
