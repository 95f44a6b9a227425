//! A person consents, or does not; and somebody plays tricks with the way back.

use super::office::{AMY, BOB, CLIENT, OTHER_CLIENT, Office, REDIRECT, SESSION, clean, refusal, web_client};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use calsync_core::provider::Effort;
use calsync_core::store::SealedKind;
use calsync_core::{Error, ErrorKind};
use calsync_google::connect::{Consent, Invite, Outcome, Refusal};
use calsync_google::scope::{CALENDARS_READONLY, EMAIL, EVENTS, Feature, Scopes};
use calsync_testkit::fake_google::{Choice, Fault, FaultKind, Landing};
use ring::digest::{SHA256, digest};
use std::time::Duration;

fn amy() -> Consent {
    Consent::in_session(SESSION).of("agent-7").expecting("Amy@Example.com")
}

/// What the page is asked with.
fn asked(url: &str, name: &str) -> Option<String> {
    Landing::Redirect(url.to_owned()).param(name)
}

#[tokio::test]
async fn an_agent_consents_and_is_connected_with_what_was_granted() {
    let office = Office::new().await;
    let consent = amy().features([Feature::WriteEvents, Feature::WorkingHours]).return_to("/profile");
    let page = office.begin(consent).await;
    assert_eq!(asked(&page.url, "access_type").as_deref(), Some("offline"));
    assert_eq!(asked(&page.url, "prompt").as_deref(), Some("consent"));
    assert_eq!(asked(&page.url, "login_hint").as_deref(), Some(AMY));
    assert_eq!(asked(&page.url, "redirect_uri").as_deref(), Some(REDIRECT));
    assert_eq!(page.warnings, Vec::<String>::new());
    let landing = office.opens(&page, &Choice::of(AMY));
    let Outcome::Connected(connected) = office.comes_back(&landing).await else { panic!("{landing:?}") };
    assert_eq!((connected.account.as_str(), connected.again), (AMY, false));
    assert_eq!(connected.agent.as_ref().unwrap().as_str(), "agent-7");
    assert_eq!(connected.features, [Feature::WriteEvents, Feature::WorkingHours]);
    assert_eq!((connected.missing, connected.return_to.as_deref()), (vec![], Some("/profile")));
    let grant = office.connections.grant(&office.tenant, "AMY@example.com").await.unwrap().unwrap();
    assert_eq!(grant.agent, connected.agent);
    clean(&format!("{grant:?} {:?}", office.connections));
    // The same account once more: it is a new grant in the place of the old one.
    assert!(office.connected(AMY).await.again);
    assert_eq!(office.connections.grants(&office.tenant).await.unwrap().len(), 1);
}

