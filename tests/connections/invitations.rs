//! Links that agents get by mail.

use super::office::{AMY, BOB, Office, SESSION, clean, refusal};
use calsync_core::ErrorKind;
use calsync_google::connect::{ConsentPage, InvitationState, Invite, Invited, Opening, Outcome, Refusal};
use calsync_google::invitation::text::{Language, Seen};
use calsync_google::scope::Feature;
use calsync_testkit::fake_google::Choice;
use chrono::TimeDelta;
use std::time::Duration;

async fn invited(office: &Office, address: &str) -> Invited {
    office.connections.invite(&office.tenant, &Invite::agent("agent-7", address)).await.unwrap()
}

async fn opened(office: &Office, invited: &Invited) -> ConsentPage {
    match office.connections.open_invitation(invited.token.reveal(), SESSION).await.unwrap() {
        Opening::Page(page) => page,
        closed => panic!("{closed:?}"),
    }
}

async fn state(office: &Office, invited: &Invited) -> InvitationState {
    office.connections.invitation(invited.token.reveal()).await.unwrap()
}

#[tokio::test]
pub(crate) async fn an_agent_connects_by_a_mailed_link_which_works_once() {
    let office = Office::new().await;
    let invited = invited(&office, "Amy@Example.com").await;
    assert_eq!((invited.address.as_str(), invited.replaced, invited.warnings.len()), (AMY, 0, 0));
    clean(&format!("{invited:?}"));
    let letter = invited.letter("Acme CRM", "https://crm.example.com/connect?token=").unwrap();
    for language in [Language::English, Language::Dutch, Language::Portuguese] {
        let mail = letter.mail(language);
        let link = format!("https://crm.example.com/connect?token={}", invited.token.reveal());
        assert_eq!(mail.text.matches(&link).count(), 1, "{}", mail.text);
        assert!(mail.html.contains(AMY) && mail.text.contains(AMY));
    }
    // A program that looks at mail opens it first; then the agent does, twice.
    for _ in 0..2 {
        assert!(
            matches!(state(&office, &invited).await, InvitationState::Open { address, .. } if address == AMY)
        );
        opened(&office, &invited).await;
    }
    let page = opened(&office, &invited).await;
    let landing = office.opens(&page, &Choice::of(AMY));
    let Outcome::Connected(connected) = office.comes_back(&landing).await else { panic!("{landing:?}") };
    assert_eq!((connected.account.as_str(), connected.agent.unwrap().as_str()), (AMY, "agent-7"));
    assert_eq!(state(&office, &invited).await, InvitationState::Used);
    let again = office.connections.open_invitation(invited.token.reveal(), SESSION).await.unwrap();
    assert_eq!(again, Opening::Closed(InvitationState::Used));
    assert_eq!(state(&office, &invited).await.seen(), Some(Seen::Used));
}

#[tokio::test]
async fn a_link_is_used_up_by_nothing_but_a_connection() {
    let office = Office::new().await;
    let both = [Feature::WriteEvents, Feature::WorkingHours];
    let invite = Invite::agent("agent-7", AMY).features(both).required(both);
    let invited = office.connections.invite(&office.tenant, &invite).await.unwrap();
    let tries: [(Choice, Seen); 2] = [
        (Choice::of(BOB), Seen::WrongAccount { expected: AMY.into() }),
        (
            Choice::of(AMY).untick(&["calendar.events"]),
            Seen::ScopeUnticked { features: vec![Feature::WriteEvents] },
        ),
    ];
    for (choice, seen) in tries {
        let page = opened(&office, &invited).await;
        let landing = office.opens(&page, &choice);
        assert_eq!(office.comes_back(&landing).await.seen(), seen);
        assert!(matches!(state(&office, &invited).await, InvitationState::Open { .. }));
    }
    assert_eq!(office.connections.grants(&office.tenant).await.unwrap(), []);
    let page = opened(&office, &invited).await;
    let landing = office.opens(&page, &Choice::of(AMY));
    assert_eq!(office.comes_back(&landing).await.seen(), Seen::Connected);
}

