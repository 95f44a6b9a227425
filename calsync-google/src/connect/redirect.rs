//! The address to which Google sends a browser back: configured whole, compared byte for byte, before anybody is sent to Google.
//!
//! Google compares the address with those registered for the client as text: a slash at the end, another case of the host, or the
//! order of its own query parameters make it another address, and the person in front of the browser only sees an error page. So
//! the comparison is made here, where an administrator can be told the exact address to register.

use crate::auth::ClientKind;
use calsync_core::planted::{self, Fault};
use calsync_core::{Error, ErrorKind, Result};
use std::fmt;

/// A redirect URI, as it is registered in the Google Cloud console: with path, sub-directory and query parameters of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// Takes the address as it stands; nothing of it is changed.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what Google does not let be registered (OAuth 2.0 for web server applications, "Redirect URI validation
    /// rules"): no http or https address, user names in it, a fragment, blanks, a wildcard, a raw address of a machine other than
    /// the loopback; or longer than 2,048 bytes.
    pub fn new(uri: impl Into<String>) -> Result<Self> {
        let uri = uri.into();
        let refuse = |why: &'static str| {
            Err(Error::new(ErrorKind::Config, format!("this cannot be a redirect URI: {why}"))
                .with("address", &uri)
                .cure("Give the whole address to which Google sends the browser back, for example https://crm.example.com/google/callback."))
        };
        if uri.len() > 2_048 {
            return refuse("it is longer than 2,048 bytes");
        }
        if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse("it has blanks, line breaks or characters outside of ASCII");
        }
        let Some((scheme, rest)) = uri.split_once("://") else { return refuse("it is not absolute") };
        if scheme != "https" && scheme != "http" {
            return refuse("it begins with neither https:// nor http://");
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return refuse("it has a user name in it");
        }
        if uri.contains('#') {
            return refuse("it has a fragment (#)");
        }
        if uri.contains('*') || uri.contains('\\') {
            return refuse("it has a wildcard or a backslash");
        }
        let host = host(&uri);
        if host.is_empty() || uri.parse::<http::Uri>().is_err() {
            return refuse("it is no address");
        }
        let machine = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
        if machine && !is_loopback(host) {
            return refuse("it names a machine by its number");
        }
        Ok(Self(uri))
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is dangerous about it, if anything: a code that travels without encryption can be read on the way.
    pub fn warning(&self) -> Option<String> {
        (self.0.starts_with("http://") && !is_loopback(host(&self.0))).then(|| {
            format!(
                "{} is not encrypted: Google refuses such addresses outside of the loopback, and whoever can read the traffic can take \
                 the consent. Use https.",
                self.0
            )
        })
    }

    /// Whether Google will send a browser back to it for this client.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the exact address to register, and which registered one comes close.
    pub fn check(&self, kind: ClientKind, registered: &[String]) -> Result<()> {
        match kind {
            ClientKind::Desktop if is_loopback(host(&self.0)) && self.0.starts_with("http://") => Ok(()),
            ClientKind::Desktop => Err(Error::new(
                ErrorKind::Config,
                "a desktop client answers to the loopback only, not to an address of its own",
            )
            .with("address", &self.0)
            .cure(
                "Make a client of the type \"Web application\" with this redirect URI, or let the person connect on the machine itself.",
            )),
            ClientKind::Web if registered.contains(&self.0) || planted::on(Fault::RedirectNotCompared) => Ok(()),
            ClientKind::Web => {
                let near = registered.iter().find_map(|other| Some((other, difference(&self.0, other)?)));
                let close = near.map(|(other, what)| format!(" {other} is registered, which differs in {what}."));
                Err(Error::new(ErrorKind::Config, "this redirect URI is not among those of the OAuth client")
                    .with("address", &self.0)
                    .cure(format!(
                        "Register exactly {} (Google Auth Platform > Clients > the client > Authorised redirect URIs), download the \
                         file again and upload it here.{}",
                        self.0,
                        close.unwrap_or_default()
                    )))
            }
        }
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn host(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "[::1]" | "localhost")
}

