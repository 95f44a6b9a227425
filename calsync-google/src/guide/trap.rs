//! What goes wrong in Google's consoles.
//!
//! Each was met by somebody: in the guides of the systems that calsync replaces, in Google's own pages, or in the answers of its token
//! endpoint. A trap stands at the step where it bites, which is often hours before it hurts.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that goes wrong at a step of a [`Guide`](super::Guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trap {
    /// The API is enabled per project.
    SameProject,
    /// A service account's key is given out once.
    KeyOnce,
    /// Some organisations allow no keys.
    KeysForbidden,
    /// A role that changes nothing.
    NoRole,
    /// A number, not an address.
    NumericId,
    /// Commas here, blanks elsewhere.
    Commas,
    /// One scope too few refuses all.
    AllOrNothing,
    /// Up to a day.
    DayToTakeEffect,
    /// Not for gmail.com.
    NoGmailDelegation,
    /// Rooms want another API and an administrator.
    RoomsApart,
    /// No guests without delegation.
    NoInvitations,
    /// The right that a share needs.
    MakeChanges,
    /// Sharing outside of the organisation is restricted.
    ExternalSharing,
    /// A client's secret is shown once.
    SecretOnce,
    /// A hundred test users.
    TestUsers,
    /// Consent for a test ends after a week.
    SevenDays,
    /// Publishing leads to a verification.
    Verification,
    /// Internal applications have none of these limits.
    Internal,
    /// Administrators decide which applications may be used.
    AppsBlocked,
    /// Byte for byte.
    RedirectExact,
    /// http only on one's own machine.
    HttpLoopback,
    /// Desktop clients register no address.
    DesktopNoRedirect,
    /// Desktop clients answer on one machine.
    DesktopSameMachine,
    /// A hundred live tokens.
    HundredTokens,
    /// Single permissions can be unticked.
    Unticked,
}

