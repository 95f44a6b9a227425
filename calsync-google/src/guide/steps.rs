//! The steps of each way, in the order in which the consoles let them be done.
//!
//! The names of menus are those of the English consoles in November 2026. A step says what to look for as well, as menus move.

use super::values::Known;
use super::{Paste, Pasted, Step, Trap, Values, Way};
use crate::scope::Feature;

/// The steps of a way.
pub(super) fn of(way: Way, values: &Values) -> Vec<Step> {
    let with = Builder { way, values };
    let mut steps = vec![with.project(), with.api()];
    match way {
        Way::Delegation => {
            steps.extend([with.account(), with.key(), with.delegate(), with.hand_over_key(), with.agents()])
        }
        Way::SharedCalendars => {
            steps.extend([with.account(), with.key(), with.share(), with.hand_over_key()])
        }
        Way::SharedAccount => {
            steps.extend(with.application());
            steps.extend([with.client(), with.hand_over_client(), with.share(), with.connect()]);
        }
        Way::ConsentWeb | Way::ConsentDesktop => {
            steps.extend(with.application());
            steps.extend([with.client(), with.hand_over_client(), with.connect()]);
        }
    }
    steps
}

struct Builder<'a> {
    way: Way,
    values: &'a Values,
}

impl Builder<'_> {
    fn paste(&self, label: &'static str, which: Known) -> Paste {
        Paste { label, value: self.values.pasted(which) }
    }

    /// A value only where the host knows it: nothing has to be pasted there.
    fn paste_known(&self, label: &'static str, which: Known) -> Option<Paste> {
        self.values.known(which).map(|value| Paste { label, value: Pasted::Known(value) })
    }

    fn project(&self) -> Step {
        Step {
            place: "https://console.cloud.google.com > project picker (top left) > New project",
            what: "Make a project, or choose one that your organisation already has, and see that its name stands at the top of the \
                   page. Everything up to the credential happens in this one project.",
            paste: vec![self.paste("Project name", Known::AppName)],
            traps: vec![],
        }
    }

    fn api(&self) -> Step {
        let mut traps = vec![Trap::SameProject];
        if self.values.wants(Feature::Rooms) {
            traps.push(Trap::RoomsApart);
        }
        Step {
            place: "https://console.cloud.google.com > APIs & Services > Library > Google Calendar API > Enable",
            what: "Search for \"Google Calendar API\" and enable it. A page with \"Manage\" in the place of \"Enable\" says that it \
                   is enabled already.",
            paste: vec![],
            traps,
        }
    }

    fn account(&self) -> Step {
        Step {
            place: "https://console.cloud.google.com > IAM & Admin > Service Accounts > Create service account",
            what: "Give it a name, press \"Create and continue\", and skip the two optional parts. If the console asks which data \
                   you will use, that is \"Application data\".",
            paste: vec![self.paste("Service account name", Known::AppName)],
            traps: vec![Trap::NoRole],
        }
    }

    fn key(&self) -> Step {
        Step {
            place: "https://console.cloud.google.com > IAM & Admin > Service Accounts > the account > Keys > Add key > Create new key",
            what: "Choose JSON and press \"Create\". A file is downloaded.",
            paste: vec![],
            traps: vec![Trap::KeyOnce, Trap::KeysForbidden],
        }
    }

    fn delegate(&self) -> Step {
        let scopes = Pasted::Known(self.values.scopes(self.way).with_commas());
        Step {
            place: "https://admin.google.com > Security > Access and data control > API controls > Manage domain wide delegation > Add new",
            what: "A super administrator of the Workspace does this. Paste both values and press \"Authorize\".",
            paste: vec![
                self.paste("Domain of the Workspace", Known::Domain),
                self.paste("Client ID", Known::ServiceAccountId),
                Paste { label: "OAuth scopes (comma-delimited)", value: scopes },
            ],
            traps: vec![
                Trap::NumericId,
                Trap::Commas,
                Trap::AllOrNothing,
                Trap::DayToTakeEffect,
                Trap::NoGmailDelegation,
            ],
        }
    }

    fn hand_over_key(&self) -> Step {
        Step {
            place: "the CRM > its Google Calendar settings",
            what: "Give it the whole content of the downloaded file, unchanged, and check the configuration there.",
            paste: vec![],
            traps: vec![],
        }
    }

    fn agents(&self) -> Step {
        Step {
            place: "the CRM > agents",
            what: "See that each agent has the address of their Google account, the primary one or an alias; upper and lower case do \
                   not matter. No calendar has to be shared with the service account.",
            paste: vec![],
            traps: vec![],
        }
    }

    fn share(&self) -> Step {
        let which = match self.way {
            Way::SharedAccount => Known::SharedAccount,
            _ => Known::ServiceAccountEmail,
        };
        let writes = self.values.writes();
        let right = if writes { "Make changes to events" } else { "See all event details" };
        let mut traps = vec![Trap::ExternalSharing];
        if writes {
            traps.insert(0, Trap::MakeChanges);
            if self.way == Way::SharedCalendars {
                traps.push(Trap::NoInvitations);
            }
        }
        Step {
            place: "https://calendar.google.com > Settings > Settings for my calendars > the calendar > Share with specific people or \
                    groups > Add people and groups",
            what: "Each agent does this, with the calendar that is to be kept in step: add the address, choose the permission, and send. \
                   In the CRM the calendar is then named by its address; it does not have to be in the list of the account that it is \
                   shared with.",
            paste: vec![
                self.paste("Add people", which),
                Paste { label: "Permissions", value: Pasted::Known(right.into()) },
            ],
            traps,
        }
    }

    /// What people see when they are asked for consent, and who can be asked.
    fn application(&self) -> [Step; 3] {
        let scopes = self.values.scopes(self.way);
        let scopes = scopes
            .iter()
            .map(|scope| Paste { label: "Manually add scopes", value: Pasted::Known(scope.to_owned()) });
        let testers = match self.way {
            Way::SharedAccount => vec![self.paste("Test users", Known::SharedAccount)],
            _ => vec![],
        };
        [
            Step {
                place: "https://console.cloud.google.com > Google Auth Platform > Branding",
                what: "Press \"Get started\" the first time. This is what people see when they are asked for consent. (Older guides call \
                       all of this \"OAuth consent screen\".)",
                paste: [
                    Some(self.paste("App name", Known::AppName)),
                    Some(self.paste("User support email", Known::Support)),
                    self.paste_known("Authorized domains", Known::Domain),
                    Some(self.paste("Developer contact information", Known::Support)),
                ]
                .into_iter()
                .flatten()
                .collect(),
                traps: vec![],
            },
            Step {
                place: "https://console.cloud.google.com > Google Auth Platform > Audience",
                what: if self.way == Way::SharedAccount {
                    "Choose Internal if the account belongs to your own Workspace, otherwise External. With External, add the account \
                     that will give its consent under \"Test users\", and press \"Publish app\" before you rely on it. The agents whose \
                     calendars are shared with it need not be listed."
                } else {
                    "Choose Internal if all agents have accounts of your own Workspace, otherwise External. With External, add each agent \
                     under \"Test users\" to try it out, and press \"Publish app\" before you rely on it."
                },
                paste: testers,
                traps: vec![Trap::Internal, Trap::TestUsers, Trap::SevenDays, Trap::Verification],
            },
            Step {
                place: "https://console.cloud.google.com > Google Auth Platform > Data Access > Add or remove scopes",
                what: "Paste these under \"Manually add scopes\", press \"Add to table\", \"Update\" and \"Save\". It tells Google what \
                       will be asked for; the verification looks at it.",
                paste: scopes.collect(),
                traps: vec![],
            },
        ]
    }

    fn client(&self) -> Step {
        let place = "https://console.cloud.google.com > Google Auth Platform > Clients > Create client";
        if self.way == Way::ConsentDesktop {
            return Step {
                place,
                what: "Choose the application type \"Desktop app\", give it a name, press \"Create\" and then \"Download JSON\".",
                paste: vec![self.paste("Name", Known::AppName)],
                traps: vec![Trap::DesktopNoRedirect, Trap::DesktopSameMachine, Trap::SecretOnce],
            };
        }
        Step {
            place,
            what: "Choose the application type \"Web application\", give it a name, leave \"Authorized JavaScript origins\" empty, paste \
                   the redirect URI, press \"Create\" and then \"Download JSON\".",
            paste: vec![
                self.paste("Name", Known::AppName),
                self.paste("Authorized redirect URIs", Known::RedirectUri),
            ],
            traps: vec![Trap::RedirectExact, Trap::HttpLoopback, Trap::SecretOnce],
        }
    }

    fn hand_over_client(&self) -> Step {
        Step {
            place: "the CRM > its Google Calendar settings",
            what: "Give it the whole downloaded file, unchanged. If it shows a redirect URI that the file does not have, the one in the \
                   console has to be corrected.",
            paste: vec![],
            traps: vec![],
        }
    }

    fn connect(&self) -> Step {
        match self.way {
            Way::SharedAccount => Step {
                place: "the CRM > its Google Calendar settings > connect",
                what: "Sign in with the account that the calendars are shared with, choose \"Continue\" if Google says that it has not \
                       verified the application, and tick all boxes.",
                paste: vec![self.paste("Account to choose", Known::SharedAccount)],
                traps: vec![Trap::Unticked, Trap::HundredTokens, Trap::AppsBlocked],
            },
            Way::ConsentDesktop => Step {
                place: "the CRM, on the machine on which calsync runs > the agent > connect",
                what: "The agent chooses their account in the browser that opens, \"Continue\" if Google says that it has not verified \
                       the application, and ticks all boxes.",
                paste: vec![],
                traps: vec![Trap::Unticked, Trap::HundredTokens, Trap::AppsBlocked],
            },
            _ => Step {
                place: "the CRM > the agent > connect, or send an invitation",
                what: "The agent chooses their account, \"Continue\" if Google says that it has not verified the application, and ticks \
                       all boxes. Then switch the agent's synchronisation on: a consent alone synchronises nothing.",
                paste: vec![],
                traps: vec![Trap::Unticked, Trap::HundredTokens, Trap::AppsBlocked],
            },
        }
    }
}
