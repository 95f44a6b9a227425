//! People who connect their accounts, take that back and connect again, and what must be true of it (S7).
//!
//! A person is known to be connected, known to be away, or neither: a process that died on the way of a consent, and a server that
//! ends the old refresh token before its answer arrived, leave a question that only Google could answer. What is known is claimed.

use super::gate::{Gate, SimClock, SimStore, now};
use super::oracle::Violation;
use super::transport::FaultRates;
use super::world::{CALENDARS, GOOGLE, World};
use crate::fake_google::{Behaviour, Choice, FakeGoogle, Landing};
use crate::marked::{CLIENT_SECRET, key_bytes};
use calsync_core::clock::{Clock, EntropyExt, SeededEntropy};
use calsync_core::provider::Effort;
use calsync_core::store::{SealedKind, Store};
use calsync_core::vault::{KeyBytes, MasterKey, Vault};
use calsync_core::{ErrorKind, Result};
use calsync_google::connect::{Connections, Consent, Outcome};
use calsync_google::{Endpoints, OAuthClientFile};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Who has an account.
pub(super) const PEOPLE: [&str; 2] = ["amy@example.com", "bob@example.com"];

/// The OAuth client of the CRM.
pub(super) const CLIENT: &str = "crm.apps.googleusercontent.com";
/// Where its browsers come back.
pub(super) const REDIRECT: &str = "https://crm.example.com/google";
const SESSION: &str = "a session";

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It is good for ever.
    Never,
    /// There is a new one, and the old one ends when that is used.
    EndsWithUse,
    /// The same, and it is good for ten more minutes.
    Grace,
    /// It ends as soon as the new one is made, whether or not anybody hears of that.
    EndsAtOnce,
}

impl Rotation {
    /// Tells Google.
    pub(super) fn set(self, behaviour: &mut Behaviour) {
        behaviour.rotate_refresh_tokens = self != Self::Never;
        behaviour.rotation_ends_at_once = self == Self::EndsAtOnce;
        behaviour.rotation_grace_seconds = if self == Self::Grace { 600 } else { 0 };
    }
}

/// How a person stands to Google.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Google has the grant, and calsync was told all about it.
    Connected,
    /// Google has none.
    Away,
    /// Nobody can say.
    Unsure,
}

/// What a person does while workers are at it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Leaves,
    LeavesAndReturns,
    ConnectsAgain,
}

impl Deed {
    pub(super) fn any(chance: &SeededEntropy) -> Self {
        [Self::Leaves, Self::LeavesAndReturns, Self::LeavesAndReturns, Self::ConnectsAgain]
            [chance.below(4) as usize]
    }
}

/// How the people stand, in the beginning.
pub(super) fn nobody() -> BTreeMap<&'static str, Standing> {
    PEOPLE.into_iter().map(|person| (person, Standing::Away)).collect()
}

/// Google as a person's browser reaches it.
#[derive(Clone, Debug)]
pub(super) struct Browser {
    google: Arc<Mutex<FakeGoogle>>,
    clock: Arc<SimClock>,
}

impl Browser {
    fn consents(&self, page: &str, account: &str) -> Landing {
        let mut google = self.google.lock().unwrap_or_else(PoisonError::into_inner);
        google.user_consents(self.clock.now(), page, &Choice::of(account))
    }

    fn disconnects(&self, account: &str) {
        self.google.lock().unwrap_or_else(PoisonError::into_inner).user_disconnects(CLIENT, account);
    }
}

/// Somebody presses "connect", consents, and comes back. Whether the account is connected then.
async fn connect(connections: &Connections, browser: &Browser, account: &str) -> Result<bool> {
    let consent = Consent::in_session(SESSION).of(account).expecting(account);
    let page = connections.begin(&"default".into(), &consent).await?;
    let landing = browser.consents(&page.url, account);
    let Some(url) = landing.url() else { return Ok(false) };
    let outcome = connections.finish(url, SESSION, &Effort::default()).await?;
    Ok(matches!(outcome, Outcome::Connected(_)))
}

