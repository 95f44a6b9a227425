//! What holds a secret, or is made of one, printed in every way that it can be.

use super::office::{AMY, CLIENT, Office, REDIRECT, SESSION, web_client};
use calsync_core::Secret;
use calsync_core::vault::{KeyBytes, MasterKey, generate};
use calsync_google::connect::{Consent, Invite, Opening, Outcome};
use calsync_google::{Check, Google, OAuthClient, ServiceAccountKey};
use calsync_testkit::fake_google::{Choice, Landing};
use calsync_testkit::marked::{CLIENT_SECRET, MARK, MarkedEntropy, key_bytes, refresh_token};
use serde::Serialize;
use serde_json::json;
use std::fmt::{Debug, Display};

const PEM: &str = include_str!("../data/keys/throwaway_service_account.pem");

/// What was printed, and what must not be in it.
#[derive(Default)]
struct Printed {
    text: String,
    secrets: Vec<String>,
}

impl Printed {
    fn debug(&mut self, what: &impl Debug) -> &mut Self {
        self.text.push_str(&format!("{what:?}\n{what:#?}\n"));
        self
    }

    fn shown(&mut self, what: &impl Display) -> &mut Self {
        self.text.push_str(&format!("{what}\n{what:#}\n"));
        self
    }

    fn json(&mut self, what: &impl Serialize) -> &mut Self {
        self.text.push_str(&serde_json::to_string(what).unwrap());
        self
    }

    fn hides(&mut self, secret: impl Into<String>) {
        self.secrets.push(secret.into());
    }

    #[track_caller]
    fn silent(&self) {
        let found = self.secrets.iter().filter_map(|secret| self.text.find(secret.as_str())).min();
        // The line says whose it is, and the secret stays out of this as well.
        let whose = found.map(|at| &self.text[self.text[..at].rfind('\n').unwrap_or(0)..at]);
        assert_eq!(whose, None, "a secret is printed");
    }
}

#[tokio::test]
async fn c18_nothing_on_the_way_to_a_connection_shows_a_secret_when_it_is_printed() {
    let office = Office::new().await;
    let mut printed = Printed::default();
    printed.hides(MARK);
    let consent = Consent::in_session(SESSION).of(AMY);
    printed.debug(&consent).debug(&office.worker(1)).debug(&office.connections);
    let page = office.begin(consent).await;
    let landing = office.opens(&page, &Choice::of(AMY));
    printed.debug(&page);
    for secret in ["state", "code"] {
        printed.hides(landing.param(secret).unwrap());
    }
    let outcome = office.comes_back(&landing).await;
    printed.debug(&outcome);
    assert!(matches!(outcome, Outcome::Connected(_)), "{outcome:?}");

    let invited = office.connections.invite(&office.tenant, &Invite::agent("agent-7", AMY)).await.unwrap();
    let letter = invited.letter("CRM", "https://crm.example.com/connect?token=").unwrap();
    printed.hides(invited.token.reveal());
    printed.debug(&invited).debug(&letter).debug(&letter.mail(Default::default()));
    let opening = office.connections.open_invitation(invited.token.reveal(), SESSION).await.unwrap();
    assert!(matches!(opening, Opening::Page(_)));
    printed.debug(&opening);

    let there = office.connections.configuration(&office.tenant).await.unwrap();
    let grants = office.connections.grants(&office.tenant).await.unwrap();
    assert_eq!(grants.len(), 1);
    printed.debug(&there).debug(&grants).json(&grants);
    printed.silent();
}

#[tokio::test]
async fn c18_a_consent_on_this_machine_shows_no_session_when_it_is_printed() {
    let office = Office::unconfigured();
    let file = json!({"installed": {"client_id": CLIENT, "client_secret": CLIENT_SECRET, "redirect_uris": ["http://localhost"]}});
    let file = calsync_google::OAuthClientFile::from_json(&file.to_string()).unwrap();
    office.connections.set_client(&office.tenant, &file).await.unwrap();
    let begun = office.connections.begin_here(&office.tenant, Consent::in_session(SESSION)).await.unwrap();
    let mut printed = Printed::default();
    printed.hides(MARK);
    printed.hides(Landing::Redirect(begun.0.url.clone()).param("state").unwrap());
    printed.debug(&begun);
    printed.silent();
}

#[test]
fn c18_no_credential_and_no_key_shows_itself_when_it_is_printed() {
    let mut printed = Printed::default();
    printed.hides(MARK);
    printed.hides("MII");
    let secret = Secret::new(refresh_token("amy"));
    let client = || OAuthClient { id: CLIENT.into(), secret: Secret::new(CLIENT_SECRET) };
    printed.debug(&secret).debug(&client()).debug(&web_client(CLIENT, &[REDIRECT]));
    let builder = || Google::refresh_token(client(), secret.clone());
    printed.debug(&builder()).debug(&builder().build().unwrap());
    printed.debug(&Google::access_token(Secret::new(format!("ya29.{MARK}"))));
    let key = json!({
        "type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": PEM, "client_id": "1",
        "client_email": "sync@p1.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
    });
    printed.hides(PEM.lines().nth(1).unwrap());
    printed.debug(&ServiceAccountKey::from_json(&key.to_string()).unwrap());
    printed.debug(&Check::service_account(&key.to_string())).debug(&Check::oauth(client(), secret));

    let new = generate(&MarkedEntropy::new(calsync_core::clock::SeededEntropy::new(1)));
    printed.hides(new.text.reveal());
    let keys = KeyBytes::new(MasterKey::new(key_bytes(1))).older(MasterKey::new(key_bytes(2)));
    for key in [key_bytes(1), key_bytes(2)] {
        printed.hides(key.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        printed.hides(format!("{key:?}"));
    }
    printed.shown(new.key.id()).debug(&new).debug(&keys);
    printed.silent();
}