#[tokio::test]
pub(crate) async fn s05_every_consent_has_pkce_and_a_state_of_256_bits_that_is_kept_as_a_hash() {
    let office = Office::new().await;
    let (one, two) = (office.begin(amy()).await, office.begin(amy()).await);
    assert_eq!(asked(&one.url, "code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(asked(&one.url, "code_challenge").unwrap().len(), 43);
    let (state, other) = (asked(&one.url, "state").unwrap(), asked(&two.url, "state").unwrap());
    assert!(state.len() == 43 && state != other);
    let rows = office.store.sealed_rows(&office.tenant, SealedKind::Consent, None, 10).await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let kept = format!("{row:?} {}", String::from_utf8_lossy(row.sealed.as_ref().unwrap()));
        assert!(!kept.contains(&state) && !kept.contains(&other) && !kept.contains(SESSION), "{kept}");
    }
}

#[tokio::test]
pub(crate) async fn s05_a_code_goes_with_the_verifier_of_its_own_challenge() {
    let office = Office::new().await;
    let (page, other) = (office.begin(amy()).await, office.begin(amy()).await);
    let landing = office.opens(&page, &Choice::of(AMY));
    office.comes_back(&landing).await;
    let verifier = asked(&format!("?{}", office.sent_last()), "code_verifier").unwrap_or_default();
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    assert_eq!(Some(challenge.clone()), asked(&page.url, "code_challenge"), "{verifier}");
    assert_ne!(Some(challenge), asked(&other.url, "code_challenge"));
}

#[tokio::test]
pub(crate) async fn s05_a_consent_without_a_browser_session_is_not_begun() {
    let office = Office::new().await;
    // A callback of anybody who has no session would fit it.
    let begun = office.connections.begin(&office.tenant, &Consent::in_session("").of("agent-7")).await;
    assert_eq!(
        begun.as_ref().err().map(Error::kind),
        Some(ErrorKind::Config),
        "no cookie came along: {begun:?}"
    );
    let invited = office.connections.invite(&office.tenant, &Invite::agent("agent-7", AMY)).await.unwrap();
    assert!(office.connections.open_invitation(invited.token.reveal(), "").await.is_err());
    let rows = office.store.sealed_rows(&office.tenant, SealedKind::Consent, None, 10).await.unwrap();
    assert_eq!(rows, [], "nothing waits for a browser");
}

#[tokio::test]
pub(crate) async fn s05_a_consent_that_was_begun_with_another_client_is_refused_before_google_is_asked() {
    let office = Office::new().await;
    let page = office.begin(amy()).await;
    let landing = office.opens(&page, &Choice::of(AMY));
    let file = web_client(OTHER_CLIENT, &[REDIRECT]);
    office.connections.set_client(&office.tenant, &file).await.unwrap();
    let asked_before = office.tokens_asked();
    assert_eq!(refusal(&office.comes_back(&landing).await), &Refusal::OtherClient);
    assert_eq!(office.tokens_asked(), asked_before, "Google was asked nothing");
    assert_eq!(office.connections.grants(&office.tenant).await.unwrap(), []);
}

#[tokio::test]
async fn s05_a_consent_connects_the_tenant_that_began_it_and_no_other() {
    let office = Office::new().await;
    let other = calsync_core::Tenant::from("other");
    office.connections.set_client(&other, &web_client(CLIENT, &[REDIRECT])).await.unwrap();
    let page = office.connections.begin(&other, &amy()).await.unwrap();
    office.begin(amy()).await;
    let landing = office.opens(&page, &Choice::of(AMY));
    let Outcome::Connected(connected) = office.comes_back(&landing).await else { panic!("{landing:?}") };
    assert_eq!(connected.tenant, other);
    assert_eq!(office.connections.grants(&office.tenant).await.unwrap(), []);
    assert_eq!(office.connections.grants(&other).await.unwrap().len(), 1);
}

#[tokio::test]
pub(crate) async fn s10_a_consent_asks_for_the_least_that_is_enough_and_for_who_consents() {
    let office = Office::new().await;
    for (features, scopes) in [
        (&[Feature::WriteEvents][..], &[EVENTS, EMAIL][..]),
        // Who may write events may read them.
        (&[Feature::ReadEvents, Feature::WriteEvents], &[EVENTS, EMAIL]),
        (&[Feature::WriteEvents, Feature::WorkingHours], &[EVENTS, CALENDARS_READONLY, EMAIL]),
    ] {
        let page = office.begin(amy().features(features.iter().copied())).await;
        let scopes: Scopes = scopes.iter().collect();
        assert_eq!(Scopes::parse(&asked(&page.url, "scope").unwrap()), scopes, "{features:?}");
    }
}

#[tokio::test]
pub(crate) async fn s05_a_state_is_good_once() {
    let office = Office::new().await;
    let page = office.begin(amy()).await;
    let landing = office.opens(&page, &Choice::of(AMY));
    assert!(matches!(office.comes_back(&landing).await, Outcome::Connected(_)));
    assert_eq!(refusal(&office.comes_back(&landing).await), &Refusal::Unknown);
    // Two at once: one of them is it.
    let page = office.begin(amy()).await;
    let landing = office.opens(&page, &Choice::of(AMY));
    let (one, two) = tokio::join!(office.comes_back(&landing), office.comes_back(&landing));
    let connected = [&one, &two].iter().filter(|o| matches!(o, Outcome::Connected(_))).count();
    assert_eq!(connected, 1, "{one:?} {two:?}");
}

#[tokio::test]
pub(crate) async fn s05_a_forged_altered_expired_or_foreign_callback_is_refused_and_changes_nothing() {
    let office = Office::new().await;
    let page = office.begin(amy()).await;
    let landing = office.opens(&page, &Choice::of(AMY));
    let url = landing.url().unwrap().to_owned();
    let asked_before = office.tokens_asked();
    let back = async |url: &str, session: &str| {
        let outcome = office.connections.finish(url, session, &Effort::default()).await.unwrap();
        clean(&format!("{outcome:?}"));
        match outcome {
            Outcome::NotConnected { refusal, .. } => Some(refusal),
            Outcome::Connected(_) => None,
        }
    };
    let state = asked(&url, "state").unwrap();
    let other = if state.starts_with('A') { "B" } else { "A" };
    let altered = url.replace(&state, &format!("{other}{}", &state[1..]));
    assert_eq!(back(&altered, SESSION).await, Some(Refusal::Unknown));
    assert_eq!(back(&url, "session-of-eve").await, Some(Refusal::OtherSession));
    assert_eq!(back(&url, "").await, Some(Refusal::OtherSession));
    assert_eq!(back(&format!("{url}&state={state}"), SESSION).await, Some(Refusal::Altered));
    assert_eq!(back(&format!("{url}&code=another"), SESSION).await, Some(Refusal::Altered));
    assert_eq!(back(&format!("{url}&error=access_denied"), SESSION).await, Some(Refusal::Altered));
    assert_eq!(back(&format!("?state={state}"), SESSION).await, Some(Refusal::Altered));
    assert_eq!(back("?code=4/0neversay", SESSION).await, Some(Refusal::Altered));
    assert_eq!(back("", SESSION).await, Some(Refusal::Altered));
    assert_eq!(
        back(&format!("?state={state}&code={}", "x".repeat(20_000)), SESSION).await,
        Some(Refusal::Altered)
    );
    assert_eq!(office.tokens_asked(), asked_before, "Google was asked nothing");
    assert_eq!(office.connections.grants(&office.tenant).await.unwrap(), []);
    office.clock.advance(Duration::from_secs(600));
    assert_eq!(back(&url, SESSION).await, Some(Refusal::Expired));
    assert_eq!(office.tokens_asked(), asked_before);
    // None of that has used up the next one.
    office.connected(AMY).await;
}

#[tokio::test]
pub(crate) async fn s06_nothing_is_stored_when_another_account_consents() {
    let office = Office::new().await;
    office.connected(BOB).await;
    let before = office.connections.grants(&office.tenant).await.unwrap();
    let outcome = office.consents(amy(), &Choice::of(BOB)).await;
    assert_eq!(refusal(&outcome), &Refusal::WrongAccount { expected: AMY.into() });
    assert!(!format!("{outcome:?}").contains(BOB), "whoever looks is not told who it was: {outcome:?}");
    assert_eq!(office.connections.grants(&office.tenant).await.unwrap(), before);
    let Outcome::NotConnected { agent, tenant, .. } = outcome else { panic!("connected") };
    assert_eq!((agent.unwrap().as_str(), tenant), ("agent-7", Some(office.tenant.clone())));
    // From one's own profile, whoever consents is it.
    let outcome = office.consents(Consent::in_session(SESSION).of("agent-7"), &Choice::of(BOB)).await;
    assert!(matches!(outcome, Outcome::Connected(connected) if connected.account == BOB));
}

#[tokio::test]
pub(crate) async fn a_box_that_was_left_unticked_is_named_and_what_can_be_done_without_it_goes_on() {
    let office = Office::new().await;
    let both = || amy().features([Feature::WriteEvents, Feature::WorkingHours]);
    let outcome = office.consents(both(), &Choice::of(AMY).untick(&["calendar.events"])).await;
    assert_eq!(refusal(&outcome), &Refusal::Unticked { missing: vec![Feature::WriteEvents] });
    assert!(refusal(&outcome).again() && refusal(&outcome).explain().contains("read and write events"));
    assert_eq!(office.connections.grants(&office.tenant).await.unwrap(), []);
    // Another person: what Amy ticked before, Google keeps.
    let both = Consent::in_session(SESSION).features([Feature::WriteEvents, Feature::WorkingHours]);
    let outcome = office.consents(both, &Choice::of(BOB).untick(&["calendar.calendars.readonly"])).await;
    let Outcome::Connected(connected) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (connected.features, connected.missing),
        (vec![Feature::WriteEvents], vec![Feature::WorkingHours])
    );
}

