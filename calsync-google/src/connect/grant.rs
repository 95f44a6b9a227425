//! A person's grant, as it is kept: what may be shown of it, how it stands, and why it may have ended.
//!
//! Google gives the same answer whatever ended a grant ("Token has been expired or revoked."), so the causes are listed by likelihood,
//! from what is known of its age and use.

use crate::scope::{Feature, Scopes};
use calsync_core::{AgentId, Secret};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How long a grant lives that nobody uses (developers.google.com/identity/protocols/oauth2, "Refresh token expiration").
const UNUSED_DAYS: i64 = 183;
/// How long a grant lives while the app's publishing status is "Testing".
const TESTING_DAYS: i64 = 7;

/// What is kept of a grant and is no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The account that gave it, in lower case.
    pub account: String,
    /// The agent in whose name it was asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The OAuth client that it was given to.
    pub client_id: String,
    /// The scopes that were granted, as Google said them.
    pub scopes: String,
    /// When it was given.
    pub granted: DateTime<Utc>,
    /// When a token was last got with it.
    pub used: DateTime<Utc>,
    /// When it ends in any case: the person limited the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<DateTime<Utc>>,
    /// When Google refused it for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<DateTime<Utc>>,
    /// Until when the access token that is kept with it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) access_until: Option<DateTime<Utc>>,
}

/// How a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// It works, as far as is known.
    Live,
    /// Google refused it: the person has to connect again.
    Refused,
    /// It was given to another OAuth client than the one that is configured now: the person has to connect again.
    OtherClient,
    /// Its time is over.
    Ended,
}

/// Why a grant may have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The app's publishing status is "Testing": grants end after seven days.
    Testing,
    /// The person, or a Workspace administrator, took it back.
    Revoked,
    /// Nobody used it for six months.
    Unused,
    /// The person limited the time.
    TimeLimited,
    /// The account gave more than a hundred grants to this client; the oldest ended.
    TooMany,
    /// The password was changed, and the grant had scopes of Gmail.
    Password,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Testing => {
                "the app's publishing status is Testing, where every grant ends after 7 days (publish the app, or make it internal)"
            }
            Self::Revoked => {
                "the person took it back (myaccount.google.com > Security > Third-party connections), or an administrator did"
            }
            Self::Unused => "it was not used for six months",
            Self::TimeLimited => "the person allowed it for a limited time only",
            Self::TooMany => "the account connected more than 100 times to this OAuth client, which ends the oldest grant",
            Self::Password => "the password was changed, and the grant had scopes of Gmail",
        })
    }
}

impl Grant {
    /// How it stands at `now`, while `client_id` is the client that is configured.
    pub fn state(&self, client_id: &str, now: DateTime<Utc>) -> GrantState {
        if self.client_id != client_id {
            GrantState::OtherClient
        } else if self.refused.is_some() {
            GrantState::Refused
        } else if self.ends.is_some_and(|ends| ends <= now) {
            GrantState::Ended
        } else {
            GrantState::Live
        }
    }

    /// When it ends if nobody uses it until then.
    pub fn expires_if_unused(&self) -> DateTime<Utc> {
        let unused = self.used + TimeDelta::days(UNUSED_DAYS);
        self.ends.map_or(unused, |ends| ends.min(unused))
    }

    /// Which of these features it lacks the scopes for.
    pub fn missing(&self, features: &[Feature]) -> Vec<Feature> {
        Scopes::parse(&self.scopes).missing(features)
    }

    /// Why it may have ended, likeliest first, as seen at `now` or when it was refused.
    pub fn causes(&self, now: DateTime<Utc>) -> Vec<Cause> {
        let at = self.refused.unwrap_or(now);
        let (age, idle) = (at - self.granted, at - self.used);
        let around_a_week = age >= TimeDelta::days(TESTING_DAYS) - TimeDelta::hours(12)
            && age <= TimeDelta::days(TESTING_DAYS) + TimeDelta::days(3);
        let mut causes = Vec::new();
        if self.ends.is_some_and(|ends| ends <= at) {
            causes.push(Cause::TimeLimited);
        }
        if around_a_week {
            causes.push(Cause::Testing);
        }
        if idle >= TimeDelta::days(UNUSED_DAYS - 3) {
            causes.push(Cause::Unused);
        }
        causes.push(Cause::Revoked);
        if age > TimeDelta::days(TESTING_DAYS) && !around_a_week && self.ended_within_a_week_of_use(at) {
            causes.push(Cause::Testing);
        }
        causes.push(Cause::TooMany);
        if self.scopes.contains("mail.google.com") || self.scopes.contains("/gmail.") {
            causes.push(Cause::Password);
        }
        causes
    }

