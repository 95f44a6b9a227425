//! What Google lets an application do: features, and the scopes behind them.
//!
//! A missing scope shows itself late and badly: a delegated service account is refused everything when one scope of its list is not
//! authorised, and a person can untick single scopes on the consent screen, after which the exchange still succeeds. So each thing that
//! calsync does names the scopes that are enough for it, the smallest of them, and what does not work without it (S10). Granted and
//! needed are compared both ways: what is missing, and what was granted for nothing.
//!
//! Which scopes a method accepts is read in Google's discovery document (calendar v3, revision 20261030); `tests/google_provider`
//! holds this table against it. Four scopes that methods accept are deliberately enough for nothing here, because what they open is
//! not what a binding names: `calendar.app.created` (only calendars that the application made itself), `calendar.events.owned` with its
//! read-only form (not those shared with the person), `calendar.events.public.readonly`, and for events `calendar.events.freebusy`.
//!
//! Sets are compared as sets. Google returns a granted list in its own order, `email` and `profile` in their long form, `openid` added,
//! and with earlier grants beside it. Nothing here asks Google.

use calsync_core::planted::{self, Fault};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

/// Everything about calendars, sharing and settings included.
pub const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";
/// Reading everything about calendars but who they are shared with.
pub const CALENDAR_READONLY: &str = "https://www.googleapis.com/auth/calendar.readonly";
/// Reading and writing events.
pub const EVENTS: &str = "https://www.googleapis.com/auth/calendar.events";
/// Reading events.
pub const EVENTS_READONLY: &str = "https://www.googleapis.com/auth/calendar.events.readonly";
/// When somebody is busy, from events.
pub const EVENTS_FREEBUSY: &str = "https://www.googleapis.com/auth/calendar.events.freebusy";
/// The list of a person's calendars, and adding to it.
pub const CALENDAR_LIST: &str = "https://www.googleapis.com/auth/calendar.calendarlist";
/// The list of a person's calendars.
pub const CALENDAR_LIST_READONLY: &str = "https://www.googleapis.com/auth/calendar.calendarlist.readonly";
/// The properties of calendars: title, zone, working hours; and changing them.
pub const CALENDARS: &str = "https://www.googleapis.com/auth/calendar.calendars";
/// The properties of calendars: title, zone, working hours.
pub const CALENDARS_READONLY: &str = "https://www.googleapis.com/auth/calendar.calendars.readonly";
/// When somebody is busy.
pub const FREEBUSY: &str = "https://www.googleapis.com/auth/calendar.freebusy";
/// A person's settings, and changing them.
pub const SETTINGS: &str = "https://www.googleapis.com/auth/calendar.settings";
/// A person's settings.
pub const SETTINGS_READONLY: &str = "https://www.googleapis.com/auth/calendar.settings.readonly";
/// Whom calendars are shared with, and changing it.
pub const ACLS: &str = "https://www.googleapis.com/auth/calendar.acls";
/// Whom calendars are shared with.
pub const ACLS_READONLY: &str = "https://www.googleapis.com/auth/calendar.acls.readonly";
/// The rooms of an organisation, and changing them.
pub const ROOMS: &str = "https://www.googleapis.com/auth/admin.directory.resource.calendar";
/// The rooms of an organisation.
pub const ROOMS_READONLY: &str = "https://www.googleapis.com/auth/admin.directory.resource.calendar.readonly";
/// The address of the account; `email` for short.
pub const EMAIL: &str = "https://www.googleapis.com/auth/userinfo.email";
/// The name and picture of the account; `profile` for short. calsync never asks for it.
pub const PROFILE: &str = "https://www.googleapis.com/auth/userinfo.profile";

/// The three scopes that HaloCRM's guide has an administrator authorise. They are enough for all that its method did, and more than
/// calsync needs: who comes from there has nothing to change.
pub const HALO_GUIDE: [&str; 3] = [CALENDAR, EVENTS, ROOMS];

