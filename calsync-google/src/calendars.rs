//! "Check calendars": which agents' calendars one account can reach, as it is now.
//!
//! One account that everybody shares a calendar with, or a service account without delegation, serves many agents. For each address
//! this says whether its calendar is in the account's list, what may be done with it, in the words of [`Access`], and which id to bind
//! to. A calendar need not be in the list to be synchronised: what is shared is reached by its address. The list is what a person sees who
//! is signed in with that account, and [`Google::subscribe`] puts a calendar there, only when asked to.
//!
//! Case and blanks around an address never matter. Google does not tell a calendar that is not shared from an address that nobody has,
//! so neither does this. It binds nothing and proposes nothing; that is [`calsync_core::roster`], which asks through
//! [`Provider::access`] as well.

use crate::call::{GetCalendarEntry, InsertCalendarEntry, ListCalendarEntries};
use crate::provider::{Google, access};
use crate::scope::Feature;
use crate::wire::calendar::CalendarEntry;
use calsync_core::check::Cure;
use calsync_core::provider::{Access, Effort, Provider, Target};
use calsync_core::{CalendarId, Error, ErrorKind, Result, Retry};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Pages of a list that are read: 250 calendars each. An account with more than 10,000 is not one that agents share calendars with.
const PAGES_MAX: usize = 40;

/// How a calendar is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is in the account's list.
    Subscribed,
    /// It is shared with the account, and not in its list. That is enough for calsync.
    ByAddress,
}

/// What was found for one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CalendarVerdict {
    /// Its events can be seen: [`Access::Writer`] for every direction, [`Access::Reader`] from the calendar only.
    Reachable {
        /// [`Access::Writer`] or [`Access::Reader`].
        access: Access,
        /// Whether it is in the list.
        how: How,
    },
    /// Nothing of use can be seen: [`Access::FreeBusy`], [`Access::NotShared`], or [`Access::NoSuchUser`] where that can be told.
    Unreachable {
        /// Which of them.
        access: Access,
    },
    /// The calendar of the address cannot be reached, but others of its owner, or of its name, can: a person has to choose.
    Ambiguous {
        /// The calendars in the list that may be meant.
        candidates: Vec<CalendarId>,
    },
    /// It could not be found out: why, for a person. The others were asked nevertheless.
    Unknown {
        /// What happened.
        message: String,
    },
}

/// One address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarCheck {
    /// The address, trimmed and in lower case.
    pub address: String,
    /// The calendar to bind to, spelt as Google does.
    pub calendar: CalendarId,
    /// What was found.
    pub verdict: CalendarVerdict,
}

impl CalendarCheck {
    /// Whether a binding in some direction can work.
    pub fn reachable(&self) -> bool {
        matches!(self.verdict, CalendarVerdict::Reachable { .. })
    }

    /// Whether it could be put into the list.
    pub fn can_be_subscribed(&self) -> bool {
        matches!(self.verdict, CalendarVerdict::Reachable { how: How::ByAddress, .. })
    }
}

/// All addresses, each once, in the order given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarChecks {
    /// The account that asked, as far as it is known: what calendars are shared with.
    pub account: Option<String>,
    /// Whether the account's list could be read. Without its scope nothing is known of what is in it, and each calendar is asked for by
    /// its address.
    pub list_read: bool,
    /// One for each address.
    pub calendars: Vec<CalendarCheck>,
}

impl CalendarChecks {
    /// The one cure for all, where none can be reached: then it is not the calendars that are wrong.
    pub fn none_reachable(&self) -> Option<Cure> {
        let told = |check: &&CalendarCheck| matches!(check.verdict, CalendarVerdict::Unreachable { .. });
        let unreachable = self.calendars.iter().filter(told).count();
        if unreachable == 0 || unreachable < self.calendars.len() {
            return None;
        }
        let cure = Cure::new(
            "None of the agents' calendars can be reached by this account. Either it is not the account that they are shared with: connect that \
             one. Or they are not shared yet: each agent, or the Workspace administrator, shares the calendar with it (Google Calendar > \
             Settings > the calendar > Share with specific people or groups), at this level.",
        );
        let cure = match &self.account {
            Some(account) => cure.paste("share with", account.clone()),
            None => cure,
        };
        Some(cure.paste("level", "Make changes to events"))
    }
}