/// In what two addresses differ that a person takes for the same.
fn difference(wanted: &str, registered: &str) -> Option<&'static str> {
    let without_scheme = |uri: &str| uri.split_once("://").map(|(_, rest)| rest.to_owned());
    let path = |uri: &str| uri.split('?').next().unwrap_or_default().to_owned();
    if wanted.trim_end_matches('/') == registered.trim_end_matches('/') {
        Some("the slash at its end")
    } else if without_scheme(wanted) == without_scheme(registered) {
        Some("http and https")
    } else if wanted.eq_ignore_ascii_case(registered) {
        Some("upper and lower case")
    } else if path(wanted) == path(registered) {
        Some("its query parameters")
    } else if wanted.replacen("://www.", "://", 1) == registered.replacen("://www.", "://", 1) {
        Some("the www in front of the host")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_google_does_not_let_be_registered_is_refused_by_its_fault() {
        for (uri, fault) in [
            ("crm.example.com/cb", "not absolute"),
            ("ftp://crm.example.com/cb", "neither https"),
            ("https://amy@crm.example.com/cb", "user name"),
            ("https://crm.example.com/cb#x", "fragment"),
            ("https://*.example.com/cb", "wildcard"),
            ("https://crm.example.com/c b", "blanks"),
            ("https://crm.example.com/cb\n", "blanks"),
            ("https://10.0.0.7/cb", "by its number"),
            ("https://[2001:db8::1]/cb", "by its number"),
            ("https:///cb", "no address"),
        ] {
            let error = RedirectUri::new(uri).expect_err(uri);
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains(fault), "{uri}: {error}");
        }
    }

    #[test]
    fn s05_a_redirect_uri_is_compared_byte_for_byte_and_the_near_miss_is_named() {
        let wanted = RedirectUri::new("https://crm.example.com/suite/index.php?entryPoint=saveGoogleApiKey")
            .expect("an address");
        let exact = vec![wanted.as_str().to_owned()];
        assert!(wanted.check(ClientKind::Web, &exact).is_ok());
        for (registered, what) in [
            ("https://crm.example.com/suite/index.php?entryPoint=saveGoogleApiKey/", "slash"),
            ("http://crm.example.com/suite/index.php?entryPoint=saveGoogleApiKey", "http and https"),
            ("https://crm.example.com/suite/index.php?entrypoint=savegoogleapikey", "upper and lower"),
            ("https://crm.example.com/suite/index.php", "query parameters"),
            ("https://www.crm.example.com/suite/index.php?entryPoint=saveGoogleApiKey", "www"),
        ] {
            let error = wanted.check(ClientKind::Web, &[registered.to_owned()]).expect_err(registered);
            let cure = error.cure_text().expect("a cure");
            assert!(cure.contains(wanted.as_str()) && cure.contains(what), "{registered}: {cure}");
        }
        let other =
            wanted.check(ClientKind::Web, &["https://else.example.com/cb".into()]).expect_err("another");
        assert!(!other.cure_text().expect("a cure").contains("differs"));
        assert!(wanted.check(ClientKind::Web, &[]).is_err());
    }

    #[test]
    fn a_desktop_client_answers_to_any_port_of_the_loopback_and_to_nothing_else() {
        for (uri, good) in [
            ("http://127.0.0.1:49152/", true),
            ("http://[::1]:7000", true),
            ("http://localhost:1", true),
            ("https://crm.example.com/cb", false),
            ("https://127.0.0.1:7000/", false),
        ] {
            let uri = RedirectUri::new(uri).expect("an address");
            assert_eq!(uri.check(ClientKind::Desktop, &[]).is_ok(), good, "{uri}");
        }
    }

    #[test]
    fn plain_http_is_warned_of_outside_of_the_loopback() {
        let warns = |uri: &str| RedirectUri::new(uri).expect("an address").warning().is_some();
        assert!(warns("http://crm.example.com/cb"));
        assert!(!warns("https://crm.example.com/cb") && !warns("http://127.0.0.1:8080/cb"));
    }
}
