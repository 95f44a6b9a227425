//! Somebody in front of a browser, so that a test needs neither a browser nor the pages' HTML.
//!
//! The verbs take the address that the application would open and walk through the same pages as a browser, button by
//! button; each of them is among [`FakeGoogle::screens`] afterwards. Where the way ends is a [`Landing`]. What a page does
//! not offer cannot be chosen: a box that is not there is [`Landing::Stuck`] and not passed over.

use chrono::{DateTime, Utc};

use super::FakeGoogle;
use super::consent::{Ticked, View};
use super::incoming::form;
use super::scope::canonical;
use super::screens::{ErrorPage, ScreenAnswer};

/// What somebody does on the way to a consent.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Choice {
    /// The account that is chosen; empty: the one that the request hints at.
    pub account: String,
    /// Scopes whose box is left empty, short (`calendar.events`) or in full. Default: none.
    pub untick: Vec<String>,
    /// Whether access is given only for a time, which has to be on offer
    /// ([`Behaviour::time_limited_access_seconds`](super::Behaviour::time_limited_access_seconds)). Default: false.
    pub limited: bool,
}

impl Choice {
    /// Consents to everything as this account.
    pub fn of(account: &str) -> Self {
        Self { account: account.to_ascii_lowercase(), ..Self::default() }
    }

    /// Leaves these boxes empty.
    #[must_use]
    pub fn untick(mut self, scopes: &[&str]) -> Self {
        self.untick.extend(scopes.iter().map(|scope| (*scope).to_owned()));
        self
    }

    /// Gives access only for a time.
    #[must_use]
    pub fn limited(mut self) -> Self {
        self.limited = true;
        self
    }
}

/// Where the browser is in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing {
    /// At the application, at this address.
    Redirect(String),
    /// At a page of Google's: the application is not told.
    Page(ErrorPage),
    /// The pages had no way for what was to be done, and this is why.
    Stuck(String),
}

impl Landing {
    /// The address, if the application was reached.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Redirect(url) => Some(url),
            Self::Page(_) | Self::Stuck(_) => None,
        }
    }

    /// The page, if the way ended at Google.
    pub fn page(&self) -> Option<&ErrorPage> {
        match self {
            Self::Page(page) => Some(page),
            Self::Redirect(_) | Self::Stuck(_) => None,
        }
    }

    /// A parameter of the address, decoded: `code`, `state`, `scope`, `error`.
    pub fn param(&self, name: &str) -> Option<String> {
        let (_, query) = self.url()?.split_once('?')?;
        form(query).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl FakeGoogle {
    /// Somebody opens the address of a consent page and consents. Nothing is journalled.
    pub fn user_consents(&mut self, now: DateTime<Utc>, authorise_url: &str, choice: &Choice) -> Landing {
        let query = match query(authorise_url) {
            Ok(query) => query,
            Err(why) => return Landing::Stuck(why),
        };
        let mut view = self.arrive(now, &query, &choice.account);
        let mut box_seen = choice.untick.is_empty() && !choice.limited;
        // Accounts, warning, consent, and the address: no way is longer.
        for _ in 0..4 {
            view = match view {
                View::Accounts => {
                    return Landing::Stuck("the page asks which account, and none was given".into());
                }
                View::Warning { email, .. } => {
                    self.answered(ScreenAnswer::Continued);
                    self.look(now, &query, Some(&email), true)
                }
                View::Consent { email, scopes, ticks } => {
                    let unticked: Vec<String> = choice.untick.iter().map(|scope| canonical(scope)).collect();
                    if let Some(scope) = unticked.iter().find(|scope| !ticks || !scopes.contains(scope)) {
                        return Landing::Stuck(format!("the consent page has no box for {scope}"));
                    }
                    if choice.limited && self.behaviour.time_limited_access_seconds.is_none() {
                        return Landing::Stuck("the consent page offers no access for a time".into());
                    }
                    box_seen = true;
                    let scopes = scopes.into_iter().filter(|scope| !unticked.contains(scope)).collect();
                    self.allow(now, &query, &email, &Ticked { scopes, limited: choice.limited })
                }
                View::Redirect(_) if !box_seen => {
                    return Landing::Stuck(
                        "it was granted before: there was no consent page to choose on".into(),
                    );
                }
                View::Redirect(url) => return Landing::Redirect(url),
                View::Error(page) => return Landing::Page(page),
            };
        }
        Landing::Stuck("the pages do not end".into())
    }

    /// Somebody opens the address of a consent page and presses *Cancel*, or *Back to safety* on a warning. Where it was
    /// granted before, there is nothing to press, and the application gets its code.
    pub fn user_refuses(&mut self, now: DateTime<Utc>, authorise_url: &str, account: &str) -> Landing {
        let query = match query(authorise_url) {
            Ok(query) => query,
            Err(why) => return Landing::Stuck(why),
        };
        match self.arrive(now, &query, &account.to_ascii_lowercase()) {
            View::Accounts => Landing::Stuck("the page asks which account, and none was given".into()),
            View::Warning { .. } | View::Consent { .. } => match self.turn_back(&query) {
                View::Redirect(url) => Landing::Redirect(url),
                _ => Landing::Stuck("the page cannot be left".into()),
            },
            View::Redirect(url) => Landing::Redirect(url),
            View::Error(page) => Landing::Page(page),
        }
    }

    /// Somebody removes the application under *Third-party apps* of the own account: all its tokens are dead, and the
    /// next consent is a first one.
    pub fn user_disconnects(&mut self, client: &str, account: &str) {
        self.auth.disconnect(client, &account.to_ascii_lowercase());
    }

    /// Somebody gets a new password. Refresh tokens that open mail die; those for calendars alone live on.
    pub fn user_changes_password(&mut self, account: &str) {
        self.auth.change_password(&account.to_ascii_lowercase());
    }

    /// The first page for this account: the hint of the request is followed, or another account is chosen.
    fn arrive(&mut self, now: DateTime<Utc>, query: &str, account: &str) -> View {
        let view = self.look(now, query, None, false);
        let hinted = match &view {
            View::Accounts => None,
            View::Warning { email, .. } | View::Consent { email, .. } => Some(email.as_str()),
            View::Error(_) | View::Redirect(_) => return view,
        };
        if account.is_empty() || hinted == Some(account) {
            return view;
        }
        self.look(now, query, Some(account), false)
    }
}

/// The query of a consent page's address.
fn query(url: &str) -> Result<String, String> {
    let uri: http::Uri = url.parse().map_err(|error| format!("{url} is no address: {error}"))?;
    if !["/o/oauth2/v2/auth", "/o/oauth2/auth"].contains(&uri.path()) {
        return Err(format!("{} is not the path of a consent page", uri.path()));
    }
    Ok(uri.query().unwrap_or_default().to_owned())
}