#[tokio::test]
async fn refusals_of_google_s_are_told_apart() {
    let office = Office::new().await;
    // The person says no.
    let page = office.begin(amy().return_to("/app/settings")).await;
    let now = office.now();
    let landing = office.fake().user_refuses(now, &page.url, AMY);
    let outcome = office.comes_back(&landing).await;
    assert_eq!(refusal(&outcome), &Refusal::Declined);
    assert!(
        matches!(outcome, Outcome::NotConnected { return_to: Some(target), .. } if target == "/app/settings")
    );
    assert_eq!(
        refusal(&office.comes_back(&landing).await),
        &Refusal::Unknown,
        "a refusal uses the state as well"
    );
    // No browser comes back from these: the person reads the word on Google's page.
    let word = |office: &Office, landing: &Landing| {
        let page = landing.page().unwrap_or_else(|| panic!("{landing:?}"));
        assert!(!office.fake().screens().is_empty());
        Refusal::of_google(&page.error, true)
    };
    let client = |office: &Office, change: &dyn Fn(&mut calsync_testkit::fake_google::OAuthClient)| {
        change(office.fake().oauth_client(super::office::CLIENT, "GOCSPX-neversay"));
    };
    client(&office, &|client| client.testing = true);
    let page = office.begin(amy()).await;
    assert_eq!(word(&office, &office.opens(&page, &Choice::of(AMY))), Refusal::NotTestUser);
    client(&office, &|client| _ = client.test_users.insert(AMY.into()));
    office.connected(AMY).await;
    client(&office, &|client| {
        client.testing = false;
        client.internal_to = Some("elsewhere.example".into());
    });
    let page = office.begin(amy()).await;
    assert_eq!(word(&office, &office.opens(&page, &Choice::of(AMY))), Refusal::OtherOrganisation);
    client(&office, &|client| {
        client.internal_to = None;
        client.blocked_in.insert("example.com".into());
    });
    let page = office.begin(amy()).await;
    let landing = office.opens(&page, &Choice::of(AMY));
    let refused = match landing.url() {
        Some(_) => refusal(&office.comes_back(&landing).await).clone(),
        None => word(&office, &landing),
    };
    assert_eq!(refused, Refusal::BlockedByAdministrator);
}