/// Does it, if possible when one of the workers is just about to store a new token.
pub(super) async fn act(
    deed: Deed,
    account: &'static str,
    (connections, gate): (&Connections, &Arc<Gate>),
    browser: &Browser,
    workers: &[Arc<Gate>],
    chance: &SeededEntropy,
) -> Result<Standing> {
    for _ in 0..200 {
        let news = workers.iter().any(|worker| worker.has_news_of(account)) && chance.below(2) == 0;
        if news || (workers.iter().any(|worker| worker.refreshing()) && chance.below(8) == 0) {
            break;
        }
        gate.pass().await;
    }
    // Half of them are so quick that a worker notices nothing of it.
    if chance.below(2) == 0 {
        gate.let_nobody_in();
    }
    if !matches!(deed, Deed::ConnectsAgain) {
        browser.disconnects(account);
    }
    if matches!(deed, Deed::Leaves) {
        return Ok(Standing::Away);
    }
    let connected = connect(connections, browser, account).await?;
    Ok(if connected { Standing::Connected } else { Standing::Unsure })
}

impl World {
    /// The connections of a process.
    #[allow(clippy::expect_used)]
    pub(super) fn connections(
        &self,
        store: Arc<dyn Store>,
        gate: &Arc<Gate>,
        rates: &Arc<Mutex<FaultRates>>,
        entropy: &Arc<SeededEntropy>,
    ) -> Connections {
        let keys = KeyBytes::new(MasterKey::new(key_bytes(7)));
        let vault = Vault::new(Arc::clone(&store), Arc::new(keys), entropy.clone());
        Connections::builder(store, Arc::new(vault))
            .redirect_uri(REDIRECT)
            .endpoints(Endpoints::under(GOOGLE).expect("an address"))
            .transport(Arc::new(self.transport(gate, rates)))
            .clock(self.clock.clone())
            .entropy(entropy.clone())
            .page_size(4)
            .build()
            .expect("connections")
    }

    /// A process that hosts the two pages of a consent, among others that work.
    pub(super) fn web_process(&mut self) -> (Connections, Arc<Gate>) {
        let gate = Gate::new(true);
        let store = Arc::new(SimStore { inner: self.store.clone(), tap: Arc::clone(&gate) });
        let entropy = self.entropy();
        (self.connections(store, &gate, &self.rates, &entropy), gate)
    }

    pub(super) fn browser(&self) -> Browser {
        Browser { google: Arc::clone(&self.fake), clock: Arc::clone(&self.clock) }
    }

    /// The same where nothing fails and nobody else is.
    fn front_desk(&mut self) -> Connections {
        let entropy = self.entropy();
        self.connections(Arc::new(self.store.clone()), &Gate::new(false), &Arc::default(), &entropy)
    }

    /// The administrator uploads the OAuth client, and everybody connects.
    ///
    /// # Panics
    /// When that fails although nothing disturbs it.
    #[allow(clippy::expect_used)]
    pub(super) fn everybody_connects(&mut self) {
        let file = format!(
            r#"{{"web": {{"client_id": "{CLIENT}", "client_secret": "{CLIENT_SECRET}", "redirect_uris": ["{REDIRECT}"], "project_id": "p1",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": "https://oauth2.googleapis.com/token"}}}}"#
        );
        let file = OAuthClientFile::from_json(&file).expect("a client");
        now(self.front_desk().set_client(&"default".into(), &file)).expect("a client");
        for person in PEOPLE {
            self.connects(person).expect("connected");
        }
    }

    /// Somebody connects, and nothing disturbs it.
    ///
    /// # Errors
    /// It fails nevertheless: S7.
    pub(super) fn connects(&mut self, person: &'static str) -> std::result::Result<(), Violation> {
        let (desk, browser) = (self.front_desk(), self.browser());
        let ended = now(connect(&desk, &browser, person));
        if !matches!(ended, Ok(true)) {
            return Err(Violation::new("S7", format!("{person} cannot connect: {ended:?}")));
        }
        self.stands(person, Standing::Connected);
        Ok(())
    }