/// One thing that calsync does with Google.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Feature {
    /// Reading events, and creating, changing and deleting them: `events.insert`, `patch`, `delete` and those that read.
    WriteEvents,
    /// Reading events and no more: `events.list`, `get`, `instances`.
    ReadEvents,
    /// Seeing which calendars a person has: `calendarList.list`.
    ListCalendars,
    /// Putting a calendar that is shared with an account into its list: `calendarList.insert`.
    Subscribe,
    /// The working hours and the zone of a calendar: `calendars.get`.
    WorkingHours,
    /// When people and rooms are busy: `freebusy.query`.
    FreeBusy,
    /// A person's settings, such as the zone and the first day of the week: `settings.list`.
    Settings,
    /// Whom a calendar is shared with: `acl.list`.
    Sharing,
    /// The rooms of an organisation: `resources.calendars.list` of the Directory API, which is an API of its own (Admin SDK) and wants
    /// an administrator as the subject.
    Rooms,
    /// Which account gave its consent (S6): the address in `userinfo`.
    Identity,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::WriteEvents,
        Self::ReadEvents,
        Self::ListCalendars,
        Self::Subscribe,
        Self::WorkingHours,
        Self::FreeBusy,
        Self::Settings,
        Self::Sharing,
        Self::Rooms,
        Self::Identity,
    ];

    /// The scopes of which any one is enough, for every calendar that the account can open.
    pub const fn any_of(self) -> &'static [&'static str] {
        match self {
            Self::WriteEvents => &[EVENTS, CALENDAR],
            Self::ReadEvents => &[EVENTS_READONLY, EVENTS, CALENDAR_READONLY, CALENDAR],
            Self::ListCalendars => &[CALENDAR_LIST_READONLY, CALENDAR_LIST, CALENDAR_READONLY, CALENDAR],
            Self::Subscribe => &[CALENDAR_LIST, CALENDAR],
            Self::WorkingHours => &[CALENDARS_READONLY, CALENDARS, CALENDAR_READONLY, CALENDAR],
            Self::FreeBusy => &[FREEBUSY, EVENTS_FREEBUSY, CALENDAR_READONLY, CALENDAR],
            Self::Settings => &[SETTINGS_READONLY, SETTINGS, CALENDAR_READONLY, CALENDAR],
            // `calendar.readonly` opens one entry of a list (acl.get), and not the list.
            Self::Sharing => &[ACLS_READONLY, ACLS, CALENDAR],
            Self::Rooms => &[ROOMS_READONLY, ROOMS],
            Self::Identity => &[EMAIL],
        }
    }

    /// The scope that calsync asks for: the one of [`Feature::any_of`] that opens least.
    pub const fn smallest(self) -> &'static str {
        match self {
            Self::WriteEvents => EVENTS,
            Self::ReadEvents => EVENTS_READONLY,
            Self::ListCalendars => CALENDAR_LIST_READONLY,
            Self::Subscribe => CALENDAR_LIST,
            Self::WorkingHours => CALENDARS_READONLY,
            Self::FreeBusy => FREEBUSY,
            Self::Settings => SETTINGS_READONLY,
            Self::Sharing => ACLS_READONLY,
            Self::Rooms => ROOMS_READONLY,
            Self::Identity => EMAIL,
        }
    }

    /// What it is, in words for an administrator.
    pub const fn title(self) -> &'static str {
        match self {
            Self::WriteEvents => "read and write events",
            Self::ReadEvents => "read events",
            Self::ListCalendars => "list the calendars of an account",
            Self::Subscribe => "put a shared calendar into an account's list",
            Self::WorkingHours => "read working hours and time zone",
            Self::FreeBusy => "read when somebody is busy",
            Self::Settings => "read an account's calendar settings",
            Self::Sharing => "read whom a calendar is shared with",
            Self::Rooms => "read the rooms of the organisation",
            Self::Identity => "see which account gave its consent",
        }
    }

    /// What does not work without it.
    pub const fn without(self) -> &'static str {
        match self {
            Self::WriteEvents => {
                "Appointments made or changed in the CRM do not reach the calendar: a binding can only go from the calendar to the CRM."
            }
            Self::ReadEvents => {
                "Nothing can be synchronised: not even what is already in the calendar is known."
            }
            Self::ListCalendars => {
                "Calendars cannot be proposed or checked by name: each has to be named by its address, and whether it is read-only is \
                 seen at the first write."
            }
            Self::Subscribe => {
                "A calendar that is shared with the account does not show in its list by itself: somebody has to add it by hand."
            }
            Self::WorkingHours => {
                "Working hours and the time zone come from the CRM alone: what an agent sets in Google Calendar is not known."
            }
            Self::FreeBusy => {
                "Free time cannot be asked of Google: only what is synchronised counts as busy."
            }
            Self::Settings => "The zone and the first day of the week of an agent come from the CRM alone.",
            Self::Sharing => {
                "Whom a calendar is shared with cannot be listed: missing rights show at the first call."
            }
            Self::Rooms => "Rooms cannot be looked up: they are booked by their address only.",
            Self::Identity => {
                "It cannot be seen whether the right account gave its consent, and so the consent is not kept."
            }
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// A set of scopes, in their long form, without `openid`, which opens nothing.
///
/// ```
/// use calsync_google::scope::{Feature, Scopes};
///
/// let granted = Scopes::parse("openid email https://www.googleapis.com/auth/calendar.events");
/// assert!(granted.covers(Feature::Identity) && granted.covers(Feature::ReadEvents));
/// assert_eq!(granted.missing(&[Feature::WriteEvents, Feature::WorkingHours]), [Feature::WorkingHours]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Reads the `scope` of a token answer or of a callback: scopes with blanks between them, in any order, repeated or not.
    pub fn parse(granted: &str) -> Self {
        granted.split_ascii_whitespace().collect()
    }

    /// The least that is enough for these features. A scope whose feature another one carries along is left out: who may write
    /// events may read them.
    pub fn smallest_for(features: &[Feature]) -> Self {
        let wider = |feature: &Feature| feature.any_of().last().filter(|_| planted::on(Fault::WiderIsAsked));
        let asked = |feature: &Feature| wider(feature).copied().unwrap_or(feature.smallest());
        let mut scopes: Self = features.iter().map(asked).collect();
        for spare in scopes.spare(features) {
            scopes.0.remove(&spare);
        }
        scopes
    }

    /// Whether this one is in the set, by its long name or its short one.
    pub fn contains(&self, scope: &str) -> bool {
        canonical(scope).is_none_or(|scope| self.0.contains(&*scope))
    }

    /// Whether what was granted is enough for this feature.
    pub fn covers(&self, feature: Feature) -> bool {
        feature.any_of().iter().any(|scope| self.0.contains(*scope))
    }

    /// Which of these features were not granted, in the order given, each once.
    pub fn missing(&self, features: &[Feature]) -> Vec<Feature> {
        let mut missing = Vec::new();
        for &feature in features {
            let covered = self.covers(feature) || planted::on(Fault::MissingIsGranted);
            if !covered && !missing.contains(&feature) {
                missing.push(feature);
            }
        }
        missing
    }

    /// Which scopes could be taken away, all of them at once, without losing any of these features that is there now; the ones that
    /// open most are tried first. A scope that calsync does not know is always among them.
    pub fn unneeded(&self, features: &[Feature]) -> Vec<&str> {
        let spare = self.spare(features);
        self.iter().filter(|scope| spare.contains(*scope)).collect()
    }

    fn spare(&self, features: &[Feature]) -> BTreeSet<String> {
        let kept: Vec<Feature> = features.iter().copied().filter(|feature| self.covers(*feature)).collect();
        let mut order: Vec<&String> = self.0.iter().collect();
        order.sort_by_key(|scope| {
            let opens = Feature::ALL.iter().filter(|feature| feature.any_of().contains(&scope.as_str()));
            // Of two that open the same, the one that also writes opens more.
            (Reverse(opens.count()), scope.ends_with(".readonly"))
        });
        let mut left = self.clone();
        let mut spare = BTreeSet::new();
        for scope in order {
            left.0.remove(scope);
            if kept.iter().all(|feature| left.covers(*feature)) {
                spare.insert(scope.clone());
            } else {
                left.0.insert(scope.clone());
            }
        }
        spare
    }

    /// Each scope in its long form, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// With commas between them and no blanks: as the Admin console wants them for domain-wide delegation. Everywhere else Google
    /// wants blanks, which is how a set prints.
    pub fn with_commas(&self) -> String {
        self.iter().collect::<Vec<_>>().join(",")
    }
}