    /// It was found refused long after it may have ended: nobody looked in between.
    fn ended_within_a_week_of_use(&self, at: DateTime<Utc>) -> bool {
        self.used - self.granted <= TimeDelta::days(TESTING_DAYS)
            && at - self.granted > TimeDelta::days(TESTING_DAYS)
    }

    /// What a person is told who meets a grant that has ended.
    pub(crate) fn cure(&self, state: GrantState, now: DateTime<Utc>) -> String {
        let again = format!("{} has to connect again.", self.account);
        match state {
            GrantState::OtherClient => {
                format!(
                    "{again} Its consent was given to the OAuth client {}, and another one is configured now.",
                    self.client_id
                )
            }
            _ => {
                let causes: Vec<String> = self.causes(now).iter().map(Cause::to_string).collect();
                format!("{again} Google does not say why it ended. Likeliest first: {}.", causes.join("; "))
            }
        }
    }
}

/// The secret part: the refresh token, and the access token that was last got with it.
pub(crate) struct Tokens {
    pub(crate) refresh: Secret,
    pub(crate) access: Option<Secret>,
}

impl Tokens {
    /// As one secret. No token has a line break in it.
    pub(crate) fn seal(&self) -> Secret {
        let access = self.access.as_ref().map_or("", |access| access.reveal());
        Secret::new(format!("{}\n{access}", self.refresh.reveal()))
    }

    pub(crate) fn open(secret: &Secret) -> Self {
        let (refresh, access) = secret.reveal().split_once('\n').unwrap_or((secret.reveal(), ""));
        Self {
            refresh: Secret::new(refresh),
            access: Some(access).filter(|access| !access.is_empty()).map(Secret::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> Grant {
        Grant {
            account: "amy@example.com".into(),
            agent: None,
            client_id: "1-a".into(),
            scopes: "https://www.googleapis.com/auth/calendar.events".into(),
            granted: day(0),
            used: day(0),
            ends: None,
            refused: None,
            access_until: None,
        }
    }

    fn day(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + days)
    }

    #[track_caller]
    fn first(used: i64, refused: i64) -> Cause {
        Grant { used: day(used), refused: Some(day(refused)), ..grant() }.causes(day(500))[0]
    }

    #[test]
    fn g30_the_seven_day_rule_comes_first_when_the_age_says_so() {
        assert_eq!(first(6, 7), Cause::Testing);
        assert_eq!(first(7, 8), Cause::Testing);
        assert_eq!(first(2, 3), Cause::Revoked);
        assert_eq!(first(99, 100), Cause::Revoked);
        assert_eq!(first(10, 200), Cause::Unused);
        // Nobody looked for three weeks: it may have been the seventh day as well.
        let late = Grant { used: day(1), refused: Some(day(21)), ..grant() };
        assert!(late.causes(day(21)).contains(&Cause::Testing));
        assert!(
            !Grant { used: day(20), refused: Some(day(21)), ..grant() }
                .causes(day(21))
                .contains(&Cause::Testing)
        );
    }

    #[test]
    fn a_password_is_a_cause_only_where_the_grant_has_scopes_of_gmail() {
        assert!(!grant().causes(day(1)).contains(&Cause::Password));
        let gmail = Grant { scopes: "https://mail.google.com/".into(), ..grant() };
        assert!(gmail.causes(day(1)).contains(&Cause::Password));
    }

    #[test]
    fn a_grant_stands_as_its_client_its_end_and_google_say() {
        let grant = grant();
        assert_eq!(grant.state("1-a", day(1)), GrantState::Live);
        assert_eq!(grant.state("2-b", day(1)), GrantState::OtherClient);
        assert_eq!(
            Grant { refused: Some(day(1)), ..grant.clone() }.state("1-a", day(1)),
            GrantState::Refused
        );
        let limited = Grant { ends: Some(day(30)), ..grant.clone() };
        assert_eq!(
            (limited.state("1-a", day(29)), limited.state("1-a", day(30))),
            (GrantState::Live, GrantState::Ended)
        );
        assert_eq!((limited.expires_if_unused(), grant.expires_if_unused()), (day(30), day(183)));
    }

    #[test]
    fn tokens_are_one_secret_and_two_again() {
        let both = Tokens { refresh: Secret::new("1//neversay"), access: Some(Secret::new("ya29.neversay")) };
        let opened = Tokens::open(&both.seal());
        assert_eq!(
            (opened.refresh.reveal(), opened.access.as_ref().map(Secret::reveal)),
            ("1//neversay", Some("ya29.neversay"))
        );
        let alone = Tokens::open(&Tokens { refresh: Secret::new("1//neversay"), access: None }.seal());
        assert!(alone.access.is_none() && alone.refresh.reveal() == "1//neversay");
    }
}