impl Google {
    /// Asks which of these calendars the account can reach. Reads only. What an address is asked for that failed is told at that
    /// address; addresses that there is no time left for are [`CalendarVerdict::Unknown`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a delegated service account: it acts as each agent, so there is no one account to ask with. Else what
    /// is wrong with the credential itself, or with the network before anything was found out.
    pub async fn check_calendars(
        &self,
        addresses: &[impl AsRef<str>],
        effort: &Effort,
    ) -> Result<CalendarChecks> {
        if self.acts_as_others() {
            let error = Error::new(
                ErrorKind::Config,
                "a delegated service account has no list of the agents' calendars",
            );
            return Err(error.cure(
                "Propose bindings instead: each agent is asked for as itself. Or build the connection with delegated(false).",
            ));
        }
        let mut entries = Vec::new();
        let list_read = match self.list_entries(effort).await {
            Ok(list) => {
                entries = list;
                true
            }
            Err(error) if lacks_the_scope(&error) => false,
            Err(error) => return Err(error),
        };
        let own = entries.iter().find(|entry| entry.primary()).and_then(|entry| entry.id());
        let account = self.account().map(str::to_owned).or(own.map(str::to_owned));
        let list = List::new(&entries);
        let mut seen = BTreeSet::new();
        let mut calendars = Vec::new();
        for address in addresses {
            let address = folded(address.as_ref());
            if address.is_empty() || !seen.insert(address.clone()) {
                continue;
            }
            calendars.push(self.check_one(address, &list, effort).await?);
        }
        Ok(CalendarChecks { account, list_read, calendars })
    }

    /// Puts a calendar that is shared with the account into the account's list. Repeating it changes nothing. Needs a scope that
    /// [`Feature::Subscribe`] names.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where it is not shared with the account; [`ErrorKind::Forbidden`] where the scope is missing.
    pub async fn subscribe(&self, address: &str, effort: &Effort) -> Result<CalendarCheck> {
        let address = folded(address);
        let calendar = CalendarId::from(address.as_str());
        let located = |error: Error| {
            let error = error.with("calendar", &calendar);
            if lacks_the_scope(&error) {
                let cure = format!(
                    "Grant the scope {}, or add the calendar by hand.",
                    Feature::Subscribe.smallest()
                );
                return Error::new(error.kind(), error.message().to_owned())
                    .with("calendar", &calendar)
                    .cure(cure);
            }
            error
        };
        let entry = match self.sender().send(&InsertCalendarEntry(&calendar), "", effort).await {
            // It is there already.
            Err(error) if error.kind() == ErrorKind::Duplicate => {
                self.sender().send(&GetCalendarEntry(&calendar), "", effort).await.map_err(located)?
            }
            entry => entry.map_err(located)?,
        };
        let verdict = listed(&entry)?;
        let calendar = entry.id().map_or(calendar.clone(), CalendarId::from);
        Ok(CalendarCheck { address, calendar, verdict })
    }

    async fn list_entries(&self, effort: &Effort) -> Result<Vec<CalendarEntry>> {
        let mut entries = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let call = ListCalendarEntries { page_token: token.as_deref() };
            let page = self.sender().send(&call, "", effort).await?;
            entries.extend(page.items.into_iter().filter(|entry| !entry.deleted()));
            match page.next_page_token.filter(|token| !token.is_empty()) {
                Some(next) if token.as_deref() != Some(&next) => token = Some(next),
                _ => return Ok(entries),
            }
        }
        Err(Error::new(ErrorKind::Limit, "the account's list of calendars does not end")
            .with("calendars", entries.len())
            .cure("Connect an account whose list has fewer calendars."))
    }

    async fn check_one(&self, address: String, list: &List<'_>, effort: &Effort) -> Result<CalendarCheck> {
        if let Some(entry) = list.by_id.get(&address) {
            let calendar = CalendarId::from(entry.id().unwrap_or(&address));
            return Ok(CalendarCheck { verdict: listed(entry)?, calendar, address });
        }
        let calendar = CalendarId::from(address.as_str());
        let target = Target { calendar: calendar.clone(), subject: String::new() };
        let answer = self.access(&target, effort).await;
        let verdict = by_address(answer, list.others.get(&address))?;
        Ok(CalendarCheck { address, calendar, verdict })
    }
}

