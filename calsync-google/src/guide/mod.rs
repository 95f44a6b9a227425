//! How an administrator sets up Google, step by step, for each of the ways to connect.
//!
//! What goes wrong in a first connection nearly always goes wrong in Google's consoles: a number for an address, a slash too many, a
//! secret that is not shown a second time. A CRM's manual cannot know the values of this installation, and a picture of a console is old
//! by the time it is read. So a guide is data that is built with the values that the host knows: where to go, what to do there, what to
//! paste, and what goes wrong at this very step ([`Trap`]). It prints as text and as Markdown; a host with pages of its own walks
//! through [`Guide::steps`].
//!
//! Every text here is a constant, and values stand in [`Paste`] alone. Whatever a value says, it cannot change what a step says.
//! A value that is not known is shown as what it is and where to find it, between « and », and never as an example that somebody
//! could paste.
//!
//! Guides are in English, as the consoles' documentation is searched for; what agents read is in
//! [`invitation::text`](crate::invitation::text). Nothing here asks Google, and a guide is no check: it says what to do, not whether
//! it was done.

mod render;
mod replaced;
mod steps;
mod trap;
mod values;

pub use replaced::Replaced;
pub use trap::Trap;
pub use values::{Pasted, VALUE_CHARS_MAX, Values};

use serde::{Deserialize, Serialize};

/// A way to connect to Google.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// A service account that acts as each agent, authorised once by the administrator of a Workspace.
    Delegation,
    /// A service account in calendars that agents share with it.
    SharedCalendars,
    /// One account that gave its consent once, in calendars that agents share with it.
    SharedAccount,
    /// Each agent gives consent, in a browser that comes back to the CRM.
    ConsentWeb,
    /// Each agent gives consent, on the machine on which calsync runs.
    ConsentDesktop,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Delegation,
        Self::SharedCalendars,
        Self::SharedAccount,
        Self::ConsentWeb,
        Self::ConsentDesktop,
    ];

    /// Its name, as a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Delegation => "A service account for a whole Workspace (domain-wide delegation)",
            Self::SharedCalendars => "A service account in shared calendars",
            Self::SharedAccount => "One authorised account in shared calendars",
            Self::ConsentWeb => "Each agent connects their own account (web application)",
            Self::ConsentDesktop => "Each agent connects their own account (desktop application)",
        }
    }

    /// For whom it is, and what it cannot do.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Delegation => {
                "For organisations with Google Workspace. An administrator authorises the service account once, and no agent has to do \
                 anything. Guests can be invited, in the agent's name."
            }
            Self::SharedCalendars => {
                "For a few calendars, where no administrator can authorise a service account. Each agent shares a calendar with the \
                 service account's address. Guests cannot be invited in this way."
            }
            Self::SharedAccount => {
                "One Google account, such as the office's, gives its consent, and agents share their calendars with it. When that \
                 consent ends, all calendars stop."
            }
            Self::ConsentWeb => {
                "For gmail.com accounts and for organisations that authorise no service account. Each agent agrees once, from the CRM \
                 or from a link in a mail."
            }
            Self::ConsentDesktop => {
                "For one person, or a few at one machine: the browser in which an agent agrees runs on the machine on which calsync \
                 waits for the answer. Links in mails need the web application."
            }
        }
    }

    /// The way that the guide of a replaced system leads to; see [`Replaced::of_guide`] for its names.
    pub fn of_guide(name: &str) -> Option<Self> {
        Replaced::of_guide(name).map(|replaced| replaced.way)
    }

    /// Whether people give consent on Google's screens; the others are authorised in a console.
    pub const fn asks_for_consent(self) -> bool {
        matches!(self, Self::SharedAccount | Self::ConsentWeb | Self::ConsentDesktop)
    }
}

/// One value to paste.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paste {
    /// The field in the console that it goes into, as the console calls it.
    pub label: &'static str,
    /// The value, or where it is found.
    pub value: Pasted,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Where to go: an address, then what to choose, with `>` between.
    pub place: &'static str,
    /// What to do there.
    pub what: &'static str,
    /// What to paste there.
    pub paste: Vec<Paste>,
    /// What goes wrong here.
    pub traps: Vec<Trap>,
}

/// A guide for one way.
///
/// ```
/// use calsync_google::Feature;
/// use calsync_google::guide::{Guide, Values, Way};
///
/// let values = Values::default().features([Feature::WriteEvents]).service_account_id("104729104729104729104");
/// let guide = Guide::for_way(Way::Delegation, &values);
/// assert!(guide.to_string().contains("Client ID: 104729104729104729104"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guide {
    /// The way it leads.
    pub way: Way,
    /// Its heading.
    pub title: &'static str,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Whom to ask, if the host said so.
    pub support: Option<String>,
}

impl Guide {
    /// The guide for a way, with what is known.
    pub fn for_way(way: Way, values: &Values) -> Self {
        let support = values.known(values::Known::Support);
        Self { way, title: way.title(), steps: steps::of(way, values), support }
    }

    /// Every trap of this guide, in the order of the steps.
    pub fn traps(&self) -> impl Iterator<Item = Trap> {
        self.steps.iter().flat_map(|step| step.traps.iter().copied())
    }

    /// Whether every value was known.
    pub fn is_complete(&self) -> bool {
        let mut pastes = self.steps.iter().flat_map(|step| &step.paste);
        pastes.all(|paste| matches!(paste.value, Pasted::Known(_)))
    }
}

#[cfg(test)]
mod tests;