#[tokio::test]
pub(crate) async fn s05_a_browser_is_sent_to_allowed_targets_only() {
    let office = Office::new().await;
    let begin = async |target: &str| office.connections.begin(&office.tenant, &amy().return_to(target)).await;
    assert!(begin("/app/settings").await.is_ok());
    let begun = begin("https://evil.example/").await;
    assert_eq!(begun.as_ref().err().map(Error::kind), Some(ErrorKind::Config), "{begun:?}");
    assert!(begun.unwrap_err().to_string().contains("https://evil.example/"));
}

#[tokio::test]
async fn an_answer_that_was_lost_connects_nothing_and_the_person_begins_again() {
    let office = Office::new().await;
    let page = office.begin(amy()).await;
    let landing = office.opens(&page, &Choice::of(AMY));
    office.fake().inject(Fault::new(FaultKind::LostAfterWork).on(calsync_testkit::fake_google::Route::Token));
    let outcome = office.connections.finish(landing.url().unwrap(), SESSION, &Effort::default()).await;
    // The repeated exchange finds the code used: it is good once.
    match outcome {
        Ok(outcome) => assert!(matches!(refusal(&outcome), Refusal::Code { .. }), "{outcome:?}"),
        Err(error) => clean(&error.to_string()),
    }
    assert_eq!(office.connections.grants(&office.tenant).await.unwrap(), []);
    office.connected(AMY).await;
}
