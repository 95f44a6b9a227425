//! The systems that calsync replaces, and what is different here for who knows their guides.

use super::Way;

/// A system whose guide was followed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaced {
    /// Its name for [`Replaced::of_guide`].
    pub name: &'static str,
    /// What it is called.
    pub system: &'static str,
    /// The way that is most like it, with which its credential can go on being used.
    pub way: Way,
    /// A better way, where there is one.
    pub better: Option<Way>,
    /// What is different here, a sentence or two each.
    pub notes: &'static [&'static str],
}

impl Replaced {
    /// All of them.
    pub const ALL: [Self; 4] = [HALO_SERVICE_ACCOUNT, HALO_DEPRECATED, CALLPRO, SUITECRM];

    /// The system of this name: `halo-service-account`, `halo-deprecated`, `callpro` or `suitecrm`.
    pub fn of_guide(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|replaced| replaced.name == name)
    }
}

const HALO_SERVICE_ACCOUNT: Replaced = Replaced {
    name: "halo-service-account",
    system: "HaloCRM, Google Calendar integration, API method (service account)",
    way: Way::Delegation,
    better: None,
    notes: &[
        "The key and the authorisation that you have can be used as they are: paste the same JSON.",
        "Its guide asks for delegation and for sharing each calendar. With delegation nothing has to be shared; with shared calendars no \
         delegation is needed, but then nobody can be invited.",
        "The role \"Service Account Token Creator\" is not needed, and can be taken away.",
        "Its three scopes (calendar, calendar.events, admin.directory.resource.calendar) go on working. calsync asks for less: the scopes \
         in this guide are enough, and the directory scope only if rooms are looked up, for which the read-only one is enough.",
        "The agent's address must still be that of the Google account; an alias and other upper and lower case are accepted.",
        "Appointments outside of the agent's working hours give the same notice, in every run and not only at an import.",
    ],
};

const HALO_DEPRECATED: Replaced = Replaced {
    name: "halo-deprecated",
    system: "HaloCRM, Google Calendar integration, deprecated method (one authorised account)",
    way: Way::SharedAccount,
    better: Some(Way::Delegation),
    notes: &[
        "The redirect URI is that of your own CRM, not https://auth.haloservicedesk.com/externalauth: add it to the client that you have, or \
         make a new client.",
        "A consent belongs to the client that asked for it. With another client, the account has to agree once more.",
        "Only the account that gives its consent has to be a test user. Its guide lists every mailbox: that is needed only where each \
         agent agrees for themselves.",
        "Testing is not enough for use every day: its consents end after 7 days. Choose Internal, or publish.",
        "Calendars are named by their address, so that the account does not have to subscribe to each; and addresses are compared without \
         regard to upper and lower case.",
        "No server of its own (NHServer) carries changes: a run of calsync does.",
    ],
};

const CALLPRO: Replaced = Replaced {
    name: "callpro",
    system: "CallPro Calendar Sync",
    way: Way::ConsentDesktop,
    better: Some(Way::ConsentWeb),
    notes: &[
        "Its guide makes a desktop client. Such a client answers on the machine on which the browser runs, so links that agents open on \
         their own machines need a web client: make one in the same project, with the redirect URI of your CRM.",
        "A consent belongs to the client that asked for it. With another client, each agent has to agree once more; the mail that asks them \
         can be sent by the CRM.",
        "You give the client to the CRM yourself; nobody has to install it for you.",
        "The mail names the account to choose, the \"Continue\" on the screen for tests and the \"Select all\" beforehand. A consent of \
         another account is not kept, and one with boxes left open says what is missing.",
        "As before there is no password, and with the status Testing each account has to be a test user (up to 100). What its guide does \
         not say: in Testing, consents end after 7 days.",
    ],
};

const SUITECRM: Replaced = Replaced {
    name: "suitecrm",
    system: "SuiteCRM, Google Calendar synchronisation",
    way: Way::ConsentWeb,
    better: None,
    notes: &[
        "The client that you have can be used: upload the same JSON, and add the redirect URI of this guide to it in the console.",
        "A redirect URI with a query of its own (index.php?entryPoint=…) is accepted, and is compared byte for byte: no blank after the \
         question mark, and a small e in entryPoint. Its guide prints both ways.",
        "http is accepted only for the machine itself. Google does not have to reach the CRM, but the browser of the agent has to, by https.",
        "The console no longer asks \"Which credentials do you need?\": it is Clients > Create client > Web application.",
        "As before, an agent agrees first, and synchronisation is switched on after that. The interval is set by the administrator.",
        "Its guide does not speak of the publishing status: with External and Testing, each agent has to be a test user and agrees again \
         every 7 days.",
    ],
};