/// The long form; nothing for `openid` and for emptiness.
fn canonical(scope: &str) -> Option<Cow<'_, str>> {
    match scope.trim() {
        "" | "openid" => None,
        "email" => Some(EMAIL.into()),
        "profile" => Some(PROFILE.into()),
        scope => Some(scope.into()),
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().collect::<Vec<_>>().join(" "))
    }
}

impl From<String> for Scopes {
    fn from(granted: String) -> Self {
        Self::parse(&granted)
    }
}

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> Self {
        scopes.to_string()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        Self(scopes.into_iter().filter_map(|s| canonical(s.as_ref()).map(Cow::into_owned)).collect())
    }
}

impl IntoIterator for Scopes {
    type Item = String;
    type IntoIter = std::collections::btree_set::IntoIter<String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::Feature::*;
    use super::*;

    /// Scopes by what follows `…/auth/`.
    fn scopes(short: &str) -> Scopes {
        short.split_whitespace().map(|s| format!("https://www.googleapis.com/auth/{s}")).collect()
    }

    #[test]
    fn a_granted_list_is_a_set_whatever_its_order_and_its_short_names() {
        let asked = Scopes::parse(&format!("email {EVENTS}"));
        for granted in [
            format!("{EVENTS} {EMAIL} openid"),
            format!("  {EMAIL}\t{EVENTS}\n{EVENTS} "),
            format!("openid email {EVENTS}"),
        ] {
            assert_eq!(Scopes::parse(&granted), asked, "{granted}");
        }
        assert!(asked.contains("email") && asked.contains(EMAIL) && !asked.contains("profile"));
        assert_eq!(asked.to_string(), format!("{EVENTS} {EMAIL}"));
        assert_eq!(asked.with_commas(), format!("{EVENTS},{EMAIL}"));
        assert!(Scopes::parse("openid").is_empty() && asked.contains("openid"));
        assert_eq!(Scopes::parse("profile").iter().next(), Some(PROFILE));
    }