/// The account's list, by what an address is looked up by.
struct List<'a> {
    by_id: BTreeMap<String, &'a CalendarEntry>,
    /// Other calendars than the one of the address: those that its person owns, and those that bear it as their name.
    others: BTreeMap<String, BTreeSet<&'a str>>,
}

impl<'a> List<'a> {
    fn new(entries: &'a [CalendarEntry]) -> Self {
        let mut list = Self { by_id: BTreeMap::new(), others: BTreeMap::new() };
        for entry in entries {
            let Some(id) = entry.id() else { continue };
            list.by_id.insert(folded(id), entry);
            for other in [entry.data_owner(), entry.summary()].into_iter().flatten() {
                if folded(other) != folded(id) {
                    list.others.entry(folded(other)).or_default().insert(id);
                }
            }
        }
        list
    }
}

fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}

fn lacks_the_scope(error: &Error) -> bool {
    matches!(error.reason_code(), Some("insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT"))
}

/// What an entry of the list says.
fn listed(entry: &CalendarEntry) -> Result<CalendarVerdict> {
    Ok(match access(entry.access_role())? {
        access @ (Access::Writer | Access::Reader) => {
            CalendarVerdict::Reachable { access, how: How::Subscribed }
        }
        access => CalendarVerdict::Unreachable { access },
    })
}

/// What asking by the address says, of a calendar that is not in the list.
fn by_address(answer: Result<Access>, others: Option<&BTreeSet<&str>>) -> Result<CalendarVerdict> {
    Ok(match answer {
        Ok(access @ (Access::Writer | Access::Reader)) => {
            CalendarVerdict::Reachable { access, how: How::ByAddress }
        }
        Ok(Access::FreeBusy) => CalendarVerdict::Unreachable { access: Access::FreeBusy },
        Ok(access) => match others {
            Some(others) => CalendarVerdict::Ambiguous {
                candidates: others.iter().map(|id| CalendarId::from(*id)).collect(),
            },
            None => CalendarVerdict::Unreachable { access },
        },
        // One bad address says nothing about the others; a credential that is dead says the same about all.
        Err(error) if error.kind() == ErrorKind::Unauthorized => return Err(error),
        Err(error) if error.kind() == ErrorKind::Limit && error.retry() != Retry::Never => {
            CalendarVerdict::Unknown { message: "there was no time left to ask: check again".to_owned() }
        }
        Err(error) => CalendarVerdict::Unknown { message: error.to_string() },
    })
}

impl fmt::Display for CalendarVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reachable { access, how } => {
                f.write_str(if *access == Access::Writer {
                    "can be read and written"
                } else {
                    "can be read only"
                })?;
                match how {
                    How::Subscribed => Ok(()),
                    How::ByAddress => f.write_str(", shared and not in the account's list"),
                }
            }
            Self::Unreachable { access: Access::FreeBusy } => {
                f.write_str("only when somebody is busy can be seen")
            }
            Self::Unreachable { access: Access::NoSuchUser { message } } => f.write_str(message),
            Self::Unreachable { .. } => f.write_str("not shared with the account, or no such calendar"),
            Self::Ambiguous { candidates } => {
                let names: Vec<&str> = candidates.iter().map(CalendarId::as_str).collect();
                write!(f, "not shared; these may be meant: {}", names.join(", "))
            }
            Self::Unknown { message } => f.write_str(message),
        }
    }
}

