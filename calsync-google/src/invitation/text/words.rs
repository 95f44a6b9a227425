//! What the wording of one language consists of.
//!
//! Names in braces stand for what is filled in, once: what a value says is never looked at again. A field that a language lacks does not
//! compile.

use super::Language;
use super::{dutch, english, portuguese};
use crate::scope::Feature;

/// The wording of one language.
pub(super) struct Words {
    /// Of the mail: `{app}`.
    pub subject: &'static str,
    /// The salutation: `{name}`.
    pub hello_name: &'static str,
    /// The salutation of somebody whose name is not known.
    pub hello: &'static str,
    /// What is wanted and why: `{app}`.
    pub intro: &'static str,
    /// Before the link.
    pub open: &'static str,
    /// After it: `{when}`.
    pub once: &'static str,
    /// Before the screens.
    pub heading: &'static str,
    /// Before the address.
    pub account: &'static str,
    /// While the application is in test: `{app}`.
    pub testing: &'static str,
    /// While it is published and not verified: `{app}`.
    pub unverified: &'static str,
    /// Where neither is known: `{app}`.
    pub perhaps: &'static str,
    /// Before the permissions: `{app}`.
    pub boxes: &'static str,
    /// What comes after Google: `{app}`.
    pub after: &'static str,
    /// Who asks for a password: `{app}`.
    pub password: &'static str,
    /// How to take the consent back.
    pub withdraw: &'static str,
    /// For whom expects no such mail.
    pub ignore: &'static str,
    /// Whom to ask: `{support}`.
    pub questions: &'static str,
    /// `{weekday}`, `{day}`, `{month}`, `{year}`.
    pub date: &'static str,
    /// `{date}`, `{time}`, `{zone}`.
    pub moment: &'static str,
    /// A permission, to follow "asks for permission to".
    pub feature: fn(Feature) -> &'static str,
    /// Title and text of a page: `{app}`, and `{expected}` or `{features}`.
    pub seen: fn(Sight) -> (&'static str, &'static str),
}

/// Which page is seen, without what it is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Connected,
    Expired,
    Used,
    WrongAccount,
    NotTestUser,
    ScopeUnticked,
    Refused,
    AdminBlocked,
    OrgInternal,
    Unverified,
    Unconfigured,
    Altered,
    Unknown,
}

/// The wording of this language.
pub(super) const fn of(language: Language) -> &'static Words {
    match language {
        Language::English => &english::WORDS,
        Language::Dutch => &dutch::WORDS,
        Language::Portuguese => &portuguese::WORDS,
    }
}