    #[test]
    fn a_superset_of_what_was_asked_is_enough() {
        let granted = scopes("drive gmail.readonly calendar.events userinfo.profile userinfo.email");
        assert_eq!(granted.missing(&[WriteEvents, ReadEvents, Identity]), []);
    }

    #[test]
    fn s10_each_feature_is_given_by_any_one_of_its_scopes_and_by_no_other() {
        let all: BTreeSet<&str> = Feature::ALL.iter().flat_map(|f| f.any_of()).copied().collect();
        for feature in Feature::ALL {
            assert!(feature.any_of().contains(&feature.smallest()), "{feature:?}");
            for scope in &all {
                let given = [scope].into_iter().collect::<Scopes>().covers(feature);
                assert_eq!(given, feature.any_of().contains(scope), "{feature:?} by {scope}");
            }
        }
    }

    #[test]
    fn scopes_that_open_something_else_than_a_binding_names_are_enough_for_nothing() {
        let narrow = scopes(
            "calendar.app.created calendar.events.owned calendar.events.owned.readonly calendar.events.public.readonly",
        );
        assert_eq!(narrow.missing(&Feature::ALL), Feature::ALL);
        assert!(!scopes("calendar.events.freebusy").covers(ReadEvents));
        assert!(!scopes("calendar.readonly").covers(Sharing));
        // A name that only begins like another is another.
        assert!(!scopes("calendar.eventsx calendar/ Calendar").covers(WriteEvents));
    }