impl Trap {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::SameProject,
        Self::KeyOnce,
        Self::KeysForbidden,
        Self::NoRole,
        Self::NumericId,
        Self::Commas,
        Self::AllOrNothing,
        Self::DayToTakeEffect,
        Self::NoGmailDelegation,
        Self::RoomsApart,
        Self::NoInvitations,
        Self::MakeChanges,
        Self::ExternalSharing,
        Self::SecretOnce,
        Self::TestUsers,
        Self::SevenDays,
        Self::Verification,
        Self::Internal,
        Self::AppsBlocked,
        Self::RedirectExact,
        Self::HttpLoopback,
        Self::DesktopNoRedirect,
        Self::DesktopSameMachine,
        Self::HundredTokens,
        Self::Unticked,
    ];

    /// What it is and what to do about it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::SameProject => {
                "Enable the API in the very project in which the credential is made. In any other project it has no effect, and calls \
                 are refused with \"accessNotConfigured\"."
            }
            Self::KeyOnce => {
                "The file is given out once, at this moment: keep it. It is as good as a password. If it is lost, make a new key and \
                 delete the old one; nothing else has to be done again."
            }
            Self::KeysForbidden => {
                "\"Service account key creation is disabled\" means that your organisation forbids keys \
                 (iam.disableServiceAccountKeyCreation, enforced by default in newer organisations). An organisation policy \
                 administrator can allow them for this project; without a key, take one of the ways with consent."
            }
            Self::NoRole => {
                "Leave the roles empty. Some guides ask for \"Service Account Token Creator\": it is not needed. What the account may do \
                 in calendars is decided in the Admin console or by sharing, never by a role of the project."
            }
            Self::NumericId => {
                "The Client ID is the number (21 digits), not the e-mail address and not the key's id. Another one is accepted here \
                 and refused later, as \"unauthorized_client\"."
            }
            Self::Commas => {
                "The Admin console wants the scopes in one line with commas between them. With blanks, they are taken for one scope that \
                 does not exist."
            }
            Self::AllOrNothing => {
                "If calsync asks for one scope that is not in this list, Google refuses all of them and does not say which. More scopes \
                 than needed do no harm here. Adding the same Client ID again needs \"Overwrite\", and then replaces its list."
            }
            Self::DayToTakeEffect => {
                "A change here takes minutes as a rule, and up to 24 hours. A check that fails in the first minutes proves nothing: try \
                 again before you change anything."
            }
            Self::NoGmailDelegation => {
                "Only accounts of the Workspace can be acted for. Accounts of @gmail.com, and of other organisations, cannot be \
                 delegated: let those agents give consent, or share their calendars."
            }
            Self::RoomsApart => {
                "Looking up rooms needs the Admin SDK API, enabled in the same project, and an administrator of the Workspace as the \
                 person that is acted for. An ordinary person is refused."
            }
            Self::NoInvitations => {
                "Without delegation nobody can be invited: an appointment with guests is refused as \"forbiddenForServiceAccounts\". \
                 If agents invite guests, take another way."
            }
            Self::MakeChanges => {
                "Choose the permission \"Make changes to events\" (or \"Make changes and manage sharing\"). With \"See all event \
                 details\", calsync can read and every write is refused."
            }
            Self::ExternalSharing => {
                "Every service account, and every account of another organisation, counts as outside of yours. How much may be shared \
                 outside is set by the administrator, and is often busy times only, in free Workspace organisations in particular: \
                 \"Make changes to events\" is missing then, or has no effect. The administrator allows it under Admin console > Apps \
                 > Google Workspace > Calendar > Sharing settings > External sharing options: \"Share all information, and outsiders \
                 can change calendars\". Where that cannot be had, take delegation or consent."
            }
            Self::SecretOnce => {
                "Download the file now, before you close this window. Since 2025 Google shows the secret of a client only once, when it \
                 is made. If it is lost, add a new secret to the same client: its consents stay valid."
            }
            Self::TestUsers => {
                "While the publishing status is Testing, only the accounts listed here can give consent; anybody else is refused by \
                 Google (\"access_denied\"). There can be up to 100 over the project's whole life: removing one gives no place back."
            }
            Self::SevenDays => {
                "A consent given while the status is Testing lasts 7 days, and then has to be given again. That is good for trying out, \
                 and for nothing else."
            }
            Self::Verification => {
                "Reading and writing calendars is what Google calls a sensitive scope: after \"Publish app\" it has to verify the \
                 application, which needs a home page and a privacy policy on a domain of yours and takes days to weeks. Until then \
                 people see \"Google hasn't verified this app\", and at most 100 new ones can agree. Consents given after publishing \
                 do not end after 7 days."
            }
            Self::Internal => {
                "If all agents have accounts of your own Workspace, choose Internal: then there are no test users, no 7 days and no \
                 verification. It is offered only if the project belongs to the organisation. Accounts of other organisations, and of \
                 @gmail.com, are refused then (\"org_internal\")."
            }
            Self::AppsBlocked => {
                "The administrator of the agents' Workspace decides which applications may be used. If people see \
                 \"admin_policy_enforced\", the administrator allows the client under Admin console > Security > Access and data \
                 control > API controls > App access control."
            }
            Self::RedirectExact => {
                "The address must match what the CRM sends byte for byte: the path, upper and lower case, a slash at the end or none, \
                 the port, and query parameters of its own (index.php?entryPoint=…). Copy it from here and change nothing; anything \
                 else ends in \"redirect_uri_mismatch\". A change can take minutes to hours."
            }
            Self::HttpLoopback => {
                "It must begin with https, has a name and not a number for a host, and no part after #. http is accepted only for the \
                 machine itself (http://localhost or http://127.0.0.1), whether or not others can reach the CRM."
            }
            Self::DesktopNoRedirect => {
                "A desktop client needs no redirect URI, and has no field for one: calsync listens on 127.0.0.1, at a port that is free \
                 at the time. If you are asked for redirect URIs, you chose another type of application."
            }
            Self::DesktopSameMachine => {
                "Consent comes back to the machine on which the browser runs, so it has to be the one on which calsync waits. A link in \
                 a mail, opened on another machine, cannot work: make a web application for invitations."
            }
            Self::HundredTokens => {
                "Google keeps 100 live consents for each account and client. The next one silently ends the oldest: connecting again \
                 and again for a test, or one account on many installations, breaks those that worked."
            }
            Self::Unticked => {
                "On Google's screen each permission has a box of its own. Whoever continues without ticking all of them is connected with \
                 less, and calsync says which is missing: tell people to choose \"Select all\"."
            }
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
