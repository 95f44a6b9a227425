//! What people saw: each page of the way to a consent, and what they answered.
//!
//! An application cannot see these pages, and yet it is the one that is blamed for them. A test looks here to tell whether
//! somebody was warned, which scopes had a box, and in which words somebody was sent away.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::FakeGoogle;

/// A page on which the way ends: Google shows it, and the application never hears of it.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorPage {
    /// The HTTP status.
    pub status: u16,
    /// The code, as in "Error 400: redirect_uri_mismatch".
    pub error: String,
    /// What the page says.
    pub message: String,
}

impl ErrorPage {
    pub(crate) fn new(status: u16, error: &str, message: &str) -> Self {
        Self { status, error: error.to_owned(), message: message.to_owned() }
    }
}

/// A page that somebody saw.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Screen {
    /// When.
    pub at: DateTime<Utc>,
    /// Of which OAuth client; empty where the request named none that is known.
    pub client: String,
    /// Who, once an account was chosen.
    pub account: Option<String>,
    /// Which page.
    pub kind: ScreenKind,
    /// What was pressed on it; none while nothing was.
    pub answer: Option<ScreenAnswer>,
}

/// Which page it was.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum ScreenKind {
    /// "Choose an account".
    Accounts,
    /// "You've been given access to an app that's currently being tested."
    TestingWarning,
    /// "Google hasn't verified this app", with the way on hidden under *Advanced*.
    UnverifiedWarning,
    /// What the application wants.
    Consent {
        /// In long form, in the order of the request.
        scopes: Vec<String>,
        /// Whether those that are not for signing in had a box each.
        ticks: bool,
    },
    /// The end of the way.
    Error(ErrorPage),
}

/// Which button was pressed.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum ScreenAnswer {
    /// *Continue*, on a warning.
    Continued,
    /// *Continue* or *Allow*, on the consent page.
    Allowed,
    /// *Cancel*, or *Back to safety*.
    Refused,
}

impl FakeGoogle {
    /// Every page of the consent endpoint that somebody saw, oldest first.
    pub fn screens(&self) -> &[Screen] {
        &self.screens
    }

    pub(crate) fn show(&mut self, at: DateTime<Utc>, client: &str, email: Option<&str>, kind: ScreenKind) {
        let limit = self.behaviour.journal_entries_max.max(2);
        if self.screens.len() >= limit {
            self.screens.drain(..limit / 2);
        }
        let account = email.map(str::to_owned);
        self.screens.push(Screen { at, client: client.to_owned(), account, kind, answer: None });
    }

    /// Answers the page that was shown last.
    pub(crate) fn answered(&mut self, answer: ScreenAnswer) {
        if let Some(screen) = self.screens.last_mut() {
            screen.answer = Some(answer);
        }
    }
}