#[tokio::test]
pub(crate) async fn a_newer_link_or_another_address_ends_the_older_ones_even_on_google_s_page() {
    let office = Office::new().await;
    let first = invited(&office, AMY).await;
    let page = opened(&office, &first).await;
    let second = invited(&office, BOB).await;
    assert_eq!(second.replaced, 1);
    assert_eq!(state(&office, &first).await, InvitationState::Replaced);
    // It was on its way already.
    let landing = office.opens(&page, &Choice::of(AMY));
    assert_eq!(refusal(&office.comes_back(&landing).await), &Refusal::InvitationOver);
    assert_eq!(office.connections.grants(&office.tenant).await.unwrap(), []);
    // Another agent's are left alone, and so are another tenant's.
    let other = office.connections.invite(&office.tenant, &Invite::agent("agent-8", AMY)).await.unwrap();
    assert_eq!(other.replaced, 0);
    assert!(matches!(state(&office, &second).await, InvitationState::Open { .. }));
    let all = office.connections.invitations(&office.tenant).await.unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(office.connections.invitations(&"other".into()).await.unwrap().len(), 0);
    assert_eq!(office.connections.withdraw_invitations(&office.tenant, &"agent-7".into()).await.unwrap(), 1);
    assert_eq!(state(&office, &second).await, InvitationState::Replaced);
}

#[tokio::test]
pub(crate) async fn a_link_ends_in_time_and_one_that_was_altered_by_one_character_is_none() {
    let office = Office::new().await;
    let invited = invited(&office, AMY).await;
    let token = invited.token.reveal().to_owned();
    for at in 0..token.len() {
        let other = if token.as_bytes()[at] == b'A' { 'B' } else { 'A' };
        let altered = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        let state = office.connections.invitation(&altered).await.unwrap();
        assert!(matches!(state, InvitationState::Altered | InvitationState::Unknown), "{at}: {state:?}");
        assert_eq!(state.seen(), Some(Seen::Altered));
        let opening = office.connections.open_invitation(&altered, SESSION).await.unwrap();
        assert!(matches!(opening, Opening::Closed(_)), "{at}");
    }
    for altered in ["", &token[1..], &token[..token.len() - 1], "not a token"] {
        assert_eq!(office.connections.invitation(altered).await.unwrap(), InvitationState::Altered);
    }
    office.clock.advance(Duration::from_secs(7 * 24 * 3600));
    assert_eq!(state(&office, &invited).await, InvitationState::Expired);
    office.clock.advance(Duration::from_secs(91 * 24 * 3600));
    self::invited(&office, BOB).await;
    assert_eq!(state(&office, &invited).await, InvitationState::Unknown, "it is forgotten in the end");
}

#[tokio::test]
async fn an_invitation_that_cannot_work_is_refused_and_changes_nothing() {
    let office = Office::new().await;
    let first = invited(&office, AMY).await;
    for invite in [
        Invite::agent("agent-7", "amy"),
        Invite::agent("agent-7", ""),
        Invite::agent("agent-7", "amy @example.com"),
        Invite::agent("agent-7", AMY).lasts(TimeDelta::days(91)),
        Invite::agent("agent-7", AMY).lasts(TimeDelta::zero()),
        Invite::agent("agent-7", AMY).return_to("https://evil.example/"),
    ] {
        let error = office.connections.invite(&office.tenant, &invite).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
    assert!(matches!(state(&office, &first).await, InvitationState::Open { .. }));
    assert!(
        first.letter("Acme", "http://crm.example.com/connect?token=").is_err(),
        "a link travels encrypted"
    );
    let nobody = Office::unconfigured();
    let error = nobody.connections.invite(&nobody.tenant, &Invite::agent("agent-7", AMY)).await.unwrap_err();
    assert!(error.cure_text().unwrap().contains("administrator"), "{error}");
}