    /// Somebody takes the grant back at Google.
    pub(super) fn leaves(&mut self, person: &'static str) {
        self.browser().disconnects(person);
        self.stands(person, Standing::Away);
    }

    pub(super) fn stands(&mut self, person: &'static str, standing: Standing) {
        self.tell(&format!("{person} is {standing:?}"));
        self.refreshes().forget(person);
        self.standings.insert(person, standing);
    }

    pub(super) fn standing(&self, person: &str) -> Standing {
        self.standings.get(person).copied().unwrap_or(Standing::Unsure)
    }

    /// What a server that ends a token at once ended, was lost with the answer, or with whoever had it.
    fn concede_what_was_lost(&mut self) {
        let lost = self.refreshes().take_lost(self.clock.now());
        if self.rotation == Rotation::EndsAtOnce {
            for person in PEOPLE.into_iter().filter(|person| lost.contains(*person)) {
                if self.standing(person) == Standing::Connected {
                    self.stands(person, Standing::Unsure);
                }
            }
        }
    }

    /// Whether it is stored that Google ended this grant.
    fn is_refused(&self, person: &str) -> Option<bool> {
        let row = now(self.store.sealed(&"default".into(), SealedKind::Grant, person)).ok().flatten()?;
        row.sealed.is_some().then(|| row.facts["refused"].is_string())
    }

    /// At any time: a grant that Google still has is stored and not marked, and no token was asked for while there was a good one.
    ///
    /// # Errors
    /// S7.
    pub(super) fn look_at_grants(&mut self) -> std::result::Result<(), Violation> {
        if !self.connected {
            return Ok(());
        }
        self.concede_what_was_lost();
        for person in PEOPLE.into_iter().filter(|person| self.standing(person) == Standing::Connected) {
            match self.is_refused(person) {
                Some(false) => {}
                Some(true) => {
                    return Err(Violation::new("S7", format!("{person} is marked as refused, and is not")));
                }
                None => return Err(Violation::new("S7", format!("the grant of {person} is not stored"))),
            }
        }
        let needless = self.refreshes().take_needless();
        if !needless.is_empty() {
            return Err(Violation::new("S7", format!("there was a good token: {needless:?}")));
        }
        Ok(())
    }

    /// With the faults off: a grant that Google has not is told as refused, others go on meanwhile, and everybody connects again.
    ///
    /// # Errors
    /// S7.
    pub(super) fn settle_grants(&mut self) -> std::result::Result<(), Violation> {
        self.look_at_grants()?;
        if !self.connected || PEOPLE.iter().all(|person| self.standing(person) == Standing::Connected) {
            return Ok(());
        }
        self.set_rates(FaultRates::default());
        for person in PEOPLE {
            let at = CALENDARS.iter().position(|(owner, _)| *owner == person).unwrap_or_default();
            let ended = self.run_calmly(at);
            let refused = self.is_refused(person);
            let told = ended.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unauthorized);
            let right = match self.standing(person) {
                Standing::Connected => ended.is_ok() && refused == Some(false),
                Standing::Away => told && refused != Some(false),
                // Whatever is the case, it is told and marked, or works.
                Standing::Unsure => {
                    if ended.is_ok() {
                        refused == Some(false)
                    } else {
                        told && refused != Some(false)
                    }
                }
            };
            if !right {
                let standing = self.standing(person);
                let run = ended.map(|report| report.to_string());
                return Err(Violation::new(
                    "S7",
                    format!(
                        "{person} is {standing:?}, marked as refused: {refused:?}, a run ended with {run:?}"
                    ),
                ));
            }
        }
        self.return_of_the_others()
    }

    /// Who is not known to be connected connects again.
    ///
    /// # Errors
    /// S7.
    pub(super) fn return_of_the_others(&mut self) -> std::result::Result<(), Violation> {
        for person in PEOPLE {
            if self.connected && self.standing(person) != Standing::Connected {
                self.connects(person)?;
            }
        }
        Ok(())
    }
}