impl fmt::Display for CalendarChecks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            self.calendars.iter().map(|check| check.address.chars().count()).max().unwrap_or_default();
        for check in &self.calendars {
            let mark = if check.reachable() { "✓" } else { "✗" };
            writeln!(f, "{mark} {:width$}  {}", check.address, check.verdict)?;
        }
        if let Some(cure) = self.none_reachable() {
            writeln!(f, "{}", cure.text)?;
            for paste in &cure.paste {
                writeln!(f, "  {}: {}", paste.label, paste.value)?;
            }
        }
        if !self.list_read {
            writeln!(
                f,
                "the account's list could not be read (scope {}): each was asked for by its address",
                Feature::ListCalendars.smallest()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn entry(value: Value) -> CalendarEntry {
        serde_json::from_value(value).expect("an entry")
    }

    #[test]
    fn an_answer_about_an_address_is_one_verdict_in_the_words_of_access() {
        let not_shared = || Access::NotShared { message: "told".into() };
        let others: BTreeSet<&str> = ["team@group.calendar.google.com"].into();
        let reachable = |access, how| CalendarVerdict::Reachable { access, how };
        for (answer, candidates, expected) in [
            (Access::Writer, None, reachable(Access::Writer, How::ByAddress)),
            (Access::Reader, None, reachable(Access::Reader, How::ByAddress)),
            // It can be reached: what else its person owns is not meant.
            (Access::Writer, Some(&others), reachable(Access::Writer, How::ByAddress)),
            (Access::FreeBusy, Some(&others), CalendarVerdict::Unreachable { access: Access::FreeBusy }),
            (not_shared(), None, CalendarVerdict::Unreachable { access: not_shared() }),
            (
                not_shared(),
                Some(&others),
                CalendarVerdict::Ambiguous { candidates: vec!["team@group.calendar.google.com".into()] },
            ),
        ] {
            assert_eq!(by_address(Ok(answer), candidates).expect("a verdict"), expected);
        }
        let late = Error::new(ErrorKind::Limit, "the run's time is up").later();
        assert!(matches!(by_address(Err(late), None), Ok(CalendarVerdict::Unknown { .. })));
        assert!(by_address(Err(Error::new(ErrorKind::Unauthorized, "dead")), None).is_err());
    }

    #[test]
    fn a_list_is_looked_up_whatever_the_case_and_names_others_of_the_same_person() {
        let entries = [
            entry(json!({"id": "Amy@Example.com", "accessRole": "reader", "summary": "amy@example.com"})),
            entry(
                json!({"id": "t@group.calendar.google.com", "dataOwner": "Bob@example.com", "summary": "Team"}),
            ),
            entry(json!({"id": "u@group.calendar.google.com", "summary": " bob@example.com "})),
        ];
        let list = List::new(&entries);
        assert_eq!(list.by_id["amy@example.com"].access_role(), Some("reader"));
        assert_eq!(list.others.get("amy@example.com"), None);
        assert_eq!(list.others["bob@example.com"].len(), 2);
    }

    #[test]
    fn none_reachable_has_one_cure_and_one_that_is_has_none() {
        let check = |verdict| CalendarCheck { address: "a".into(), calendar: "a".into(), verdict };
        let unreachable = || check(CalendarVerdict::Unreachable { access: Access::FreeBusy });
        let checks =
            |calendars| CalendarChecks { account: Some("sync@x.example".into()), list_read: true, calendars };
        let none = checks(vec![unreachable(), unreachable()]);
        let printed = none.to_string();
        assert_eq!(printed.matches("share with: sync@x.example").count(), 1, "{printed}");
        let how = CalendarVerdict::Reachable { access: Access::Reader, how: How::Subscribed };
        assert_eq!(checks(vec![unreachable(), check(how)]).none_reachable(), None);
        assert_eq!(checks(vec![]).none_reachable(), None);
        // What could not be found out is not unreachable.
        let unknown = check(CalendarVerdict::Unknown { message: "broke".into() });
        assert_eq!(checks(vec![unreachable(), unknown]).none_reachable(), None);
    }
}
