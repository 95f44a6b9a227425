//! The life of a grant: refreshed, rotated, ended, taken back, kept alive.

use super::office::{AMY, BOB, Office, SESSION, clean, refusal};
use calsync_core::ErrorKind;
use calsync_core::provider::{Effort, Provider, Target};
use calsync_core::store::SealedKind;
use calsync_google::connect::{Cause, Configuration, Consent, GrantState, Invite, Refusal};
use calsync_testkit::fake_google::{Choice, Fault, FaultKind, JournalEntry, Route};
use std::sync::Arc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn provider(office: &Office) -> Arc<dyn Provider> {
    office.connections.providers()(&office.tenant).unwrap()
}

/// Asks Google something in the name of this person.
async fn ask(provider: &dyn Provider, person: &str) -> calsync_core::Result<()> {
    let target = Target { calendar: person.into(), subject: person.to_owned() };
    provider.calendar(&target, &Effort::default()).await.map(drop)
}

#[tokio::test]
async fn a_token_is_got_once_and_again_when_it_is_stale() {
    let office = Office::new().await;
    office.connected(AMY).await;
    let provider = provider(&office);
    let asked = office.tokens_asked();
    for _ in 0..3 {
        ask(&*provider, AMY).await.unwrap();
    }
    assert_eq!(office.tokens_asked(), asked, "the consent brought a token that still lasts");
    office.clock.advance(HOUR);
    ask(&*provider, AMY).await.unwrap();
    ask(&*provider, AMY).await.unwrap();
    assert_eq!(office.tokens_asked(), asked + 1);
    let grant = office.connections.grant(&office.tenant, AMY).await.unwrap().unwrap();
    assert_eq!(grant.used, office.now());
    // Another process takes the one that is stored.
    let other = office.worker(9).build().unwrap().providers()(&office.tenant).unwrap();
    ask(&*other, AMY).await.unwrap();
    assert_eq!(office.tokens_asked(), asked + 1);
}

#[tokio::test]
async fn a_token_that_google_does_not_accept_any_more_is_replaced_once() {
    let office = Office::new().await;
    office.connected(AMY).await;
    office.fake().expire_access_tokens();
    let asked = office.tokens_asked();
    ask(&*provider(&office), AMY).await.unwrap();
    assert_eq!(office.tokens_asked(), asked + 1);
}

#[tokio::test]
pub(crate) async fn a_rotated_refresh_token_is_stored_before_it_is_needed() {
    // A server that refuses the old one once the new one was used, and one that refuses it at once.
    for at_once in [false, true] {
        let office = Office::new().await;
        office.fake().behaviour_mut().rotate_refresh_tokens = true;
        office.fake().behaviour_mut().rotation_ends_at_once = at_once;
        office.connected(AMY).await;
        for n in 0..5 {
            office.clock.advance(HOUR);
            // Each time another process: what it finds in the store has to be the newest.
            let provider = office.worker(20 + n).build().unwrap().providers()(&office.tenant).unwrap();
            let asked = ask(&*provider, AMY).await;
            assert!(asked.is_ok(), "process {n} finds an old one: {asked:?}");
        }
    }
}