    #[test]
    fn s10_granted_and_needed_are_compared_in_both_directions() {
        #[track_caller]
        fn check(granted: &str, features: &[Feature], missing: &[Feature], unneeded: &str) {
            let granted = scopes(granted);
            assert_eq!(granted.missing(features), missing);
            assert_eq!(granted.unneeded(features).into_iter().collect::<Scopes>(), scopes(unneeded));
        }
        check("calendar.events", &[WriteEvents, ReadEvents], &[], "");
        check("calendar.events", &[ReadEvents, WorkingHours, WorkingHours], &[WorkingHours], "");
        check("calendar.events.readonly", &[WriteEvents], &[WriteEvents], "calendar.events.readonly");
        // The broader one goes, where either would do.
        check("calendar calendar.events", &[WriteEvents], &[], "calendar");
        check("calendar.calendars calendar.calendars.readonly", &[WorkingHours], &[], "calendar.calendars");
        // The broader one stays, where something hangs on it; then the narrower one adds nothing.
        check("calendar calendar.events", &[WriteEvents, Sharing], &[], "calendar.events");
        check("calendar gmail.send", &[FreeBusy], &[], "gmail.send");
        check("", &[Settings], &[Settings], "");
        check("calendar", &[], &[], "calendar");
    }

    #[test]
    fn s10_the_smallest_set_is_enough_and_none_of_it_can_go() {
        assert_eq!(Scopes::smallest_for(&[ReadEvents, WriteEvents]), scopes("calendar.events"));
        assert_eq!(Scopes::smallest_for(&[ListCalendars, Subscribe]), scopes("calendar.calendarlist"));
        assert_eq!(
            Scopes::smallest_for(&[WriteEvents, ReadEvents, ListCalendars, WorkingHours, FreeBusy]),
            scopes(
                "calendar.events calendar.calendarlist.readonly calendar.calendars.readonly calendar.freebusy"
            )
        );
        for bits in 0_u32..1 << Feature::ALL.len() {
            let chosen: Vec<Feature> = (Feature::ALL.into_iter().enumerate())
                .filter(|(n, _)| bits >> n & 1 == 1)
                .map(|p| p.1)
                .collect();
            let smallest = Scopes::smallest_for(&chosen);
            assert_eq!(smallest.missing(&chosen), [], "{chosen:?}");
            assert_eq!(smallest.unneeded(&chosen), [""; 0], "{chosen:?}");
            assert!(!smallest.contains(CALENDAR) && !smallest.contains(CALENDAR_READONLY), "{chosen:?}");
        }
    }

    #[test]
    fn what_halo_s_guide_authorises_is_enough_for_what_its_method_did() {
        let granted: Scopes = HALO_GUIDE.iter().collect();
        // Agents' calendars are read and written, found by address, warned of by working hours; rooms stand in its list of scopes.
        let did = [WriteEvents, ReadEvents, ListCalendars, WorkingHours, Rooms];
        assert_eq!(granted.missing(&did), []);
        assert_eq!(granted.unneeded(&[WriteEvents]), [ROOMS, CALENDAR]);
        let asked_alone = Scopes::parse(crate::SCOPE_EVENTS);
        assert!(asked_alone.iter().all(|scope| granted.contains(scope)), "the default is in the list");
    }

    #[test]
    fn each_feature_says_what_does_not_work_without_it() {
        let said: BTreeSet<&str> = Feature::ALL.iter().map(|f| f.without()).collect();
        let titles: BTreeSet<&str> = Feature::ALL.iter().map(|f| f.title()).collect();
        assert_eq!((said.len(), titles.len()), (10, 10));
        assert!(said.iter().all(|text| text.ends_with('.')));
    }

    #[test]
    fn a_set_is_stored_as_google_writes_it() {
        let set = scopes("calendar.events userinfo.email");
        let stored = serde_json::to_string(&set).expect("JSON");
        assert_eq!(stored, format!("\"{EVENTS} {EMAIL}\""));
        let read: Scopes = serde_json::from_str("\"openid email\"").expect("a set");
        assert_eq!(read, scopes("userinfo.email"));
    }
}
