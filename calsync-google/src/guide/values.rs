//! What the host knows of an installation, and what stands in a guide where it does not.
//!
//! Values come from settings and files, and so from people. What moves the cursor, ends a line or turns the direction of writing is
//! taken out of them, and they are cut at [`VALUE_CHARS_MAX`]: a guide is shown to somebody who is about to paste.

use super::Way;
use crate::auth::ServiceAccountKey;
use crate::scope::{Feature, Scopes};
use crate::text::shown;
use std::collections::BTreeSet;

/// How many characters of a value are shown; an address of a web page has at most as many.
pub const VALUE_CHARS_MAX: usize = 2048;

/// A value to paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pasted {
    /// This text, as it is.
    Known(String),
    /// Not known to the host: what it is and where it is found.
    Unknown(&'static str),
}

/// The values of an installation. All are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    features: BTreeSet<Feature>,
    redirect_uri: Option<String>,
    service_account_id: Option<String>,
    service_account_email: Option<String>,
    shared_account: Option<String>,
    support: Option<String>,
    domain: Option<String>,
    app_name: Option<String>,
}

/// Which value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    RedirectUri,
    ServiceAccountId,
    ServiceAccountEmail,
    SharedAccount,
    Support,
    Domain,
    AppName,
}

impl Values {
    /// What calsync is to do. Default: [`Feature::WriteEvents`] alone, which is what a connection asks for by default.
    pub fn features(mut self, features: impl IntoIterator<Item = Feature>) -> Self {
        self.features = features.into_iter().collect();
        self
    }

    /// The address in the CRM at which people come back from Google, exactly as it will be sent.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(uri.into());
        self
    }

    /// The service account's number ([`ServiceAccountKey::client_id`]).
    pub fn service_account_id(mut self, id: impl Into<String>) -> Self {
        self.service_account_id = Some(id.into());
        self
    }

    /// The service account's address ([`ServiceAccountKey::client_email`]).
    pub fn service_account_email(mut self, email: impl Into<String>) -> Self {
        self.service_account_email = Some(email.into());
        self
    }

    /// Number and address of a service account, from its key. Nothing secret is taken.
    pub fn of_key(self, key: &ServiceAccountKey) -> Self {
        let values = self.service_account_email(key.client_email());
        match key.client_id() {
            Some(id) => values.service_account_id(id),
            None => values,
        }
    }

    /// The account that gives its consent for all, for [`Way::SharedAccount`].
    pub fn shared_account(mut self, address: impl Into<String>) -> Self {
        self.shared_account = Some(address.into());
        self
    }

    /// Where people who read the consent screen can ask.
    pub fn support(mut self, address: impl Into<String>) -> Self {
        self.support = Some(address.into());
        self
    }

    /// The organisation's domain, `example.com`.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// The name under which people know the CRM.
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.app_name = Some(name.into());
        self
    }

    /// The scopes to authorise: the least for the features. Where people give consent, the one that tells who they are is always among
    /// them, because a consent of another account is not kept; where a service account is authorised it never is.
    pub fn scopes(&self, way: Way) -> Scopes {
        let mut features: Vec<Feature> =
            self.features.iter().copied().filter(|f| *f != Feature::Identity).collect();
        if features.is_empty() {
            features.push(Feature::WriteEvents);
        }
        if way.asks_for_consent() {
            features.push(Feature::Identity);
        }
        Scopes::smallest_for(&features)
    }

    /// Whether anything is to be written into calendars.
    pub(super) fn writes(&self) -> bool {
        self.features.is_empty() || self.wants(Feature::WriteEvents)
    }

    /// Whether this feature is chosen.
    pub(super) fn wants(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// A value, fit to be shown; nothing where it is empty.
    pub(super) fn known(&self, which: Known) -> Option<String> {
        let value = match which {
            Known::RedirectUri => &self.redirect_uri,
            Known::ServiceAccountId => &self.service_account_id,
            Known::ServiceAccountEmail => &self.service_account_email,
            Known::SharedAccount => &self.shared_account,
            Known::Support => &self.support,
            Known::Domain => &self.domain,
            Known::AppName => &self.app_name,
        };
        value.as_deref().map(|value| shown(value, VALUE_CHARS_MAX)).filter(|value| !value.is_empty())
    }

    /// A value, or where it is found.
    pub(super) fn pasted(&self, which: Known) -> Pasted {
        self.known(which).map_or(Pasted::Unknown(missing(which)), Pasted::Known)
    }
}

fn missing(which: Known) -> &'static str {
    match which {
        Known::RedirectUri => "the redirect URI: the settings of the CRM show it",
        Known::ServiceAccountId => "the service account's numeric Unique ID: on its page, under Details",
        Known::ServiceAccountEmail => "the service account's e-mail address: on its page, under Details",
        Known::SharedAccount => "the address of the account that will see all calendars",
        Known::Support => "an address at which you answer questions",
        Known::Domain => "the domain of your organisation",
        Known::AppName => "the name of your CRM, as people know it",
    }
}