#[tokio::test]
pub(crate) async fn g30_a_grant_that_ended_is_remembered_and_the_seven_day_rule_comes_first() {
    let office = Office::new().await;
    {
        let mut fake = office.fake();
        let client = fake.oauth_client(super::office::CLIENT, "GOCSPX-neversay");
        client.testing = true;
        client.test_users.extend([AMY.to_owned(), BOB.to_owned()]);
    }
    office.connected(AMY).await;
    let first = provider(&office);
    office.clock.advance(6 * DAY);
    ask(&*first, AMY).await.unwrap();
    office.clock.advance(DAY + HOUR);
    let error = ask(&*first, AMY).await.unwrap_err();
    assert_eq!((error.kind(), error.reason_code()), (ErrorKind::Unauthorized, Some("invalid_grant")));
    let cure = error.cure_text().unwrap();
    assert!(cure.contains(AMY) && cure.find("Testing") < cure.find("took it back"), "{cure}");
    clean(&format!("{error} {error:?}"));
    // Nobody knocks again: not here, not in another process.
    let asked = office.tokens_asked();
    let other = office.worker(9).build().unwrap().providers()(&office.tenant).unwrap();
    for provider in [&first, &other, &first] {
        assert_eq!(ask(&**provider, AMY).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    }
    assert_eq!(office.tokens_asked(), asked);
    let Configuration::NeedsReauthorisation { accounts, live: 0 } =
        office.connections.configuration(&office.tenant).await.unwrap()
    else {
        panic!("it is as if nothing were")
    };
    assert_eq!(accounts[0].1, GrantState::Refused);
    assert_eq!(accounts[0].0.causes(office.now())[0], Cause::Testing);
    // Connected again, it goes on; for everybody.
    office.connected(AMY).await;
    ask(&*first, AMY).await.unwrap();
    ask(&*other, AMY).await.unwrap();
}

#[tokio::test]
async fn what_passes_by_itself_ends_no_grant() {
    let office = Office::new().await;
    office.connected(AMY).await;
    office.clock.advance(HOUR);
    for _ in 0..20 {
        office.fake().inject(Fault::new(FaultKind::Status { code: 503 }).on(Route::Token));
    }
    let provider = provider(&office);
    assert!(ask(&*provider, AMY).await.is_err());
    let grant = office.connections.grant(&office.tenant, AMY).await.unwrap().unwrap();
    assert_eq!(grant.refused, None);
    for _ in 0..20 {
        if ask(&*provider, AMY).await.is_ok() {
            return;
        }
    }
    panic!("it does not heal");
}

#[tokio::test]
pub(crate) async fn a_grant_is_taken_back_at_google_and_forgotten_here() {
    let office = Office::new().await;
    office.connected(AMY).await;
    office.connected(BOB).await;
    let provider = provider(&office);
    ask(&*provider, AMY).await.unwrap();
    let done = office
        .connections
        .disconnect(&office.tenant, "AMY@example.com", &Effort::default())
        .await
        .unwrap()
        .unwrap();
    assert!(done.revoked.unwrap());
    let told = |entry: &JournalEntry| entry.route == Route::Revoke && entry.status == 200;
    assert_eq!(office.fake().journal().iter().filter(|entry| told(entry)).count(), 1, "Google was told");
    let error = ask(&*provider, AMY).await.unwrap_err();
    assert!(error.message().contains("has not connected") && error.cure_text().is_some(), "{error}");
    ask(&*provider, BOB).await.unwrap();
    assert!(office.connections.disconnect(&office.tenant, AMY, &Effort::default()).await.unwrap().is_none());
    // Dead already at Google, or Google cannot be reached: it is forgotten all the same.
    office.fake().user_disconnects(super::office::CLIENT, BOB);
    let done = office.connections.disconnect(&office.tenant, BOB, &Effort::default()).await.unwrap().unwrap();
    assert!(!done.revoked.unwrap());
    office.connected(AMY).await;
    ask(&*provider, AMY).await.unwrap();
    for _ in 0..20 {
        office.fake().inject(Fault::new(FaultKind::Status { code: 503 }).on(Route::Revoke));
    }
    let done = office.connections.disconnect(&office.tenant, AMY, &Effort::default()).await.unwrap().unwrap();
    assert!(done.revoked.is_err());
    let asked = ask(&*provider, AMY).await;
    assert!(asked.is_err(), "Google would still have it, and nobody here has: {asked:?}");
    assert_eq!(office.connections.grants(&office.tenant).await.unwrap(), []);
}

#[tokio::test]
pub(crate) async fn s11_a_tenant_that_leaves_takes_everything_along_and_nothing_of_others() {
    let office = Office::new().await;
    office.connected(AMY).await;
    let other = calsync_core::Tenant::from("other");
    office
        .connections
        .set_client(&other, &super::office::web_client(super::office::CLIENT, &[super::office::REDIRECT]))
        .await
        .unwrap();
    // A consent is on its way, and an invitation.
    let page = office.begin(Consent::in_session(SESSION)).await;
    office.connections.invite(&office.tenant, &Invite::agent("agent-8", BOB)).await.unwrap();
    for _ in 0..2 {
        office.connections.disconnect_tenant(&office.tenant, &Effort::default()).await.unwrap();
        assert!(matches!(
            office.connections.configuration(&office.tenant).await.unwrap(),
            Configuration::Unconfigured { .. }
        ));
    }
    for kind in SealedKind::ALL {
        let left = office.store.sealed_rows(&office.tenant, kind, None, 10).await.unwrap();
        assert_eq!(left, [], "keys and all");
    }
    let landing = office.opens(&page, &Choice::of(BOB));
    assert_eq!(refusal(&office.comes_back(&landing).await), &Refusal::Unknown, "it comes too late");
    assert_eq!(office.connections.configuration(&other).await.unwrap(), Configuration::Configured);
}

#[tokio::test]
async fn an_unused_grant_is_refreshed_in_time() {
    let office = Office::new().await;
    office.connected(AMY).await;
    let expires = office.connections.grant(&office.tenant, AMY).await.unwrap().unwrap().expires_if_unused();
    for _ in 0..10 {
        office.clock.advance(25 * DAY);
        assert_eq!(office.connections.keep_alive(&office.tenant, &Effort::default()).await.unwrap().len(), 0);
    }
    assert!(office.now() > expires);
    ask(&*provider(&office), AMY).await.unwrap();
    // One that ended is told and not knocked at for ever.
    office.fake().user_disconnects(super::office::CLIENT, AMY);
    office.clock.advance(40 * DAY);
    let failed = office.connections.keep_alive(&office.tenant, &Effort::default()).await.unwrap();
    assert_eq!((failed.len(), failed[0].0.as_str()), (1, AMY));
    assert_eq!(office.connections.keep_alive(&office.tenant, &Effort::default()).await.unwrap().len(), 0);
}
