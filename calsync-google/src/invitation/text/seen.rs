//! What the agent reads when Google has sent them back.
//!
//! A page says what happened, that nothing was stored where nothing was, and what this very reader can do now. It names no account but
//! the one that the invitation is for, and that one masked, because whoever holds a link sees the page; the account that was chosen in its
//! place is somebody else's and is never named. What Google answered, and codes, belong into the host's log.
//!
//! The words take it that a link is used up by a consent that is kept, and by no other outcome: where somebody else has to do something
//! first, they say to open the same link again after that.

use super::words::{Sight, of};
use super::{APP_CHARS_MAX, Language, SUPPORT_CHARS_MAX, ask};
use crate::scope::Feature;
use crate::text::{fill, shown};

/// What came of a consent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seen {
    /// It was given and is kept.
    Connected,
    /// The link is too old.
    Expired,
    /// The link was used before.
    Used,
    /// Another account than the invited one agreed; nothing is kept.
    WrongAccount {
        /// The address that was invited.
        expected: String,
    },
    /// The application is in test, and this account is not one of its test users.
    NotTestUser,
    /// Not all boxes were ticked.
    ScopeUnticked {
        /// What is missing; none counts as writing events.
        features: Vec<Feature>,
    },
    /// The person said no.
    Refused,
    /// The administrator of the account does not allow the application (`admin_policy_enforced`).
    AdminBlocked,
    /// The application is for one organisation, and the account is of another (`org_internal`).
    OrgInternal,
    /// Google stopped because it has not verified the application.
    Unverified,
    /// The client, its secret or its redirect URI is missing or wrong.
    Unconfigured,
    /// The callback does not belong to a consent that was asked for, or the link was changed.
    Altered,
    /// Anything else; it may pass.
    Unknown,
}

/// To whom a page is shown, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Showing {
    app_name: String,
    support: Option<String>,
    signed_in: bool,
}

impl Showing {
    /// Shown by the CRM of this name, to whoever holds the link.
    pub fn new(app_name: &str) -> Self {
        Self { app_name: shown(app_name, APP_CHARS_MAX), support: None, signed_in: false }
    }

    /// Whom to ask; stands at the end of every page but the one of success.
    pub fn support(mut self, address: &str) -> Self {
        self.support = Some(shown(address, SUPPORT_CHARS_MAX)).filter(|address| !address.is_empty());
        self
    }

    /// Whether the host knows that its reader is the person who was invited, by a session of its own: only then the invited address is
    /// shown whole. Default: false.
    pub fn signed_in(mut self, signed_in: bool) -> Self {
        self.signed_in = signed_in;
        self
    }
}

/// The words of a page. Plain text: it has to be escaped to stand in HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// Its heading.
    pub title: String,
    /// What happened, and what to do.
    pub text: String,
    /// Whether to offer the step once more, on this page. Where somebody else has to do something first, it is not offered; the link of the
    /// mail can be opened again after that.
    pub again: bool,
}

impl Seen {
    /// The page in this language.
    pub fn page(&self, language: Language, showing: &Showing) -> Page {
        let words = of(language);
        let (title, text) = (words.seen)(self.sight());
        let expected = match self {
            Self::WrongAccount { expected } if showing.signed_in => shown(expected, SUPPORT_CHARS_MAX),
            Self::WrongAccount { expected } => masked(expected),
            _ => String::new(),
        };
        let features = match self {
            Self::ScopeUnticked { features } => {
                let named: Vec<_> = ask(features).into_iter().map(words.feature).collect();
                named.join("; ")
            }
            _ => String::new(),
        };
        let values = [("app", showing.app_name.as_str()), ("expected", &expected), ("features", &features)];
        let mut text = fill(text, &values);
        if let (Some(support), false) = (&showing.support, *self == Self::Connected) {
            text.push(' ');
            text.push_str(&fill(words.questions, &[("support", support)]));
        }
        Page { title: fill(title, &values), text, again: self.again() }
    }

    /// Whether the person can do better by trying once more.
    pub const fn again(&self) -> bool {
        match self {
            Self::WrongAccount { .. }
            | Self::ScopeUnticked { .. }
            | Self::Refused
            | Self::OrgInternal
            | Self::Unverified
            | Self::Unknown => true,
            Self::Connected
            | Self::Expired
            | Self::Used
            | Self::NotTestUser
            | Self::AdminBlocked
            | Self::Unconfigured
            | Self::Altered => false,
        }
    }

    const fn sight(&self) -> Sight {
        match self {
            Self::Connected => Sight::Connected,
            Self::Expired => Sight::Expired,
            Self::Used => Sight::Used,
            Self::WrongAccount { .. } => Sight::WrongAccount,
            Self::NotTestUser => Sight::NotTestUser,
            Self::ScopeUnticked { .. } => Sight::ScopeUnticked,
            Self::Refused => Sight::Refused,
            Self::AdminBlocked => Sight::AdminBlocked,
            Self::OrgInternal => Sight::OrgInternal,
            Self::Unverified => Sight::Unverified,
            Self::Unconfigured => Sight::Unconfigured,
            Self::Altered => Sight::Altered,
            Self::Unknown => Sight::Unknown,
        }
    }
}

/// An address that its owner recognises and nobody learns: the first letter, stars that do not count the others, and the domain.
fn masked(address: &str) -> String {
    let address = shown(address, SUPPORT_CHARS_MAX);
    let Some((local, domain)) = address.rsplit_once('@') else { return "***".into() };
    // One letter, or two, would be told whole.
    match (local.chars().next(), local.chars().count()) {
        (Some(first), 3..) => format!("{first}***@{domain}"),
        _ => format!("***@{domain}"),
    }
}
